package bounds_test

import (
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/bench/internal/bounds"
)

func TestOf(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	trips := bounds.Run{Artifacts: 1000, Wall: 4 * time.Second, AtOnce: 64, Trips: 2, RTT: 64 * ms, Own: time.Second, Processors: 2}
	both := trips
	both.Around = time.Second
	processors := both
	processors.Around = 9 * time.Second
	none := trips
	none.RTT = 0
	for name, c := range map[string]struct {
		run                     bounds.Run
		concurrency, cpu, share float64
		says                    string
	}{
		"the registry's time is not known": {trips, 500, 0, 0.5, "1.00 ms its own, that of registry and proxy is not known; bound by round trips: 500/s; reached: 50 %"},
		"round trips are the smaller":      {both, 500, 1000, 0.5, "1.00 ms its own, 1.00 ms of registry and proxy; bound by round trips: 500/s; bound by processors: 1000/s; reached: 50 %"},
		"processors are the smaller":       {processors, 500, 200, 1.25, "9.00 ms of registry and proxy; bound by round trips: 500/s; bound by processors: 200/s; reached: 125 %"},
		"no bound":                         {none, 0, 0, 0, "is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := bounds.Of(c.run)
			if b.Rate != 250 || b.Concurrency != c.concurrency || b.CPU != c.cpu || b.Share != c.share {
				t.Errorf("%+v", b)
			}
			if !strings.Contains(b.String(), c.says) || strings.Contains(b.String(), "reached") != (c.share > 0) {
				t.Errorf("%v", b)
			}
		})
	}
}
