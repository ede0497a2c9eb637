package signer_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
)

func block(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

func sec1(t testing.TB, chain *testpki.Chain) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(chain.Key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	return block("EC PRIVATE KEY", der)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestFromPEM(t *testing.T) {
	t.Parallel()
	ec, rsaChain := testpki.New(t, testpki.Options{}), testpki.New(t, testpki.Options{Algorithm: "rsa-2048"})
	pkcs1 := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaChain.Key.(*rsa.PrivateKey)))
	bag := []byte("Bag Attributes\n    friendlyName: key\n")
	for _, tt := range []struct {
		name       string
		key, certs []byte
	}{
		{"PKCS#8", ec.KeyPEM(), ec.CertPEM()},
		{"SEC 1", sec1(t, ec), ec.CertPEM()},
		{"SEC 1 with parameters", join(block("EC PARAMETERS", []byte{6, 0}), sec1(t, ec)), ec.CertPEM()},
		{"PKCS#1", pkcs1, rsaChain.CertPEM()},
		{"text around", join(bag, ec.KeyPEM(), bag), join(bag, ec.CertPEM())},
		{"CRLF", bytes.ReplaceAll(ec.KeyPEM(), []byte("\n"), []byte("\r\n")), bytes.ReplaceAll(ec.CertPEM(), []byte("\n"), []byte("\r\n"))},
		{"one file", join(ec.KeyPEM(), ec.CertPEM()), join(ec.KeyPEM(), ec.CertPEM())},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := signer.FromPEM(tt.key, tt.certs)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Sign(t.Context(), request(envelope.MediaTypeJWS)); err != nil {
				t.Error(err)
			}
		})
	}
}

// attack: KEY-02
// attack: KEY-04
func TestFromPEMRefuses(t *testing.T) {
	t.Parallel()
	ec, other := testpki.New(t, testpki.Options{}), testpki.New(t, testpki.Options{KeySet: 1})
	agreement, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x25519, err := x509.MarshalPKCS8PrivateKey(agreement)
	if err != nil {
		t.Fatal(err)
	}
	legacy := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte{1}, Headers: map[string]string{
		"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00",
	}})
	cut := ec.CertPEM()[:len(ec.CertPEM())-20]
	for _, tt := range []struct {
		name       string
		key, certs []byte
		code       reason.Code
		hint       string // a part of it
	}{
		{"empty key", nil, ec.CertPEM(), reason.SignerKeyMissing, "file of the private key"},
		{"certificate as key", ec.CertPEM(), ec.CertPEM(), reason.SignerKeyMissing, "file of the private key"},
		{"swapped", ec.CertPEM(), ec.KeyPEM(), reason.SignerKeyMissing, "file of the private key"},
		{"public key", block("PUBLIC KEY", []byte{1}), ec.CertPEM(), reason.SignerKeyFormat, ""},
		{"two keys", join(ec.KeyPEM(), other.KeyPEM()), ec.CertPEM(), reason.SignerKeyFormat, "the one key"},
		{"encrypted PKCS#8", block("ENCRYPTED PRIVATE KEY", []byte{1}), ec.CertPEM(), reason.SignerKeyEncrypted, "--key-passphrase-file"},
		{"encrypted PKCS#1", legacy, ec.CertPEM(), reason.SignerKeyEncrypted, "--key-passphrase-file"},
		{"OpenSSH", block("OPENSSH PRIVATE KEY", []byte{1}), ec.CertPEM(), reason.SignerKeyFormat, "PKCS#8"},
		{"bad PKCS#8", block("PRIVATE KEY", []byte{1}), ec.CertPEM(), reason.SignerKeyFormat, ""},
		{"bad PKCS#1", block("RSA PRIVATE KEY", []byte{1}), ec.CertPEM(), reason.SignerKeyFormat, ""},
		{"bad SEC 1", block("EC PRIVATE KEY", []byte{1}), ec.CertPEM(), reason.SignerKeyFormat, ""},
		{"X25519", block("PRIVATE KEY", x25519), ec.CertPEM(), reason.SignerKeyAlgorithm, ""},
		{"DER key", []byte{0x30, 0}, ec.CertPEM(), reason.SignerKeyFormat, "outform PEM"},
		{"cut key", ec.KeyPEM()[:80], ec.CertPEM(), reason.SignerKeyFormat, "END line"},
		{"large key", block("PRIVATE KEY", make([]byte, 65<<10)), ec.CertPEM(), reason.SignerKeyFormat, ""},
		{"large file", []byte(strings.Repeat(" ", 2<<20)), ec.CertPEM(), reason.SignerKeyFormat, ""},
		{"empty chain", ec.KeyPEM(), nil, reason.SignerCertificates, "certificate of the key"},
		{"key as certificate", ec.KeyPEM(), ec.KeyPEM(), reason.SignerCertificates, "certificate of the key"},
		{"other block", ec.KeyPEM(), join(ec.CertPEM(), block("X509 CRL", []byte{1})), reason.SignerCertificates, ""},
		{"cut chain", ec.KeyPEM(), cut, reason.SignerCertificates, "END line"},
		{"DER certificate", ec.KeyPEM(), ec.Certs[0].Raw, reason.SignerCertificates, "outform PEM"},
		{"bad certificate", ec.KeyPEM(), block("CERTIFICATE", []byte{1}), reason.SignerCertificates, ""},
		{"large chain", ec.KeyPEM(), []byte(strings.Repeat(" ", 2<<20)), reason.SignerCertificates, ""},
		{"other key", other.KeyPEM(), ec.CertPEM(), reason.SignerKeyMismatch, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := signer.FromPEM(tt.key, tt.certs)
			if s != nil || reason.Of(err) != tt.code {
				t.Fatalf("%s: %v", reason.Of(err), err)
			}
			if !strings.Contains(reason.Hint(err), tt.hint) {
				t.Errorf("hint %q", reason.Hint(err))
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q is more than a line", err)
			}
		})
	}
}

func FuzzFromPEM(f *testing.F) {
	ec := testpki.New(f, testpki.Options{})
	rsaChain := testpki.New(f, testpki.Options{Algorithm: "rsa-2048", Length: 1})
	f.Add(ec.KeyPEM(), ec.CertPEM())
	f.Add(rsaChain.KeyPEM(), rsaChain.CertPEM())
	f.Add(sec1(f, ec), ec.CertPEM())
	f.Add(block("ENCRYPTED PRIVATE KEY", []byte{1}), block("CERTIFICATE", []byte{0x30, 0}))
	f.Fuzz(func(t *testing.T, key, certs []byte) {
		s, err := signer.FromPEM(key, certs)
		if (s == nil) != (err != nil) || err != nil && reason.Of(err) == "" {
			t.Errorf("%v, %v", s, err)
		}
	})
}
