package certchain

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

func TestParse(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	got, err := Parse(chain.DER())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.EqualFunc(got, chain.Certs, (*x509.Certificate).Equal) {
		t.Error("other certificates")
	}
}

// signed returns a leaf that was changed and signed again, as DER.
func signed(t testing.TB, change func(*testpki.Raw)) []byte {
	c := testpki.New(t, testpki.Options{})
	raw := testpki.RawFrom(c.Leaf())
	change(&raw)
	return raw.Sign(t, c.Keys[1], x509.ECDSAWithSHA256)
}

// attack: CRT-02
// attack: CRT-03
// attack: CRT-07
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := testpki.New(t, testpki.Options{}).Leaf()
	// The members of the outer sequence, and one more.
	reopened := testpki.DER(0x30, content(good.Raw), []byte{5, 0})
	ecKeyOn := func(parameters []byte) []byte {
		return testpki.DER(0x30, testpki.DER(0x30, testpki.OID("1.2.840.10045.2.1"), parameters), testpki.BitString([]byte{4, 1, 2}))
	}
	for _, c := range []struct {
		name string
		der  [][]byte
		code reason.Code
		says string
	}{
		{"nothing", nil, reason.CertChainIncomplete, "is empty"},
		{"eleven", slices.Repeat([][]byte{good.Raw}, 11), reason.CertTooMany, "has 11 certificates"},
		{"over 64 KiB", [][]byte{good.Raw, make([]byte, MaxCertificateBytes+1)}, reason.CertTooLarge, "at position 2 of 65537 bytes"},
		{"no bytes", [][]byte{good.Raw, nil}, reason.CertParse, "certificate 2 of 2 cannot be parsed"},
		{"PEM", [][]byte{[]byte("-----BEGIN CERTIFICATE-----")}, reason.CertParse, "cannot be parsed"},
		{"cut short", [][]byte{good.Raw[:len(good.Raw)-1]}, reason.CertParse, "cannot be parsed"},
		{"empty sequence", [][]byte{{0x30, 0x00}}, reason.CertParse, "cannot be parsed"},
		{"trailing byte", [][]byte{append(slices.Clone(good.Raw), 0)}, reason.CertParse, "trailing data"},
		{"bytes after the signature", [][]byte{reopened}, reason.CertParse, "bytes after its signature"},
		{"version 4", [][]byte{signed(t, func(r *testpki.Raw) { r.Version = 4 })}, reason.CertVersion, "is of version 4"},
		{"version -1", [][]byte{signed(t, func(r *testpki.Raw) { r.Version = -1 })}, reason.CertVersion, "is of version -1"},
		{"serial negative", [][]byte{signed(t, func(r *testpki.Raw) { r.Serial = []byte{0xff} })}, reason.CertSerial, "negative"},
		{"extension twice", [][]byte{signed(t, func(r *testpki.Raw) { r.Extensions = append(r.Extensions, r.Extensions[0]) })},
			reason.CertDuplicateExtension, "has the extension 2.5.29.15 twice"},
		{"extension malformed", [][]byte{signed(t, func(r *testpki.Raw) {
			r.Extensions = append(r.Extensions, pkix.Extension{Id: oidSubjectAltName, Value: []byte{1}})
		})}, reason.CertParse, "cannot be parsed"},
		{"algorithms differ", [][]byte{signed(t, func(r *testpki.Raw) { r.Outer = testpki.DER(0x30, testpki.OID("1.2.840.10045.4.3.3")) })},
			reason.CertParse, "don't match"},
		{"explicit curve parameters", [][]byte{signed(t, func(r *testpki.Raw) { r.SPKI = testpki.WeakSPKI(t, "ec-256-explicit") })},
			reason.CertKeyType, "does not name its curve"},
		{"inherited curve parameters", [][]byte{signed(t, func(r *testpki.Raw) { r.SPKI = ecKeyOn([]byte{5, 0}) })},
			reason.CertKeyType, "does not name its curve"},
		{"secp256k1", [][]byte{signed(t, func(r *testpki.Raw) { r.SPKI = ecKeyOn(testpki.OID("1.3.132.0.10")) })},
			reason.CertKeyType, "another elliptic curve"},
		{"point that is none", [][]byte{signed(t, func(r *testpki.Raw) { r.SPKI = ecKeyOn(testpki.OID("1.2.840.10045.3.1.7")) })},
			reason.CertParse, "cannot be parsed"},
		{"issuer that is no name of strings", [][]byte{signed(t, func(r *testpki.Raw) {
			r.Issuer = testpki.Name(testpki.RDN(testpki.Attribute("2.5.4.3", 0x02, []byte{1})))
		})}, reason.CertNameString, "has in its issuer a value of a type that is not read in names (attribute 2.5.4.3)"},
		{"subject that is no name", [][]byte{signed(t, func(r *testpki.Raw) { r.Subject = testpki.DER(0x30, []byte{0x31, 2, 0x30, 0}) })},
			reason.CertParse, "cannot be parsed"},
		{"RSA exponent zero", [][]byte{signed(t, func(r *testpki.Raw) { r.SPKI = rsaSPKI(oddNumber(2048), 0) })},
			reason.CertParse, "exponent"},
		{"RSA modulus negative", [][]byte{signed(t, func(r *testpki.Raw) { r.SPKI = rsaSPKI(big.NewInt(-5), 65537) })},
			reason.CertParse, "modulus"},
		{"long hostile text", [][]byte{signed(t, func(r *testpki.Raw) {
			uri := testpki.DER(0x86, []byte("http://"+strings.Repeat("\x1b[2J", 10000)))
			r.Extensions = append(r.Extensions, generalNames(false, uri))
		})}, reason.CertParse, "cannot parse URI"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			chain, err := Parse(c.der)
			if chain != nil || reason.Of(err) != c.code {
				t.Fatalf("%v, want %q", err, c.code)
			}
			if !strings.Contains(err.Error(), c.says) || len(err.Error()) > 500 {
				t.Errorf("%v: does not say %q", err, c.says)
			}
			checkError(t, err)
		})
	}
}

