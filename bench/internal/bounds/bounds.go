// Package bounds tells how fast a program could have worked through many
// artifacts, with the number of them that it has under way at a time and with the
// processors there are, and what share of that it reached.
package bounds

import (
	"fmt"
	"time"
)

// A Run is what one run over many artifacts took.
type Run struct {
	Artifacts int           // at least 1
	Wall      time.Duration // more than 0
	// AtOnce is how many artifacts the program has under way at a time, and Trips
	// how many round trips each of them takes in a row.
	AtOnce, Trips int
	RTT           time.Duration // 0: there is no bound by what is under way
	// Own is the processor time of the program, and Around that of the registry,
	// and of the proxy before it, if they share the processors; 0: it is not known,
	// and there is no bound by processors.
	Own, Around time.Duration
	Processors  int
}

// Bounds are rates in artifacts per second.
type Bounds struct {
	Rate float64 `json:"rate"` // that was reached
	// Concurrency is the bound by round trips: AtOnce / (Trips × RTT); 0: there is
	// none.
	Concurrency float64 `json:"concurrency,omitempty"`
	// CPU is the bound by processors: Processors / (Own + Around for each
	// artifact); 0: it is not known.
	CPU float64 `json:"cpu,omitempty"`
	// Share is Rate relative to the smaller of the two; 0: there is none.
	Share float64 `json:"share,omitempty"`
	// OwnEach and AroundEach are processor time for each artifact.
	OwnEach    time.Duration `json:"ownEach"`
	AroundEach time.Duration `json:"aroundEach"`
}

// Of returns the bounds of a run.
func Of(r Run) Bounds {
	n := float64(r.Artifacts)
	b := Bounds{
		Rate:       n / r.Wall.Seconds(),
		OwnEach:    r.Own / time.Duration(r.Artifacts),
		AroundEach: r.Around / time.Duration(r.Artifacts),
	}
	if waits := time.Duration(r.Trips) * r.RTT; waits > 0 {
		b.Concurrency = float64(r.AtOnce) / waits.Seconds()
	}
	if r.Own > 0 && r.Around > 0 {
		b.CPU = float64(r.Processors) * n / (r.Own + r.Around).Seconds()
	}
	switch {
	case b.Concurrency > 0 && (b.CPU == 0 || b.Concurrency < b.CPU):
		b.Share = b.Rate / b.Concurrency
	case b.CPU > 0:
		b.Share = b.Rate / b.CPU
	}
	return b
}

// String returns what bounds there are, and the share, for a reader.
func (b Bounds) String() string {
	text := fmt.Sprintf("processor time for each artifact: %s its own, %s of registry and proxy", Each(b.OwnEach), Each(b.AroundEach))
	if b.AroundEach == 0 {
		text = fmt.Sprintf("processor time for each artifact: %s its own, that of registry and proxy is not known", Each(b.OwnEach))
	}
	if b.Concurrency > 0 {
		text += fmt.Sprintf("; bound by round trips: %.0f/s", b.Concurrency)
	}
	if b.CPU > 0 {
		text += fmt.Sprintf("; bound by processors: %.0f/s", b.CPU)
	}
	if b.Share > 0 {
		text += fmt.Sprintf("; reached: %.0f %% of the smaller", 100*b.Share)
	}
	return text
}

// Each writes what one artifact took, in milliseconds.
func Each(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1e3) }
