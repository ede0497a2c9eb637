package cli

import (
	"context"
	"errors"
	"os"
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

// TestReadDescriptor reads open files within bounds, or until its context ends.
func TestReadDescriptor(t *testing.T) {
	t.Parallel()
	pipe := func() (fd uintptr, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
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
	if _, err := a.readSource(t.Context(), "fd://"+strconv.Itoa(int(dir.Fd())), 4); reason.Of(err) != reason.ConfigRead {
		t.Error(err)
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