// TestParseNames has a subject of each kind of value. Where crypto/x509 refuses
// one, the reason says so; where it does not, the certificate is read.
//
// attack: CRT-06
func TestParseNames(t *testing.T) {
	t.Parallel()
	const characters, notRead = "a string with characters that its type does not have", "a value of a type that is not read in names"
	const bmp = "a BMPString that holds what is no character of it"
	for _, c := range []struct {
		name  string
		tag   byte
		value string
		says  string // "": accepted
	}{
		{"printable", testpki.PrintableString, "Acme (1) 'x'+,-./:=?", ""},
		{"printable with & and *", testpki.PrintableString, "a&b*", ""},
		{"printable with @", testpki.PrintableString, "a@b", characters},
		{"printable with _", testpki.PrintableString, "a_b", characters},
		{"printable with !", testpki.PrintableString, "Yahoo!", characters},
		{"printable beyond ASCII", testpki.PrintableString, "é", characters},
		{"numeric", 0x12, "12 3", ""},
		{"numeric with a dash", 0x12, "12-3", characters},
		{"IA5", testpki.IA5String, "a@b", ""},
		{"IA5 beyond ASCII", testpki.IA5String, "caf\xe9", characters},
		{"UTF-8", testpki.UTF8String, "Zoë", ""},
		{"empty", testpki.UTF8String, "", ""},
		{"invalid UTF-8", testpki.UTF8String, "caf\xe9", "a UTF8String that is not UTF-8"},
		{"Teletex beyond ASCII", testpki.TeletexString, "caf\xe9", ""},
		{"BMP", testpki.BMPString, "\x00a", ""},
		{"BMP of three octets", testpki.BMPString, "\x00a\x00", bmp},
		{"BMP with a surrogate", testpki.BMPString, "\xd8\x3d\xde\x00", bmp},
		{"BMP with a noncharacter", testpki.BMPString, "\xff\xfe", bmp},
		{"BMP with an Arabic noncharacter", testpki.BMPString, "\xfd\xd0", bmp},
		{"universal", 0x1c, "\x00\x00\x00a", notRead},
		{"visible", 0x1a, "abc", notRead},
		{"general", 0x1b, "abc", notRead},
		{"integer", 0x02, "\x01", notRead},
		{"bit string", 0x03, "\x00\x01", notRead},
		{"sequence", 0x30, "\x0c\x01x", "a value that is no string"},
		{"constructed string", 0x2c, "\x0c\x01x", "a value that is no string"},
		{"context-specific tag", 0x8c, "x", "a value that is no string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			der := signed(t, func(r *testpki.Raw) {
				r.Subject = testpki.Name(
					testpki.RDN(testpki.Attribute("2.5.4.6", testpki.PrintableString, []byte("US"))),
					testpki.RDN(testpki.Attribute("2.5.4.10", c.tag, []byte(c.value))))
			})
			_, err := Parse([][]byte{der})
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if want := "certificate 1 of 1 has in its subject " + c.says + " (attribute 2.5.4.10)"; reason.Of(err) != reason.CertNameString || err.Error() != want {
				t.Fatalf("got %v (%s), want %s", err, reason.Of(err), want)
			}
			checkError(t, err)
			if !strings.Contains(reason.Hint(err), "UTF8String") {
				t.Errorf("hint %q", reason.Hint(err))
			}
		})
	}
}

func TestParseAcceptsTheLimits(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{Length: MaxCertificates})
	if _, err := Parse(chain.DER()); err != nil {
		t.Error(err)
	}
	size := 64000
	large := func() []byte {
		return withExtension(0, pkix.Extension{Id: someOID, Value: make([]byte, size)})(t, testpki.Options{})[0].Raw
	}
	size += MaxCertificateBytes - len(large())
	// A serial number or signature may be an octet shorter.
	for raw := large(); ; raw = large() {
		if len(raw) == MaxCertificateBytes {
			if _, err := Parse([][]byte{raw}); err != nil {
				t.Error(err)
			}
			return
		}
	}
}

func TestShorten(t *testing.T) {
	t.Parallel()
	got := shorten(strings.Repeat("é", maxQuoted))
	if got != strings.Repeat("é", maxQuoted/2)+"…" {
		t.Error(got)
	}
	if got := shorten(strings.Repeat("\x80", maxQuoted+1)); got != "…" {
		t.Errorf("%q", got)
	}
	if got := shorten("x" + strings.Repeat("é", maxQuoted)); got != "x"+strings.Repeat("é", maxQuoted/2-1)+"…" {
		t.Error(got)
	}
}
