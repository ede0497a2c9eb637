package remote

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// unlist takes an entry out of the referrers tag, if there is such a tag and
// it has the entry, and reports whether it had. Like a [tagWriter] it looks
// again after a while: a writer that read before us may have put the entry
// back. What others have added between our reading and writing they put back
// themselves.
func (r *Repository) unlist(ctx context.Context, subject, gone digest.Digest) (bool, error) {
	lock := r.client.tags.hold(r.tagKey(subject))
	defer r.client.tags.drop(lock)
	w := &tagWriter{
		r: r, lock: lock, subject: subject, floor: r.client.timing.settleMin,
		seen: map[digest.Digest]bool{}, gone: map[digest.Digest]bool{gone: true},
		ours: make([]entry, 1), // findGone passes over the first
	}
	if isLoopback(r.host) {
		w.floor = r.client.timing.settleMinLoopback
	}
	read := r.readTagFor(ctx, lock, subject)
	for try := 1; ; try++ {
		switch {
		case read.err != nil:
			return try > 1, read.err
		case !read.lists(gone):
			return try > 1, nil
		case try > maxTagTries:
			return true, reason.Errorf(reason.RegistryLostUpdate, "tag %s of %s was overwritten by others %d times", referrersTag(subject), r.Name(), try-1).
				WithHint("try again when fewer others write to this artifact")
		}
		wait, err := w.writeWithout(ctx, read, gone, try)
		if err != nil {
			return true, err
		}
		if err := r.client.sleep(ctx, wait); err != nil {
			return true, r.transportError(ctx, r.putRequest(referrersTag(subject), nil), err)
		}
		read = r.readTagFor(ctx, lock, subject)
	}
}

// lists reports whether the tag has an entry for d.
func (t *tagState) lists(d digest.Digest) bool {
	return t.index != nil && slices.ContainsFunc(t.index.entries, func(e entry) bool { return e.descriptor.Digest == d })
}

// writeWithout writes the index without the entries of w.gone and returns how
// long to wait before looking.
func (w *tagWriter) writeWithout(ctx context.Context, read *tagState, gone digest.Digest, try int) (time.Duration, error) {
	if err := w.lock.acquire(ctx); err != nil {
		return 0, w.r.transportError(ctx, w.r.putRequest(referrersTag(w.subject), nil), err)
	}
	defer w.lock.release()
	if read.writes != w.lock.writes.Load() || time.Since(read.asked) > w.r.client.timing.readAge {
		read = w.r.readTagFor(ctx, w.lock, w.subject)
		if read.err != nil || !read.lists(gone) {
			return 0, read.err
		}
	}
	w.gone[gone] = true // also if the registry still has the manifest, as findGone may have noted
	raw, err := read.index.with(nil, w.gone)
	if err != nil {
		return 0, err
	}
	for _, e := range read.index.entries {
		w.remember(e) // for findGone
	}
	q := w.r.putRequest(referrersTag(w.subject), raw)
	q.contentType = ocispec.MediaTypeImageIndex
	q.once = true
	if !w.ignoreETag && strings.HasPrefix(read.etag, `"`) {
		q.ifMatch = read.etag
	}
	p, err := w.r.do(ctx, q)
	w.window = max(w.window, time.Since(read.asked))
	switch {
	case err == nil && p.ok():
		w.lock.writes.Add(1)
		return w.settle(try), nil
	case err == nil && p.status == http.StatusPreconditionFailed && q.ifMatch != "":
		w.ignoreETag, w.refused = w.refused == read.etag, read.etag
		return rand.N(w.settle(1)), nil
	}
	return w.afterFailure(ctx, q, try, p, err)
}
