package remote

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/opencontainers/go-digest"
)

// Reach is how far a request to a registry came. What was not reached is the
// zero value.
type Reach struct {
	Host      string    // host[:port] that speaks for the registry
	PlainHTTP bool      // the connection is not protected
	Proxy     string    // scheme and host of the proxy that the environment names, "" for none
	Addresses []string  // of the host, as this machine looks them up; none if it is an address, or with a proxy
	Connected string    // address and port of the connection, that of the proxy if there is one
	TLS       string    // version, such as "TLS 1.3"
	NotAfter  time.Time // end of the validity of the host's TLS certificate

	Status   int       // of the answer, after redirects
	Login    bool      // the registry asks who is there
	Date     time.Time // by the registry's clock, a whole second
	Received time.Time // when the answer arrived, by this machine's clock

	// Err says why there is no answer, or none of a registry. Its codes are
	// registry.* and oci.not-found.
	Err error
}

// Reach sends one request for the API's base, without credentials and without
// retries, to the registry of name. Everything but the registry plays no part.
func (c *Client) Reach(ctx context.Context, name oci.Reference) Reach {
	r := c.open(name)
	q := request{method: http.MethodGet, url: r.url("/v2/"), what: "its API /v2/", limit: maxErrorBody}
	ex := &exchange{origin: r.url(""), progress: new(atomic.Int64), tried: new(triedTokens)}
	watched, watch := newWatchdog(withExchange(ctx, ex), ex.progress, c.timing)
	defer watch.stop()

	t := &tracer{reach: Reach{Host: r.host, PlainHTTP: r.scheme == "http"}}
	hr, err := http.NewRequestWithContext(httptrace.WithClientTrace(watched, t.hooks()), q.method, q.url.String(), http.NoBody)
	if err != nil {
		return t.done(r.transportError(ctx, q, err))
	}
	for header, values := range r.auth.Header {
		hr.Header[header] = values
	}
	if proxy, err := http.ProxyFromEnvironment(hr); err == nil && proxy != nil && c.options.Transport == nil {
		t.reach.Proxy = proxy.Scheme + "://" + proxy.Host
	}
	resp, err := c.http.Do(hr)
	if err != nil {
		return t.done(r.transportError(ctx, q, watch.explain(err)))
	}
	defer resp.Body.Close()
	t.answered(resp)
	watch.headerArrived()
	p := &response{status: resp.StatusCode, header: resp.Header, size: resp.ContentLength, url: resp.Request.URL}
	p.body, _ = readBody(resp, q) // only the words of a refusal are of use
	switch {
	case p.ok(), p.status == http.StatusUnauthorized, p.status == http.StatusForbidden:
		return t.done(nil)
	}
	return t.done(r.statusError(q, p))
}

// tracer fills in a Reach while a request is under way. Connections are opened
// by goroutines of net/http, which may outlive the request.
type tracer struct {
	mu    sync.Mutex
	reach Reach
}

func (t *tracer) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSDone: func(info httptrace.DNSDoneInfo) {
			t.set(func(r *Reach) {
				if r.Proxy != "" {
					return // they are the proxy's
				}
				for _, a := range info.Addrs[:min(len(info.Addrs), maxAddresses)] {
					if s := a.String(); !slices.Contains(r.Addresses, s) {
						r.Addresses = append(r.Addresses, s)
					}
				}
			})
		},
		GotConn: func(info httptrace.GotConnInfo) {
			t.set(func(r *Reach) { r.Connected = info.Conn.RemoteAddr().String() })
		},
		TLSHandshakeDone: func(state tls.ConnectionState, err error) {
			t.set(func(r *Reach) {
				if err != nil {
					return
				}
				r.TLS = tls.VersionName(state.Version)
				if len(state.PeerCertificates) > 0 {
					r.NotAfter = state.PeerCertificates[0].NotAfter
				}
			})
		},
	}
}

// maxAddresses bounds the addresses of a host that a Reach lists.
const maxAddresses = 16

func (t *tracer) set(f func(*Reach)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.reach)
}

func (t *tracer) answered(resp *http.Response) {
	t.set(func(r *Reach) {
		r.Status, r.Received = resp.StatusCode, time.Now()
		r.Login = resp.StatusCode == http.StatusUnauthorized
		if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			r.Date = date
		}
	})
}

func (t *tracer) done(err error) (reach Reach) {
	t.set(func(r *Reach) {
		r.Err = err
		reach = *r
		reach.Addresses = slices.Clone(r.Addresses)
	})
	return reach
}

// Discovery says in which of the places where referrers may be listed a
// registry lists those of an artifact.
type Discovery struct {
	API bool // the referrers API is there
	Tag bool // an index stands under the artifact's referrers tag

	Listing oci.Listing
}

// Discover is [Repository.Referrers] and says besides where the listing comes
// from. A registry without either place may still have the predecessor of the
// API, whose entries are in the listing. With an error, a place that is not
// said to be there may be there.
func (r *Repository) Discover(ctx context.Context, subject digest.Digest, o oci.ReferrersOptions) (Discovery, error) {
	listing, api, tag, err := r.list(ctx, subject, o, known{actions: actionsPull})
	d := Discovery{Listing: listing}
	if api != nil && tag != nil {
		d.API = !api.absent && api.err == nil
		d.Tag = !tag.absent && tag.err == nil
	}
	return d, err
}
