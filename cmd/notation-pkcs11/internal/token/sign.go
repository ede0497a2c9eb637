package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/asn1"
	"io"
	"math/big"

	"github.com/miekg/pkcs11"

	"github.com/notaryv2/notation/reason"
)

// Signer returns the key as a crypto.Signer whose signatures end with ctx, as
// far as the module lets them: a call into it cannot be broken off. It makes
// RSASSA-PSS signatures with a salt as long as the hash, and ECDSA signatures
// in ASN.1 DER, over digests of SHA-256, SHA-384 or SHA-512.
func (k *Key) Signer(ctx context.Context) crypto.Signer { return bound{ctx, k} }

// bound is a key for one caller, whose context crypto.Signer has no room for.
type bound struct {
	ctx context.Context //nolint:containedctx // see above
	key *Key
}

func (b bound) Public() crypto.PublicKey { return b.key.public }

// Sign implements crypto.Signer. The token's own random numbers are used.
func (b bound) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	mechanism, err := mechanismFor(b.key.public, digest, opts)
	if err != nil {
		return nil, err
	}
	signature, err := b.key.sign(b.ctx, mechanism, digest)
	if err != nil {
		return nil, err
	}
	if _, ok := b.key.public.(*ecdsa.PublicKey); ok {
		return toDER(signature)
	}
	return signature, nil
}

// mechanismFor returns what is asked of the token: CKM_RSA_PKCS_PSS over a
// digest (PKCS #11 v2.40 section 2.1.10), or CKM_ECDSA (section 2.3.6).
func mechanismFor(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts) (*pkcs11.Mechanism, error) {
	hash := opts.HashFunc()
	if len(digest) != hash.Size() {
		return nil, unsupported("a digest of %d bytes", len(digest))
	}
	if _, ok := public.(*ecdsa.PublicKey); ok {
		return pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil), nil
	}
	pss, ok := opts.(*rsa.PSSOptions)
	if !ok || pss.SaltLength != rsa.PSSSaltLengthEqualsHash && pss.SaltLength != hash.Size() {
		return nil, unsupported("an RSA signature other than PSS with a salt as long as the hash")
	}
	var digestKind, mask uint
	switch hash {
	case crypto.SHA256:
		digestKind, mask = pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256
	case crypto.SHA384:
		digestKind, mask = pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384
	case crypto.SHA512:
		digestKind, mask = pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512
	default:
		return nil, unsupported("the hash %s", hash)
	}
	return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_PSS, pkcs11.NewPSSParams(digestKind, mask, uint(hash.Size()))), nil
}

func unsupported(format string, args ...any) error {
	return reason.Errorf(reason.TokenKeyAlgorithm, "a key on a token is not used for "+format, args...)
}

// sign makes one signature, and before the first one finds the private key.
func (k *Key) sign(ctx context.Context, mechanism *pkcs11.Mechanism, digest []byte) ([]byte, error) {
	private, pin, err := k.ready(ctx)
	if err != nil {
		return nil, err
	}
	t := k.t
	if private.always {
		// The PIN counts for the next operation of the token, whose ever it is.
		if err := take(ctx, t.one); err != nil {
			return nil, err
		}
		defer func() { <-t.one }()
		// Whoever was before may have found that the PIN is wrong by now.
		if _, _, err := k.ready(ctx); err != nil {
			return nil, err
		}
	}
	h, put, err := t.sessions.get(ctx)
	if err != nil {
		return nil, t.fault(err, "open a session")
	}
	signature, err := t.signIn(ctx, h, private, pin, mechanism, digest)
	put(err == nil)
	if err != nil {
		return nil, t.fault(err, "sign")
	}
	return signature, nil
}

func (t *Token) signIn(ctx context.Context, h pkcs11.SessionHandle, private *private, pin string, mechanism *pkcs11.Mechanism, digest []byte) ([]byte, error) {
	if err := t.m.c.SignInit(h, []*pkcs11.Mechanism{mechanism}, private.handle); err != nil {
		return nil, err
	}
	if private.always {
		if err := t.again(ctx, h, pin); err != nil {
			return nil, err
		}
	}
	return t.m.c.Sign(h, digest)
}

// ready returns the private key, and the PIN for a key that wants it again.
func (k *Key) ready(ctx context.Context) (*private, string, error) {
	if err := take(ctx, k.t.turn); err != nil {
		return nil, "", err
	}
	defer func() { <-k.t.turn }()
	// Others can log in while this program signs, and when it has failed to.
	defer k.t.m.guard.Done()
	if k.t.login.err != nil {
		return nil, "", k.t.login.err
	}
	if k.private == nil {
		if err := k.t.m.guard.Look(ctx); err != nil {
			return nil, "", err
		}
		public, err := k.unlock(ctx)
		if err != nil {
			return nil, "", err
		}
		if public != nil && !equal(public, k.public) {
			k.private = nil
			return nil, "", reason.Errorf(reason.TokenKeyAmbiguous, "the private key and the public key on the token %s that match the key id do not belong together", quote(k.t.info.Label)).
				WithHint("Name the key by its id=..., and give key and certificate the same id (CKA_ID).")
		}
	}
	return k.private, k.t.login.pin, nil
}

// again gives the PIN for one signature, as keys demand whose
// CKA_ALWAYS_AUTHENTICATE is true, PKCS #11 v2.40 section 5.6. The token has
// taken it before; if it is wrong now it was changed, and is not tried again.
func (t *Token) again(ctx context.Context, h pkcs11.SessionHandle, pin string) error {
	err := t.m.c.Login(h, pkcs11.CKU_CONTEXT_SPECIFIC, pin)
	if err == nil {
		return nil
	}
	err = t.refused(err)
	if err := take(ctx, t.turn); err != nil {
		return err
	}
	defer func() { <-t.turn }()
	t.login.err = err
	return err
}

// toDER makes the signature of crypto.Signer of r and s side by side, each half
// of the bytes.
func toDER(raw []byte) ([]byte, error) {
	if len(raw) == 0 || len(raw)%2 != 0 {
		return nil, reason.Errorf(reason.TokenFailed, "the token returned %d bytes, which are no ECDSA signature", len(raw)).
			WithHint("Report this to the maker of the token's module.")
	}
	half := len(raw) / 2
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])})
}
