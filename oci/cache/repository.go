package cache

import (
	"context"

	"github.com/notaryv2/notation/oci"
	"github.com/opencontainers/go-digest"
)

// Resolver is a repository that can resolve a reference and give the manifest
// at once, in as many requests as Resolve alone takes.
type Resolver interface {
	// ResolveContent is like Resolve of [oci.Repository], and returns the bytes
	// of the manifest, or nil if they were not needed.
	ResolveContent(ctx context.Context, ref oci.Reference) (oci.Descriptor, []byte, error)
}

// Repository returns repo with the cache before it, for reading: Fetch, and
// Resolve by a digest where repo is a [Resolver], look into the cache first, so
// what they return need not be in repo any more. All else is as it was. With a
// nil Cache it is repo itself.
func (c *Cache) Repository(repo oci.Repository) oci.Repository {
	if c == nil {
		return repo
	}
	return &repository{repo, c}
}

type repository struct {
	oci.Repository
	cache *Cache
}

// Fetch implements [oci.Repository].
func (r *repository) Fetch(ctx context.Context, d oci.Descriptor, limit int64) ([]byte, error) {
	if err := oci.CheckDescriptor(d, limit); err != nil {
		return nil, err
	}
	if d.Size > maxEntry {
		return r.Repository.Fetch(ctx, d, limit)
	}
	// Of another size than described it is not what was asked for, and the
	// repository will say so.
	if content := r.cache.get(d.Digest); content != nil && int64(len(content)) == d.Size {
		return content, nil
	}
	content, err := r.Repository.Fetch(ctx, d, limit)
	if err == nil {
		r.keep(d.Digest, content)
	}
	return content, err
}

// Resolve implements [oci.Repository]. A tag is always asked for.
func (r *repository) Resolve(ctx context.Context, ref oci.Reference) (oci.Descriptor, error) {
	resolver, ok := r.Repository.(Resolver)
	if !ok || ref.Digest() == "" || ref.Tag() != "" {
		return r.Repository.Resolve(ctx, ref)
	}
	if d, ok := r.known(ref.Digest()); ok && ref.Name() == r.Name() {
		return d, nil
	}
	d, content, err := resolver.ResolveContent(ctx, ref)
	// What the registry calls by another name than it gives itself is asked for
	// again, so that the cache changes no answer.
	if err == nil && d.Digest == ref.Digest() && typeOf(content) == d.MediaType {
		r.keep(d.Digest, content)
	}
	return d, err
}

// typeOf returns the media type that a manifest gives itself, or "".
func typeOf(content []byte) string {
	m, err := oci.ParseManifest(content)
	if err != nil || !oci.IsManifest(m.MediaType) {
		return ""
	}
	return m.MediaType
}

// Referrers implements [oci.Repository]. Where the list is empty and Resolve may
// have been answered from the cache, it asks whether the subject is there at all:
// what is gone is not unsigned. A partial list says nothing like that.
func (r *repository) Referrers(ctx context.Context, subject digest.Digest, o oci.ReferrersOptions) (oci.Listing, error) {
	l, err := r.Repository.Referrers(ctx, subject, o)
	if err != nil || len(l.Referrers) > 0 || l.Partial {
		return l, err
	}
	if _, ok := r.known(subject); !ok {
		return l, nil
	}
	ref, err := oci.ParseReference(r.Name() + "@" + string(subject))
	if err == nil {
		_, err = r.Repository.Resolve(ctx, ref)
	}
	return l, err
}

// known returns the descriptor of a manifest in the cache that says of itself
// what it is. Others are of the type that the registry sends them as.
func (r *repository) known(d digest.Digest) (oci.Descriptor, bool) {
	if _, err := oci.ParseDigest(string(d)); err != nil {
		return oci.Descriptor{}, false
	}
	content := r.cache.get(d)
	mediaType := typeOf(content)
	if mediaType == "" {
		return oci.Descriptor{}, false
	}
	return oci.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(content))}, true
}

// keep puts content into the cache once more than the repository's word says
// that it is right: implementations outside this module need not check.
func (r *repository) keep(d digest.Digest, content []byte) {
	if matches(d, content) {
		r.cache.put(d, content)
	}
}
