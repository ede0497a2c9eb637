package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"strings"
	"unsafe"

	"github.com/miekg/pkcs11"

	"github.com/notaryv2/notation/internal/certchain"
)

// object is what is read of an object on the token.
type object struct {
	handle pkcs11.ObjectHandle
	id     []byte
	label  string
}

// find returns the objects of a class with a CKA_ID and a CKA_LABEL, each only
// if it is not empty.
func (t *Token) find(ctx context.Context, class uint, id []byte, label string) ([]object, error) {
	h, put, err := t.sessions.get(ctx)
	if err != nil {
		return nil, t.fault(err, "open a session")
	}
	found, err := t.findIn(h, class, id, label)
	put(err == nil)
	if err != nil {
		return nil, t.fault(err, "search its objects")
	}
	return found, nil
}

func (t *Token) findIn(h pkcs11.SessionHandle, class uint, id []byte, label string) ([]object, error) {
	template := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class)}
	if len(id) > 0 {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, id))
	}
	if label != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_LABEL, label))
	}
	if err := t.m.c.FindObjectsInit(h, template); err != nil {
		return nil, err
	}
	var found []object
	for len(found) < maxObjects {
		handles, _, err := t.m.c.FindObjects(h, findChunk)
		if err != nil {
			return nil, err
		}
		if len(handles) == 0 {
			break
		}
		for _, o := range handles {
			found = append(found, object{handle: o})
		}
	}
	if err := t.m.c.FindObjectsFinal(h); err != nil {
		return nil, err
	}
	for i := range found {
		found[i].id = t.attribute(h, found[i].handle, pkcs11.CKA_ID)
		found[i].label = strings.TrimRight(string(t.attribute(h, found[i].handle, pkcs11.CKA_LABEL)), "\x00")
	}
	return found, nil
}

// attribute returns an attribute of an object, nil if it has none or does not
// show it. One is asked for at a time, since a module gives none of several if
// one is missing.
func (t *Token) attribute(h pkcs11.SessionHandle, o pkcs11.ObjectHandle, kind uint) []byte {
	values, err := t.m.c.GetAttributeValue(h, o, []*pkcs11.Attribute{pkcs11.NewAttribute(kind, nil)})
	if err != nil || len(values) != 1 || len(values[0].Value) > maxAttribute {
		return nil
	}
	return values[0].Value
}

// number reads a CK_ULONG, which is as long as the platform's.
func number(value []byte) (n uint, ok bool) {
	if len(value) != int(unsafe.Sizeof(n)) {
		return 0, false
	}
	if len(value) == 4 {
		return uint(binary.NativeEndian.Uint32(value)), true
	}
	return uint(binary.NativeEndian.Uint64(value)), true
}

// public reads the public key that an object of the class public or private key
// shows, nil if it shows none that signatures may use.
func (t *Token) public(h pkcs11.SessionHandle, o pkcs11.ObjectHandle) crypto.PublicKey {
	kind, ok := number(t.attribute(h, o, pkcs11.CKA_KEY_TYPE))
	switch {
	case ok && kind == pkcs11.CKK_RSA:
		n := new(big.Int).SetBytes(t.attribute(h, o, pkcs11.CKA_MODULUS))
		e := new(big.Int).SetBytes(t.attribute(h, o, pkcs11.CKA_PUBLIC_EXPONENT))
		if n.Sign() == 0 || e.Sign() == 0 || !e.IsInt64() || e.Int64() > 1<<31-1 {
			return nil
		}
		return &rsa.PublicKey{N: n, E: int(e.Int64())}
	case ok && kind == pkcs11.CKK_EC:
		return ecPublic(t.attribute(h, o, pkcs11.CKA_EC_PARAMS), t.attribute(h, o, pkcs11.CKA_EC_POINT))
	}
	return nil
}

// ecPublic reads a named curve and a point, PKCS #11 v2.40 section 2.3.3. The
// point is a DER OCTET STRING, but some modules leave out tag and length.
func ecPublic(params, point []byte) crypto.PublicKey {
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(params, &oid); err != nil || len(rest) > 0 {
		return nil
	}
	var curve elliptic.Curve
	switch oid.String() {
	case "1.2.840.10045.3.1.7":
		curve = elliptic.P256()
	case "1.3.132.0.34":
		curve = elliptic.P384()
	case "1.3.132.0.35":
		curve = elliptic.P521()
	default:
		return nil
	}
	var inner []byte
	if rest, err := asn1.Unmarshal(point, &inner); err == nil && len(rest) == 0 {
		point = inner
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil
	}
	return key
}

// equal compares public keys of any kind.
func equal(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// certificate is an X.509 certificate on a token.
type certificate struct {
	object
	cert *x509.Certificate
}

// certificates returns the certificates of the token that can be read, in the
// order of the token. Others are none of our business.
func (t *Token) certificates(ctx context.Context) ([]certificate, error) {
	found, err := t.find(ctx, pkcs11.CKO_CERTIFICATE, nil, "")
	if err != nil {
		return nil, err
	}
	h, put, err := t.sessions.get(ctx)
	if err != nil {
		return nil, t.fault(err, "open a session")
	}
	defer put(true)
	var all []certificate
	for _, o := range found {
		if len(all) == maxCerts {
			break
		}
		parsed, err := certchain.Parse([][]byte{t.attribute(h, o.handle, pkcs11.CKA_VALUE)})
		if err != nil {
			continue
		}
		all = append(all, certificate{o, parsed[0]})
	}
	return all, nil
}
