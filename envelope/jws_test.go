package envelope_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// jwsCase is one way to bend a JWS envelope.
type jwsCase struct {
	name string
	bend func(f *jwsForge)
	want reason.Code // "": accepted
}

func runJWS(t *testing.T, cases []jwsCase) {
	t.Helper()
	chain := testpki.New(t, testpki.Options{})
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newJWS(chain)
			tt.bend(f)
			_, err := verify(envelope.MediaTypeJWS, f.encode(t))
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

// replace changes the text of the protected header.
func replace(old, with string) func(f *jwsForge) {
	return func(f *jwsForge) {
		if !strings.Contains(f.protected, old) {
			panic("nothing to replace: " + old)
		}
		f.protected = strings.Replace(f.protected, old, with, 1)
	}
}

// add puts members into the protected header; names in crit are listed.
func add(members string, crit ...string) func(f *jwsForge) {
	return func(f *jwsForge) {
		f.protected = strings.Replace(f.protected, "{", "{"+members+",", 1)
		for _, name := range crit {
			f.protected = strings.Replace(f.protected, `"crit":[`, `"crit":[`+quoteJSON(name)+`,`, 1)
		}
	}
}

func inHeader(name, value string) func(f *jwsForge) {
	return func(f *jwsForge) { f.header[name] = value }
}

func both(fs ...func(*jwsForge)) func(*jwsForge) {
	return func(f *jwsForge) {
		for _, g := range fs {
			g(f)
		}
	}
}

// attack: ENV-01
func TestJWSAlgorithm(t *testing.T) {
	t.Parallel()
	var cases []jwsCase
	for _, alg := range []string{"none", "None", "", "HS256", "RS256", "RS512", "ES256K", "EdDSA", "Ed25519", "PS1024", "es256", "ES256 ", "RSASSA-PSS-SHA-256"} {
		cases = append(cases, jwsCase{"alg " + alg, replace(`"ES256"`, quoteJSON(alg)), reason.EnvelopeAlgorithm})
	}
	cases = append(cases,
		jwsCase{"alg missing", replace(`"alg":"ES256",`, ``), reason.EnvelopeAlgorithm},
		jwsCase{"alg of another curve", replace(`"ES256"`, `"ES384"`), reason.EnvelopeAlgorithm},
		jwsCase{"alg of another kind of key", replace(`"ES256"`, `"PS256"`), reason.EnvelopeAlgorithm},
		jwsCase{"alg as a number", replace(`"ES256"`, `-7`), reason.EnvelopeJSON},
		jwsCase{"alg as an array", replace(`"ES256"`, `["ES256"]`), reason.EnvelopeJSON},
		jwsCase{"alg twice", replace(`"alg":"ES256"`, `"alg":"ES256","alg":"ES256"`), reason.EnvelopeJSON},
		jwsCase{"alg twice by escape", replace(`"alg":"ES256"`, `"alg":"ES256","\u0061lg":"none"`), reason.EnvelopeJSON},
		jwsCase{"alg unprotected only", both(replace(`"alg":"ES256",`, ``), inHeader("alg", `"ES256"`)), reason.EnvelopeAlgorithm},
		jwsCase{"alg in both headers", inHeader("alg", `"ES256"`), reason.EnvelopeUnprotected},
		jwsCase{"alg in another case", add(`"ALG":"none"`), reason.EnvelopeHeader},
	)
	runJWS(t, cases)
}

// attack: ENV-01
func TestJWSKeyConfusion(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for name, key := range map[string][]byte{
		"public key":  chain.Leaf().RawSubjectPublicKeyInfo,
		"certificate": chain.CertPEM(),
	} {
		f := newJWS(chain)
		f.protected = strings.Replace(f.protected, "ES256", "HS256", 1)
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(b64url(f.protected) + "." + b64url(f.payload)))
		f.signature = b64url(string(mac.Sum(nil)))
		_, err := verify(envelope.MediaTypeJWS, f.encode(t))
		if wantReason(t, err, reason.EnvelopeAlgorithm); t.Failed() {
			t.Errorf("keyed with the %s", name)
		}
	}
	// A good PSS signature whose hash does not go with the size of the key.
	for alg, hash := range map[string]crypto.Hash{"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512} {
		f := newJWS(testpki.New(t, testpki.Options{Algorithm: "rsa-3072", CAAlgorithm: "ec-256"}))
		f.protected = strings.Replace(f.protected, "ES256", alg, 1)
		f.hash = hash
		_, err := verify(envelope.MediaTypeJWS, f.encode(t))
		if alg != "PS384" {
			wantReason(t, err, reason.EnvelopeAlgorithm)
		} else if err != nil {
			t.Error(err)
		}
	}
}

