package dn

import (
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// A matchCase is a pattern, a subject and whether the one matches the other.
type matchCase struct {
	name    string
	pattern string
	subject []byte
	want    bool
}

func runMatches(t *testing.T, cases []matchCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			subject := mustDER(t, c.subject)
			if got := mustParse(t, c.pattern).Matches(subject); got != c.want {
				t.Errorf("%s matches %s: %v, want %v", c.pattern, subject, got, c.want)
			}
		})
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	runMatches(t, []matchCase{
		{"all attributes", "C=US, ST=WA, O=acme", usual(), true},
		{"a subset", "O=acme", usual(), true},
		{"further types are ignored", "C=US, ST=WA, O=acme", usual(utf8Attr(oidCN, "x"), utf8Attr(oidOU, "y")), true},
		{"a type is missing", "C=US, ST=WA, O=acme, OU=y", usual(), false},
		{"another value", "C=US, ST=WA, O=other", usual(), false},
		{"value is a prefix", "O=acm", usual(), false},
		{"dotted type", "2.5.4.10=acme", usual(), true},
		{"unnamed type", "1.2.3.4=x", usual(utf8Attr("1.2.3.4", "x")), true},
		{"type beyond 31 bits", "2.25.329800735698586629295641978511506172918=x",
			usual(utf8Attr("2.25.99999", "x")), false},
	})
}

