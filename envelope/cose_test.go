package envelope_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// coseCase is one way to bend a COSE envelope.
type coseCase struct {
	name string
	bend func(f *coseForge)
	want reason.Code // "": accepted
}

func runCOSE(t *testing.T, cases []coseCase) {
	t.Helper()
	chain := testpki.New(t, testpki.Options{})
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newCOSE(chain)
			tt.bend(f)
			_, err := verify(envelope.MediaTypeCOSE, f.encode(t))
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantReason(t, err, tt.want)
		})
	}
}

func set(key, value []byte) func(*coseForge) { return func(f *coseForge) { f.set(key, value) } }
func remove(key []byte) func(*coseForge)     { return func(f *coseForge) { f.remove(key) } }
func unprotect(key, value []byte) func(*coseForge) {
	return func(f *coseForge) { f.unprotected = append(f.unprotected, pair{key, value}) }
}

// extend adds an attribute without looking whether it is there.
func extend(key, value []byte) func(*coseForge) {
	return func(f *coseForge) { f.protected = append(f.protected, pair{key, value}) }
}

func all(fs ...func(*coseForge)) func(*coseForge) {
	return func(f *coseForge) {
		for _, g := range fs {
			g(f)
		}
	}
}

func critical(labels ...[]byte) func(*coseForge) { return set(num(2), array(labels...)) }

// attack: ENV-01
func TestCOSEAlgorithm(t *testing.T) {
	t.Parallel()
	cases := []coseCase{
		{"missing", remove(num(1)), reason.EnvelopeAlgorithm},
		{"text", set(num(1), text("ES256")), reason.EnvelopeAlgorithm},
		{"null", set(num(1), []byte{0xf6}), reason.EnvelopeAlgorithm},
		{"twice", extend(num(1), num(-7)), reason.EnvelopeCBOR},
		{"unprotected only", all(remove(num(1)), unprotect(num(1), num(-7))), reason.EnvelopeAlgorithm},
		{"in both headers", unprotect(num(1), num(-7)), reason.EnvelopeUnprotected},
		{"as a text label", set(text("alg"), num(-7)), reason.EnvelopeHeader},
		{"as a text label of the number", set(text("1"), num(-7)), reason.EnvelopeHeader},
	}
	for name, number := range map[string]int64{
		"HMAC 256": 5, "RS256": -257, "RS512": -259, "ES256K": -47, "EdDSA": -8, "ESP256": -9, "reserved": 0, "positive": 7,
		"ES384 with this key": -35, "PS256 with this key": -37, "smallest": math.MinInt64, "largest": math.MaxInt64,
	} {
		cases = append(cases, coseCase{name, set(num(1), num(number)), reason.EnvelopeAlgorithm})
	}
	cases = append(cases, coseCase{"beyond 64 bits", set(num(1), head(1, math.MaxUint64)), reason.EnvelopeAlgorithm})
	runCOSE(t, cases)
}

