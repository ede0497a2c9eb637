package signer

import (
	"context"
	"crypto"
	"crypto/x509"
	"io"

	"github.com/notaryv2/notation/reason"
)

// RemoteKey is a private key that signs somewhere else, such as in a key
// management service, and may take its time. It is [crypto.Signer] with a
// context. Implementations are safe for concurrent use.
type RemoteKey interface {
	// Public returns the public key, an *rsa.PublicKey or *ecdsa.PublicKey. It
	// does not wait for anything.
	Public() crypto.PublicKey

	// SignDigest signs a digest made with opts.HashFunc. For an RSA key opts is an
	// *rsa.PSSOptions, and the signature is one of RSASSA-PSS with a salt as long
	// as the digest; for an EC key it is an Ecdsa-Sig-Value in ASN.1 DER (RFC 3279
	// section 2.2.3). It returns when ctx ends, whose deadline is that of the
	// whole signing operation.
	SignDigest(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

// NewRemote is [New] for a key that signs somewhere else. The context given to
// [Signer.Sign] reaches the key, with its deadline and its values. A key that
// does not heed the end of its context is left behind.
func NewRemote(key RemoteKey, chain []*x509.Certificate) (Signer, error) {
	if key == nil {
		return nil, reason.Errorf(reason.SignerKeyMissing, "there is no private key")
	}
	return newLocal(key.Public(), func(ctx context.Context) crypto.Signer { return call{ctx, key} }, chain)
}

// call is one use of a remote key, with the context of that use: a
// [crypto.Signer] that lives as long as a call of Sign.
type call struct {
	ctx context.Context //nolint:containedctx // see above
	key RemoteKey
}

func (c call) Public() crypto.PublicKey { return c.key.Public() }

func (c call) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return c.key.SignDigest(c.ctx, digest, opts)
}