// attack: CRT-06
func TestMatchesUnusualNames(t *testing.T) {
	t.Parallel()
	multi := testpki.Name(
		testpki.RDN(utf8Attr(oidC, "US"), utf8Attr(oidST, "WA")),
		testpki.RDN(utf8Attr(oidO, "acme"), utf8Attr(oidCN, "x")))
	bmp := func(s string) []byte {
		var b []byte
		for _, r := range s {
			b = append(b, byte(r>>8), byte(r))
		}
		return testpki.Attribute(oidCN, testpki.BMPString, b)
	}
	cn := func(s string) []byte { return usual(utf8Attr(oidCN, s)) }
	tagged := func(tag byte, s string) []byte { return usual(testpki.Attribute(oidCN, tag, []byte(s))) }

	runMatches(t, []matchCase{
		{"multi-valued RDN, flat pattern", "C=US, ST=WA, O=acme", multi, true},
		{"multi-valued RDN, multi-valued pattern", "C=US+ST=WA,CN=x+O=acme", multi, true},
		{"flat subject, multi-valued pattern", "C=US+ST=WA+O=acme", usual(), true},
		{"plus inside a value is not an RDN", `O=acme+CN=x`, single(utf8Attr(oidO, "acme+CN=x")), false},

		{"second O in the subject", "C=US, ST=WA, O=acme", usual(utf8Attr(oidO, "evil")), false},
		{"second O before the first", "O=acme", single(utf8Attr(oidO, "evil"), utf8Attr(oidO, "acme")), false},
		{"second O of the same value", "O=acme", usual(utf8Attr(oidO, "acme")), false},
		{"second O empty", "O=acme", usual(utf8Attr(oidO, "")), false},
		{"second O in one RDN", "O=acme", testpki.Name(testpki.RDN(utf8Attr(oidO, "acme"), utf8Attr(oidO, "evil"))), false},
		{"second O that is no string", "O=acme", usual(testpki.Attribute(oidO, 0x02, []byte{1})), false},
		{"both O named", "O=evil, O=acme", usual(utf8Attr(oidO, "evil")), true},
		{"both O named, one there", "O=evil, O=acme", usual(), false},
		{"one O named twice", "O=acme, O=acme", usual(), false},
		{"one O named twice and there twice", "O=acme, O=acme", usual(utf8Attr(oidO, "acme")), true},
		{"same count, other multiplicity", "O=a, O=a, O=b", single(utf8Attr(oidO, "a"), utf8Attr(oidO, "b"), utf8Attr(oidO, "b")), false},

		{"other order", "O=acme, C=US, ST=WA", usual(), true},

		{"escaped comma", `CN=a\,b`, cn("a,b"), true},
		{"comma as hex pair", `CN=a\2Cb`, cn("a,b"), true},
		{"comma as lower-case hex pair", `CN=a\2cb`, cn("a,b"), true},
		{"CN that holds an O does not match the O", `C=US, ST=WA, O=acme`,
			single(utf8Attr(oidC, "US"), utf8Attr(oidST, "WA"), utf8Attr(oidCN, "x,O=acme")), false},
		{"CN that holds an O does not match CN and O", `CN=x, O=acme`, single(utf8Attr(oidCN, "x,O=acme")), false},
		{"CN that holds an O matches itself", `CN=x\,O\=acme`, single(utf8Attr(oidCN, "x,O=acme")), true},
		{"NUL does not end a value", "CN=good", cn("good\x00evil"), false},
		{"NUL at the end counts", "CN=good", cn("good\x00"), false},

		{"hex value", "CN=#0c0178", cn("x"), true},
		{"hex value of another string type", "CN=#130178", cn("x"), true},
		{"hex value in capitals", "CN=#0C0178", cn("x"), true},
		{"text that looks like hex", `CN=\#0c0178`, cn("x"), false},
		{"text that looks like hex, literally", `CN=\#0c0178`, cn("#0c0178"), true},
		{"escaped quotes", `CN=\"x\"`, cn(`"x"`), true},
		{"quotes are not optional", `CN=x`, cn(`"x"`), false},

		{"leading space in the subject", "CN=x", cn(" x"), false},
		{"trailing space in the subject", "CN=x", cn("x "), false},
		{"escaped leading space", `CN=\ x`, cn(" x"), true},
		{"escaped trailing space", `CN=x\ `, cn("x "), true},
		{"escaped trailing space, then more", `CN=x\   `, cn("x "), true},
		{"hex pair of trailing space", `CN=x\20, O=acme`, cn("x "), true},
		{"inner spaces are not folded", "CN=a  b", cn("a b"), false},
		{"inner spaces", "CN=a  b", cn("a  b"), true},

		{"type case", "c=US, sT=WA, o=acme", usual(), true},
		{"value case", "O=ACME", usual(), false},
		{"S is ST", "C=US, S=WA, O=acme", usual(), true},

		{"NFC", "CN=caf\u00e9", cn("caf\u00e9"), true},
		{"NFC is not NFD", "CN=caf\u00e9", cn("cafe\u0301"), false},
		{"NFD is not NFC", "CN=cafe\u0301", cn("caf\u00e9"), false},
		{"escaped octets", `CN=caf\C3\A9`, cn("caf\u00e9"), true},
		{"homoglyph", "CN=acme", cn("\u0430cme"), false},
		{"bidi override in the subject", "CN=acme", cn("\u202eacme"), false},
		{"bidi override escaped", `CN=\E2\80\AEacme`, cn("\u202eacme"), true},
		{"zero-width space", "CN=acme", cn("ac\u200bme"), false},

		{"PrintableString", "CN=x", tagged(testpki.PrintableString, "x"), true},
		{"IA5String", "CN=x@y", tagged(testpki.IA5String, "x@y"), true},
		{"NumericString", "CN=12", tagged(testpki.NumericString, "12"), true},
		{"Teletex ASCII", "CN=x", tagged(testpki.TeletexString, "x"), true},
		{"Teletex beyond ASCII", "CN=\u00e9", tagged(testpki.TeletexString, "\xe9"), false},
		{"Teletex beyond ASCII as UTF-8", "CN=\u00e9", tagged(testpki.TeletexString, "\u00e9"), false},
		{"PrintableString beyond ASCII", "CN=\u00e9", tagged(testpki.PrintableString, "\u00e9"), false},
		{"UTF8String not valid", "CN=x", tagged(testpki.UTF8String, "x\xff"), false},
		{"BMP string", "CN=caf\u00e9", usual(bmp("caf\u00e9")), true},
		{"BMP string, other value", "CN=cafe", usual(bmp("caf\u00e9")), false},
		{"BMP string with a terminator", "CN=x", usual(bmp("x\x00")), false},
		{"BMP string with surrogates", "CN=\U0001F600", tagged(testpki.BMPString, "\xd8\x3d\xde\x00"), false},
		{"BMP string of odd length", "CN=x", tagged(testpki.BMPString, "\x00x\x00"), false},
		{"universal string", "CN=\U0001F600", tagged(testpki.UniversalString, "\x00\x01\xf6\x00"), true},
		{"universal string with a surrogate", "CN=\ufffd", tagged(testpki.UniversalString, "\x00\x00\xd8\x3d"), false},
		{"universal string beyond Unicode", "CN=x", tagged(testpki.UniversalString, "\xff\x01\xf6\x00"), false},

		{"empty value elsewhere", "C=US, ST=WA, O=acme", usual(utf8Attr(oidOU, "")), true},
		{"EV attributes ignored", "C=US, ST=WA, O=acme", usual(
			utf8Attr("2.5.4.15", "Private Organization"),
			utf8Attr("1.3.6.1.4.1.311.60.2.1.3", "US"),
			utf8Attr("1.3.6.1.4.1.311.60.2.1.2", "DE")), true},
		{"EV attributes named", "businessCategory=Private Organization, jurisdictionC=US, jurisdictionStateOrProvinceName=DE, JURISDICTIONL=x",
			single(utf8Attr("2.5.4.15", "Private Organization"),
				utf8Attr("1.3.6.1.4.1.311.60.2.1.3", "US"),
				utf8Attr("1.3.6.1.4.1.311.60.2.1.2", "DE"),
				utf8Attr("1.3.6.1.4.1.311.60.2.1.1", "x")), true},
		{"jurisdiction is not the country", "C=US", single(utf8Attr("1.3.6.1.4.1.311.60.2.1.3", "US")), false},
		{"emailAddress", "emailAddress=a@b.c", usual(testpki.Attribute(oidEmail, testpki.IA5String, []byte("a@b.c"))), true},
		{"serialNumber", "SERIALNUMBER=12", usual(testpki.Attribute("2.5.4.5", testpki.PrintableString, []byte("12"))), true},
		{"attribute that is no string, not named", "O=acme", usual(testpki.Attribute(oidCN, 0x02, []byte{1})), true},
		{"attribute that is no string, named", `CN=\01`, usual(testpki.Attribute(oidCN, 0x02, []byte{1})), false},
		{"context-specific tag", `CN=x`, tagged(0x8c, "x"), false},
	})
}

