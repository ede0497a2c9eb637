package remote

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/notaryv2/notation/reason"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// Actions on a repository, as token services name them.
var (
	actionsPull = []string{auth.ActionPull}
	actionsPush = []string{auth.ActionPull, auth.ActionPush}
)

// request is one request, to be sent as often as retries need.
type request struct {
	method      string
	url         *url.URL
	what        string // what is asked for, for people: "manifest host/repo:tag"
	accept      []string
	contentType string
	ifMatch     string
	body        []byte
	limit       int64    // bytes of a successful response that are of use; more is an error
	actions     []string // what the token must allow
	once        bool     // never retried
}

// response is a response read to its end.
type response struct {
	status int
	header http.Header
	size   int64 // Content-Length, or -1
	body   []byte
	url    *url.URL // where it came from, after redirects
}

func (p *response) ok() bool { return p.status >= 200 && p.status < 300 }

// exchange is what the layers below a request need to know of it. It travels
// in the context, because oras-go's client stands between.
type exchange struct {
	origin   *url.URL      // the registry's
	token    bool          // this is a request for a token
	holds    *atomic.Int64 // for how long the token holds, as time.Duration; nil: nobody wants to know
	progress *atomic.Int64
	tried    *triedTokens
}

type exchangeKey struct{}

func withExchange(ctx context.Context, ex *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, ex)
}

// exchangeOf returns the exchange of a context. There is none only in misuse;
// the zero exchange then has no origin, so that nothing counts as its own.
func exchangeOf(ctx context.Context) *exchange {
	if ex, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return ex
	}
	return &exchange{origin: &url.URL{}, progress: new(atomic.Int64), tried: new(triedTokens)}
}

// url returns the URL of an API path of the registry.
func (r *Repository) url(path string) *url.URL {
	return &url.URL{Scheme: r.scheme, Host: r.host, Path: path}
}

// repoURL returns the URL of a path of the repository.
func (r *Repository) repoURL(parts ...string) *url.URL {
	return r.url("/v2/" + r.name.Repository() + "/" + strings.Join(parts, "/"))
}

// do sends q, again if it is worth it, and returns the response whatever its
// status. A response longer than q.limit is an error.
func (r *Repository) do(ctx context.Context, q request) (*response, error) {
	for try := 1; ; try++ {
		p, err := r.attempt(ctx, q)
		r.tellBusy(p, err)
		wait, again := r.retry(ctx, q, try, p, err)
		if !again {
			if err != nil {
				return nil, r.transportError(ctx, q, err)
			}
			return p, nil
		}
		r.client.log.Debug("retry", "method", q.method, "what", q.what, "try", try, "wait", wait)
		if err := r.client.sleep(ctx, wait); err != nil {
			return nil, r.transportError(ctx, q, err)
		}
	}
}

// expect is do, but a status other than 2xx is an error.
func (r *Repository) expect(ctx context.Context, q request) (*response, error) {
	p, err := r.do(ctx, q)
	if err != nil {
		return nil, err
	}
	if !p.ok() {
		return nil, r.statusError(q, p)
	}
	return p, nil
}

// attempt sends q once, but for a challenge and its answer.
func (r *Repository) attempt(ctx context.Context, q request) (*response, error) {
	ex := &exchange{origin: r.url(""), progress: new(atomic.Int64), tried: new(triedTokens)}
	ctx = withExchange(ctx, ex)
	ctx = auth.WithScopesForHost(ctx, r.host, r.scopes(q.actions)...)
	ctx, watch := newWatchdog(ctx, ex.progress, r.client.timing)
	defer watch.stop()

	var body io.Reader
	if q.body != nil {
		body = bytes.NewReader(q.body)
	}
	hr, err := http.NewRequestWithContext(ctx, q.method, q.url.String(), body)
	if err != nil {
		return nil, err
	}
	q.setHeaders(hr.Header)
	resp, err := r.send(hr)
	if err != nil {
		return nil, watch.explain(err)
	}
	defer resp.Body.Close()
	watch.headerArrived()
	p := &response{status: resp.StatusCode, header: resp.Header, size: resp.ContentLength, url: resp.Request.URL}
	if p.body, err = readBody(resp, q); err != nil {
		return p, watch.explain(err)
	}
	return p, nil
}

func (r *Repository) scopes(actions []string) []string {
	if len(actions) == 0 {
		return nil
	}
	// What it is given is sorted in place.
	return []string{auth.ScopeRepository(r.name.Repository(), slices.Clone(actions)...)}
}

// send sends a request with the registry's credentials if it goes to the
// registry, and without any if an upload goes elsewhere.
func (r *Repository) send(hr *http.Request) (*http.Response, error) {
	if sameOrigin(hr.URL, r.url("")) {
		return r.auth.Do(hr)
	}
	for name, values := range r.auth.Header {
		hr.Header[name] = values
	}
	return r.client.http.Do(hr)
}

func (q *request) setHeaders(h http.Header) {
	for _, a := range q.accept {
		h.Add("Accept", a)
	}
	if q.contentType != "" {
		h.Set("Content-Type", q.contentType)
	}
	if q.ifMatch != "" {
		h.Set("If-Match", q.ifMatch)
	}
}

// readBody reads a response within bounds. Of a refusal only the beginning is
// read.
func readBody(resp *http.Response, q request) ([]byte, error) {
	if q.method == http.MethodHead {
		return nil, nil
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		b, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		if err != nil && len(b) == 0 {
			return nil, nil // the status says enough
		}
		return b, nil
	}
	if resp.ContentLength > q.limit {
		return nil, tooLong(q)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, q.limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(b)) > q.limit:
		return nil, tooLong(q)
	}
	return b, nil
}

func tooLong(q request) error {
	return reason.Errorf(reason.OCITooLarge, "%s is longer than %d bytes", q.what, q.limit)
}

// sameOrigin compares scheme, host and port (RFC 6454, section 4).
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && hostPort(a) == hostPort(b)
}

// hostPort returns host:port in lower case, with the scheme's default port.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		switch u.Scheme {
		case "https":
			port = "443"
		case "http":
			port = "80"
		}
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}
