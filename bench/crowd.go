package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/test/fixture"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// crowdPrefix is what the name of the repository begins with where the artifacts
// with many signatures lie.
const crowdPrefix = "bench/crowd"

// crowd returns the name of an artifact with many signatures, of which the last
// listed is the only trusted one, and makes it if it is not there yet. In one that
// is plain no signature is annotated with its chain. Where the registry has the
// referrers API it lists as it likes.
func (w *world) crowd(ctx context.Context, plain bool) (string, error) {
	if name, ok := w.crowds[plain]; ok {
		return name, nil
	}
	w.say("sign an artifact %d times", w.config.signatures)
	artifacts, err := w.push(ctx, crowdPrefix, 1)
	if err != nil {
		return "", err
	}
	c, err := newCrowd(w, artifacts[0], plain)
	if err != nil {
		return "", err
	}
	defer c.client.CloseIdleConnections()
	dir := filepath.Join(w.dir, fmt.Sprintf("stranger-%v", plain))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	stranger, err := newAuthority(dir)
	if err != nil {
		return "", err
	}
	atOnce := parallelPushes
	if w.registry.Kind.ReferrersAPI() {
		atOnce = 1 // it keeps the list itself, and not every one can be hurried
	}
	err = parallel(w.config.signatures, atOnce, func(i int) error {
		key := stranger.signer
		if i == w.config.signatures-1 {
			key = w.authority.signer
		}
		o := notation.SignOptions{Metadata: map[string]string{"number": fmt.Sprint(i)}}
		_, err := notation.Sign(ctx, place{c, i}, c.ref, key, o)
		return err
	})
	if err == nil && !w.registry.Kind.ReferrersAPI() {
		err = c.putIndex(ctx)
	}
	if err != nil {
		return "", err
	}
	w.crowds[plain] = artifacts[0]
	return artifacts[0], nil
}

// crowd is an artifact that is being signed many times. Its signatures are
// pushed side by side and listed all at once, which no signer could do.
type crowd struct {
	oci.Repository
	world  *world
	client *remote.Client
	ref    oci.Reference
	plain  bool
	listed []ocispec.Descriptor // by place; each is written once

	mu     sync.Mutex
	shared map[digest.Digest]func() error // pushes a blob, once however often it is called
}

func newCrowd(w *world, artifact string, plain bool) (*crowd, error) {
	c := &crowd{
		world:  w,
		client: remote.NewClient(remote.Options{}),
		plain:  plain,
		listed: make([]ocispec.Descriptor, w.config.signatures),
		shared: map[digest.Digest]func() error{},
	}
	var err error
	if c.ref, err = oci.ParseReference(w.registry.Host() + "/" + artifact); err != nil {
		return nil, err
	}
	c.Repository, err = c.client.Repository(c.ref)
	return c, err
}

// place is a repository in which a signature gets a place in the listing.
type place struct {
	*crowd
	number int
}

// Attach pushes a signature and notes what is to be listed of it.
func (p place) Attach(ctx context.Context, ref oci.Reference, build func(oci.Descriptor) (oci.Attachment, error)) (oci.Attached, error) {
	subject, err := p.Resolve(ctx, ref)
	if err != nil {
		return oci.Attached{}, err
	}
	a, err := build(subject)
	if err != nil {
		return oci.Attached{}, err
	}
	repo, err := fixture.Repository(p.ref.Name(), "", "")
	if err != nil {
		return oci.Attached{}, err
	}
	repo.Client = p.world.client
	for _, b := range a.Blobs {
		push := p.once(b.Descriptor.Digest, func() error {
			return repo.Blobs().Push(ctx, b.Descriptor, bytes.NewReader(b.Content))
		})
		if err := push(); err != nil {
			return oci.Attached{}, err
		}
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(a.Manifest, &m); err != nil {
		return oci.Attached{}, err
	}
	raw := a.Manifest
	if p.plain {
		m.Annotations = nil
		if raw, err = json.Marshal(m); err != nil {
			return oci.Attached{}, err
		}
	}
	d := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	if err := p.world.putManifest(ctx, p.ref.Repository(), d.MediaType, d.Digest.String(), raw); err != nil {
		return oci.Attached{}, err
	}
	listed := d
	listed.ArtifactType, listed.Annotations = m.ArtifactType, m.Annotations
	p.listed[p.number] = listed
	return oci.Attached{Subject: subject, Manifest: oci.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}}, nil
}

// once returns the same function for the same digest. All signatures have the
// same config, and a registry that gets it many times at once may for a moment
// not know it.
func (c *crowd) once(d digest.Digest, push func() error) func() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shared[d] == nil {
		c.shared[d] = sync.OnceValue(push)
	}
	return c.shared[d]
}

// putIndex lists all signatures under the tag of the referrers tag schema.
func (c *crowd) putIndex(ctx context.Context) error {
	raw, err := json.Marshal(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageIndex,
		Manifests: c.listed,
	})
	if err != nil {
		return err
	}
	tag := strings.ReplaceAll(c.ref.Digest().String(), ":", "-")
	return c.world.putManifest(ctx, c.ref.Repository(), ocispec.MediaTypeImageIndex, tag, raw)
}
