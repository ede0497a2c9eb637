// Package registries starts real registries for tests and for the demo, each on
// a free port of the loopback interface.
//
// There are five kinds. Two run in this process: go-containerregistry's, with
// and without the referrers API, and olareg. Two are child processes with
// storage in a temporary directory: distribution v3, and docker-registry 2.8
// as Debian packages it. Between them they speak the referrers API, the
// referrers tag schema, and disagree about most small things that the
// distribution specification leaves open. A sixth kind, [ORAS], speaks the
// predecessor of the referrers API.
package registries

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/notaryv2/notation/internal/testoras"
	"github.com/notaryv2/notation/test/toolbox"
	"github.com/olareg/olareg"
	"github.com/olareg/olareg/config"
)

// Kind is a registry implementation.
type Kind uint8

// The kinds of registry. The zero value is none.
const (
	// GGCR is go-containerregistry's registry with the referrers API.
	GGCR Kind = iota + 1
	// GGCRTagSchema is the same without the referrers API.
	GGCRTagSchema
	// Olareg is olareg with the referrers API.
	Olareg
	// Distribution is distribution v3, which has no referrers API.
	Distribution
	// DockerRegistry is docker-registry 2.8, which knows nothing of OCI 1.1.
	DockerRegistry
	// ORAS is a registry of the ORAS artifacts-spec, the predecessor of the
	// referrers API. It is not among those that every test runs against.
	ORAS
)

// All returns the kinds that are in use. Not among them is [ORAS].
func All() []Kind {
	return []Kind{GGCR, GGCRTagSchema, Olareg, Distribution, DockerRegistry}
}

// String returns a name that is fit for a test's name.
func (k Kind) String() string {
	names := [...]string{"none", "ggcr", "ggcr-tag-schema", "olareg", "distribution-v3", "docker-registry-2.8", "oras"}
	if int(k) >= len(names) {
		return fmt.Sprintf("kind-%d", uint8(k))
	}
	return names[k]
}

// ReferrersAPI reports whether the registry has the referrers API of OCI 1.1.
func (k Kind) ReferrersAPI() bool { return k == GGCR || k == Olareg }

// ListsArtifactTypes reports whether a listing of referrers tells their types
// truly. go-containerregistry's gives the media type of the config instead,
// which for artifacts of OCI 1.1 is that of the empty object.
func (k Kind) ListsArtifactTypes() bool { return k != GGCR }

// Catalog reports whether the registry lists its repositories.
func (k Kind) Catalog() bool { return k != Olareg }

// program returns the name of the program of a child process, or "".
func (k Kind) program() string {
	switch k {
	case Distribution:
		return "registry"
	case DockerRegistry:
		return "docker-registry"
	default:
		return ""
	}
}

// maxComplaints is how many lines of a registry's log a failing test prints.
const maxComplaints = 12

// Options says how a registry is to be reached. The zero value asks for no
// credentials and speaks plain HTTP.
type Options struct {
	Auth Auth
	// TLS serves with a certificate of a certification authority that is made
	// for this registry; see [Registry.CA].
	TLS bool
	// Addr is the address to listen on, which must be of the loopback
	// interface; "" is a free port of 127.0.0.1. Only for kinds that run in
	// this process.
	Addr string
	// NoDelete has the registry refuse to delete anything, as many do unless
	// they are told otherwise.
	NoDelete bool
	// Wrap, if set, stands in front of everything, authentication included.
	Wrap func(http.Handler) http.Handler
}

// Registry is a registry that runs.
type Registry struct {
	Kind Kind
	// Addr is the IP address and port.
	Addr string

	scheme string
	ca     []byte
	log    *logBuffer
	close  []func() error
}

// New starts a registry that lives as long as the test. The test is skipped,
// or in CI fails, if the program of the registry is missing.
func New(t testing.TB, kind Kind, o Options) *Registry {
	t.Helper()
	if p := kind.program(); p != "" {
		toolbox.Need(t, p)
	}
	r, err := Start(kind, o)
	if err != nil {
		t.Fatalf("start registry %v: %v", kind, err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("stop registry %v: %v", kind, err)
		}
		if t.Failed() {
			t.Logf("what registry %v complained of last:\n%s", kind, r.complaints())
		}
	})
	return r
}

// Start starts a registry. The caller closes it.
func Start(kind Kind, o Options) (_ *Registry, err error) {
	r := &Registry{Kind: kind, scheme: "http", log: newLogBuffer()}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	handler, err := r.backend(kind, o)
	if err != nil {
		return nil, err
	}
	if r.Addr != "" && !o.TLS && o.Auth != Bearer && o.Wrap == nil {
		return r, nil // the child process itself is reached
	}
	if o.Auth != Anonymous && !(o.Auth == Basic && r.Addr != "") {
		handler = authenticate(o.Auth, handler)
	}
	if o.Wrap != nil {
		handler = o.Wrap(handler)
	}
	return r, r.serve(o, handler)
}

