package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// brief writes a duration with three digits or so.
func brief(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	default:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	}
}

// orDash writes a figure that may be missing.
func orDash[T int | float64](format string, v T) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf(format, v)
}

// print writes one row of the table.
func (r result) print(to io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "\n%s: %s\nlimit %s", r.Row, r.Says, brief(r.Limit))
	many := r.Artifacts > 1
	if many {
		fmt.Fprintf(&text, ", for each artifact %s", brief(r.Limit/time.Duration(r.Artifacts)))
	}
	fmt.Fprintf(&text, " (%s); rounds: %d\n", r.Bound, r.Rounds)
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	if many {
		fmt.Fprint(t, "artifacts\tper s\t")
	}
	fmt.Fprint(t, "wall\tCPU\tpeak MiB\trequests\tdepth\t× best\t× limit\t\n")
	var notes []string
	for _, e := range r.Entries {
		name := e.Contender
		if e.Floor {
			name += " (floor)"
		}
		if e.Failed != "" {
			notes = append(notes, fmt.Sprintf("%s failed: %s\n", name, e.Failed))
			continue
		}
		if many {
			fmt.Fprintf(t, "%d\t%s\t", e.Artifacts, threeDigits(float64(e.Artifacts)/e.Wall.Seconds()))
		}
		fmt.Fprintf(t, "%s\t%s\t%.1f\t%s\t%s\t%s\t%s\t  %s\n", brief(e.Wall), brief(e.CPU), float64(e.Peak)/(1<<20),
			orDash("%d", e.Requests), orDash("%d", e.Depth), orDash("%.2f", e.ToBest), orDash("%.2f", e.ToLimit), name)
		if e.Bounds != nil {
			notes = append(notes, e.note(r.RTT))
		}
	}
	// A builder takes everything.
	_ = t.Flush()
	for _, n := range notes {
		text.WriteString(n)
	}
	_, err := io.WriteString(to, text.String())
	return err
}

// note writes what bounds a contender that has many artifacts under way.
func (e entry) note(rtt time.Duration) string {
	return fmt.Sprintf("%s: %d at a time, round trips in a row: %d of %v; %v\n", e.Contender, e.atOnce, e.Trips, rtt, e.Bounds)
}

// threeDigits writes a rate with three digits or so.
func threeDigits(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// failures returns an error if a contender has failed anywhere.
func failures(results []result) error {
	var all error
	for _, r := range results {
		for _, e := range r.Entries {
			if e.Failed != "" {
				all = errors.Join(all, fmt.Errorf("%s failed at %s", e.Contender, r.Row))
			}
		}
	}
	return all
}
