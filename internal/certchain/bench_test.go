package certchain

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"crypto"

	"github.com/notaryv2/notation/internal/testpki"
)

// BenchmarkCheck compares the rules with the bare public-key operations on the
// same three certificates.
func BenchmarkCheck(b *testing.B) {
	for _, algorithm := range []string{"rsa-2048", "ec-256"} {
		chain := testpki.New(b, testpki.Options{Algorithm: algorithm}).Certs
		b.Run(algorithm+"/check", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Check(chain, CodeSigning); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(algorithm+"/bare", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for i, cert := range chain {
					bareVerify(b, cert, chain[min(i+1, len(chain)-1)])
				}
			}
		})
	}
}

func bareVerify(b *testing.B, cert, issuer *x509.Certificate) {
	digest := sha256.Sum256(cert.RawTBSCertificate)
	switch key := issuer.PublicKey.(type) {
	case *rsa.PublicKey:
		if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], cert.Signature); err != nil {
			b.Fatal(err)
		}
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(key, digest[:], cert.Signature) {
			b.Fatal("bad signature")
		}
	}
}

func BenchmarkParseChain(b *testing.B) {
	der := testpki.New(b, testpki.Options{}).DER()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(der); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRules is what the rules cost without the signatures, at most.
func BenchmarkRules(b *testing.B) {
	chain := reordered(0, 1)(b, testpki.Options{})
	for _, c := range chain {
		c.SignatureAlgorithm = x509.SHA1WithRSA
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(Lint(chain, CodeSigning)) == 0 {
			b.Fatal("no violation")
		}
	}
}