// backend returns the registry's handler. For a child process it is a proxy in
// front of it, r.Addr is set, and Basic authentication is the child's own.
func (r *Registry) backend(kind Kind, o Options) (http.Handler, error) {
	switch kind {
	case GGCR, GGCRTagSchema, ORAS:
		var handler http.Handler = ggcr.New(ggcr.Logger(log.New(r.log, "", 0)), ggcr.WithReferrersSupport(kind == GGCR))
		if o.NoDelete {
			handler = refuseDeletion(handler)
		}
		if kind == ORAS {
			handler = &testoras.Handler{Next: handler, Current: true, Filters: true}
		}
		return handler, nil
	case Olareg:
		deletes := !o.NoDelete
		s := olareg.New(config.Config{
			API:     config.ConfigAPI{DeleteEnabled: &deletes},
			Storage: config.ConfigStorage{StoreType: config.StoreMem},
			Log:     slog.New(slog.NewTextHandler(r.log, nil)),
		})
		r.onClose(s.Close)
		return s, nil
	case Distribution, DockerRegistry:
		addr, err := r.startChild(kind.program(), o.Auth == Basic, !o.NoDelete)
		if err != nil {
			return nil, err
		}
		r.Addr = addr
		return forward(addr, r.log), nil
	default:
		return nil, fmt.Errorf("registry kind %v is not known", kind)
	}
}

// refuseDeletion answers as the distribution specification has it where deletion
// is switched off ("Deleting Manifests"): go-containerregistry's registry cannot
// be told to.
func refuseDeletion(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/manifests/") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusMethodNotAllowed)
			// An error means that the client has gone.
			_, _ = io.WriteString(w, `{"errors":[{"code":"UNSUPPORTED","message":"the operation is unsupported"}]}`)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// forward returns a proxy that leaves the Host header as it is, so that the
// registry behind it names the proxy in its Location headers.
func forward(addr string, errorLog io.Writer) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "http", addr, p.In.Host
			p.SetXForwarded()
		},
		ErrorLog: log.New(errorLog, "", 0),
	}
}

// serve listens and serves handler until the registry is closed.
func (r *Registry) serve(o Options, handler http.Handler) error {
	addr := o.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	if err := loopback(addr); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	r.Addr = listener.Addr().String()
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: startTimeout,
		ErrorLog:          log.New(r.log, "", 0),
	}
	if o.TLS {
		ca, config, err := NewTLS()
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		r.scheme, r.ca = "https", ca
		listener = tls.NewListener(listener, config)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	r.onClose(func() error {
		err := server.Close()
		if served := <-done; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	})
	return nil
}

// loopback refuses to listen on an address that other machines could reach.
func loopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("address %s is not of the loopback interface", addr)
	}
	return nil
}

// Host returns "localhost:port", by which clients speak plain HTTP.
func (r *Registry) Host() string {
	_, port, _ := net.SplitHostPort(r.Addr)
	return net.JoinHostPort("localhost", port)
}

// URL returns the registry's URL by IP address.
func (r *Registry) URL() string { return r.scheme + "://" + r.Addr }

// CA returns the certificate to trust, in PEM; nil without TLS.
func (r *Registry) CA() []byte { return r.ca }

// Client returns a client that trusts the registry's certificate and no other.
func (r *Registry) Client() (*http.Client, error) {
	pool := x509.NewCertPool()
	if len(r.ca) > 0 && !pool.AppendCertsFromPEM(r.ca) {
		return nil, errors.New("the certificate to trust cannot be read")
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}, nil
}

// Log returns what the registry has logged.
func (r *Registry) Log() string { return r.log.String() }

// complaints returns the last lines of the log that are no mere information.
func (r *Registry) complaints() string {
	lines := slices.DeleteFunc(strings.Split(r.Log(), "\n"), func(line string) bool {
		return line == "" || strings.Contains(line, "level=info")
	})
	return strings.Join(lines[max(0, len(lines)-maxComplaints):], "\n")
}

// Close stops the registry and removes its storage.
func (r *Registry) Close() error {
	var all error
	for i := len(r.close) - 1; i >= 0; i-- {
		all = errors.Join(all, r.close[i]())
	}
	r.close = nil
	return all
}

// onClose adds a step to Close. The last added runs first.
func (r *Registry) onClose(f func() error) { r.close = append(r.close, f) }
