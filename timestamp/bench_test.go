package timestamp_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/timestamp"
)

var benchKeys = []string{"rsa-2048", "ec-256"}

func BenchmarkParse(b *testing.B) {
	token := newTSA(b, testpki.Options{}).Stamp(b, message, crypto.SHA256)
	b.ReportAllocs()
	b.SetBytes(int64(len(token)))
	for b.Loop() {
		if _, err := timestamp.Parse(token); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify measures reading and verifying, from the bytes on.
// BenchmarkBare is what it is to be compared with.
func BenchmarkVerify(b *testing.B) {
	for _, key := range benchKeys {
		b.Run(key, func(b *testing.B) {
			tsa := newTSA(b, testpki.Options{Algorithm: key})
			token := tsa.Stamp(b, message, crypto.SHA256)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := verify(token, message, tsa.Root()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBare makes only the public-key operations that verifying a token
// with a chain of three needs: four, each with its hash, on parsed keys.
func BenchmarkBare(b *testing.B) {
	for _, key := range benchKeys {
		b.Run(key, func(b *testing.B) {
			tsa := newTSA(b, testpki.Options{Algorithm: key})
			b.ReportAllocs()
			for b.Loop() {
				for i, c := range tsa.Certs {
					bare(b, tsa.Certs[min(i+1, 2)].PublicKey, c.RawTBSCertificate, c.Signature)
				}
				bare(b, tsa.Root().PublicKey, tsa.Root().RawTBSCertificate, tsa.Root().Signature)
			}
		})
	}
}

func bare(b *testing.B, key crypto.PublicKey, signed, signature []byte) {
	h := crypto.SHA256.New()
	h.Write(signed)
	digest := h.Sum(nil)
	ok := false
	switch key := key.(type) {
	case *rsa.PublicKey:
		ok = rsa.VerifyPKCS1v15(key, crypto.SHA256, digest, signature) == nil
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(key, digest, signature)
	}
	if !ok {
		b.Fatal("signature refused")
	}
}
