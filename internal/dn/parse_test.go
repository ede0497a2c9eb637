package dn

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// attack: CRT-06
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, says string }{
		{"empty", "", "ends where an attribute type is expected"},
		{"only spaces", "   ", "ends where an attribute type is expected"},
		{"trailing comma", "C=US,", "ends where an attribute type is expected"},
		{"trailing plus", "C=US+", "ends where an attribute type is expected"},
		{"leading comma", ",C=US", "no attribute type at character 1"},
		{"double comma", "C=US,,O=a", "no attribute type at character 6"},
		{"type missing", "C=US,=a", "no attribute type at character 6"},
		{"equals missing", "C=US, acme", `no "=" after the attribute type "acme"`},
		{"equals missing in the middle", "C, O=a", `no "="`},
		{"unescaped comma in a value", "O=acme, Inc.", `no "=" after the attribute type "Inc."`},
		{"unknown type", "XY=a", `attribute type "XY", which is not known`},
		{"OID prefix", "OID.2.5.4.3=a", "not known"},
		{"OID with leading zero", "2.05.4.3=a", "not known"},
		{"OID of one arc", "2=a", "not known"},
		{"OID out of range", "3.1=a", "not known"},
		{"long OID", "2.5." + strings.Repeat("9", 1000) + "=a", "not known"},
		{"homoglyph type", "С=US", "no attribute type"}, // Cyrillic
		{"empty value", "O=", "empty value for O"},
		{"empty value before a comma", "O=,C=US", "empty value for O"},
		{"blank value", "O=   ", "empty value for O"},
		{"NUL escaped", `O=a\00`, "NUL character"},
		{"NUL", "O=a\x00", "U+0000, which does not show, at character 4"},
		{"quotes", `O="acme"`, `unescaped "`},
		{"quote in the middle", `O=a"b`, `unescaped "`},
		{"semicolon", "C=US;O=a", "unescaped ;"},
		{"angle bracket", "O=a<b", "unescaped <"},
		{"closing angle bracket", "O=a>b", "unescaped >"},
		{"backslash at the end", `O=a\`, "backslash that escapes nothing"},
		{"backslash before one digit", `O=a\2`, "backslash that escapes nothing"},
		{"backslash before a letter", `O=\zz`, "backslash that escapes nothing"},
		{"backslash before half a pair", `O=\2,C=US`, "backslash that escapes nothing"},
		{"octets not UTF-8", `O=\C3\28`, "not valid UTF-8"},
		{"lone surrogate", `O=\ED\A0\80`, "not valid UTF-8"},
		{"text not UTF-8", "O=\xc3", "is not valid UTF-8"},
		{"line feed", "O=a\nb", "U+000A"},
		{"tab", "O=a\tb", "U+0009"},
		{"bidi override", "O=a\u202eb", "U+202E"},
		{"bidi isolate", "O=a\u2066b", "U+2066"},
		{"zero-width space", "O=a\u200bb", "U+200B"},
		{"no-break space", "O=a\u00a0b", "U+00A0"},
		{"byte order mark", "\ufeffO=a", "no attribute type at character 1"},
		{"hex empty", "O=#", "not one DER element"},
		{"hex odd", "O=#0c1", "is not hex"},
		{"hex with spaces", "O=#0c 0161", "is not hex"},
		{"no hex", "O=#zz", "is not hex"},
		{"hex cut short", "O=#0c0261", "not one DER element"},
		{"hex with trailing bytes", "O=#0c016100", "not one DER element"},
		{"hex of an integer", "O=#020101", "that no subject can match"},
		{"hex of an empty string", "O=#0c00", "that no subject can match"},
		{"hex with NUL", "O=#0c0100", "that no subject can match"},
		{"hex of Teletex beyond ASCII", "O=#1401e9", "that no subject can match"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n, err := Parse(c.text)
			if err == nil {
				t.Fatalf("read as %s", n)
			}
			if reason.Of(err) != reason.CertNameSyntax {
				t.Errorf("code %q", reason.Of(err))
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v: does not say %q", err, c.says)
			}
			checkMessage(t, err)
			if len(n.Attributes()) != 0 {
				t.Error("a name beside the error")
			}
		})
	}
}

func TestParseBounds(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"bytes":      "O=" + strings.Repeat("a", maxTextBytes-1),
		"attributes": strings.Repeat("O=a,", maxAttributes) + "O=a",
	} {
		if _, err := Parse(text); reason.Of(err) != reason.CertNameTooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
	mustParse(t, "O="+strings.Repeat("a", maxTextBytes-2))
	mustParse(t, strings.Repeat("O=a,", maxAttributes-1)+"O=a")
}

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"C=US,ST=WA,O=a":                   "C=US,ST=WA,O=a",
		"  C = US , ST= WA ,O =a  ":        "C=US,ST=WA,O=a",
		"CN=a=b":                           "CN=a=b",
		"CN=a#b":                           "CN=a#b",
		`CN=\61\62`:                        "CN=ab",
		`CN=\\\,\+\"\<\>\;\#\=\ `:          `CN=\\\,\+\"\<\>\;#=\ `,
		"CN=a + O=b, C=US":                 "CN=a+O=b,C=US",
		"CN=#0c0161 , O=b":                 "CN=a,O=b",
		"CN=#0c0161+O=b":                   "CN=a+O=b",
		"1.2.840.113549.1.9.1=#16036140":   "",
		"e=a@b":                            "emailAddress=a@b",
		"DC=example, DC=com, UID=x":        "DC=example,DC=com,UID=x",
		"street=1 Way, postalCode=1":       "STREET=1 Way,postalCode=1",
		"organizationName=Zoë":             "O=Zoë",
		`CN=James \"Jim\" Smith\, III,C=x`: `CN=James \"Jim\" Smith\, III,C=x`,
	} {
		n, err := Parse(text)
		if want == "" {
			if err == nil {
				t.Errorf("%s is read as %s", text, n)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if n.String() != want {
			t.Errorf("%s: got %s, want %s", text, n, want)
		}
	}
}

func TestFromDERRefuses(t *testing.T) {
	t.Parallel()
	pair := utf8Attr(oidCN, "x")
	for name, raw := range map[string][]byte{
		"nothing":                 nil,
		"cut short":               usual()[:10],
		"trailing byte":           append(usual(), 0),
		"a set":                   testpki.DER(0x31),
		"primitive sequence":      {0x10, 0x00},
		"RDN is a sequence":       testpki.Name(testpki.DER(0x30, pair)),
		"attribute is a set":      testpki.Name(testpki.RDN(testpki.DER(0x31, pair))),
		"attribute cut short":     testpki.Name(testpki.RDN([]byte{0x30, 0x05, 0x06})),
		"RDN cut short":           testpki.Name([]byte{0x31, 0x05, 0x06}),
		"type is an integer":      testpki.Name(testpki.RDN(testpki.DER(0x30, []byte{2, 1, 1}, []byte{2, 1, 1}))),
		"type is empty":           testpki.Name(testpki.RDN(testpki.DER(0x30, []byte{6, 0}, []byte{2, 1, 1}))),
		"type cut short":          testpki.Name(testpki.RDN(testpki.DER(0x30, []byte{6, 2, 0x55, 0x80}, []byte{2, 1, 1}))),
		"type is long":            testpki.Name(testpki.RDN(testpki.DER(0x30, testpki.DER(6, make([]byte, maxOIDBytes+1)), []byte{2, 1, 1}))),
		"value missing":           testpki.Name(testpki.RDN(testpki.DER(0x30, testpki.OID(oidCN)))),
		"two values":              testpki.Name(testpki.RDN(testpki.DER(0x30, testpki.OID(oidCN), []byte{2, 1, 1}, []byte{2, 1, 1}))),
		"indefinite length":       {0x30, 0x80, 0x00, 0x00},
		"length not the shortest": {0x30, 0x81, 0x00},
	} {
		n, err := FromDER(raw)
		if reason.Of(err) != reason.CertNameEncoding {
			t.Errorf("%s: %v, %v", name, n, err)
			continue
		}
		checkMessage(t, err)
	}
}

func TestFromDERBounds(t *testing.T) {
	t.Parallel()
	var attributes [][]byte
	for range maxAttributes {
		attributes = append(attributes, utf8Attr(oidCN, "x"))
	}
	mustDER(t, single(attributes...))
	for name, raw := range map[string][]byte{
		"RDNs":         single(append(attributes, utf8Attr(oidCN, "x"))...),
		"multi-valued": testpki.Name(testpki.RDN(append(attributes, utf8Attr(oidCN, "x"))...)),
		"bytes":        single(utf8Attr(oidCN, strings.Repeat("x", maxDERBytes))),
	} {
		if _, err := FromDER(raw); reason.Of(err) != reason.CertNameTooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// checkMessage checks that an error is safe on a terminal and in style.
func checkMessage(t testing.TB, err error) {
	t.Helper()
	var e *reason.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v has no reason", err)
	}
	for _, text := range []string{err.Error(), e.Hint} {
		for _, r := range text {
			if !unicode.IsPrint(r) {
				t.Errorf("%q: %U is not safe to print", text, r)
			}
		}
	}
	if strings.HasSuffix(err.Error(), ".") || len(err.Error()) > 1000 {
		t.Errorf("%v: not in style", err)
	}
}
