package test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/promote"
	"github.com/notaryv2/notation/test/registries"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// promotedReferrers refer to the one artifact that is promoted.
const promotedReferrers = 200

// TestManyReferrersArrive promotes an artifact with many referrers to each kind
// of registry. Some of them lose one of two that are stored at the same time,
// and others keep all in one list.
func TestManyReferrersArrive(t *testing.T) {
	t.Parallel()
	src, root := manyReferrers(t, promotedReferrers)
	for _, kind := range registries.All() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			r := registries.New(t, kind, registries.Options{})
			ref, err := oci.ParseReference(r.Host() + "/many:v1")
			if err != nil {
				t.Fatal(err)
			}
			dst := open(t, ref, registries.Anonymous)
			report, err := promote.Copy(t.Context(), src, dst, root, promote.CopyOptions{Tag: "v1"})
			if err != nil || report.Totals(promote.Copied).Manifests != promotedReferrers+1 {
				t.Fatalf("%v: %+v", err, report.Totals(promote.Copied))
			}
			l, err := dst.Referrers(t.Context(), root.Digest, oci.ReferrersOptions{})
			if err != nil || len(l.Referrers) != promotedReferrers {
				t.Errorf("%d of %d are listed: %v", len(l.Referrers), promotedReferrers, err)
			}
		})
	}
}

// manyReferrers makes an image layout with an artifact that n others refer to.
func manyReferrers(t *testing.T, n int) (oci.Source, oci.Descriptor) {
	t.Helper()
	s, err := layout.Create(t.Context(), t.TempDir(), layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	config := []byte("{}")
	d := oci.Descriptor{MediaType: ocispec.MediaTypeEmptyJSON, Digest: digest.FromBytes(config), Size: int64(len(config))}
	if err := s.PutBlob(t.Context(), d, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(config)), nil }); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	content := map[digest.Digest][]byte{}
	pack := func(m ocispec.Manifest) oci.Descriptor {
		m.SchemaVersion, m.MediaType, m.Config, m.Layers = 2, ocispec.MediaTypeImageManifest, d, []ocispec.Descriptor{d}
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		packed := oci.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
		content[packed.Digest] = raw
		return packed
	}
	root := pack(ocispec.Manifest{})
	if err := s.PutManifest(t.Context(), root, content[root.Digest]); err != nil {
		t.Fatal(err)
	}
	var all []oci.Descriptor
	for i := range n {
		all = append(all, pack(ocispec.Manifest{ArtifactType: "many/example", Subject: &root, Annotations: map[string]string{"number": fmt.Sprint(i)}}))
	}
	there, err := s.PutReferrers(t.Context(), root.Digest, all, func(_ context.Context, d oci.Descriptor) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		return content[d.Digest], nil
	})
	if err != nil || len(there) != n {
		t.Fatal(err, len(there))
	}
	return s, root
}
