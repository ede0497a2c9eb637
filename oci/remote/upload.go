package remote

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// session is an upload that a registry has begun: OCI distribution
// specification, "POST then PUT".
type session struct {
	location *url.URL // nil: the registry said that nothing is left to upload
	err      error
}

// sessions are uploads begun before anyone knows what will be uploaded.
type sessions struct {
	r    *Repository
	wg   sync.WaitGroup
	list []session
}

// beginUploads opens n upload sessions at once and does not wait for them.
func (r *Repository) beginUploads(ctx context.Context, n int) *sessions {
	s := &sessions{r: r, list: make([]session, n)}
	for i := range s.list {
		s.wg.Go(func() { s.list[i] = r.beginUpload(ctx) })
	}
	return s
}

// wait waits for all sessions and returns the first failure.
func (s *sessions) wait() error {
	s.wg.Wait()
	for i := range s.list {
		if s.list[i].err != nil {
			return s.list[i].err
		}
	}
	return nil
}

// take returns a session that nobody has taken, or false.
func (s *sessions) take() (session, bool) {
	if len(s.list) == 0 {
		return session{}, false
	}
	taken := s.list[0]
	s.list = s.list[1:]
	return taken, true
}

// cancel ends the sessions that nobody has taken, as far as the registry
// wants to know. It works also when ctx has ended.
func (s *sessions) cancel(ctx context.Context) {
	s.wg.Wait()
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), s.r.client.timing.cancel)
	defer stop()
	var wg sync.WaitGroup
	for _, open := range s.list {
		if open.location == nil {
			continue
		}
		wg.Go(func() {
			q := request{method: http.MethodDelete, url: open.location, what: "an upload session", limit: maxErrorBody, actions: actionsPush, once: true}
			// A session left behind expires. There is nobody to tell.
			if _, err := s.r.do(ctx, q); err != nil {
				s.r.client.log.Debug("upload session left behind", "error", err)
			}
		})
	}
	wg.Wait()
	s.list = nil
}

func (r *Repository) beginUpload(ctx context.Context) session {
	q := request{
		method: http.MethodPost, url: r.repoURL("blobs", "uploads", ""), what: "an upload to " + r.Name(),
		limit: maxErrorBody, actions: actionsPush,
	}
	p, err := r.expect(ctx, q)
	switch {
	case err != nil:
		return session{err: err}
	case p.status == http.StatusCreated:
		return session{}
	}
	location, err := r.uploadURL(p)
	return session{location: location, err: err}
}

// uploadURL reads where an upload goes. On the registry's own host the scheme
// is the one in use, because a registry behind a TLS proxy often names the
// other. Elsewhere only HTTPS is allowed, and no credential goes along.
func (r *Repository) uploadURL(p *response) (*url.URL, error) {
	location, err := p.url.Parse(p.header.Get("Location"))
	if err == nil && p.header.Get("Location") != "" && location.User == nil {
		if location.Host == r.host {
			location.Scheme = r.scheme
		}
		if location.Scheme == "https" || sameOrigin(location, r.url("")) {
			return location, nil
		}
	}
	return nil, reason.Errorf(reason.RegistryResponse, "registry %s names no usable place to upload to: %s",
		r.name.Registry(), quote(p.header.Get("Location"))).
		WithHint("have the registry's operator check its external address")
}

// pushBlobs uploads all blobs at once, through the sessions first.
func (r *Repository) pushBlobs(ctx context.Context, blobs []oci.Blob, s *sessions) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var once sync.Once
	var first error
	var wg sync.WaitGroup
	push := func(do func() error) {
		wg.Go(func() {
			if err := do(); err != nil {
				once.Do(func() { first = err; cancel(err) })
			}
		})
	}
	for _, b := range blobs {
		if isSharedConfig(b.Descriptor) {
			continue
		}
		open, ok := s.take()
		push(func() error { return r.pushBlob(ctx, b, open, ok) })
	}
	if config := sharedConfig(blobs); config != nil { // last: others have more use for a session
		open, ok := s.take()
		push(func() error { return r.pushConfig(ctx, *config, open, ok) })
	}
	wg.Go(func() { s.cancel(ctx) }) // those that were not needed
	wg.Wait()
	return first
}

// pushBlob uploads a blob through a session, if there is one. A session that
// has been lost meanwhile, or that a failed try has used up, is replaced.
// Distribution also refuses one if the same blob arrives through another at the
// same moment, so after that it is looked whether the blob is there.
func (r *Repository) pushBlob(ctx context.Context, b oci.Blob, open session, ok bool) error {
	if ok && open.location != nil {
		if lost, err := r.putBlob(ctx, b, open.location); !lost {
			return err
		}
	}
	for try := 1; ; try++ {
		fresh := r.beginUpload(ctx)
		switch {
		case fresh.err != nil:
			return fresh.err
		case fresh.location == nil:
			return r.blobExists(ctx, b.Descriptor.Digest)
		}
		lost, err := r.putBlob(ctx, b, fresh.location)
		switch {
		case !lost:
			return err
		case r.blobExists(ctx, b.Descriptor.Digest) == nil:
			return nil
		case try == maxSessions:
			return err
		}
		if err := r.client.sleep(ctx, jitter(r.client.timing.backOff<<(try-1))); err != nil {
			return r.transportError(ctx, request{what: "an upload to " + r.Name()}, err)
		}
	}
}

// putBlob uploads a blob in one request. lost says that the error is one of
// the session, and that another may do.
func (r *Repository) putBlob(ctx context.Context, b oci.Blob, location *url.URL) (lost bool, err error) {
	u := *location
	// The rest of the query is the registry's own and stays as it was sent.
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "digest=" + url.QueryEscape(string(b.Descriptor.Digest))
	q := request{
		method: http.MethodPut, url: &u, what: "an upload to " + r.Name(), contentType: "application/octet-stream",
		body: b.Content, limit: maxErrorBody, actions: actionsPush,
	}
	p, err := r.do(ctx, q)
	switch {
	case err != nil:
		return false, err
	case !p.ok() || p.status == http.StatusAccepted:
		return isLostSession(p.status), r.refused(q, p)
	}
	return false, r.checkStored(b.Descriptor.Digest, p)
}

func isLostSession(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusRequestedRangeNotSatisfiable:
		return true
	}
	return false
}

// refused is the error of a write that the registry does not accept.
func (r *Repository) refused(q request, p *response) error {
	known := p.status == http.StatusUnauthorized || p.status == http.StatusForbidden
	if known || isTransient(p.status) || isRedirect(p.status) || !sameOrigin(p.url, r.url("")) {
		return r.statusError(q, p)
	}
	return reason.Errorf(reason.RegistryPushRefused, "registry %s refused %s: %s%s", r.name.Registry(), q.what, statusText(p.status), errorDetail(p.body)).
		WithHint("check that the registry accepts OCI artifacts in this repository")
}

// checkStored compares the digest under which a registry says it stored
// something with what was sent.
func (r *Repository) checkStored(want digest.Digest, p *response) error {
	said := strings.TrimSpace(p.header.Get("Docker-Content-Digest"))
	if said == "" || said == string(want) {
		return nil
	}
	return reason.Errorf(reason.OCIDigestMismatch, "registry %s stored %s as %s", r.name.Registry(), want, quote(said)).
		WithHint("try again; if it happens again, distrust what stands between")
}

func (r *Repository) blobExists(ctx context.Context, d digest.Digest) error {
	_, err := r.expect(ctx, request{
		method: http.MethodHead, url: r.repoURL("blobs", string(d)), what: "blob " + r.Name() + "@" + string(d), actions: actionsPush,
	})
	return err
}
