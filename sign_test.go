package notation_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestSign(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	repo.onResolve = func(oci.Reference) (oci.Descriptor, error) { // more than may be signed
		return with(artifact, func(d *oci.Descriptor) {
			d.ArtifactType = "sbom/example"
			d.Annotations = map[string]string{"org.opencontainers.image.ref.name": "v1"}
			d.URLs = []string{"https://registry.example"}
			d.Platform = &ocispec.Platform{OS: "linux"}
		}), nil
	}
	now := time.Now().Add(123456789)
	metadata := map[string]string{"build": "1"}
	signed, err := notation.Sign(t.Context(), repo, reference(t, scope+":v1"), signerFor(t, chain), notation.SignOptions{
		Expiry: time.Hour, Metadata: metadata, Agent: "tool/1.0", Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := with(artifact, func(d *oci.Descriptor) { d.ArtifactType = "sbom/example" }); fmt.Sprint(signed.Artifact) != fmt.Sprint(want) {
		t.Errorf("artifact %+v", signed.Artifact)
	}
	raw := repo.content[signed.Signature.Digest]
	m, err := oci.ParseSignatureManifest(raw, artifact.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if m.Envelope.Digest != signed.Envelope.Digest || m.Envelope.Size != signed.Envelope.Size || signed.Envelope.MediaType != envelope.MediaTypeJWS {
		t.Errorf("envelope %+v, in the manifest %+v", signed.Envelope, m.Envelope)
	}
	whole := now.UTC().Truncate(time.Second)
	want := thumbprints(chain)
	want[ocispec.AnnotationCreated] = whole.Format(time.RFC3339)
	if !maps.Equal(m.Annotations, want) {
		t.Errorf("annotations %v", m.Annotations)
	}
	u, err := envelope.Parse(m.Envelope.MediaType, m.Inline)
	if err != nil {
		t.Fatal(err)
	}
	c := u.Claims()
	if c.Agent != "tool/1.0" || !c.SigningTime.Equal(whole) || !c.Expiry.Equal(whole.Add(time.Hour)) || c.Scheme != envelope.SchemeX509 {
		t.Errorf("content %+v", c)
	}
	wantTarget := signed.Artifact
	wantTarget.Annotations = metadata
	if fmt.Sprint(c.Target) != fmt.Sprint(wantTarget) {
		t.Errorf("signed %+v, want %+v", c.Target, wantTarget)
	}
}

func TestSignRefusesOptions(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	many := map[string]string{}
	for i := range 101 {
		many[fmt.Sprint(i)] = ""
	}
	for _, tt := range []struct {
		name string
		o    notation.SignOptions
		code reason.Code
	}{
		{"media type", notation.SignOptions{MediaType: "application/json"}, reason.SignMediaType},
		{"negative expiry", notation.SignOptions{Expiry: -time.Second}, reason.SignExpiry},
		{"fractional expiry", notation.SignOptions{Expiry: 1500 * time.Millisecond}, reason.SignExpiry},
		{"expiry below a second", notation.SignOptions{Expiry: 1}, reason.SignExpiry},
		// attack: ENV-10
		{"reserved key", notation.SignOptions{Metadata: map[string]string{"io.cncf.notary.x": "y"}}, reason.SignMetadataReserved},
		{"reserved prefix", notation.SignOptions{Metadata: map[string]string{"io.cncf.notary": "y"}}, reason.SignMetadataReserved},
		{"empty key", notation.SignOptions{Metadata: map[string]string{"": "y"}}, reason.SignMetadata},
		{"key not UTF-8", notation.SignOptions{Metadata: map[string]string{"\xff": "y"}}, reason.SignMetadata},
		{"value not UTF-8", notation.SignOptions{Metadata: map[string]string{"x": "\xff"}}, reason.SignMetadata},
		{"too many", notation.SignOptions{Metadata: many}, reason.SignMetadata},
		{"too large", notation.SignOptions{Metadata: map[string]string{"x": strings.Repeat("y", 16<<10)}}, reason.SignMetadata},
		{"agent too long", notation.SignOptions{Agent: strings.Repeat("a", 257)}, reason.SignAgent},
		{"agent not UTF-8", notation.SignOptions{Agent: "\xff"}, reason.SignAgent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			repo := newFakeRepo()
			artifact := repo.push("v1", "artifact")
			signed, err := notation.Sign(t.Context(), repo, byDigest(t, artifact), signerFor(t, chain), tt.o)
			if reason.Of(err) != tt.code || signed.Signature.Digest != "" || len(repo.requests) != 0 {
				t.Errorf("%v (%s), requests %v", err, reason.Of(err), repo.requests)
			}
		})
	}
}

// fakeSigner returns what it is told to.
type fakeSigner func(context.Context, envelope.Request) (signer.Result, error)

func (f fakeSigner) Algorithm(context.Context) (envelope.Algorithm, error) {
	return envelope.ECDSASHA256, nil
}

func (f fakeSigner) Sign(ctx context.Context, r envelope.Request) (signer.Result, error) {
	return f(ctx, r)
}

func TestSignFails(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	honest := signerFor(t, chain)
	boom := errors.New("boom")
	for _, tt := range []struct {
		name string
		ref  string
		key  fakeSigner
		code reason.Code
	}{
		{"no such tag", ":v2", honest.Sign, reason.OCINotFound},
		{"no tag", "", honest.Sign, reason.VerifyReference},
		{"signer fails", ":v1", func(context.Context, envelope.Request) (signer.Result, error) { return signer.Result{}, boom }, ""},
		{"no envelope", ":v1", func(context.Context, envelope.Request) (signer.Result, error) {
			return signer.Result{Envelope: []byte("{}")}, nil
		}, reason.EnvelopeJSON},
		{"other artifact", ":v1", func(ctx context.Context, r envelope.Request) (signer.Result, error) {
			r.Target.Digest = digest.FromString("other")
			return honest.Sign(ctx, r)
		}, reason.SignOtherTarget},
		{"no expiry", ":v1", func(ctx context.Context, r envelope.Request) (signer.Result, error) {
			r.Expiry = time.Time{}
			return honest.Sign(ctx, r)
		}, reason.SignOtherTarget},
		{"other scheme", ":v1", func(ctx context.Context, r envelope.Request) (signer.Result, error) {
			r.Scheme = envelope.SchemeSigningAuthority
			return honest.Sign(ctx, r)
		}, reason.SignOtherTarget},
		{"no plugin", ":v1", func(ctx context.Context, r envelope.Request) (signer.Result, error) {
			r.VerificationPlugin, r.PluginMinVersion, r.Extended = "", "", nil
			return honest.Sign(ctx, r)
		}, reason.SignOtherTarget},
		{"other version of the plugin", ":v1", func(ctx context.Context, r envelope.Request) (signer.Result, error) {
			r.PluginMinVersion = "1.0.0"
			return honest.Sign(ctx, r)
		}, reason.SignOtherTarget},
		{"other attribute", ":v1", func(ctx context.Context, r envelope.Request) (signer.Result, error) {
			r.Extended = []envelope.Attribute{{Key: "x", Critical: true, Value: "z"}}
			return honest.Sign(ctx, r)
		}, reason.SignOtherTarget},
		{"attribute not critical", ":v1", func(ctx context.Context, r envelope.Request) (signer.Result, error) {
			r.Extended = []envelope.Attribute{{Key: "x", Value: "y"}}
			return honest.Sign(ctx, r)
		}, reason.SignOtherTarget},
		{"attribute of another name", ":v1", func(ctx context.Context, r envelope.Request) (signer.Result, error) {
			r.Extended = []envelope.Attribute{{Key: "z", Critical: true, Value: "y"}}
			return honest.Sign(ctx, r)
		}, reason.SignOtherTarget},
		{"no key", ":v1", nil, reason.SignerKeyMissing},
		{"broken signature", ":v1", func(ctx context.Context, r envelope.Request) (signer.Result, error) {
			made, err := honest.Sign(ctx, r)
			made.Envelope = []byte(strings.Replace(string(made.Envelope), `"signature":"`, `"signature":"AAAA`, 1))
			return made, err
		}, reason.EnvelopeSignature},
		{"less metadata", ":v1", func(ctx context.Context, r envelope.Request) (signer.Result, error) {
			r.Target.Annotations = nil
			return honest.Sign(ctx, r)
		}, reason.SignOtherTarget},
		{"other metadata", ":v1", func(ctx context.Context, r envelope.Request) (signer.Result, error) {
			r.Target.Annotations = map[string]string{"asked": "other"}
			return honest.Sign(ctx, r)
		}, reason.SignOtherTarget},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			repo := newFakeRepo()
			artifact := repo.push("v1", "artifact")
			var key signer.Signer
			if tt.key != nil {
				key = tt.key
			}
			_, err := notation.Sign(t.Context(), repo, reference(t, scope+tt.ref), key, notation.SignOptions{
				Metadata: map[string]string{"asked": "this"}, Expiry: time.Hour, Scheme: envelope.SchemeX509,
				VerificationPlugin: "example", PluginMinVersion: "2.0.0", Extended: []envelope.Attribute{{Key: "x", Critical: true, Value: "y"}},
			})
			if err == nil || reason.Of(err) != tt.code {
				t.Errorf("%v (%s), want %s", err, reason.Of(err), tt.code)
			}
			if tt.code == "" && !errors.Is(err, boom) {
				t.Errorf("%v lost its cause", err)
			}
			if len(repo.listings[artifact.Digest]) != 0 {
				t.Error("something was attached")
			}
		})
	}
}

