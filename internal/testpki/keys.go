package testpki

import (
	"crypto"
	"crypto/x509"
	"embed"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
	"testing"
)

//go:embed testdata
var testdata embed.FS

// keysPerAlgorithm is how many keys each file of a good algorithm holds.
const keysPerAlgorithm = 9

// Algorithms returns the names of the six key types.
func Algorithms() []string {
	return []string{"rsa-2048", "rsa-3072", "rsa-4096", "ec-256", "ec-384", "ec-521"}
}

// Key returns one of several fixed test keys of an algorithm, *rsa.PrivateKey
// or *ecdsa.PrivateKey, embedded so that no test waits for RSA key generation.
// n chooses among them, 0 to 8. [New] takes the leaf's from 3*KeySet upwards.
func Key(t testing.TB, algorithm string, n int) crypto.Signer {
	t.Helper()
	load, ok := keyFiles[algorithm]
	if !ok {
		t.Fatalf("testpki: no algorithm %q", algorithm)
	}
	keys, err := load()
	if err != nil {
		t.Fatalf("testpki: %v", err)
	}
	if n < 0 || n >= len(keys) {
		t.Fatalf("testpki: no %s key %d: there are %d", algorithm, n, len(keys))
	}
	return keys[n]
}

// WeakKey returns a key that must be refused: rsa-1024, rsa-2048-e3 (public
// exponent 3), ec-224 or ed25519.
func WeakKey(t testing.TB, name string) crypto.Signer {
	t.Helper()
	keys, err := readKeys("weak-" + name)
	if err != nil {
		t.Fatalf("testpki: %v", err)
	}
	return keys[0]
}

// SPKI returns the SubjectPublicKeyInfo of a key as DER.
func SPKI(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatalf("testpki: %v", err)
	}
	return der
}

// WeakSPKI returns a SubjectPublicKeyInfo that must be refused and that Go has
// no key for: ec-256-explicit (curve parameters spelled out) or dsa-2048.
func WeakSPKI(t testing.TB, name string) []byte {
	t.Helper()
	text, err := testdata.ReadFile("testdata/weak-" + name + ".pub.pem")
	if err != nil {
		t.Fatalf("testpki: %v", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("testpki: %s is no PEM", name)
	}
	return block.Bytes
}

// keyFiles reads each file once, on first use.
var keyFiles = func() map[string]func() ([]crypto.Signer, error) {
	files := make(map[string]func() ([]crypto.Signer, error))
	for _, algorithm := range Algorithms() {
		files[algorithm] = sync.OnceValues(func() ([]crypto.Signer, error) { return readKeys(algorithm) })
	}
	return files
}()

func readKeys(name string) ([]crypto.Signer, error) {
	text, err := testdata.ReadFile("testdata/" + name + ".pem")
	if err != nil {
		return nil, err
	}
	var keys []crypto.Signer
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			break
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("key %d of %s: %w", len(keys), name, err)
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("key %d of %s cannot sign", len(keys), name)
		}
		keys = append(keys, signer)
	}
	if len(keys) == 0 {
		return nil, errors.New(name + " holds no key")
	}
	return keys, nil
}
