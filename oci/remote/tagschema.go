package remote

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// referrersTag is the tag of the referrers tag schema: OCI distribution
// specification, "Referrers Tag Schema", with its bounds on both parts.
func referrersTag(subject digest.Digest) string {
	return truncate(string(subject.Algorithm()), 32) + "-" + truncate(subject.Encoded(), 64)
}

func truncate(s string, n int) string { return s[:min(len(s), n)] }

// tagState is what the referrers tag held when it was read.
type tagState struct {
	absent  bool
	index   *index // nil if absent, or if something else stands there
	foreign error  // what else stands there, if anything
	digest  digest.Digest
	etag    string
	asked   time.Time // when the reading began
	writes  int64     // writes by this process before the reading began
	err     error
}

// source is the tag's part in a listing.
func (t *tagState) source(c collector) *source {
	s := &source{absent: t.absent, err: t.err}
	if t.foreign != nil {
		s.warnings = append(s.warnings, t.foreign)
	}
	if t.index != nil {
		s.add(c, t.index)
	}
	return s
}

// readTag reads the referrers tag. What stands there and is no index does not
// count as a listing; a registry may take the tag for the subject's digest. parse
// is parseListing, or parseIndex where the tag is going to be written.
func (r *Repository) readTag(ctx context.Context, subject digest.Digest, actions []string, parse parser) *tagState {
	t := &tagState{asked: time.Now()}
	q := r.manifestRequest(http.MethodGet, referrersTag(subject), actions)
	p, err := r.do(ctx, q)
	switch {
	case err != nil:
		t.err = err
		return t
	case p.status == http.StatusNotFound:
		t.absent = true
		return t
	case !p.ok():
		t.err = r.statusError(q, p)
		return t
	}
	t.digest, t.etag = digest.FromBytes(p.body), p.header.Get("ETag")
	foreign := func(what string) {
		t.absent = true // as a place to list referrers
		t.foreign = reason.Errorf(reason.RegistryReferrersTag, "tag %s of %s holds %s instead of an index of referrers", referrersTag(subject), r.Name(), what).
			WithHint("remove or move that tag, or use a registry with the referrers API")
	}
	if subject.Algorithm().FromBytes(p.body) == subject {
		foreign("the artifact itself")
		return t
	}
	x, err := parsePage(p, parse)
	switch {
	case errors.Is(err, errNoIndex) && !claimsJSON(p.body, contentType(p.header)):
		// Nothing that a registry keeps under a tag.
		t.err = reason.Errorf(reason.RegistryNoListing, "registry %s answers %s to the request for %s with content of type %s, which is no manifest",
			r.name.Registry(), statusText(p.status), q.what, quote(contentType(p.header))).
			WithHint("check whether a proxy or a captive portal answers in place of the registry")
	case errors.Is(err, errNoIndex):
		foreign("something of type " + quote(contentType(p.header)))
	case err != nil:
		t.err = reason.Wrap(reason.RegistryListing, err, "tag %s of %s holds a malformed index", referrersTag(subject), r.Name()).
			WithHint("try again; if it persists, remove or repair that tag")
	default:
		t.index = x
	}
	return t
}

// readTagFor is readTag by someone who is going to write.
func (r *Repository) readTagFor(ctx context.Context, lock *tagLock, subject digest.Digest) *tagState {
	writes := lock.writes.Load()
	t := r.readTag(ctx, subject, actionsPush, parseIndex)
	t.writes = writes
	return t
}

func (r *Repository) tagKey(subject digest.Digest) string {
	return r.scheme + "://" + r.host + "/" + r.name.Repository() + ":" + referrersTag(subject)
}

// tagLocks serialise the writers of one process to one referrers tag, and those
// who push manifests with one subject. Different subjects have nothing to do with
// each other.
type tagLocks struct {
	mu    sync.Mutex
	locks map[string]*tagLock
}

type tagLock struct {
	key    string
	users  int          // guarded by tagLocks.mu
	turn                // to write the tag
	push   turn         // to push a manifest that has the subject
	writes atomic.Int64 // writes done under this lock
}

func newTagLocks() *tagLocks { return &tagLocks{locks: map[string]*tagLock{}} }

// hold returns the lock of a tag, which exists until everyone has dropped it.
func (t *tagLocks) hold(key string) *tagLock {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.locks[key]
	if l == nil {
		l = &tagLock{key: key, turn: newTurn(), push: newTurn()}
		t.locks[key] = l
	}
	l.users++
	return l
}

func (t *tagLocks) drop(l *tagLock) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(t.locks, l.key)
	}
}