// TestLargestMetadata stays inline, whatever the algorithm.
func TestLargestMetadata(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"rsa-4096", "ec-256"} {
		chain := testpki.New(t, testpki.Options{Algorithm: algorithm})
		repo := newFakeRepo()
		artifact := repo.push("v1", "artifact")
		sig := repo.signAs(t, artifact, chain, notation.SignOptions{Metadata: map[string]string{"x": strings.Repeat("y", 16<<10-1)}})
		m, err := oci.ParseSignatureManifest(repo.content[sig.Digest], artifact.Digest)
		if err != nil || m.Inline == nil {
			t.Errorf("%s: %v, %d bytes", algorithm, err, m.Envelope.Size)
		}
	}
}

// TestSignMore signs what only some signatures hold, and stores what a signer
// adds to the manifest.
func TestSignMore(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	honest := signerFor(t, chain)
	adds := fakeSigner(func(ctx context.Context, r envelope.Request) (signer.Result, error) {
		r.Target.Annotations = map[string]string{"asked": "this", "added": "that"}
		result, err := honest.Sign(ctx, r)
		result.Annotations = map[string]string{"of.the": "signer", oci.AnnotationThumbprints: "[]"}
		return result, err
	})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	signed, err := notation.Sign(t.Context(), repo, byDigest(t, artifact), adds, notation.SignOptions{
		Metadata: map[string]string{"asked": "this"}, Scheme: envelope.SchemeSigningAuthority,
		VerificationPlugin: "example", PluginMinVersion: "1.0.0",
		Extended: []envelope.Attribute{{Key: "x", Critical: true, Value: "y"}, {Key: "z", Value: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := oci.ParseSignatureManifest(repo.content[signed.Signature.Digest], artifact.Digest)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := envelope.Parse(m.Envelope.MediaType, m.Inline)
	if err != nil {
		t.Fatal(err)
	}
	c := parsed.Claims()
	if c.Scheme != envelope.SchemeSigningAuthority || c.VerificationPlugin != "example" || c.PluginMinVersion != "1.0.0" || len(c.Extended) != 2 ||
		!c.Extended[0].Critical || c.Extended[1].Critical || len(c.Target.Annotations) != 2 || signed.Timestamp != nil {
		t.Errorf("signed %+v", c)
	}
	annotations := repo.listings[artifact.Digest][0].Annotations
	if annotations["of.the"] != "signer" || annotations[oci.AnnotationThumbprints] == "[]" {
		t.Errorf("annotations %v", annotations)
	}
}

// A signer may add metadata, but none under the names of the format.
//
// attack: ENV-10
func TestSignerAddsReserved(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for key, code := range map[string]reason.Code{"io.cncf.notary.x": reason.SignOtherTarget, "io.cncf": ""} {
		repo := newFakeRepo()
		artifact := repo.push("v1", "artifact")
		adds := fakeSigner(func(_ context.Context, r envelope.Request) (signer.Result, error) {
			r.Target.Annotations = map[string]string{key: "y"}
			return signer.Result{Envelope: rawJWSOf(t, r.Target, chain.Key, chain.Certs, nil)}, nil
		})
		if _, err := notation.Sign(t.Context(), repo, byDigest(t, artifact), adds, notation.SignOptions{}); reason.Of(err) != code {
			t.Errorf("%s: %v", key, err)
		}
	}
}
