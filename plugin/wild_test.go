//go:build unix

package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/notaryv2/notation/reason"
)

// playWild is a plugin that does not behave. It says on a FIFO that it has
// begun and keeps that open, as do its children, so that the test sees when the
// last of them is gone.
func playWild(role string) int {
	fifo := os.NewFile(3, "fifo") // a child's, from its parent
	if role != "child" {
		var err error
		if fifo, err = os.OpenFile(os.Getenv("EXAMPLE_FIFO"), os.O_WRONLY, 0); err != nil {
			return 96
		}
	}
	switch role {
	case "ignore":
		signal.Ignore(syscall.SIGTERM)
	case "orphan", "orphan-answer", "fork":
		signal.Ignore(syscall.SIGTERM) // inherited
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), roleVariable+"=child")
		child.Stdout, child.Stderr, child.ExtraFiles = os.Stdout, os.Stderr, []*os.File{fifo}
		if child.Start() != nil {
			return 95
		}
	}
	fmt.Fprintln(fifo, "ready")
	switch role {
	case "orphan":
		return 0
	case "orphan-answer":
		fmt.Println(os.Getenv("EXAMPLE_METADATA"))
		return 0
	case "flood-stdout":
		return flood(os.Stdout)
	case "flood-stderr":
		return flood(os.Stderr)
	}
	defer fifo.Close()
	_, _ = io.Copy(io.Discard, os.Stdin) // the request ends: standard input is closed after it
	never, end, err := os.Pipe()
	if err != nil {
		return 94
	}
	defer end.Close()
	_, _ = never.Read(make([]byte, 1))
	return 0
}

func flood(to io.Writer) int {
	data := bytes.Repeat([]byte("a"), 1<<20)
	for range 1 << 10 {
		if _, err := to.Write(data); err != nil {
			return 1
		}
	}
	return 0
}

// wild returns a host whose plugin plays a wild role, and a channel that tells
// when it has begun and, being closed, when no process of it is left.
func wild(t *testing.T, role string, env ...string) (*Host, <-chan string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	events := make(chan string, 1)
	go func() {
		defer close(events)
		fifo, err := os.Open(path)
		if err != nil {
			events <- err.Error()
			return
		}
		defer fifo.Close()
		line := make([]byte, len("ready\n"))
		if _, err := io.ReadFull(fifo, line); err != nil {
			events <- err.Error()
			return
		}
		events <- string(line)
		_, _ = io.Copy(io.Discard, fifo)
	}()
	h := newHost(t, role, append(env, "EXAMPLE_FIFO="+path)...)
	h.grace = 20 * time.Millisecond
	return h, events
}

// attack: PLG-03
func TestWildPlugins(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		role   string
		ending error // of the context, once the plugin has begun; nil: it ends by itself
		code   reason.Code
	}{
		{"hang", context.Canceled, reason.PluginInterrupted},
		{"ignore", context.Canceled, reason.PluginInterrupted},
		{"fork", context.Canceled, reason.PluginInterrupted},
		{"hang", context.DeadlineExceeded, reason.PluginTimeout},
		{"ignore", context.DeadlineExceeded, reason.PluginTimeout},
		{"orphan", nil, reason.PluginOutput},
		{"orphan-answer", nil, reason.PluginOutput},
		{"flood-stdout", nil, reason.PluginOutput},
		{"flood-stderr", nil, reason.PluginOutput},
	} {
		t.Run(tt.role+" "+fmt.Sprint(tt.ending), func(t *testing.T) {
			t.Parallel()
			h, events := wild(t, tt.role, "EXAMPLE_METADATA="+toJSON(t, goodMetadata("test", CapabilityRaw)))
			ctx := &endable{Context: t.Context(), done: make(chan struct{}), cause: tt.ending}
			began := make(chan string, 1)
			go func() {
				began <- <-events
				if tt.ending != nil {
					close(ctx.done)
				}
			}()
			_, err := h.Get(ctx, "test")
			refuses(t, err, tt.code)
			if tt.ending != nil && !errors.Is(err, tt.ending) {
				t.Errorf("%v is not %v", err, tt.ending)
			}
			if s := <-began; s != "ready\n" {
				t.Errorf("the plugin began with %q", s)
			}
			for range events { // until the last process is gone
			}
		})
	}
}

// endable is a context that a test ends for the reason it likes.
type endable struct {
	context.Context
	done  chan struct{}
	cause error
}

func (c *endable) Done() <-chan struct{} { return c.done }

func (c *endable) Err() error {
	select {
	case <-c.done:
		return c.cause
	default:
		return nil
	}
}

