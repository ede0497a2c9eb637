package timestamp_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// Something behind the last member of each sequence, which a lenient reader
// passes over.
//
// attack: TSP-02
func TestNothingBehindTheLastMember(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	null := testpki.DER(5)
	leaf := tsa.Leaf()
	attribute := func(der []byte) func(*testpki.Token) {
		return func(k *testpki.Token) { signer(k).Attributes = append(attributes(k)[:2], der) }
	}
	id := testpki.ESSCertIDV2(leaf, crypto.SHA256, false)
	sequence := func(parts ...[]byte) []byte { return testpki.DER(0x30, parts...) }
	digest := sum(crypto.SHA256, leaf.Raw)
	names := func(parts ...[]byte) []byte { return sequence(parts...) }
	directory := testpki.DER(0xa4, leaf.RawIssuer)
	serial := testpki.StampInteger(leaf.SerialNumber)
	withSerial := func(parts ...[]byte) []byte {
		return v2(sequence(testpki.DER(4, digest), sequence(parts...)))
	}
	refuse(t, tsa, []refusal{
		{"attribute", reason.TimestampEncoding, attribute(sequence(testpki.OID(testpki.OIDSigningCertV2), testpki.DER(0x31, sequence(sequence(id))), null))},
		{"attribute without values", reason.TimestampEncoding, attribute(sequence(testpki.OID(testpki.OIDSigningCertV2)))},
		{"signing-certificate", reason.TimestampSigningCertificate, attribute(testpki.SignedAttribute(testpki.OIDSigningCertV2, sequence(sequence(id), null)))},
		{"certificate identifier", reason.TimestampSigningCertificate, attribute(v2(sequence(testpki.DER(4, digest), sequence(names(directory), serial), null)))},
		{"issuer and serial number", reason.TimestampSigningCertificate, attribute(withSerial(names(directory), serial, null))},
		{"names of the issuer", reason.TimestampSigningCertificate, attribute(withSerial(names(directory, directory), serial))},
		{"name of the issuer", reason.TimestampSigningCertificate, attribute(withSerial(names(testpki.DER(0xa4, leaf.RawIssuer, null)), serial))},
		{"no serial number", reason.TimestampSigningCertificate, attribute(withSerial(names(directory)))},
		{"algorithm of the identifier", reason.TimestampSigningCertificate, attribute(v2(sequence(sequence(testpki.OID(testpki.OIDSHA256), null, null), testpki.DER(4, digest))))},
		{"signer identifier", reason.TimestampEncoding, func(k *testpki.Token) {
			signer(k).Identifier = sequence(leaf.RawIssuer, serial, null)
		}},
		{"extension", reason.TimestampEncoding, func(k *testpki.Token) {
			k.Info.Extensions = [][]byte{sequence(testpki.OID("1.2.3"), testpki.DER(4), null)}
		}},
		{"time-stamp information", reason.TimestampEncoding, func(k *testpki.Token) { k.Content = append(k.Info.Encode(), null...) }},
		{"algorithm of the imprint", reason.TimestampImprintHash, func(k *testpki.Token) {
			k.Content = bytes.Replace(k.Info.Encode(), append(testpki.OID(testpki.OIDSHA256), 5, 0), append(testpki.OID(testpki.OIDSHA256), 4, 0), 1)
		}},
		{"fraction before the digits", reason.TimestampTime, func(k *testpki.Token) { k.Info.Time = "20260504030201.5/Z" }},
		{"fraction behind the digits", reason.TimestampTime, func(k *testpki.Token) { k.Info.Time = "20260504030201.5:Z" }},
		{"sign in the seconds", reason.TimestampTime, func(k *testpki.Token) { k.Info.Time = "202605040302+1Z" }},
		{"comma in the seconds", reason.TimestampTime, func(k *testpki.Token) { k.Info.Time = "2026050403021,Z" }},
	})
}

func sum(h crypto.Hash, data []byte) []byte {
	d := h.New()
	d.Write(data)
	return d.Sum(nil)
}

