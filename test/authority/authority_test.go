package authority_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/notaryv2/notation/revocation"
	"github.com/notaryv2/notation/test/authority"
	"github.com/notaryv2/notation/test/toolbox"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func chain(t *testing.T, file string) (certs []*x509.Certificate) {
	t.Helper()
	rest, err := os.ReadFile(file)
	check(t, err)
	for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		check(t, err)
		certs = append(certs, cert)
	}
	return certs
}

// What openssl issues, revokes and answers means to us what it should.
func TestRevocation(t *testing.T) {
	t.Parallel()
	toolbox.Need(t, "openssl")
	ca, err := authority.New(filepath.Join(t.TempDir(), "ca"), authority.Options{})
	check(t, err)
	t.Cleanup(func() { check(t, ca.Close()) })
	check(t, ca.Issue("signer", authority.Certificate{}))
	certs := chain(t, ca.ChainFile("signer"))
	if len(certs) != 3 {
		t.Fatalf("%d certificates", len(certs))
	}
	// expect asks anew, with nothing kept, and wants this of leaf and intermediate.
	expect := func(leaf, intermediate revocation.Status, method revocation.Method) {
		t.Helper()
		results := revocation.New(revocation.Options{Timeout: time.Minute}).Check(t.Context(), certs, revocation.Evidence{})
		for i, want := range []revocation.Status{leaf, intermediate} {
			if got := results[i]; got.Status != want || got.Method != method {
				t.Errorf("certificate %d: %v by %q, want %v by %q: %v\n%q", i, got.Status, got.Method, want, method, got.Err, ca.Log())
			}
		}
	}
	expect(revocation.Good, revocation.Good, revocation.OCSP)
	if n := ca.Asked(authority.CRL); n != 0 {
		t.Errorf("%d requests for a list", n)
	}
	ca.SetDown(authority.OCSP, true)
	expect(revocation.Good, revocation.Good, revocation.CRL)
	ca.SetDown(authority.CRL, true)
	expect(revocation.Unavailable, revocation.Unavailable, "")
	ca.SetDown(authority.OCSP, false)
	ca.SetDown(authority.CRL, false)
	check(t, ca.Revoke("signer", "keyCompromise"))
	expect(revocation.Revoked, revocation.Good, revocation.OCSP)
	check(t, ca.Revoke(authority.Intermediate, ""))
	ca.SetDown(authority.OCSP, true)
	// Whom a revoked authority has issued is not known any more.
	results := revocation.New(revocation.Options{Timeout: time.Minute}).Check(t.Context(), certs, revocation.Evidence{})
	if results[0].Status != revocation.Unknown || results[1].Status != revocation.Revoked || results[1].Method != revocation.CRL {
		t.Errorf("%+v", results)
	}
}
