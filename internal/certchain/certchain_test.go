package certchain

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

var profiles = map[string]Profile{"code signing": CodeSigning, "time stamping": TimeStamping}

// attack: CRT-01
// attack: CRT-02
// attack: CRT-03
// attack: CRT-07
func TestEachRuleRefusesItsFixtures(t *testing.T) {
	t.Parallel()
	for profileName, profile := range profiles {
		for _, f := range fixtures() {
			if f.skip == profile {
				continue
			}
			t.Run(profileName+"/"+f.rule+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				chain := f.make(t, optionsFor(profile))
				want := append([]string{f.rule}, f.also...)
				want = slices.DeleteFunc(want, func(id string) bool {
					return !slices.ContainsFunc(Rules(profile), func(r Rule) bool { return r.ID == id })
				})
				slices.Sort(want)
				if got := ids(Lint(chain, profile)); !slices.Equal(got, want) {
					t.Errorf("violated %v, want %v", got, want)
				}
				checkError(t, Check(chain, profile))
			})
		}
	}
}

// checkError checks that the error has reasons that are documented and that it
// is safe to print.
func checkError(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	for _, code := range codes(err) {
		if !slices.ContainsFunc(reason.All(), func(e reason.Entry) bool { return e.Code == code }) {
			t.Errorf("reason %q is not documented", code)
		}
	}
	if reason.Hint(err) == "" {
		t.Errorf("%v: no hint", err)
	}
	for _, r := range err.Error() + reason.Hint(err) {
		if !unicode.IsPrint(r) {
			t.Errorf("%q: %U is not safe to print", err, r)
		}
	}
}

func TestEachRuleHasAFixture(t *testing.T) {
	t.Parallel()
	for _, profile := range profiles {
		for _, r := range Rules(profile) {
			if !slices.ContainsFunc(fixtures(), func(f fixture) bool { return f.rule == r.ID }) {
				t.Errorf("rule %s has no fixture", r.ID)
			}
		}
	}
}

func TestRulesAreDocumented(t *testing.T) {
	t.Parallel()
	for name, profile := range profiles {
		seen := make(map[string]bool)
		for _, r := range Rules(profile) {
			if r.ID == "" || seen[r.ID] {
				t.Errorf("%s: rule %q has no name of its own", name, r.ID)
			}
			seen[r.ID] = true
			if r.Source == "" || !strings.HasSuffix(r.Explain, ".") || !strings.HasSuffix(r.Remedy, ".") {
				t.Errorf("rule %s lacks source, explanation or remedy", r.ID)
			}
			if !slices.ContainsFunc(reason.All(), func(e reason.Entry) bool { return e.Code == r.Code }) {
				t.Errorf("rule %s: reason %q is not documented", r.ID, r.Code)
			}
		}
	}
	if Rules(0) != nil || Rules(3) != nil {
		t.Error("rules of no profile")
	}
}

func TestRulesAreACopy(t *testing.T) {
	t.Parallel()
	rules := Rules(CodeSigning)
	clear(rules)
	if Rules(CodeSigning)[0].ID == "" {
		t.Error("the table was changed")
	}
}

