package envelope_test

import (
	"crypto"
	"crypto/ed25519"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"testing"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

func TestSignPrimitive(t *testing.T) {
	t.Parallel()
	for name, alg := range algorithms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := testpki.Key(t, name, 0)
			signature, err := envelope.SignPrimitive(key, alg, message)
			if err != nil {
				t.Fatal(err)
			}
			if err := envelope.VerifyPrimitive(alg, key.Public(), message, signature); err != nil {
				t.Error(err)
			}
			for other := envelope.Algorithm(0); other <= envelope.ECDSASHA512+1; other++ {
				if other == alg {
					continue
				}
				if signature, err := envelope.SignPrimitive(key, other, message); signature != nil {
					t.Errorf("signed with %s", other)
				} else {
					wantReason(t, err, reason.EnvelopeAlgorithm)
				}
			}
		})
	}
}

// answeringKey is a crypto.Signer that answers as it is told.
type answeringKey struct {
	crypto.Signer
	answer []byte
	err    error
}

func (k answeringKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return k.answer, k.err
}

// attack: ENV-09
func TestSignPrimitiveRefuses(t *testing.T) {
	t.Parallel()
	ec, rsaKey := testpki.Key(t, "ec-256", 0), testpki.Key(t, "rsa-2048", 0)
	der := func(r, s *big.Int) []byte {
		raw, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	one, zero := big.NewInt(1), new(big.Int)
	wide := new(big.Int).Lsh(one, 256)
	for name, key := range map[string]answeringKey{
		"nothing":            {Signer: ec},
		"raw instead of DER": {Signer: ec, answer: make([]byte, 64)},
		"byte at the end":    {Signer: ec, answer: append(der(one, one), 0)},
		"r zero":             {Signer: ec, answer: der(zero, one)},
		"s zero":             {Signer: ec, answer: der(one, zero)},
		"s negative":         {Signer: ec, answer: der(one, big.NewInt(-1))},
		"r too wide":         {Signer: ec, answer: der(wide, one)},
		"RSA, nothing":       {Signer: rsaKey},
		"RSA, a byte short":  {Signer: rsaKey, answer: make([]byte, 255)},
		"RSA, a byte long":   {Signer: rsaKey, answer: make([]byte, 257)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alg, err := envelope.AlgorithmFor(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			signature, err := envelope.SignPrimitive(key, alg, message)
			if signature != nil {
				t.Error("there is a signature")
			}
			wantReason(t, err, reason.EnvelopeSignature)
			key.err = errors.New("locked")
			if _, err := envelope.SignPrimitive(key, alg, message); err != key.err {
				t.Errorf("%v", err)
			}
		})
	}
	_, ed, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = envelope.SignPrimitive(ed, envelope.ECDSASHA256, message)
	wantReason(t, err, reason.EnvelopeAlgorithm)
}
