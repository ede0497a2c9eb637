package remote

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
)

// TestTokenRedirects checks that a token service which redirects to another
// port, or over one and back again, does not take the login along.
//
// attack: REG-06
func TestTokenRedirects(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		hops []string // "service" or "other"
		code reason.Code
	}{
		"same origin":        {[]string{"service", "service"}, ""},
		"other port":         {[]string{"service", "other"}, reason.RegistryUnauthorized},
		"stays at the other": {[]string{"service", "other", "other"}, reason.RegistryUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.auth = "bearer"
			f.putImage("v1", "1")
			hosts := map[string]string{}
			var mu sync.Mutex
			var leaked []string
			service := func(here string) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					n := 0
					_, _ = fmt.Sscan(r.URL.Query().Get("n"), &n)
					_, pass, _ := r.BasicAuth()
					mu.Lock()
					defer mu.Unlock()
					if here == "other" && r.Header.Get("Authorization") != "" {
						leaked = append(leaked, r.URL.String())
					}
					switch {
					case n+1 < len(tt.hops):
						http.Redirect(w, r, fmt.Sprintf("http://%s/?n=%d", hosts[tt.hops[n+1]], n+1), http.StatusTemporaryRedirect)
					case pass != f.pass:
						w.WriteHeader(http.StatusUnauthorized)
					default:
						fmt.Fprintf(w, `{"token":%q}`, f.token)
					}
				})
			}
			for _, name := range []string{"service", "other"} {
				host := serve(t, service(name))
				mu.Lock()
				hosts[name] = host
				mu.Unlock()
			}
			realm := "http://" + hosts["service"] + "/"
			r := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "" {
					w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm+`",service="s"`)
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				f.ServeHTTP(w, r)
			}), Options{Credentials: alice()})
			_, err := r.Resolve(t.Context(), refOf(t, r, ":v1"))
			wantCode(t, err, tt.code)
			if len(leaked) > 0 {
				t.Errorf("the login went to %v", leaked)
			}
		})
	}
}

// TestTokenScopes checks that a token is asked for no more than the work takes,
// and for this repository only, whatever else the registry names.
//
// attack: REG-06
func TestTokenScopes(t *testing.T) {
	t.Parallel()
	scopesOf := func(f *fakeRegistry) map[string]bool {
		scopes := map[string]bool{}
		for _, c := range f.log() {
			if u, err := url.Parse(c.uri); err == nil && u.Path == "/token" {
				for _, s := range u.Query()["scope"] {
					scopes[s] = true
				}
			}
		}
		return scopes
	}
	f := newFake()
	f.auth = "bearer"
	image := f.putImage("v1", "1")
	r := open(t, f, Options{Credentials: alice()})
	if _, err := r.Resolve(t.Context(), refOf(t, r, ":v1")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Referrers(t.Context(), image.Digest, oci.ReferrersOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Fetch(t.Context(), image, 1<<20); err != nil {
		t.Fatal(err)
	}
	if got := scopesOf(f); len(got) != 1 || !got["repository:app:pull"] {
		t.Errorf("reading asks for %v", got)
	}
	if _, err := r.Attach(t.Context(), refOf(t, r, ":v1"), signatureOf("x")); err != nil {
		t.Fatal(err)
	}
	if got := scopesOf(f); !got["repository:app:pull,push"] || len(got) != 2 {
		t.Errorf("signing asks for %v", got)
	}
}
