//go:build unix

// Command scale measures how an audit grows: wall time, rate, processor time and
// peak memory of 'notation audit' for more and more artifacts. The registry
// behind it is a handler that makes images and their signatures when they are
// asked for, so that a hundred thousand of them take neither disk nor the time
// to push them. Each answer comes after the round-trip time.
//
//	go -C bench run ./scale -notation ../bin/notation -n 1000,10000,100000 -rtt 20ms
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	program := flag.String("notation", "", "the program to measure")
	sizes := flag.String("n", "1000,10000,100000", "numbers of artifacts")
	rtt := flag.Duration("rtt", 20*time.Millisecond, "round-trip time")
	concurrency := flag.Int("concurrency", 64, "artifacts at a time")
	flag.Parse()
	if err := run(*program, *sizes, *rtt, *concurrency); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(program, sizes string, rtt time.Duration, concurrency int) error {
	dir, err := os.MkdirTemp("", "notation-scale-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	runner := filepath.Join(dir, "runner")
	if out, err := exec.Command("go", "build", "-o", runner, "./runner").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	reg, err := newRegistry(dir, rtt)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: reg, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()

	fmt.Printf("%9s  %9s  %11s  %10s  %9s  %9s  %s\n", "artifacts", "wall", "artifacts/s", "of bound", "CPU", "peak MiB", "requests")
	for text := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is no number of artifacts", text)
		}
		reg.resize(n)
		u, err := audit(runner, program, dir, listener.Addr().String(), concurrency)
		if err != nil {
			return err
		}
		// A tag, a listing and a signature wait for one another.
		bound := float64(concurrency) / (3 * rtt.Seconds())
		rate := float64(n) / u.wall.Seconds()
		fmt.Printf("%9d  %9s  %11.0f  %9.0f%%  %9s  %9.1f  %d\n", n, u.wall.Round(time.Millisecond), rate, 100*rate/bound,
			u.cpu.Round(time.Millisecond), float64(u.peak)/(1<<20), reg.requests.Load())
	}
	return nil
}

// usage is what a run has used.
type usage struct {
	wall, cpu time.Duration
	peak      int64 // bytes
}

// audit runs the program once, without anything that an earlier run has kept.
func audit(runner, program, dir, host string, concurrency int) (usage, error) {
	reports, report, err := os.Pipe()
	if err != nil {
		return usage{}, err
	}
	defer reports.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	cmd := exec.CommandContext(ctx, runner, program, "audit", "--policy", filepath.Join(dir, "policy.json"),
		"--trust-store", filepath.Join(dir, "stores"), "--concurrency", strconv.Itoa(concurrency), host)
	cmd.Env = []string{"HOME=" + dir, "NOTATION_CACHE=" + filepath.Join(dir, "cache"), "TMPDIR=" + dir}
	cmd.ExtraFiles = []*os.File{report}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	defer os.RemoveAll(filepath.Join(dir, "cache"))
	err = cmd.Run()
	_ = report.Close()
	if err != nil {
		return usage{}, fmt.Errorf("%w: %s", err, out.Bytes())
	}
	var wall, cpu, peak int64
	var code int
	if _, err := fmt.Fscan(reports, &wall, &cpu, &peak, &code); err != nil {
		return usage{}, err
	}
	if code != 0 {
		return usage{}, fmt.Errorf("exit code %d: %s", code, out.Bytes())
	}
	return usage{time.Duration(wall), time.Duration(cpu), peak}, nil
}
