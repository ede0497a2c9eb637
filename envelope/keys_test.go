package envelope_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// A signature that is good in itself, under an algorithm that does not go with
// the certificate's key.
//
// attack: ENV-01
func TestKeyDecidesTheAlgorithm(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, key, alg string
		number         int64
	}{
		{"ES256 on P-384", "ec-384", "ES256", -7},
		{"ES256 on P-521", "ec-521", "ES256", -7},
		{"PS256 on RSA 3072", "rsa-3072", "PS256", -37},
		{"PS256 on RSA 4096", "rsa-4096", "PS256", -37},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			chain := testpki.New(t, testpki.Options{Algorithm: tt.key, CAAlgorithm: "ec-256"})
			j, c := newJWS(chain), newCOSE(chain)
			j.protected = strings.Replace(j.protected, "ES256", tt.alg, 1)
			c.set(num(1), num(tt.number))
			for mediaType, data := range map[string][]byte{envelope.MediaTypeJWS: j.encode(t), envelope.MediaTypeCOSE: c.encode(t)} {
				_, err := verify(mediaType, data)
				wantReason(t, err, reason.EnvelopeAlgorithm)
			}
		})
	}
}

// A P-256 signature as wide as one of P-384 must be, and the reverse, with the
// header that the key asks for.
//
// attack: ENV-09
func TestWidthOfAnotherCurve(t *testing.T) {
	t.Parallel()
	for key, alg := range map[string]envelope.Algorithm{"ec-256": envelope.ECDSASHA256, "ec-384": envelope.ECDSASHA384} {
		pub := testpki.Key(t, key, 0).Public().(*ecdsa.PublicKey)
		good := sign(t, testpki.Key(t, key, 0), alg.Hash(), message)
		half, width := len(good)/2, 48+32-len(good)/2 // the other curve's
		r, s := new(big.Int).SetBytes(good[:half]), new(big.Int).SetBytes(good[half:])
		if r.BitLen() > 8*width || s.BitLen() > 8*width {
			r, s = big.NewInt(1), big.NewInt(1) // does not fit into the narrower one
		}
		other := append(r.FillBytes(make([]byte, width)), s.FillBytes(make([]byte, width))...)
		wantReason(t, envelope.VerifyPrimitive(alg, pub, message, other), reason.EnvelopeSignature)
	}
}

// attack: ENV-01
func TestRSASizeNotInTheTable(t *testing.T) {
	t.Parallel()
	odd, err := rsa.GenerateKey(rand.Reader, 2560)
	if err != nil {
		t.Fatal(err)
	}
	chain := testpki.New(t, testpki.Options{Length: 2})
	leaf := *chain.Leaf()
	leaf.ExtraExtensions, leaf.SignatureAlgorithm = leaf.Extensions, x509.UnknownSignatureAlgorithm
	chain.Certs[0] = testpki.Issue(t, &leaf, chain.Root(), odd.Public(), chain.Keys[1])
	chain.Key = odd
	for _, alg := range []string{"PS256", "PS384", "PS512"} {
		f := newJWS(chain)
		f.protected = strings.Replace(f.protected, "ES256", alg, 1)
		f.hash = map[string]crypto.Hash{"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512}[alg]
		_, err := verify(envelope.MediaTypeJWS, f.encode(t))
		wantReason(t, err, reason.EnvelopeAlgorithm)
	}
}
