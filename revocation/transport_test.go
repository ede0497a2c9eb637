package revocation

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation/internal/cachemodes"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// attack: REV-05
func TestAddressesRefused(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{
		"file": "file:///etc/passwd", "ldap": "ldap://crl.test/cn=x", "ftp": "ftp://crl.test/x", "https": "https://crl.test/x",
		"userinfo": "http://user:secret@crl.test/x", "bad escape in the host": "http://%zz/x", "bad escape in the path": "http://crl.test/%zz",
		"no host": "http:///x", "opaque": "http:crl.test", "only a port": "http://:80/", "no scheme": "crl.test/x", "too long": "http://crl.test/" + strings.Repeat("x", maxURLBytes),
		"empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, o := range []leafOption{withOCSP(address), withCRL(address)} {
				w := newWorld(t, o)
				want(t, w.check(), Unavailable, reason.RevocationAddress)
				if len(w.net.asked) > 0 {
					t.Error("something was asked")
				}
			}
			_, err := (&fetcher{}).do(context.Background(), request{url: address})
			if err == nil || err.Code != reason.RevocationAddress {
				t.Error(err)
			}
		})
	}
}

// attack: REV-05
func TestRedirectsRefused(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]string{
		"loopback": "http://127.0.0.1/x", "loopback 6": "http://[::1]/x", "private 10": "http://10.0.0.1/x", "private 172": "http://172.16.0.1/",
		"private 192": "http://192.168.1.1/", "link-local": "http://169.254.169.254/latest/meta-data", "link-local 6": "http://[fe80::1]/",
		"unique local": "http://[fd00::1]/", "mapped": "http://[::ffff:10.0.0.1]/", "compatible": "http://[::10.0.0.1]/",
		"NAT64": "http://[64:ff9b::a00:1]/", "6to4": "http://[2002:a00:1::]/", "Teredo": "http://[2001::1]/", "shared": "http://100.64.0.1/",
		"unspecified": "http://0.0.0.0/", "multicast": "http://224.0.0.1/", "broadcast": "http://255.255.255.255/",
		"a name that leads to loopback": "http://evil.test/x", "file": "file:///etc/passwd", "https": "https://crl.test/",
		"userinfo": "http://a:b@crl.test/", "bad": "http://%zz/", "none": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withCRL(crlURL))
			w.net.at(crlURL, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Location", target)
				rw.WriteHeader(http.StatusFound)
			}))
			w.net.bytes("http://evil.test/", w.crl(1).Sign(t, w.caKey()))
			want(t, w.check(), Unavailable, reason.RevocationRedirect)
			if w.net.count("http://evil.test/") > 0 {
				t.Error("the redirect was followed")
			}
		})
	}
}

// The address that is connected to counts, not the one that a name had when it
// was looked at: with a dialer of ours before connecting, with another's before
// anything is sent.
//
// attack: REV-05
func TestConnectionsAreWatched(t *testing.T) {
	t.Parallel()
	n := newInternet(t)
	address := n.server.Listener.Addr().String()
	given := &net.Dialer{}
	for name, inner := range map[string]dial{"ours": nil, "given": given.DialContext} {
		conn, err := guardedDial(inner)(context.Background(), "tcp", address)
		if _, ok := errors.AsType[*privateError](err); !ok || conn != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	failing := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("down") }
	if _, err := guardedDial(failing)(context.Background(), "tcp", address); err == nil {
		t.Error("no error")
	}
	if len(n.asked) > 0 {
		t.Error("something was sent")
	}
}

