package remote

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/registry/remote/auth"
)

var _ oci.Store = (*Repository)(nil)

// Has implements [oci.Store]. It goes by what the registry says: something
// under the right digest that is said to have another size does not count.
func (r *Repository) Has(ctx context.Context, d oci.Descriptor) (bool, error) {
	if err := oci.CheckDescriptor(d, oci.MaxBlobSize); err != nil {
		return false, err
	}
	q := r.contentRequest(http.MethodHead, d, actionsPush)
	p, err := r.do(ctx, q)
	switch {
	case err != nil:
		return false, err
	case p.status == http.StatusNotFound:
		return false, nil
	case !p.ok():
		return false, r.statusError(q, p)
	}
	return p.size < 0 || p.size == d.Size, nil
}

// contentRequest asks for a manifest or blob by its digest.
func (r *Repository) contentRequest(method string, d oci.Descriptor, actions []string) request {
	if !oci.IsManifest(d.MediaType) {
		return request{
			method: method, url: r.repoURL("blobs", string(d.Digest)),
			what: "blob " + r.Name() + "@" + string(d.Digest), limit: d.Size, actions: actions,
		}
	}
	q := r.manifestRequest(method, string(d.Digest), actions)
	q.accept = []string{d.MediaType}
	q.limit = d.Size
	return q
}

// Mount implements [oci.Store]: OCI distribution specification, "Mounting a
// blob from another repository". A registry that refuses, for whatever reason,
// only says that the blob has to be sent.
func (r *Repository) Mount(ctx context.Context, d oci.Descriptor, from string) (bool, error) {
	if err := oci.CheckDescriptor(d, oci.MaxBlobSize); err != nil {
		return false, err
	}
	source, err := oci.ParseRepository(from)
	if err != nil || source.Registry() != r.name.Registry() || source.Repository() == r.name.Repository() {
		return false, nil
	}
	u := r.repoURL("blobs", "uploads", "")
	u.RawQuery = url.Values{"mount": {string(d.Digest)}, "from": {source.Repository()}}.Encode()
	q := request{
		method: http.MethodPost, url: u, what: "blob " + from + "@" + string(d.Digest) + " to be mounted in " + r.Name(),
		limit: maxErrorBody, actions: actionsPush,
	}
	// The token must allow reading the other repository as well.
	p, err := r.do(auth.WithScopes(ctx, auth.ScopeRepository(source.Repository(), actionsPull...)), q)
	switch {
	case err != nil && (ctx.Err() != nil || reason.Of(err) != reason.RegistryUnauthorized && reason.Of(err) != reason.RegistryDenied):
		return false, err
	case err != nil:
		return false, nil
	case p.status == http.StatusCreated:
		return true, r.checkStored(d.Digest, p)
	case p.status == http.StatusAccepted:
		// The registry has begun an upload instead.
		if location, err := r.uploadURL(p); err == nil {
			s := &sessions{r: r, list: []session{{location: location}}}
			s.cancel(ctx)
		}
	}
	return false, nil
}

// PutManifest implements [oci.Store]. Where the registry does not say that it
// has recorded the subject, the entry is written into the referrers tag, with
// the protection that [Repository.Attach] has. Codes: oci.manifest,
// oci.size-mismatch, oci.digest-mismatch, registry.*.
func (r *Repository) PutManifest(ctx context.Context, d oci.Descriptor, raw []byte) error {
	m, err := oci.CheckManifest(d, raw)
	if err != nil {
		return err
	}
	if m.Subject == nil {
		_, err := r.pushManifest(ctx, d, raw)
		return err
	}
	manifest := oci.Descriptor{
		MediaType: d.MediaType, Digest: d.Digest, Size: d.Size, ArtifactType: m.ArtifactType, Annotations: m.Annotations,
	}
	_, err = r.pushAndList(ctx, *m.Subject, oci.Attachment{Manifest: raw}, manifest)
	return err
}

// Tag implements [oci.Store]. The empty tag needs nothing here: whoever knows a
// digest finds the manifest.
func (r *Repository) Tag(ctx context.Context, d oci.Descriptor, tag string) error {
	if tag == "" {
		return nil
	}
	if err := oci.CheckTag(tag); err != nil {
		return err
	}
	raw, err := r.Fetch(ctx, d, oci.MaxManifestSize)
	if err != nil {
		return err
	}
	q := r.putRequest(tag, raw)
	q.contentType = d.MediaType
	p, err := r.do(ctx, q)
	switch {
	case err != nil:
		return err
	case !p.ok():
		return r.refused(q, p)
	}
	return r.checkStored(d.Digest, p)
}

// Delete implements [oci.Store]. The manifest goes first and its entry in the
// referrers tag after it, so that what a registry refuses to delete stays
// listed. Codes: oci.not-found, registry.delete-refused, registry.*.
func (r *Repository) Delete(ctx context.Context, manifest, subject digest.Digest) error {
	for _, d := range []digest.Digest{manifest, subject} {
		if _, err := oci.ParseDigest(string(d)); err != nil && d != "" || manifest == "" {
			return err
		}
	}
	if subject == "" {
		var err error
		if subject, err = r.subjectOf(ctx, manifest); err != nil {
			return err
		}
	}
	gone := r.deleteManifest(ctx, manifest)
	if gone != nil && (reason.Of(gone) != reason.OCINotFound || subject == "") || subject == "" {
		return gone
	}
	listed, err := r.unlist(ctx, subject, manifest)
	switch {
	case err != nil:
		return reason.Wrap(reason.Of(err), err, "manifest %s@%s is deleted, but still listed among the referrers of %s", r.Name(), manifest, subject).
			WithHint("delete it once more")
	case listed:
		return nil
	}
	return gone
}