// The identifier of the signer has to be that of the certificate in every part.
//
// attack: TSP-02
func TestSignerIdentifier(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{Modify: func(i int, c *x509.Certificate) {
		if i == 0 {
			c.SubjectKeyId = []byte("identifier")
		}
	}})
	none := newTSA(t, testpki.Options{})
	leaf, other := tsa.Leaf(), newTSA(t, testpki.Options{Name: "other"}).Leaf()
	identifier := func(version int, der []byte) func(*testpki.Token) {
		return func(k *testpki.Token) { signer(k).Version, signer(k).Identifier = version, der }
	}
	byName := func(issuer []byte, c *x509.Certificate) []byte {
		return testpki.DER(0x30, issuer, testpki.StampInteger(c.SerialNumber))
	}
	refuse(t, tsa, []refusal{
		{"another serial number", reason.TimestampSigningCertificate, identifier(1, byName(leaf.RawIssuer, other))},
		{"another issuer", reason.TimestampSigningCertificate, identifier(1, byName(other.RawIssuer, leaf))},
		{"key identifier in version 1", reason.TimestampEncoding, identifier(1, testpki.DER(0x80, []byte("identifier")))},
		{"key identifier in version 2", reason.TimestampEncoding, identifier(2, testpki.DER(0x80, []byte("identifier")))},
		{"name in version 3", reason.TimestampEncoding, identifier(3, byName(leaf.RawIssuer, leaf))},
		{"empty key identifier", reason.TimestampEncoding, identifier(3, testpki.DER(0x80))},
	})
	// A certificate without an identifier is not the one with the empty one.
	if len(none.Leaf().SubjectKeyId) == 0 {
		_, err := verify(bent(t, none, identifier(3, testpki.DER(0x80))), message, none.Root())
		wantCode(t, err, reason.TimestampEncoding)
	}
}

// Where the attribute names a second certificate, a chain of three has to pass
// through that one.
//
// attack: TSP-02
func TestNamedIntermediate(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	other := newTSA(t, testpki.Options{}).Certs[1]
	for name, tt := range map[string]struct {
		second *x509.Certificate
		ok     bool
	}{"the one": {tsa.Certs[1], true}, "another": {other, false}, "the root": {tsa.Root(), false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, attribute := range [][]byte{
				v2(testpki.ESSCertIDV2(tsa.Leaf(), crypto.SHA256, true), testpki.ESSCertIDV2(tt.second, crypto.SHA256, true)),
				v1(testpki.ESSCertID(tsa.Leaf(), true), testpki.ESSCertID(tt.second, true)),
			} {
				_, err := verify(bent(t, tsa, func(k *testpki.Token) {
					signer(k).Attributes = append(attributes(k)[:2], attribute)
				}), message, tsa.Root())
				if tt.ok {
					if err != nil {
						t.Error(err)
					}
					continue
				}
				wantCode(t, err, reason.TimestampSigningCertificate)
			}
		})
	}
}

// attack: TSP-06
func TestReplyStatus(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]reason.Code{299: reason.TimestampReply, 300: reason.TimestampRedirect, 399: reason.TimestampRedirect, 400: reason.TimestampReply} {
		refuseReply(t, code, func(tsa *testpki.TSA) {
			tsa.ModifyReply = func(r *testpki.StampReply) { r.HTTPStatus = status }
		})
	}
}

// "identity" is no encoding.
func TestIdentityEncoding(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	tsa.ModifyReply = func(r *testpki.StampReply) { r.Header.Set("Content-Encoding", "Identity") }
	if _, err := clientFor(tsa, serve(t, tsa)).Stamp(t.Context(), message, crypto.SHA256); err != nil {
		t.Error(err)
	}
}

// A failure is said in words, and none that the authority did not state.
func TestFailuresInWords(t *testing.T) {
	t.Parallel()
	err := refuseReply(t, reason.TimestampRefused, func(tsa *testpki.TSA) {
		tsa.ModifyReply = func(r *testpki.StampReply) { r.Status, r.Token, r.Failure = 2, nil, testpki.FailureInfo(14) }
	})
	if text := err.Error(); !strings.Contains(text, "the time source is not available") || strings.Contains(text, "not supported") || strings.Contains(text, "failure of the system") {
		t.Errorf("%q", text)
	}
}