// attack: ENV-02
func TestCOSECritical(t *testing.T) {
	t.Parallel()
	many := make([][]byte, 129)
	for i := range many {
		many[i] = text(strings.Repeat("x", i+1))
	}
	runCOSE(t, []coseCase{
		{"missing", remove(num(2)), reason.EnvelopeCritical},
		{"empty", critical(), reason.EnvelopeCritical},
		{"a text", set(num(2), text(scheme)), reason.EnvelopeCritical},
		{"null", set(num(2), []byte{0xf6}), reason.EnvelopeCritical},
		{"without the scheme", all(critical(text("a")), set(text("a"), num(1))), reason.EnvelopeCritical},
		{"a name that is absent", critical(text(scheme), text("a")), reason.EnvelopeCritical},
		{"a name twice", critical(text(scheme), text(scheme)), reason.EnvelopeCritical},
		{"label 1", critical(text(scheme), num(1)), reason.EnvelopeCritical},
		{"label 3", critical(num(3), text(scheme)), reason.EnvelopeCritical},
		{"label 33", all(critical(num(33), text(scheme))), reason.EnvelopeCritical},
		{"an unknown integer", all(critical(num(1000), text(scheme)), set(num(1000), num(1))), reason.EnvelopeCritical},
		{"an unknown negative integer", all(critical(text(scheme), num(-70000)), set(num(-70000), num(1))), reason.EnvelopeCritical},
		{"the text of an integer label", all(critical(text(scheme), text("1000")), set(num(1000), num(1))), reason.EnvelopeCritical},
		{"a byte string", critical(text(scheme), bstr([]byte("a"))), reason.EnvelopeCritical},
		{"an empty text", critical(text(scheme), text("")), reason.EnvelopeCritical},
		{"alg as a text", critical(text(scheme), text("alg")), reason.EnvelopeCritical},
		{"an unprotected name", all(critical(text(scheme), text("a")), unprotect(text("a"), num(1))), reason.EnvelopeCritical},
		{"in the unprotected header", unprotect(num(2), array(text(scheme))), reason.EnvelopeUnprotected},
		{"in the unprotected header by name", unprotect(text("crit"), array(text(scheme))), reason.EnvelopeUnprotected},
		{"expiry not listed", set(text(expiryName), tag(1, num(1772600768))), reason.EnvelopeCritical},
		{"plugin not listed", set(text(pluginName), text("p")), reason.EnvelopeCritical},
		{"version not listed", all(critical(text(scheme), text(pluginName)), set(text(pluginName), text("p")), set(text(versionName), text("1.0.0"))), reason.EnvelopeCritical},
		{"all listed", all(critical(text(scheme), text(pluginName), text(versionName), text(expiryName), text("a")), set(text(pluginName), text("p")),
			set(text(versionName), text("1.0.0")), set(text("a"), num(1)), set(text(expiryName), tag(1, num(1772600768)))), ""},
		{"b64", set(text("b64"), []byte{0xf4}), reason.EnvelopeHeader},
		{"very long", critical(many...), reason.EnvelopeTooLarge},
	})
}

// attack: ENV-03
func TestCOSEScheme(t *testing.T) {
	t.Parallel()
	authority := set(text(scheme), text("notary.x509.signingAuthority"))
	authentic := all(set(text(authTimeName), goodTime), critical(text(scheme), text(authTimeName)))
	runCOSE(t, []coseCase{
		{"missing", remove(text(scheme)), reason.EnvelopeScheme},
		{"unknown", set(text(scheme), text("notary.x509v2")), reason.EnvelopeScheme},
		{"a byte string", set(text(scheme), bstr([]byte("notary.x509"))), reason.EnvelopeHeader},
		{"both times", authentic, reason.EnvelopeTime},
		{"both times, authority", all(authority, authentic), reason.EnvelopeTime},
		{"authentic time only", all(authentic, remove(text(timeName))), reason.EnvelopeTime},
		{"authority with a plain time", authority, reason.EnvelopeTime},
		{"no time", remove(text(timeName)), reason.EnvelopeTime},
		{"authority without time", all(authority, remove(text(timeName))), reason.EnvelopeTime},
		{"authority with its time not critical", all(authority, remove(text(timeName)), set(text(authTimeName), goodTime)), reason.EnvelopeCritical},
		{"authority", all(authority, authentic, remove(text(timeName))), ""},
	})
}

