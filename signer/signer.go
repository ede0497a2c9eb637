package signer

import (
	"context"
	"crypto"
	"crypto/x509"
	"slices"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/reason"
)

// Signer makes signature envelopes. Implementations are safe for concurrent
// use.
type Signer interface {
	// Algorithm returns the algorithm of the signer's key.
	Algorithm(ctx context.Context) (envelope.Algorithm, error)

	// Sign returns the finished envelope for r, complete with the certificate
	// chain and without a time stamp. An implementation verifies the envelope
	// before it returns it, as envelope.Unsigned.Seal does, and returns when
	// ctx ends.
	Sign(ctx context.Context, r envelope.Request) (Result, error)
}

// BlobSigner is a Signer that makes envelopes for blobs in another way than
// those for artifacts of a registry. One that is none uses Sign for both.
type BlobSigner interface {
	Signer
	// SignBlob is Sign for a request whose target is a blob.
	SignBlob(ctx context.Context, r envelope.Request) (Result, error)
}

// Result is what a Signer has made.
type Result struct {
	Envelope []byte
	// Annotations are for the manifest that stores the envelope, nil for none.
	// Nothing protects them, and none is of the specification.
	Annotations map[string]string
}

// local is a key at hand, or one that signs somewhere else, and its chain.
type local struct {
	key   func(context.Context) crypto.Signer // for one signature
	chain []*x509.Certificate                 // leaf first, root last; checked
	alg   envelope.Algorithm
	facts certchain.Facts // what is true of the chain whatever is signed
}

// New returns a Signer for a key and its chain, leaf first and complete up to
// the self-signed root.
//
// The key must be one of RSA 2048, 3072 or 4096 and EC P-256, P-384 or P-521,
// and belong to the first certificate; the chain must obey the certificate
// rules for code signing. The validity of certificates is checked at each
// signing time. RSA keys are asked for PSS signatures by [rsa.PSSOptions], and
// EC keys for ASN.1 DER, as [crypto.Signer] has it. A key that knows a context
// is for [NewRemote].
func New(key crypto.Signer, chain []*x509.Certificate) (Signer, error) {
	if key == nil {
		return nil, reason.Errorf(reason.SignerKeyMissing, "there is no private key")
	}
	return newLocal(key.Public(), func(context.Context) crypto.Signer { return key }, chain)
}

// newLocal checks key and chain.
func newLocal(pub crypto.PublicKey, key func(context.Context) crypto.Signer, chain []*x509.Certificate) (Signer, error) {
	if len(chain) == 0 || slices.Contains(chain, nil) {
		return nil, reason.Errorf(reason.SignerCertificates, "there is no certificate for the key").
			WithHint("Give the certificate of the key and its chain up to the root.")
	}
	alg, err := envelope.AlgorithmFor(pub)
	if err != nil {
		return nil, reason.Wrap(reason.SignerKeyAlgorithm, err, "this key cannot be used").
			WithHint("Use RSA of 2048, 3072 or 4096 bits, or EC P-256, P-384 or P-521.")
	}
	if !samePublicKey(pub, chain[0].PublicKey) {
		return nil, keyMismatch(pub, chain)
	}
	facts := certchain.Facts{Seen: certchain.NewMemo(chainMemory)}
	if err := facts.Check(chain, certchain.CodeSigning); err != nil {
		return nil, badChain(chain, err)
	}
	return &local{key: key, chain: slices.Clone(chain), alg: alg, facts: facts}, nil
}

// samePublicKey compares keys of the standard library, all of which have Equal.
func samePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// keyMismatch says which certificate the key belongs to, if to any.
func keyMismatch(pub crypto.PublicKey, chain []*x509.Certificate) error {
	fault := reason.Errorf(reason.SignerKeyMismatch, "the private key does not belong to the first certificate of the chain")
	for i, cert := range chain[1:] {
		if samePublicKey(pub, cert.PublicKey) {
			return fault.WithHint("The key belongs to certificate %d; put that one first, each issuer after what it issued.", i+2)
		}
	}
	return fault.WithHint("It belongs to no certificate of the chain; use the key that the first certificate was issued for.")
}

// Algorithm implements [Signer].
func (s *local) Algorithm(context.Context) (envelope.Algorithm, error) { return s.alg, nil }

// Sign implements [Signer].
func (s *local) Sign(ctx context.Context, r envelope.Request) (Result, error) {
	if err := validAt(s.chain, r); err != nil {
		return Result{}, err
	}
	unsigned, err := envelope.New(r, s.alg)
	if err != nil {
		return Result{}, err
	}
	signature, err := s.primitive(ctx, unsigned.ToBeSigned())
	if err != nil {
		return Result{}, err
	}
	sealed, err := unsigned.SealKnown(signature, s.chain, s.facts)
	if err != nil {
		return Result{}, err
	}
	return Result{Envelope: sealed}, nil
}

// validAt refuses a chain that is not valid when r is signed.
func validAt(chain []*x509.Certificate, r envelope.Request) error {
	if err := certchain.ValidAt(chain, r.SigningTime); err != nil {
		return reason.Wrap(reason.SignerCertificateTime, err, "the certificates cannot sign at this time").
			WithHint("Renew the certificate, or correct the clock.")
	}
	return nil
}
