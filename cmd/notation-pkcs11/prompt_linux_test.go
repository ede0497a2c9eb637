package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/pin"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/softhsm"
	"github.com/notaryv2/notation/internal/testpki"
)

// terminal is the far end of a pseudoterminal, where the person sits.
type terminal struct {
	*os.File
	near *os.File
	seen bytes.Buffer
}

func newTerminal(t *testing.T) *terminal {
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
	return &terminal{File: far, near: near}
}

// wait reads until a text has been shown, and forgets what came before its end.
func (x *terminal) wait(t *testing.T, text string) {
	t.Helper()
	buffer := make([]byte, 4096)
	for {
		if _, after, ok := strings.Cut(x.seen.String(), text); ok {
			x.seen.Reset()
			x.seen.WriteString(after)
			return
		}
		n, err := x.Read(buffer)
		if err != nil {
			t.Fatalf("%q was not shown but %q: %v", text, x.seen.String(), err)
		}
		x.seen.Write(buffer[:n])
	}
}

// start runs a program whose controlling terminal is this one, in the
// foreground.
func (x *terminal) start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = x.near, x.near, x.near
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
}

// atTerminal prepares a token and a host with it.
func atTerminal(t *testing.T, label string, times int) (*terminal, *exec.Cmd, *softhsm.Token) {
	t.Helper()
	softhsm.Need(t)
	hsm := softhsm.New(t, label)
	chain := testpki.New(t, testpki.Options{})
	hsm.Put(t, softhsm.Object{ID: 1}, chain.Key, chain.Certs...)
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), hostRole+"="+strconv.Itoa(times), "EXAMPLE_PLUGINS="+dir,
		"EXAMPLE_KEY=pkcs11:token="+label, moduleVariable+"="+softhsm.Module(), "GORACE=atexit_sleep_ms=0")
	return newTerminal(t), cmd, hsm
}

// TestPrompt signs three times at once: the person is asked three times, one
// after another, sees nothing of the PIN, and has the terminal back.
func TestPrompt(t *testing.T) {
	t.Parallel()
	x, cmd, _ := atTerminal(t, "prompt", 3)
	x.start(t, cmd)
	for range 3 {
		x.wait(t, `PIN of the token "prompt": `)
		echoOff(t, x)
		if _, err := x.WriteString(softhsm.PIN + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	x.wait(t, "signed")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(x.seen.String(), softhsm.PIN) {
		t.Error("the PIN was shown")
	}
	if !echo(t, x) {
		t.Error("the terminal shows no input any more")
	}
}

// echoOff waits until the terminal shows no input: the prompt comes first.
func echoOff(t *testing.T, x *terminal) {
	t.Helper()
	for echo(t, x) {
		if t.Context().Err() != nil {
			t.Fatal("the terminal goes on showing input")
		}
	}
}

func echo(t *testing.T, x *terminal) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(x.near.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// TestPromptAfterWrongPIN has a person make a typing error, and correct it with
// notation-pkcs11 login.
func TestPromptAfterWrongPIN(t *testing.T) {
	t.Parallel()
	x, cmd, _ := atTerminal(t, "typing-error", 1)
	x.start(t, cmd)
	x.wait(t, `PIN of the token "typing-error": `)
	echoOff(t, x)
	if _, err := x.WriteString("999999\n"); err != nil {
		t.Fatal(err)
	}
	x.wait(t, "it was tried once")
	if err := cmd.Wait(); err == nil {
		t.Fatal("signed with a wrong PIN")
	}
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	login := exec.CommandContext(t.Context(), filepath.Join(dir, "pkcs11", "notation-pkcs11"), "login", "pkcs11:token=typing-error")
	login.Env = append(cmd.Env, pin.Variable+"=999999") // which is not tried
	x.start(t, login)
	x.wait(t, "A wrong PIN was given since the last good one.")
	x.wait(t, `PIN of the token "typing-error": `)
	echoOff(t, x)
	if _, err := x.WriteString(softhsm.PIN + "\n"); err != nil {
		t.Fatal(err)
	}
	x.wait(t, "Logged in. The PIN is good.")
	if err := login.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestPromptInterrupted presses Ctrl-C: nothing was signed, and the terminal is
// as it was.
func TestPromptInterrupted(t *testing.T) {
	t.Parallel()
	x, cmd, _ := atTerminal(t, "interrupt", 1)
	x.start(t, cmd)
	x.wait(t, `PIN of the token "interrupt": `)
	echoOff(t, x)
	if _, err := x.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	x.wait(t, "was interrupted")
	if err := cmd.Wait(); err == nil {
		t.Error("signed")
	}
	if !echo(t, x) {
		t.Error("the terminal shows no input any more")
	}
}

// TestBackground is a host that the shell has put into the background: the
// plugin must not take the terminal from whoever has it.
func TestBackground(t *testing.T) {
	t.Parallel()
	x, cmd, _ := atTerminal(t, "background", 1)
	shell := exec.CommandContext(t.Context(), "bash", "-c", `set -m; "$0" & wait $!; echo "code $?"`, cmd.Path)
	shell.Env = cmd.Env
	x.start(t, shell)
	x.wait(t, "runs in the background")
	x.wait(t, "code 1")
	if err := shell.Wait(); err != nil {
		t.Error(err)
	}
}

// TestNoTerminal is a host in a session without one, such as a CI job.
func TestNoTerminal(t *testing.T) {
	t.Parallel()
	_, cmd, _ := atTerminal(t, "nobody", 1)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "there is no terminal to ask") || !strings.Contains(string(out), "pin-source=file:/path") {
		t.Errorf("%v, %s", err, out)
	}
}
