package timestamp_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/timestamp"
)

// opensslConfig is a template for "openssl ts".
const opensslConfig = `[tsa]
default_tsa = authority
[authority]
serial = %[1]s/serial
signer_cert = %[1]s/signer.pem
signer_key = %[1]s/signer.key
certs = %[1]s/chain.pem
signer_digest = %[2]s
default_policy = 1.3.6.1.4.1.99999.1
other_policies = 1.3.6.1.4.1.99999.2
digests = sha256, sha384, sha512
accuracy = secs:1, millisecs:500, microsecs:100
clock_precision_digits = 6
ordering = yes
tsa_name = yes
ess_cert_id_chain = %[3]s
ess_cert_id_alg = %[4]s
`

// openssl returns the path of the program. It must be there in CI.
func openssl(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return program
}

// opensslTSA is an authority over HTTP whose replies "openssl ts" makes.
func opensslTSA(t *testing.T, chain *testpki.Chain, digest, idChain, idAlgorithm string) http.Handler {
	t.Helper()
	program := openssl(t)
	dir := t.TempDir()
	var issuers []byte
	for _, c := range chain.Certs[1 : len(chain.Certs)-1] {
		issuers = append(issuers, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	for name, data := range map[string][]byte{
		"config":     fmt.Appendf(nil, opensslConfig, dir, digest, idChain, idAlgorithm),
		"serial":     []byte("01\n"),
		"signer.key": chain.KeyPEM(),
		"signer.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain.Leaf().Raw}),
		"chain.pem":  issuers,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		file := filepath.Join(dir, "query")
		if err := os.WriteFile(file, query, 0o600); err != nil {
			t.Error(err)
		}
		var out, complaint bytes.Buffer
		cmd := exec.CommandContext(r.Context(), program, "ts", "-reply", "-config", filepath.Join(dir, "config"), "-queryfile", file)
		cmd.Stdout, cmd.Stderr = &out, &complaint
		// OpenSSL fails where it rejects, too, after having written the reply.
		if err := cmd.Run(); err != nil && out.Len() == 0 {
			t.Errorf("openssl ts: %v: %s", err, complaint.String())
		}
		w.Header().Set("Content-Type", "application/timestamp-reply")
		_, _ = w.Write(out.Bytes())
	})
}

func TestOpenSSL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		key, digest, idChain, idAlgorithm string
		hash                              crypto.Hash
	}{
		{"rsa-2048", "sha256", "no", "sha256", crypto.SHA256},
		{"rsa-3072", "sha512", "yes", "sha512", crypto.SHA512},
		{"rsa-2048", "sha384", "yes", "sha1", crypto.SHA384},
		{"ec-256", "sha256", "no", "sha1", crypto.SHA256},
		{"ec-384", "sha384", "yes", "sha384", crypto.SHA384},
	} {
		t.Run(fmt.Sprintf("%s-%s-%s-%s", tt.key, tt.digest, tt.idChain, tt.idAlgorithm), func(t *testing.T) {
			t.Parallel()
			chain := testpki.New(t, testpki.Options{Algorithm: tt.key, TSA: true, Length: 4})
			c := &timestamp.Client{
				URLs:    []string{serve(t, opensslTSA(t, chain, tt.digest, tt.idChain, tt.idAlgorithm))},
				Roots:   []*x509.Certificate{chain.Root()},
				Policy:  testpki.OIDOtherExampleTSA,
				Timeout: time.Minute,
			}
			token, err := c.Stamp(t.Context(), message, tt.hash)
			if err != nil {
				t.Fatal(err)
			}
			v, err := verify(token, message, chain.Root())
			if err != nil {
				t.Fatal(err)
			}
			info := v.Info()
			if info.Policy != testpki.OIDOtherExampleTSA || info.Accuracy != 1500100*time.Microsecond || info.Hash != tt.hash || len(info.Chain) != 4 {
				t.Errorf("info %+v", info)
			}
			opensslVerifies(t, chain, token)
		})
	}
}

// What the test authority writes, OpenSSL reads.
func TestOpenSSLReadsTestAuthority(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"rsa-2048", "ec-384"} {
		tsa := testpki.NewTSA(t, testpki.Options{Algorithm: algorithm})
		opensslVerifies(t, tsa.Chain, tsa.Stamp(t, message, crypto.SHA256))
	}
}

func opensslVerifies(t *testing.T, chain *testpki.Chain, token []byte) {
	t.Helper()
	program := openssl(t)
	dir := t.TempDir()
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain.Root().Raw})
	for name, data := range map[string][]byte{"token": token, "message": message, "root.pem": root, "chain.pem": chain.CertPEM()} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), program, "ts", "-verify", "-in", "token", "-token_in", "-data", "message", "-CAfile", "root.pem", "-untrusted", "chain.pem")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("openssl ts: %v: %s", err, out)
	}
}

// OpenSSL rejects a policy that it does not have.
func TestOpenSSLRejects(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{TSA: true})
	c := &timestamp.Client{
		URLs:   []string{serve(t, opensslTSA(t, chain, "sha256", "no", "sha256"))},
		Roots:  []*x509.Certificate{chain.Root()},
		Policy: "1.2.3.4", Timeout: time.Minute,
	}
	_, err := c.Stamp(t.Context(), message, crypto.SHA256)
	wantCode(t, err, "timestamp.refused")
}