func TestMatchesNothing(t *testing.T) {
	t.Parallel()
	subject := mustDER(t, usual())
	if (Name{}).Matches(subject) || (Name{}).Matches(Name{}) {
		t.Error("the empty pattern matches")
	}
	if mustParse(t, "O=acme").Matches(Name{}) {
		t.Error("the empty subject matches")
	}
	odd := mustDER(t, single(testpki.Attribute(oidCN, testpki.TeletexString, []byte("\xe9"))))
	if odd.Matches(odd) {
		t.Error("a value without a reading equals itself")
	}
}

func TestOverlaps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"C=US, ST=WA, O=a", "C=US, ST=WA, O=a", true},
		{"C=US, ST=WA, O=a", "O=a, S=WA, C=US", true},
		{"C=US, ST=WA, O=a", "C=US, ST=WA, O=a, OU=x", true},
		{"C=US, ST=WA, O=a", "C=US, ST=WA, O=b", false},
		{"C=US, ST=WA, O=a", "C=US, ST=WA, O=A", false},
		{"C=US, ST=WA, O=a, OU=x", "C=US, ST=WA, O=a, CN=y", false},
		{"O=a", `O=#0c0161`, true},
		// Neither matches what the other does: one O against two.
		{"O=a", "O=a, O=b", false},
		{"O=a, O=b", "O=b, O=a, CN=x", true},
	} {
		a, b := mustParse(t, c.a), mustParse(t, c.b)
		if got := a.Overlaps(b); got != c.want {
			t.Errorf("%s overlaps %s: %v", c.a, c.b, got)
		}
		if a.Overlaps(b) != b.Overlaps(a) {
			t.Errorf("%s and %s: not symmetric", c.a, c.b)
		}
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"C=US, ST=WA, O=a":         nil,
		"c=US, s=WA, o=a, CN=x":    nil,
		"C=US, O=a":                {"ST"},
		"CN=x":                     {"C", "ST", "O"},
		"2.5.4.6=US, O=a":          {"ST"},
		"jurisdictionC=US, ST=x":   {"C", "O"},
		`CN=C\=US\,ST\=WA\,O\=a`:   {"C", "ST", "O"},
		"stateOrProvinceName=WA":   {"C", "O"},
		"C=US, ST=WA, O=a, L=Town": nil,
	} {
		if got := mustParse(t, text).Missing(); !slices.Equal(got, want) {
			t.Errorf("%s: missing %v, want %v", text, got, want)
		}
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	cn := func(value string) []byte { return single(utf8Attr(oidCN, value)) }
	for _, c := range []struct {
		name string
		der  []byte
		want string
	}{
		{"reverse order", usual(utf8Attr(oidCN, "x")), "CN=x,O=acme,ST=WA,C=US"},
		{"multi-valued", testpki.Name(
			testpki.RDN(utf8Attr(oidC, "US")),
			testpki.RDN(utf8Attr(oidO, "a"), utf8Attr(oidOU, "b")),
			testpki.RDN(utf8Attr(oidCN, "x"))), "CN=x,O=a+OU=b,C=US"},
		{"specials", cn(`"+,;<>\=`), `CN=\"\+\,\;\<\>\\=`},
		{"hash", cn("##"), `CN=\##`},
		{"spaces", cn("  a  "), `CN=\  a \ `},
		{"one space", cn(" "), `CN=\ `},
		{"NUL", cn("a\x00"), `CN=a\00`},
		{"terminal escape", cn("\x1b[31m\n"), `CN=\1B[31m\0A`},
		{"C1 control", cn("\u009b31m"), `CN=\C2\9B31m`},
		{"bidi", cn("a\u202eb\u2066"), `CN=a\E2\80\AEb\E2\81\A6`},
		{"no-break space", cn("a\u00a0b"), `CN=a\C2\A0b`},
		{"letters", cn("Zoë 公司"), "CN=Zoë 公司"},
		{"empty value", cn(""), "CN="},
		{"no text", single(testpki.Attribute(oidCN, 0x02, []byte{5})), "CN=#020105"},
		{"teletex", single(testpki.Attribute(oidCN, testpki.TeletexString, []byte{0xe9})), "CN=#1401e9"},
		{"unnamed type", single(utf8Attr("1.2.3.4", "x")), "1.2.3.4=#0c0178"},
		{"empty RDN", testpki.Name(testpki.RDN(), testpki.RDN(utf8Attr(oidCN, "x"))), "CN=x"},
		{"empty", testpki.Name(), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := mustDER(t, c.der).String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if got := mustParse(t, "c=US , 1.2.3.4=x + S = WA").String(); got != "C=US,1.2.3.4=#0c0178+ST=WA" {
		t.Error(got)
	}
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	got := mustParse(t, `C=US, S=WA, O=a\,b, 1.2.3=x`).Attributes()
	want := []Attribute{{"C", "US"}, {"ST", "WA"}, {"O", `a\,b`}, {"1.2.3", "#0c0178"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestDisplay(t *testing.T) {
	t.Parallel()
	if got := Display(usual()); got != "O=acme,ST=WA,C=US" {
		t.Error(got)
	}
	if got := Display([]byte{0x30}); got != "[unreadable name]" {
		t.Error(got)
	}
	if got := Display(testpki.Name()); got != "[empty name]" {
		t.Error(got)
	}
	got := Display(single(utf8Attr(oidCN, strings.Repeat("é", 1000))))
	if len(got) > maxDisplay+len("…") || !strings.HasSuffix(got, "é…") {
		t.Error(got)
	}
	if typeName("\x80") != "?" {
		t.Error("a type that is no object identifier has a name")
	}
}

// TestPlain: what is plain is what RFC 4514 section 2.4 escapes nothing of.
func TestPlain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		value string
		want  bool
	}{
		{"", true}, {"a", true}, {"a b", true}, {"a#", true}, {"a=b", true}, {"~!", true},
		{" a", false}, {"a ", false}, {" ", false}, {"#a", false}, {"a,b", false}, {`a\b`, false}, {`a"`, false}, {"a+b", false},
		{"a;b", false}, {"<", false}, {">", false}, {"\x00", false}, {"\x7f", false}, {"é", false}, {"\u202e", false},
	} {
		if got := plain(tt.value); got != tt.want || got && escape(tt.value) != tt.value {
			t.Errorf("%q: plain %t, escaped %q", tt.value, got, escape(tt.value))
		}
	}
}
