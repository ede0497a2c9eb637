// Command startup measures how long the program takes to start, against a Go
// program that prints one line, and how large it is. The two run in turn, so
// that a change of the machine's speed meets both; the figures to quote are the
// median and the median of the differences. It judges nothing.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

const (
	warmUp         = 5
	commandTimeout = time.Minute
	buildTimeout   = 10 * time.Minute
)

// hello is what a Go program costs at least.
const hello = `package main

import "fmt"

func main() { fmt.Println("hello, world") }
`

func main() {
	program := flag.String("notation", "", "the notation `program` to measure")
	runs := flag.Int("n", 40, "`runs` of each program, at most 1000")
	flag.Parse()
	if err := measure(os.Stdout, *program, min(max(*runs, 1), 1000)); err != nil {
		fmt.Fprintln(os.Stderr, "startup:", err)
		os.Exit(1)
	}
}

func measure(w io.Writer, program string, runs int) (err error) {
	if program == "" {
		return errors.New("name the program with -notation")
	}
	program, err = filepath.Abs(program)
	if err != nil {
		return err
	}
	info, err := os.Stat(program)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "startup-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	base, err := buildHello(dir)
	if err != nil {
		return err
	}
	var ours, theirs, differences []time.Duration
	for i := range warmUp + runs {
		a, err := start(dir, program, "version")
		if err != nil {
			return err
		}
		b, err := start(dir, base)
		if err != nil {
			return err
		}
		if i >= warmUp {
			ours, theirs, differences = append(ours, a), append(theirs, b), append(differences, a-b)
		}
	}
	fmt.Fprintf(w, "%-22s %10s %10s %10s\n", "start-up", "min", "median", "max")
	for _, r := range []struct {
		name  string
		times []time.Duration
	}{{"notation version", ours}, {"hello, world", theirs}, {"difference, in pairs", differences}} {
		slices.Sort(r.times)
		fmt.Fprintf(w, "%-22s %10s %10s %10s\n", r.name, ms(r.times[0]), ms(r.times[len(r.times)/2]), ms(r.times[len(r.times)-1]))
	}
	fmt.Fprintf(w, "size %.1f MB (%d bytes)\n", float64(info.Size())/1e6, info.Size())
	return nil
}

// buildHello builds the program to compare with, as ours is built.
func buildHello(dir string) (string, error) {
	source := filepath.Join(dir, "hello.go")
	if err := os.WriteFile(source, []byte(hello), 0o600); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	target := filepath.Join(dir, "hello")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", target, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build hello: %w\n%s", err, out)
	}
	return target, nil
}

// start runs a program in an empty home directory and returns how long that
// took, from before it is started until it has ended.
func start(home, program string, args ...string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = []string{"HOME=" + home}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", program, err, out.Bytes())
	}
	return took, nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond)) }
