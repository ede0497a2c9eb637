package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/notaryv2/notation/bench/internal/bounds"
	"github.com/notaryv2/notation/bench/internal/process"
)

// result is what was measured in a row.
type result struct {
	Row    string        `json:"row"`
	Says   string        `json:"says"`
	RTT    time.Duration `json:"rtt"` // nanoseconds, as all durations here
	Rounds int           `json:"rounds"`
	// Artifacts is how many the row is about, and the limit.
	Artifacts int           `json:"artifacts"`
	Limit     time.Duration `json:"limit"` // median
	Bound     string        `json:"bound"` // what the limit is, in words

	Entries []entry `json:"entries"`
}

// entry is what one contender needed. Times and memory are medians over the
// rounds, ratios are medians of the ratios within each round. They are of the
// time for each artifact.
type entry struct {
	Contender string        `json:"contender"`
	Floor     bool          `json:"floor"`
	Artifacts int           `json:"artifacts"` // in each run; at least 1
	Wall      time.Duration `json:"wall"`
	CPU       time.Duration `json:"cpu"`
	Peak      int64         `json:"peak"` // bytes
	Requests  int           `json:"requests"`
	Depth     int           `json:"depth"`
	ToBest    float64       `json:"toBest"` // 0: it is a floor
	ToLimit   float64       `json:"toLimit"`
	Failed    string        `json:"failed,omitempty"`
	// Trips is how many round trips in a row one artifact takes; 0: not counted.
	Trips  int            `json:"trips,omitempty"`
	Bounds *bounds.Bounds `json:"bounds,omitempty"` // nil: that was not asked
	// Samples are the rounds, in order.
	Samples []process.Sample `json:"samples"`

	atOnce int
}

// each returns what one artifact took in a run.
func (e entry) each(s process.Sample) float64 { return float64(s.Wall) / float64(e.Artifacts) }

// measure measures one row: each contender once by the proxy that counts, which
// warms it up as well, then in rounds, one contender after the other and in
// another order each time, so that a change of the machine's speed meets all.
func (w *world) measure(ctx context.Context, r row) (result, error) {
	res := result{Row: r.id(), Says: r.title(w.config), RTT: r.rtt, Artifacts: r.artifacts(w.config)}
	var entrants []*entrant
	for _, e := range w.entrants {
		if e.Commands[r.name] != nil {
			entrants = append(entrants, e)
			one := entry{Contender: e.Name, Floor: e.Floor, Artifacts: r.artifactsFor(e.contender, w.config)}
			if r.many {
				one.atOnce = e.AtOnce[r.name]
			}
			res.Entries = append(res.Entries, one)
		}
	}
	for i, e := range entrants {
		if err := w.count(ctx, e, r, &res.Entries[i]); err != nil {
			return res, err
		}
	}
	var limits []limit
	begin := time.Now()
	for res.Rounds < w.config.rounds && (res.Rounds < minRounds || time.Since(begin) < w.config.budget) {
		for i := range entrants {
			n := (i + res.Rounds) % len(entrants)
			if err := w.once(ctx, entrants[n], r, &res.Entries[n]); err != nil {
				return res, err
			}
		}
		l, err := w.limit(ctx, r)
		if err != nil {
			return res, err
		}
		limits = append(limits, l)
		res.Rounds++
	}
	res.conclude(limits)
	return res, nil
}

// title says what the row is about.
func (r row) title(c config) string {
	says := r.says
	switch {
	case r.many:
		says = fmt.Sprintf(says, c.many)
	case r.crowded:
		says = fmt.Sprintf(says, c.signatures)
	case r.kind == signingFile || r.kind == verifyingFile:
		says += fmt.Sprintf(" of %d MiB", c.fileSize>>20)
	}
	if r.network() {
		says += fmt.Sprintf(", round trip %v", r.rtt)
	}
	return says
}

// counted is what a contender asked of the registry in a task, which does not
// depend on how long answers take.
type counted struct{ requests, depth, trips int }

// count runs a contender once for each task and counts its requests and round
// trips. One that fails, here or later, takes no further part in the row.
func (w *world) count(ctx context.Context, e *entrant, r row, to *entry) error {
	c, known := e.counted[r.name]
	if !known {
		var err error
		if to.atOnce > 0 {
			// How many round trips one of many takes shows in a run with one.
			if c.trips, _, err = w.countRun(ctx, e, r, 1, to); err != nil {
				return err
			}
		}
		if c.depth, c.requests, err = w.countRun(ctx, e, r, to.Artifacts, to); err != nil {
			return err
		}
	}
	if to.Failed == "" {
		e.counted[r.name] = c
	}
	to.Requests, to.Depth, to.Trips = c.requests, c.depth, c.trips
	return ctx.Err()
}

// countRun runs a contender over n artifacts and returns what it asked.
func (w *world) countRun(ctx context.Context, e *entrant, r row, n int, to *entry) (depth, requests int, err error) {
	host := ""
	if r.network() {
		host = w.waves.Host()
	}
	inputs, err := w.ready(ctx, e, r, n, host)
	if err != nil {
		return 0, 0, err
	}
	w.waves.Reset()
	if _, err = w.run(ctx, e, e.Commands[r.name], inputs); err != nil {
		to.Failed = err.Error()
	}
	if r.network() {
		depth, requests = w.waves.Depth(), len(w.waves.Exchanges())
	}
	return depth, requests, ctx.Err()
}