func TestPublic(t *testing.T) {
	t.Parallel()
	for _, a := range []string{"1.1.1.1", "8.8.8.8", "::ffff:8.8.8.8", "2606:4700::1111"} {
		if !public(netip.MustParseAddr(a)) {
			t.Errorf("%s is public", a)
		}
	}
	for _, a := range []string{"fe80::1%eth0", "198.18.0.1", "192.0.2.1", "203.0.113.9", "2001:db8::1", "240.0.0.1", "0.1.2.3", "100::1", "fec0::1", "ff02::1"} {
		if public(netip.MustParseAddr(a)) {
			t.Errorf("%s is not public", a)
		}
	}
	for host, want := range map[string]bool{"8.8.8.8": true, "10.0.0.1": false, "::1": false, "a.name": true, "": true} {
		if publicLiteral(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address is public")
	}
}

func redirectTo(target string) http.Handler {
	return http.RedirectHandler(target, http.StatusMovedPermanently)
}

// attack: REV-05
func TestRedirectsAllowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withCRL(crlURL))
	w.o.PrivateRedirects = true
	w.net.at(crlURL, redirectTo("http://mirror.test/1"))
	w.net.at("http://mirror.test/1", redirectTo("/2"))
	w.net.at("http://mirror.test/2", redirectTo("/3"))
	w.net.bytes("http://mirror.test/3", w.crl(1).Sign(t, w.caKey()))
	want(t, w.check(), Good, "")

	w.net.at("http://mirror.test/3", redirectTo("/4"))
	w.net.bytes("http://mirror.test/4", w.crl(1).Sign(t, w.caKey()))
	want(t, w.check(), Unavailable, reason.RevocationRedirect)
	w.net.at("http://mirror.test/2", redirectTo("http://mirror.test/2"))
	want(t, w.check(), Unavailable, reason.RevocationRedirect)
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A transport whose connections cannot be watched follows no redirects; a
// proxy is connected to wherever it is.
func TestOtherTransports(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withCRL(crlURL))
	inner := w.net.client().Transport
	w.o.HTTP = &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) { return inner.RoundTrip(r) })}
	w.publish(w.crl(1))
	want(t, w.check(), Good, "")
	w.net.at(crlURL, redirectTo("http://mirror.test/1"))
	want(t, w.check(), Unavailable, reason.RevocationRedirect)

	w.net.bytes("http://mirror.test/1", w.crl(1).Sign(t, w.caKey()))
	proxy, err := url.Parse("http://proxy.test:3128")
	if err != nil {
		t.Fatal(err)
	}
	transport := w.net.client().Transport.(*http.Transport)
	transport.Proxy = http.ProxyURL(proxy)
	w.o.HTTP = &http.Client{Transport: transport}
	want(t, w.check(), Good, "")

	// The zero Options have a transport of their own, and a dialer for it.
	if f := New(Options{HTTP: &http.Client{}}).fetch; f.guarded == nil || f.direct.(*http.Transport).DialContext == nil {
		t.Error("no transport")
	}
}

// attack: REV-05
func TestBodies(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		serve func(*world) http.HandlerFunc
		code  reason.Code
	}{
		"compressed": {func(w *world) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Accept-Encoding"); got != "identity" {
					w.t.Errorf("Accept-Encoding %q", got)
				}
				rw.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(rw)
				_, _ = z.Write(w.crl(1).Sign(w.t, w.caKey()))
				_ = z.Close()
			}
		}, reason.RevocationContentType},
		"slow": {func(*world) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) {
				_, _ = rw.Write([]byte{0x30})
				_ = http.NewResponseController(rw).Flush()
				<-r.Context().Done()
			}
		}, reason.RevocationFetch},
		"endless": {func(*world) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) {
				for block := make([]byte, 1<<20); r.Context().Err() == nil; {
					if _, err := rw.Write(block); err != nil {
						return
					}
				}
			}
		}, reason.RevocationTooLarge},
		"too long": {func(*world) http.HandlerFunc {
			return func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Length", fmt.Sprint(int64(1)<<62))
			}
		}, reason.RevocationTooLarge},
		"cut off": {func(*world) http.HandlerFunc {
			return func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Length", "100")
				_, _ = rw.Write([]byte{0x30})
			}
		}, reason.RevocationFetch},
		"error page": {func(*world) http.HandlerFunc {
			return func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusInternalServerError) }
		}, reason.RevocationFetch},
		"headers without end": {func(*world) http.HandlerFunc {
			return func(rw http.ResponseWriter, _ *http.Request) {
				for i := range 200 {
					rw.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1000))
				}
			}
		}, reason.RevocationFetch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withCRL(crlURL))
			if name == "slow" {
				w.o.Timeout = 100 * time.Millisecond
			}
			w.net.at(crlURL, tc.serve(w))
			want(t, w.check(), Unavailable, tc.code)
		})
	}
}

