package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/notaryv2/notation/test/fixture"
	specs "github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
)

// repository and tag of the image, everywhere.
const repository = "net-monitor:v1"

// layer reads the content of layer n, which cannot be compressed and is the
// same every time.
func layer(n, size int) io.Reader {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(n))
	return io.LimitReader(rand.NewChaCha8(seed), int64(size))
}

// pushImage pushes the image and returns its digest.
func pushImage(ctx context.Context, reference string, size, layers int) (string, error) {
	repo, err := fixture.Repository(reference, "", "")
	if err != nil {
		return "", err
	}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	for n := range layers {
		hash := ocispec.DescriptorEmptyJSON.Digest.Algorithm().Digester()
		if _, err := io.Copy(hash.Hash(), layer(n, size)); err != nil {
			return "", err
		}
		d := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: hash.Digest(), Size: int64(size)}
		if err := repo.Push(ctx, d, layer(n, size)); err != nil {
			return "", err
		}
		manifest.Layers = append(manifest.Layers, d)
	}
	if manifest.Config, err = oras.PushBytes(ctx, repo, ocispec.MediaTypeImageConfig, []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"}}`)); err != nil {
		return "", err
	}
	raw, err := json.Marshal(manifest)
	if err != nil {
		return "", err
	}
	d, err := oras.TagBytes(ctx, repo, ocispec.MediaTypeImageManifest, raw, repo.Reference.Reference)
	return d.Digest.String(), err
}

// checkArrived looks whether the image and all of its blobs are there.
func checkArrived(ctx context.Context, reference, digest string) error {
	repo, err := fixture.Repository(reference, "", "")
	if err != nil {
		return err
	}
	d, err := repo.Resolve(ctx, repo.Reference.Reference)
	if err != nil {
		return err
	}
	if d.Digest.String() != digest {
		return fmt.Errorf("%s names %s, not %s", reference, d.Digest, digest)
	}
	names, err := content.Successors(ctx, repo, d)
	if err != nil {
		return err
	}
	for _, blob := range names {
		if there, err := repo.Exists(ctx, blob); err != nil || !there {
			return fmt.Errorf("%s lacks %s: %w", reference, blob.Digest, err)
		}
	}
	return nil
}