// attack: ENV-04
func TestCOSETimes(t *testing.T) {
	t.Parallel()
	var cases []coseCase
	for name, value := range map[string][]byte{
		"no tag":            num(1772600767),
		"tag 0":             tag(0, text("2026-03-04T05:06:07Z")),
		"text":              text("2026-03-04T05:06:07Z"),
		"float":             tag(1, []byte{0xfb, 0x41, 0xda, 0x6a, 0x0e, 0x0f, 0xc0, 0, 0}),
		"half float":        tag(1, []byte{0xf9, 0x3c, 0x00}),
		"float without tag": {0xfb, 0x41, 0xda, 0x6a, 0x0e, 0x0f, 0xc0, 0, 0},
		"text in tag 1":     tag(1, text("1772600767")),
		"tag 100":           tag(100, num(20000)),
		"tag in tag":        tag(1, tag(1, num(1772600767))),
		"array of one":      array(num(1772600767)),
		"map of one":        cborMap(pair{num(1772600767), num(1772600767)}),
		"array in tag 1":    tag(1, array()),
		"negative":          tag(1, num(-1)),
		"year 0":            tag(1, num(-62167219200)),
		"year 3000":         tag(1, num(32503680000)),
		"year 9999":         tag(1, num(253402300799)),
		"64 bits":           tag(1, head(0, math.MaxUint64)),
		"63 bits":           tag(1, head(0, math.MaxInt64)),
		"bignum":            tag(1, tag(2, bstr([]byte{1}))),
		"null":              {0xf6},
		"null in tag 1":     tag(1, []byte{0xf6}),
	} {
		cases = append(cases,
			coseCase{"signing time " + name, set(text(timeName), value), reason.EnvelopeTime},
			coseCase{"expiry " + name, all(set(text(expiryName), value), critical(text(scheme), text(expiryName))), reason.EnvelopeTime},
			coseCase{"authentic time " + name, all(set(text(authTimeName), value), critical(text(scheme), text(authTimeName)), remove(text(timeName))), reason.EnvelopeTime},
		)
	}
	expiry := func(n int64) func(*coseForge) {
		return all(set(text(expiryName), tag(1, num(n))), critical(text(scheme), text(expiryName)))
	}
	cases = append(cases,
		coseCase{"expiry at signing", expiry(1772600767), reason.EnvelopeTime},
		coseCase{"expiry after signing", expiry(1772600768), ""},
		coseCase{"first second", set(text(timeName), tag(1, num(0))), ""},
		coseCase{"last second", set(text(timeName), tag(1, num(32503679999))), ""},
	)
	runCOSE(t, cases)
}

