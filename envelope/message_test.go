package envelope_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// wantMessage checks the code of an error and what it says: several checks
// share a code, and some of them stand before one of a library.
func wantMessage(t testing.TB, err error, code reason.Code, says string) {
	t.Helper()
	wantReason(t, err, code)
	if err != nil && !strings.Contains(err.Error(), says) {
		t.Errorf("%q does not say %q", err, says)
	}
}

// attack: ENV-01
// attack: ENV-02
// attack: ENV-07
// attack: ENV-08
func TestCOSEMessages(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for _, tt := range []struct {
		name string
		bend func(f *coseForge)
		want reason.Code
		says string
	}{
		{"empty signature", func(f *coseForge) { f.signature = bstr(nil) }, reason.EnvelopeSignature, "the signature is empty"},
		{"algorithm -1-2^63", set(num(1), head(1, 1<<63)), reason.EnvelopeAlgorithm, "is not one of the six integers"},
		{"algorithm -2^64", set(num(1), head(1, math.MaxUint64)), reason.EnvelopeAlgorithm, "is not one of the six integers"},
		{"integer in the critical list", all(critical(text(scheme), num(1000)), set(num(1000), num(1))),
			reason.EnvelopeCritical, "a label that is not known"},
		// Before the entries are looked at.
		{"200 integers in the critical list", critical(slices.Repeat([][]byte{num(1000)}, 200)...),
			reason.EnvelopeTooLarge, "the list of critical attributes has 200 entries"},
		{"byte string as a key in an ignored map", unprotect(text("a"), cborMap(pair{bstr([]byte("k")), num(1)})),
			reason.EnvelopeCBOR, "a map key is neither integer nor text"},
		{"unprotected x5bag by name", unprotect(text("x5bag"), array()), reason.EnvelopeHeader, "must not stand in a signature envelope"},
		{"protected x5bag by name", set(text("x5bag"), array()), reason.EnvelopeHeader, "must not stand in a signature envelope"},
		{"x5t#S256 critical", critical(text(scheme), text("x5t#S256")), reason.EnvelopeCritical, "standard parameter"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newCOSE(chain)
			tt.bend(f)
			_, err := envelope.Parse(envelope.MediaTypeCOSE, f.encode(t))
			wantMessage(t, err, tt.want, tt.says)
		})
	}
}

// attack: ENV-02
func TestJWSStandardNamesAreNotCritical(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for _, name := range []string{"alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", "b64"} {
		f := newJWS(chain)
		replace(`"crit":["io.cncf.notary.signingScheme"]`, `"crit":["io.cncf.notary.signingScheme",`+quoteJSON(name)+`]`)(f)
		_, err := envelope.Parse(envelope.MediaTypeJWS, f.encode(t))
		wantMessage(t, err, reason.EnvelopeCritical, `standard parameter "`+name+`" is listed as critical`)
	}
}

