package notation_test

import (
	"fmt"
	"testing"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
)

// BenchmarkVerifyLast verifies an artifact in memory by the only trusted of its
// signatures, which is listed last: once with the annotations that say whose a
// signature is, and once without any.
func BenchmarkVerifyLast(b *testing.B) {
	for _, plain := range []bool{false, true} {
		for _, n := range []int{1, 100, 1000} {
			name := map[bool]string{false: "annotated", true: "plain"}[plain]
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) { benchmarkVerifyLast(b, n, plain) })
		}
	}
}

func benchmarkVerifyLast(b *testing.B, n int, plain bool) {
	trusted := testpki.New(b, testpki.Options{Algorithm: "ec-256"})
	stranger := testpki.New(b, testpki.Options{Name: "stranger.example", KeySet: 1, Algorithm: "ec-256"})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	for i := range n {
		chain := stranger
		if i == n-1 {
			chain = trusted
		}
		env := seal(b, chain, envelope.Request{Target: artifact})
		annotations := thumbprints(chain)
		if plain {
			annotations = nil
		}
		repo.attachEnvelope(b, artifact, env, annotations)
	}
	v, ref := verifierFor(b, trusted), byDigest(b, artifact)
	v.MaxSignatures = n
	b.ReportAllocs()
	for b.Loop() {
		verdict, err := v.Verify(b.Context(), repo, ref)
		if err != nil || verdict.Outcome != notation.Passed {
			b.Fatal(verdict, err)
		}
		repo.requests = repo.requests[:0]
	}
}
