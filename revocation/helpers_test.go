package revocation

import (
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/cachemodes"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// internet is a network in which every name leads to one server, which answers
// by the name and the path that were asked for.
type internet struct {
	mu       sync.Mutex
	handlers map[string]http.Handler
	asked    map[string]int
	server   *httptest.Server
}

func newInternet(t testing.TB) *internet {
	t.Helper()
	n := &internet{handlers: map[string]http.Handler{}, asked: map[string]int{}}
	n.server = httptest.NewServer(n)
	t.Cleanup(n.server.Close)
	return n
}

// at has the handler answer for an address and what is below it.
func (n *internet) at(address string, h http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handlers[strings.TrimPrefix(address, "http://")] = h
}

func (n *internet) bytes(address string, body []byte) {
	n.at(address, testpki.CRLHandler(func() []byte { return body }))
}

func (n *internet) count(address string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked[strings.TrimPrefix(address, "http://")]
}

func (n *internet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	var h http.Handler
	best := ""
	for address, candidate := range n.handlers {
		if strings.HasPrefix(r.Host+r.URL.Path, address) && len(address) >= len(best) {
			best, h = address, candidate
		}
	}
	n.asked[best]++
	n.mu.Unlock()
	if h == nil {
		http.NotFound(w, r)
		return
	}
	h.ServeHTTP(w, r)
}

func (n *internet) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, n.server.Listener.Addr().String())
		},
	}}
}

// direct is a client whose requests are answered without a connection, as they
// must be where time is simulated.
func (n *internet) direct() *http.Client {
	return &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		answer := httptest.NewRecorder()
		n.ServeHTTP(answer, r)
		if err := context.Cause(r.Context()); err != nil {
			return nil, err
		}
		return answer.Result(), nil
	})}
}

// Addresses that the certificates of a test name.
const (
	ocspURL = "http://ocsp.test/r"
	crlURL  = "http://crl.test/list.crl"
)

// instant is when the tests take place, unless they look at files.
func instant() time.Time { return time.Now().UTC().Truncate(time.Second) }

// world is a chain of two whose leaf names sources, and the network.
type world struct {
	t     testing.TB
	net   *internet
	chain *testpki.Chain
	now   time.Time
	o     Options
}

type leafOption func(*x509.Certificate)

func withOCSP(urls ...string) leafOption {
	return func(c *x509.Certificate) { c.OCSPServer = urls }
}

func withCRL(urls ...string) leafOption {
	return func(c *x509.Certificate) { c.CRLDistributionPoints = urls }
}

func withExtension(e pkix.Extension) leafOption {
	return func(c *x509.Certificate) { c.ExtraExtensions = append(c.ExtraExtensions, e) }
}

// newWorld makes a chain of a leaf and a root.
func newWorld(t testing.TB, leaf ...leafOption) *world {
	t.Helper()
	w := &world{t: t, net: newInternet(t), now: instant()}
	w.chain = testpki.New(t, testpki.Options{Length: 2, Modify: func(position int, c *x509.Certificate) {
		if position == 0 {
			for _, o := range leaf {
				o(c)
			}
		}
	}})
	// What has to come in time does, however slow the machine is.
	w.o = Options{HTTP: w.net.client(), Now: func() time.Time { return w.now }, Timeout: time.Hour}
	return w
}

// lives makes all certificates end so much later.
func (w *world) lives(d time.Duration) {
	for _, c := range w.chain.Certs {
		c.NotAfter = w.now.Add(d)
	}
}

func (w *world) leaf() *x509.Certificate { return w.chain.Certs[0] }
func (w *world) ca() *x509.Certificate   { return w.chain.Certs[1] }
func (w *world) caKey() crypto.Signer    { return w.chain.Keys[1] }

// crl returns a list of the authority with the given entries.
func (w *world) crl(number int64, entries ...[]byte) testpki.CRL {
	c := testpki.NewCRL(w.ca(), number, w.now.Add(-time.Minute))
	c.Entries = entries
	return c
}

func (w *world) entry(why int, extra ...pkix.Extension) []byte {
	return testpki.CRLEntry(w.leaf().SerialNumber, w.now.Add(-time.Hour), why, extra...)
}

func (w *world) good() testpki.OCSP {
	return testpki.NewOCSP(w.leaf(), w.ca(), w.now.Add(-time.Minute))
}

// respond has the responder answer with o, signed by the authority.
func (w *world) respond(o testpki.OCSP) {
	w.t.Helper()
	w.respondRaw(o.Sign(w.t, w.caKey()))
}

func (w *world) respondRaw(raw []byte) {
	w.net.at(ocspURL, testpki.OCSPHandler(func(_, _ []byte) []byte { return raw }))
}

func (w *world) publish(c testpki.CRL) {
	w.t.Helper()
	w.net.bytes(crlURL, c.Sign(w.t, w.caKey()))
}

func (w *world) check() Result { return w.checkWith(Evidence{}) }

func (w *world) checkWith(e Evidence) Result {
	w.t.Helper()
	o := w.o
	if mode := cachemodes.Current(); mode != cachemodes.AsWritten && o.CacheDir == "" && o.Record == nil {
		if o.CacheDir = w.t.TempDir(); mode == cachemodes.Warm {
			New(o).Check(context.Background(), w.chain.Certs, e)
		}
	}
	results := New(o).Check(context.Background(), w.chain.Certs, e)
	if len(results) != 1 {
		w.t.Fatalf("%d results", len(results))
	}
	return results[0]
}

// codes returns the reason codes in an error's tree.
func codes(err error) map[reason.Code]bool {
	found := map[reason.Code]bool{}
	var walk func(error)
	walk = func(err error) {
		if e, ok := err.(*reason.Error); ok {
			if e == nil {
				return
			}
			found[e.Code] = true
		}
		switch x := err.(type) {
		case interface{ Unwrap() error }:
			if inner := x.Unwrap(); inner != nil {
				walk(inner)
			}
		case interface{ Unwrap() []error }:
			for _, inner := range x.Unwrap() {
				walk(inner)
			}
		}
	}
	walk(err)
	return found
}

// want fails the test unless the result has the status and, if it is not good,
// an error with the code somewhere in it.
func want(t testing.TB, r Result, status Status, code reason.Code) {
	t.Helper()
	if r.Status != status {
		t.Fatalf("status %v (%v), want %v", r.Status, r.Err, status)
	}
	if (r.Status == Good) != (r.Err == nil) {
		t.Fatalf("status %v with error %v", r.Status, r.Err)
	}
	if r.Err == nil {
		return
	}
	if !codes(r.Err)[code] {
		t.Fatalf("%v has %v, want %s", r.Err, codes(r.Err), code)
	}
	for _, c := range r.Err.Error() {
		if c < ' ' || c == 0x7f {
			t.Fatalf("%q is not safe to print", r.Err)
		}
	}
	var e *reason.Error
	if !errors.As(r.Err, &e) {
		t.Fatal("no reason")
	}
}
