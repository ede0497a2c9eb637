package uri_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/uri"
	"github.com/notaryv2/notation/reason"
)

func slot(n uint64) *uint64 { return &n }

func TestParse(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]uri.URI{
		"pkcs11:": {},
		"pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;object=my-certificate;type=private;id=%69%95%3E%5C%F4%BD%EC%91;serial=": {},
		"pkcs11:token=a;serial=1;object=b&c;id=%01%ff": {Token: "a", Serial: "1", Object: "b&c", ID: []byte{1, 255}},
		"pkcs11:token=Gr%c3%bcn;type=private":          {Token: "Grün", Type: "private"},
		"pkcs11:slot-id=0;slot-description=r;slot-manufacturer=m;library-version=2.40;library-description=d;library-manufacturer=x": {
			SlotID: slot(0), SlotDescription: "r", SlotManufacturer: "m", LibraryVersion: "2.40", LibraryDescription: "d", LibraryManufacturer: "x",
		},
		"pkcs11:id=a?pin-source=file:/etc/pin&module-path=/lib/m.so": {ID: []byte("a"), PINSource: "/etc/pin", ModulePath: "/lib/m.so"},
		"pkcs11:?pin-source=file:///etc/my%20pin":                    {PINSource: "/etc/my pin"},
		"pkcs11:?pin-source=file://localhost/etc/pin":                {PINSource: "/etc/pin"},
		"pkcs11:?pin-source=/etc/pin":                                {PINSource: "/etc/pin"},
	} {
		got, err := uri.Parse(s)
		if strings.HasSuffix(s, "serial=") { // an empty value would match less than it seems to
			if reason.Of(err) != reason.TokenURI {
				t.Errorf("%s: %v", s, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: %+v, %v", s, got, err)
			continue
		}
		again, err := uri.Parse(got.String())
		if err != nil || !reflect.DeepEqual(*again, want) {
			t.Errorf("%s: written as %s, %v", s, got, err)
		}
	}
}

// attack: KEY-08
// attack: KEY-09
func TestRefused(t *testing.T) {
	t.Parallel()
	for s, says := range map[string]string{
		"":                                    `does not begin with "pkcs11:"`,
		"PKCS11:token=a":                      "does not begin",
		"https://example.com":                 "does not begin",
		"pkcs11:token":                        "no attribute NAME=VALUE",
		"pkcs11:;":                            "no attribute NAME=VALUE",
		"pkcs11:token=a;":                     "no attribute NAME=VALUE",
		"pkcs11:token=":                       "has no value",
		"pkcs11:id=":                          "has no value",
		"pkcs11:token=a;token=b":              "given twice",
		"pkcs11:?pin-source=/a&pin-source=/b": "given twice",
		"pkcs11:tokne=a":                      `"tokne" is not known`,
		"pkcs11:x-vendor=a":                   "is not known",
		"pkcs11:Token=a":                      "is not known",
		"pkcs11:" + strings.Repeat("x", 100) + "=a":       "...",
		"pkcs11:pin-source=/a":                            "belongs after the question mark",
		"pkcs11:?token=a":                                 "belongs before the question mark",
		"pkcs11:?pin-value=1234":                          "a PIN has no place in a key id",
		"pkcs11:?pin-value=":                              "a PIN has no place in a key id",
		"pkcs11:?module-name=softhsm2":                    "module-name is not supported",
		"pkcs11:?":                                        "nothing follows",
		"pkcs11:token=a?":                                 "nothing follows",
		"pkcs11:token=a b":                                "must be written %20",
		"pkcs11:token=a/b":                                "must be written %2F",
		"pkcs11:token=ü":                                  "must be written %C3",
		"pkcs11:token=a?module-path=/a?pin-source=b#c":    "must be written %23",
		"pkcs11:token=%0":                                 "ends within",
		"pkcs11:token=%":                                  "ends within",
		"pkcs11:token=%zz":                                "two hexadecimal digits",
		"pkcs11:token=%+1":                                "two hexadecimal digits",
		"pkcs11:token=%ff":                                "no text in UTF-8",
		"pkcs11:object=a%00":                              "no text in UTF-8",
		"pkcs11:token=" + strings.Repeat("a", 33):         "more than 32 bytes",
		"pkcs11:serial=" + strings.Repeat("a", 17):        "more than 16 bytes",
		"pkcs11:id=" + strings.Repeat("%00", 257):         "more than 256 bytes",
		"pkcs11:object=" + strings.Repeat("a", 1025):      "more than 1024 bytes",
		"pkcs11:object=" + strings.Repeat("a", 4096):      "more than 4096 bytes",
		"pkcs11:type=cert":                                "names no private key",
		"pkcs11:type=%1b[31m":                             `"\x1b[31m"`,
		"pkcs11:slot-id=01":                               "no decimal number",
		"pkcs11:slot-id=-1":                               "no decimal number",
		"pkcs11:slot-id=18446744073709551616":             "no decimal number",
		"pkcs11:library-version=2.40.1":                   "no version",
		"pkcs11:library-version=2.":                       "no version",
		"pkcs11:library-version=2.256":                    "no version",
		"pkcs11:?pin-source=|/bin/cat":                    "not run",
		"pkcs11:?pin-source=%7C/bin/cat":                  "not run",
		"pkcs11:?pin-source=pin.txt":                      "no absolute path",
		"pkcs11:?pin-source=file:pin.txt":                 "no absolute path",
		"pkcs11:?pin-source=file://other.example/etc/pin": "no absolute path",
		"pkcs11:?pin-source=file:////host/share":          "no absolute path",
		"pkcs11:?pin-source=https://example.com/pin":      "no absolute path",
		"pkcs11:?module-path=libm.so":                     "no absolute path",
	} {
		_, err := uri.Parse(s)
		if reason.Of(err) != reason.TokenURI || !strings.Contains(err.Error(), says) || reason.Hint(err) == "" {
			t.Errorf("%.80s: %v, want %q", s, err, says)
		}
		if err != nil && strings.ContainsAny(err.Error()+reason.Hint(err), "\x1b\x00") {
			t.Errorf("%.80s: the error cannot be printed: %q", s, err)
		}
	}
}

func TestMatchesLibrary(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{"": true, "2": false, "2.6": true, "2.60": false, "3.6": false} {
		u := uri.URI{LibraryVersion: version}
		if u.MatchesLibrary(2, 6) != want {
			t.Errorf("%q", version)
		}
	}
	u := uri.URI{LibraryVersion: "2"}
	if !u.MatchesLibrary(2, 0) {
		t.Error("no minor number is 0")
	}
}

// FuzzParse wants what is read to be written and read again as the same, and
// errors that can be printed.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"pkcs11:", "pkcs11:token=a;id=%01;object=b?pin-source=file:/a&module-path=/b", "pkcs11:slot-id=1;library-version=2.40;type=private",
		"pkcs11:token=%20%c3%bc", "pkcs11:?pin-source=file://localhost/a", "pkcs11:?pin-value=1", "pkcs11:token=%",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := uri.Parse(s)
		if err != nil {
			if reason.Of(err) != reason.TokenURI || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
				t.Errorf("%q: %q", s, err)
			}
			return
		}
		again, err := uri.Parse(u.String())
		if err != nil && len(u.String()) <= 4096 || err == nil && !reflect.DeepEqual(u, again) {
			t.Errorf("%q is written as %q: %v", s, u, err)
		}
	})
}
