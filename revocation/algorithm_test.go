package revocation

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
)

// Every algorithm that certificates may be signed with signs lists, too.
func TestAlgorithms(t *testing.T) {
	t.Parallel()
	for a, key := range map[x509.SignatureAlgorithm]string{
		x509.SHA256WithRSA: "rsa-2048", x509.SHA384WithRSA: "rsa-3072", x509.SHA512WithRSA: "rsa-4096",
		x509.SHA256WithRSAPSS: "rsa-2048", x509.SHA384WithRSAPSS: "rsa-2048", x509.SHA512WithRSAPSS: "rsa-2048",
		x509.ECDSAWithSHA256: "ec-256", x509.ECDSAWithSHA384: "ec-384", x509.ECDSAWithSHA512: "ec-521",
	} {
		chain := testpki.New(t, testpki.Options{Length: 2, CAAlgorithm: key})
		c := testpki.NewCRL(chain.Root(), 1, time.Now())
		c.Algorithm = a
		raw := c.Sign(t, chain.Keys[1])
		if _, _, err := newCRL(raw, chain.Root()); err != nil {
			t.Errorf("%v: %v", a, err)
		}
		other := testpki.New(t, testpki.Options{Length: 2, CAAlgorithm: "ec-256", KeySet: 1}).Root()
		other.RawSubject = chain.Root().RawSubject
		if _, _, err := newCRL(raw, other); err == nil {
			t.Errorf("%v: another key verifies", a)
		}
	}
	for _, weak := range []string{"rsa-1024", "ec-224", "ed25519"} {
		if (algorithm{hash: 5}).verifies(testpki.WeakKey(t, weak).Public(), nil, nil) {
			t.Errorf("%s verifies", weak)
		}
	}
}

// Good signatures, by a key that is too small, and by a key of another kind than
// the algorithm names.
//
// attack: REV-01
// attack: REV-02
func TestGoodSignaturesRefused(t *testing.T) {
	t.Parallel()
	digest := make([]byte, 32)
	sign := func(key crypto.Signer) []byte {
		signature, err := key.Sign(rand.Reader, digest, crypto.SHA256)
		fail(t, err)
		return signature
	}
	weak, strong, ec := testpki.WeakKey(t, "rsa-1024"), testpki.Key(t, "rsa-2048", 0), testpki.Key(t, "ec-256", 0)
	for name, tc := range map[string]struct {
		a   algorithm
		key crypto.Signer
		ok  bool
	}{
		"RSA":                  {algorithm{crypto.SHA256, pkcs1v15}, strong, true},
		"RSA of 1024 bits":     {algorithm{crypto.SHA256, pkcs1v15}, weak, false},
		"RSA under ECDSA":      {algorithm{crypto.SHA256, ecdsaDER}, strong, false},
		"PKCS #1 v1.5 for PSS": {algorithm{crypto.SHA256, pss}, strong, false},
		"ECDSA":                {algorithm{crypto.SHA256, ecdsaDER}, ec, true},
		"ECDSA under RSA":      {algorithm{crypto.SHA256, pkcs1v15}, ec, false},
		"ECDSA under PSS":      {algorithm{crypto.SHA256, pss}, ec, false},
	} {
		if got := tc.a.verifies(tc.key.Public(), digest, sign(tc.key)); got != tc.ok {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, bits := range []der{nil, {}, {0}, {1, 2}, {7, 0x80}} {
		if _, ok := signatureBits(bits); ok {
			t.Errorf("%x is a signature", []byte(bits))
		}
	}
}
