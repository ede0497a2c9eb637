package remote

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// defaultUserAgent is sent where Options name none.
const defaultUserAgent = "notation"

// Options shape a [Client]. The zero value is anonymous, trusts the system's
// roots, and uses plain HTTP for loopback hosts only.
type Options struct {
	// Credentials is asked when a registry challenges; nil: anonymous.
	Credentials CredentialFunc

	// PlainHTTP says for which registries, host[:port], plain HTTP is to be
	// used; nil: for none. A host that is localhost, ends in .localhost or is
	// a loopback address needs no leave: plain HTTP is used for it unless TLS
	// is set. No registry is tried with both, because a fall-back from HTTPS
	// could be forced by whoever sits between.
	PlainHTTP func(registry string) bool

	// TLS is cloned and used for HTTPS: roots, client certificates and, for
	// tests, InsecureSkipVerify. nil: the system's roots.
	TLS *tls.Config

	// UserAgent is sent with every request; "": "notation".
	UserAgent string

	// Transport replaces the network, proxies and TLS; nil: a transport of
	// the client's own, with the proxies that the environment names.
	Transport http.RoundTripper

	// ForceReferrersTag makes Attach write the referrers tag also where the
	// registry has the referrers API.
	ForceReferrersTag bool

	// TokenDir is a directory of the user's own in which tokens are kept for the
	// next run, if their service says for how long they hold; it is made when
	// needed. "": tokens live as long as the Client.
	TokenDir string

	// Busy, if not nil, is told of each answer by which a registry, host[:port],
	// or its token service says that it has too many requests or cannot serve
	// any now (429 and 503), and for how long it asks to be left alone; 0: it
	// does not say. Requests are tried again all the same, so this is for whoever
	// decides how many there are at a time. It is called by many goroutines.
	Busy func(registry string, wait time.Duration)

	// Logger gets one debug line per round trip, retry and credential, without
	// secrets; nil: none.
	Logger *slog.Logger
}

// Client is what repositories share. It is safe for concurrent use.
type Client struct {
	options Options
	log     *slog.Logger
	http    *http.Client // with the guard around the network
	tokens  *tokenCache
	logins  *loginMemo
	tags    *tagLocks
	configs *sharedConfigs
	lists   knownLists
	timing  timing
	// sleep waits for d or the context's end. Tests replace it.
	sleep func(ctx context.Context, d time.Duration) error
}

