package remote

import (
	"context"
	"net/http"
	"sync"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Attach implements [oci.Repository]. The artifact's manifest is fetched, not
// only asked about, because its size and type are going to be signed. One
// after another there are at most five round trips: resolving, at the same
// time as upload sessions are begun; the blobs; the manifest, at the same time
// as the referrers tag is read; the referrers tag, where it is needed; and the
// listing that must show the result. Errors of build are returned unchanged.
// Codes: those of Resolve, registry.*, oci.digest-mismatch, oci.attachment.
func (r *Repository) Attach(ctx context.Context, ref oci.Reference, build func(subject oci.Descriptor) (oci.Attachment, error)) (oci.Attached, error) {
	posts := speculativePosts
	if !r.client.configs.claim(r.configKey()) {
		posts-- // somebody else of this process sees to the config
	}
	uploads := r.beginUploads(ctx, posts)
	// Whoever may not push is told so before a key is used.
	subject, err := r.resolve(ctx, ref, actionsPush, r.describeByContent)
	if waitErr := uploads.wait(); err == nil {
		err = waitErr
	}
	if err != nil {
		uploads.cancel(ctx)
		return oci.Attached{}, err
	}
	a, err := build(subject)
	if err != nil {
		uploads.cancel(ctx)
		return oci.Attached{}, err
	}
	manifest, err := checkAttachment(a, subject)
	if err != nil {
		uploads.cancel(ctx)
		return oci.Attached{}, err
	}
	if err := r.pushBlobs(ctx, a.Blobs, uploads); err != nil {
		return oci.Attached{}, err
	}
	manifest, err = r.pushAndList(ctx, subject, a, manifest)
	return oci.Attached{Subject: subject, Manifest: manifest}, err
}

// checkAttachment returns the descriptor of the manifest to be pushed, with
// what a listing shows of it.
func checkAttachment(a oci.Attachment, subject oci.Descriptor) (oci.Descriptor, error) {
	for _, b := range a.Blobs {
		if err := oci.VerifyContent(b.Content, b.Descriptor); err != nil {
			return oci.Descriptor{}, reason.Wrap(reason.OCIAttachment, err, "a blob to be attached is not what its descriptor says")
		}
	}
	d, err := describeManifest(a.Manifest, subject)
	if err == nil && a.Legacy != nil {
		_, err = describeManifest(a.Legacy, subject)
	}
	return d, err
}

func describeManifest(raw []byte, subject oci.Descriptor) (oci.Descriptor, error) {
	m, err := oci.ParseManifest(raw)
	if err != nil {
		return oci.Descriptor{}, err
	}
	if m.MediaType != ocispec.MediaTypeImageManifest || m.Subject == nil || m.Subject.Digest != subject.Digest {
		return oci.Descriptor{}, reason.Errorf(reason.OCIAttachment, "the manifest to be attached is no image manifest with the subject %s", subject.Digest)
	}
	return oci.Descriptor{
		MediaType: m.MediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw)),
		ArtifactType: m.ArtifactType, Annotations: m.Annotations,
	}, nil
}

// pushAndList pushes the manifest, lists it where the registry does not do so
// itself, and looks whether it is found.
func (r *Repository) pushAndList(ctx context.Context, subject oci.Descriptor, a oci.Attachment, manifest oci.Descriptor) (oci.Descriptor, error) {
	lock := r.client.tags.hold(r.tagKey(subject.Digest))
	defer r.client.tags.drop(lock)

	readCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	var tag *tagState
	var wg sync.WaitGroup
	wg.Go(func() { tag = r.readTagFor(readCtx, lock, subject.Digest) })
	manifest, hasAPI, err := r.pushInTurn(ctx, lock, subject, a, manifest)
	if err != nil {
		cancel()
		wg.Wait()
		return oci.Descriptor{}, err
	}
	wg.Wait()
	pushed := oci.Descriptor{MediaType: manifest.MediaType, Digest: manifest.Digest, Size: manifest.Size}
	if hasAPI && !r.client.options.ForceReferrersTag {
		return pushed, r.readBack(ctx, subject.Digest, manifest, tag)
	}
	w, err := newTagWriter(r, lock, subject.Digest, manifest)
	if err == nil {
		tag, err = w.run(ctx, tag)
	}
	if err != nil {
		return pushed, r.notListed(subject.Digest, manifest, err)
	}
	return pushed, r.confirm(subject.Digest, manifest, w.api, tag)
}

// pushInTurn is pushManifests, one at a time for each subject: a registry may
// lose one of two that come together, as olareg does.
func (r *Repository) pushInTurn(ctx context.Context, lock *tagLock, subject oci.Descriptor, a oci.Attachment, manifest oci.Descriptor) (oci.Descriptor, bool, error) {
	if err := lock.push.acquire(ctx); err != nil {
		return oci.Descriptor{}, false, r.transportError(ctx, r.putRequest(string(manifest.Digest), nil), err)
	}
	defer lock.push.release()
	return r.pushManifests(ctx, subject, a, manifest)
}

