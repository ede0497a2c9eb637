package plugin

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// verified returns an envelope with everything that a plugin may be told.
func verified(t testing.TB, mediaType string, change func(r *envelope.Request)) *envelope.Verified {
	t.Helper()
	r := request(mediaType)
	if change != nil {
		change(&r)
	}
	u, err := envelope.Parse(mediaType, seal(t, r, testpki.New(t, testpki.Options{})))
	must(t, err)
	v, err := u.Verify()
	must(t, err)
	return v
}

func withAttributes(r *envelope.Request) {
	r.VerificationPlugin, r.PluginMinVersion = "test", "1.0.0"
	r.Extended = []envelope.Attribute{
		{Key: "com.example.a", Critical: true, Value: "x"},
		{Key: "com.example.b", Critical: true, Value: map[string]any{"n": int64(1)}},
		{Key: "com.example.c", Value: "not critical"},
	}
}

func TestVerifySignature(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer      string
		processed   []string
		unprocessed []string
		success     bool
	}{
		"yes":      {`{"verificationResults":{"SIGNATURE_VERIFIER.TRUSTED_IDENTITY":{"success":true}},"processedAttributes":["com.example.b","com.example.a"]}`, []string{"com.example.b", "com.example.a"}, nil, true},
		"no":       {`{"verificationResults":{"SIGNATURE_VERIFIER.TRUSTED_IDENTITY":{"success":false,"reason":"bad \u001b[2J"}},"processedAttributes":["com.example.a"]}`, []string{"com.example.a"}, []string{"com.example.b"}, false},
		"null":     {`{"verificationResults":{"SIGNATURE_VERIFIER.TRUSTED_IDENTITY":{"success":true,"reason":null}},"processedAttributes":null}`, nil, []string{"com.example.a", "com.example.b"}, true},
		"no word":  {`{"verificationResults":{"SIGNATURE_VERIFIER.TRUSTED_IDENTITY":{}}}`, nil, []string{"com.example.a", "com.example.b"}, false},
		"more":     {`{"verificationResults":{"SIGNATURE_VERIFIER.TRUSTED_IDENTITY":{"success":true,"extra":1}},"extra":[]}`, nil, []string{"com.example.a", "com.example.b"}, true},
		"null too": {`{"verificationResults":{"SIGNATURE_VERIFIER.TRUSTED_IDENTITY":{"success":null}}}`, nil, []string{"com.example.a", "com.example.b"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := get(t, answering(t, map[Command]said{CommandVerifySignature: {Out: tt.answer}}))
			v, err := p.VerifySignature(t.Context(), VerifyRequest{
				Envelope: verified(t, envelope.MediaTypeJWS, withAttributes), Capabilities: []Capability{CapabilityTrustedIdentity},
			})
			must(t, err)
			result := v.Results[CapabilityTrustedIdentity]
			if len(v.Results) != 1 || result.Success != tt.success || !printable(result.Reason) ||
				!slices.Equal(v.Processed, tt.processed) || !slices.Equal(v.Unprocessed, tt.unprocessed) {
				t.Errorf("%+v", v)
			}
		})
	}
}

