package remote

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/notaryv2/notation/reason"
)

// tripper counts the requests that reach the network.
type tripper struct {
	next  http.RoundTripper
	count *atomic.Int64
}

func (r tripper) RoundTrip(req *http.Request) (*http.Response, error) {
	r.count.Add(1)
	return r.next.RoundTrip(req)
}

// TestLinkLocalRedirects checks that a registry cannot aim requests at what
// only this machine reaches.
//
// attack: REG-06
func TestLinkLocalRedirects(t *testing.T) {
	t.Parallel()
	for _, to := range []string{
		"http://169.254.169.254/latest/meta-data/", "https://169.254.0.1:8443/", "http://[fe80::1]/", "http://[fe80::1%25lo]/",
		"http://[febf::1]/x", "http://[::ffff:169.254.169.254]/",
	} {
		for _, registry := range []string{"127.0.0.1:5000", "localhost:5000", "reg.example"} {
			t.Run(registry+" "+to, func(t *testing.T) {
				t.Parallel()
				var count atomic.Int64
				h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/v2/app/manifests/v1" { // asks for a token there
						w.Header().Set("WWW-Authenticate", `Bearer realm="`+to+`"`)
						w.WriteHeader(401)
						return
					}
					http.Redirect(w, r, to, http.StatusTemporaryRedirect)
				})
				r := openAt(t, registry, Options{PlainHTTP: func(string) bool { return true }, Transport: tripper{direct{handler: h}, &count}})
				_, err := r.Fetch(t.Context(), blobOf(content), 100)
				wantCode(t, err, reason.RegistryRedirect)
				if n := count.Load(); n != 1 || !strings.Contains(err.Error(), "link-local") || reason.Hint(err) == "" {
					t.Errorf("%d requests, %v", n, err)
				}
				_, err = r.Resolve(t.Context(), refOf(t, r, ":v1"))
				if n := count.Load(); n != 2 || err == nil {
					t.Errorf("%d requests, %v", n, err)
				}
			})
		}
	}
}

// TestLinkLocalRegistry checks that a registry may itself be there.
func TestLinkLocalRegistry(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "169.254.7.7:5000" {
			http.Redirect(w, r, "http://169.254.7.7:9000/store", http.StatusTemporaryRedirect)
			return
		}
		_, _ = w.Write([]byte(content))
	})
	r := openAt(t, "169.254.7.7:5000", Options{PlainHTTP: func(string) bool { return true }, Transport: direct{handler: h}})
	got, err := r.Fetch(t.Context(), blobOf(content), 100)
	if err != nil || string(got) != content {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestLinkLocalNames checks names that turn out to be link-local addresses
// when they are looked up.
func TestLinkLocalNames(t *testing.T) {
	t.Parallel()
	origin := &url.URL{Scheme: "https", Host: "reg.example"}
	for _, token := range []bool{false, true} {
		ctx := withExchange(t.Context(), &exchange{origin: origin, token: token})
		ctx = context.WithValue(ctx, foreignKey{}, "metadata.example:80")
		_, err := dialer(defaultTiming())(ctx, "tcp", "169.254.169.254:80") // what the name is looked up to
		code := reason.RegistryRedirect
		if token {
			code = reason.RegistryRealm
		}
		wantCode(t, err, code)
		if !strings.Contains(err.Error(), "metadata.example") {
			t.Errorf("got %v", err)
		}
	}
	store := serve(t, says("x/y", content))
	ctx := context.WithValue(t.Context(), foreignKey{}, store)
	c, err := dialer(defaultTiming())(ctx, "tcp", store)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}
