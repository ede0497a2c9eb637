//go:build unix

// Command scale measures how an audit grows: wall time, rate, processor time and
// peak memory of 'notation audit' for more and more artifacts, and the share that
// it reaches of what round trips and processors allow. The registry behind it is
// a handler in this process that makes up images, so that a hundred thousand of
// them take neither disk nor the time to push them. Their signatures, one of its
// own for each, are made before the clock starts and held in memory, some 4 kB
// each. Each answer comes after the round-trip time.
//
//	go -C bench run ./scale -notation ../bin/notation -n 1000,10000,100000 -rtt 20ms
//
// What follows the flags is given to audit as well.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/bench/internal/bounds"
	"github.com/notaryv2/notation/bench/internal/process"
	"github.com/notaryv2/notation/test/toolbox"
)

const (
	// maxArtifacts bounds the artifacts of a run: their signatures are in memory.
	maxArtifacts = 1_000_000
	// trips is how many round trips an artifact takes in a row: a tag, a listing,
	// and a signature.
	trips = 3
)

// config is what the flags say.
type config struct {
	notation    string
	sizes       []int // numbers of artifacts, one for each run
	rtt         time.Duration
	concurrency int
	more        []string // for audit
}

func main() {
	c, err := parseFlags(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = run(ctx, c, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// parseFlags reads the command line.
func parseFlags(args []string, errs io.Writer) (c config, err error) {
	f := flag.NewFlagSet("scale", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&c.notation, "notation", "", "the notation `program` to measure; built where none is named")
	sizes := f.String("n", "1000,10000,100000", "`numbers` of artifacts")
	f.DurationVar(&c.rtt, "rtt", 20*time.Millisecond, "round-trip `time`")
	f.IntVar(&c.concurrency, "concurrency", audit.DefaultConcurrency, "artifacts at a time")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	c.more = f.Args()
	for text := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxArtifacts {
			return c, fmt.Errorf("-n: %q is no number of artifacts from 1 to %d", text, maxArtifacts)
		}
		c.sizes = append(c.sizes, n)
	}
	if c.notation == "" {
		c.notation, err = toolbox.Release()
		return c, err
	}
	c.notation, err = filepath.Abs(c.notation)
	return c, err
}

// run measures each size and prints it as soon as it is done.
func run(ctx context.Context, c config, out io.Writer) error {
	dir, err := os.MkdirTemp("", "notation-scale-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	runner, err := process.Build(ctx, dir, "runner")
	if err != nil {
		return err
	}
	reg, err := newRegistry(ctx, dir, c.rtt, slices.Max(c.sizes))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: reg, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // always an error: that it was closed
	defer server.Close()

	fmt.Fprintf(out, "%s/%s, %d processors, %s; round trip %v, %d artifacts at a time, %d round trips in a row each\n",
		runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), runtime.Version(), c.rtt, c.concurrency, trips)
	fmt.Fprintf(out, "%9s  %9s  %7s  %8s  %8s  %10s  %8s  %13s  %8s  %s\n",
		"artifacts", "wall", "per s", "by trips", "by CPUs", "of smaller", "CPU each", "registry each", "peak MiB", "requests")
	for _, n := range c.sizes {
		reg.resize(n)
		before, err := process.Self()
		if err != nil {
			return err
		}
		s, err := c.audit(ctx, runner, dir, listener.Addr().String())
		if err != nil {
			return err
		}
		after, err := process.Self()
		if err != nil {
			return err
		}
		b := bounds.Of(bounds.Run{
			Artifacts: n, Wall: s.Wall, AtOnce: c.concurrency, Trips: trips, RTT: c.rtt,
			Own: s.CPU, Around: after - before, Processors: runtime.GOMAXPROCS(0),
		})
		fmt.Fprintf(out, "%9d  %9s  %7.0f  %8.0f  %8.0f  %9.0f%%  %8s  %13s  %8.1f  %d\n",
			n, s.Wall.Round(time.Millisecond), b.Rate, b.Concurrency, b.CPU, 100*b.Share,
			bounds.Each(b.OwnEach), bounds.Each(b.AroundEach), float64(s.Peak)/(1<<20), reg.requests.Load())
	}
	return nil
}

// audit runs the program once, without anything that an earlier run has kept.
func (c config) audit(ctx context.Context, runner, dir, host string) (process.Sample, error) {
	cache := filepath.Join(dir, "cache")
	defer os.RemoveAll(cache)
	line := append([]string{c.notation, "audit", "--policy", filepath.Join(dir, "policy.json"),
		"--trust-store", filepath.Join(dir, "stores"), "--concurrency", strconv.Itoa(c.concurrency)}, c.more...)
	return process.Run(ctx, runner, process.Command{
		Line: append(line, host),
		Env:  []string{"HOME=" + dir, "NOTATION_CACHE=" + cache, "TMPDIR=" + dir},
		Dir:  dir,
	})
}
