package certchain

import (
	"crypto/x509/pkix"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// TestLintCertificate finds by itself what Lint finds in the chain, and nothing
// that takes the other certificates to see.
func TestLintCertificate(t *testing.T) {
	t.Parallel()
	for _, profile := range []Profile{CodeSigning, TimeStamping} {
		for _, f := range fixtures() {
			if f.skip == profile || f.rule == "chain-present" || f.rule == "chain-length" {
				continue
			}
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				chain := f.make(t, testpki.Options{TSA: profile == TimeStamping})
				want := map[string]bool{}
				for _, v := range Lint(chain, profile) {
					if v.Rule.Single() || v.Rule.ID == "certificate-size" {
						want[v.Rule.ID] = true
					}
				}
				got := map[string]bool{}
				for i, c := range chain {
					role := Issuer
					if i == 0 {
						role = Leaf
					}
					for _, v := range LintCertificate(c, role, profile) {
						got[v.Rule.ID] = true
						if v.Detail == "" || v.Error() == "" {
							t.Errorf("%s says nothing", v.Rule.ID)
						}
					}
				}
				for id := range want {
					if !got[id] {
						t.Errorf("%s is not found", id)
					}
				}
				for id := range got {
					if !want[id] && !want["certificate-size"] {
						t.Errorf("%s is found in the certificate and not in the chain", id)
					}
				}
			})
		}
	}
}

func TestLintCertificateBounds(t *testing.T) {
	t.Parallel()
	c := testpki.New(t, testpki.Options{})
	if got := LintCertificate(c.Leaf(), 0, CodeSigning); len(got) != 1 {
		t.Errorf("no role: %v", got)
	}
	if got := LintCertificate(c.Leaf(), Leaf, 0); len(got) != 1 {
		t.Errorf("no profile: %v", got)
	}
	if got := LintCertificate(nil, Leaf, CodeSigning); len(got) != 1 || got[0].Rule.ID != "chain-present" {
		t.Errorf("no certificate: %v", got)
	}
	big := *c.Leaf()
	big.Extensions = make([]pkix.Extension, maxExtensions+1)
	if got := LintCertificate(&big, Leaf, CodeSigning); len(got) != 1 || got[0].Rule.ID != "certificate-size" {
		t.Errorf("too large: %v", got)
	}
	for _, r := range Rules(CodeSigning) {
		if r.LeafOnly() != (r.applies == leafOnly) || r.Single() && r.applies == wholeChain {
			t.Errorf("%s", r.ID)
		}
	}
}
