package signer

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"

	"github.com/notaryv2/notation/reason"
)

// primitive signs message and returns the signature in the form that envelopes
// hold. A crypto.Signer knows no context and may wait for a device or a person;
// when ctx ends it is left behind, and its late answer is dropped.
func (s *local) primitive(ctx context.Context, message []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, interrupted(err)
	}
	type answer struct {
		signature []byte
		err       error
	}
	answers := make(chan answer, 1)
	go func() {
		signature, err := s.key.Sign(rand.Reader, s.digest(message), s.options())
		answers <- answer{signature, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return nil, reason.Wrap(reason.SignerFailed, a.err, "the key cannot sign")
		}
		return s.encode(a.signature)
	case <-ctx.Done():
		return nil, interrupted(ctx.Err())
	}
}

func interrupted(err error) error {
	return reason.Wrap(reason.SignerInterrupted, err, "signing was interrupted before the key answered").
		WithHint("Allow more time, or check whether the key waits for a confirmation.")
}

func (s *local) digest(message []byte) []byte {
	h := s.alg.Hash().New()
	h.Write(message)
	return h.Sum(nil)
}

// options asks RSA keys for PSS with a salt as long as the hash (RFC 7518
// section 3.5, RFC 8230 section 2).
func (s *local) options() crypto.SignerOpts {
	if _, isRSA := s.key.Public().(*rsa.PublicKey); isRSA {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: s.alg.Hash()}
	}
	return s.alg.Hash()
}

// encode turns the DER form of an ECDSA signature, which crypto.Signer returns,
// into r and s of fixed width (RFC 7518 section 3.4, RFC 9053 section 2.1). RSA
// signatures stay as they are. Whether the signature holds is for Seal to check.
func (s *local) encode(signature []byte) ([]byte, error) {
	switch pub := s.key.Public().(type) {
	case *rsa.PublicKey:
		if len(signature) == pub.Size() {
			return signature, nil
		}
	case *ecdsa.PublicKey:
		var der struct{ R, S *big.Int }
		width := (pub.Curve.Params().BitSize + 7) / 8
		rest, err := asn1.Unmarshal(signature, &der)
		if err == nil && len(rest) == 0 && fits(der.R, width) && fits(der.S, width) {
			raw := make([]byte, 2*width)
			der.R.FillBytes(raw[:width])
			der.S.FillBytes(raw[width:])
			return raw, nil
		}
	}
	return nil, reason.Errorf(reason.SignerInvalidSignature, "the key returned something that is no signature of the algorithm %s", s.alg).
		WithHint("Do not use this key store; report the fault to its maker.")
}

func fits(n *big.Int, width int) bool { return n.Sign() > 0 && n.BitLen() <= 8*width }
