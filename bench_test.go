package notation_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
	"testing"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/trust"
)

// benchCase is an envelope with what it takes to verify it.
type benchCase struct {
	name      string
	mediaType string
	chain     *testpki.Chain
	env       []byte
}

func benchCases(b *testing.B) []benchCase {
	b.Helper()
	cases := []benchCase{
		{name: "RSA-2048-JWS", mediaType: envelope.MediaTypeJWS, chain: testpki.New(b, testpki.Options{Algorithm: "rsa-2048"})},
		{name: "P-256-COSE", mediaType: envelope.MediaTypeCOSE, chain: testpki.New(b, testpki.Options{Algorithm: "ec-256"})},
	}
	for i := range cases {
		cases[i].env = seal(b, cases[i].chain, envelope.Request{MediaType: cases[i].mediaType, Target: target()})
	}
	return cases
}

// BenchmarkVerifyEnvelope is to be read beside BenchmarkBare: it may cost at
// most 1.35 times as much. Nothing is cached between runs but the trust store.
func BenchmarkVerifyEnvelope(b *testing.B) { benchmarkVerify(b, nil) }

// BenchmarkVerifyEnvelopeSeen is the same with a chain that was seen before, for
// which the limit is 1.1.
func BenchmarkVerifyEnvelopeSeen(b *testing.B) { benchmarkVerify(b, notation.NewCache()) }

func benchmarkVerify(b *testing.B, cache *notation.Cache) {
	for _, bc := range benchCases(b) {
		b.Run(bc.name, func(b *testing.B) {
			v := verifierFor(b, bc.chain)
			v.Policy = policy(b, "strict", `"trustStores": ["ca:test"], "trustedIdentities": ["x509.subject: C=US, ST=WA, O=wabbit-networks.io"]`)
			v.Cache = cache
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.VerifyEnvelope(b.Context(), bc.env, bc.mediaType, target(), scope); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBare is the public-key operations of the same chain and signature
// and nothing else: certificates are parsed and digests are made beforehand.
func BenchmarkBare(b *testing.B) {
	for _, bc := range benchCases(b) {
		b.Run(bc.name, func(b *testing.B) {
			ops := bareOperations(b, bc)
			b.ReportAllocs()
			for b.Loop() {
				for _, op := range ops {
					if !op() {
						b.Fatal("does not verify")
					}
				}
			}
		})
	}
}

func bareOperations(b *testing.B, bc benchCase) []func() bool {
	b.Helper()
	var ops []func() bool
	certs := bc.chain.Certs
	for i, cert := range certs {
		issuer := certs[min(i+1, len(certs)-1)]
		ops = append(ops, bareOperation(issuer.PublicKey, sha256.Sum256(cert.RawTBSCertificate), cert.Signature, false))
	}
	message := []byte("any message costs the same")
	sum := sha256.Sum256(message)
	if key, ok := bc.chain.Key.(*rsa.PrivateKey); ok {
		sig, err := key.Sign(rand.Reader, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
		if err != nil {
			b.Fatal(err)
		}
		return append(ops, bareOperation(&key.PublicKey, sum, sig, true))
	}
	raw := rawECDSA(b, bc.chain.Key, message)
	pub := bc.chain.Key.Public().(*ecdsa.PublicKey)
	r, s := new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])
	return append(ops, func() bool { return ecdsa.Verify(pub, sum[:], r, s) })
}

func bareOperation(pub any, sum [32]byte, sig []byte, pss bool) func() bool {
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		if pss {
			return func() bool { return rsa.VerifyPSS(pub, crypto.SHA256, sum[:], sig, nil) == nil }
		}
		return func() bool { return rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], sig) == nil }
	case *ecdsa.PublicKey:
		return func() bool { return ecdsa.VerifyASN1(pub, sum[:], sig) }
	}
	return func() bool { return false }
}

func BenchmarkSign(b *testing.B) {
	for _, bc := range benchCases(b) {
		b.Run(bc.name, func(b *testing.B) {
			repo := newFakeRepo()
			artifact := repo.push("v1", "artifact")
			key, ref := signerFor(b, bc.chain), byDigest(b, artifact)
			b.ReportAllocs()
			for b.Loop() {
				repo.listings[artifact.Digest] = nil
				if _, err := notation.Sign(b.Context(), repo, ref, key, notation.SignOptions{MediaType: bc.mediaType}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerify is a whole verification against a repository in memory.
func BenchmarkVerify(b *testing.B) {
	for _, bc := range benchCases(b) {
		b.Run(bc.name, func(b *testing.B) {
			repo := newFakeRepo()
			artifact := repo.push("v1", "artifact")
			repo.signAs(b, artifact, bc.chain, notation.SignOptions{MediaType: bc.mediaType})
			v, ref := verifierFor(b, bc.chain), byDigest(b, artifact)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), repo, ref); err != nil {
					b.Fatal(err)
				}
				repo.requests = repo.requests[:0]
			}
		})
	}
}

// BenchmarkLargeStore verifies against a trust store of many roots.
func BenchmarkLargeStore(b *testing.B) {
	bc := benchCases(b)[1]
	anchors := []*x509.Certificate{}
	for i := range 200 {
		anchors = append(anchors, testpki.New(b, testpki.Options{Length: 1, KeySet: i % 3}).Root())
	}
	v := verifierFor(b, bc.chain)
	v.Stores = trust.NewMemoryStores(map[trust.StoreRef][]*x509.Certificate{
		{Type: trust.CA, Name: "test"}: append(anchors, bc.chain.Root()),
	})
	if _, err := v.VerifyEnvelope(b.Context(), bc.env, bc.mediaType, target(), scope); err != nil { // loads the store
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.VerifyEnvelope(b.Context(), bc.env, bc.mediaType, target(), scope); err != nil {
			b.Fatal(err)
		}
	}
}
