package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// reach probes a host with fresh options.
func reach(t *testing.T, host string, o Options) Reach {
	t.Helper()
	c := quick(NewClient(o))
	t.Cleanup(c.CloseIdleConnections)
	return c.Reach(t.Context(), parseRef(t, host+"/app"))
}

func TestReach(t *testing.T) {
	t.Parallel()
	date := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	f := newFake()
	f.auth = "basic"
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", date.Format(http.TimeFormat))
		f.ServeHTTP(w, r)
	}))
	var asked bool
	got := reach(t, host, Options{Credentials: func(context.Context, string) (Credential, error) {
		asked = true
		return Credential{Username: "alice", Password: "secret-word"}, nil
	}})
	if got.Err != nil || got.Status != 401 || !got.Login || !got.PlainHTTP || got.Host != host || got.Connected != host || got.TLS != "" || !got.Date.Equal(date) || got.Received.IsZero() {
		t.Errorf("%+v", got)
	}
	if asked || len(f.calls) != 1 || f.calls[0].authorization != "" {
		t.Errorf("credentials were looked for, or sent: %+v", f.calls)
	}

	// A name is looked up.
	_, port, _ := strings.Cut(host, ":")
	if got := reach(t, "localhost:"+port, Options{}); got.Err != nil || len(got.Addresses) == 0 {
		t.Errorf("%+v", got)
	}
}

func TestReachTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(newFake())
	t.Cleanup(s.Close)
	host := strings.TrimPrefix(s.URL, "https://")
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	got := reach(t, host, Options{TLS: &tls.Config{RootCAs: roots}})
	if got.Err != nil || got.PlainHTTP || got.TLS != "TLS 1.3" || !got.NotAfter.Equal(s.Certificate().NotAfter) || got.Login {
		t.Errorf("%+v", got)
	}
	got = reach(t, host, Options{TLS: &tls.Config{}})
	if got.TLS != "" || got.Status != 0 {
		t.Errorf("%+v", got)
	}
	wantCode(t, got.Err, reason.RegistryTLS)
}

func TestReachFails(t *testing.T) {
	t.Parallel()
	status := func(code int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	for name, tt := range map[string]struct {
		handler http.Handler
		code    reason.Code
	}{
		"denied":      {status(403), ""},
		"no registry": {status(404), reason.OCINotFound},
		"broken":      {status(500), reason.RegistryUnavailable},
		"resets":      {http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), reason.RegistryUnreachable},
		"redirects": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/v2/", http.StatusFound)
		}), reason.RegistryRedirect},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantCode(t, reach(t, serve(t, tt.handler), Options{}).Err, tt.code)
		})
	}
	closed := httptest.NewServer(status(200))
	closed.Close()
	got := reach(t, strings.TrimPrefix(closed.URL, "http://"), Options{})
	wantCode(t, got.Err, reason.RegistryUnreachable)
	if got.Connected != "" || got.Status != 0 || !got.Date.IsZero() {
		t.Errorf("%+v", got)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := quick(NewClient(Options{}))
	wantCode(t, c.Reach(ctx, parseRef(t, "127.0.0.1:1/app")).Err, reason.RegistryInterrupted)
}

// TestReachHangs is ended by the watchdog.
func TestReachHangs(t *testing.T) {
	t.Parallel()
	c := quick(NewClient(Options{}))
	c.timing.header = time.Millisecond
	t.Cleanup(c.CloseIdleConnections)
	host := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	wantCode(t, c.Reach(t.Context(), parseRef(t, host+"/app")).Err, reason.RegistryTimeout)
}

func TestDiscover(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare  func(f *fakeRegistry)
		api, tag bool
		code     reason.Code
	}{
		"API":     {func(f *fakeRegistry) { f.api = true }, true, false, ""},
		"neither": {func(*fakeRegistry) {}, false, false, ""},
		"API fails": {func(f *fakeRegistry) {
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, "/referrers/") {
					w.WriteHeader(http.StatusTeapot)
					return true
				}
				return false
			}
		}, false, false, reason.RegistryResponse},
		"tag": {func(f *fakeRegistry) {
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, "/manifests/sha256-") {
					w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
					_, _ = w.Write([]byte(`{"schemaVersion":2,"manifests":[]}`))
					return true
				}
				return false
			}
		}, false, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			tt.prepare(f)
			r := open(t, f, Options{})
			got, err := r.Discover(t.Context(), digest.FromString("x"), oci.ReferrersOptions{})
			wantCode(t, err, tt.code)
			if got.API != tt.api || got.Tag != tt.tag || len(got.Listing.Referrers) != 0 {
				t.Errorf("%+v", got)
			}
		})
	}
	r := open(t, newFake(), Options{})
	if _, err := r.Discover(t.Context(), "bad", oci.ReferrersOptions{}); err == nil {
		t.Error("a malformed digest was taken")
	}
}
