package notation_test

import (
	"crypto/x509"
	"math/big"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/revocation"
)

// BenchmarkVerifyStamped verifies a signature with a time stamp. It is to be
// read beside BenchmarkBareStamped, the public-key operations of the same
// chains, signature and token.
func BenchmarkVerifyStamped(b *testing.B) {
	bc, tsa := stampedCase(b)
	v := stampVerifier(b, strictly, bc.chain, tsa)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.VerifyEnvelope(b.Context(), bc.env, bc.mediaType, target(), scope); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBareStamped(b *testing.B) {
	bc, tsa := stampedCase(b)
	ops := append(bareOperations(b, bc), bareOperations(b, benchCase{chain: tsa})...)
	runBare(b, ops)
}

func stampedCase(b *testing.B) (benchCase, *testpki.Chain) {
	b.Helper()
	chain, tsa := testpki.New(b, testpki.Options{}), newTSA(b, time.Now(), testpki.Options{})
	return benchCase{mediaType: envelope.MediaTypeJWS, chain: chain, env: stamped(b, chain, tsa, envelope.Request{})}, tsa.Chain
}

func runBare(b *testing.B, ops []func() bool) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		for _, op := range ops {
			if !op() {
				b.Fatal("does not verify")
			}
		}
	}
}

// BenchmarkVerifyRevocation verifies a signature whose chain has two OCSP
// answers in the cache, in memory or on disk: they are judged again each time.
// It is to be read beside BenchmarkBareRevocation.
func BenchmarkVerifyRevocation(b *testing.B) {
	for _, where := range []string{"memory", "disk"} {
		b.Run(where, func(b *testing.B) {
			bc, requests := revocationCase(b)
			o := revocation.Options{}
			if where == "disk" {
				o.CacheDir = b.TempDir()
			}
			v := verifierFor(b, bc.chain)
			v.Revocation = revocation.New(o)
			if _, err := v.VerifyEnvelope(b.Context(), bc.env, bc.mediaType, target(), scope); err != nil { // fills the cache
				b.Fatal(err)
			}
			asked := requests.Load()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.VerifyEnvelope(b.Context(), bc.env, bc.mediaType, target(), scope); err != nil {
					b.Fatal(err)
				}
			}
			if requests.Load() != asked {
				b.Errorf("%d requests were made", requests.Load()-asked)
			}
		})
	}
}

func BenchmarkBareRevocation(b *testing.B) {
	bc, _ := revocationCase(b)
	ops := bareOperations(b, bc)
	runBare(b, append(ops, ops[0], ops[1])) // an answer is signed by the same keys
}

func revocationCase(b *testing.B) (benchCase, *atomic.Int32) {
	b.Helper()
	var responder atomic.Pointer[http.Handler]
	address, requests := serve(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*responder.Load()).ServeHTTP(w, r) }))
	chain := testpki.New(b, testpki.Options{Modify: func(i int, c *x509.Certificate) {
		if i < 2 {
			c.OCSPServer = []string{address}
		}
	}})
	h := goodResponder(b, chain)
	responder.Store(&h)
	return benchCase{mediaType: envelope.MediaTypeJWS, chain: chain, env: seal(b, chain, envelope.Request{Target: target()})}, requests
}

// goodResponder says of every certificate of a chain that it is good.
func goodResponder(t testing.TB, chain *testpki.Chain) http.Handler {
	t.Helper()
	return testpki.OCSPHandler(func(serial, _ []byte) []byte {
		i := 0
		for i < len(chain.Certs)-2 && new(big.Int).SetBytes(serial).Cmp(chain.Certs[i].SerialNumber) != 0 {
			i++
		}
		return testpki.NewOCSP(chain.Certs[i], chain.Certs[i+1], time.Now().Add(-time.Minute)).Sign(t, chain.Keys[i+1])
	})
}
