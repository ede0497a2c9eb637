package pin_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/pin"
	"github.com/notaryv2/notation/reason"
)

// attack: KEY-08
func TestFile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
		warned  bool
	}{
		"plain":       {"1234", 0o600, "1234", false},
		"line end":    {"1234\n", 0o600, "1234", false},
		"of Windows":  {"1234\r\n", 0o600, "1234", false},
		"blanks stay": {" 12 34 ", 0o400, " 12 34 ", false},
		"open":        {"1234", 0o644, "1234", true},
		"of a group":  {"1234", 0o640, "1234", true},
		"empty":       {"", 0o600, "", false},
		"only a line": {"\n", 0o600, "", false},
		"two lines":   {"1234\n\n", 0o600, "", false},
		"NUL":         {"12\x0034", 0o600, "", false},
		"longest":     {strings.Repeat("1", 255), 0o600, strings.Repeat("1", 255), false},
		"too long":    {strings.Repeat("1", 256), 0o600, "", false},
		"huge":        {strings.Repeat("1", 1<<16), 0o600, "", false},
	} {
		file := filepath.Join(t.TempDir(), "pin")
		if err := errors.Join(os.WriteFile(file, []byte(c.content), 0o600), os.Chmod(file, c.mode)); err != nil {
			t.Fatal(err)
		}
		var warnings []string
		s := pin.Source{File: file, Env: "other", Warn: func(text string) { warnings = append(warnings, text) }}
		got, err := s.Get(t.Context(), pin.Question{})
		if got.Value != c.want || (err == nil) != (c.want != "") || (len(warnings) > 0) != c.warned || got.Attended {
			t.Errorf("%s: %+v, %v, %v", name, got, err, warnings)
		}
		if err != nil && (reason.Of(err) != reason.TokenPINSource || reason.Hint(err) == "" || strings.Contains(err.Error(), "1234")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, path := range []string{"/nonexistent", t.TempDir(), os.DevNull} {
		_, err := pin.Source{File: path}.Get(t.Context(), pin.Question{})
		if reason.Of(err) != reason.TokenPINSource {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	asked := 0
	person := func(context.Context, pin.Question) (string, error) { asked++; return "5678", nil }
	got, err := pin.Source{Env: "1234", Ask: person}.Get(t.Context(), pin.Question{})
	if err != nil || got != (pin.PIN{Value: "1234"}) || asked != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = pin.Source{Ask: person}.Get(t.Context(), pin.Question{})
	if err != nil || got != (pin.PIN{Value: "5678", Attended: true}) || asked != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = pin.Source{}.Get(t.Context(), pin.Question{Token: "a\x1b"})
	if reason.Of(err) != reason.TokenPINMissing || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%v", err)
	}
	_, err = pin.Source{Ask: func(context.Context, pin.Question) (string, error) { return "", nil }}.Get(t.Context(), pin.Question{})
	if reason.Of(err) != reason.TokenPINSource {
		t.Errorf("%v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	busy := reason.Errorf(reason.TokenInterrupted, "others are asked")
	if _, err = (pin.Source{Ask: func(context.Context, pin.Question) (string, error) { return "", busy }}).Get(ended, pin.Question{}); !errors.Is(err, busy) {
		t.Errorf("%v", err)
	}
	_, err = pin.Source{Ask: func(context.Context, pin.Question) (string, error) { return "", context.Canceled }}.Get(t.Context(), pin.Question{})
	if reason.Of(err) != reason.TokenInterrupted {
		t.Errorf("%v", err)
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	one, two, other := pin.NewGuard(dir, "module"), pin.NewGuard(dir, "module"), pin.NewGuard(dir, "another")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	nothing := func() error { return nil }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(one.Look(t.Context()))
	must(one.Look(t.Context())) // again is no fault
	must(two.Look(t.Context())) // many may look
	must(other.Alone(t.Context(), nothing))
	if err := two.Alone(ended, nothing); reason.Of(err) != reason.TokenInterrupted {
		t.Errorf("alone beside one who looks: %v", err)
	}
	one.Done()
	must(two.Alone(t.Context(), func() error {
		if err := one.Look(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("looking while another is alone: %v", err)
		}
		return nil
	}))
	if err := one.Alone(ended, nothing); reason.Of(err) != reason.TokenInterrupted {
		t.Errorf("whoever was alone goes on looking: %v", err)
	}
	two.Done()
	fault := errors.New("fault")
	if err := one.Alone(t.Context(), func() error { return fault }); !errors.Is(err, fault) {
		t.Errorf("%v", err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, dir := range []string{"", "/dev/null/x"} {
		g := pin.NewGuard(dir, "module")
		must(g.Look(t.Context()))
		if err := g.Alone(t.Context(), nothing); reason.Of(err) != reason.TokenPINLock {
			t.Errorf("%q: %v", dir, err)
		}
		g.Done()
	}
}

// TestGuardRemembers keeps apart which tokens have refused a PIN, for all programs
// of a user, in files that nobody else can read and that hold nothing.
//
// attack: KEY-07
func TestGuardRemembers(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "locks")
	one, two := pin.NewGuard(dir, "module"), pin.NewGuard(dir, "another module")
	for _, refused := range []bool{false, true, true, false, false} {
		if err := one.Remember("a\x00token", refused); err != nil {
			t.Fatal(err)
		}
		if one.Refused("a\x00token") != refused || two.Refused("a\x00token") != refused || one.Refused("a token") {
			t.Errorf("after %t: %t, %t", refused, one.Refused("a\x00token"), two.Refused("a\x00token"))
		}
	}
	if err := one.Remember("../../token", true); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	info, err := files[0].Info()
	if err != nil || info.Size() != 0 || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	none := pin.NewGuard("", "module")
	if err := none.Remember("a token", true); err == nil || none.Refused("a token") {
		t.Error("something was remembered nowhere")
	}
	if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if one.Remember("a token", true) == nil || one.Remember("a token", false) == nil {
		t.Error("no error where there is no directory")
	}
}

// TestGuardPatience has somebody else keep a lock for ever: whoever waits for it
// says in time what for and where to look, and keeps nobody waiting in turn.
func TestGuardPatience(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	nothing := func() error { return nil }
	synctest.Test(t, func(t *testing.T) {
		holder, g := pin.ForModule(dir, "/m\x1b.so"), pin.ForModule(dir, "/m\x1b.so")
		patient := func(most time.Duration, wait func(context.Context) error) {
			t.Helper()
			begin := time.Now()
			err := wait(t.Context())
			if reason.Of(err) != reason.TokenInterrupted || !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > most {
				t.Fatalf("after %s: %v", time.Since(begin), err)
			}
			if !strings.Contains(err.Error(), `the module /m\x1b.so`) || !strings.Contains(reason.Hint(err), dir) {
				t.Errorf("%v; %s", err, reason.Hint(err))
			}
		}
		alone := func(ctx context.Context) error { return g.Alone(ctx, nothing) }
		if err := holder.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		patient(5*time.Minute, alone)
		err := holder.Alone(t.Context(), func() error {
			patient(5*time.Minute, alone)
			patient(time.Minute, g.Look)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		holder.Done()
		other := pin.ForModule(dir, "/m\x1b.so")
		if err := errors.Join(other.Alone(t.Context(), nothing), g.Look(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

// TestGuardWithin has goroutines of one process use one guard.
func TestGuardWithin(t *testing.T) {
	t.Parallel()
	g := pin.NewGuard(t.TempDir(), "module")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	alone := 0
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if err := errors.Join(g.Look(t.Context()), g.Alone(t.Context(), func() error { alone++; return nil })); err != nil {
				t.Error(err)
			}
			g.Done()
		})
	}
	group.Wait()
	if alone != 50 {
		t.Errorf("%d", alone)
	}
	_ = g.Alone(t.Context(), func() error {
		if err := g.Alone(ended, nil); reason.Of(err) != reason.TokenInterrupted {
			t.Errorf("%v", err)
		}
		return nil
	})
}
