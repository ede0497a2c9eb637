package cli_test

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/cachemodes"
	"github.com/notaryv2/notation/internal/testpki"
)

// newResponder starts an OCSP responder for the leaf of a chain that is made
// later. It says good until revoked is set.
func (u *user) newResponder(chain func() *testpki.Chain) (url string, revoked *atomic.Bool) {
	u.t.Helper()
	revoked = &atomic.Bool{}
	server := httptest.NewServer(testpki.OCSPHandler(func(_, _ []byte) []byte {
		c := chain()
		answer := testpki.NewOCSP(c.Certs[0], c.Certs[1], time.Now().Add(-time.Minute))
		if revoked.Load() {
			answer.Singles[0].Status = testpki.OCSPRevoked(time.Now().Add(-2*time.Minute), 1)
		}
		return answer.Sign(u.t, c.Keys[1])
	}))
	u.t.Cleanup(server.Close)
	return server.URL, revoked
}

// checked is a signer whose certificate names a responder.
type checked struct {
	signer
	responder string
	revoked   *atomic.Bool
	asked     *atomic.Int64
}

func (u *user) newChecked(name string) checked {
	u.t.Helper()
	var chain *testpki.Chain
	var asked atomic.Int64
	responder, revoked := u.newResponder(func() *testpki.Chain { asked.Add(1); return chain })
	o := testpki.Options{Name: name, Length: 2, Modify: func(position int, c *x509.Certificate) {
		if position == 0 {
			c.OCSPServer = []string{responder}
		}
	}}
	chain = testpki.New(u.t, o)
	s := signer{name: name, key: u.write(name+".key", string(chain.KeyPEM())), chain: u.write(name+".crt", string(chain.CertPEM())),
		root: u.write(name+"-root.crt", string((&testpki.Chain{Certs: chain.Certs[1:]}).CertPEM()))}
	u.ok("key", "add", "--name", name, s.key, s.chain)
	return checked{s, responder, revoked, &asked}
}

// TestRevocation asks the responder, keeps its answer, and does without it
// offline.
//
// attack: REV-06
func TestRevocation(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme, plain := u.newChecked("acme"), u.newSigner("plain", testpki.Options{KeySet: 1})
	dir, digest := u.layout("checked")
	other, otherDigest := u.layout("unchecked")
	ref, bare := dir+"@"+digest, other+"@"+otherDigest
	u.ok("sign", "--oci-layout", "-k", "acme", ref)
	u.ok("sign", "--oci-layout", "-k", "plain", bare)
	cache := filepath.Join(u.home, ".cache")
	verify := func(args ...string) result {
		return u.run(append([]string{"verify", "--oci-layout", "--ca-cert", acme.root}, args...)...)
	}
	forget := func() {
		if err := os.RemoveAll(cache); err != nil {
			t.Fatal(err)
		}
	}
	verify("--offline", ref).want(3, "Undecided", "[revocation.unavailable]", "nobody may be asked")
	if _, err := os.Stat(cache); err == nil {
		t.Error("a cache was made before there was anything to keep")
	}
	u.run("verify", "--oci-layout", "--ca-cert", plain.root, bare).want(0, "not checked")
	u.run("verify", "--oci-layout", "--ca-cert", plain.root, "--require-revocation", bare).want(1, "[verify.revocation-no-source]")
	if _, err := os.Stat(cache); err == nil {
		t.Error("a cache was made before there was anything to keep")
	}
	verify("-d", ref).want(0, "Successfully verified", "msg=revocation", "source="+acme.responder)
	if cachemodes.Current() == cachemodes.AsWritten { // else there is nothing kept, or others ask
		asked := acme.asked.Load()
		verify("--offline", ref).want(0, "Successfully verified")
		verify(ref).want(0, "Successfully verified")
		verify("--require-revocation", ref).want(0, "Successfully verified")
		if acme.asked.Load() != asked {
			t.Error("the responder was asked again")
		}
	}
	forget()
	acme.revoked.Store(true)
	verify(ref).want(1, "[revocation.revoked]")
	u.run("verify", "--oci-layout", "--policy", u.policy("permissive", "*", "ca:acme", "*"), "--trust-store", u.stores(acme.signer), ref).
		want(0, "Successfully verified", "logged", "[revocation.revoked]")
}

// TestRevocationWithoutHome keeps answers in memory where no cache directory is
// known.
func TestRevocationWithoutHome(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newChecked("acme")
	dir, digest := u.layout("checked")
	u.ok("sign", "--oci-layout", "-k", "acme", dir+"@"+digest)
	before := snapshot(t, u.home)
	for _, vars := range []map[string]string{{}, {"NOTATION_CACHE": filepath.Join(u.t.TempDir(), "cache")}} {
		u.vars = vars
		u.ok("verify", "--oci-layout", "--ca-cert", acme.root, dir+"@"+digest)
		if dir := vars["NOTATION_CACHE"]; dir != "" && strings.Count(snapshot(t, dir), "\n") < 2 {
			t.Errorf("nothing was kept: %s", snapshot(t, dir))
		}
	}
	if after := snapshot(t, u.home); after != before {
		t.Errorf("the home directory was changed:\n%s", after)
	}
}

// TestRevocationTimeout does not wait for a responder that does not answer.
//
// attack: REV-05
func TestRevocationTimeout(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(hang)
	acme := u.newSigner("acme", testpki.Options{Modify: func(position int, c *x509.Certificate) {
		if position == 0 {
			c.OCSPServer = []string{server.URL}
		}
	}})
	dir, digest := u.layout("checked")
	u.ok("sign", "--oci-layout", "-k", "acme", dir+"@"+digest)
	u.run("verify", "--oci-layout", "--ca-cert", acme.root, "--revocation-timeout", "50ms", dir+"@"+digest).
		want(3, "Undecided", "[revocation.")
}