// attack: PLG-04
func TestVerifySignatureLies(t *testing.T) {
	t.Parallel()
	const ok = `"SIGNATURE_VERIFIER.TRUSTED_IDENTITY":{"success":true}`
	for name, tt := range map[string]struct {
		answer string
		code   reason.Code
	}{
		"no results":                {`{}`, reason.PluginVerification},
		"empty results":             {`{"verificationResults":{},"processedAttributes":["com.example.a","com.example.b"]}`, reason.PluginVerification},
		"result of another":         {`{"verificationResults":{"SIGNATURE_VERIFIER.REVOCATION_CHECK":{"success":true}}}`, reason.PluginVerification},
		"result not asked":          {`{"verificationResults":{` + ok + `,"SIGNATURE_VERIFIER.REVOCATION_CHECK":{"success":true}}}`, reason.PluginVerification},
		"result unknown":            {`{"verificationResults":{` + ok + `,"X\u001b":{"success":true}}}`, reason.PluginVerification},
		"null result":               {`{"verificationResults":{"SIGNATURE_VERIFIER.TRUSTED_IDENTITY":null}}`, reason.PluginVerification},
		"success as text":           {`{"verificationResults":{"SIGNATURE_VERIFIER.TRUSTED_IDENTITY":{"success":"true"}}}`, reason.PluginAnswer},
		"success twice":             {`{"verificationResults":{"SIGNATURE_VERIFIER.TRUSTED_IDENTITY":{"success":false,"success":true}}}`, reason.PluginAnswer},
		"success in case":           {`{"verificationResults":{"SIGNATURE_VERIFIER.TRUSTED_IDENTITY":{"Success":true}}}`, reason.PluginAnswer},
		"result twice":              {`{"verificationResults":{` + ok + `,` + ok + `}}`, reason.PluginAnswer},
		"processed not asked":       {`{"verificationResults":{` + ok + `},"processedAttributes":["com.example.a","com.example.x"]}`, reason.PluginVerification},
		"processed not critical":    {`{"verificationResults":{` + ok + `},"processedAttributes":["com.example.c"]}`, reason.PluginVerification},
		"processed in other case":   {`{"verificationResults":{` + ok + `},"processedAttributes":["com.example.A"]}`, reason.PluginVerification},
		"processed twice":           {`{"verificationResults":{` + ok + `},"processedAttributes":["com.example.a","com.example.a"]}`, reason.PluginVerification},
		"processed with a null":     {`{"verificationResults":{` + ok + `},"processedAttributes":["com.example.a",null]}`, reason.PluginAnswer},
		"processed what is ours":    {`{"verificationResults":{` + ok + `},"processedAttributes":["io.cncf.notary.expiry"]}`, reason.PluginVerification},
		"processed without a check": {`{"processedAttributes":["com.example.a","com.example.b"]}`, reason.PluginVerification},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := get(t, answering(t, map[Command]said{CommandVerifySignature: {Out: tt.answer}}))
			v, err := p.VerifySignature(t.Context(), VerifyRequest{
				Envelope: verified(t, envelope.MediaTypeJWS, withAttributes), Capabilities: []Capability{CapabilityTrustedIdentity},
			})
			refuses(t, err, tt.code)
			if v != nil {
				t.Errorf("%+v", v)
			}
		})
	}
}

// Nothing runs for a signature that was not verified, and nothing for nothing.
//
// attack: PLG-02
func TestVerifySignatureNotRun(t *testing.T) {
	t.Parallel()
	record := filepath.Join(t.TempDir(), "record")
	p := get(t, answering(t, map[Command]said{}, "EXAMPLE_RECORD="+record))
	ask := []Capability{CapabilityTrustedIdentity}
	named := func(name, version string) *envelope.Verified {
		return verified(t, envelope.MediaTypeJWS, func(r *envelope.Request) { r.VerificationPlugin, r.PluginMinVersion = name, version })
	}
	good := named("test", "1.2.3")
	for _, r := range []VerifyRequest{
		{}, {Capabilities: ask}, {Capabilities: ask, Envelope: &envelope.Verified{}},
		{Capabilities: []Capability{CapabilityRaw}, Envelope: good}, {Capabilities: []Capability{"x"}, Envelope: good},
		{Capabilities: []Capability{CapabilityTrustedIdentity, CapabilityTrustedIdentity}, Envelope: good},
		{Capabilities: ask, Envelope: named("other", "")}, {Capabilities: ask, Envelope: named("Test", "")}, {Capabilities: ask, Envelope: verified(t, envelope.MediaTypeCOSE, nil)},
	} {
		_, err := p.VerifySignature(t.Context(), r)
		refuses(t, err, reason.PluginRequest)
	}
	for _, version := range []string{"1.2.4", "1.2.4-rc.1", "2.0.0"} {
		_, err := p.VerifySignature(t.Context(), VerifyRequest{Capabilities: ask, Envelope: named("test", version)})
		refuses(t, err, reason.PluginVersion)
	}
	v, err := p.VerifySignature(t.Context(), VerifyRequest{Envelope: good})
	must(t, err)
	if len(v.Results)+len(v.Processed)+len(v.Unprocessed) > 0 {
		t.Errorf("%+v", v)
	}
	weak := *p
	weak.metadata.Capabilities = []Capability{CapabilityTrustedIdentity}
	_, err = weak.VerifySignature(t.Context(), VerifyRequest{Envelope: good, Capabilities: []Capability{CapabilityRevocationCheck}})
	refuses(t, err, reason.PluginCapability)
	if _, err := os.Stat(record + "." + string(CommandVerifySignature)); err == nil {
		t.Error("the plugin was run")
	}
}

