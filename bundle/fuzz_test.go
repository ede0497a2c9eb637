package bundle_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/notaryv2/notation/bundle"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// FuzzContents holds: no panic; an error has a reason; and what is accepted is
// written as it was read.
func FuzzContents(f *testing.F) {
	f.Add([]byte(contents(goodEntry)))
	f.Add([]byte(contents()))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := bundle.ParseContents(data)
		if err != nil {
			if reason.Of(err) != reason.BundleContents {
				t.Fatal(err)
			}
			return
		}
		raw, err := c.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := bundle.ParseContents(raw)
		if err != nil || len(again.Artifacts) != len(c.Artifacts) {
			t.Fatalf("%s: %v", raw, err)
		}
		for i := range c.Artifacts {
			if again.Artifacts[i].Origin != c.Artifacts[i].Origin || again.Artifacts[i].Name != c.Artifacts[i].Name {
				t.Fatalf("%+v is read again as %+v", c.Artifacts[i], again.Artifacts[i])
			}
		}
	})
}

// single is a repository with one manifest, under every tag, and one blob, under
// every digest.
type single struct {
	oci.Repository
	manifest, blob []byte
}

func (s single) Resolve(context.Context, oci.Reference) (oci.Descriptor, error) {
	return oci.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(s.manifest), Size: int64(len(s.manifest))}, nil
}

func (s single) Fetch(_ context.Context, d oci.Descriptor, limit int64) ([]byte, error) {
	content := s.blob
	if d.MediaType == ocispec.MediaTypeImageManifest {
		content = s.manifest
	}
	return oci.ReadVerified(bytes.NewReader(content), d, limit)
}

// FuzzManifests puts every input as the manifest of evidence and of trust, and
// as what it names: no panic, and an error or a warning has a reason.
func FuzzManifests(f *testing.F) {
	chain := testpki.New(f, testpki.Options{})
	for _, a := range answers(f, chain) {
		f.Add(manifest(bundle.ArtifactTypeEvidence, bundle.MediaTypeCRL, a.DER, "x", nil), a.DER)
		f.Add(manifest(bundle.ArtifactTypeEvidence, bundle.MediaTypeOCSP, a.DER, "x", nil), a.DER)
	}
	policy := trusted(chain).Policy
	f.Add(manifest(bundle.ArtifactTypeTrust, bundle.MediaTypePolicy, policy, bundle.PolicyFile, nil), policy)
	f.Fuzz(func(t *testing.T, raw, blob []byte) {
		repo := single{manifest: raw, blob: blob}
		e, err := bundle.ReadEvidence(t.Context(), repo)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range e.Warnings {
			if reason.Of(w) != reason.BundleEvidence {
				t.Fatal(w)
			}
		}
		if tr, err := bundle.ReadTrust(t.Context(), repo); err != nil && reason.Of(err) == "" || err == nil && tr == nil {
			t.Fatal(tr, err)
		}
	})
}