// ready returns the inputs of a run over n artifacts, before which the contender
// forgets what it has kept, or in a row about doing it again has just learned it.
func (w *world) ready(ctx context.Context, e *entrant, r row, n int, host string) (values, error) {
	inputs, err := w.inputs(ctx, e, r, n, host)
	if err != nil {
		return nil, err
	}
	if !r.again {
		return inputs, os.RemoveAll(e.cache())
	}
	if learned := fmt.Sprint(r.id(), n, host); e.learned != learned {
		// Whether that works shows in the run itself.
		_, _ = w.run(ctx, e, e.Commands[r.name], inputs)
		e.learned = learned
	}
	return inputs, ctx.Err()
}

// once runs a contender once for its time.
func (w *world) once(ctx context.Context, e *entrant, r row, to *entry) error {
	if to.Failed != "" {
		return nil
	}
	host := ""
	if r.network() {
		host = w.straight[r.rtt].Host()
		// What it remembers would cost more time with each run.
		w.straight[r.rtt].Reset()
	}
	inputs, err := w.ready(ctx, e, r, to.Artifacts, host)
	if err != nil {
		return err
	}
	before, known := w.around()
	s, err := w.run(ctx, e, e.Commands[r.name], inputs)
	if err != nil {
		to.Failed = err.Error()
		return ctx.Err()
	}
	if after, ok := w.around(); ok && known && r.network() {
		s.Around = after - before
	}
	to.Samples = append(to.Samples, s)
	return ctx.Err()
}

// conclude makes figures of the samples.
func (r *result) conclude(limits []limit) {
	sorted := slices.SortedFunc(slices.Values(limits), func(a, b limit) int { return cmp.Compare(a.time, b.time) })
	middle := sorted[(len(sorted)-1)/2]
	r.Limit, r.Bound = middle.time, middle.says
	var best *entry
	for i := range r.Entries {
		e := &r.Entries[i]
		if e.Failed != "" {
			continue
		}
		e.Wall = median(pick(e.Samples, func(s process.Sample) time.Duration { return s.Wall }))
		e.CPU = median(pick(e.Samples, func(s process.Sample) time.Duration { return s.CPU }))
		e.Peak = median(pick(e.Samples, func(s process.Sample) int64 { return s.Peak }))
		if !e.Floor && (best == nil || e.each(process.Sample{Wall: e.Wall}) < best.each(process.Sample{Wall: best.Wall})) {
			best = e
		}
	}
	for i := range r.Entries {
		if e := &r.Entries[i]; e.Failed == "" {
			e.compare(best, limits, r.Artifacts)
			e.bound(r.RTT)
		}
	}
}

// compare makes the ratios to the best contender, nil if there is none, and to
// the limits, which are of so many artifacts.
func (e *entry) compare(best *entry, limits []limit, artifacts int) {
	var toBest, toLimit []float64
	for n, s := range e.Samples {
		if best != nil && !e.Floor {
			toBest = append(toBest, e.each(s)/best.each(best.Samples[n]))
		}
		toLimit = append(toLimit, e.each(s)/(float64(limits[n].time)/float64(artifacts)))
	}
	e.ToBest, e.ToLimit = median(toBest), median(toLimit)
}

// bound makes the bounds of a contender that has said how many artifacts it has
// under way at a time.
func (e *entry) bound(rtt time.Duration) {
	if e.atOnce == 0 {
		return
	}
	all := pick(e.Samples, func(s process.Sample) bounds.Bounds {
		return bounds.Of(bounds.Run{
			Artifacts: e.Artifacts, Wall: s.Wall, AtOnce: e.atOnce, Trips: e.Trips, RTT: rtt,
			Own: s.CPU, Around: s.Around, Processors: runtime.GOMAXPROCS(0),
		})
	})
	e.Bounds = &bounds.Bounds{
		Rate:        median(pick(all, func(b bounds.Bounds) float64 { return b.Rate })),
		Concurrency: median(pick(all, func(b bounds.Bounds) float64 { return b.Concurrency })),
		CPU:         median(pick(all, func(b bounds.Bounds) float64 { return b.CPU })),
		Share:       median(pick(all, func(b bounds.Bounds) float64 { return b.Share })),
		OwnEach:     median(pick(all, func(b bounds.Bounds) time.Duration { return b.OwnEach })),
		AroundEach:  median(pick(all, func(b bounds.Bounds) time.Duration { return b.AroundEach })),
	}
}

func pick[S, T any](samples []S, f func(S) T) []T {
	picked := make([]T, len(samples))
	for i, s := range samples {
		picked[i] = f(s)
	}
	return picked
}

// median returns the middle value, the lower one of two, and 0 of none.
func median[T cmp.Ordered](values []T) T {
	var zero T
	if len(values) == 0 {
		return zero
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}
