package revocation

import (
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
	"github.com/notaryv2/notation/reason"
)

// openssl is a certificate authority of OpenSSL's in a directory, with the key
// and the certificates of a world.
type openssl struct {
	w   *world
	dir string
}

const opensslConfig = `[ca]
default_ca = here
[here]
database = index.txt
crlnumber = crlnumber
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_crl_days = 1
crl_extensions = crl
[crl]
authorityKeyIdentifier = keyid
%s
`

func newOpenssl(t *testing.T, w *world, crlExtensions string) *openssl {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("openssl is not there")
	}
	o := &openssl{w: w, dir: t.TempDir()}
	o.write("ca.pem", pemOf("CERTIFICATE", w.ca().Raw))
	o.write("ca.key", o.key(w.caKey()))
	o.write("leaf.pem", pemOf("CERTIFICATE", w.leaf().Raw))
	o.write("crlnumber", []byte("10\n"))
	o.write("openssl.cnf", fmt.Appendf(nil, opensslConfig, crlExtensions))
	o.write("index.txt", nil)
	return o
}

func pemOf(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

func (o *openssl) key(key crypto.Signer) []byte {
	o.w.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		o.w.t.Fatal(err)
	}
	return pemOf("PRIVATE KEY", der)
}

func (o *openssl) write(name string, data []byte) {
	o.w.t.Helper()
	if err := os.WriteFile(filepath.Join(o.dir, name), data, 0o600); err != nil {
		o.w.t.Fatal(err)
	}
}

// known puts the leaf into the authority's index as valid.
func (o *openssl) known() {
	o.write("index.txt", fmt.Appendf(nil, "V\t%s\t\t%X\tunknown\t/C=US/ST=WA/O=wabbit-networks.io/CN=wabbit-networks.io\n",
		o.w.leaf().NotAfter.UTC().Format("060102150405Z"), serial(o.w.leaf())))
}

func (o *openssl) run(args ...string) error {
	cmd := exec.Command("openssl", args...)
	cmd.Dir = o.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("openssl %v: %w: %s", args, err, out)
	}
	return nil
}

// revoke revokes the leaf and publishes the list.
func (o *openssl) revoke(args ...string) {
	o.w.t.Helper()
	o.known()
	if err := o.run(append([]string{"ca", "-config", "openssl.cnf", "-revoke", "leaf.pem"}, args...)...); err != nil {
		o.w.t.Fatal(err)
	}
}

func (o *openssl) publish() {
	o.w.t.Helper()
	for _, args := range [][]string{
		{"ca", "-config", "openssl.cnf", "-gencrl", "-out", "crl.pem"},
		{"crl", "-in", "crl.pem", "-outform", "DER", "-out", "crl.der"},
	} {
		if err := o.run(args...); err != nil {
			o.w.t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(o.dir, "crl.der"))
	if err != nil {
		o.w.t.Fatal(err)
	}
	o.w.net.bytes(crlURL, raw)
}

// Lists that "openssl ca" has made.
func TestOpensslCRL(t *testing.T) {
	t.Parallel()
	idp := "issuingDistributionPoint = critical, @idp\n[idp]\nfullname = URI:" + crlURL
	for name, tc := range map[string]struct {
		extensions string
		revoke     []string // nil: not revoked
		authentic  time.Time
		status     Status
		why        Reason
	}{
		"good":           {"", nil, time.Time{}, Good, ""},
		"scope":          {idp, nil, time.Time{}, Good, ""},
		"another scope":  {idp + "x", nil, time.Time{}, Unavailable, ""},
		"revoked":        {"", []string{}, time.Time{}, Revoked, ""},
		"key compromise": {"", []string{"-crl_compromise", "20200101000000Z"}, time.Time{}, Revoked, KeyCompromise},
		"signed before":  {"", []string{"-crl_compromise", "20200101000000Z"}, time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC), Good, KeyCompromise},
		"signed after":   {"", []string{"-crl_compromise", "20200101000000Z"}, time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC), Revoked, KeyCompromise},
		"hold":           {idp, []string{"-crl_reason", "certificateHold"}, time.Time{}, Revoked, CertificateHold},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withCRL(crlURL))
			o := newOpenssl(t, w, tc.extensions)
			if tc.revoke != nil {
				o.revoke(tc.revoke...)
			}
			o.publish()
			r := w.checkWith(Evidence{Authentic: tc.authentic, Independent: true})
			if r.Status != tc.status || r.Reason != tc.why {
				t.Errorf("%+v", r)
			}
		})
	}
}

// Responses that "openssl ocsp" has made to our requests.
func TestOpensslOCSP(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		known, revoked, delegate, nonce bool
		status                          Status
		code                            reason.Code
	}{
		"good":               {known: true, status: Good},
		"good, delegate":     {known: true, delegate: true, status: Good},
		"good, nonce":        {known: true, nonce: true, status: Good},
		"revoked":            {revoked: true, status: Revoked, code: reason.RevocationRevoked},
		"revoked, delegate":  {revoked: true, delegate: true, nonce: true, status: Revoked, code: reason.RevocationRevoked},
		"never heard of":     {status: Unknown, code: reason.RevocationUnknown},
		"unknown, with CN=x": {delegate: true, status: Unknown, code: reason.RevocationUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withOCSP(ocspURL))
			w.o.Nonce = tc.nonce
			o := newOpenssl(t, w, "")
			if tc.known {
				o.known()
			}
			if tc.revoked {
				o.revoke("-crl_reason", "superseded")
			}
			signer := []string{"-rsigner", "ca.pem", "-rkey", "ca.key"}
			if tc.delegate {
				cert, key := w.responder(nil)
				o.write("responder.pem", pemOf("CERTIFICATE", cert.Raw))
				o.write("responder.key", o.key(key))
				signer = []string{"-rsigner", "responder.pem", "-rkey", "responder.key"}
			}
			w.net.at(ocspURL, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost {
					rw.WriteHeader(http.StatusMethodNotAllowed)
					return
				}
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				o.write("request.der", body)
				args := append([]string{"ocsp", "-index", "index.txt", "-CA", "ca.pem", "-ndays", "1",
					"-reqin", "request.der", "-respout", "response.der"}, signer...)
				if err := o.run(args...); err != nil {
					t.Error(err)
				}
				rw.Header().Set("Content-Type", "application/ocsp-response")
				http.ServeFile(rw, r, filepath.Join(o.dir, "response.der"))
			}))
			r := w.check()
			want(t, r, tc.status, tc.code)
			if tc.revoked && r.Reason != Superseded {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A request of ours is what OpenSSL makes of the same certificates.
func TestOpensslReadsRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := newOpenssl(t, w, "")
	if err := o.run("ocsp", "-issuer", "ca.pem", "-cert", "leaf.pem", "-no_nonce", "-reqout", "theirs.der"); err != nil {
		t.Fatal(err)
	}
	theirs, err := os.ReadFile(filepath.Join(o.dir, "theirs.der"))
	if err != nil {
		t.Fatal(err)
	}
	ours, _ := ocspRequest(question{cert: w.leaf(), issuer: w.ca()}, false)
	if string(ours) != string(theirs) {
		t.Errorf("%x\n%x", ours, theirs)
	}
	if id := testpki.CertID(w.leaf(), w.ca(), crypto.SHA1); string(ours[len(ours)-len(id):]) != string(id) {
		t.Errorf("%x does not end in %x", ours, id)
	}
}