// NewClient returns a client with these options.
func NewClient(o Options) *Client {
	c := &Client{
		options: o,
		log:     o.Logger,
		tokens:  newTokenCache(),
		tags:    newTagLocks(),
		configs: newSharedConfigs(),
		timing:  defaultTiming(),
		sleep:   sleep,
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.logins = newLoginMemo(o.Credentials, c.log)
	if o.TokenDir != "" {
		c.tokens.files, c.tokens.credential = &tokenFiles{o.TokenDir, time.Now}, c.logins.credential
	}
	network := o.Transport
	if network == nil {
		network = newTransport(o.TLS, c.timing)
	}
	c.http = &http.Client{Transport: &guard{next: network, log: c.log}, CheckRedirect: checkRedirect}
	return c
}

// CloseIdleConnections closes connections that no request uses.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

func newTransport(config *tls.Config, t timing) *http.Transport {
	if config != nil {
		config = config.Clone()
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer(t),
		TLSHandshakeTimeout:    t.connect,
		TLSClientConfig:        config,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           maxIdleConns,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxResponseHead,
		// Sizes are compared with descriptors, so they must be those sent.
		DisableCompression: true,
	}
}

// Repository is one repository of a registry. It implements [oci.Repository].
type Repository struct {
	client *Client
	name   oci.Reference // registry and repository only
	host   string        // where requests go
	scheme string
	auth   *auth.Client

	// losesReferrers is set once the registry has not listed some of several
	// referrers that it was sent at the same time.
	losesReferrers atomic.Bool
}

var _ oci.Repository = (*Repository)(nil)

// New is [NewClient] followed by [Client.Repository].
func New(name oci.Reference, o Options) (*Repository, error) {
	return NewClient(o).Repository(name)
}

// Repository opens the repository of name, whose tag and digest play no part.
// Nothing is sent. A name without registry has the error oci.reference.
func (c *Client) Repository(name oci.Reference) (*Repository, error) {
	if name.Registry() == "" || name.Repository() == "" {
		return nil, reason.Errorf(reason.OCIReference, "%s names no repository of a registry", quote(name.String())).
			WithHint("write HOST/REPOSITORY")
	}
	return c.open(name), nil
}

func (c *Client) open(name oci.Reference) *Repository {
	r := &Repository{client: c, name: name.WithDigest(""), host: apiHost(name.Registry()), scheme: c.scheme(name.Registry())}
	userAgent := c.options.UserAgent
	if userAgent == "" {
		userAgent = defaultUserAgent
	}
	r.auth = &auth.Client{
		Client:     c.http,
		Header:     http.Header{"User-Agent": {userAgent}},
		Cache:      c.tokens,
		ClientID:   defaultUserAgent,
		Credential: c.logins.credential,
	}
	if isLoopback(r.host) {
		// By default oras-go refuses realms on loopback addresses, so that a
		// registry elsewhere cannot aim requests at this machine. For a
		// registry on this machine they are the rule.
		r.auth.BlockedRealmPrefixes = []netip.Prefix{}
	}
	return r
}

// Name returns registry/repository.
func (r *Repository) Name() string { return r.name.Name() }

// dockerHub is the registry whose API lives under another host than its name.
const (
	dockerHub     = "docker.io"
	dockerHubHost = "registry-1.docker.io"
)

// apiHost returns the host that speaks for a registry.
func apiHost(registry string) string {
	if registry == dockerHub {
		return dockerHubHost
	}
	return registry
}

// registryOf is the inverse of apiHost.
func registryOf(host string) string {
	if host == dockerHubHost {
		return dockerHub
	}
	return host
}

func (c *Client) scheme(registry string) string {
	if c.options.PlainHTTP != nil && c.options.PlainHTTP(registry) {
		return "http"
	}
	if isLoopback(registry) && c.options.TLS == nil {
		return "http"
	}
	return "https"
}

// isLoopback reports whether host[:port] is this machine by its name: RFC 6761,
// section 6.3 for localhost, RFC 1122 and RFC 4291 for the addresses. No name
// is resolved.
func isLoopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// sleep waits for d or until ctx ends, and then returns its cause.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// loginMemo asks the credentials' source once per registry and remembers what
// to tell a user whose login was refused.
type loginMemo struct {
	source CredentialFunc
	log    *slog.Logger
	mu     sync.Mutex
	found  map[string]Credential
	faults map[string]error
}

func newLoginMemo(source CredentialFunc, log *slog.Logger) *loginMemo {
	return &loginMemo{source: source, log: log, found: map[string]Credential{}, faults: map[string]error{}}
}

// credential is the auth.CredentialFunc of every repository.
func (m *loginMemo) credential(ctx context.Context, host string) (auth.Credential, error) {
	if m.source == nil {
		return auth.EmptyCredential, nil
	}
	registry := registryOf(host)
	m.mu.Lock()
	cred, ok := m.found[registry]
	m.mu.Unlock()
	if ok {
		return cred.forAuth(), nil
	}
	cred, err := m.source(ctx, registry)
	if err != nil && ctx.Err() != nil {
		return auth.EmptyCredential, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		// Whether a credential is needed at all is the registry's to say: go on
		// without, and name the fault if the answer is no.
		m.log.Debug("credential source failed", "registry", registry, "error", err)
		m.faults[registry] = err
		return auth.EmptyCredential, nil
	}
	m.found[registry] = cred
	m.log.Debug("credential", "registry", registry, "source", cred.sourceName())
	return cred.forAuth(), nil
}

// used returns the credential in use for a host and the fault of its source.
func (m *loginMemo) used(host string) (Credential, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	registry := registryOf(host)
	return m.found[registry], m.faults[registry]
}
