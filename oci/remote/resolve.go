package remote

import (
	"context"
	"mime"
	"net/http"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// Resolve implements [oci.Repository]. By a digest it asks whether the
// manifest exists; media type and size are then the registry's claim, which a
// signature's payload will confirm or not. With tag and digest it asks for
// both at once, and fails with oci.tag-mismatch if they differ. Further codes:
// oci.not-found, registry.*.
func (r *Repository) Resolve(ctx context.Context, ref oci.Reference) (oci.Descriptor, error) {
	return r.resolve(ctx, ref, actionsPull, r.describe)
}

// ResolveContent is Resolve with the manifest, which is fetched instead of asked
// about. Digest and size are those of what was received, the media type is the
// registry's claim as it is of Resolve. The content is nil where the registry
// does not say the media type, so that it had to be found in another way.
func (r *Repository) ResolveContent(ctx context.Context, ref oci.Reference) (oci.Descriptor, []byte, error) {
	var content []byte
	d, err := r.resolve(ctx, ref, actionsPull, func(ctx context.Context, name string, want digest.Digest, actions []string) (oci.Descriptor, error) {
		d, body, err := r.getNamed(ctx, name, want, actions)
		switch {
		case err != nil:
			return oci.Descriptor{}, err
		case !oci.IsManifest(d.MediaType):
			return r.describeContent(name, d, body)
		}
		content = body
		return d, nil
	})
	return d, content, err
}

// describer finds the descriptor of what a tag or digest names.
type describer func(ctx context.Context, name string, want digest.Digest, actions []string) (oci.Descriptor, error)

func (r *Repository) resolve(ctx context.Context, ref oci.Reference, actions []string, describe describer) (oci.Descriptor, error) {
	if ref.Name() != r.Name() {
		return oci.Descriptor{}, reason.Errorf(reason.OCIReference, "%s is not in repository %s", quote(ref.String()), r.Name())
	}
	if err := ref.CheckComplete(); err != nil {
		return oci.Descriptor{}, err
	}
	switch {
	case ref.Digest() == "":
		return describe(ctx, ref.Tag(), "", actions)
	case ref.Tag() == "":
		return describe(ctx, string(ref.Digest()), ref.Digest(), actions)
	}
	type result struct {
		d   oci.Descriptor
		err error
	}
	tagged := make(chan result, 1)
	tagCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		// Of the tag only the digest matters, so the registry's word will do.
		d, err := r.describe(tagCtx, ref.Tag(), "", actions)
		tagged <- result{d, err}
	}()
	d, err := describe(ctx, string(ref.Digest()), ref.Digest(), actions)
	if err != nil {
		return oci.Descriptor{}, err
	}
	t := <-tagged
	switch {
	case t.err != nil:
		return oci.Descriptor{}, t.err
	case t.d.Digest != d.Digest:
		return oci.Descriptor{}, reason.Errorf(reason.OCITagMismatch, "tag %q of %s names %s, not %s",
			ref.Tag(), r.Name(), t.d.Digest, d.Digest).
			WithHint("find out who moved the tag and why; if the digest comes from somebody you trust, use it without the tag")
	}
	return d, nil
}

func (r *Repository) manifestRequest(method, name string, actions []string) request {
	sep := ":"
	if _, err := oci.ParseDigest(name); err == nil {
		sep = "@"
	}
	return request{
		method: method, url: r.repoURL("manifests", name), what: "manifest " + r.Name() + sep + name,
		accept: oci.ManifestTypes(), limit: oci.MaxManifestSize, actions: actions,
	}
}

// describe asks for a manifest's headers, and for the manifest itself where
// they do not suffice.
func (r *Repository) describe(ctx context.Context, name string, want digest.Digest, actions []string) (oci.Descriptor, error) {
	q := r.manifestRequest(http.MethodHead, name, actions)
	p, err := r.do(ctx, q)
	if err != nil {
		return oci.Descriptor{}, err
	}
	switch p.status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return r.describeByContent(ctx, name, want, actions) // no HEAD here
	}
	if !p.ok() {
		return oci.Descriptor{}, r.statusError(q, p)
	}
	if d, ok := claimed(p, want); ok {
		return d, nil
	}
	return r.describeByContent(ctx, name, want, actions)
}

// claimed reads a descriptor from headers. It reports false if they are
// incomplete, of no use, or contradict want.
func claimed(p *response, want digest.Digest) (oci.Descriptor, bool) {
	d := oci.Descriptor{MediaType: contentType(p.header), Digest: want, Size: p.size}
	if claim := p.header.Get("Docker-Content-Digest"); claim != "" || want == "" {
		parsed, err := oci.ParseDigest(claim)
		if err != nil || want != "" && parsed != want {
			return d, false
		}
		d.Digest = parsed
	}
	return d, oci.IsManifest(d.MediaType) && d.Size > 0 && d.Size <= oci.MaxManifestSize
}

// describeByContent fetches a manifest and trusts nothing else. It fails if
// want is set and the content has another digest, and if the content's own
// media type is not the one it was sent as.
func (r *Repository) describeByContent(ctx context.Context, name string, want digest.Digest, actions []string) (oci.Descriptor, error) {
	d, body, err := r.getNamed(ctx, name, want, actions)
	if err != nil {
		return oci.Descriptor{}, err
	}
	return r.describeContent(name, d, body)
}

// getNamed fetches a manifest, which has the digest want, if that is set. The
// media type is the one that it was sent as, whatever that is.
func (r *Repository) getNamed(ctx context.Context, name string, want digest.Digest, actions []string) (oci.Descriptor, []byte, error) {
	p, err := r.expect(ctx, r.manifestRequest(http.MethodGet, name, actions))
	if err != nil {
		return oci.Descriptor{}, nil, err
	}
	d := oci.Descriptor{MediaType: contentType(p.header), Digest: want, Size: int64(len(p.body))}
	if want == "" {
		d.Digest = digest.FromBytes(p.body)
		return d, p.body, nil
	}
	return d, p.body, oci.VerifyContent(p.body, d)
}

// describeContent completes the descriptor of a manifest by what it says of
// itself.
func (r *Repository) describeContent(name string, d oci.Descriptor, body []byte) (oci.Descriptor, error) {
	m, err := oci.ParseManifest(body)
	switch {
	case err != nil && oci.IsManifest(d.MediaType):
		return oci.Descriptor{}, err
	case err != nil:
		return oci.Descriptor{}, r.notManifest(name, d.MediaType)
	case m.MediaType == "":
		// OCI manifests need not say their type.
	case oci.IsManifest(d.MediaType) && d.MediaType != m.MediaType:
		return oci.Descriptor{}, reason.Errorf(reason.RegistryResponse, "registry %s sent manifest %s as %s, but it says that it is %s",
			r.name.Registry(), quote(name), d.MediaType, quote(m.MediaType)).WithHint("push the artifact again")
	default:
		d.MediaType = m.MediaType
	}
	if !oci.IsManifest(d.MediaType) {
		return oci.Descriptor{}, r.notManifest(name, d.MediaType)
	}
	return d, nil
}

func (r *Repository) notManifest(name, mediaType string) error {
	return reason.Errorf(reason.RegistryResponse, "registry %s sent no manifest for %s in %s, but something of type %s",
		r.name.Registry(), quote(name), r.name.Repository(), quote(mediaType)).
		WithHint("check that the host is an OCI registry; images of Docker's schema 1 have to be pushed again")
}

// contentType returns the media type of a response without its parameters.
func contentType(h http.Header) string {
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}
