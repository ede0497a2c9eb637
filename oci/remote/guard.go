package remote

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/notaryv2/notation/reason"
)

// guard stands between every request and the network, redirects and token
// requests included. It lets no credential pass to where it does not belong,
// counts the bytes that arrive, and logs.
type guard struct {
	next http.RoundTripper
	log  *slog.Logger
}

func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	ex := exchangeOf(req.Context())
	if ex.token {
		if err := checkRealm(req.URL, ex.origin); err != nil {
			return nil, err
		}
	} else if req.Header.Get("Authorization") != "" && !sameOrigin(req.URL, ex.origin) {
		// oras-go and net/http take it away on redirects; this is the last line.
		req = req.Clone(req.Context())
		req.Header.Del("Authorization")
	}
	if req.Body != nil && req.Body != http.NoBody {
		clone := *req
		clone.Body = &counted{req.Body, ex.progress}
		req = &clone
	}
	if !strings.EqualFold(req.URL.Hostname(), ex.origin.Hostname()) {
		if addr, err := netip.ParseAddr(req.URL.Hostname()); err == nil && isLinkLocal(addr) {
			return nil, linkLocalError(ex, hostPort(req.URL))
		}
		// A name is looked up when the connection is opened, if not by a proxy.
		if proxy, err := http.ProxyFromEnvironment(req); err == nil && proxy == nil {
			req = req.WithContext(context.WithValue(req.Context(), foreignKey{}, hostPort(req.URL)))
		}
	}
	start := time.Now()
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		g.log.Debug("request failed", "method", req.Method, "url", printable(req.URL), "error", err)
		return nil, err
	}
	g.log.Debug("request", "method", req.Method, "url", printable(req.URL), "status", resp.StatusCode,
		"time", time.Since(start).Round(time.Millisecond))
	resp.Body = &counted{resp.Body, ex.progress}
	if ex.token && resp.StatusCode != http.StatusOK && !isRedirect(resp.StatusCode) {
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // what there is of it
		return nil, &tokenRefusal{realm: printable(req.URL), status: resp.StatusCode, header: resp.Header, body: body}
	}
	if ex.token && ex.holds != nil && resp.StatusCode == http.StatusOK {
		readLifetime(resp, ex.holds)
	}
	if resp.StatusCode == http.StatusUnauthorized {
		selectChallenge(resp.Header)
		drain(resp)
	}
	return resp, nil
}

// readLifetime looks at the answer of a token service on its way to oras-go,
// which does not tell what it says about time.
func readLifetime(resp *http.Response, holds *atomic.Int64) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxTokenAnswer))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), resp.Body), resp.Body}
	if err == nil {
		holds.Store(int64(lifetime(body)))
	}
}

// drain reads the body of a refusal, if it is short. oras-go closes it unread,
// and the connection would be lost to the request that follows.
func drain(resp *http.Response) {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err != nil || len(b) == maxErrorBody {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{bytes.NewReader(b), resp.Body}
		return
	}
	_ = resp.Body.Close() // it has been read to its end
	resp.Body = io.NopCloser(bytes.NewReader(b))
}

// printable is a URL without what may be secret: user info, and the query,
// which holds tokens of uploads and of redirects to object stores.
func printable(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// counted adds the bytes read to a count that the watchdog watches.
type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// tokenRefusal is the answer of a token service that gives no token.
type tokenRefusal struct {
	realm  string
	status int
	header http.Header
	body   []byte
}

func (t *tokenRefusal) Error() string {
	return "token service " + quote(t.realm) + " answered " + statusText(t.status) + errorDetail(t.body)
}

// checkRealm allows a token request over HTTPS to any host, and over HTTP only
// if the registry itself is spoken to over HTTP and the realm is on the same
// host or on this machine. So no credential ever travels less protected than
// it would to the registry.
func checkRealm(realm, registry *url.URL) error {
	switch {
	case realm.Scheme == "https":
		return nil
	case realm.Scheme == "http" && registry.Scheme == "http" &&
		(strings.EqualFold(realm.Hostname(), registry.Hostname()) || isLoopback(realm.Host)):
		return nil
	}
	return reason.Errorf(reason.RegistryRealm, "registry %s names the token service %s, to which credentials must not be sent",
		registry.Host, quote(printable(realm))).
		WithHint("have the registry name a token service over HTTPS")
}

// foreignKey is the key, in a request's context, of a host and port that are
// not the registry's own and that this machine looks up.
type foreignKey struct{}

// isLinkLocal reports whether an address is link-local: RFC 3927 and RFC 4291,
// section 2.5.6. Clouds give machines their credentials there, and a registry
// must not aim requests at such a service.
func isLinkLocal(addr netip.Addr) bool { return addr.Unmap().IsLinkLocalUnicast() }

func linkLocalError(ex *exchange, target string) error {
	if ex.token {
		return reason.Errorf(reason.RegistryRealm, "registry %s names a token service at the link-local address %s, to which no request is sent",
			ex.origin.Host, quote(target)).WithHint("have the registry name a token service that everybody can reach")
	}
	return reason.Errorf(reason.RegistryRedirect, "registry %s leads to the link-local address %s, to which no request is sent",
		ex.origin.Host, quote(target)).WithHint("distrust this registry, or name it by its own address")
}

// dialer opens connections. One to a host that the registry leads to must not
// end at a link-local address, whatever its name.
func dialer(t timing) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		d := net.Dialer{Timeout: t.connect, KeepAlive: 30 * time.Second}
		if foreign, ok := ctx.Value(foreignKey{}).(string); ok {
			d.ControlContext = func(ctx context.Context, _, resolved string, _ syscall.RawConn) error {
				if ap, err := netip.ParseAddrPort(resolved); err == nil && isLinkLocal(ap.Addr()) {
					return linkLocalError(exchangeOf(ctx), foreign+" ("+resolved+")")
				}
				return nil
			}
		}
		return d.DialContext(ctx, network, address)
	}
}

// selectChallenge leaves the one challenge of a response that is to be
// answered: oras-go reads only the first. Bearer is preferred to Basic,
// because then the password goes to the token service alone.
func selectChallenge(h http.Header) {
	fields := h.Values("WWW-Authenticate")
	if len(fields) < 2 {
		return
	}
	fields = fields[:min(len(fields), maxChallenges)]
	for _, scheme := range []string{"bearer", "basic"} {
		for _, field := range fields {
			if name, _, _ := strings.Cut(strings.TrimSpace(field), " "); strings.EqualFold(name, scheme) {
				h.Set("WWW-Authenticate", field)
				return
			}
		}
	}
}

func isRedirect(status int) bool { return status >= 300 && status < 400 }

// checkRedirect is the policy for redirects: only reading follows them, a few
// times, and never from HTTPS to HTTP. They may lead to another origin, as
// registries keep blobs in object stores; credentials stay behind.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first, last := via[0], via[len(via)-1]
	if first.Method != http.MethodGet && first.Method != http.MethodHead {
		return http.ErrUseLastResponse
	}
	refuse := func(why string) error {
		return reason.Errorf(reason.RegistryRedirect, "redirect from %s to %s refused: %s",
			last.URL.Host, quote(printable(req.URL)), why)
	}
	switch {
	case len(via) > maxRedirects:
		return refuse("too many redirects")
	case req.URL.Scheme != "https" && req.URL.Scheme != "http":
		return refuse("not a web address")
	case req.URL.Scheme == "http" && last.URL.Scheme == "https":
		return refuse("it leads from HTTPS to plain HTTP")
	case req.URL.User != nil:
		return refuse("it holds a user name")
	}
	return nil
}
