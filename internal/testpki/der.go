package testpki

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// DER returns one element: the tag octet, the shortest length and the parts
// one after another.
func DER(tag byte, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	out := []byte{tag}
	switch n := len(content); {
	case n < 0x80:
		out = append(out, byte(n))
	default:
		length := big.NewInt(int64(n)).Bytes()
		out = append(out, 0x80|byte(len(length)))
		out = append(out, length...)
	}
	return append(out, content...)
}

// OID encodes a dotted object identifier. It panics if there is a word in it
// that is no number: the identifiers of a test are its own.
func OID(dotted string) []byte {
	var id asn1.ObjectIdentifier
	for word := range strings.SplitSeq(dotted, ".") {
		n, err := strconv.Atoi(word)
		if err != nil {
			panic(err)
		}
		id = append(id, n)
	}
	der, err := asn1.Marshal(id)
	if err != nil {
		panic(err)
	}
	return der
}

// BitString encodes whole octets as a BIT STRING.
func BitString(content []byte) []byte { return DER(0x03, []byte{0}, content) }

// Time encodes a time as RFC 5280 section 4.1.2.5 wants it: UTCTime through
// 2049, GeneralizedTime from 2050 on.
func Time(t time.Time) []byte {
	t = t.UTC()
	if t.Year() >= 1950 && t.Year() < 2050 {
		return DER(0x17, []byte(t.Format("060102150405Z")))
	}
	return DER(0x18, []byte(t.Format("20060102150405Z")))
}

// Extension encodes a certificate extension.
func Extension(e pkix.Extension) []byte {
	parts := [][]byte{OID(e.Id.String())}
	if e.Critical {
		parts = append(parts, DER(0x01, []byte{0xff}))
	}
	return DER(0x30, append(parts, DER(0x04, e.Value))...)
}

// Tags of the string types that names use.
const (
	UTF8String      = 0x0c
	NumericString   = 0x12
	PrintableString = 0x13
	TeletexString   = 0x14
	IA5String       = 0x16
	UniversalString = 0x1c
	BMPString       = 0x1e
)

// Attribute encodes one AttributeTypeAndValue of a name.
func Attribute(oid string, tag byte, value []byte) []byte {
	return DER(0x30, OID(oid), DER(tag, value))
}

// RDN encodes a relative distinguished name of attributes, in the given order.
func RDN(attributes ...[]byte) []byte { return DER(0x31, attributes...) }

// Name encodes a distinguished name of RDNs.
func Name(rdns ...[]byte) []byte { return DER(0x30, rdns...) }
