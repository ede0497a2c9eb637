package cli_test

import (
	"crypto/tls"
	"encoding/pem"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// TestTLS keeps trusting an authority, showing a certificate of one's own,
// plain HTTP and not verifying apart.
//
// attack: REG-06
func TestTLS(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := &registry{blobs: map[string][]byte{}, manifests: map[string]manifest{}, referrers: map[string][]string{}}
	server := httptest.NewUnstartedServer(reg)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := u.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	ref := strings.TrimPrefix(server.URL, "https://") + "/app@" + reg.push("v1", "app")
	chain := testpki.New(t, testpki.Options{})
	cert, key := u.write("client.crt", string(chain.CertPEM())), u.write("client.key", string(chain.KeyPEM()))
	mine := []string{"list", ref, "--cert-file", cert, "--key-file", key}

	u.ok(append(mine, "--ca-file", ca)...).want(0, "no signature is attached")
	u.ok(append(mine, "--insecure-skip-tls-verify")...).want(0, "Warning: ", "certificate is not verified")
	u.run(mine...).wantError(3)
	u.run("list", "--ca-file", ca, ref).wantError(3)
	u.run("list", "--insecure-registry", ref).wantError(3)
	u.run("list", ref).wantError(3)
	u.run("list", ref, "--ca-file", key).wantError(2, "private key")
	u.run("list", ref, "--ca-file", "nowhere").wantError(2, "could not be read")
	u.run("list", ref, "--cert-file", cert).wantError(2, "belong together")
	u.run("list", ref, "--cert-file", "nowhere", "--key-file", key).wantError(2, "nowhere")
	u.run("list", ref, "--cert-file", cert, "--key-file", "nowhere").wantError(2, "nowhere")
	u.run("list", ref, "--cert-file", key, "--key-file", cert).wantError(2, "cannot be used")
}
