package envelope_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/reason"
)

// Sign a descriptor, and verify that the envelope is whole. Whether the signer
// is to be trusted is a matter for a trust policy.
func Example() {
	key, chain := newKey()
	alg, err := envelope.AlgorithmFor(key.Public())
	if err != nil {
		panic(err)
	}

	unsigned, err := envelope.New(envelope.Request{
		MediaType: envelope.MediaTypeJWS,
		Target: envelope.Descriptor{
			MediaType:   "application/vnd.oci.image.manifest.v1+json",
			Digest:      digest.FromString("a manifest"),
			Size:        10,
			Annotations: map[string]string{"commit": "c0ffee"},
		},
		SigningTime: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
	}, alg)
	if err != nil {
		panic(err)
	}
	data, err := unsigned.Seal(signRaw(key, unsigned.ToBeSigned()), chain)
	if err != nil {
		panic(err)
	}

	claimed, err := envelope.Parse(envelope.MediaTypeJWS, data)
	if err != nil {
		panic(err)
	}
	verified, err := claimed.Verify()
	if err != nil {
		panic(err)
	}
	c := verified.Content()
	fmt.Println(c.Algorithm, c.SigningTime.Format(time.RFC3339))
	fmt.Println(c.Target.Digest, c.Target.Annotations["commit"])
	// Output:
	// ECDSA-SHA-256 2026-03-04T05:06:07Z
	// sha256:e59625a822497c164d60705eb3fd6975c375ca213b8140137a826a77790986a9 c0ffee
}

// Errors carry a stable code.
func ExampleParse() {
	_, err := envelope.Parse(envelope.MediaTypeJWS, []byte(`{"payload":"e30","payload":"e30"}`))
	fmt.Println(reason.Of(err))
	fmt.Println(err)
	// Output:
	// envelope.json
	// the JWS envelope is malformed: line 1, column 18: member "payload" is given twice
}

// newKey makes a key and a self-signed certificate for it.
func newKey() (*ecdsa.PrivateKey, []*x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{Country: []string{"US"}, Province: []string{"WA"}, Organization: []string{"wabbit-networks.io"}},
		NotBefore:    time.Now(),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return key, []*x509.Certificate{cert}
}

// signRaw makes the r and s of an ECDSA signature, side by side. Package
// signer does this for every kind of key.
func signRaw(key *ecdsa.PrivateKey, message []byte) []byte {
	sum := sha256.Sum256(message)
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		panic(err)
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}
