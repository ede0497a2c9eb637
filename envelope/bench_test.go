package envelope_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"math/big"
	"testing"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
)

var benchKeys = []string{"rsa-2048", "ec-256"}

func BenchmarkParseJWS(b *testing.B)  { benchmarkParse(b, envelope.MediaTypeJWS) }
func BenchmarkParseCOSE(b *testing.B) { benchmarkParse(b, envelope.MediaTypeCOSE) }

func benchmarkParse(b *testing.B, mediaType string) {
	for _, key := range benchKeys {
		b.Run(key, func(b *testing.B) {
			data := seal(b, request(mediaType), testpki.New(b, testpki.Options{Algorithm: key}))
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := envelope.Parse(mediaType, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyJWS(b *testing.B)  { benchmarkVerify(b, envelope.MediaTypeJWS) }
func BenchmarkVerifyCOSE(b *testing.B) { benchmarkVerify(b, envelope.MediaTypeCOSE) }

// benchmarkVerify measures reading and verifying, from the bytes on.
// BenchmarkBare is what it is to be compared with.
func benchmarkVerify(b *testing.B, mediaType string) {
	for _, key := range benchKeys {
		b.Run(key, func(b *testing.B) {
			data := seal(b, request(mediaType), testpki.New(b, testpki.Options{Algorithm: key}))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := verify(mediaType, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBare makes only the public-key operations that verifying a chain of
// three and a signature needs: four, each with its hash, on parsed keys.
func BenchmarkBare(b *testing.B) {
	for _, key := range benchKeys {
		b.Run(key, func(b *testing.B) {
			ops := bareOperations(b, key)
			b.ReportAllocs()
			for b.Loop() {
				for _, op := range ops {
					op()
				}
			}
		})
	}
}

func bareOperations(b *testing.B, key string) []func() {
	chain := testpki.New(b, testpki.Options{Algorithm: key})
	message := make([]byte, 800) // about the size of a signing input
	hash := algorithms[key].Hash()
	signature := sign(b, chain.Key, hash, message)
	must := func(ok bool) {
		if !ok {
			b.Fatal("signature refused")
		}
	}
	var ops []func()
	for i, cert := range chain.Certs {
		issuer := chain.Certs[min(i+1, len(chain.Certs)-1)].PublicKey
		ops = append(ops, func() {
			d := digestOf(hash, cert.RawTBSCertificate)
			if pub, ok := issuer.(*rsa.PublicKey); ok {
				must(rsa.VerifyPKCS1v15(pub, hash, d, cert.Signature) == nil)
				return
			}
			must(ecdsa.VerifyASN1(issuer.(*ecdsa.PublicKey), d, cert.Signature))
		})
	}
	return append(ops, func() {
		d := digestOf(hash, message)
		if pub, ok := chain.Leaf().PublicKey.(*rsa.PublicKey); ok {
			must(rsa.VerifyPSS(pub, hash, d, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil)
			return
		}
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		must(ecdsa.Verify(chain.Leaf().PublicKey.(*ecdsa.PublicKey), d, r, s))
	})
}

func digestOf(hash crypto.Hash, message []byte) []byte {
	h := hash.New()
	h.Write(message)
	return h.Sum(nil)
}

func BenchmarkSign(b *testing.B) {
	for _, mediaType := range mediaTypes {
		for _, key := range benchKeys {
			b.Run(mediaType+"/"+key, func(b *testing.B) {
				chain := testpki.New(b, testpki.Options{Algorithm: key})
				b.ReportAllocs()
				for b.Loop() {
					seal(b, request(mediaType), chain)
				}
			})
		}
	}
}