// attack: ENV-02
func TestJWSCritical(t *testing.T) {
	t.Parallel()
	const crit = `"crit":["io.cncf.notary.signingScheme"]`
	cases := []jwsCase{
		{"missing", replace(crit+`,`, ``), reason.EnvelopeCritical},
		{"empty", replace(crit, `"crit":[]`), reason.EnvelopeCritical},
		{"null", replace(crit, `"crit":null`), reason.EnvelopeJSON},
		{"a string", replace(crit, `"crit":"io.cncf.notary.signingScheme"`), reason.EnvelopeJSON},
		{"a number in it", replace(crit, `"crit":["io.cncf.notary.signingScheme",1]`), reason.EnvelopeJSON},
		{"null in it", replace(crit, `"crit":["io.cncf.notary.signingScheme",null]`), reason.EnvelopeJSON},
		{"without the scheme", both(replace(crit, `"crit":["com.example"]`), add(`"com.example":1`)), reason.EnvelopeCritical},
		{"a name that is absent", replace(crit, `"crit":["io.cncf.notary.signingScheme","com.example"]`), reason.EnvelopeCritical},
		{"the expiry, which is absent", replace(crit, `"crit":["io.cncf.notary.signingScheme","io.cncf.notary.expiry"]`), reason.EnvelopeCritical},
		{"the authentic time, which is absent", replace(crit, `"crit":["io.cncf.notary.signingScheme","io.cncf.notary.authenticSigningTime"]`), reason.EnvelopeCritical},
		{"the plugin, which is absent", replace(crit, `"crit":["io.cncf.notary.signingScheme","io.cncf.notary.verificationPlugin"]`), reason.EnvelopeCritical},
		{"the version, which is absent", replace(crit, `"crit":["io.cncf.notary.signingScheme","io.cncf.notary.verificationPluginMinVersion"]`), reason.EnvelopeCritical},
		{"a name twice", replace(crit, `"crit":["io.cncf.notary.signingScheme","io.cncf.notary.signingScheme"]`), reason.EnvelopeCritical},
		{"an unprotected name", both(inHeader("com.example", `1`), replace(crit, `"crit":["io.cncf.notary.signingScheme","com.example"]`)), reason.EnvelopeCritical},
		{"a signed extended attribute", add(`"com.example":1`, "com.example"), ""},
		{"the signing time, which is there", replace(crit, `"crit":["io.cncf.notary.signingScheme","io.cncf.notary.signingTime"]`), ""},
		{"in the unprotected header", inHeader("crit", `["io.cncf.notary.signingScheme"]`), reason.EnvelopeUnprotected},
		{"b64 false", add(`"b64":false`, "b64"), reason.EnvelopeHeader},
		{"b64 false, not critical", add(`"b64":false`), reason.EnvelopeHeader},
		{"b64 true", add(`"b64":true`), reason.EnvelopeHeader},
		{"b64 listed but absent", replace(crit, `"crit":["io.cncf.notary.signingScheme","b64"]`), reason.EnvelopeCritical},
		{"b64 unprotected", inHeader("b64", `false`), reason.EnvelopeHeader},
		{"expiry not listed", add(`"io.cncf.notary.expiry":"2027-01-01T00:00:00Z"`), reason.EnvelopeCritical},
		{"expiry listed", add(`"io.cncf.notary.expiry":"2027-01-01T00:00:00Z"`, expiryName), ""},
		{"plugin not listed", add(`"io.cncf.notary.verificationPlugin":"p"`), reason.EnvelopeCritical},
		{"plugin listed", add(`"io.cncf.notary.verificationPlugin":"p"`, pluginName), ""},
		{"version not listed", add(`"io.cncf.notary.verificationPlugin":"p","io.cncf.notary.verificationPluginMinVersion":"1.0.0"`, pluginName), reason.EnvelopeCritical},
		{"version listed", add(`"io.cncf.notary.verificationPlugin":"p","io.cncf.notary.verificationPluginMinVersion":"1.0.0"`, pluginName, versionName), ""},
		{"very long", func(f *jwsForge) {
			for i := range 200 {
				add(fmt.Sprintf(`"x%d":0`, i), fmt.Sprintf("x%d", i))(f)
			}
		}, reason.EnvelopeTooLarge},
		{"very long without attributes", replace(crit, `"crit":["io.cncf.notary.signingScheme"`+strings.Repeat(`,"x"`, 1000)+`]`), reason.EnvelopeTooLarge},
	}
	for _, name := range []string{"alg", "cty", "crit", "typ", "kid", "x5c", "x5t", "x5u", "jwk", "jku", "x5t#S256"} {
		cases = append(cases, jwsCase{"standard header " + name, replace(crit, `"crit":["io.cncf.notary.signingScheme",`+quoteJSON(name)+`]`), reason.EnvelopeCritical})
	}
	cases = append(cases, jwsCase{"standard header kid, present", add(`"kid":"1"`, "kid"), reason.EnvelopeCritical})
	runJWS(t, cases)
}

