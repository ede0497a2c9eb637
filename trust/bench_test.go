package trust_test

import (
	"crypto/x509"
	"fmt"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/trust"
)

// policyOf returns a policy of n scopes, a hundred to a statement.
func policyOf(b testing.TB, n int) (*trust.Policy, []string) {
	b.Helper()
	scopes := numbered(n, "registry.example/team/product-%d")
	var statements []trust.StatementDocument
	for i := 0; i < n; i += 100 {
		statements = append(statements, scoped(fmt.Sprint("s", i), scopes[i:min(i+100, n)]...))
	}
	return mustPolicy(b, trust.OCIPolicy, append(statements, scoped("all", "*"))...), scopes
}

func BenchmarkForRepository(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		p, scopes := policyOf(b, n)
		for name, scope := range map[string]string{"exact": scopes[n/2], "any": "registry.example/other"} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := p.ForRepository(scope); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkParsePolicy(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		p, _ := policyOf(b, n)
		data, err := p.Document().Encode(trust.OCIPolicy)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := trust.ParsePolicy("", data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMatchIdentity(b *testing.B) {
	leaf := testpki.New(b, testpki.Options{}).Leaf()
	for _, n := range []int{1, 10, 100} {
		s := mustPolicy(b, trust.OCIPolicy, statement(func(s *trust.StatementDocument) {
			s.TrustedIdentities = append(numbered(n-1, "x509.subject: C=US, ST=WA, O=other-%d"), s.TrustedIdentities...)
		})).Statements()[0]
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok, err := s.MatchIdentity(leaf); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

func BenchmarkFind(b *testing.B) {
	root := testpki.New(b, testpki.Options{}).Root()
	s := trust.NewMemoryStores(map[trust.StoreRef][]*x509.Certificate{caAcme: {root}})
	refs := []trust.StoreRef{caAcme}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, err := s.Find(refs, root); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
