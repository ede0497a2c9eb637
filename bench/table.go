package main

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
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
	fmt.Fprintf(&text, "\n%s: %s", r.Row, r.Says)
	fmt.Fprintf(&text, "\nlimit %s (%s); rounds: %d\n", brief(r.Limit), r.Bound, r.Rounds)
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "wall\tCPU\tpeak MiB\trequests\tdepth\t× best\t× limit\t\n")
	var failures []string
	for _, e := range r.Entries {
		name := e.Contender
		if e.Floor {
			name += " (floor)"
		}
		if e.Failed != "" {
			failures = append(failures, fmt.Sprintf("%s failed: %s\n", name, e.Failed))
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%.1f\t%s\t%s\t%s\t%s\t  %s\n", brief(e.Wall), brief(e.CPU), float64(e.Peak)/(1<<20),
			orDash("%d", e.Requests), orDash("%d", e.Depth), orDash("%.2f", e.ToBest), orDash("%.2f", e.ToLimit), name)
	}
	// A builder takes everything.
	_ = t.Flush()
	for _, f := range failures {
		text.WriteString(f)
	}
	_, err := io.WriteString(to, text.String())
	return err
}

// A weight is what a contender's program weighs.
type weight struct {
	Program      string `json:"program"`
	Bytes        int64  `json:"bytes"`
	Dependencies int    `json:"dependencies"` // modules beside its own
	Go           string `json:"go"`           // version that it was built with; "": it is no Go program
}

// weights weighs each program once.
func (w *world) weights() ([]weight, error) {
	var all []weight
	seen := map[string]bool{}
	for _, e := range w.entrants {
		if seen[e.path] {
			continue
		}
		seen[e.path] = true
		info, err := os.Stat(e.path)
		if err != nil {
			return nil, err
		}
		one := weight{Program: e.Program, Bytes: info.Size()}
		// Nothing but a Go program has that information.
		if b, err := buildinfo.ReadFile(e.path); err == nil {
			one.Go, one.Dependencies = b.GoVersion, len(b.Deps)
		}
		all = append(all, one)
	}
	return all, nil
}

func printWeights(to io.Writer, all []weight) error {
	fmt.Fprint(to, "\nweight: what the programs weigh\n")
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "MB\tmodules\t\n")
	for _, one := range all {
		modules := "-"
		if one.Go != "" {
			modules = fmt.Sprint(one.Dependencies)
		}
		fmt.Fprintf(t, "%.1f\t%s\t  %s\n", float64(one.Bytes)/1e6, modules, one.Program)
	}
	return t.Flush()
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
