//go:build unix

// Package process runs the command lines that are measured, and tells how much
// processor time they and others have used.
package process

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/notaryv2/notation/test/toolbox"
)

const (
	// commandTimeout ends one command that hangs, and buildTimeout one build.
	commandTimeout = 30 * time.Minute
	buildTimeout   = 10 * time.Minute
	// maxOutput is how much, in bytes, is kept of what a command prints, and
	// maxReport bounds what the runner reports.
	maxOutput = 2 << 10
	maxReport = 1 << 10
)

// A Sample is what one run has used.
type Sample struct {
	Wall time.Duration `json:"wall"` // nanoseconds, as all durations here
	CPU  time.Duration `json:"cpu"`
	Peak int64         `json:"peak"` // bytes, of the largest process
	// Around is the processor time that others used meanwhile for the sake of the
	// run: the registry, and the proxy before it. 0: it is not known.
	Around time.Duration `json:"around,omitempty"`
}

// A Command is a command line with its surroundings.
type Command struct {
	Line []string
	Env  []string // all of it
	Dir  string
}

// Run runs a command by the program runner, in a group of processes that ends as
// a whole. An exit code other than 0 is an error, with the beginning of what was
// printed.
func Run(ctx context.Context, runner string, c Command) (Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	reader, writer, err := os.Pipe()
	if err != nil {
		return Sample{}, err
	}
	defer reader.Close()
	var out head
	cmd := exec.CommandContext(ctx, runner, c.Line...)
	cmd.Env, cmd.Dir = c.Env, c.Dir
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.ExtraFiles = []*os.File{writer}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err = cmd.Start()
	_ = writer.Close() // the child has its own
	if err != nil {
		return Sample{}, err
	}
	// The pipe has room for the report, and ends with the process.
	waitErr := cmd.Wait()
	report, err := io.ReadAll(io.LimitReader(reader, maxReport))
	if waitErr != nil || err != nil {
		return Sample{}, fmt.Errorf("%q: %w\n%s", c.Line, cmp.Or(context.Cause(ctx), waitErr, err), out.text)
	}
	var wall, cpu, peak, code int64
	if _, err := fmt.Fscan(bytes.NewReader(report), &wall, &cpu, &peak, &code); err != nil {
		return Sample{}, fmt.Errorf("%q: no report: %w", c.Line, err)
	}
	if code != 0 {
		return Sample{}, fmt.Errorf("%q: exit code %d\n%s", c.Line, code, out.text)
	}
	return Sample{Wall: time.Duration(wall), CPU: time.Duration(cpu), Peak: peak}, nil
}

// head keeps the first bytes of an output.
type head struct{ text []byte }

// Write never fails; what is over the bound is dropped.
func (h *head) Write(p []byte) (int, error) {
	h.text = append(h.text, p[:min(len(p), maxOutput-len(h.text))]...)
	return len(p), nil
}

// Build builds a program of the benchmark's module into dir and returns its
// path.
func Build(ctx context.Context, dir, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	path := filepath.Join(dir, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, "./"+name)
	cmd.Dir = filepath.Join(toolbox.Root(), "bench")
	cmd.Env = append(os.Environ(), "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", name, err, out)
	}
	return path, nil
}