// attack: ENV-03
func TestJWSScheme(t *testing.T) {
	t.Parallel()
	const at = `"io.cncf.notary.signingTime":"2026-03-04T05:06:07Z"`
	const authentic = `"io.cncf.notary.authenticSigningTime":"2026-03-04T05:06:07Z"`
	authority := replace(`"notary.x509"`, `"notary.x509.signingAuthority"`)
	runJWS(t, []jwsCase{
		{"missing", both(replace(`,"io.cncf.notary.signingScheme":"notary.x509"`, ``)), reason.EnvelopeScheme},
		{"empty", replace(`"notary.x509"`, `""`), reason.EnvelopeScheme},
		{"unknown", replace(`"notary.x509"`, `"notary.x509.other"`), reason.EnvelopeScheme},
		{"in another case", replace(`"notary.x509"`, `"Notary.X509"`), reason.EnvelopeScheme},
		{"both times", add(authentic, authTimeName), reason.EnvelopeTime},
		{"both times, authority", both(authority, add(authentic, authTimeName)), reason.EnvelopeTime},
		{"authentic time only", both(replace(at, authentic), add(`"x":1`, authTimeName)), reason.EnvelopeTime},
		{"authority with a plain time", authority, reason.EnvelopeTime},
		{"no time", replace(`,`+at, ``), reason.EnvelopeTime},
		{"authority without time", both(authority, replace(`,`+at, ``)), reason.EnvelopeTime},
		{"authority with its time not critical", both(authority, replace(at, authentic)), reason.EnvelopeCritical},
		{"authority", both(authority, replace(at, authentic), add(`"x":1`, authTimeName)), ""},
	})
}

// attack: ENV-04
func TestJWSTimes(t *testing.T) {
	t.Parallel()
	var cases []jwsCase
	for _, text := range []string{
		"2026-03-04T05:06:07+00:00", "2026-03-04T06:06:07+01:00", "2026-03-04T05:06:07-00:00", "2026-03-04T05:06:07",
		"2026-03-04T05:06:07.5Z", "2026-03-04T05:06:07.000Z", "2026-03-04T05:06:07,5Z", "2026-03-04t05:06:07Z", "2026-03-04T05:06:07z",
		"2026-03-04 05:06:07Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "3000-01-01T00:00:00Z",
		"9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z", "-001-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-03-04T24:00:00Z",
		"2026-03-04T05:06:60Z", "2026-3-4T05:06:07Z", "2026-03-04T5:06:07Z", "2026-03-04", "20260304T050607Z", "1772600767", "", " 2026-03-04T05:06:07Z",
	} {
		cases = append(cases,
			jwsCase{"signing time " + text, replace("2026-03-04T05:06:07Z", text), reason.EnvelopeTime},
			jwsCase{"expiry " + text, add(`"io.cncf.notary.expiry":`+quoteJSON(text), expiryName), reason.EnvelopeTime},
		)
	}
	cases = append(cases,
		jwsCase{"a number", replace(`"2026-03-04T05:06:07Z"`, `1772600767`), reason.EnvelopeJSON},
		jwsCase{"null", replace(`"2026-03-04T05:06:07Z"`, `null`), reason.EnvelopeJSON},
		jwsCase{"null expiry", add(`"io.cncf.notary.expiry":null`), reason.EnvelopeJSON},
		jwsCase{"boolean expiry", add(`"io.cncf.notary.expiry":true`), reason.EnvelopeJSON},
		jwsCase{"expiry before signing", add(`"io.cncf.notary.expiry":"2026-03-04T05:06:06Z"`, expiryName), reason.EnvelopeTime},
		jwsCase{"expiry at signing", add(`"io.cncf.notary.expiry":"2026-03-04T05:06:07Z"`, expiryName), reason.EnvelopeTime},
		jwsCase{"first second", replace("2026-03-04T05:06:07Z", "1970-01-01T00:00:00Z"), ""},
		jwsCase{"last second", replace("2026-03-04T05:06:07Z", "2999-12-31T23:59:59Z"), ""},
	)
	runJWS(t, cases)
}