// attack: ENV-07
func TestCOSEEncoding(t *testing.T) {
	t.Parallel()
	protectedWith := func(change func([]byte) []byte) func(*coseForge) {
		return func(f *coseForge) { f.rawProtected = bstr(change(cborMap(f.protected...))) }
	}
	long := func(n int) []byte { // an array of one, n deep
		return append(bytes.Repeat([]byte{0x81}, n), 0x00)
	}
	start := func(b ...byte) func(*coseForge) { return func(f *coseForge) { f.start = b } }
	rawPayload := func(b ...byte) func(*coseForge) { return func(f *coseForge) { f.payload = b } }
	cbor := reason.EnvelopeCBOR
	runCOSE(t, []coseCase{
		{"tag missing", start(0x84), cbor},
		{"wrong tag", start(0xd1, 0x84), cbor},
		{"COSE_Sign", start(0xd8, 98, 0x84), cbor},
		{"tag in a longer form", start(0xd8, 18, 0x84), cbor},
		{"tag twice", start(0xd2, 0xd2, 0x84), cbor},
		{"self-described CBOR", start(0xd9, 0xd9, 0xf7, 0xd2, 0x84), cbor},
		{"array of five", start(0xd2, 0x85), cbor},
		{"array in a longer form", start(0xd2, 0x98, 4), cbor},
		{"indefinite array", all(start(0xd2, 0x9f), func(f *coseForge) { f.trail = []byte{0xff} }), cbor},
		{"trailing byte", func(f *coseForge) { f.trail = []byte{0} }, cbor},
		{"trailing break", func(f *coseForge) { f.trail = []byte{0xff} }, cbor},
		{"detached payload", rawPayload(0xf6), cbor},
		{"undefined payload", rawPayload(0xf7), cbor},
		{"payload as text", func(f *coseForge) { f.payload = text(goodPayload) }, cbor},
		{"payload as an array", rawPayload(0x81, 0x01), cbor},
		{"empty payload", rawPayload(0x40), reason.EnvelopePayload},
		{"indefinite payload", rawPayload(0x5f, 0x41, 0x7b, 0x41, 0x7d, 0xff), cbor},
		{"payload in a longer form", func(f *coseForge) {
			f.payload = cat([]byte{0x5a, 0, 0, 0, byte(len(goodPayload))}, []byte(goodPayload))
		}, cbor},
		{"payload length lies", rawPayload(0x5a, 0xff, 0xff, 0xff, 0xff), cbor},
		{"payload length of 64 bits lies", rawPayload(0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), cbor},
		{"signature null", func(f *coseForge) { f.signature = []byte{0xf6} }, cbor},
		{"signature empty", func(f *coseForge) { f.signature = bstr(nil) }, reason.EnvelopeSignature},
		{"signature cut off", func(f *coseForge) { f.signature = []byte{0x58, 64, 1, 2} }, cbor},
		{"signature as an array of numbers", func(f *coseForge) { f.signature = []byte{0x82, 1, 1} }, cbor},
		{"protected as a map", func(f *coseForge) { f.rawProtected = cborMap(f.protected...) }, cbor},
		{"protected empty", func(f *coseForge) { f.rawProtected = bstr(nil) }, reason.EnvelopeHeader},
		{"protected an empty map", func(f *coseForge) { f.rawProtected = bstr([]byte{0xa0}) }, reason.EnvelopeAlgorithm},
		{"protected no map", protectedWith(func([]byte) []byte { return []byte{0x01} }), cbor},
		{"protected cut off", protectedWith(func(b []byte) []byte { return b[:len(b)-1] }), cbor},
		{"protected with trailing data", protectedWith(func(b []byte) []byte { return append(b, 0) }), cbor},
		{"protected in an indefinite map", protectedWith(func(b []byte) []byte { return cat([]byte{0xbf}, b[1:], []byte{0xff}) }), cbor},
		{"protected map in a longer form", protectedWith(func(b []byte) []byte { return cat([]byte{0xb8, 5}, b[1:]) }), cbor},
		{"protected key in a longer form", func(f *coseForge) { f.protected[0][0] = []byte{0x18, 0x01} }, cbor},
		{"protected value in a longer form", set(num(1), []byte{0x38, 6}), cbor},
		{"protected value in two bytes", set(num(1), []byte{0x39, 0, 6}), cbor},
		{"protected value in eight bytes", set(num(1), []byte{0x3b, 0, 0, 0, 0, 0, 0, 0, 6}), cbor},
		{"time in eight bytes", set(text(timeName), cat([]byte{0xc1, 0x1b, 0, 0, 0, 0}, num(1772600767)[1:])), cbor},
		{"text in chunks", set(text("a"), []byte{0x7f, 0x61, 'b', 0xff}), cbor},
		{"text that is not UTF-8", set(text("a"), []byte{0x62, 0xc3, 0x28}), cbor},
		{"key that is not UTF-8", set([]byte{0x61, 0xff}, num(1)), cbor},
		{"duplicate text key", extend(text(scheme), text("notary.x509")), cbor},
		{"duplicate unprotected key", unprotect(num(33), certArray(nil)), cbor},
		{"duplicate key in an ignored value", unprotect(text("a"), cborMap(pair{num(1), num(1)}, pair{num(1), num(2)})), cbor},
		{"byte string as a key", set(bstr([]byte("a")), num(1)), cbor},
		{"array as a key", unprotect(array(), num(1)), cbor},
		{"tag as a key", unprotect(tag(1, num(1)), num(1)), cbor},
		{"map cut off after a key", func(f *coseForge) { f.rawUnprot = []byte{0xa1, 0x18} }, cbor},
		{"map of a lie", func(f *coseForge) { f.rawUnprot = []byte{0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff} }, cbor},
		{"unprotected no map", func(f *coseForge) { f.rawUnprot = array() }, cbor},
		{"array of a lie", unprotect(text("a"), []byte{0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), cbor},
		{"label beyond 64 bits", unprotect(head(0, math.MaxUint64), num(1)), cbor},
		{"negative label beyond 64 bits", unprotect(head(1, math.MaxUint64), num(1)), cbor},
		{"reserved length", unprotect(text("a"), []byte{0x1c}), cbor},
		{"undefined", unprotect(text("a"), []byte{0xf7}), cbor},
		{"unassigned simple value", unprotect(text("a"), []byte{0xe0}), cbor},
		{"simple value in two bytes", unprotect(text("a"), []byte{0xf8, 32}), cbor},
		{"break alone", unprotect(text("a"), []byte{0xff}), cbor},
		{"as deep as allowed", unprotect(text("a"), long(30)), ""},
		{"too deep", unprotect(text("a"), long(31)), reason.EnvelopeTooLarge},
		{"100,000 deep", unprotect(text("a"), long(100_000)), reason.EnvelopeTooLarge},
		{"100,000 tags", unprotect(text("a"), append(bytes.Repeat([]byte{0xc1}, 100_000), 0)), reason.EnvelopeTooLarge},
		{"text and integer label", all(set(text("4"), text("a")), set(num(4), bstr([]byte("a")))), reason.EnvelopeHeader},
		{"text label of content type", set(text("cty"), text(envelope.MediaTypePayload)), reason.EnvelopeHeader},
		{"text label of the chain", unprotect(text("x5chain"), num(1)), reason.EnvelopeHeader},
		{"text label of the chain by number", unprotect(text("33"), num(1)), reason.EnvelopeHeader},
		{"text label with a plus sign", set(text("+4"), num(1)), reason.EnvelopeHeader},
		{"empty text label", set(text(""), num(1)), reason.EnvelopeHeader},
	})
}

// attack: ENV-08
func TestCOSEHeaders(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	single := testpki.New(t, testpki.Options{Length: 1})
	certs := func(value []byte) func(*coseForge) {
		return func(f *coseForge) { f.unprotected = []pair{{num(33), value}} }
	}
	repeat := func(n int) []byte { return certArray(slices.Repeat([][]byte{{0x30, 0}}, n)) }
	cases := []coseCase{
		{"protected chain", func(f *coseForge) { f.unprotected = nil; f.set(num(33), certArray(f.chain.DER())) }, ""},
		{"chain in both headers", func(f *coseForge) { f.set(num(33), certArray(f.chain.DER())) }, reason.EnvelopeChain},
		{"one bare certificate", func(f *coseForge) {
			f.chain = single
			f.unprotected = []pair{{num(33), bstr(single.Leaf().Raw)}}
		}, ""},
		{"one certificate in an array", func(f *coseForge) {
			f.chain = single
			f.unprotected = []pair{{num(33), certArray(single.DER())}}
		}, ""},
		{"no chain", func(f *coseForge) { f.unprotected = nil }, reason.EnvelopeChain},
		{"empty chain", certs(array()), reason.EnvelopeChain},
		{"chain as text", certs(text("a")), reason.EnvelopeChain},
		{"chain of texts", certs(array(text("a"))), reason.EnvelopeChain},
		{"chain of arrays", certs(array(certArray(chain.DER()))), reason.EnvelopeChain},
		{"chain null", certs([]byte{0xf6}), reason.EnvelopeChain},
		{"eleven certificates", certs(repeat(11)), reason.EnvelopeChain},
		{"10,000 certificates", certs(repeat(10_000)), reason.EnvelopeChain},
		{"a certificate of 64 KiB and a byte", certs(array(bstr(make([]byte, 64<<10+1)))), reason.EnvelopeTooLarge},
		{"a bare certificate of 64 KiB and a byte", certs(bstr(make([]byte, 64<<10+1))), reason.EnvelopeTooLarge},
		{"the agent", unprotect(text(agentName), text("a")), ""},
		{"the agent as bytes", unprotect(text(agentName), bstr([]byte("a"))), reason.EnvelopeHeader},
		{"a timestamp", unprotect(text(tokenName), bstr([]byte{0x30, 0})), ""},
		{"a timestamp as text", unprotect(text(tokenName), text("0")), reason.EnvelopeHeader},
		{"an empty timestamp", unprotect(text(tokenName), bstr(nil)), ""},
		{"a timestamp in BER", unprotect(text(tokenName), bstr([]byte{0x30, 0x80, 0, 0})), ""},
		{"a timestamp as long as allowed", unprotect(text(tokenName), bstr(make([]byte, 64<<10))), ""},
		{"a timestamp that is too long", unprotect(text(tokenName), bstr(make([]byte, 64<<10+1))), reason.EnvelopeTimestamp},
		{"a signed timestamp", set(text(tokenName), bstr([]byte{0x30, 0})), reason.EnvelopeHeader},
		{"unknown parameters are ignored", all(unprotect(text("a"), tag(0, text("x"))), unprotect(num(-5), []byte{0xf9, 0x7e, 0})), ""},
		{"an integer label in both headers", all(set(num(4), num(1)), unprotect(num(4), num(1))), reason.EnvelopeUnprotected},
		{"a text label in both headers", all(set(text("a"), num(1)), unprotect(text("a"), num(1))), reason.EnvelopeUnprotected},
		{"65 unknown parameters", func(f *coseForge) {
			for i := range int64(65) {
				unprotect(num(100+i), num(0))(f)
			}
		}, reason.EnvelopeTooLarge},
		{"65 extended attributes", func(f *coseForge) {
			for i := range int64(65) {
				extend(num(100+i), num(0))(f)
			}
		}, reason.EnvelopeTooLarge},
		{"protected header too long", set(text("a"), bstr(make([]byte, 64<<10))), reason.EnvelopeTooLarge},
		{"content type of another kind", set(num(3), text("text/plain")), reason.EnvelopeContentType},
		{"content type as a CoAP number", set(num(3), num(50)), reason.EnvelopeHeader},
		{"content type missing", remove(num(3)), reason.EnvelopeContentType},
		{"content type unprotected", unprotect(num(3), text(envelope.MediaTypePayload)), reason.EnvelopeUnprotected},
		{"plugin as bytes", set(text(pluginName), bstr([]byte("p"))), reason.EnvelopeHeader},
		{"version as a number", set(text(versionName), num(1)), reason.EnvelopeHeader},
	}
	for _, number := range []int64{32, 34, 35} {
		cases = append(cases,
			coseCase{"another source of the key, protected", set(num(number), bstr(nil)), reason.EnvelopeHeader},
			coseCase{"another source of the key, unprotected", unprotect(num(number), bstr(nil)), reason.EnvelopeHeader},
		)
	}
	for _, name := range []string{scheme, timeName, authTimeName, expiryName, pluginName, versionName, "cty", "alg", strings.ToUpper(expiryName),
		"io.cncf.notary.\u017figningScheme"} {
		cases = append(cases, coseCase{"unprotected " + name, unprotect(text(name), goodTime), reason.EnvelopeUnprotected})
	}
	runCOSE(t, cases)
}

func TestCOSEExtendedValues(t *testing.T) {
	t.Parallel()
	var cases []coseCase
	long := tag(2, bstr(bytes.Repeat([]byte{1}, 5000)))
	for name, tt := range map[string]struct {
		value []byte
		print envelope.Opaque
	}{
		"tag":                        {tag(0, text("2026-03-04T05:06:07Z")), `0("2026-03-04T05:06:07Z")`},
		"time":                       {goodTime, "1(1772600767)"},
		"big number":                 {tag(2, bstr([]byte{1})), "1"},
		"long big number":            {long, envelope.Opaque("CBOR " + hex.EncodeToString(long))},
		"NaN":                        {[]byte{0xf9, 0x7e, 0}, "NaN"},
		"infinity":                   {[]byte{0xf9, 0x7c, 0}, "Infinity"},
		"integer beyond 64 bits":     {head(0, math.MaxUint64), "18446744073709551615"},
		"negative beyond 64 bits":    {head(1, math.MaxUint64), "-18446744073709551616"},
		"map with integer labels":    {cborMap(pair{num(1), text("issuer")}, pair{num(-2), num(3)}), `{1: "issuer", -2: 3}`},
		"deep in an array and a map": {array(cborMap(pair{text("a"), head(0, math.MaxUint64)})), `[{"a": 18446744073709551615}]`},
		"text with a control":        {array(tag(0, text("\x1b[2J"))), `[0("\u001b[2J")]`},
	} {
		cases = append(cases, coseCase{name + ", critical", all(set(text("a"), tt.value), critical(text(scheme), text("a"))), reason.EnvelopeExtended})
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newCOSE(testpki.New(t, testpki.Options{}))
			f.set(num(15), tt.value)
			v, err := verify(envelope.MediaTypeCOSE, f.encode(t))
			if err != nil {
				t.Fatal(err)
			}
			if e := v.Content().Extended; len(e) != 1 || e[0].Key != "15" || e[0].Critical || e[0].Value != any(tt.print) {
				t.Errorf("extended attributes %#v, want %q", e, tt.print)
			}
		})
	}
	runCOSE(t, cases)
	f := newCOSE(testpki.New(t, testpki.Options{}))
	f.set(num(4), bstr([]byte("kid")))
	f.set(text("b"), cborMap(pair{text("x"), array([]byte{0xf9, 0x3c, 0}, []byte{0xf6}, []byte{0xf5}, num(-1))}))
	v, err := verify(envelope.MediaTypeCOSE, f.encode(t))
	if err != nil {
		t.Fatal(err)
	}
	e := v.Content().Extended
	if len(e) != 2 || e[0].Key != "4" || string(e[0].Value.([]byte)) != "kid" || e[1].Key != "b" || e[0].Critical {
		t.Errorf("extended attributes %#v", e)
	}
}
