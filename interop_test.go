package notation_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// interopDir holds what another implementation signed. It is no part of the
// repository, and lies beside it where it is at hand.
func interopDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "shared", "interop")
	if _, err := os.Stat(filepath.Join(dir, "cases.json")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the interop cases are missing: %v", err)
		}
		t.Skipf("the interop cases are not there: %v", err)
	}
	return dir
}

type interopCase struct {
	Name   string   `json:"name"`
	Digest string   `json:"digest"`
	Key    string   `json:"key"`
	Format string   `json:"format"`
	Flags  []string `json:"flags"`
	Expect string   `json:"expect"`
}

func TestInterop(t *testing.T) {
	t.Parallel()
	dir := interopDir(t)
	var cases []interopCase
	if err := json.Unmarshal(read(t, filepath.Join(dir, "cases.json")), &cases); err != nil {
		t.Fatal(err)
	}
	for _, tt := range cases {
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			repo, err := layout.Open(filepath.Join(dir, tt.Name), layout.Options{Name: scope})
			if err != nil {
				t.Fatal(err)
			}
			root := read(t, filepath.Join(dir, "roots", tt.Key+".crt"))
			v := &notation.Verifier{
				Policy: policy(t, "strict", `"trustStores": ["ca:test"], "trustedIdentities": ["x509.subject: C=US, ST=WA, O=`+tt.Key+`"]`),
				Stores: stores(map[string][]*x509.Certificate{"ca:test": certificates(t, root)}),
			}
			v.Metadata = tt.metadata()
			tt.verify(t, v, repo)
			if strings.HasPrefix(tt.Name, "timestamped") {
				tt.verifyStamp(t, v, repo, dir)
			}
		})
	}
}

func (c interopCase) metadata() map[string]string {
	var m map[string]string
	for i, f := range c.Flags {
		if f == "-m" {
			if m == nil {
				m = map[string]string{}
			}
			key, value, _ := strings.Cut(c.Flags[i+1], "=")
			m[key] = value
		}
	}
	return m
}

func (c interopCase) verify(t *testing.T, v *notation.Verifier, repo oci.Repository) {
	t.Helper()
	for _, text := range []string{":v1", "@" + c.Digest} {
		_, ref, err := oci.ParseLayoutReference("layout" + text)
		if err != nil {
			t.Fatal(err)
		}
		verdict, err := v.Verify(t.Context(), repo, ref)
		switch {
		case c.Expect == "pass":
			if err != nil {
				t.Fatal(err)
			}
		case strings.HasPrefix(c.Expect, "fail under strict"):
			checkRefusal(t, verdict, err, notation.ErrRejected, reason.VerifyExpired)
			logging := *v
			logging.Policy = statement(t, `"signatureVerification": {"level": "strict", "override": {"expiry": "log"}}, "trustStores": ["ca:test"], "trustedIdentities": ["*"]`)
			if verdict, err = logging.Verify(t.Context(), repo, ref); err != nil {
				t.Fatal(err)
			}
			if f := finding(t, verdict.Signatures[0].Findings, notation.CheckExpiry); f.Outcome != notation.Logged {
				t.Errorf("finding %+v", f)
			}
		default:
			t.Fatalf("unknown expectation %q", c.Expect)
		}
		if !strings.HasSuffix(verdict.Reference, c.Digest) || string(verdict.Artifact.Digest) != c.Digest {
			t.Errorf("verified %s", verdict.Reference)
		}
		if mediaType := verdict.Signatures[0].MediaType; !strings.Contains(mediaType, map[string]string{"jws": "jose", "cose": "cose"}[c.Format]) {
			t.Errorf("media type %s", mediaType)
		}
	}
	// Another root of the same shape is not enough.
	other := *v
	other.Stores = trust.NewMemoryStores(nil)
	_, ref, err := oci.ParseLayoutReference("layout@" + c.Digest)
	if err != nil {
		t.Fatal(err)
	}
	verdict, err := other.Verify(t.Context(), repo, ref)
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.StoreNotFound)
}

// verifyStamp demands the time stamp, now and long after every certificate has
// expired.
func (c interopCase) verifyStamp(t *testing.T, v *notation.Verifier, repo oci.Repository, dir string) {
	t.Helper()
	_, ref, err := oci.ParseLayoutReference("layout@" + c.Digest)
	if err != nil {
		t.Fatal(err)
	}
	demanding := *v
	demanding.Policy = policy(t, "strict", `"trustStores": ["ca:test", "tsa:t"], "trustedIdentities": ["*"]`)
	demanding.Stores = stores(map[string][]*x509.Certificate{
		"ca:test": certificates(t, read(t, filepath.Join(dir, "roots", c.Key+".crt"))),
		"tsa:t":   certificates(t, read(t, filepath.Join(dir, "roots", "tsa.crt"))),
	})
	for _, v := range []*notation.Verifier{&demanding, at(&demanding, time.Now().AddDate(60, 0, 0))} {
		verdict, err := v.Verify(t.Context(), repo, ref)
		if err != nil {
			t.Fatal(err)
		}
		if stamp := verdict.Accepted().Timestamp; stamp == nil || stamp.Store != "tsa:t" || stamp.Time.IsZero() {
			t.Errorf("time stamp %+v", stamp)
		}
	}
	late := at(v, time.Now().AddDate(60, 0, 0)) // without a tsa store
	verdict, err := late.Verify(t.Context(), repo, ref)
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.CertExpired)
}

// TestInteropBlobs decides about signatures of files, by what they sign.
func TestInteropBlobs(t *testing.T) {
	t.Parallel()
	dir := interopDir(t)
	roots, err := filepath.Glob(filepath.Join(dir, "roots", "*.crt"))
	if err != nil {
		t.Fatal(err)
	}
	var anchors []*x509.Certificate
	for _, file := range roots {
		anchors = append(anchors, certificates(t, read(t, file))...)
	}
	v := &notation.Verifier{Policy: blobPolicy(t), Stores: stores(map[string][]*x509.Certificate{"ca:test": anchors})}
	for format, mediaType := range map[string]string{"jws": envelope.MediaTypeJWS, "cose": envelope.MediaTypeCOSE} {
		file := filepath.Join(dir, "blob-"+format, "blob.txt")
		blob, env := read(t, file), read(t, file+"."+format+".sig")
		verdict, err := v.VerifyBlob(t.Context(), bytes.NewReader(blob), env, notation.VerifyBlobOptions{})
		if err != nil {
			t.Errorf("%s: %v", format, err)
		} else if s := verdict.Accepted(); s.Store != "ca:test" || s.MediaType != mediaType {
			t.Errorf("%s: %+v", format, verdict)
		}
		verdict, err = v.VerifyBlob(t.Context(), strings.NewReader("another blob"), env, notation.VerifyBlobOptions{})
		checkRefusal(t, verdict, err, notation.ErrRejected, reason.VerifyOtherArtifact)
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func certificates(t testing.TB, text []byte) []*x509.Certificate {
	t.Helper()
	var certs []*x509.Certificate
	for b, rest := pem.Decode(text); b != nil; b, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 || bytes.Count(text, []byte("BEGIN")) != len(certs) {
		t.Fatal("no certificates")
	}
	return certs
}
