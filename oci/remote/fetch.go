package remote

import (
	"context"
	"net/http"
	"slices"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
)

// Fetch implements [oci.Repository]. Manifests, by the media type of d, come
// from the manifests endpoint, everything else from the blobs endpoint; the
// urls of a descriptor are never followed. Codes: oci.descriptor,
// oci.digest-algorithm, oci.too-large, oci.size-mismatch, oci.digest-mismatch,
// oci.not-found, registry.*.
func (r *Repository) Fetch(ctx context.Context, d oci.Descriptor, limit int64) ([]byte, error) {
	if err := oci.CheckDescriptor(d, limit); err != nil {
		return nil, err
	}
	q := request{
		method: http.MethodGet, url: r.repoURL("blobs", string(d.Digest)),
		what: "blob " + r.Name() + "@" + string(d.Digest), limit: d.Size, actions: actionsPull,
	}
	if oci.IsManifest(d.MediaType) {
		q = r.manifestRequest(http.MethodGet, string(d.Digest), actionsPull)
		q.limit = d.Size
		q.accept = slices.DeleteFunc(q.accept, func(a string) bool { return a == d.MediaType })
		q.accept = slices.Insert(q.accept, 0, d.MediaType)
	}
	p, err := r.expect(ctx, q)
	if reason.Of(err) == reason.OCITooLarge {
		return nil, reason.Errorf(reason.OCISizeMismatch, "content of %s is longer than %d bytes", d.Digest, d.Size)
	}
	if err != nil {
		return nil, err
	}
	if err := oci.VerifyContent(p.body, d); err != nil {
		return nil, err
	}
	return p.body, nil
}
