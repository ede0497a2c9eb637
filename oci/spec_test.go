package oci

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

var specExample = regexp.MustCompile("(?s)<!-- example: ([a-z]+) -->\n```json\n(.*?)```")

// TestSpecification reads the examples of specs/storage.md.
func TestSpecification(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../specs/storage.md")
	if err != nil {
		t.Fatal(err)
	}
	const subjectDigest = digest.Digest("sha256:2897688afcd4378cbf5316e4ae12c96a62e217582fcf941bcf46a877b49fde4b")
	subject := Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: subjectDigest, Size: 553}
	packed, err := NewSignatureAttachment(subject, mediaTypeCOSE, []byte("{}"), nil)
	if err != nil {
		t.Fatal(err)
	}
	examples := specExample.FindAllSubmatch(page, -1)
	if len(examples) != bytes.Count(page, []byte("```json")) || len(examples) != 6 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, e := range examples {
		kind, raw := string(e[1]), e[2]
		if kind == "index" {
			checkSpecIndex(t, raw)
			continue
		}
		m, err := ParseSignatureManifest(raw, subjectDigest)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if thumbprints, ok := m.Annotations[AnnotationThumbprints]; ok {
			if _, err := ParseThumbprints(thumbprints); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
		if kind == "inline" {
			// This one is what we write.
			var compact bytes.Buffer
			if err := json.Compact(&compact, raw); err != nil || compact.String() != string(packed.Manifest) {
				t.Errorf("got %s\nwant %s", packed.Manifest, compact.String())
			}
			if string(m.Inline) != "{}" {
				t.Errorf("inline envelope is %q", m.Inline)
			}
		}
	}
}

func checkSpecIndex(t *testing.T, raw []byte) {
	t.Helper()
	var index ocispec.Index
	if err := strictjson.UnmarshalOpen(raw, &index); err != nil {
		t.Error(err)
	}
	if len(index.Manifests) == 0 {
		t.Error("the index is empty")
	}
	for _, d := range index.Manifests {
		if err := CheckDescriptor(d, MaxManifestSize); err != nil {
			t.Error(err)
		}
	}
}
