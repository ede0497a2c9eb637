package notation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func target() oci.Descriptor {
	return descriptor(ocispec.MediaTypeImageManifest, []byte("artifact"))
}

// decide verifies one JWS envelope for target.
func decide(t testing.TB, v *notation.Verifier, env []byte) (*notation.Verdict, error) {
	t.Helper()
	return v.VerifyEnvelope(t.Context(), env, envelope.MediaTypeJWS, target(), scope)
}

func at(v *notation.Verifier, now time.Time) *notation.Verifier {
	w := *v
	w.Now = func() time.Time { return now }
	return &w
}

// want is what a test expects of one envelope.
type want struct {
	check   notation.Check
	outcome notation.Outcome
	code    reason.Code
}

// compare compares the finding, and that error and outcome agree with it.
func (w want) compare(t *testing.T, verdict *notation.Verdict, err error) {
	t.Helper()
	f := finding(t, verdict.Signatures[0].Findings, w.check)
	if f.Outcome != w.outcome || f.Reason != w.code {
		t.Errorf("finding %+v, want %s %s", f, w.outcome, w.code)
	}
	if (f.Outcome == notation.Passed) != (f.Reason == "") || f.Message == "" {
		t.Errorf("finding %+v lacks something", f)
	}
	if w.outcome == notation.Failed {
		checkRefusal(t, verdict, err, notation.ErrRejected, w.code)
		return
	}
	if err != nil {
		t.Errorf("refused: %v", err)
	}
}

// attack: ENV-03
func TestSchemeAndStore(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	other := testpki.New(t, testpki.Options{Name: "other", KeySet: 1})
	root, foreign := []*x509.Certificate{chain.Root()}, []*x509.Certificate{other.Root()}
	for _, tt := range []struct {
		name   string
		scheme envelope.Scheme
		stores map[string][]*x509.Certificate
		want   want
	}{
		{"x509 in ca", envelope.SchemeX509, map[string][]*x509.Certificate{"ca:a": root, "signingAuthority:b": foreign},
			want{notation.CheckAuthenticity, notation.Passed, ""}},
		{"authority in signingAuthority", envelope.SchemeSigningAuthority, map[string][]*x509.Certificate{"ca:a": foreign, "signingAuthority:b": root},
			want{notation.CheckAuthenticity, notation.Passed, ""}},
		{"x509 in signingAuthority", envelope.SchemeX509, map[string][]*x509.Certificate{"ca:a": foreign, "signingAuthority:b": root},
			want{notation.CheckAuthenticity, notation.Failed, reason.VerifyStoreType}},
		{"authority in ca", envelope.SchemeSigningAuthority, map[string][]*x509.Certificate{"ca:a": root, "signingAuthority:b": foreign},
			want{notation.CheckAuthenticity, notation.Failed, reason.VerifyStoreType}},
		{"x509 in none", envelope.SchemeX509, map[string][]*x509.Certificate{"ca:a": foreign, "signingAuthority:b": foreign},
			want{notation.CheckAuthenticity, notation.Failed, reason.VerifyRootUntrusted}},
		{"store missing", envelope.SchemeX509, map[string][]*x509.Certificate{"signingAuthority:b": foreign},
			want{notation.CheckAuthenticity, notation.Failed, reason.StoreNotFound}},
		{"other store missing", envelope.SchemeX509, map[string][]*x509.Certificate{"ca:a": root},
			want{notation.CheckAuthenticity, notation.Passed, ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := &notation.Verifier{
				Policy: policy(t, "strict", `"trustStores": ["ca:a", "signingAuthority:b"], "trustedIdentities": ["*"]`),
				Stores: stores(tt.stores),
				Cache:  modeCache(),
			}
			verdict, err := decide(t, v, seal(t, chain, envelope.Request{Target: target(), Scheme: tt.scheme}))
			tt.want.compare(t, verdict, err)
		})
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for _, tt := range []struct {
		identities, level string
		want              want
		identity          string
	}{
		{`["x509.subject: C=US, ST=WA, O=wabbit-networks.io"]`, "strict", want{notation.CheckAuthenticity, notation.Passed, ""}, "x509.subject: C=US"},
		{`["x509.subject: C=US, ST=WA, O=a", "x509.subject: C=US, ST=WA, O=wabbit-networks.io"]`, "strict", want{notation.CheckAuthenticity, notation.Passed, ""}, "x509.subject: C=US"},
		{`["x509.subject: C=US, ST=WA, O=acme"]`, "strict", want{notation.CheckAuthenticity, notation.Failed, reason.VerifyIdentityUntrusted}, ""},
		{`["x509.subject: C=US, ST=WA, O=acme"]`, "permissive", want{notation.CheckAuthenticity, notation.Failed, reason.VerifyIdentityUntrusted}, ""},
		{`["x509.subject: C=US, ST=WA, O=acme"]`, "audit", want{notation.CheckAuthenticity, notation.Logged, reason.VerifyIdentityUntrusted}, ""},
	} {
		t.Run(tt.level+" "+tt.identities, func(t *testing.T) {
			t.Parallel()
			v := verifierFor(t, chain)
			v.Policy = policy(t, tt.level, `"trustStores": ["ca:test"], "trustedIdentities": `+tt.identities)
			verdict, err := decide(t, v, seal(t, chain, envelope.Request{Target: target()}))
			tt.want.compare(t, verdict, err)
			if s := verdict.Signatures[0]; (s.Store == "ca:test") != (tt.identity != "") || !strings.HasPrefix(s.Identity, tt.identity) || (tt.identity == "") != (s.Identity == "") {
				t.Errorf("store %q, identity %q", s.Store, s.Identity)
			}
			if err != nil && (!strings.Contains(err.Error(), "wabbit-networks.io") || !strings.Contains(err.Error(), "acme")) {
				t.Errorf("%v does not name both sides", err)
			}
			if err != nil {
				checkHint(t, v, chain, reason.Hint(err))
			}
		})
	}
}

// checkHint puts the identity of a hint into the policy, which then holds.
func checkHint(t *testing.T, v *notation.Verifier, chain *testpki.Chain, hint string) {
	t.Helper()
	_, rest, _ := strings.Cut(hint, `"`)
	identity, _, ok := strings.Cut(rest, `" to the statement`)
	if !ok {
		t.Fatalf("hint %q", hint)
	}
	w := *v
	w.Policy = policy(t, "strict", `"trustStores": ["ca:test"], "trustedIdentities": ["`+identity+`"]`)
	if _, err := decide(t, &w, seal(t, chain, envelope.Request{Target: target()})); err != nil {
		t.Error(err)
	}
}

// TestIncompleteSubject has a subject that no trusted identity can name.
func TestIncompleteSubject(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{Modify: func(i int, c *x509.Certificate) {
		if i == 0 {
			c.Subject.Province = nil
		}
	}})
	v := verifierFor(t, chain)
	v.Policy = policy(t, "strict", `"trustStores": ["ca:test"], "trustedIdentities": ["x509.subject: C=US, ST=WA, O=wabbit-networks.io"]`)
	verdict, err := decide(t, v, seal(t, chain, envelope.Request{Target: target()}))
	want{notation.CheckAuthenticity, notation.Failed, reason.VerifyIdentityUntrusted}.compare(t, verdict, err)
	if !strings.Contains(reason.Hint(err), "Ask the signer") {
		t.Errorf("hint %q", reason.Hint(err))
	}
}

