// Command copybench measures how long notation takes to copy an image from one
// registry to another on the loopback interface, and how much memory, against
// crane and oras. In each round all of them copy the same image in turn, each to
// a registry that is new and empty, and another one begins: a change of the
// machine's speed meets all. The figure to quote is the median of the rounds'
// ratios to the faster of the others. Memory is what the kernel says was resident
// at most; it is never less than what this program itself has, some 12 MiB. It
// judges nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Limits of the project on itself, which are printed beside the figures.
const (
	limitRatio  = 1.15
	limitMemory = 64 // MiB
)

const (
	mib         = 1 << 20
	runTimeout  = 10 * time.Minute
	maxRounds   = 100
	maxSize     = 16 << 10 // MiB
	maxLayers   = 64
	sharedSpace = "/dev/shm" // a file system in memory, if there is one
)

// settings are the flags.
type settings struct {
	program string
	kinds   string
	size    int // MiB
	layers  int
	rounds  int
	dir     string
}

func main() {
	var s settings
	flag.StringVar(&s.program, "notation", "", "the notation `program` to measure")
	flag.StringVar(&s.kinds, "kinds", "distribution-v3,ggcr", "`kinds` of registry, with commas between them")
	flag.IntVar(&s.size, "size", 1024, "size of the image in `MiB`")
	flag.IntVar(&s.layers, "layers", 8, "`number` of its layers, of one size and random content")
	flag.IntVar(&s.rounds, "rounds", 5, "`rounds` that count; one before them does not")
	flag.StringVar(&s.dir, "dir", "", "`directory` that the registries keep their content in (default "+sharedSpace+" if it is there)")
	flag.Parse()
	do := func() error { return measure(os.Stdout, s) }
	if kind := os.Getenv(serveVariable); kind != "" {
		do = func() error { return serve(kind) }
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "copybench:", err)
		os.Exit(1)
	}
}

// measure measures with each kind of registry.
func measure(w io.Writer, s settings) (err error) {
	if s.program == "" {
		return errors.New("name the program with -notation")
	}
	if s.program, err = filepath.Abs(s.program); err != nil {
		return err
	}
	if s.size < 1 || s.size > maxSize || s.layers < 1 || s.layers > maxLayers || s.rounds < 1 || s.rounds > maxRounds {
		return fmt.Errorf("size 1 to %d, layers 1 to %d, rounds 1 to %d", maxSize, maxLayers, maxRounds)
	}
	if _, statErr := os.Stat(sharedSpace); s.dir == "" && statErr == nil {
		s.dir = sharedSpace
	}
	dir, err := os.MkdirTemp(s.dir, "copybench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// The registries and the programs put everything below it.
	if err := os.Setenv("TMPDIR", dir); err != nil {
		return err
	}
	contenders, err := find(s.program, dir)
	if err != nil {
		return err
	}
	for kind := range strings.SplitSeq(s.kinds, ",") {
		if err := measureKind(w, s, kind, contenders); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// measureKind measures between two registries of one kind.
func measureKind(w io.Writer, s settings, kind string, contenders []contender) (err error) {
	if _, err := kindOf(kind); err != nil {
		return err
	}
	ctx := context.Background()
	src, err := startServer(ctx, kind)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.close()) }()
	digest, err := pushImage(ctx, src.host+"/"+repository, s.size*mib/s.layers, s.layers)
	if err != nil {
		return err
	}
	runs := make([][]run, len(contenders)) // of each contender, by round
	for round := range s.rounds + 1 {
		for i := range contenders {
			n := (i + round) % len(contenders)
			r, err := measureRun(ctx, kind, contenders[n], src.host+"/"+repository, digest)
			if err != nil {
				return err
			}
			if round > 0 {
				runs[n] = append(runs[n], r)
			}
		}
	}
	fmt.Fprintf(w, "%s to %s, %d MiB in %d layers, %d rounds\n", kind, kind, s.size, s.layers, s.rounds)
	report(w, contenders, runs)
	return nil
}

// measureRun has one contender copy the image to a registry of its own.
func measureRun(ctx context.Context, kind string, c contender, source, digest string) (_ run, err error) {
	dst, err := startServer(ctx, kind)
	if err != nil {
		return run{}, err
	}
	defer func() { err = errors.Join(err, dst.close()) }()
	target := dst.host + "/" + repository
	r, err := c.copy(ctx, source, target)
	if err != nil {
		return r, err
	}
	return r, checkArrived(ctx, target, digest)
}

// report prints what was measured. The first contender is ours.
func report(w io.Writer, contenders []contender, runs [][]run) {
	fmt.Fprintf(w, "  %-10s %9s %9s %9s %9s %9s\n", "", "min", "median", "max", "CPU", "peak")
	medians := make([]time.Duration, len(runs))
	for i, c := range contenders {
		wall := sorted(runs[i], func(r run) time.Duration { return r.wall })
		medians[i] = wall[len(wall)/2]
		cpu := sorted(runs[i], func(r run) time.Duration { return r.cpu })
		fmt.Fprintf(w, "  %-10s %9s %9s %9s %9s %5.1f MiB\n", c.name, seconds(wall[0]), seconds(medians[i]), seconds(wall[len(wall)-1]),
			seconds(cpu[len(cpu)/2]), float64(peak(runs[i]))/mib)
	}
	fastest := 1
	for i := range runs {
		if i > 0 && medians[i] < medians[fastest] {
			fastest = i
		}
	}
	var ratios []float64
	for i := range runs[0] {
		ratios = append(ratios, float64(runs[0][i].wall)/float64(runs[fastest][i].wall))
	}
	slices.Sort(ratios)
	fmt.Fprintf(w, "  %s takes %.2f times as long as %s (%.2f to %.2f; limit %.2f), with %.1f MiB at most (limit %d)\n",
		contenders[0].name, ratios[len(ratios)/2], contenders[fastest].name, ratios[0], ratios[len(ratios)-1], limitRatio,
		float64(peak(runs[0]))/mib, limitMemory)
}

func sorted(runs []run, of func(run) time.Duration) []time.Duration {
	var all []time.Duration
	for _, r := range runs {
		all = append(all, of(r))
	}
	slices.Sort(all)
	return all
}

func peak(runs []run) int64 {
	most := int64(0)
	for _, r := range runs {
		most = max(most, r.memory)
	}
	return most
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }
