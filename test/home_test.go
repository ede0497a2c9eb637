package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// programTimeout ends a program that hangs.
const programTimeout = 5 * time.Minute

// home is a home directory with a default key, whose certificate is trusted.
type home struct {
	dir string
	env []string
}

func newHome(t *testing.T) *home {
	t.Helper()
	h := &home{dir: t.TempDir()}
	h.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "TMPDIR=" + t.TempDir(), "LANG=C.UTF-8", "GORACE=atexit_sleep_ms=10",
	}
	h.run(t, "notation", "cert", "generate-test", "--default", "--algorithm", "ec-256", "wabbit-networks.io")
	h.run(t, "notation", "cert", "add", "--name", "wabbit-networks.io", filepath.Join(h.dir, ".config/notation/certificate/wabbit-networks.io.crt"))
	return h
}

// run runs a program, which must succeed, and returns what it printed on
// standard output.
func (h *home) run(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	out, err := h.try(t.Context(), program, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// runJSON runs a program, which must succeed and print a JSON document.
func (h *home) runJSON(t *testing.T, to any, program string, args ...string) {
	t.Helper()
	out := h.run(t, program, args...)
	if err := json.Unmarshal(out, to); err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
}

// try runs a program. The error holds what it printed.
func (h *home) try(ctx context.Context, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, programTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = h.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(program), strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return out, nil
}