// TestUnreadableSubject has a subject with more attributes than are compared. It
// is no reason to refuse the certificate, and it matches no pattern.
func TestUnreadableSubject(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{Modify: func(i int, c *x509.Certificate) {
		if i == 0 {
			for n := range 200 {
				c.Subject.OrganizationalUnit = append(c.Subject.OrganizationalUnit, fmt.Sprint(n))
			}
		}
	}})
	env := seal(t, chain, envelope.Request{Target: target()})
	v := verifierFor(t, chain)
	verdict, err := decide(t, v, env)
	want{notation.CheckAuthenticity, notation.Passed, ""}.compare(t, verdict, err)
	v.Policy = policy(t, "strict", `"trustStores": ["ca:test"], "trustedIdentities": ["x509.subject: C=US, ST=WA, O=wabbit-networks.io"]`)
	verdict, err = decide(t, v, env)
	want{notation.CheckAuthenticity, notation.Failed, reason.PolicyIdentity}.compare(t, verdict, err)
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	now := time.Now().Truncate(time.Second)
	for _, tt := range []struct {
		name   string
		expiry time.Time
		want   notation.Outcome
	}{
		{"none", time.Time{}, notation.Passed},
		{"later", now.Add(time.Minute), notation.Passed},
		{"in a second", now.Add(time.Second), notation.Passed},
		{"at this instant", now, notation.Failed},
		{"a second ago", now.Add(-time.Second), notation.Failed},
	} {
		for _, level := range []string{"strict", "permissive"} {
			t.Run(tt.name+" "+level, func(t *testing.T) {
				t.Parallel()
				v := at(verifierFor(t, chain), now)
				v.Policy = policy(t, level, "")
				env := seal(t, chain, envelope.Request{Target: target(), SigningTime: now.Add(-time.Minute), Expiry: tt.expiry})
				verdict, err := decide(t, v, env)
				w := want{notation.CheckExpiry, tt.want, ""}
				if tt.want == notation.Failed {
					w.code = reason.VerifyExpired
					if level == "permissive" {
						w.outcome = notation.Logged
					}
				}
				w.compare(t, verdict, err)
			})
		}
	}
}

