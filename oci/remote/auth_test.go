package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"oras.land/oras-go/v2/registry/remote/auth"
)

func credential(user, pass string) CredentialFunc {
	return func(context.Context, string) (Credential, error) {
		return Credential{Username: user, Password: pass, Source: "the test"}, nil
	}
}

// attack: REG-06
func TestAuth(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		auth  string
		creds CredentialFunc
		code  reason.Code
		hint  string
		calls int
	}{
		{"none needed", "", nil, "", "", 1},
		{"none needed, none sent", "", alice(), "", "", 1},
		{"Basic", "basic", alice(), "", "", 2},
		{"Basic, no login", "basic", nil, reason.RegistryUnauthorized, "notation login 127.0.0.1", 1},
		{"Basic, wrong password", "basic", credential("alice", "wrong"), reason.RegistryUnauthorized, "from the test", 2},
		{"Basic, token only", "basic", func(context.Context, string) (Credential, error) {
			return Credential{IdentityToken: "secret-word"}, nil
		}, reason.RegistryUnauthorized, "notation login", 1},
		{"Basic, source fails", "basic", func(context.Context, string) (Credential, error) {
			return Credential{}, errors.New("keychain is locked")
		}, reason.RegistryUnauthorized, "keychain is locked", 1},
		{"Bearer", "bearer", alice(), "", "", 3},
		{"Bearer, anonymous", "bearer", nil, "", "", 3},
		{"Bearer, wrong password", "bearer", credential("alice", "wrong"), reason.RegistryUnauthorized, "from the test", 2},
		{"Bearer, registry token", "bearer", func(context.Context, string) (Credential, error) {
			return Credential{RegistryToken: "token-1"}, nil
		}, "", "", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.auth = tt.auth
			image := f.putImage("v1", "1")
			r := open(t, f, Options{Credentials: tt.creds})
			d, err := r.Resolve(t.Context(), refOf(t, r, ":v1"))
			wantCode(t, err, tt.code)
			if err == nil && d.Digest != image.Digest {
				t.Errorf("got %v", d)
			}
			if !strings.Contains(reason.Hint(err), tt.hint) {
				t.Errorf("hint %q", reason.Hint(err))
			}
			if n := len(f.log()); n != tt.calls {
				t.Errorf("%d requests: %v", n, f.log())
			}
		})
	}
}

// attack: REG-06
func TestAuthLoopEnds(t *testing.T) {
	t.Parallel()
	for name, challenge := range map[string]func(n int64, r *http.Request) string{
		"Basic":  func(int64, *http.Request) string { return `Basic realm="x"` },
		"Bearer": func(_ int64, r *http.Request) string { return `Bearer realm="` + baseURL(r) + `/token"` },
		"Bearer, ever other scope": func(n int64, r *http.Request) string {
			return fmt.Sprintf(`Bearer realm="%s/token",scope="s:%d:pull"`, baseURL(r), n)
		},
		"Bearer without realm": func(int64, *http.Request) string { return `Bearer` },
		"both in turn": func(n int64, r *http.Request) string {
			if n%2 == 0 {
				return `Basic realm="x"`
			}
			return `Bearer realm="` + baseURL(r) + `/token"`
		},
		"unknown": func(int64, *http.Request) string { return `Negotiate` },
		"none":    func(int64, *http.Request) string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			r := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n := calls.Add(1)
				if r.URL.Path == "/token" {
					fmt.Fprintf(w, `{"token":"t%d"}`, n)
					return
				}
				w.Header().Set("WWW-Authenticate", challenge(n, r))
				w.WriteHeader(401)
			}), Options{Credentials: alice()})
			_, err := r.Fetch(t.Context(), blobOf(content), 100)
			want := reason.RegistryUnauthorized
			if name == "Bearer without realm" {
				want = reason.RegistryRealm
			}
			wantCode(t, err, want)
			if n := calls.Load(); n > 5 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// attack: REG-06
