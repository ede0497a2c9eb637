package remote

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/notaryv2/notation/oci"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// opener begins a stream of what is to be uploaded.
type opener = func() (io.ReadCloser, error)

// Open implements [oci.Source]. Until the answer begins, a request is sent
// again like any other; a stream that breaks off is an error of its Read.
// Codes: oci.descriptor, oci.too-large, oci.not-found, registry.*; of Read
// those of [oci.NewVerifiedReader] and registry.*.
func (r *Repository) Open(ctx context.Context, d oci.Descriptor) (io.ReadCloser, error) {
	if err := oci.CheckDescriptor(d, oci.MaxBlobSize); err != nil {
		return nil, err
	}
	q := r.contentRequest(http.MethodGet, d, actionsPull)
	for try := 1; ; try++ {
		s, p, err := r.attemptStream(ctx, q)
		if err == nil && s != nil {
			s.d, s.checked = d, oci.NewVerifiedReader(readerFunc(s.read), d)
			return s, nil
		}
		wait, again := r.retry(ctx, q, try, p, err)
		switch {
		case !again && err != nil:
			return nil, r.transportError(ctx, q, err)
		case !again:
			return nil, r.statusError(q, p)
		}
		r.client.log.Debug("retry", "method", q.method, "what", q.what, "try", try, "wait", wait)
		if err := r.client.sleep(ctx, wait); err != nil {
			return nil, r.transportError(ctx, q, err)
		}
	}
}

// attemptStream sends q once and returns the body of a success unread, or what
// came in place of one.
func (r *Repository) attemptStream(ctx context.Context, q request) (*stream, *response, error) {
	ex := &exchange{origin: r.url(""), progress: new(atomic.Int64), tried: new(triedTokens)}
	// What the caller ends is kept apart from what the watchdog ends.
	inner := auth.WithScopesForHost(withExchange(ctx, ex), r.host, r.scopes(q.actions)...)
	inner, watch := newWatchdog(inner, ex.progress, r.client.timing)
	hr, err := http.NewRequestWithContext(inner, q.method, q.url.String(), http.NoBody)
	if err != nil {
		watch.stop()
		return nil, nil, err
	}
	q.setHeaders(hr.Header)
	resp, err := r.send(hr)
	if err != nil {
		err = watch.explain(err)
		watch.stop()
		return nil, nil, err
	}
	p := &response{status: resp.StatusCode, header: resp.Header, size: resp.ContentLength, url: resp.Request.URL}
	if p.ok() {
		watch.pause()
		return &stream{r: r, ctx: ctx, q: q, body: resp.Body, watch: watch, patience: newPatience(watch, r.client.timing.stall)}, p, nil
	}
	defer watch.stop()
	defer resp.Body.Close()
	watch.headerArrived()
	if p.body, err = readBody(resp, q); err != nil {
		return nil, p, watch.explain(err)
	}
	return nil, p, nil
}

// pause ends the watching, but not what is watched.
func (w *watchdog) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}

// stream is a response's body. The time that its reader takes between two reads
// is not held against the registry.
type stream struct {
	d        oci.Descriptor
	r        *Repository
	ctx      context.Context // the caller's; a stream lives as long as its request
	q        request
	body     io.ReadCloser
	watch    *watchdog
	patience *patience
	checked  io.Reader
}

func (s *stream) Read(p []byte) (int, error) { return s.checked.Read(p) }

func (s *stream) read(p []byte) (int, error) {
	s.patience.begin()
	n, err := s.body.Read(p)
	s.patience.end(n)
	if err != nil && err != io.EOF {
		err = s.r.transportError(s.ctx, s.q, s.watch.explain(err))
	}
	return n, err
}

// Verifies implements [oci.VerifiedStream].
func (s *stream) Verifies() oci.Descriptor { return s.d }

// LeaveDigest implements [oci.LeavingStream].
func (s *stream) LeaveDigest() { s.checked = oci.NewSizedReader(readerFunc(s.read), s.d) }

func (s *stream) Close() error {
	s.patience.end(0)
	s.watch.stop() // before closing, which would read the rest
	return s.body.Close()
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// patience ends a request whose other side makes no progress: it gives it
// timing.stall for stallBytes, and counts only the time between begin and end.
type patience struct {
	watch *watchdog
	stall time.Duration

	mu    sync.Mutex
	timer *time.Timer
	since time.Time // begin; zero: not waiting
	left  time.Duration
	bytes int
}

func newPatience(watch *watchdog, stall time.Duration) *patience {
	return &patience{watch: watch, stall: stall, left: stall}
}

// begin says that the other side is being waited for.
func (p *patience) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since = time.Now()
	if p.timer == nil {
		p.timer = time.AfterFunc(p.left, func() { p.watch.cancel(errStalled) })
		return
	}
	p.timer.Reset(p.left)
}

// end says that it has given or taken n bytes.
func (p *patience) end(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() {
		return
	}
	p.timer.Stop()
	p.left -= time.Since(p.since)
	p.since = time.Time{}
	if p.bytes += n; p.bytes >= stallBytes {
		p.left, p.bytes = p.stall, 0
	}
}