// pushManifests pushes the manifest, or the legacy form where the registry
// refuses the other. It reports whether the registry has recorded the subject,
// as one with the referrers API does: OCI distribution specification, "Pushing
// Manifests with Subject".
func (r *Repository) pushManifests(ctx context.Context, subject oci.Descriptor, a oci.Attachment, manifest oci.Descriptor) (oci.Descriptor, bool, error) {
	p, err := r.pushManifest(ctx, manifest, a.Manifest)
	if config := sharedConfig(a.Blobs); config != nil && p != nil && err != nil && missesContent(p) {
		// It may be one that was there, and has been removed since.
		r.client.configs.forget(r.configKey())
		if err := r.pushConfig(ctx, *config, session{}, false); err != nil {
			return oci.Descriptor{}, false, err
		}
		p, err = r.pushManifest(ctx, manifest, a.Manifest)
	}
	if p != nil && a.Legacy != nil && refusesArtifactType(p) {
		r.client.log.Debug("manifest with artifactType refused, trying without", "status", p.status, "error", err)
		legacy, derr := describeManifest(a.Legacy, subject)
		if derr != nil {
			return oci.Descriptor{}, false, derr
		}
		// If that is refused too, artifactType was not the reason.
		if q, lerr := r.pushManifest(ctx, legacy, a.Legacy); lerr == nil {
			manifest, p, err = legacy, q, nil
		}
	}
	if err != nil {
		return oci.Descriptor{}, false, err
	}
	return manifest, p.header.Get("OCI-Subject") == string(subject.Digest), nil
}

func refusesArtifactType(p *response) bool {
	switch p.status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return !missesContent(p)
	}
	return false
}

// missesContent reports whether a manifest was refused because the registry
// does not know something that the manifest names. Distribution says so too,
// or that a digest is invalid, while somebody else uploads the same blob: it
// rewrites a small file and finds it empty.
func missesContent(p *response) bool {
	for _, code := range []string{"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "DIGEST_INVALID"} {
		if hasErrorCode(p, code) {
			return true
		}
	}
	return false
}

// pushManifest pushes a manifest by its digest. On refusal it returns the
// response as well as the error. All that the manifest names has just been
// stored, so a registry that misses some of it is asked again.
func (r *Repository) pushManifest(ctx context.Context, d oci.Descriptor, raw []byte) (*response, error) {
	q := r.putRequest(string(d.Digest), raw)
	q.contentType = d.MediaType
	for try := 1; ; try++ {
		p, err := r.do(ctx, q)
		switch {
		case err != nil:
			return nil, err
		case p.ok():
			return p, r.checkStored(d.Digest, p)
		case try == maxTries || !missesContent(p):
			return p, r.refused(q, p)
		}
		if err := r.client.sleep(ctx, jitter(r.client.timing.backOff<<(try-1))); err != nil {
			return p, r.transportError(ctx, q, err)
		}
	}
}

// putRequest writes a manifest or index under a digest or tag.
func (r *Repository) putRequest(name string, raw []byte) request {
	q := r.manifestRequest(http.MethodPut, name, actionsPush)
	q.accept, q.limit = nil, maxErrorBody
	q.contentType, q.body = ocispec.MediaTypeImageManifest, raw
	return q
}

// readBack looks until the referrers API lists the manifest: some registries
// are a moment late.
func (r *Repository) readBack(ctx context.Context, subject digest.Digest, manifest oci.Descriptor, tag *tagState) error {
	for look := 1; ; look++ {
		o := oci.ReferrersOptions{ArtifactType: manifest.ArtifactType}
		l, api, _, err := r.list(ctx, subject, o, known{tag: tag, actions: actionsPush})
		if lists(l, manifest.Digest) {
			return nil
		}
		if look == maxReadBacks || api.err != nil {
			return r.notListed(subject, manifest, err)
		}
		if err := r.client.sleep(ctx, jitter(r.client.timing.readBack<<(look-1))); err != nil {
			return r.notListed(subject, manifest, err)
		}
	}
}

// confirm looks for the manifest in what has just been read.
func (r *Repository) confirm(subject digest.Digest, manifest oci.Descriptor, api *source, tag *tagState) error {
	c := collector{subject: subject, artifactType: manifest.ArtifactType, max: oci.MaxReferrers}
	sources := []*source{tag.source(c)}
	if api != nil {
		sources = append([]*source{api}, sources...)
	}
	l, err := c.merge(sources)
	if lists(l, manifest.Digest) {
		return nil
	}
	return r.notListed(subject, manifest, err)
}

func lists(l oci.Listing, d digest.Digest) bool {
	for i := range l.Referrers {
		if l.Referrers[i].Digest == d {
			return true
		}
	}
	return false
}

func (r *Repository) notListed(subject digest.Digest, manifest oci.Descriptor, cause error) error {
	if cause != nil {
		return reason.Wrap(reason.RegistryNotFoundAfterPush, cause,
			"manifest %s@%s was pushed, but the list of the referrers of %s could not be read, so that it is not known whether a verifier finds it", r.Name(), manifest.Digest, subject).
			WithHint("see with 'notation list' whether it is listed, before you sign again")
	}
	return reason.Errorf(reason.RegistryNotFoundAfterPush,
		"manifest %s@%s was pushed, but a verifier will not find it among the referrers of %s", r.Name(), manifest.Digest, subject).
		WithHint("sign again; if it persists, the registry loses or hides referrers: try --force-referrers-tag, or ask its operator")
}