// subjectOf returns what a manifest refers to, or "". One that cannot be
// understood refers to nothing, as far as anybody can tell.
func (r *Repository) subjectOf(ctx context.Context, manifest digest.Digest) (digest.Digest, error) {
	p, err := r.expect(ctx, r.manifestRequest(http.MethodGet, string(manifest), actionsPush))
	if reason.Of(err) == reason.OCITooLarge {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if err := oci.VerifyContent(p.body, oci.Descriptor{Digest: manifest, Size: int64(len(p.body))}); err != nil {
		return "", err
	}
	m, err := oci.ParseManifest(p.body)
	if err != nil || m.Subject == nil {
		return "", nil
	}
	if _, err := oci.ParseDigest(string(m.Subject.Digest)); err != nil {
		return "", nil
	}
	return m.Subject.Digest, nil
}

// actionsDelete are asked for only to delete: many logins may not.
var actionsDelete = []string{auth.ActionPull, auth.ActionPush, auth.ActionDelete}

func (r *Repository) deleteManifest(ctx context.Context, d digest.Digest) error {
	q := r.manifestRequest(http.MethodDelete, string(d), actionsDelete)
	q.accept, q.limit = nil, maxErrorBody
	p, err := r.do(ctx, q)
	switch {
	case err != nil:
		return err
	case p.ok():
		return nil
	case isDeletionRefused(p):
		return reason.Errorf(reason.RegistryDeleteRefused, "registry %s refuses to delete %s: %s%s",
			r.name.Registry(), q.what, statusText(p.status), errorDetail(p.body)).
			WithHint("have the registry's operator allow deletion, or use the registry's own tools; nothing was changed")
	}
	return r.statusError(q, p)
}

// isDeletionRefused reports whether a registry has deletion switched off: OCI
// distribution specification, "Deleting Manifests", names 400 and 405;
// registries with immutable or locked content answer 403, 409 or 423.
func isDeletionRefused(p *response) bool {
	switch p.status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotImplemented, http.StatusConflict,
		http.StatusLocked, http.StatusPreconditionFailed, http.StatusUnprocessableEntity:
		return true
	case http.StatusForbidden:
		return !hasErrorCode(p, "DENIED") && !hasErrorCode(p, "UNAUTHORIZED") && len(parseErrors(p.body)) > 0
	}
	return false
}

// PutBlob implements [oci.Store]: one upload session and one request per try.
// Codes: oci.descriptor, oci.too-large, registry.*, and those of open and what
// it returns.
func (r *Repository) PutBlob(ctx context.Context, d oci.Descriptor, open opener) error {
	if err := oci.CheckDescriptor(d, oci.MaxBlobSize); err != nil {
		return err
	}
	// To compute the digest of what the registry compares is half of the work of
	// a copy. It is done where it costs nothing, and where the registry objects:
	// then it must be known whose fault that is.
	leave := d.Size >= minLeft
	for try := 1; ; try++ {
		begun := r.beginUpload(ctx)
		switch {
		case begun.err != nil:
			return begun.err
		case begun.location == nil:
			return r.blobExists(ctx, d.Digest)
		}
		u := uploadEnd(begun.location, d.Digest)
		q := request{
			method: http.MethodPut, url: u, what: "an upload to " + r.Name(), contentType: "application/octet-stream",
			limit: maxErrorBody, actions: actionsPush,
		}
		p, err := r.attemptUpload(ctx, q, d, open, leave)
		if err == nil && p.ok() && p.status != http.StatusAccepted {
			return r.checkStored(d.Digest, p)
		}
		wait, again := r.retry(ctx, q, try, p, err)
		if err == nil && !again && leave && p.status == http.StatusBadRequest {
			again, leave = true, false
		} else if err == nil && !again && isLostSession(p.status) && try == 1 {
			again = true // another session may do
		}
		if !again {
			if err == nil || errors.As(err, new(*sourceError)) {
				// The registry is there, and what was begun is of no use to it.
				s := &sessions{r: r, list: []session{begun}}
				s.cancel(ctx)
			}
			if err != nil {
				return r.uploadError(ctx, q, err)
			}
			return r.refused(q, p)
		}
		r.client.log.Debug("retry", "method", q.method, "what", q.what, "try", try, "wait", wait)
		if err := r.client.sleep(ctx, wait); err != nil {
			return r.transportError(ctx, q, err)
		}
	}
}

// uploadError is transportError, unless it was the source that failed.
func (r *Repository) uploadError(ctx context.Context, q request, err error) error {
	if s, ok := errors.AsType[*sourceError](err); ok && ctx.Err() == nil {
		return s.err
	}
	return r.transportError(ctx, q, err)
}

// uploadEnd is where the last request of an upload goes.
func uploadEnd(location *url.URL, d digest.Digest) *url.URL {
	u := *location
	// The rest of the query is the registry's own and stays as it was sent.
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "digest=" + url.QueryEscape(string(d))
	return &u
}
