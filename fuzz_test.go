package notation_test

import (
	"crypto/x509"
	"errors"
	"testing"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// FuzzVerifyEnvelope looks for an envelope that passes under a policy whose
// anchor never signed it, for a panic, and for a no without a reason.
func FuzzVerifyEnvelope(f *testing.F) {
	signing := testpki.New(f, testpki.Options{})
	trusted := testpki.New(f, testpki.Options{KeySet: 1})
	v := &notation.Verifier{Policy: policy(f, "strict", ""), Stores: stores(map[string][]*x509.Certificate{"ca:test": {trusted.Root()}})}
	for _, mediaType := range []string{envelope.MediaTypeJWS, envelope.MediaTypeCOSE} {
		f.Add(seal(f, signing, envelope.Request{MediaType: mediaType, Target: target()}), mediaType)
		f.Add(seal(f, signing, envelope.Request{MediaType: mediaType, Target: target(), Scheme: envelope.SchemeSigningAuthority, VerificationPlugin: "p"}), mediaType)
	}
	f.Add(rawJWS(f, signing.Key, signing.Certs, map[string]any{"x": 1}, "x"), envelope.MediaTypeJWS)
	f.Add([]byte("{}"), "application/json")
	f.Fuzz(func(t *testing.T, env []byte, mediaType string) {
		verdict, err := v.VerifyEnvelope(t.Context(), env, mediaType, target(), scope)
		if !errors.Is(err, notation.ErrRejected) || reason.Of(err) == "" {
			t.Fatalf("error %v", err)
		}
		if len(verdict.Signatures) != 1 || len(verdict.Signatures[0].Findings) != 5 || verdict.Accepted() != nil {
			t.Errorf("verdict %+v", verdict)
		}
	})
}