// TestVerifyPrimitiveMessages holds the checks of this package apart from those
// of the standard library, which would refuse most of it as well.
//
// attack: ENV-09
func TestVerifyPrimitiveMessages(t *testing.T) {
	t.Parallel()
	key := testpki.Key(t, "ec-256", 0)
	pub := key.Public().(*ecdsa.PublicKey)
	order := pub.Params().N
	good := sign(t, key, envelope.ECDSASHA256.Hash(), message)
	r, s := new(big.Int).SetBytes(good[:32]), new(big.Int).SetBytes(good[32:])
	raw := func(r, s *big.Int) []byte {
		return slices.Concat(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32)))
	}
	above := new(big.Int).Add(order, big.NewInt(1))
	below := new(big.Int).Sub(order, big.NewInt(1))
	const outside, mismatch = "a number outside its range", "does not match the signed content"
	for name, tt := range map[string]struct {
		signature []byte
		says      string
	}{
		"r zero":              {raw(new(big.Int), s), outside},
		"s zero":              {raw(r, new(big.Int)), outside},
		"r the order":         {raw(order, s), outside},
		"s the order":         {raw(r, order), outside},
		"r above the order":   {raw(above, s), outside},
		"s above the order":   {raw(r, above), outside},
		"r below the order":   {raw(below, s), mismatch},
		"s below the order":   {raw(r, below), mismatch},
		"a zero before s":     {slices.Concat(good[:32], []byte{0}, good[32:]), "is 65 bytes long, not 64"},
		"a zero before r":     {slices.Concat([]byte{0}, good), "is 65 bytes long, not 64"},
		"a zero before both":  {slices.Concat([]byte{0}, good[:32], []byte{0}, good[32:]), "is 66 bytes long, not 64"},
		"a byte short":        {good[:63], "is 63 bytes long, not 64"},
		"nothing":             {nil, "is 0 bytes long, not 64"},
		"as many zero octets": {make([]byte, 64), outside},
	} {
		err := envelope.VerifyPrimitive(envelope.ECDSASHA256, pub, message, tt.signature)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantMessage(t, err, reason.EnvelopeSignature, tt.says)
	}

	rsaKey := testpki.Key(t, "rsa-2048", 0).(*rsa.PrivateKey)
	good = sign(t, rsaKey, envelope.RSASSAPSSSHA256.Hash(), message)
	for says, signature := range map[string][]byte{
		"is 257 bytes long, not 256": slices.Concat([]byte{0}, good),
		"is 255 bytes long, not 256": good[1:],
		"is 0 bytes long, not 256":   nil,
		mismatch:                     make([]byte, 256),
	} {
		err := envelope.VerifyPrimitive(envelope.RSASSAPSSSHA256, &rsaKey.PublicKey, message, signature)
		wantMessage(t, err, reason.EnvelopeSignature, says)
	}
}

// TestTimestampIsNotLookedInto holds for both formats: bytes that are no DER
// are kept as they are, and none at all is no timestamp.
func TestTimestampIsNotLookedInto(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for name, tt := range map[string]struct {
		token  []byte
		base64 string
	}{
		"BER":         {[]byte{0x30, 0x80, 0, 0}, "MIAAAA=="},
		"no sequence": {[]byte{0x04, 0}, "BAA="},
		"two":         {[]byte{0x30, 0, 0x30, 0}, "MAAwAA=="},
		"empty":       {nil, ""},
	} {
		c := newCOSE(chain)
		unprotect(text(tokenName), bstr(tt.token))(c)
		j := newJWS(chain)
		j.header[tokenName] = quoteJSON(tt.base64)
		for mediaType, data := range map[string][]byte{envelope.MediaTypeCOSE: c.encode(t), envelope.MediaTypeJWS: j.encode(t)} {
			v, err := verify(mediaType, data)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if got := v.Content().Timestamp; string(got) != string(tt.token) || (got == nil) != (tt.token == nil) {
				t.Errorf("%s: %x is kept as %x", name, tt.token, got)
			}
		}
	}
}

// TestJWSOpaqueValues has values that no type of Attribute holds.
func TestJWSOpaqueValues(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for _, value := range []string{"1e400", "18446744073709551616", `{"a":[-9223372036854775809]}`} {
		f := newJWS(chain)
		add(`"com.example":` + value)(f)
		v, err := verify(envelope.MediaTypeJWS, f.encode(t))
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if e := v.Content().Extended; len(e) != 1 || e[0].Value != any(envelope.Opaque(value)) || e[0].Critical {
			t.Errorf("%s is kept as %#v", value, e)
		}
	}
	// What is only printed cannot be signed.
	r := request(envelope.MediaTypeJWS)
	r.Extended = []envelope.Attribute{{Key: "a", Value: envelope.Opaque("1")}}
	_, err := envelope.New(r, envelope.ECDSASHA256)
	wantReason(t, err, reason.EnvelopeExtended)
}
