//go:build unix

package main

import (
	"bytes"
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

// A sample is what one run has used.
type sample struct {
	Wall time.Duration `json:"wall"`
	CPU  time.Duration `json:"cpu"`
	Peak int64         `json:"peak"` // bytes, of the largest process
}

// command is a command line with its surroundings.
type command struct {
	line []string
	env  []string
	dir  string
}

// run runs a command by the program runner, in a group of processes that ends
// as a whole. An exit code other than 0 is an error, with what was printed.
func run(ctx context.Context, runner string, c command) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	reader, writer, err := os.Pipe()
	if err != nil {
		return sample{}, err
	}
	defer reader.Close()
	var out head
	cmd := exec.CommandContext(ctx, runner, c.line...)
	cmd.Env, cmd.Dir = c.env, c.dir
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.ExtraFiles = []*os.File{writer}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err = cmd.Start()
	_ = writer.Close() // the child has its own
	if err != nil {
		return sample{}, err
	}
	// The pipe has room for the report, and ends with the process.
	waitErr := cmd.Wait()
	report, err := io.ReadAll(io.LimitReader(reader, 1<<10))
	if waitErr != nil || err != nil {
		return sample{}, fmt.Errorf("%q: %w\n%s", c.line, firstError(context.Cause(ctx), waitErr, err), out.text)
	}
	var wall, cpu, peak, code int64
	if _, err := fmt.Fscan(bytes.NewReader(report), &wall, &cpu, &peak, &code); err != nil {
		return sample{}, fmt.Errorf("%q: no report: %w", c.line, err)
	}
	if code != 0 {
		return sample{}, fmt.Errorf("%q: exit code %d\n%s", c.line, code, out.text)
	}
	return sample{time.Duration(wall), time.Duration(cpu), peak}, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// head keeps the first bytes of an output.
type head struct{ text []byte }

// Write never fails; what is over the bound is dropped.
func (h *head) Write(p []byte) (int, error) {
	h.text = append(h.text, p[:min(len(p), maxOutput-len(h.text))]...)
	return len(p), nil
}

// goBuild builds a program of this module into dir and returns its path.
func goBuild(ctx context.Context, dir, name string) (string, error) {
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