// attack: REV-05
func TestOCSPContentType(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withOCSP(ocspURL))
	w.net.bytes(ocspURL, w.good().Sign(t, w.caKey()))
	want(t, w.check(), Unavailable, reason.RevocationContentType)
}

// attack: REV-05
func TestManyPoints(t *testing.T) {
	t.Parallel()
	var lists, responders []string
	for i := range 100 {
		lists = append(lists, fmt.Sprintf("http://crl.test/%d", i))
		responders = append(responders, fmt.Sprintf("http://ocsp.test/%d", i))
	}
	w := newWorld(t, withCRL(lists...), withOCSP(responders...))
	checks := 1
	if cachemodes.Current() == cachemodes.Warm {
		checks = 2 // and nothing is kept
	}
	want(t, w.check(), Unavailable, reason.RevocationFetch)
	// Each responder is asked by GET and, as it knows nothing, by POST.
	if n := w.net.count(""); n != checks*(2*maxResponders+maxPoints) {
		t.Errorf("%d requests", n)
	}
	// A hundred addresses in one point.
	w = newWorld(t, withExtension(testpki.DistributionPoints(false, testpki.PointName(lists...))))
	want(t, w.check(), Unavailable, reason.RevocationFetch)
	if n := w.net.count(""); n != checks*maxPointURLs {
		t.Errorf("%d requests", n)
	}
	w = newWorld(t, withExtension(testpki.DistributionPoints(false, testpki.PointName(append(lists, "x")...))))
	if r := w.check(); r.Status != Unavailable {
		t.Error(r.Status)
	}
}

// The address that hangs has half of the time, which is simulated; the one that
// answers needs none.
//
// attack: REV-05
func TestFirstOfTwoDown(t *testing.T) {
	t.Parallel()
	const timeout = 2 * time.Second
	hang := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	point := testpki.PointName("http://down.test/", crlURL)
	for name, tc := range map[string]struct {
		first http.Handler
		takes time.Duration
	}{"refusing": {http.NotFoundHandler(), 0}, "hanging": {hang, timeout / 2}} {
		for sources, leaf := range map[string][]leafOption{
			"two points":                  {withCRL("http://down.test/", crlURL)},
			"two addresses of a point":    {withExtension(testpki.DistributionPoints(false, point))},
			"two responders":              {withOCSP("http://down.test/", ocspURL)},
			"a responder, and then lists": {withOCSP("http://down.test/"), withCRL(crlURL)},
		} {
			t.Run(name+", "+sources, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, leaf...)
				w.net.at("http://down.test/", tc.first)
				w.publish(w.crl(1))
				w.respond(w.good())
				method := CRL
				if sources == "two responders" {
					method = OCSP
				}
				check := func(t *testing.T) {
					begin := time.Now()
					r := w.check()
					want(t, r, Good, "")
					if r.Method != method {
						t.Errorf("%+v", r)
					}
					// With a cache that an earlier check has filled, nobody is asked twice.
					if took := time.Since(begin); w.o.Timeout == timeout && cachemodes.Current() != cachemodes.Warm && took != tc.takes {
						t.Errorf("took %v, want %v", took, tc.takes)
					}
				}
				if tc.takes == 0 {
					check(t) // over connections, too
				}
				w.o.HTTP, w.o.Timeout = w.net.direct(), timeout
				synctest.Test(t, check)
			})
		}
	}
}