func TestRealms(t *testing.T) {
	t.Parallel()
	parse := func(s string) *url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for _, tt := range []struct {
		realm, registry string
		ok              bool
	}{
		{"https://auth.example/token", "https://reg.example", true},
		{"https://reg.example/token", "https://reg.example", true},
		{"https://auth.example/token", "http://localhost:5000", true},
		{"http://reg.example/token", "https://reg.example", false},
		{"http://127.0.0.1:5001/token", "https://reg.example", false},
		{"http://auth.example/token", "http://reg.example", false},
		{"http://reg.example:5001/token", "http://reg.example:5000", true},
		{"http://localhost:5001/token", "http://127.0.0.1:5000", true},
		{"ftp://reg.example/token", "https://reg.example", false},
		{"ftp://reg.example/token", "http://reg.example", false},
		{"file://localhost/token", "http://localhost:5000", false},
		{"/token", "https://reg.example", false},
	} {
		err := checkRealm(parse(tt.realm), parse(tt.registry))
		if (err == nil) != tt.ok {
			t.Errorf("%s named by %s: %v", tt.realm, tt.registry, err)
		}
		if err != nil {
			wantCode(t, err, reason.RegistryRealm)
		}
	}
}

// TestRealmElsewhere checks realms through real requests: a service on another
// port of this machine gets the credentials, one in plain HTTP on another host
// gets nothing.
func TestRealmElsewhere(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.auth = "bearer"
	service := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, pass, _ := r.BasicAuth(); user != "alice" || pass != "secret-word" {
			w.WriteHeader(401)
			return
		}
		fmt.Fprint(w, `{"access_token":"token-1"}`)
	}))
	f.putImage("v1", "1")
	for realm, code := range map[string]reason.Code{
		"http://" + service + "/": "",
		"http://evil.example/":    reason.RegistryRealm,
	} {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "" {
				w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm+`",service="s"`)
				w.WriteHeader(401)
				return
			}
			f.ServeHTTP(w, r)
		})
		r := open(t, h, Options{Credentials: alice()})
		_, err := r.Resolve(t.Context(), refOf(t, r, ":v1"))
		wantCode(t, err, code)
	}
}

// TestTokenService checks what the answers of a token service lead to.
func TestTokenService(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		code   reason.Code
		calls  int
	}{
		"denied":      {fails(403), reason.RegistryDenied, 2},
		"bad request": {func(w http.ResponseWriter, _ *http.Request) { refuse(w, 400, "\u202eEVIL") }, reason.RegistryResponse, 2},
		"down":        {fails(503), reason.RegistryUnavailable, 2 * maxTries},
		"limited": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "99999999")
			w.WriteHeader(429)
		}, reason.RegistryUnavailable, 2},
		"no JSON":       {says("text/html", "<html>"), reason.RegistryResponse, 2},
		"no token":      {says("application/json", "{}"), reason.RegistryResponse, 2},
		"redirect loop": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) }, reason.RegistryRedirect, maxRedirects + 2},
		// An end too early looks like a broken connection and is tried again.
		"endless answer": {says("application/json", `{"token":"`+strings.Repeat("x", 1<<20)), reason.RegistryUnreachable, 2 * maxTries},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.auth = "bearer"
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/token" {
					tt.answer(w, r)
				}
				return r.URL.Path == "/token"
			}
			s := httptest.NewServer(f)
			defer s.Close()
			r := openAt(t, strings.TrimPrefix(s.URL, "http://"), Options{Credentials: alice()})
			_, err := r.Resolve(t.Context(), refOf(t, r, ":v1"))
			wantCode(t, err, tt.code)
			// The fake notes a request when it has answered, which may be after
			// the client has given up on it. Close waits for that.
			s.Close()
			if n := len(f.log()); n != tt.calls {
				t.Errorf("%d requests, want %d", n, tt.calls)
			}
		})
	}
}