func TestAcceptsGoodChains(t *testing.T) {
	t.Parallel()
	for profileName, profile := range profiles {
		for _, algorithm := range testpki.Algorithms() {
			for _, length := range []int{1, 2, 3, 10} {
				t.Run(fmt.Sprintf("%s/%s/%d", profileName, algorithm, length), func(t *testing.T) {
					t.Parallel()
					o := optionsFor(profile)
					o.Algorithm, o.Length = algorithm, length
					if err := Check(testpki.New(t, o).Certs, profile); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

func TestNoProfileAcceptsNothing(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{}).Certs
	for _, p := range []Profile{0, 3, 255} {
		err := Check(chain, p)
		if reason.Of(err) != reason.CertProfile {
			t.Errorf("profile %d: %v", p, err)
		}
		checkError(t, err)
	}
}

// attack: CRT-01
func TestProfilesAreNotInterchangeable(t *testing.T) {
	t.Parallel()
	for _, tsa := range []bool{false, true} {
		profile := TimeStamping
		if tsa {
			profile = CodeSigning
		}
		err := Check(testpki.New(t, testpki.Options{TSA: tsa}).Certs, profile)
		if reason.Of(err) != reason.CertLeafExtendedKeyUsage {
			t.Errorf("TSA %v: %v", tsa, err)
		}
	}
}

func TestCheckJoinsAllViolations(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{Modify: func(i int, c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, keyUsage(false, 0x01), basicConstraints(false))
	}}).Certs
	violations := Lint(chain, CodeSigning)
	err := Check(chain, CodeSigning)
	all, ok := err.(interface{ Unwrap() []error })
	if !ok || len(all.Unwrap()) != len(violations) || len(violations) <= maxReported {
		t.Fatalf("%d violations: %v", len(violations), err)
	}
	for i, err := range all.Unwrap() {
		var e *reason.Error
		if !errors.As(err, &e) || e.Code != violations[i].Rule.Code || e.Error() != violations[i].Error() {
			t.Errorf("%v is not %v", err, violations[i])
		}
	}
	if reason.Of(err) != violations[0].Rule.Code {
		t.Errorf("reason %q", reason.Of(err))
	}
	text := err.Error()
	if strings.Count(text, "; ") != maxReported ||
		!strings.HasSuffix(text, fmt.Sprintf("; and %d more", len(violations)-maxReported)) ||
		strings.ContainsRune(text, '\n') {
		t.Error(text)
	}
	checkError(t, err)
}

func TestMessageNamesTheCertificate(t *testing.T) {
	t.Parallel()
	chain := rebuilt(1, func(r *testpki.Raw) {
		r.Serial = []byte{0}
		r.Subject = testpki.Name(testpki.RDN(testpki.Attribute("2.5.4.3", testpki.UTF8String, []byte("a,\x1b[2J\u202e"))))
	})(t, testpki.Options{})
	violations := Lint(chain, CodeSigning)
	const want = `certificate 2 of 3 (CN=a\,\1B[2J\E2\80\AE) has the serial number zero`
	if violations[0].Error() != want || violations[0].Position != 1 {
		t.Errorf("got %q, want %q", violations[0].Error(), want)
	}
}

// attack: CRT-02
func TestChainMessages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		make maker
		want string // end of a violation
	}{
		{"certificate twice", reordered(0, 1, 2, 2), "is certificate 3 once more"},
		{"certificate twice, issued anew", func(t testing.TB, o testpki.Options) []*x509.Certificate {
			c := testpki.New(t, o)
			return append(c.Certs, testpki.Reissue(t, c.Certs[2], c.Certs[2], c.Keys[2]))
		}, "has the name and key of certificate 3"},
		{"root missing", reordered(0, 1), "ends the chain and is not self-signed: its issuer is missing"},
		{"root signed by another key", func(t testing.TB, o testpki.Options) []*x509.Certificate {
			c := testpki.New(t, o)
			c.Certs[2] = testpki.Parse(t, testpki.RawFrom(c.Root()).Sign(t, ecKey(t, 7), x509.ECDSAWithSHA256))
			return c.Certs
		}, "is not signed by its own key, as a root is"},
		{"gap", reordered(0, 2), "was issued by a certificate that is not in the chain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			violations := Lint(c.make(t, testpki.Options{}), CodeSigning)
			if len(violations) != 1 || violations[0].Detail != c.want {
				t.Errorf("got %v, want %s", violations, c.want)
			}
		})
	}
}

// A certificate that no parser made must not crash a rule.
func TestHollowCertificates(t *testing.T) {
	t.Parallel()
	for _, profile := range profiles {
		for length := 1; length <= 3; length++ {
			chain := make([]*x509.Certificate, length)
			for i := range chain {
				chain[i] = &x509.Certificate{}
			}
			checkError(t, Check(chain, profile))
		}
	}
}
