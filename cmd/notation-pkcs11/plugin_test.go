package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/pkcs11"
	"github.com/opencontainers/go-digest"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/pin"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/softhsm"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
)

// built is the program as users have it.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp(filepath.Dir(os.Getenv("SOFTHSM2_CONF")), "plugins")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "pkcs11", "notation-pkcs11")
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Env = append(os.Environ(), "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return dir, os.Chmod(filepath.Join(dir, "pkcs11"), 0o755)
})

// newHost returns a host that has the program installed.
func newHost(t testing.TB, env ...string) *plugin.Host {
	t.Helper()
	softhsm.Need(t)
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	h := plugin.NewHost(dir)
	h.Env = append(os.Environ(), append([]string{moduleVariable + "=" + softhsm.Module(), pin.Variable + "=" + softhsm.PIN}, env...)...)
	return h
}

func newSigner(t testing.TB, h *plugin.Host, id string) signer.Signer {
	t.Helper()
	p, err := h.Get(t.Context(), "pkcs11")
	if err != nil {
		t.Fatal(err)
	}
	s, err := signer.FromPlugin(p, id, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// toSign asks for an envelope; it is verified before it is returned.
func toSign(mediaType string, n int) envelope.Request {
	text := fmt.Sprint(n)
	return envelope.Request{
		MediaType:   mediaType,
		SigningTime: time.Now(),
		Target:      envelope.Descriptor{MediaType: "text/plain", Digest: digest.FromString(text), Size: int64(len(text))},
	}
}

func TestSixKindsInBothFormats(t *testing.T) {
	t.Parallel()
	hsm := softhsm.New(t, "formats")
	h := newHost(t)
	for i, algorithm := range testpki.Algorithms() {
		chain := testpki.New(t, testpki.Options{Algorithm: algorithm, CAAlgorithm: "ec-256"})
		hsm.Put(t, softhsm.Object{ID: byte(i + 1), Label: algorithm}, chain.Key, chain.Certs...)
		s := newSigner(t, h, fmt.Sprintf("pkcs11:token=formats;id=%%%02x", i+1))
		for _, mediaType := range []string{envelope.MediaTypeJWS, envelope.MediaTypeCOSE} {
			if result, err := s.Sign(t.Context(), toSign(mediaType, i)); err != nil || len(result.Envelope) == 0 {
				t.Errorf("%s, %s: %v", algorithm, mediaType, err)
			}
		}
	}
}

// TestThousand makes a thousand signatures, each in a process of its own that
// logs in, many at the same time.
func TestThousand(t *testing.T) {
	hsm := softhsm.New(t, "thousand")
	chain := testpki.New(t, testpki.Options{})
	hsm.Put(t, softhsm.Object{ID: 1}, chain.Key, chain.Certs...)
	s := newSigner(t, newHost(t), "pkcs11:token=thousand")
	const workers = 50
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for n := next.Add(1); n <= 1000; n = next.Add(1) {
				mediaType := envelope.MediaTypeJWS
				if n%2 == 0 {
					mediaType = envelope.MediaTypeCOSE
				}
				if _, err := s.Sign(t.Context(), toSign(mediaType, int(n))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// TestWrongPINInManyProcesses spends one try.
func TestWrongPINInManyProcesses(t *testing.T) {
	t.Parallel()
	hsm := softhsm.New(t, "one try")
	chain := testpki.New(t, testpki.Options{})
	hsm.Put(t, softhsm.Object{ID: 1}, chain.Key, chain.Certs...)
	s := newSigner(t, newHost(t, pin.Variable+"=999999"), "pkcs11:token=one%20try")
	var wrong, risky atomic.Int64
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			_, err := s.Sign(t.Context(), toSign(envelope.MediaTypeJWS, 1))
			switch {
			case err == nil:
				t.Error("signed with a wrong PIN")
			case strings.Contains(err.Error(), "it was tried once"):
				wrong.Add(1)
			case strings.Contains(err.Error(), "was not tried"):
				risky.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if wrong.Load() != 1 || risky.Load() != 19 {
		t.Errorf("%d tries, %d refusals", wrong.Load(), risky.Load())
	}
}

// TestStatesOfTheToken signs with tokens that are in no state to sign.
func TestStatesOfTheToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flag uint
		says string
	}{
		"locked":   {pkcs11.CKF_USER_PIN_LOCKED, "has locked its PIN"},
		"last try": {pkcs11.CKF_USER_PIN_FINAL_TRY, "the next wrong one locks it"},
		"low":      {pkcs11.CKF_USER_PIN_COUNT_LOW, "was not tried"},
	} {
		t.Run(name, func(t *testing.T) {
			hsm := softhsm.New(t, "state "+name)
			chain := testpki.New(t, testpki.Options{})
			hsm.Put(t, softhsm.Object{ID: 1}, chain.Key, chain.Certs...)
			hsm.SetFlag(t, c.flag)
			id := "pkcs11:token=state%20" + strings.ReplaceAll(name, " ", "%20")
			_, err := newSigner(t, newHost(t), id).Sign(t.Context(), toSign(envelope.MediaTypeJWS, 1))
			if err == nil || !strings.Contains(err.Error(), "ACCESS_DENIED") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
			hsm.Remove(t)
			_, err = newSigner(t, newHost(t), id).Sign(t.Context(), toSign(envelope.MediaTypeJWS, 1))
			if err == nil || !strings.Contains(err.Error(), "VALIDATION_ERROR") || !strings.Contains(err.Error(), "no token") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestChattyModule loads a library that prints as it is loaded, and is no
// module.
func TestChattyModule(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	source := filepath.Join(t.TempDir(), "chatty.c")
	library := strings.TrimSuffix(source, ".c") + ".so"
	const code = `#include <stdio.h>
__attribute__((constructor)) static void chat(void) { puts("{}"); fflush(stdout); fputs("hello\n", stderr); }`
	if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "gcc", "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p, err := h.Get(t.Context(), "pkcs11")
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.DescribeKey(t.Context(), "pkcs11:token=x", map[string]string{"module": library})
	if reason.Of(err) != reason.PluginRefused || !strings.Contains(err.Error(), "is no PKCS #11 module") {
		t.Errorf("%v", err)
	}
	h.Env = append(h.Env, debugVariable+"=1")
	_, err = p.DescribeKey(t.Context(), "pkcs11:token=x", map[string]string{"module": library})
	if reason.Of(err) != reason.PluginFailed || !strings.Contains(err.Error(), "hello") {
		t.Errorf("%v", err)
	}
}

// TestDeadline ends with the caller's patience.
func TestDeadline(t *testing.T) {
	t.Parallel()
	hsm := softhsm.New(t, "deadline")
	chain := testpki.New(t, testpki.Options{})
	hsm.Put(t, softhsm.Object{ID: 1}, chain.Key, chain.Certs...)
	s := newSigner(t, newHost(t), "pkcs11:token=deadline")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Sign(ctx, toSign(envelope.MediaTypeJWS, 1)); err == nil {
		t.Error("signed for nobody")
	}
}

// hostRole makes this test program a host of plugins at a terminal, which signs
// as many times as the variable says, all at once.
const hostRole = "EXAMPLE_HOST"

// playHost is what notation does, with the key of the environment.
func playHost() int {
	h := plugin.NewHost(os.Getenv("EXAMPLE_PLUGINS"))
	ctx := context.Background()
	p, err := h.Get(ctx, "pkcs11")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s, err := signer.FromPlugin(p, os.Getenv("EXAMPLE_KEY"), nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	times, err := strconv.Atoi(os.Getenv(hostRole))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	errs := make(chan error)
	for n := range times {
		go func() {
			_, err := s.Sign(ctx, toSign(envelope.MediaTypeJWS, n))
			errs <- err
		}()
	}
	for range times {
		if err := <-errs; err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	fmt.Fprintln(os.Stdout, "signed")
	return 0
}
