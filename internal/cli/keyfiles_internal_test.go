package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/notaryv2/notation/reason"
)

// TestUnlockEnds gives up on a file whose key takes too long to derive.
func TestUnlockEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		_, err := unlock(t.Context(), nil, func() (int, error) {
			<-never
			return 1, nil
		})
		if reason.Of(err) != reason.SignerInterrupted || reason.Hint(err) == "" {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := unlock(ctx, nil, func() (int, error) {
			<-never
			return 1, nil
		}); reason.Of(err) != reason.UsageInterrupted {
			t.Error(err)
		}
		close(never)
	})
}

// TestReadDescriptor reads files that were opened for this process within bounds,
// or until its context ends.
//
// attack: KEY-06
func TestReadDescriptor(t *testing.T) {
	t.Parallel()
	pipe := func() (fd uintptr, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		hand(t, r.Fd())
		return r.Fd(), w
	}
	fd, w := pipe()
	if _, err := w.WriteString("hello"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	a := &app{env: Env{}.withDefaults()}
	if data, err := a.readSource(t.Context(), "fd://"+strconv.Itoa(int(fd)), 10); err != nil || string(data) != "hello" {
		t.Error(string(data), err)
	}
	fd, w = pipe()
	if _, err := w.WriteString("hello"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := a.readSource(t.Context(), "fd://"+strconv.Itoa(int(fd)), 4); reason.Of(err) != reason.ConfigTooLarge {
		t.Error(err)
	}
	fd, _ = pipe()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.readSource(ctx, "fd://"+strconv.Itoa(int(fd)), 4); reason.Of(err) != reason.UsageInterrupted {
		t.Error(err)
	}
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	hand(t, dir.Fd())
	if _, err := a.readSource(t.Context(), "fd://"+strconv.Itoa(int(dir.Fd())), 4); reason.Of(err) != reason.ConfigRead {
		t.Error(err)
	}
}

// TestReadDescriptorOfOurOwn refuses what this program has opened itself: waiting
// for it may never end.
//
// attack: KEY-06
func TestReadDescriptorOfOurOwn(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("descriptors have no such mark here")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	a := &app{env: Env{}.withDefaults()}
	source := "fd://" + strconv.Itoa(int(r.Fd()))
	if _, err := a.readSource(t.Context(), source, 4); reason.Of(err) != reason.ConfigRead || !strings.Contains(err.Error(), "not opened for this program") {
		t.Error(err)
	}
	// What was handed on to us is not handed on by us.
	hand(t, r.Fd())
	a.withhold(source)
	if _, err := a.readSource(t.Context(), source, 4); reason.Of(err) != reason.ConfigRead {
		t.Error(err)
	}
}

// TestWithhold takes variables out of the environment that secrets were read
// from, and no others.
func TestWithhold(t *testing.T) {
	const own, other = "NOTATION_TEST_WITHHELD", "NOTATION_TEST_KEPT"
	t.Setenv(own, "secret")
	t.Setenv(other, "kept")
	a := &app{env: Env{Getenv: os.Getenv}.withDefaults()}
	a.withhold("", "key.pem", "env://", "env://"+own, "fd://x", "fd://65000", "env://NOTATION_TEST=X")
	if os.Getenv(own) != "" || os.Getenv(other) != "kept" {
		t.Errorf("%q, %q", os.Getenv(own), os.Getenv(other))
	}
	made := &app{env: Env{Getenv: func(string) string { return "made up" }}.withDefaults()}
	made.withhold("env://" + other)
	if os.Getenv(other) != "kept" {
		t.Error("a variable is gone that was not read")
	}
}

// TestVariableNames shows what looks like a name, and what looks like a secret
// does not.
func TestVariableNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"PHRASE": true, "SIGNING_KEY": true, "_X": true, "KEY_2": true, "": false, "hunter2": false, "HUNTER2": false, "2_X": false,
		"correct horse": false, "-----BEGIN PRIVATE KEY-----": false, strings.Repeat("X", 65): false, "PAROLE\u00c9": false,
	} {
		if isVariableName(name) != want {
			t.Errorf("%q: %t", name, !want)
		}
	}
}

// TestOpenPINFile looks at who may use the file of a PIN, and at nothing else.
//
// attack: KEY-08
func TestOpenPINFile(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes tell nothing here")
	}
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte("1234"), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open, shut := file("open pin", 0o644), file("shut", 0o600)
	escaped := strings.ReplaceAll(open, " ", "%20")
	for id, want := range map[string]bool{
		"pkcs11:token=x?pin-source=" + escaped:                                true,
		"pkcs11:token=x?pin-source=file:" + escaped:                           true,
		"pkcs11:token=x?pin-source=file://" + escaped:                         true,
		"pkcs11:token=x?pin-source=file://localhost" + escaped:                true,
		"pkcs11:?module-path=/x.so&pin-source=" + escaped:                     true,
		"pkcs11:token=x?pin-source=" + file("group", 0o640):                   true,
		"pkcs11:token=x?pin-source=file:" + shut:                              false,
		"pkcs11:token=x?pin-source=file:" + dir + "/none":                     false,
		"pkcs11:token=x?pin-source=%zz":                                       false,
		"pkcs11:token=x?pin-source=.":                                         false,
		"pkcs11:pin-source=" + escaped:                                        false,
		"pkcs11:token=x":                                                      false,
		"":                                                                    false,
		strings.Repeat("?pin-source=/none&", 1000) + "&pin-source=" + escaped: true,
	} {
		if fault := openPINFile("pkcs11", id); (fault != nil) != want || want && reason.Hint(fault) == "" {
			t.Errorf("%.80s: %v", id, fault)
		}
		if fault := openPINFile("another", id); fault != nil {
			t.Errorf("%.80s: %v of another plugin", id, fault)
		}
	}
}

// TestBudgetWaits spends nothing while a person is waited for.
func TestBudgetWaits(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, running := range []bool{true, false} {
		a := &app{timeout: timeoutFlag(day)}
		_, b, cancel := a.spend(t.Context())
		if running {
			b.run()
		}
		err := b.waiting(func() error {
			if b.timer != nil {
				t.Error("time passes")
			}
			return boom
		})
		if !errors.Is(err, boom) || (b.timer != nil) != running {
			t.Error(running, err)
		}
		cancel()
	}
	if err := (*budget)(nil).waiting(func() error { return boom }); !errors.Is(err, boom) {
		t.Error(err)
	}
	if _, err := checkPassphrase([]byte(strings.Repeat("x", 2000)), "here"); reason.Of(err) != reason.SignerPassphrase {
		t.Error(err)
	}
}
