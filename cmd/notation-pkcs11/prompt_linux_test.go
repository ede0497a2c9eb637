package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/pin"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/softhsm"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/internal/testterminal"
)

// atTerminal prepares a token and a host with it.
func atTerminal(t *testing.T, label string, times int) (*testterminal.Terminal, *exec.Cmd, *softhsm.Token) {
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
	return testterminal.New(t), cmd, hsm
}

// TestPrompt signs three times at once: the person is asked three times, one
// after another, sees nothing of the PIN, and has the terminal back.
func TestPrompt(t *testing.T) {
	t.Parallel()
	x, cmd, _ := atTerminal(t, "prompt", 3)
	x.Start(t, cmd)
	for range 3 {
		x.Wait(t, `PIN of the token "prompt": `)
		x.EchoOff(t)
		if _, err := x.WriteString(softhsm.PIN + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	x.Wait(t, "signed")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(x.Shown(), softhsm.PIN) {
		t.Error("the PIN was shown")
	}
	if !x.Echo(t) {
		t.Error("the terminal shows no input any more")
	}
}

// TestPromptAfterWrongPIN has a person make a typing error, and correct it with
// notation-pkcs11 login.
func TestPromptAfterWrongPIN(t *testing.T) {
	t.Parallel()
	x, cmd, _ := atTerminal(t, "typing-error", 1)
	x.Start(t, cmd)
	x.Wait(t, `PIN of the token "typing-error": `)
	x.EchoOff(t)
	if _, err := x.WriteString("999999\n"); err != nil {
		t.Fatal(err)
	}
	x.Wait(t, "it was tried once")
	if err := cmd.Wait(); err == nil {
		t.Fatal("signed with a wrong PIN")
	}
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	login := exec.CommandContext(t.Context(), filepath.Join(dir, "pkcs11", "notation-pkcs11"), "login", "pkcs11:token=typing-error")
	login.Env = append(cmd.Env, pin.Variable+"=999999") // which is not tried
	x.Start(t, login)
	x.Wait(t, "A wrong PIN was given since the last good one.")
	x.Wait(t, `PIN of the token "typing-error": `)
	x.EchoOff(t)
	if _, err := x.WriteString(softhsm.PIN + "\n"); err != nil {
		t.Fatal(err)
	}
	x.Wait(t, "Logged in. The PIN is good.")
	if err := login.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestPromptInterrupted presses Ctrl-C: nothing was signed, and the terminal is
// as it was.
func TestPromptInterrupted(t *testing.T) {
	t.Parallel()
	x, cmd, _ := atTerminal(t, "interrupt", 1)
	x.Start(t, cmd)
	x.Wait(t, `PIN of the token "interrupt": `)
	x.EchoOff(t)
	if _, err := x.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	x.Wait(t, "was interrupted")
	if err := cmd.Wait(); err == nil {
		t.Error("signed")
	}
	if !x.Echo(t) {
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
	x.Start(t, shell)
	x.Wait(t, "runs in the background")
	x.Wait(t, "code 1")
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
