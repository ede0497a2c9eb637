package cli_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// guarded is a registry with a login of its own, which notes what it is sent.
type guarded struct {
	*registry
	mu   sync.Mutex
	sent []string // values of Authorization
}

func newGuarded(t *testing.T, user, password string) *guarded {
	t.Helper()
	g := &guarded{registry: newRegistry(t)}
	g.user, g.password = user, password
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a := r.Header.Get("Authorization"); a != "" {
			g.mu.Lock()
			g.sent = append(g.sent, a)
			g.mu.Unlock()
		}
		g.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	g.host = strings.TrimPrefix(server.URL, "http://")
	return g
}

// wantOnly checks that nobody sent the registry anything but its own login.
func (g *guarded) wantOnly(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	own := "Basic " + base64.StdEncoding.EncodeToString([]byte(g.user+":"+g.password))
	if len(g.sent) == 0 || slices.ContainsFunc(g.sent, func(a string) bool { return a != own }) {
		t.Errorf("%s was sent %q, want %q only", g.host, g.sent, own)
	}
	g.sent = nil
}

// TestCopyWithTwoLogins copies between registries with a login each, from all
// places that a login can come from. Neither is ever sent the other's.
//
// attack: REG-06
func TestCopyWithTwoLogins(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(u *user, dev, prod *guarded) (flags []string){
		"notation login": func(u *user, dev, prod *guarded) []string {
			for _, g := range []*guarded{dev, prod} {
				u.runWith(u.t.Context(), g.password, "login", "-u", g.user, "--password-stdin", g.host).want(0)
			}
			return nil
		},
		"flags": func(_ *user, dev, prod *guarded) []string {
			return []string{"--from-username", dev.user, "--from-password", dev.password, "--to-username", prod.user, "--to-password", prod.password}
		},
		"variables": func(u *user, dev, prod *guarded) []string {
			u.vars["NOTATION_FROM_USERNAME"], u.vars["NOTATION_FROM_PASSWORD"] = dev.user, dev.password
			u.vars["NOTATION_TO_USERNAME"], u.vars["NOTATION_TO_PASSWORD"] = prod.user, prod.password
			return nil
		},
		"one of each": func(u *user, dev, prod *guarded) []string {
			u.runWith(u.t.Context(), prod.password, "login", "-u", prod.user, "--password-stdin", prod.host).want(0)
			u.vars["NOTATION_FROM_PASSWORD"] = dev.password
			return []string{"--from-username", dev.user}
		},
		"one for both, one for one": func(u *user, dev, prod *guarded) []string {
			u.vars["NOTATION_USERNAME"], u.vars["NOTATION_PASSWORD"] = dev.user, dev.password
			u.vars["NOTATION_TO_PASSWORD"] = prod.password
			return []string{"--to-username", prod.user}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			acme := u.newSigner("acme", testpki.Options{})
			dev, prod := newGuarded(t, "dora", "dev-secret-1"), newGuarded(t, "paul", "prod-secret-2")
			dir, _ := u.layout("image")
			u.ok("sign", "-k", "acme", "--oci-layout", dir+":v1")
			u.ok("copy", "--no-verify", "--from-oci-layout", "--to-username", dev.user, "--to-password", dev.password, dir+":v1", dev.host+"/app:v1").
				want(0, "Warning: ", "$NOTATION_TO_PASSWORD is safer")
			src, dst := dev.host+"/app:v1", prod.host+"/app:v1"
			u.run("copy", "--no-verify", src, dst).want(3, "login")
			dev.sent, prod.sent = nil, nil
			flags := prepare(u, dev, prod)
			r := u.ok(append([]string{"--debug", "copy", "--ca-cert", acme.root, src, dst}, flags...)...).want(0, "tag v1 names it now", "Successfully verified signature for "+prod.host+"/app@")
			if strings.Contains(r.stderr, dev.password) || strings.Contains(r.stderr, prod.password) {
				t.Errorf("a password is shown: %s", r.stderr)
			}
			dev.wantOnly(t)
			prod.wantOnly(t)
		})
	}
}

// TestCopyRefusesLogins sends nothing anywhere.
func TestCopyRefusesLogins(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	dir, _ := u.layout("image")
	src, dst := reg.host+"/a:v1", "s.example/b:v1"
	for _, tt := range []struct {
		text string
		args []string
	}{
		{"--from-username and --from-oci-layout", []string{"--from-oci-layout", "--from-username", "a", dir + ":v1", dst}},
		{"--to-password and --to-oci-layout", []string{"--to-oci-layout", "--to-password", "a", src, dir + ":v2"}},
		{"$NOTATION_FROM_PASSWORD", []string{"--from-username", "a", src, dst}},
		{"--to-username", []string{"--to-password", "a", src, dst}},
		{"--from-username and --to-username", []string{"--username", "a", "--password", "b", src, dst}},
	} {
		u.run(append([]string{"copy", "--no-verify"}, tt.args...)...).wantError(2, tt.text)
	}
	if n := reg.requests.Load(); n > 0 {
		t.Errorf("%d requests", n)
	}
}

// newFront starts a server that answers in a registry's place what answer does,
// and returns its host.
func newFront(t *testing.T, r http.Handler, answer func(w http.ResponseWriter, r *http.Request) bool) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !answer(w, req) {
			r.ServeHTTP(w, req)
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}
