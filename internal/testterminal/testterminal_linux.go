// Package testterminal has pseudoterminals, for tests of what asks a person.
package testterminal

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Terminal is the far end of a pseudoterminal, where the person sits.
type Terminal struct {
	*os.File
	near *os.File
	seen bytes.Buffer
}

// New opens a pseudoterminal. Where there are none, the test is skipped, but not
// in CI.
func New(t *testing.T) *Terminal {
	t.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("not run: there are no pseudoterminals: %v", err)
	}
	t.Cleanup(func() { far.Close() })
	if err := unix.IoctlSetPointerInt(int(far.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(far.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	near, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	return &Terminal{File: far, near: near}
}

// Wait reads until a text has been shown, and forgets what came before its end.
func (x *Terminal) Wait(t *testing.T, text string) {
	t.Helper()
	buffer := make([]byte, 4096)
	for {
		if _, after, ok := strings.Cut(x.seen.String(), text); ok {
			x.seen.Reset()
			x.seen.WriteString(after)
			return
		}
		n := 0
		err := x.await()
		if err == nil {
			n, err = x.Read(buffer)
		}
		if err != nil {
			t.Fatalf("%q was not shown but %q: %v", text, x.seen.String(), err)
		}
		x.seen.Write(buffer[:n])
	}
}

// await waits until there is something to read, for a minute at most.
func (x *Terminal) await() error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(x.Fd()), Events: unix.POLLIN}}, 60_000)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n == 0:
			return errors.New("nothing came for a minute")
		default:
			return nil
		}
	}
}

// Shown returns what Wait has read beyond what it waited for.
func (x *Terminal) Shown() string { return x.seen.String() }

// Start runs a program whose controlling terminal is this one, in the
// foreground.
func (x *Terminal) Start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = x.near, x.near, x.near
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
}

// EchoOff waits until the terminal shows no input: the prompt comes first.
func (x *Terminal) EchoOff(t *testing.T) {
	t.Helper()
	for x.Echo(t) {
		if t.Context().Err() != nil {
			t.Fatal("the terminal goes on showing input")
		}
	}
}

// Echo reports whether the terminal shows input.
func (x *Terminal) Echo(t *testing.T) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(x.near.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}