func TestIntegrity(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	good := target()
	vary := func(change func(*oci.Descriptor)) []byte {
		d := good
		change(&d)
		return seal(t, chain, envelope.Request{Target: d})
	}
	tampered := seal(t, chain, envelope.Request{Target: good})
	i := strings.Index(string(tampered), `"signature":"`) + len(`"signature":"`) + 10
	if tampered[i] != 'A' { // another letter of base64url, in the middle of s
		tampered[i] = 'A'
	} else {
		tampered[i] = 'B'
	}
	for _, tt := range []struct {
		name     string
		artifact oci.Descriptor
		env      []byte
		code     reason.Code
	}{
		{"good", good, vary(func(*oci.Descriptor) {}), ""},
		{"artifact type signed only", good, vary(func(d *oci.Descriptor) { d.ArtifactType = "a/b" }), ""},
		{"artifact type here only", with(good, func(d *oci.Descriptor) { d.ArtifactType = "a/b" }), vary(func(*oci.Descriptor) {}), ""},
		{"artifact type", with(good, func(d *oci.Descriptor) { d.ArtifactType = "c/d" }), vary(func(d *oci.Descriptor) { d.ArtifactType = "a/b" }), reason.VerifyOtherArtifact},
		{"digest", good, vary(func(d *oci.Descriptor) { d.Digest = descriptor("", []byte("other")).Digest }), reason.VerifyOtherArtifact},
		{"size", good, vary(func(d *oci.Descriptor) { d.Size++ }), reason.VerifyOtherArtifact},
		{"media type", good, vary(func(d *oci.Descriptor) { d.MediaType = "a/b" }), reason.VerifyOtherArtifact},
		{"no artifact", oci.Descriptor{}, vary(func(*oci.Descriptor) {}), reason.VerifyOtherArtifact},
		{"tampered", good, tampered, reason.EnvelopeSignature},
		{"empty", good, nil, reason.EnvelopeJSON},
		{"critical attribute", good, rawJWS(t, chain.Key, chain.Certs, map[string]any{"x\x1b": 1}, "x\x1b"), ""},
		{"plugin", good, seal(t, chain, envelope.Request{Target: good, VerificationPlugin: "com.example.plugin"}), reason.VerifyPluginUnavailable},
		{"plugin and critical attribute", good, seal(t, chain, envelope.Request{Target: good, VerificationPlugin: "p",
			Extended: []envelope.Attribute{{Key: "x", Critical: true, Value: "y"}}}), reason.VerifyPluginUnavailable},
		{"other attribute", good, seal(t, chain, envelope.Request{Target: good, Extended: []envelope.Attribute{{Key: "x", Value: "y"}}}), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, level := range []string{"strict", "audit"} {
				v := verifierFor(t, chain)
				v.Policy = policy(t, level, "")
				verdict, err := v.VerifyEnvelope(t.Context(), tt.env, envelope.MediaTypeJWS, tt.artifact, scope)
				if tt.name == "critical attribute" {
					checkRefusal(t, verdict, err, notation.ErrRejected, reason.Of(err))
					continue
				}
				w := want{notation.CheckIntegrity, notation.Passed, tt.code}
				if tt.code != "" {
					w.outcome = notation.Failed
				}
				w.compare(t, verdict, err)
			}
		})
	}
}

// attack: ENV-02
func TestUnknownCriticalAttributes(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	var extended []envelope.Attribute
	for i := range 8 {
		extended = append(extended, envelope.Attribute{Key: fmt.Sprint("x", i), Critical: true, Value: true})
	}
	v := verifierFor(t, chain)
	verdict, err := decide(t, v, seal(t, chain, envelope.Request{Target: target(), Extended: extended}))
	want{notation.CheckIntegrity, notation.Failed, reason.VerifyCriticalAttribute}.compare(t, verdict, err)
	if !strings.Contains(err.Error(), `"x0", "x1"`) || !strings.Contains(err.Error(), "and 3 more") {
		t.Error(err)
	}
	// Every other check was made all the same.
	for _, check := range []notation.Check{notation.CheckAuthenticity, notation.CheckAuthenticTimestamp, notation.CheckExpiry} {
		if f := finding(t, verdict.Signatures[0].Findings, check); f.Outcome != notation.Passed {
			t.Errorf("finding %+v", f)
		}
	}
}

func TestVerifyEnvelopeRefusals(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	env := seal(t, chain, envelope.Request{Target: target()})
	verdict, err := new(notation.Verifier).VerifyEnvelope(t.Context(), env, envelope.MediaTypeJWS, target(), scope)
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.VerifyNoPolicy)
	v := verifierFor(t, chain)
	verdict, err = v.VerifyEnvelope(t.Context(), env, envelope.MediaTypeJWS, target(), "registry.example/other")
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.PolicyNoStatement)
	verdict, err = v.VerifyEnvelope(t.Context(), env, envelope.MediaTypeJWS, target(), "")
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.Of(err))
	verdict, err = v.VerifyEnvelope(t.Context(), env, "text/plain", target(), scope)
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.EnvelopeMediaType)
	verdict, err = v.VerifyEnvelope(t.Context(), env, envelope.MediaTypeCOSE, target(), scope)
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.Of(err))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	verdict, err = v.VerifyEnvelope(ctx, env, envelope.MediaTypeJWS, target(), scope)
	checkRefusal(t, verdict, err, notation.ErrUndecided, reason.VerifyInterrupted)
}

func with(d oci.Descriptor, change func(*oci.Descriptor)) oci.Descriptor {
	change(&d)
	return d
}
