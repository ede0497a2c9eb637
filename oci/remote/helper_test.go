package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/notaryv2/notation/reason"
)

// TestHelperEnded checks that nothing is left of a helper, its children
// included, when nobody waits for it any longer.
func TestHelperEnded(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := NewCredentialStore(StoreOptions{CredsStore: "slow", DockerConfig: dockerFile(t, "{}")})
	found := make(chan error, 1)
	go func() {
		_, err := s.Find(ctx, l.Addr().String())
		found <- err
	}()
	child, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	cancel()
	if _, err := io.Copy(io.Discard, child); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Log(err) // a reset is as good as an end
	}
	if err := <-found; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestHelperAnswers(t *testing.T) {
	t.Parallel()
	store := helperStore{"one"}
	want := Credential{IdentityToken: "secret-word"}.forAuth()
	if err := store.Put(t.Context(), "token.example", want); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Get(t.Context(), "token.example"); err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
	file := filepath.Join(os.Getenv("HELPER_DIR"), "one malformed.example")
	writeFile(t, file, `{"Secret":"secret-word`)
	if _, err := store.Get(t.Context(), "malformed.example"); err == nil || strings.Contains(err.Error(), "secret-word") {
		t.Errorf("got %v", err)
	}
	if _, err := (helperStore{"flood"}).Get(t.Context(), "x.example"); err == nil || !strings.Contains(err.Error(), "too much") {
		t.Errorf("got %.200v", err)
	}
	_, err := NewCredentialStore(StoreOptions{CredsStore: "one", DockerConfig: dockerFile(t, "{}")}).Save(cancelled(t), "x.example", Credential{Username: "alice"})
	wantCode(t, err, reason.RegistryInterrupted)
}

func cancelled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestAwait(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	_, err := await(ctx, func() (int, error) {
		cancel()
		<-release
		return 0, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestHelperEnvironment keeps pass phrases and PINs of keys from helpers. It sets
// variables, and so cannot run beside others.
func TestHelperEnvironment(t *testing.T) {
	t.Setenv("NOTATION_PKCS11_PIN", "1234")
	t.Setenv("HELPER_NEEDS", "this")
	env := helperEnvironment()
	if text := strings.Join(env, "\n"); strings.Contains(text, "NOTATION_") || !strings.Contains(text, "HELPER_NEEDS=this") {
		t.Error("the environment of helpers is not that of the program without its own variables")
	}
}
