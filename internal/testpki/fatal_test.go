package testpki

import (
	"crypto/x509"
	"fmt"
	"testing"
)

// recorder is a test that panics instead of ending.
type recorder struct{ testing.TB }

func (recorder) Helper() {}

func (recorder) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// A mistake in a test must end the test, not give it a nil certificate.
func TestMistakesAreFatal(t *testing.T) {
	t.Parallel()
	tb := recorder{t}
	chain := New(t, Options{})
	for name, mistake := range map[string]func(){
		"algorithm":       func() { Key(tb, "rsa-512", 0) },
		"key number":      func() { Key(tb, "ec-256", keysPerAlgorithm) },
		"weak key":        func() { WeakKey(tb, "none") },
		"weak key file":   func() { WeakSPKI(tb, "none") },
		"certificate":     func() { Parse(tb, []byte{1}) },
		"template":        func() { Issue(tb, &x509.Certificate{}, chain.Root(), nil, chain.Key) },
		"signature":       func() { RawFrom(chain.Leaf()).Sign(tb, chain.Key, x509.DSAWithSHA1) },
		"key of the kind": func() { RawFrom(chain.Leaf()).Sign(tb, WeakKey(t, "ed25519"), x509.SHA256WithRSA) },
		"identifier":      func() { OID("1.two") },
		"arc":             func() { OID("9.9") },
		"unprintable key": func() { (&Chain{}).KeyPEM() },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no failure", name)
				}
			}()
			mistake()
		}()
	}
}

func TestReadKeysRefuses(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"none", "weak-dsa-2048.pub"} {
		if _, err := readKeys(name); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