// turn is a mutex that can be given up waiting for. It holds one token: whoever
// has it is at work.
type turn chan struct{}

func newTurn() turn {
	t := make(turn, 1)
	t.release()
	return t
}

func (t turn) acquire(ctx context.Context) error {
	select {
	case <-t:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t turn) release() { t <- struct{}{} }

// tagWriter adds one entry to the referrers tag and sees to it that it stays.
// The registry offers neither lock nor compare-and-swap, so a writer that read
// before us may write after us and not know of our entry. See
// docs/decisions/referrers-tag-writes.md.
type tagWriter struct {
	r       *Repository
	lock    *tagLock
	subject digest.Digest
	mine    entry
	floor   time.Duration // least settling time

	seen   map[digest.Digest]bool
	ours   []entry // mine, and every entry that was seen in the tag
	window time.Duration
	wrote  digest.Digest // what was written last
	before digest.Digest // what was read before the last reading
	api    *source       // the referrers API's answer, asked for with the first look
	// ignoreETag is set once a registry has refused the ETag that it had just
	// given.
	ignoreETag bool
	refused    string // the ETag refused last
	// gone are entries whose manifests the registry no longer has; nil until
	// it has refused an index.
	gone map[digest.Digest]bool
}

func newTagWriter(r *Repository, lock *tagLock, subject digest.Digest, manifest oci.Descriptor) (*tagWriter, error) {
	mine, err := newEntry(manifest)
	if err != nil {
		return nil, err
	}
	w := &tagWriter{r: r, lock: lock, subject: subject, mine: mine, floor: r.client.timing.settleMin, seen: map[digest.Digest]bool{}}
	if isLoopback(r.host) {
		// All writers are on this machine, so their round trips are like ours.
		w.floor = r.client.timing.settleMinLoopback
	}
	w.remember(mine)
	return w, nil
}

func (w *tagWriter) remember(e entry) {
	if d := e.descriptor.Digest; !w.seen[d] {
		w.seen[d] = true
		w.ours = append(w.ours, e)
	}
}

// run writes until the tag lists the entry and has come to rest. It begins
// with what was read of the tag and returns what was read last.
func (w *tagWriter) run(ctx context.Context, read *tagState) (*tagState, error) {
	tries, looks := 0, 0
	var taken <-chan []entry // nil: nothing is to be taken over
	if read.absent && read.err == nil && read.foreign == nil && !w.r.client.options.ForceReferrersTag {
		taken = w.takeOver(ctx)
	}
	for {
		if err := w.note(read); err != nil {
			return read, err
		}
		wait := time.Duration(0)
		if missing := w.missing(read); len(missing) == 0 {
			if w.atRest(read) || looks == maxQuietLooks {
				return read, nil
			}
			looks++
			wait = w.settle(tries + looks)
		} else {
			if tries == maxTagTries {
				if missing[0].descriptor.Digest != w.mine.descriptor.Digest {
					return read, nil // ours is there
				}
				return read, reason.Errorf(reason.RegistryLostUpdate, "tag %s of %s was overwritten by others %d times", referrersTag(w.subject), w.r.Name(), tries).
					WithHint("sign again when fewer others write to this artifact, or use a registry with the referrers API")
			}
			tries++
			var err error
			if wait, err = w.write(ctx, read, tries); err != nil {
				return read, err
			}
		}
		if err := w.r.client.sleep(ctx, wait); err != nil {
			return read, w.r.transportError(ctx, w.r.putRequest(referrersTag(w.subject), nil), err)
		}
		w.before = read.digest
		read = w.look(ctx)
		if taken != nil {
			for _, e := range <-taken {
				w.remember(e)
			}
			taken = nil
		}
	}
}

// note remembers what was read and refuses a tag that must not be written.
func (w *tagWriter) note(read *tagState) error {
	switch {
	case read.err != nil:
		return read.err
	case read.foreign != nil:
		return read.foreign
	case read.index != nil:
		for _, e := range read.index.entries {
			w.remember(e)
		}
	}
	return nil
}

// missing returns the entries that should be in the tag and are not: ours, and
// any that stood there before and has been overwritten by somebody.
func (w *tagWriter) missing(read *tagState) []entry {
	listed := map[digest.Digest]bool{}
	if read.index != nil {
		for i := range read.index.entries {
			listed[read.index.entries[i].descriptor.Digest] = true
		}
	}
	var missing []entry
	for _, e := range w.ours {
		if d := e.descriptor.Digest; !listed[d] && !w.gone[d] {
			missing = append(missing, e)
		}
	}
	return missing
}

// atRest reports whether nobody else has written since we did, or since the
// reading before. A tag that held everything from the start is at rest too.
func (w *tagWriter) atRest(read *tagState) bool {
	return w.wrote == "" || read.digest == w.wrote || read.digest == w.before
}

// write adds what is missing and returns how long to wait before looking.
func (w *tagWriter) write(ctx context.Context, read *tagState, try int) (time.Duration, error) {
	if err := w.lock.acquire(ctx); err != nil {
		return 0, err
	}
	defer w.lock.release()
	if read.writes != w.lock.writes.Load() || time.Since(read.asked) > w.r.client.timing.readAge {
		// Somebody of this process has written meanwhile, or it took long.
		read = w.r.readTagFor(ctx, w.lock, w.subject)
		if err := w.note(read); err != nil {
			return 0, err
		}
	}
	missing := w.missing(read)
	if len(missing) == 0 {
		return w.settle(try), nil // others have done it
	}
	raw, err := read.index.with(missing, w.gone)
	if err != nil {
		return 0, err
	}
	q := w.r.putRequest(referrersTag(w.subject), raw)
	q.contentType = ocispec.MediaTypeImageIndex
	q.once = true // a second try is worth less than a new reading
	if !w.ignoreETag && strings.HasPrefix(read.etag, `"`) {
		q.ifMatch = read.etag // weak ones never match: RFC 9110, section 13.1.1
	}
	p, err := w.r.do(ctx, q)
	w.window = max(w.window, time.Since(read.asked))
	switch {
	case err == nil && p.ok():
		w.lock.writes.Add(1)
		w.wrote = digest.FromBytes(raw)
		return w.settle(try), nil
	case err == nil && p.status == http.StatusPreconditionFailed && q.ifMatch != "":
		w.ignoreETag, w.refused = w.refused == read.etag, read.etag
		return rand.N(w.settle(1)), nil
	}
	return w.afterFailure(ctx, q, try, p, err)
}

// afterFailure decides whether a failed write is worth another try.
func (w *tagWriter) afterFailure(ctx context.Context, q request, try int, p *response, err error) (time.Duration, error) {
	q.once = false
	wait, again := w.r.retry(ctx, q, min(try, maxTries-1), p, err)
	switch {
	case again:
		return wait, nil
	case err == nil && (missesContent(p) || hasErrorCode(p, "MANIFEST_UNKNOWN")) && try < maxTries:
		// Some call a manifest that an index names an unknown one, as others
		// call the index.
		w.findGone(ctx)
		return w.settle(try), nil
	case err != nil:
		return 0, err
	}
	return 0, w.r.refused(q, p)
}

// findGone looks which of the listed manifests the registry still has. Some
// registries refuse an index that names one which has been deleted; without
// this nobody could ever sign that artifact again.
func (w *tagWriter) findGone(ctx context.Context) {
	if w.gone == nil {
		w.gone = map[digest.Digest]bool{}
	}
	for chunk := range slices.Chunk(w.ours[1:], maxProbes) { // the first is mine
		gone := make([]bool, len(chunk))
		var wg sync.WaitGroup
		for i, e := range chunk {
			wg.Go(func() {
				p, err := w.r.do(ctx, w.r.manifestRequest(http.MethodHead, string(e.descriptor.Digest), actionsPush))
				gone[i] = err == nil && p.status == http.StatusNotFound
			})
		}
		wg.Wait()
		for i, e := range chunk {
			w.gone[e.descriptor.Digest] = gone[i]
		}
	}
}

// settle is how long to wait before looking whether the entry is still there:
// at least twice what our own reading and writing took, since another's may
// take as long, and longer with each try, so that many writers spread.
func (w *tagWriter) settle(try int) time.Duration {
	t := w.r.client.timing
	d := min(max(2*w.window, w.floor), t.settleMax)
	for i := 1; i < try && d < t.settleMax; i++ {
		d *= 2
	}
	d = min(d, t.settleMax)
	return d + rand.N(d/2+1)
}

// look reads the tag again, and the first time the referrers API as well, as
// a verifier would.
func (w *tagWriter) look(ctx context.Context) *tagState {
	if w.api != nil {
		return w.r.readTagFor(ctx, w.lock, w.subject)
	}
	var wg sync.WaitGroup
	var tag *tagState
	wg.Go(func() { tag = w.r.readTagFor(ctx, w.lock, w.subject) })
	c := collector{subject: w.subject, artifactType: w.mine.descriptor.ArtifactType, max: oci.MaxReferrers}
	w.api = w.r.listAPI(ctx, w.subject, c, actionsPush)
	wg.Wait()
	return tag
}