// attemptUpload sends the content of d once, but for a challenge and its
// answer. leave says that the registry alone is to compare the digest.
func (r *Repository) attemptUpload(ctx context.Context, q request, d oci.Descriptor, open opener, leave bool) (*response, error) {
	ex := &exchange{origin: r.url(""), progress: new(atomic.Int64), tried: new(triedTokens)}
	ctx = auth.WithScopesForHost(withExchange(ctx, ex), r.host, r.scopes(q.actions)...)
	ctx, watch := newWatchdog(ctx, ex.progress, r.client.timing)
	defer watch.stop()

	up := &uploads{d: d, open: open, leave: leave, watch: watch, timing: r.client.timing}
	defer up.answer()
	hr, err := http.NewRequestWithContext(ctx, q.method, q.url.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	if hr.Body, err = up.begin(); err != nil {
		return nil, err
	}
	hr.GetBody, hr.ContentLength = up.begin, d.Size
	if d.Size == 0 {
		// net/http takes a length of 0 with a body for one that is not known.
		if err := up.drain(hr.Body); err != nil {
			return nil, err
		}
		hr.Body, hr.GetBody = http.NoBody, nil
	}
	q.setHeaders(hr.Header)
	resp, err := r.send(hr)
	if err != nil {
		if failed := up.failed(); failed != nil {
			return nil, failed
		}
		return nil, watch.explain(err)
	}
	defer resp.Body.Close()
	up.answer()
	watch.await(r.client.timing.header)
	watch.headerArrived()
	p := &response{status: resp.StatusCode, header: resp.Header, size: resp.ContentLength, url: resp.Request.URL}
	if failed := up.failed(); failed != nil {
		return nil, failed // whatever the registry makes of half a blob
	}
	if p.body, err = readBody(resp, q); err != nil {
		return p, watch.explain(err)
	}
	return p, nil
}

// sourceError says that what was to be uploaded could not be read.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// uploads are the bodies of one request, which may be sent twice: without a
// login and with.
type uploads struct {
	d      oci.Descriptor
	open   opener
	leave  bool
	watch  *watchdog
	timing timing

	mu       sync.Mutex
	current  *upload
	err      error // of the source
	answered bool  // the response is there, and is watched by others
}

// begin is a http.Request's GetBody.
func (u *uploads) begin() (io.ReadCloser, error) {
	u.end()
	content, err := u.open()
	if err != nil {
		return nil, &sourceError{err}
	}
	if l, ok := content.(oci.LeavingStream); ok && u.leave {
		l.LeaveDigest()
	}
	b := &upload{
		all: u, content: content, checked: oci.NewSizedReader(content, u.d), // the registry compares the digest
		patience: newPatience(u.watch, u.timing.stall),
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.current, u.err = b, nil
	return b, nil
}

func (u *uploads) drain(body io.ReadCloser) error {
	defer body.Close()
	if _, err := io.Copy(io.Discard, body); err != nil {
		return u.failed()
	}
	return nil
}

// end ends the watching of the present body.
func (u *uploads) end() {
	u.mu.Lock()
	b := u.current
	u.mu.Unlock()
	if b != nil {
		b.patience.end(0)
	}
}

// answer ends all watching of bodies.
func (u *uploads) answer() {
	u.end()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answered = true
}

// closed is told that a body will not be read any more. What comes next without
// the request's end, such as a token being asked for, is watched again.
func (u *uploads) closed(b *upload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.current == b && !u.answered {
		u.watch.await(u.timing.header)
	}
}

func (u *uploads) fail(b *upload, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.current == b && u.err == nil {
		u.err = &sourceError{err}
	}
}

func (u *uploads) failed() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

// upload is the body of a request. The registry is waited for between two
// reads, and nobody else: the source has a watch of its own. Once all is sent,
// the registry has timing.header to answer.
type upload struct {
	all      *uploads
	content  io.ReadCloser
	checked  io.Reader
	patience *patience
	once     sync.Once
	closed   atomic.Bool
	err      error
	last     int
}

func (b *upload) Read(p []byte) (int, error) {
	b.all.watch.pause()
	b.patience.end(b.last) // what was read last has been taken
	n, err := b.checked.Read(p)
	switch {
	case err == io.EOF:
		b.all.watch.await(b.all.timing.header)
		return n, err
	case err != nil:
		if !b.closed.Load() { // or else it is the registry that has had enough
			b.all.fail(b, err)
		}
		return n, err
	}
	b.last = n
	b.patience.begin()
	return n, nil
}

func (b *upload) Close() error {
	b.once.Do(func() {
		b.closed.Store(true)
		b.patience.end(0)
		b.err = b.content.Close()
		b.all.closed(b)
	})
	return b.err
}

// await watches again, for the beginning of a response.
func (w *watchdog) await(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped, w.body = false, false
	w.timer.Reset(d)
}
