package dn

import (
	"bytes"
	"crypto/x509"
	"slices"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// TestElements has the forms of length and tag that are read, and those that
// are not, and holds them against encoding/asn1.
//
// attack: CRT-06
func TestElements(t *testing.T) {
	t.Parallel()
	zeros := func(head []byte, n int) []byte { return append(head, make([]byte, n)...) }
	for _, c := range []struct {
		name string
		der  []byte
		ok   bool
	}{
		{"nothing", nil, false},
		{"tag alone", []byte{0x0c}, false},
		{"empty", []byte{0x0c, 0}, true},
		{"short form", zeros([]byte{0x0c, 0x7f}, 0x7f), true},
		{"one octet", zeros([]byte{0x0c, 0x81, 0x80}, 0x80), true},
		{"one octet where none is needed", zeros([]byte{0x0c, 0x81, 0x7f}, 0x7f), false},
		{"two octets", zeros([]byte{0x0c, 0x82, 1, 0}, 0x100), true},
		{"two octets where one will do", zeros([]byte{0x0c, 0x82, 0, 0xff}, 0xff), false},
		{"two octets where none is needed", zeros([]byte{0x0c, 0x82, 0, 1}, 1), false},
		{"three octets", zeros([]byte{0x0c, 0x83, 1, 0, 0}, 0x10000), false},
		{"eight octets", zeros([]byte{0x0c, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0xff), false},
		{"indefinite", []byte{0x30, 0x80, 0, 0}, false},
		{"reserved", []byte{0x30, 0xff}, false},
		{"length cut off", []byte{0x0c, 0x82, 1}, false},
		{"content cut off", []byte{0x0c, 2, 'a'}, false},
		{"something behind", []byte{0x0c, 1, 'a', 0}, true},
		{"context-specific", []byte{0x8c, 1, 'a'}, true},
		{"tag number of two octets", []byte{0x1f, 0x1f, 1, 'a'}, false},
		{"tag number of two octets that reads as a length", zeros([]byte{0x1f, 0x1f}, 0x1f), false},
		{"application tag number of two octets", []byte{0x7f, 0x21, 1, 'a'}, false},
	} {
		_, _, _, err := next(string(c.der))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.name != "three octets" { // more than a name may have
			checkAgainstASN1(t, c.der)
		}
	}
}

// TestOIDContent holds the check of object identifiers against crypto/x509.
func TestOIDContent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		content []byte
		ok      bool
	}{
		{nil, false},
		{[]byte{0x55, 4, 3}, true},
		{[]byte{0x2a, 0x86, 0x48}, true},
		{[]byte{0x80}, false},
		{[]byte{0x80, 1}, false},
		{[]byte{0x55, 0x80, 1}, false},
		{[]byte{0x55, 0x81, 0x80, 1}, true},
		{[]byte{0x55, 0x81}, false},
		{bytes.Repeat([]byte{1}, maxOIDBytes), true},
	} {
		if got := isOID(string(c.content)); got != c.ok {
			t.Errorf("%x: %v", c.content, got)
		}
		if err := new(x509.OID).UnmarshalBinary(c.content); (err == nil) != c.ok {
			t.Errorf("%x: crypto/x509 says %v", c.content, err)
		}
	}
	if isOID(string(bytes.Repeat([]byte{1}, maxOIDBytes+1))) {
		t.Error("a longer one is accepted")
	}
}

// TestFromDERKeepsNothing changes the bytes that a name came from.
func TestFromDERKeepsNothing(t *testing.T) {
	t.Parallel()
	raw := usual(utf8Attr(oidCN, "x"), testpki.Attribute("1.2.3", 0x02, []byte{5}))
	n := mustDER(t, raw)
	want := n.String()
	clear(raw)
	if got := n.String(); got != want {
		t.Errorf("%s became %s", want, got)
	}
}

func TestFromDERAttributeLimit(t *testing.T) {
	t.Parallel()
	one := testpki.RDN(utf8Attr(oidCN, "x"))
	if n := mustDER(t, testpki.Name(slices.Repeat([][]byte{one}, maxAttributes)...)); len(n.attributes) != maxAttributes {
		t.Errorf("%d attributes", len(n.attributes))
	}
	for _, raw := range [][]byte{
		testpki.Name(slices.Repeat([][]byte{one}, maxAttributes+1)...),
		testpki.Name(testpki.RDN(slices.Repeat([][]byte{utf8Attr(oidCN, "x")}, maxAttributes+1)...)),
	} {
		if _, err := FromDER(raw); reason.Of(err) != reason.CertNameTooLarge {
			t.Error(err)
		}
	}
}

func TestFromDERAllocations(t *testing.T) {
	raw := benchSubject()
	// The copy, the attributes, and the attributes in their printed order.
	if got := testing.AllocsPerRun(100, func() { _, _ = FromDER(raw) }); got > 3 {
		t.Errorf("%v allocations", got)
	}
}
