package oci

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/notaryv2/notation/reason"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestParseManifest(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ raw, mediaType, artifactType, subject string }{
		"image":    {string(encode(t, imageForm())), ocispec.MediaTypeImageManifest, ArtifactTypeSignature, digestA},
		"older":    {string(encode(t, legacyForm())), ocispec.MediaTypeImageManifest, ArtifactTypeSignature, digestA},
		"ORAS":     {string(encode(t, orasForm())), MediaTypeORASManifest, ArtifactTypeSignature, digestA},
		"index":    {`{"schemaVersion":2,"manifests":null,"annotations":null,"subject":null}`, "", "", ""},
		"odd rest": {`{"layers":7,"config":{"mediaType":"c/t","size":"x"},"annotations":{"a":"b"}}`, "", "c/t", ""},
	} {
		m, err := ParseManifest([]byte(tt.raw))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		subject := ""
		if m.Subject != nil {
			subject = string(m.Subject.Digest)
		}
		if m.MediaType != tt.mediaType || m.ArtifactType != tt.artifactType || subject != tt.subject {
			t.Errorf("%s: got %+v", name, m)
		}
	}
	if m, err := ParseManifest([]byte(`{"annotations":{"a":"b"}}`)); err != nil || m.Annotations["a"] != "b" {
		t.Errorf("annotations: got %+v, %v", m, err)
	}
	for name, raw := range map[string]string{"no JSON": "{", "type": `{"mediaType":1}`, "duplicate": `{"subject":null,"subject":null}`} {
		if _, err := ParseManifest([]byte(raw)); reason.Of(err) != reason.OCIManifest {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestInterop reads signature manifests that another implementation wrote.
func TestInterop(t *testing.T) {
	t.Parallel()
	indexes, err := filepath.Glob("../../shared/interop/*/index.json")
	if err != nil || len(indexes) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("the interop cases are missing")
		}
		t.Skip("the interop cases are not there")
	}
	for _, file := range indexes {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var index ocispec.Index
			if err := json.Unmarshal(raw, &index); err != nil {
				t.Fatal(err)
			}
			blob := func(d Descriptor) []byte {
				f, err := os.Open(filepath.Join(filepath.Dir(file), "blobs", "sha256", d.Digest.Encoded()))
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				content, err := ReadVerified(f, d, MaxEnvelopeSize)
				if err != nil {
					t.Fatal(err)
				}
				return content
			}
			signatures := 0
			for _, d := range index.Manifests {
				if d.ArtifactType != ArtifactTypeSignature {
					continue
				}
				signatures++
				m, err := ParseSignatureManifest(blob(d), index.Manifests[0].Digest)
				if err != nil {
					t.Fatal(err)
				}
				blob(m.Envelope)
				if chain, err := ParseThumbprints(m.Annotations[AnnotationThumbprints]); err != nil || len(chain) == 0 {
					t.Errorf("thumbprints: %v, %v", chain, err)
				}
			}
			if signatures == 0 {
				t.Error("no signature")
			}
		})
	}
}

func BenchmarkParseSignatureManifest(b *testing.B) {
	a, err := NewSignatureAttachment(testSubject, mediaTypeJWS, bytes.Repeat([]byte("x"), 4600), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseSignatureManifest(a.Manifest, testSubject.Digest); err != nil {
			b.Fatal(err)
		}
	}
}
