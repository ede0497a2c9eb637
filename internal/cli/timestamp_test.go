package cli_test

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
)

// authority is a time-stamping authority that listens.
type authority struct {
	*testpki.TSA
	url   string
	root  string // file
	asked atomic.Int64
}

func (u *user) newAuthority(o testpki.Options) *authority {
	u.t.Helper()
	if o.Name == "" {
		o.Name = "clock"
	}
	a := &authority{TSA: testpki.NewTSA(u.t, o)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		a.ServeHTTP(w, r)
	}))
	u.t.Cleanup(server.Close)
	a.url = server.URL
	a.root = u.write("clock-root.crt", string((&testpki.Chain{Certs: a.Certs[len(a.Certs)-1:]}).CertPEM()))
	return a
}

// TestSignWithTimestamp takes authorities and roots from the command line, the
// settings and the trust stores.
func TestSignWithTimestamp(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	tsa, foreign := u.newAuthority(testpki.Options{}), u.newAuthority(testpki.Options{KeySet: 1, Name: "foreign"})
	u.newSigner("acme", testpki.Options{})
	dir, digest := u.layout("stamped")
	ref := dir + "@" + digest
	sign := func(args ...string) result {
		return u.run(append(append([]string{"sign", "--oci-layout", "-k", "acme"}, args...), ref)...)
	}
	const stamped = "\n  time stamp "
	from := func(args ...string) []string { return append(args, "--timestamp-url", tsa.url) }
	sign(from("--timestamp-root-cert", tsa.root)...).want(0, stamped, " by CN=clock")
	if r := sign().want(0); strings.Contains(r.stdout, "time stamp") {
		t.Errorf("%s", r.stdout)
	}
	doc := u.ok("-o", "json", "sign", "--oci-layout", "-k", "acme", "--timestamp-url", tsa.url, "--timestamp-root-cert", tsa.root, ref).json()
	stamp := at(doc, "signed", 0, "timestamp")
	if when, err := time.Parse(time.RFC3339, fmt.Sprint(at(stamp, "time"))); err != nil || at(stamp, "policy") != testpki.OIDExampleTSA || when.IsZero() {
		t.Errorf("%v %v", stamp, err)
	}

	before := snapshot(t, dir)
	sign(from()...).wantError(2, "no root certificate is known", "--timestamp-root-cert")
	sign(from("--timestamp-root-cert", foreign.root)...).wantError(2, "trusted root")
	sign("--timestamp-url", "ftp://x", "--timestamp-root-cert", tsa.root).wantError(2, "ftp")
	sign("--timestamp-url", "http://127.0.0.1:1", "--timestamp-root-cert", tsa.root).wantError(3, "")
	sign(from("--timestamp-root-cert", u.write("leaf.crt", string((&testpki.Chain{Certs: tsa.Certs[:1]}).CertPEM())))...).wantError(2, "leaf.crt")
	sign(from("--timestamp-root-cert", u.write("none.crt", ""))...).wantError(2, "none.crt")
	if after := snapshot(t, dir); after != before {
		t.Errorf("something was stored:\n%s", after)
	}
	sign("--timestamp-url", "http://127.0.0.1:1", "--timestamp-url", tsa.url, "--timestamp-root-cert", foreign.root, "--timestamp-root-cert", tsa.root).want(0, stamped)

	u.ok("cert", "add", "--type", "tsa", "--store", "clock", tsa.root)
	sign(from()...).want(0, stamped)
	junk := u.path("truststore", "x509", "tsa", "junk", "root.crt")
	if err := os.MkdirAll(filepath.Dir(junk), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	sign(from()...).wantError(2, "root.crt")
	sign(from("--timestamp-root-cert", tsa.root)...).want(0, stamped)
	if err := os.RemoveAll(filepath.Dir(junk)); err != nil {
		t.Fatal(err)
	}
	settings := func(s string) {
		if err := os.WriteFile(u.path("config.json"), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	settings(fmt.Sprintf(`{"timestampUrls":[%q]}`, tsa.url))
	sign().want(0, stamped)
	asked := tsa.asked.Load()
	for _, args := range [][]string{{"--timestamp-url", ""}, {"--signing-authority"}} {
		if r := sign(args...).want(0); strings.Contains(r.stdout, "time stamp") {
			t.Errorf("%s", r.stdout)
		}
	}
	if tsa.asked.Load() != asked {
		t.Error("the authority was asked")
	}
	if err := os.WriteFile(u.path("roots.pem"), []byte(u.read(foreign.root)), 0o600); err != nil {
		t.Fatal(err)
	}
	settings(fmt.Sprintf(`{"timestampUrls":[%q],"timestampRootCerts":["roots.pem"]}`, tsa.url))
	sign().wantError(2, "trusted root")
	sign("--timestamp-root-cert", tsa.root).want(0, stamped)
	sign("--timestamp-url", foreign.url).want(0, stamped)
	settings(`{"timestampUrls":[""]}`)
	sign().wantError(2, "empty text")
	settings(`{"timestampUrls":"x"}`)
	sign().wantError(2, "config.json", "timestampUrls, timestampRootCerts and revocationPrivateRedirects")
}

// TestVerifyTimestamp verifies signatures with a time stamp, also when the
// signer's certificate has expired, and shows them.
func TestVerifyTimestamp(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	tsa := u.newAuthority(testpki.Options{NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour)})
	acme := u.newSigner("acme", testpki.Options{})
	dir, digest := u.layout("stamped")
	ref := dir + "@" + digest
	u.ok("sign", "--oci-layout", "-k", "acme", "--timestamp-url", tsa.url, "--timestamp-root-cert", tsa.root, ref)
	u.ok("cert", "add", "--type", "tsa", "--store", "clock", tsa.root)
	u.ok("cert", "add", "--name", "acme", acme.root)
	policy := u.write("policy.json", `{"version":"1.0","trustPolicies":[{"name":"mine","registryScopes":["*"],
		"signatureVerification":{"level":"strict"},"trustStores":["ca:acme","tsa:clock"],"trustedIdentities":["*"]}]}`)
	for name, now := range map[string]time.Time{"now": time.Now(), "long after": time.Now().Add(100 * 24 * time.Hour)} {
		later := *u
		later.env.Now = func() time.Time { return now }
		r := later.run("verify", "--oci-layout", "--policy", policy, ref).want(0, "  time stamp: ", ", policy "+testpki.OIDExampleTSA+", by CN=clock", "trust store tsa:clock\n")
		if strings.Count(r.stdout, "time stamp: ") != 1 {
			t.Errorf("%s: %s", name, r.stdout)
		}
	}
	later := *u
	later.env.Now = func() time.Time { return time.Now().Add(100 * 24 * time.Hour) }
	if r := later.run("verify", "--oci-layout", "--ca-cert", acme.root, ref).want(1, "expired"); strings.Contains(r.stdout, "time stamp: ") {
		t.Errorf("%s", r.stdout)
	}

	u.ok("inspect", "--oci-layout", ref).want(0, "timestamp signature: 2", "accurate to 1s, policy "+testpki.OIDExampleTSA+", by CN=clock", "; not verified\n")
	stamp := at(u.ok("-o", "json", "inspect", "--oci-layout", ref).json(), "signatures", 0, "unsignedAttributes", "timestampSignature")
	if when, err := time.Parse(time.RFC3339, fmt.Sprint(at(stamp, "timestamp"))); err != nil || time.Since(when) > time.Hour {
		t.Errorf("%v %v", stamp, err)
	}
	for i := range tsa.Certs {
		if at(stamp, "certificates", i, "SHA256Fingerprint") == nil || at(stamp, "error") != nil {
			t.Errorf("%d: %v", i, stamp)
		}
	}
}

// TestSigningAuthority signs and verifies with that scheme, whose roots are in
// stores of another type.
//
// attack: ENV-03
func TestSigningAuthority(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	dir, digest := u.layout("vouched")
	ref := dir + "@" + digest
	u.ok("sign", "--oci-layout", "-k", "acme", "--signing-authority", ref)
	u.ok("inspect", "--oci-layout", ref).want(0, "signingScheme: notary.x509.signingAuthority", "authenticSigningTime: 2")
	u.run("verify", "--oci-layout", "--ca-cert", acme.root, ref).want(1, "Rejected")
	u.ok("cert", "add", "--type", "signingAuthority", "--store", "acme", acme.root)
	policy := u.policy("strict", "*", "signingAuthority:acme", "*")
	u.ok("verify", "--oci-layout", "--policy", policy, ref)
	later := *u
	later.env.Now = func() time.Time { return time.Now().Add(100 * 24 * time.Hour) }
	later.ok("verify", "--oci-layout", "--policy", policy, ref)
}

// TestTimestampRevocation asks about the authority's certificates before
// anything is stored.
//
// attack: TSP-05
func TestTimestampRevocation(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	var tsa *authority
	responder, revoked := u.newResponder(func() *testpki.Chain { return tsa.Chain })
	tsa = u.newAuthority(testpki.Options{Modify: func(position int, c *x509.Certificate) {
		if position == 0 {
			c.OCSPServer = []string{responder}
		}
	}})
	u.newSigner("acme", testpki.Options{})
	dir, digest := u.layout("stamped")
	args := []string{"sign", "--oci-layout", "-k", "acme", "--timestamp-url", tsa.url, "--timestamp-root-cert", tsa.root, "--revocation-timeout", "30s", dir + "@" + digest}
	u.ok(append([]string{"-d"}, args...)...).want(0, "time stamp ", "msg=revocation", "source="+responder)
	before := snapshot(t, dir)
	if err := os.RemoveAll(filepath.Join(u.home, ".cache")); err != nil {
		t.Fatal(err)
	}
	revoked.Store(true)
	u.run(args...).wantError(3, "revoked")
	if after := snapshot(t, dir); after != before {
		t.Errorf("something was stored:\n%s", after)
	}
}
