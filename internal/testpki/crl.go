package testpki

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"net/http"
	"slices"
	"testing"
	"time"
)

// CRL is a revocation list as its parts. Nothing in it is checked. [NewCRL]
// fills it with a good one.
type CRL struct {
	Version    int // 2; 1 is left out of the encoding
	Issuer     []byte
	ThisUpdate time.Time
	NextUpdate time.Time // zero: none
	Entries    [][]byte  // see [CRLEntry]
	Extensions []pkix.Extension
	Algorithm  x509.SignatureAlgorithm // default ECDSAWithSHA256
}

// NewCRL returns a list without entries, of the given number, that holds from
// at until a day later.
func NewCRL(issuer *x509.Certificate, number int64, at time.Time) CRL {
	return CRL{
		Version: 2, Issuer: issuer.RawSubject, ThisUpdate: at, NextUpdate: at.Add(24 * time.Hour),
		Extensions: []pkix.Extension{CRLNumber(number)},
	}
}

// CRLEntry encodes one entry; a negative reason is left out.
func CRLEntry(serial *big.Int, at time.Time, reason int, extra ...pkix.Extension) []byte {
	number, err := asn1.Marshal(serial)
	if err != nil {
		panic(err) // every integer has an encoding
	}
	parts := [][]byte{number, Time(at)}
	if reason >= 0 {
		extra = append([]pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 21}, Value: DER(0x0a, []byte{byte(reason)})}}, extra...)
	}
	if len(extra) > 0 {
		var list [][]byte
		for _, e := range extra {
			list = append(list, Extension(e))
		}
		parts = append(parts, DER(0x30, list...))
	}
	return DER(0x30, parts...)
}

// InvalidityDate returns the extension of an entry.
func InvalidityDate(at time.Time) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 24}, Value: GeneralizedTime(at)}
}

// CRLNumber returns the extension of a list.
func CRLNumber(n int64) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 20}, Value: crlInteger(n)}
}

// DeltaIndicator returns the extension that makes a list a delta to the
// complete list of a number.
func DeltaIndicator(base int64) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: crlInteger(base)}
}

func crlInteger(n int64) []byte {
	der, err := asn1.Marshal(n)
	if err != nil {
		panic(err) // every integer has an encoding
	}
	return der
}

// IssuingPoint returns an issuing distribution point of the given fields.
func IssuingPoint(fields ...[]byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: DER(0x30, fields...)}
}

// PointName encodes a distribution point name of addresses, explicitly tagged
// as both kinds of distribution points have it.
func PointName(urls ...string) []byte {
	var names [][]byte
	for _, u := range urls {
		names = append(names, DER(0x86, []byte(u)))
	}
	return DER(0xa0, DER(0xa0, names...))
}

// DistributionPoints returns the extension of a certificate with the given
// points, each the content of a DistributionPoint. With freshest, it is the one
// that leads to delta lists.
func DistributionPoints(freshest bool, points ...[]byte) pkix.Extension {
	var list [][]byte
	for _, p := range points {
		list = append(list, DER(0x30, p))
	}
	id := asn1.ObjectIdentifier{2, 5, 29, 31}
	if freshest {
		id = asn1.ObjectIdentifier{2, 5, 29, 46}
	}
	return pkix.Extension{Id: id, Value: DER(0x30, list...)}
}

// Sign encodes the list, signed by key.
func (c CRL) Sign(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	if c.Algorithm == x509.UnknownSignatureAlgorithm {
		c.Algorithm = x509.ECDSAWithSHA256
	}
	identifier, _, _ := signatureAlgorithm(t, c.Algorithm)
	var parts [][]byte
	if c.Version > 1 {
		parts = append(parts, DER(0x02, []byte{byte(c.Version - 1)}))
	}
	parts = append(parts, identifier, c.Issuer, Time(c.ThisUpdate))
	if !c.NextUpdate.IsZero() {
		parts = append(parts, Time(c.NextUpdate))
	}
	if len(c.Entries) > 0 {
		parts = append(parts, DER(0x30, c.Entries...))
	}
	parts = append(parts, explicitExtensions(0xa0, c.Extensions)...)
	return DER(0x30, signed(t, DER(0x30, parts...), key, c.Algorithm)...)
}

// ManyEntries returns n entries of different 16-octet serial numbers that begin
// with 7f 00 00 00, in one slice.
func ManyEntries(n int, at time.Time) []byte {
	serial := make([]byte, 16)
	serial[0] = 0x7f // positive, and the place is easily found
	one := CRLEntry(new(big.Int).SetBytes(serial), at, -1)
	place := slices.Index(one, 0x7f)
	out := make([]byte, 0, n*len(one))
	for i := range n {
		start := len(out)
		out = append(out, one...)
		binary.BigEndian.PutUint64(out[start+place+8:], uint64(i)*0x9e3779b97f4a7c15)
	}
	return out
}

// CRLHandler serves one list.
func CRLHandler(list func() []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/pkix-crl")
		_, _ = w.Write(list())
	})
}

// signBytes signs with any algorithm of this package.
func signBytes(t testing.TB, message []byte, key crypto.Signer, hash crypto.Hash, pss bool) []byte {
	t.Helper()
	var options crypto.SignerOpts = hash
	if pss {
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	if hash != 0 {
		message = sum(hash, message)
	}
	signature, err := key.Sign(rand.Reader, message, options)
	if err != nil {
		t.Fatalf("testpki: sign: %v", err)
	}
	return signature
}
