package dn

import (
	"encoding/asn1"
	"strings"
	"testing"
	"unicode"

	"github.com/notaryv2/notation/internal/testpki"
)

func FuzzParseDN(f *testing.F) {
	for _, seed := range []string{
		"C=US, ST=WA, O=wabbit-networks.io, CN=x", `CN=James \"Jim\" Smith\, III`, "CN=#0c0161+O=b",
		`CN=\ a\00\C3\A9\ `, "1.2.3.4=x", `O="a"`, "O=a;C=b", "O=,", "O=a\u202e", "#", "=", `\`, "CN=a=b",
		strings.Repeat("\x80", 2*maxQuoted), "1.7.324=" + strings.Repeat("w", maxTextBytes/2),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := Parse(text)
		if err != nil {
			checkMessage(t, err)
			return
		}
		printed := n.String()
		checkPrintable(t, printed)
		if len(printed) > maxTextBytes { // escapes are longer than what they stand for
			return
		}
		again, err := Parse(printed)
		if err != nil {
			t.Fatalf("%q prints as %s: %v", text, printed, err)
		}
		if again.String() != printed {
			t.Errorf("%s prints again as %s", printed, again)
		}
		if !n.Matches(again) || !again.Matches(n) || !n.Overlaps(again) {
			t.Errorf("%s does not match itself", printed)
		}
	})
}

func FuzzFromDER(f *testing.F) {
	f.Add(usual(utf8Attr(oidCN, "x\x00\u202e")))
	f.Add(testpki.Name(testpki.RDN(utf8Attr(oidO, "a"), utf8Attr(oidOU, "b")), testpki.RDN()))
	f.Add(single(testpki.Attribute(oidCN, testpki.BMPString, []byte("\x00a")), testpki.Attribute("1.2.3", 0x02, []byte{1})))
	f.Add(single(testpki.Attribute(oidCN, testpki.TeletexString, []byte("\xe9"))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkAgainstASN1(t, raw)
		n, err := FromDER(raw)
		if err != nil {
			checkMessage(t, err)
			return
		}
		printed := n.String()
		checkPrintable(t, printed)
		readable := len(n.attributes) > 0
		for _, a := range n.attributes {
			if !a.text || a.value == "" || strings.ContainsRune(a.value, 0) {
				readable = false
			}
		}
		pattern, err := Parse(printed)
		if len(printed) > maxTextBytes {
			return
		}
		if (err == nil) != readable {
			t.Fatalf("%s: readable %v, but %v", printed, readable, err)
		}
		if readable && (!pattern.Matches(n) || !n.Matches(pattern)) {
			t.Errorf("%s does not match what it came from", printed)
		}
	})
}

// checkAgainstASN1 compares the reader of this package with encoding/asn1,
// which has the same rules but for tag numbers above 30 and longer lengths than
// a name may have.
func checkAgainstASN1(t testing.TB, raw []byte) {
	t.Helper()
	tag, content, rest, err := next(string(raw))
	var v asn1.RawValue
	wantRest, wantErr := asn1.Unmarshal(raw, &v)
	if wantErr == nil && (v.Tag > 30 || len(v.Bytes) > 0xffff) {
		wantErr = asn1.StructuralError{Msg: "not read here"}
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%x: %v, but encoding/asn1 %v", raw, err, wantErr)
	}
	if err == nil && (tag != raw[0] || content != string(v.Bytes) || rest != string(wantRest)) {
		t.Fatalf("%x: %x %x %x, but encoding/asn1 %+v", raw, tag, content, rest, v)
	}
}

func checkPrintable(t testing.TB, text string) {
	t.Helper()
	for _, r := range text {
		if !unicode.IsPrint(r) {
			t.Fatalf("%q: %U is not safe to print", text, r)
		}
	}
}