// TestOneTokenForAll checks that requests which start together fetch one token
// together, and again when it has expired.
func TestOneTokenForAll(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.auth = "bearer"
	f.putImage("v1", "1")
	r := open(t, f, Options{Credentials: alice()})
	all := func() {
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := r.Resolve(t.Context(), refOf(t, r, ":v1")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	all()
	all()
	if n := f.count("/token"); n != 1 {
		t.Errorf("%d token requests for one token", n)
	}
	f.mu.Lock()
	f.token = "token-2"
	f.mu.Unlock()
	all()
	if n := f.count("/token"); n != 2 {
		t.Errorf("%d token requests for two tokens", n)
	}
}

// TestTokenCacheCancel checks that one request's end does not fail the others
// that wait for the same token, and that a fetch ends when nobody waits.
func TestTokenCacheCancel(t *testing.T) {
	t.Parallel()
	c := newTokenCache()
	first, cancel := context.WithCancel(withExchange(t.Context(), exchangeOf(t.Context())))
	begun, finish := make(chan struct{}), make(chan struct{})
	fetch := func(ctx context.Context) (string, error) {
		close(begun)
		select {
		case <-finish:
			return "good", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := c.Set(first, "reg", auth.SchemeBearer, "s", fetch); !errors.Is(err, context.Canceled) {
			t.Errorf("first: %v", err)
		}
	})
	<-begun
	wg.Go(func() {
		token, err := c.Set(t.Context(), "reg", auth.SchemeBearer, "s", nil)
		if err != nil || token != "good" {
			t.Errorf("second: %q, %v", token, err)
		}
	})
	for waiting := 0; waiting < 2; {
		c.mu.Lock()
		waiting = c.flights[tokenKey{"reg", auth.SchemeBearer, "s"}].waiters
		c.mu.Unlock()
	}
	cancel()
	for waiting := 2; waiting > 1; {
		c.mu.Lock()
		waiting = c.flights[tokenKey{"reg", auth.SchemeBearer, "s"}].waiters
		c.mu.Unlock()
	}
	close(finish)
	wg.Wait()

	alone, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		_, _ = c.Set(alone, "reg", auth.SchemeBearer, "other", func(ctx context.Context) (string, error) {
			cancel()
			<-ctx.Done()
			close(ended)
			return "", ctx.Err()
		})
	}()
	<-ended
}

// attack: REG-06
func TestGuardStripsCredentials(t *testing.T) {
	t.Parallel()
	var got []string
	g := &guard{log: slog.New(slog.DiscardHandler), next: roundTripper(func(req *http.Request) (*http.Response, error) {
		got = append(got, req.URL.Host+" "+req.Header.Get("Authorization"))
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
	})}
	r := openAt(t, "localhost:5000", Options{})
	ctx := withExchange(t.Context(), &exchange{origin: r.url(""), progress: new(atomic.Int64), tried: new(triedTokens)})
	for _, target := range []string{"http://localhost:5000/v2/", "http://localhost:5001/v2/", "https://localhost:5000/v2/", "http://evil.example/"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Basic x")
		if _, err := g.RoundTrip(req); err != nil {
			t.Fatal(err)
		}
	}
	if want := "localhost:5000 Basic x|localhost:5001 |localhost:5000 |evil.example "; strings.Join(got, "|") != want {
		t.Errorf("got %q", got)
	}
}

// TestDebugLog checks that the log names what happened and no secret.
func TestDebugLog(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"basic", "bearer"} {
		var log bytes.Buffer
		f := newFake()
		f.auth = mode
		f.putImage("v1", "1")
		r := open(t, f, Options{
			Credentials: alice(), Logger: slog.New(slog.NewTextHandler(&syncWriter{w: &log}, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		if _, err := r.Attach(t.Context(), refOf(t, r, ":v1"), signatureOf("x")); err != nil {
			t.Fatal(err)
		}
		text := log.String()
		for _, part := range []string{"method=PUT", "/v2/app/manifests/v1", "status=401", "status=201", `source="the test"`} {
			if !strings.Contains(text, part) {
				t.Errorf("%s: log lacks %s:\n%s", mode, part, text)
			}
		}
		for _, secret := range []string{"secret-word", "token-1", base64.StdEncoding.EncodeToString([]byte("alice:secret-word")), "_state"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s: log holds %s", mode, secret)
			}
		}
	}
}

type syncWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (s *syncWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}

func TestSelectChallenge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fields []string
		want   string
	}{
		{[]string{`Basic realm="x"`}, `Basic realm="x"`},
		{[]string{`Negotiate`, `Basic realm="x"`}, `Basic realm="x"`},
		{[]string{`Basic realm="x"`, `bearer realm="y"`}, `bearer realm="y"`},
		{[]string{`Negotiate`, `NTLM`}, `Negotiate`},
	} {
		h := http.Header{"Www-Authenticate": tt.fields}
		selectChallenge(h)
		if got := h.Get("WWW-Authenticate"); got != tt.want {
			t.Errorf("%q: got %q", tt.fields, got)
		}
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add(`Basic realm="x"`, `Bearer realm="http://127.0.0.1/token",scope="a b"`)
	f.Add("Negotiate", "")
	f.Add("\x00", "Bearer")
	f.Fuzz(func(t *testing.T, a, b string) {
		h := http.Header{"Www-Authenticate": {a, b}}
		selectChallenge(h)
		if got := h.Get("WWW-Authenticate"); got != a && got != b {
			t.Fatalf("made up %q", got)
		}
	})
}

// attack: REG-06
func TestPlainHTTPAndTLS(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.putImage("v1", "1")
	plain := serve(t, f)
	quiet := log.New(io.Discard, "", 0)
	secure := httptest.NewUnstartedServer(f)
	secure.Config.ErrorLog = quiet
	secure.StartTLS()
	t.Cleanup(secure.Close)
	wantsCert := httptest.NewUnstartedServer(f)
	wantsCert.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}
	wantsCert.Config.ErrorLog = quiet
	wantsCert.StartTLS()
	t.Cleanup(wantsCert.Close)
	host := func(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "https://") }
	withCert := tlsFor(wantsCert)
	withCert.Certificates = wantsCert.TLS.Certificates
	always := func(string) bool { return true }
	otherName := tlsFor(secure)
	otherName.ServerName = "other.example.org"
	for _, tt := range []struct {
		name string
		host string
		o    Options
		code reason.Code
		hint string
	}{
		{"loopback by itself", plain, Options{}, "", ""},
		{"loopback with TLS set", host(secure), Options{TLS: tlsFor(secure)}, "", ""},
		{"verification skipped", host(secure), Options{TLS: &tls.Config{InsecureSkipVerify: true}}, "", ""},
		{"client certificate", host(wantsCert), Options{TLS: withCert}, "", ""},
		{"client certificate missing", host(wantsCert), Options{TLS: tlsFor(wantsCert)}, reason.RegistryTLS, "--cert-file"},
		{"unknown root", host(secure), Options{TLS: &tls.Config{}}, reason.RegistryTLS, "--ca-file"},
		{"other name", host(secure), Options{TLS: otherName}, reason.RegistryTLS, "host name"},
		{"TLS spoken to plain HTTP", plain, Options{TLS: &tls.Config{}}, reason.RegistryPlainHTTP, "--insecure-registry"},
		{"plain HTTP spoken to TLS", host(secure), Options{}, reason.RegistryTLS, "--ca-file"},
		{"plain HTTP asked for", plain, Options{TLS: &tls.Config{}, PlainHTTP: always}, "", ""},
		{"nobody there", "127.0.0.1:1", Options{}, reason.RegistryUnreachable, "name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := openAt(t, tt.host, tt.o)
			_, err := r.Resolve(t.Context(), refOf(t, r, ":v1"))
			wantCode(t, err, tt.code)
			if !strings.Contains(reason.Hint(err), tt.hint) {
				t.Errorf("hint %q", reason.Hint(err))
			}
		})
	}
}

// TestDockerHub checks the names under which Docker's registry goes.
func TestDockerHub(t *testing.T) {
	t.Parallel()
	var asked []string
	f := newFake()
	f.auth = "basic"
	network := roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.URL.Scheme != "https" || req.URL.Host != dockerHubHost || !strings.HasPrefix(req.URL.Path, "/v2/library/alpine/") {
			t.Errorf("asked for %s", req.URL)
		}
		return direct{handler: f}.RoundTrip(req)
	})
	c := quick(NewClient(Options{Transport: network, Credentials: func(_ context.Context, registry string) (Credential, error) {
		asked = append(asked, registry)
		return Credential{Username: f.user, Password: f.pass}, nil
	}}))
	r, err := c.Repository(parseRef(t, "alpine"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Fetch(t.Context(), oci.Descriptor{MediaType: "x/y", Digest: aDigest, Size: 1}, 1)
	wantCode(t, err, reason.OCINotFound)
	if strings.Join(asked, " ") != dockerHub {
		t.Errorf("credentials asked for %q", asked)
	}
}