// The hook is asked about the latest time that the stamp may be of: that is by
// when the signature certainly existed.
//
// attack: TSP-05
func TestRevocationHookTime(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	tsa.Accuracy = testpki.Accuracy(3, 0, 0)
	c := clientFor(tsa, serve(t, tsa))
	var asked time.Time
	c.Revocation = hook(func(at time.Time) { asked = at })
	if _, err := c.Stamp(t.Context(), message, crypto.SHA256); err != nil {
		t.Fatal(err)
	}
	if !asked.Equal(stampTime.Add(3 * time.Second)) {
		t.Errorf("asked about %v", asked)
	}
}

// hook is a revocation check that finds nothing and tells what it was asked.
func hook(asked func(at time.Time)) func(context.Context, []*x509.Certificate, time.Time) error {
	return func(_ context.Context, _ []*x509.Certificate, at time.Time) error {
		asked(at)
		return nil
	}
}

// Something behind the parts of the message itself, which nobody has signed.
//
// attack: TSP-02
func TestNothingBehindTheMessage(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	var outer struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue
	}
	if _, err := asn1.Unmarshal(tsa.Stamp(t, message, crypto.SHA256), &outer); err != nil {
		t.Fatal(err)
	}
	id, data, null := testpki.OID(testpki.OIDSignedData), outer.Content.Bytes, testpki.DER(5)
	for name, tt := range map[string]struct {
		token []byte
		code  reason.Code
	}{
		"nothing":             {testpki.DER(0x30, id, testpki.DER(0xa0, data)), ""},
		"behind the content":  {testpki.DER(0x30, id, testpki.DER(0xa0, data), null), reason.TimestampEncoding},
		"beside the data":     {testpki.DER(0x30, id, testpki.DER(0xa0, data, null)), reason.TimestampEncoding},
		"content of another":  {testpki.DER(0x30, id, testpki.DER(0xa1, data)), reason.TimestampEncoding},
		"no content":          {testpki.DER(0x30, id), reason.TimestampEncoding},
		"behind the message":  {append(testpki.DER(0x30, id, testpki.DER(0xa0, data)), 5, 0), reason.TimestampEncoding},
		"data is no sequence": {testpki.DER(0x30, id, testpki.DER(0xa0, testpki.DER(0x31, data))), reason.TimestampEncoding},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := verify(tt.token, message, tsa.Root())
			if tt.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantCode(t, err, tt.code)
		})
	}
}

// attack: TSP-02
func TestPSSParameters(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	h := testpki.DER(0x30, testpki.OID(testpki.OIDSHA256), testpki.DER(5))
	mask := testpki.DER(0x30, testpki.OID("1.2.840.113549.1.1.8"), h)
	salt, null := testpki.DER(2, []byte{32}), testpki.DER(5)
	field := func(n byte, parts ...[]byte) []byte { return testpki.DER(0xa0|n, parts...) }
	bad := func(parts ...[]byte) func(*testpki.Token) {
		return func(k *testpki.Token) {
			signer(k).AlgorithmDER = testpki.DER(0x30, testpki.OID("1.2.840.113549.1.1.10"), testpki.DER(0x30, parts...))
		}
	}
	code := reason.TimestampAlgorithm
	refuse(t, tsa, []refusal{
		// Right, but for the key.
		{"all right", reason.TimestampSignature, bad(field(0, h), field(1, mask), field(2, salt))},
		{"behind the hash", code, bad(field(0, h, null), field(1, mask), field(2, salt))},
		{"behind the mask", code, bad(field(0, h), field(1, mask, null), field(2, salt))},
		{"behind the salt", code, bad(field(0, h), field(1, mask), field(2, salt, null))},
		{"behind all", code, bad(field(0, h), field(1, mask), field(2, salt), field(3, testpki.DER(2, []byte{1})))},
		{"without hash", code, bad(field(1, mask), field(2, salt))},
		{"without salt", code, bad(field(0, h), field(1, mask))},
		{"hash is none", code, bad(field(0, salt), field(1, mask), field(2, salt))},
		{"salt is none", code, bad(field(0, h), field(1, mask), field(2, h))},
	})
}
