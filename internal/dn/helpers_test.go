package dn

import (
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// Object identifiers, as testpki takes them.
const (
	oidC     = "2.5.4.6"
	oidST    = "2.5.4.8"
	oidO     = "2.5.4.10"
	oidOU    = "2.5.4.11"
	oidCN    = "2.5.4.3"
	oidEmail = "1.2.840.113549.1.9.1"
)

func utf8Attr(oid, value string) []byte {
	return testpki.Attribute(oid, testpki.UTF8String, []byte(value))
}

// single is a name of RDNs with one attribute each.
func single(attributes ...[]byte) []byte {
	var rdns [][]byte
	for _, a := range attributes {
		rdns = append(rdns, testpki.RDN(a))
	}
	return testpki.Name(rdns...)
}

func mustParse(t testing.TB, s string) Name {
	t.Helper()
	n, err := Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func mustDER(t testing.TB, raw []byte) Name {
	t.Helper()
	n, err := FromDER(raw)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// usual is the subject C=US, ST=WA, O=acme with more attributes after it.
func usual(more ...[]byte) []byte {
	return single(append([][]byte{
		testpki.Attribute(oidC, testpki.PrintableString, []byte("US")),
		utf8Attr(oidST, "WA"),
		utf8Attr(oidO, "acme"),
	}, more...)...)
}
