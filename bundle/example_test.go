package bundle_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/notaryv2/notation/bundle"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/promote"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// An artifact goes into a bundle, and out of it into another place. Both could
// be registries, opened with package oci/remote.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	src, err := layout.Create(ctx, filepath.Join(dir, "connected"), layout.Options{})
	if err != nil {
		log.Fatal(err)
	}
	root, err := store(ctx, src)
	if err != nil {
		log.Fatal(err)
	}

	file := filepath.Join(dir, "bundle.tar")
	w, err := bundle.Create(ctx, file, time.Now())
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	origin, err := oci.ParseReference("registry.example.com/net-monitor:v1")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.Add(ctx, src, root, origin, promote.CopyOptions{}); err != nil {
		log.Fatal(err)
	}
	if _, err := w.Commit(ctx); err != nil {
		log.Fatal(err)
	}

	b, err := bundle.Open(ctx, file)
	if err != nil {
		log.Fatal(err)
	}
	dst, err := layout.Create(ctx, filepath.Join(dir, "isolated"), layout.Options{Name: "registry.internal/net-monitor"})
	if err != nil {
		log.Fatal(err)
	}
	a := b.Contents.Artifacts[0]
	_, err = b.Import(ctx, []bundle.Target{{
		Artifact: a, Store: dst, Tag: a.Origin.Tag(),
		Verify: func(_ context.Context, repo oci.Repository, d digest.Digest) error {
			fmt.Println("verify", d == root.Digest, "for", repo.Name()) // with a notation.Verifier
			return nil
		},
	}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("imported", a.Origin.Name(), "with the tag", a.Origin.Tag())
	// Output:
	// verify true for registry.internal/net-monitor
	// verify true for registry.internal/net-monitor
	// imported registry.example.com/net-monitor with the tag v1
}

// store puts a small artifact into a store.
func store(ctx context.Context, s oci.Store) (oci.Descriptor, error) {
	config := []byte("{}")
	d := oci.Descriptor{MediaType: ocispec.MediaTypeEmptyJSON, Digest: digest.FromBytes(config), Size: int64(len(config))}
	err := s.PutBlob(ctx, d, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(config)), nil })
	if err != nil {
		return oci.Descriptor{}, err
	}
	raw := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":2},"layers":[]}`,
		ocispec.MediaTypeImageManifest, d.MediaType, d.Digest)
	root := oci.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	return root, s.PutManifest(ctx, root, raw)
}
