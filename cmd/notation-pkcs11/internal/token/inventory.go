package token

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/pin"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/uri"
	"github.com/notaryv2/notation/envelope"
)

// PINState says what a login would risk.
type PINState string

// The states of a PIN.
const (
	PINGood    PINState = "good"
	PINLow     PINState = "wrong-pin-given" // since the last login
	PINLast    PINState = "last-try"        // a wrong PIN locks it
	PINLocked  PINState = "locked"
	PINUnset   PINState = "not-set"
	PINNotUsed PINState = "not-used" // no login is needed
)

// Inventory is what a token holds, as far as it can be seen.
type Inventory struct {
	Label, Serial, Manufacturer, Model string
	Slot                               uint
	PIN                                PINState
	URI                                string
	Keys                               []KeyEntry
	Others                             []*x509.Certificate // of no key that was found
}

// KeyEntry is a key, found by its public key, by a certificate that is no
// authority's, or, logged in, by its private key.
type KeyEntry struct {
	ID    []byte
	Label string
	URI   string
	// Spec is the plugin protocol's name of the kind, such as "RSA-2048", or ""
	// for a key that signatures must not use or that shows too little.
	Spec string
	// Private is whether the private key was seen; it cannot be without a login.
	Private bool
	Chain   []*x509.Certificate // complete and good, leaf first, or what Err says
	Leaf    *x509.Certificate   // nil: none
	Err     error               // why there is no chain
}

// Tokens returns the tokens of the module.
func (m *Module) Tokens(pins pin.Source) ([]*Token, error) {
	all, err := m.tokens()
	if err != nil {
		return nil, err
	}
	tokens := make([]*Token, len(all))
	for i, s := range all {
		tokens[i] = m.token(s, pins)
	}
	return tokens, nil
}

// Inventory lists what is on the token. It does not log in; after
// [Token.Login] it sees more. at decides which of several certificates counts.
// With an error there is still what is known of the token.
func (t *Token) Inventory(ctx context.Context, at time.Time) (*Inventory, error) {
	where := t.uri()
	v := &Inventory{
		Label: t.info.Label, Serial: t.info.SerialNumber, Manufacturer: t.info.ManufacturerID, Model: t.info.Model,
		Slot: t.slot, PIN: pinState(t.info.Flags), URI: where.String(),
	}
	info, err := t.m.c.GetTokenInfo(t.slot)
	if err != nil {
		return v, t.fault(err, "tell its state")
	}
	v.PIN = pinState(info.Flags)
	certs, err := t.certificates(ctx)
	if err != nil {
		return v, err
	}
	keys, err := t.keys(ctx, certs)
	if err != nil {
		return v, err
	}
	checks := maxChecks
	for _, k := range keys {
		where.ID, where.Object = k.id, ""
		if len(k.id) == 0 || !usable(where) {
			where.ID, where.Object = nil, k.label
		}
		if !usable(where) {
			where.Object = ""
		}
		v.Keys = append(v.Keys, k.entry(&checks, certs, where.String(), at))
	}
	for _, c := range certs {
		if !slices.ContainsFunc(keys, func(k seen) bool { return equal(k.public, c.cert.PublicKey) }) {
			v.Others = append(v.Others, c.cert)
		}
	}
	slices.SortStableFunc(v.Others, func(a, b *x509.Certificate) int { return bytes.Compare(a.Raw, b.Raw) })
	return v, nil
}

// uri returns a URI that finds the token again. A text of the token that cannot
// stand in one is left out.
func (t *Token) uri() uri.URI {
	where := uri.URI{Token: t.info.Label, Serial: t.info.SerialNumber}
	if !usable(uri.URI{Token: where.Token}) {
		where.Token = ""
	}
	if !usable(uri.URI{Serial: where.Serial}) {
		slot := uint64(t.slot)
		where.Serial, where.SlotID = "", &slot
	}
	return where
}

// usable reports whether what is written can be read.
func usable(u uri.URI) bool {
	_, err := uri.Parse(u.String())
	return err == nil
}

func pinState(flags uint) PINState {
	switch {
	case flags&pkcs11.CKF_LOGIN_REQUIRED == 0:
		return PINNotUsed
	case flags&pkcs11.CKF_USER_PIN_INITIALIZED == 0:
		return PINUnset
	case flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return PINLocked
	case flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0:
		return PINLast
	case flags&pkcs11.CKF_USER_PIN_COUNT_LOW != 0:
		return PINLow
	}
	return PINGood
}

// seen is a key as its objects show it.
type seen struct {
	object
	public  crypto.PublicKey // nil: not shown
	private bool
}

// keys gathers the keys of the token: objects with the same id are of one key.
func (t *Token) keys(ctx context.Context, certs []certificate) ([]seen, error) {
	var all []seen
	add := func(s seen) {
		at := slices.IndexFunc(all, func(have seen) bool {
			return len(s.id) > 0 && string(s.id) == string(have.id) || len(s.id) == 0 && s.public != nil && equal(s.public, have.public)
		})
		if at < 0 {
			all = append(all, s)
			return
		}
		all[at].private = all[at].private || s.private
		if all[at].public == nil {
			all[at].public = s.public
		}
		if s.private { // its label is the one that finds it
			all[at].label = s.label
		}
	}
	for _, class := range []uint{pkcs11.CKO_PUBLIC_KEY, pkcs11.CKO_PRIVATE_KEY} {
		found, err := t.find(ctx, class, nil, "")
		if err != nil {
			return nil, err
		}
		for _, o := range found {
			h, put, err := t.sessions.get(ctx)
			if err != nil {
				return nil, t.fault(err, "open a session")
			}
			add(seen{o, t.public(h, o.handle), class == pkcs11.CKO_PRIVATE_KEY})
			put(true)
		}
	}
	for _, c := range certs {
		if !c.cert.IsCA {
			add(seen{c.object, c.cert.PublicKey, false})
		}
	}
	slices.SortStableFunc(all, func(a, b seen) int { // tokens have no order
		return cmp.Or(bytes.Compare(a.id, b.id), strings.Compare(a.label, b.label))
	})
	return all, nil
}

func (k seen) entry(checks *int, certs []certificate, where string, at time.Time) KeyEntry {
	e := KeyEntry{ID: k.id, Label: k.label, URI: where, Private: k.private}
	if k.public == nil {
		return e
	}
	if alg, err := envelope.AlgorithmFor(k.public); err == nil {
		e.Spec = alg.KeySpec()
	}
	all := make([]*x509.Certificate, len(certs))
	for i, c := range certs {
		all[i] = c.cert
	}
	if e.Leaf = leafOf(k.public, all, at); e.Leaf != nil {
		e.Chain, e.Err = chainWithin(checks, k.public, all, at)
	}
	return e
}

// IDText returns the id of the key in hexadecimal.
func (e KeyEntry) IDText() string { return hex.EncodeToString(e.ID) }