func TestVerifyRequestSent(t *testing.T) {
	t.Parallel()
	record := filepath.Join(t.TempDir(), "record")
	p := get(t, answering(t, map[Command]said{}, "EXAMPLE_RECORD="+record))
	v := verified(t, envelope.MediaTypeJWS, func(r *envelope.Request) {
		withAttributes(r)
		r.Scheme = envelope.SchemeSigningAuthority
		r.SigningTime = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
		r.Expiry = r.SigningTime.Add(time.Hour)
	})
	_, err := p.VerifySignature(t.Context(), VerifyRequest{
		Envelope: v, Capabilities: []Capability{CapabilityTrustedIdentity, CapabilityRevocationCheck},
		TrustedIdentities: []string{"*"}, Config: map[string]string{"a": "b"},
	})
	refuses(t, err, reason.PluginAnswer)
	var certs []string
	for _, c := range v.Content().Chain {
		certs = append(certs, `"`+base64.StdEncoding.EncodeToString(c.Raw)+`"`)
	}
	want := `{"contractVersion":"1.0","signature":{"criticalAttributes":{"contentType":"application/vnd.cncf.notary.payload.v1+json","signingScheme":"notary.x509.signingAuthority",` +
		`"expiry":"2024-01-02T04:04:05Z","authenticSigningTime":"2024-01-02T03:04:05Z","verificationPlugin":"test","verificationPluginMinVersion":"1.0.0",` +
		`"extendedAttributes":{"com.example.a":"x","com.example.b":{"n":1}}},"unprocessedAttributes":["com.example.a","com.example.b"],"certificateChain":[` + strings.Join(certs, ",") + `]},` +
		`"trustPolicy":{"trustedIdentities":["*"],"signatureVerification":["SIGNATURE_VERIFIER.TRUSTED_IDENTITY","SIGNATURE_VERIFIER.REVOCATION_CHECK"]},"pluginConfig":{"a":"b"}}`
	got, err := os.ReadFile(record + "." + string(CommandVerifySignature))
	must(t, err)
	if string(got) != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
	// The least that there can be, and what the author's side makes of it.
	c := verified(t, envelope.MediaTypeCOSE, func(r *envelope.Request) {
		r.VerificationPlugin = "test"
		r.Extended = []envelope.Attribute{{Key: "com.example.bytes", Critical: true, Value: []byte{1}}, {Key: "com.example.list", Critical: true, Value: []any{"a"}}}
	}).Content()
	request := newVerifyRequest(&c, &VerifyRequest{})
	var back VerifySignatureRequest
	must(t, decode([]byte(toJSON(t, request)), &back))
	if back.Signature.CriticalAttributes.ExtendedAttributes["com.example.bytes"] != "AQ==" || len(back.Signature.UnprocessedAttributes) != 2 {
		t.Errorf("%+v", back)
	}
	if a := back.Signature.CriticalAttributes; !a.Expiry.IsZero() || !a.AuthenticSigningTime.IsZero() || a.VerificationPluginMinVersion != "" {
		t.Errorf("%+v", a)
	}
}
