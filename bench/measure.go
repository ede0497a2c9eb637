package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// result is what was measured in a row.
type result struct {
	Row    string        `json:"row"`
	Says   string        `json:"says"`
	RTT    time.Duration `json:"rtt"` // nanoseconds, as all durations here
	Rounds int           `json:"rounds"`
	Limit  time.Duration `json:"limit"` // median
	Bound  string        `json:"bound"` // what the limit is, in words

	Entries []entry `json:"entries"`
}

// entry is what one contender needed. Times and memory are medians over the
// rounds, ratios are medians of the ratios within each round.
type entry struct {
	Contender string        `json:"contender"`
	Floor     bool          `json:"floor"`
	Wall      time.Duration `json:"wall"`
	CPU       time.Duration `json:"cpu"`
	Peak      int64         `json:"peak"` // bytes
	Requests  int           `json:"requests"`
	Depth     int           `json:"depth"`
	ToBest    float64       `json:"toBest"` // 0: it is a floor
	ToLimit   float64       `json:"toLimit"`
	Failed    string        `json:"failed,omitempty"`
	// Samples are the rounds, in order.
	Samples []sample `json:"samples"`
}

// measure measures one row: each contender once by the proxy that counts, which
// warms it up as well, then in rounds, one contender after the other and in
// another order each time, so that a change of the machine's speed meets all.
func (w *world) measure(ctx context.Context, r row) (result, error) {
	res := result{Row: r.id(), Says: r.title(w.config), RTT: r.rtt}
	var entrants []*entrant
	for _, e := range w.entrants {
		if e.Commands[r.name] != nil {
			entrants = append(entrants, e)
			res.Entries = append(res.Entries, entry{Contender: e.Name, Floor: e.Floor})
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

// count runs a contender once and counts its requests and round trips. One that
// fails, here or later, takes no further part in the row.
func (w *world) count(ctx context.Context, e *entrant, r row, to *entry) error {
	host := ""
	if r.network() {
		host = w.waves.Host()
	}
	inputs, err := w.ready(ctx, e, r, host)
	if err != nil {
		return err
	}
	w.waves.Reset()
	if _, err = w.run(ctx, e, e.Commands[r.name], inputs); err != nil {
		to.Failed = err.Error()
	}
	if r.network() {
		to.Requests, to.Depth = len(w.waves.Exchanges()), w.waves.Depth()
	}
	return ctx.Err()
}

// ready returns the inputs of a run, before which the contender forgets what it
// has kept, or in a row about doing it again has just learned it.
func (w *world) ready(ctx context.Context, e *entrant, r row, host string) (values, error) {
	inputs, err := w.inputs(ctx, e, r, host)
	if err != nil {
		return nil, err
	}
	if !r.again {
		return inputs, os.RemoveAll(e.cache())
	}
	if e.learned != r.id()+host {
		// Whether that works shows in the run itself.
		_, _ = w.run(ctx, e, e.Commands[r.name], inputs)
		e.learned = r.id() + host
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
	}
	inputs, err := w.ready(ctx, e, r, host)
	if err != nil {
		return err
	}
	s, err := w.run(ctx, e, e.Commands[r.name], inputs)
	if err != nil {
		to.Failed = err.Error()
	} else {
		to.Samples = append(to.Samples, s)
	}
	return ctx.Err()
}

// conclude makes figures of the samples.
func (r *result) conclude(limits []limit) {
	sorted := slices.SortedFunc(slices.Values(limits), func(a, b limit) int { return cmp.Compare(a.time, b.time) })
	middle := sorted[(len(sorted)-1)/2]
	r.Limit, r.Bound = middle.time, middle.says
	best := -1
	for i := range r.Entries {
		e := &r.Entries[i]
		if e.Failed != "" {
			continue
		}
		e.Wall = median(pick(e.Samples, func(s sample) time.Duration { return s.Wall }))
		e.CPU = median(pick(e.Samples, func(s sample) time.Duration { return s.CPU }))
		e.Peak = median(pick(e.Samples, func(s sample) int64 { return s.Peak }))
		if !e.Floor && (best < 0 || e.Wall < r.Entries[best].Wall) {
			best = i
		}
	}
	for i := range r.Entries {
		e := &r.Entries[i]
		if e.Failed != "" {
			continue
		}
		var toBest, toLimit []float64
		for n, s := range e.Samples {
			if best >= 0 && !e.Floor {
				toBest = append(toBest, float64(s.Wall)/float64(r.Entries[best].Samples[n].Wall))
			}
			toLimit = append(toLimit, float64(s.Wall)/float64(limits[n].time))
		}
		e.ToBest, e.ToLimit = median(toBest), median(toLimit)
	}
}

func pick[T any](samples []sample, f func(sample) T) []T {
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
