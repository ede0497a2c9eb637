package cli

import (
	"fmt"
	"sync/atomic"
	"time"
)

// signProgress counts what a run of sign has done.
type signProgress struct {
	signed, skipped, failed atomic.Int64 // manifests
	done                    atomic.Int64 // references
}

func (p *signProgress) add(skipped bool) {
	if skipped {
		p.skipped.Add(1)
		return
	}
	p.signed.Add(1)
}

// line says how far the run is after a time, how fast, and how long the rest may
// take.
func (p *signProgress) line(elapsed time.Duration, of int) string {
	signed, skipped, failed, done := p.signed.Load(), p.skipped.Load(), p.failed.Load(), p.done.Load()
	text := fmt.Sprintf("%d signed, %.0f/s", signed, float64(signed+skipped)/max(elapsed.Seconds(), 0.001))
	if skipped > 0 {
		text += fmt.Sprintf(", %d were signed before", skipped)
	}
	if failed > 0 {
		text += fmt.Sprintf(", %d could not be signed", failed)
	}
	text += fmt.Sprintf("; %d of %s", done, count(of, "reference"))
	if done > 0 && done < int64(of) {
		left := time.Duration(float64(elapsed) / float64(done) * float64(int64(of)-done))
		text += ", about " + left.Round(time.Second).String() + " left"
	}
	return text
}
