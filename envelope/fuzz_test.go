package envelope_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/veraison/go-cose"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

func FuzzParseJWS(f *testing.F)  { fuzzParse(f, envelope.MediaTypeJWS) }
func FuzzParseCOSE(f *testing.F) { fuzzParse(f, envelope.MediaTypeCOSE) }

// fuzzParse holds for every input: no panic, a typed error or an envelope that
// reads the same again, also when a timestamp is added, and whose signed bytes
// are those that were received.
func fuzzParse(f *testing.F, mediaType string) {
	chain := testpki.New(f, testpki.Options{Length: 1})
	f.Add(seal(f, request(mediaType), chain))
	f.Add(seal(f, everything(mediaType), chain))
	f.Add(newJWS(chain).encode(f))
	f.Add(newCOSE(chain).encode(f))
	f.Add([]byte(`{"payload":"e30","protected":"e30","header":{"x5c":["MAA="]},"signature":"AAAA"}`))
	f.Add([]byte{0xd2, 0x84, 0x41, 0xa0, 0xa0, 0xf6, 0x41, 0})
	if dir := filepath.Join("..", "..", "shared", "interop"); exists(dir) {
		cases, envelopes := interop(f)
		for i, c := range cases {
			if mediaTypeOf(c.Format) == mediaType {
				f.Add(envelopes[i])
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		u, err := envelope.Parse(mediaType, data)
		if err != nil {
			if reason.Of(err) == "" {
				t.Fatalf("%q has no reason", err)
			}
			return
		}
		claims := u.Claims()
		checkAgreement(t, mediaType, data, claims)
		_, verifyErr := u.Verify()

		stamped, err := envelope.SetTimestamp(mediaType, data, []byte{0x30, 0})
		if err != nil {
			if len(data) > envelope.MaxSize/2 {
				return // escapes may be written longer than they were
			}
			t.Fatal(err)
		}
		again, err := envelope.Parse(mediaType, stamped)
		if err != nil {
			t.Fatalf("cannot be read with a timestamp: %v", err)
		}
		if _, err := again.Verify(); (err == nil) != (verifyErr == nil) {
			t.Fatalf("verifies differently with a timestamp: %v, %v", verifyErr, err)
		}
		want := claims
		want.Timestamp = []byte{0x30, 0}
		if got := again.Claims(); !reflect.DeepEqual(got, want) {
			t.Fatalf("reads differently with a timestamp: %+v, %+v", got, want)
		}
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// checkAgreement reads an accepted envelope with another implementation.
func checkAgreement(t *testing.T, mediaType string, data []byte, c envelope.Content) {
	t.Helper()
	if mediaType == envelope.MediaTypeJWS {
		var e struct{ Payload, Signature string }
		if err := json.Unmarshal(data, &e); err != nil || e.Payload != b64url(string(c.Payload)) || e.Signature != b64url(string(c.Signature)) {
			t.Fatalf("encoding/json reads another payload or signature: %v", err)
		}
		return
	}
	var m cose.Sign1Message
	if err := m.UnmarshalCBOR(data); err != nil {
		t.Logf("go-cose: %v", err)
		return
	}
	if !bytes.Equal(m.Payload, c.Payload) || !bytes.Equal(m.Signature, c.Signature) {
		t.Fatal("go-cose reads another payload or signature")
	}
}

// FuzzPayload puts every payload under a good signature: what is accepted is
// read alike by encoding/json.
func FuzzPayload(f *testing.F) {
	chain := testpki.New(f, testpki.Options{Length: 1})
	for _, s := range []string{
		goodPayload, `{}`, `{"targetArtifact":null}`, `{"targetArtifact":{"size":1e2}}`,
		goodPayload[:len(goodPayload)-2] + `,"annotations":{"a":"b"},"artifactType":"a/b"}}`,
		goodPayload[:len(goodPayload)-2] + `,"Size":3}}`,
		goodPayload[:len(goodPayload)-2] + `,"urls":[]}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		// The signature is not looked at while parsing.
		forge := newCOSE(chain)
		forge.payload, forge.signature = bstr(payload), []byte{0x41, 0}
		u, err := envelope.Parse(envelope.MediaTypeCOSE, forge.encode(t))
		if err != nil {
			if reason.Of(err) == "" {
				t.Fatalf("%q has no reason", err)
			}
			return
		}
		c := u.Claims()
		var standard struct{ TargetArtifact envelope.Descriptor }
		if err := json.Unmarshal(payload, &standard); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", payload, err)
		}
		if !reflect.DeepEqual(c.Target, standard.TargetArtifact) {
			t.Fatalf("%q: got %+v, encoding/json %+v", payload, c.Target, standard.TargetArtifact)
		}
		if !bytes.Equal(c.Payload, payload) {
			t.Fatal("the payload is not the bytes received")
		}
		r := request(envelope.MediaTypeJWS)
		r.Target = c.Target
		if _, err := envelope.New(r, envelope.ECDSASHA256); err != nil && reason.Of(err) != reason.EnvelopeReservedAnnotation {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}