// attack: ENV-05
func TestJWSStructure(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	good := string(newJWS(chain).encode(t))
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	swap := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("nothing to replace: %s", old)
		}
		return strings.Replace(good, old, with, 1)
	}
	for name, data := range map[string]string{
		"payload twice":             swap(`{"payload"`, `{"payload":"e30","payload"`),
		"signature twice":           swap(`,"signature"`, `,"signature":"AAAA","signature"`),
		"header twice":              swap(`,"header"`, `,"header":{},"header"`),
		"x5c twice":                 swap(`"header":{`, `"header":{"x5c":[],`),
		"unknown unprotected twice": swap(`"header":{`, `"header":{"a":1,"a":2,`),
		"twice within an unknown":   swap(`"header":{`, `"header":{"a":{"b":1,"b":1},`),
		"payload in another case":   swap(`"payload"`, `"Payload"`),
		"signature in two cases":    swap(`,"signature"`, `,"Signature":"AAAA","signature"`),
		"byte order mark":           "\xef\xbb\xbf" + good,
		"invalid UTF-8":             swap(`"header":{`, "\"header\":{\"a\":\"\xff\","),
		"lone surrogate":            swap(`"header":{`, `"header":{"a":"\ud800",`),
		"100,000 deep":              swap(`"header":{`, `"header":{"a":`+deep+`,`),
		"100,000 deep and cut off":  strings.Repeat(`{"payload":`, 90_000),
		"trailing brace":            good + "}",
		"trailing NUL":              good + "\x00",
		"second envelope":           good + good,
		"general serialization":     swap(`,"signature"`, `,"signatures":[],"signature"`),
		"only signatures":           `{"payload":"e30","signatures":[{"protected":"e30","signature":"AAAA"}]}`,
		"unknown member":            swap(`,"signature"`, `,"extra":1,"signature"`),
		"null header":               `{"payload":"e30","protected":"e30","header":null,"signature":"AAAA"}`,
		"null payload":              `{"payload":null,"protected":"e30","header":{},"signature":"AAAA"}`,
		"null envelope":             `null`,
		"an array":                  `[]`,
		"a string":                  `"e30"`,
		"no payload":                `{"protected":"e30","header":{},"signature":"AAAA"}`,
		"no protected":              `{"payload":"e30","header":{"x5c":["AA=="]},"signature":"AAAA"}`,
		"no signature":              `{"payload":"e30","protected":"e30","header":{}}`,
		"empty payload":             `{"payload":"","protected":"e30","header":{},"signature":"AAAA"}`,
		"x5c a string":              `{"payload":"e30","protected":"e30","header":{"x5c":"AAAA"},"signature":"AAAA"}`,
		"x5c null":                  `{"payload":"e30","protected":"e30","header":{"x5c":null},"signature":"AAAA"}`,
		"agent a number":            `{"payload":"e30","protected":"e30","header":{"io.cncf.notary.signingAgent":1},"signature":"AAAA"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := verify(envelope.MediaTypeJWS, []byte(data))
			wantReason(t, err, reason.EnvelopeJSON)
		})
	}
	runJWS(t, []jwsCase{
		{"protected: trailing bytes", func(f *jwsForge) { f.protected += "{}" }, reason.EnvelopeJSON},
		{"protected: byte order mark", func(f *jwsForge) { f.protected = "\xef\xbb\xbf" + f.protected }, reason.EnvelopeJSON},
		{"protected: null", func(f *jwsForge) { f.protected = "null" }, reason.EnvelopeJSON},
		{"protected: array", func(f *jwsForge) { f.protected = "[]" }, reason.EnvelopeJSON},
		{"protected: empty object", func(f *jwsForge) { f.protected = "{}" }, reason.EnvelopeAlgorithm},
		{"protected: invalid UTF-8", add("\"com.example\":\"\xc3\""), reason.EnvelopeJSON},
		{"protected: lone surrogate", add(`"com.example":"\udc00"`), reason.EnvelopeJSON},
		{"protected: deep", add(`"com.example":` + deep[:30_000] + deep[100_000:130_000]), reason.EnvelopeJSON},
		{"protected: 1e400, critical", add(`"com.example":1e400`, "com.example"), reason.EnvelopeExtended},
		{"protected: integer beyond 64 bits, critical", add(`"com.example":[18446744073709551616]`, "com.example"), reason.EnvelopeExtended},
		{"protected: scheme twice", add(`"io.cncf.notary.signingScheme":"notary.x509"`), reason.EnvelopeJSON},
		{"protected: scheme in another case", add(`"io.cncf.notary.SigningScheme":"notary.x509.signingAuthority"`), reason.EnvelopeHeader},
		{"protected: scheme with a long s", add(`"io.cncf.notary.ſigningScheme":"notary.x509.signingAuthority"`), reason.EnvelopeHeader},
		{"protected: scheme with an escaped long s", add(`"io.cncf.notary.\u017figningScheme":"notary.x509.signingAuthority"`), reason.EnvelopeHeader},
		{"protected: cty in another case", add(`"Cty":"text/plain"`), reason.EnvelopeHeader},
		{"protected: null scheme", replace(`"notary.x509"`, `null`), reason.EnvelopeJSON},
		{"protected: duplicate in an attribute", add(`"com.example":{"a":1,"a":1}`), reason.EnvelopeJSON},
		{"protected: empty name", add(`"":1`), reason.EnvelopeHeader},
		{"protected: long name", add(`"` + strings.Repeat("x", 257) + `":1`), reason.EnvelopeHeader},
		{"protected: too long", add(`"com.example":"` + strings.Repeat("x", 64<<10) + `"`), reason.EnvelopeTooLarge},
		{"protected: 65 attributes", func(f *jwsForge) {
			for i := range 65 {
				add(fmt.Sprintf(`"x%d":0`, i))(f)
			}
		}, reason.EnvelopeTooLarge},
		{"header missing", func(f *jwsForge) { f.dropHeader = true }, reason.EnvelopeChain},
	})
}

// attack: ENV-06
func TestJWSBase64(t *testing.T) {
	t.Parallel()
	// A payload whose encoding has two stray bits and, in the other alphabet,
	// characters that differ.
	payload := strings.TrimSuffix(goodPayload, "}}") + `,"annotations":{"k":"~~~???"}}}`
	for len(payload)%3 != 1 {
		payload = strings.Replace(payload, `"k":"`, `"k":"x`, 1)
	}
	plain := b64url(payload)
	if !strings.ContainsAny(plain, "-_") {
		t.Fatal("the payload does not show the alphabet")
	}
	last := plain[len(plain)-1]
	runJWS(t, []jwsCase{
		{"good", func(f *jwsForge) { f.payload64 = plain }, ""},
		{"padding", func(f *jwsForge) { f.payload64 = plain + "==" }, reason.EnvelopeBase64},
		{"standard alphabet", func(f *jwsForge) { f.payload64 = strings.NewReplacer("-", "+", "_", "/").Replace(plain) }, reason.EnvelopeBase64},
		{"newline", func(f *jwsForge) { f.payload64 = plain[:8] + `\n` + plain[8:] }, reason.EnvelopeBase64},
		{"carriage return at the end", func(f *jwsForge) { f.payload64 = plain + `\r` }, reason.EnvelopeBase64},
		{"space", func(f *jwsForge) { f.payload64 = plain[:8] + " " + plain[8:] }, reason.EnvelopeBase64},
		{"stray bits", func(f *jwsForge) { f.payload64 = plain[:len(plain)-1] + string(last+1) }, reason.EnvelopeBase64},
		{"length of one", func(f *jwsForge) { f.payload64 = plain + "AAA" }, reason.EnvelopeBase64},
		{"protected with padding", func(f *jwsForge) { f.protect64 = b64url(f.protected+" ") + "=" }, reason.EnvelopeBase64},
		{"protected with a newline", func(f *jwsForge) { f.protect64 = b64url(f.protected) + `\n` }, reason.EnvelopeBase64},
		{"signature with padding", func(f *jwsForge) { f.signature = b64url(strings.Repeat("x", 64)) + "==" }, reason.EnvelopeBase64},
		{"signature in the standard alphabet", func(f *jwsForge) { f.signature = strings.Repeat("+/", 43) }, reason.EnvelopeBase64},
		{"signature with stray bits", func(f *jwsForge) { f.signature = strings.Repeat("_", 86) }, reason.EnvelopeBase64},
		{"x5c url alphabet", inHeader("x5c", `["MA-_"]`), reason.EnvelopeBase64},
		{"x5c without padding", inHeader("x5c", `["MAA"]`), reason.EnvelopeBase64},
		{"x5c with a newline", inHeader("x5c", `["MAAA\n"]`), reason.EnvelopeBase64},
		{"x5c with stray bits", inHeader("x5c", `["MB=="]`), reason.EnvelopeBase64},
		{"timestamp url alphabet", inHeader(tokenName, `"MA-_"`), reason.EnvelopeBase64},
		{"timestamp without padding", inHeader(tokenName, `"MAA"`), reason.EnvelopeBase64},
	})
}

// attack: ENV-08
func TestJWSUnprotected(t *testing.T) {
	t.Parallel()
	cases := []jwsCase{
		{"an unknown parameter is ignored", inHeader("com.example", `{"a":[null]}`), ""},
		{"the agent", inHeader(agentName, `"agent"`), ""},
		{"a timestamp", inHeader(tokenName, `"MAA="`), ""},
		// It is not signed, so that what it holds is for its verifier to judge.
		{"an empty timestamp", inHeader(tokenName, `""`), ""},
		{"a timestamp that is no sequence", inHeader(tokenName, `"BAA="`), ""},
		{"a timestamp with something behind it", inHeader(tokenName, `"MAAwAA=="`), ""},
		{"a timestamp in BER", inHeader(tokenName, `"MIAAAA=="`), ""},
		{"a timestamp that is too long", inHeader(tokenName, `"`+strings.Repeat("AAAA", 22<<10)+`"`), reason.EnvelopeTooLarge},
		{"a null timestamp", inHeader(tokenName, `null`), reason.EnvelopeJSON},
		{"a signed timestamp", add(`"io.cncf.notary.timestampSignature":"MAA="`), reason.EnvelopeHeader},
		{"a signed agent", add(`"io.cncf.notary.signingAgent":"a"`), reason.EnvelopeHeader},
		{"a parameter in both headers", both(inHeader("com.example", `1`), add(`"com.example":1`)), reason.EnvelopeUnprotected},
		{"65 unknown parameters", func(f *jwsForge) {
			for i := range 65 {
				f.header[fmt.Sprintf("x%d", i)] = "0"
			}
		}, reason.EnvelopeTooLarge},
		{"empty name", inHeader("", `1`), reason.EnvelopeHeader},
		{"chain in another case", inHeader("X5C", `[]`), reason.EnvelopeHeader},
		{"agent in another case", inHeader("io.cncf.notary.SigningAgent", `""`), reason.EnvelopeHeader},
		{"signed chain", add(`"x5c":["MAA="]`), reason.EnvelopeHeader},
		{"no chain", func(f *jwsForge) { f.dropChain = true }, reason.EnvelopeChain},
		{"empty chain", inHeader("x5c", `[]`), reason.EnvelopeChain},
		{"eleven certificates", inHeader("x5c", `["!"`+strings.Repeat(`,"!"`, 10)+`]`), reason.EnvelopeChain},
		{"10,000 certificates", inHeader("x5c", `["MAA="`+strings.Repeat(`,"MAA="`, 9999)+`]`), reason.EnvelopeChain},
		{"a certificate of 64 KiB and a byte", inHeader("x5c", `["`+strings.Repeat("AAAA", (64<<10+3)/3)+`"]`), reason.EnvelopeTooLarge},
		{"cty of another kind", replace(envelope.MediaTypePayload, "application/vnd.in-toto+json"), reason.EnvelopeContentType},
		{"cty without application/", replace(envelope.MediaTypePayload, strings.TrimPrefix(envelope.MediaTypePayload, "application/")), reason.EnvelopeContentType},
		{"cty in another case", replace(envelope.MediaTypePayload, strings.ToUpper(envelope.MediaTypePayload)), reason.EnvelopeContentType},
		{"cty missing", replace(`"cty":"`+envelope.MediaTypePayload+`",`, ``), reason.EnvelopeContentType},
		{"typ and kid are kept", add(`"typ":"JOSE","kid":"1"`), ""},
	}
	for _, name := range []string{scheme, timeName, authTimeName, expiryName, pluginName, versionName, "cty", "alg", "crit", strings.ToUpper(expiryName), "io.cncf.notary.Expiry",
		"io.cncf.notary.\u017figningScheme"} {
		cases = append(cases, jwsCase{"unprotected " + name, inHeader(name, `"2030-01-01T00:00:00Z"`), reason.EnvelopeUnprotected})
	}
	for _, name := range []string{"jwk", "jku", "x5u", "x5t", "x5t#S256", "JWK", "x5chain", "x5bag", "jw\u212a", "x5t#\u017f256"} {
		cases = append(cases,
			jwsCase{"unprotected " + name, inHeader(name, `"https://127.0.0.1/"`), reason.EnvelopeHeader},
			jwsCase{"protected " + name, add(quoteJSON(name) + `:"https://127.0.0.1/"`), reason.EnvelopeHeader},
		)
	}
	runJWS(t, cases)
}

func TestJWSPlugin(t *testing.T) {
	t.Parallel()
	plugin := func(name, version string) func(*jwsForge) {
		crit, members := []string{}, `"x":1`
		if name != "" {
			members += `,"io.cncf.notary.verificationPlugin":` + name
			crit = append(crit, pluginName)
		}
		if version != "" {
			members += `,"io.cncf.notary.verificationPluginMinVersion":` + version
			crit = append(crit, versionName)
		}
		return add(members, crit...)
	}
	runJWS(t, []jwsCase{
		{"name", plugin(`"com.example.plugin"`, ""), ""},
		{"name and version", plugin(`"p"`, `"1.0.0-alpha.1+b.2"`), ""},
		{"empty name", plugin(`""`, ""), reason.EnvelopePlugin},
		{"blank name", plugin(`"  "`, ""), reason.EnvelopePlugin},
		{"control character", plugin(`"a\u001b[2J"`, ""), reason.EnvelopePlugin},
		{"bidi character", plugin(`"a\u202e"`, ""), reason.EnvelopePlugin},
		{"long name", plugin(`"`+strings.Repeat("a", 129)+`"`, ""), reason.EnvelopePlugin},
		{"version alone", plugin("", `"1.0.0"`), reason.EnvelopePlugin},
		{"empty version", plugin(`"p"`, `""`), reason.EnvelopePlugin},
		{"version with v", plugin(`"p"`, `"v1.0.0"`), reason.EnvelopePlugin},
		{"short version", plugin(`"p"`, `"1.0"`), reason.EnvelopePlugin},
		{"leading zero", plugin(`"p"`, `"1.01.0"`), reason.EnvelopePlugin},
		{"leading zero in a pre-release", plugin(`"p"`, `"1.0.0-01"`), reason.EnvelopePlugin},
		{"newline after the version", plugin(`"p"`, `"1.0.0\n"`), reason.EnvelopePlugin},
		{"long version", plugin(`"p"`, `"1.0.0-`+strings.Repeat("a", 128)+`"`), reason.EnvelopePlugin},
		{"number as version", plugin(`"p"`, `1`), reason.EnvelopeJSON},
		{"null as name", plugin(`null`, ""), reason.EnvelopeJSON},
	})
}
