package promote_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/promote"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// An artifact is promoted from one layout to another. Registries are opened with
// package oci/remote and used in the same way.
func ExampleCopy() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	src, err := layout.Create(ctx, filepath.Join(dir, "dev"), layout.Options{Name: "dev.example/app"})
	if err != nil {
		log.Fatal(err)
	}
	dst, err := layout.Create(ctx, filepath.Join(dir, "prod"), layout.Options{Name: "prod.example/app"})
	if err != nil {
		log.Fatal(err)
	}
	root, err := store(ctx, src)
	if err != nil {
		log.Fatal(err)
	}
	report, err := promote.Copy(ctx, src, dst, root, promote.CopyOptions{
		Tag: "v1",
		VerifySource: func(_ context.Context, repo oci.Repository, artifact digest.Digest) error {
			fmt.Println("verify", artifact == root.Digest, "in", repo.Name()) // with a notation.Verifier
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Totals(promote.Copied).Manifests, "manifest and", report.Totals(promote.Copied).Blobs, "blob; tag", report.Tag)
	// Output:
	// verify true in dev.example/app
	// 1 manifest and 1 blob; tag v1
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
