package certchain

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/notaryv2/notation/reason"
)

// readPEM returns the certificates of a chain that OpenSSL made.
func readPEM(t testing.TB, name string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "openssl", name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	var der [][]byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		der = append(der, block.Bytes)
	}
	return der
}

// TestAgreesWithOpenSSL judges chains that OpenSSL made. What it refuses with
// -x509_strict, we refuse; of what it accepts we refuse SHA-1.
func TestAgreesWithOpenSSL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		openssl bool
		profile Profile
		want    []reason.Code
	}{
		{"ec-256", true, CodeSigning, nil},
		{"ec-521", true, CodeSigning, nil},
		{"rsa-3072", true, CodeSigning, nil},
		{"rsa-pss", true, CodeSigning, nil},
		{"tsa", true, TimeStamping, nil},
		{"host-name-constraints", true, CodeSigning, nil},
		{"bad-sha1", true, CodeSigning, []reason.Code{reason.CertSignatureHash}},
		{"bad-tsa-not-critical", false, TimeStamping, []reason.Code{reason.CertLeafExtendedKeyUsage}},
		{"bad-intermediate-no-ca", false, CodeSigning, []reason.Code{reason.CertCABasicConstraints, reason.CertCAKeyUsage}},
		{"bad-intermediate-no-cert-sign", false, CodeSigning, []reason.Code{reason.CertCAKeyUsage}},
		{"bad-intermediate-not-critical", false, CodeSigning, []reason.Code{reason.CertCABasicConstraints}},
		{"bad-critical-extension", false, CodeSigning, []reason.Code{reason.CertUnknownCriticalExtension}},
		{"bad-name-constraints", false, CodeSigning, []reason.Code{reason.CertNameConstraints}},
		{"bad-path-length", false, CodeSigning, []reason.Code{reason.CertPathLength}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			chain, err := Parse(readPEM(t, c.name))
			if err != nil {
				t.Fatal(err)
			}
			got := codes(Check(chain, c.profile))
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if !c.openssl && len(got) == 0 {
				t.Error("OpenSSL refuses it, we do not")
			}
		})
	}
}