func TestContextEndedBefore(t *testing.T) {
	t.Parallel()
	h := newHost(t, "answer")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := h.Get(ctx, "test")
	refuses(t, err, reason.PluginInterrupted)
	_, err = h.List(ctx)
	refuses(t, err, reason.PluginInterrupted)
	_, err = h.Install(ctx, FromFile(self, ""), InstallOptions{})
	refuses(t, err, reason.PluginLock)
}

// A program that is open for writing cannot be started on most systems.
func TestBusyProgram(t *testing.T) {
	t.Parallel()
	h := NewHost(newDir(t))
	h.Env = append(os.Environ(), roleVariable+"=answer")
	mkdir(t, filepath.Join(h.Dir, "busy"))
	path := filepath.Join(h.Dir, "busy", fileName("busy"))
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Chmod(0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("#!/bin/sh\n"); err != nil {
		t.Fatal(err)
	}
	_, err = h.Get(t.Context(), "busy")
	if code := reason.Of(err); code != reason.PluginStart && code != reason.PluginAnswer { // where it can be
		t.Errorf("%v", err)
	}
	ctx := &endable{Context: t.Context(), done: make(chan struct{}), cause: context.Canceled}
	time.AfterFunc(0, func() { close(ctx.done) })
	if _, err = h.Get(ctx, "busy"); err == nil {
		t.Error("no error")
	}
}

// attack: PLG-01
func TestUnsafePrograms(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, h *Host, dir, program string){
		"symbolic link": func(t *testing.T, h *Host, dir, program string) {
			must(t, os.Remove(program))
			must(t, os.Symlink(self, program))
		},
		"linked directory": func(t *testing.T, h *Host, dir, program string) {
			elsewhere := filepath.Join(t.TempDir(), "elsewhere")
			must(t, os.Rename(dir, elsewhere))
			must(t, os.Symlink(elsewhere, dir))
		},
		"directory": func(t *testing.T, h *Host, dir, program string) {
			must(t, os.Remove(program))
			must(t, os.Mkdir(program, 0o755))
		},
		"FIFO": func(t *testing.T, h *Host, dir, program string) {
			must(t, os.Remove(program))
			must(t, syscall.Mkfifo(program, 0o700))
		},
		"file for directory": func(t *testing.T, h *Host, dir, program string) {
			must(t, os.RemoveAll(dir))
			must(t, os.WriteFile(dir, nil, 0o755))
		},
		"not executable":           script(0o644),
		"group may write":          script(0o775),
		"all may write":            script(0o757),
		"setuid":                   script(0o755 | os.ModeSetuid),
		"setgid":                   script(0o755 | os.ModeSetgid),
		"directory open to others": func(t *testing.T, h *Host, dir, _ string) { must(t, os.Chmod(dir, 0o777)) },
		"plugins open to others":   func(t *testing.T, h *Host, _, _ string) { must(t, os.Chmod(h.Dir, 0o777)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := answering(t, map[Command]said{})
			spoil(t, h, filepath.Join(h.Dir, "test"), filepath.Join(h.Dir, "test", fileName("test")))
			_, err := h.Get(t.Context(), "test")
			refuses(t, err, reason.PluginUnsafe)
		})
	}
}

// script puts a file with a mode of its own in place of the test program.
func script(mode os.FileMode) func(t *testing.T, h *Host, dir, program string) {
	return func(t *testing.T, _ *Host, _, program string) {
		must(t, os.Remove(program))
		must(t, os.WriteFile(program, []byte("#!/bin/sh\necho no\n"), 0o600))
		must(t, os.Chmod(program, mode))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// attack: PLG-01
func TestOwner(t *testing.T) {
	t.Parallel()
	h := answering(t, map[Command]said{})
	program := filepath.Join(h.Dir, "test", fileName("test"))
	for _, tt := range []struct {
		uid  int
		good bool
	}{{0, true}, {os.Geteuid(), true}, {os.Geteuid() + 1, false}} {
		stat := func(path string) (os.FileInfo, error) {
			info, err := os.Lstat(path)
			if err != nil {
				return nil, err
			}
			sys := *info.Sys().(*syscall.Stat_t)
			sys.Uid = uint32(tt.uid)
			return owned{info, &sys}, nil
		}
		err := checkPath(program, stat, os.FileMode.IsRegular, "regular file")
		if tt.good && err != nil {
			t.Errorf("user %d: %v", tt.uid, err)
		} else if !tt.good {
			refuses(t, err, reason.PluginUnsafe)
		}
	}
	err := checkPath(program, func(string) (os.FileInfo, error) { return nil, io.ErrClosedPipe }, os.FileMode.IsRegular, "regular file")
	refuses(t, err, reason.PluginUnsafe)
}

type owned struct {
	os.FileInfo
	sys *syscall.Stat_t
}

func (o owned) Sys() any { return o.sys }
