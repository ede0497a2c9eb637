package token

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/pkcs11"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/uri"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/reason"
)

// Key is a private key on a token. It is safe for concurrent use.
type Key struct {
	t      *Token
	u      *uri.URI
	public crypto.PublicKey

	private *private // guarded by t.turn; nil until the first signature
}

// private is the private half, which can be seen after logging in only.
type private struct {
	handle pkcs11.ObjectHandle
	always bool // CKA_ALWAYS_AUTHENTICATE: wants the PIN for each signature
}

// Key finds the one key that a URI matches, by its public half: a public key or
// a certificate with the label and the id that the URI names. Where the token
// shows neither, it logs in to find the private key first. The error has the
// code token.key-missing, token.key-ambiguous or token.key-algorithm, or is
// one of [Token.Login].
func (t *Token) Key(ctx context.Context, u *uri.URI) (*Key, error) {
	k := &Key{t: t, u: u}
	publics, err := t.publics(ctx, u.ID, u.Object)
	if err != nil {
		return nil, err
	}
	if len(publics) != 1 { // none, or several of which not all need have a private key
		if err := take(ctx, t.turn); err != nil {
			return nil, err
		}
		defer func() { <-t.turn }()
		if k.public, err = k.unlock(ctx); err != nil {
			return nil, err
		}
	} else {
		k.public = publics[0]
	}
	if k.public == nil {
		return nil, reason.Errorf(reason.TokenKeyAlgorithm, "the public half of the key on the token %s is not there, or of a kind that signatures must not use", quote(t.info.Label)).
			WithHint("Use an RSA or EC key, and write its public key or certificate to the token with the same id (CKA_ID).")
	}
	if _, err := envelope.AlgorithmFor(k.public); err != nil {
		return nil, reason.Wrap(reason.TokenKeyAlgorithm, err, "the key on the token %s cannot be used", quote(t.info.Label)).
			WithHint("Use RSA of 2048, 3072 or 4096 bits, or EC P-256, P-384 or P-521.")
	}
	return k, nil
}

// Public returns the public key, an *rsa.PublicKey or *ecdsa.PublicKey.
func (k *Key) Public() crypto.PublicKey { return k.public }

// publics returns the different public keys that objects with an id and a label
// show. Certificates count only where there is no public key: an authority's may
// lie on the token as well.
func (t *Token) publics(ctx context.Context, id []byte, label string) ([]crypto.PublicKey, error) {
	found, err := t.find(ctx, pkcs11.CKO_PUBLIC_KEY, id, label)
	if err != nil {
		return nil, err
	}
	var keys []crypto.PublicKey
	add := func(key crypto.PublicKey) {
		if key != nil && !slices.ContainsFunc(keys, func(k crypto.PublicKey) bool { return equal(k, key) }) {
			keys = append(keys, key)
		}
	}
	for _, o := range found {
		h, put, err := t.sessions.get(ctx)
		if err != nil {
			return nil, t.fault(err, "open a session")
		}
		add(t.public(h, o.handle))
		put(true)
	}
	if len(found) > 0 {
		return keys, nil
	}
	certs, err := t.certificates(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range certs {
		if !c.cert.IsCA && (len(id) == 0 || string(id) == string(c.id)) && (label == "" || label == c.label) {
			add(c.cert.PublicKey)
		}
	}
	return keys, nil
}

// unlock logs in, finds the private key, and returns its public half, nil if
// the token does not show it. The caller holds t.turn.
func (k *Key) unlock(ctx context.Context) (crypto.PublicKey, error) {
	t := k.t
	if err := t.loginOnce(ctx); err != nil {
		return nil, err
	}
	found, err := t.find(ctx, pkcs11.CKO_PRIVATE_KEY, k.u.ID, k.u.Object)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, t.missing(ctx)
	case len(found) > 1:
		return nil, reason.Errorf(reason.TokenKeyAmbiguous, "%d private keys on the token %s match the key id: %s", len(found), quote(t.info.Label), listed(found)).
			WithHint("Add id=... or object=... to the key id.")
	}
	h, put, err := t.sessions.get(ctx)
	if err != nil {
		return nil, t.fault(err, "open a session")
	}
	key := found[0]
	sign := t.attribute(h, key.handle, pkcs11.CKA_SIGN)
	always := t.attribute(h, key.handle, pkcs11.CKA_ALWAYS_AUTHENTICATE)
	public := t.public(h, key.handle)
	put(true)
	if len(sign) == 1 && sign[0] == 0 {
		return nil, reason.Errorf(reason.TokenKeyForbidden, "the key %s on the token %s may not sign: its CKA_SIGN is false", listed(found), quote(t.info.Label)).
			WithHint("Use a key that was made for signing.")
	}
	k.private = &private{handle: key.handle, always: len(always) == 1 && always[0] == 1}
	if public == nil && len(key.id) > 0 { // an EC private key need not show its point
		others, err := t.publics(ctx, key.id, "")
		if err != nil {
			return nil, err
		}
		if len(others) == 1 {
			public = others[0]
		}
	}
	return public, nil
}

// missing says which private keys there are.
func (t *Token) missing(ctx context.Context) error {
	there := "it has none"
	if all, err := t.find(ctx, pkcs11.CKO_PRIVATE_KEY, nil, ""); err == nil && len(all) > 0 {
		there = "it has " + listed(all)
	}
	return reason.Errorf(reason.TokenKeyMissing, "no private key on the token %s matches the key id; %s", quote(t.info.Label), there).
		WithHint("Correct id=... and object=... in the key id; 'notation-pkcs11 list' shows the keys.")
}

func listed(all []object) string {
	var texts []string
	for _, o := range all[:min(len(all), maxNamed)] {
		texts = append(texts, fmt.Sprintf("%s with the id %X", quote(o.label), o.id))
	}
	if more := len(all) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, ", ")
}

// Certificates returns all certificates of the token, of which [Chain] makes the
// key's. Where none is the key's it logs in and looks again, since a certificate
// may be a private object, too.
func (k *Key) Certificates(ctx context.Context) ([]*x509.Certificate, error) {
	for try := 0; ; try++ {
		all, err := k.t.certificates(ctx)
		if err != nil {
			return nil, err
		}
		certs := make([]*x509.Certificate, len(all))
		own := false
		for i, c := range all {
			certs[i] = c.cert
			own = own || equal(k.public, c.cert.PublicKey)
		}
		if own || try > 0 {
			return certs, nil
		}
		if err := k.t.Login(ctx); reason.Of(err) == reason.TokenPINMissing {
			return certs, nil // most likely none is there
		} else if err != nil {
			return nil, err
		}
	}
}
