package trust_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// TestRefusedPolicies checks code, line and member of each fault.
//
// attack: POL-01
func TestRefusedPolicies(t *testing.T) {
	t.Parallel()
	for name, tt := range refusedPolicies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parse := trust.ParsePolicy
			if tt.blob {
				parse = trust.ParseBlobPolicy
			}
			p, err := parse("policy.json", []byte(tt.text))
			if p != nil {
				t.Error("a policy is returned")
			}
			wantCode(t, err, tt.codes...)
			var got []string
			for _, e := range each(err) {
				got = append(got, e.Error())
			}
			for i, want := range tt.messages {
				if i >= len(got) || !strings.HasPrefix(got[i], "policy.json:"+want) {
					t.Errorf("message %d of %q does not begin with %q", i, got, "policy.json:"+want)
				}
			}
		})
	}
}

// attack: POL-01
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	text := oci(`"two"`, `"one"`, `"strict"`, `"lax"`, `["ca:all", "tsa:all"]`, `["ca:all", "ca:all"]`)
	_, err := trust.ParsePolicy("", []byte(text))
	wantCode(t, err, reason.PolicyLevel, reason.PolicyName, reason.PolicyStore)
	if got, want := each(err)[0].Error(), "trust policy:7: trustPolicies[0].signatureVerification.level: "; !strings.HasPrefix(got, want) {
		t.Errorf("%q does not begin with %q", got, want)
	}

	_, err = document(statement(func(s *trust.StatementDocument) {
		s.RegistryScopes = slices.Repeat([]string{"registry.example/a"}, 1000)
	})).Policy(trust.OCIPolicy, "file\x1b.json")
	checkError(t, err)
	errs := each(err)
	if len(errs) != trust.MaxProblems+1 || !strings.HasPrefix(errs[trust.MaxProblems].Error(), "and more") {
		t.Errorf("%d problems, want %d and a remark", len(errs), trust.MaxProblems)
	}
}

// attack: POL-01
func TestPolicyBounds(t *testing.T) {
	t.Parallel()
	scopes := func(n int) []string { return numbered(n, "r.io/%d") }
	for name, tt := range map[string]struct {
		ok, bad trust.Document
	}{
		"scopes": {
			document(statement(func(s *trust.StatementDocument) { s.RegistryScopes = scopes(trust.MaxScopes) })),
			document(statement(func(s *trust.StatementDocument) { s.RegistryScopes = scopes(trust.MaxScopes + 1) })),
		},
		"stores": {
			document(statement(func(s *trust.StatementDocument) { s.TrustStores = numbered(trust.MaxStoreRefs, "ca:%d") })),
			document(statement(func(s *trust.StatementDocument) { s.TrustStores = numbered(trust.MaxStoreRefs+1, "ca:%d") })),
		},
		"identities": {
			document(statement(func(s *trust.StatementDocument) {
				s.TrustedIdentities = numbered(trust.MaxIdentities, "x509.subject: C=US, ST=WA, O=%d")
			})),
			document(statement(func(s *trust.StatementDocument) {
				s.TrustedIdentities = numbered(trust.MaxIdentities+1, "x509.subject: C=US, ST=WA, O=%d")
			})),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := tt.ok.Encode(trust.OCIPolicy); err != nil {
				t.Error(err)
			}
			_, err := tt.bad.Encode(trust.OCIPolicy)
			wantCode(t, err, reason.PolicyTooLarge)
		})
	}
	t.Run("statements", func(t *testing.T) {
		t.Parallel()
		_, err := trust.ParsePolicy("", []byte(`{"version":"1.0","trustPolicies":[{}`+strings.Repeat(",{}", trust.MaxStatements)+`]}`))
		wantCode(t, err, reason.PolicyTooLarge)
	})
	t.Run("scope", func(t *testing.T) {
		t.Parallel()
		_, err := trust.ParsePolicy("", []byte(oci("registry.example/a", "r.io/"+strings.Repeat("a", trust.MaxScopeBytes))))
		wantCode(t, err, reason.PolicyScope)
	})
	t.Run("bytes", func(t *testing.T) {
		t.Parallel()
		full := goodOCI + strings.Repeat(" ", trust.MaxPolicyBytes-len(goodOCI))
		if _, err := trust.ParsePolicy("", []byte(full)); err != nil {
			t.Error(err)
		}
		_, err := trust.ParsePolicy("", []byte(full+" "))
		wantCode(t, err, reason.PolicyTooLarge)
	})
}

func TestParsedPolicy(t *testing.T) {
	t.Parallel()
	data := []byte(goodOCI)
	p, err := trust.ParsePolicy("policy.json", data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data) // the policy must not depend on it
	if p.Kind() != trust.OCIPolicy || p.File() != "policy.json" {
		t.Errorf("kind %v, file %q", p.Kind(), p.File())
	}
	all := p.Statements()
	if len(all) != 2 || all[0].Name() != "one" || all[1].Name() != "two" {
		t.Fatalf("statements %v", all)
	}
	s := all[1]
	if got := s.Scopes(); !slices.Equal(got, []string{"*"}) {
		t.Errorf("scopes %v", got)
	}
	if got, want := s.Stores(), []trust.StoreRef{{Type: trust.CA, Name: "all"}, {Type: trust.TSA, Name: "all"}}; !slices.Equal(got, want) {
		t.Errorf("stores %v, want %v", got, want)
	}
	if got, want := s.Stores(trust.TSA, trust.SigningAuthority), []trust.StoreRef{{Type: trust.TSA, Name: "all"}}; !slices.Equal(got, want) {
		t.Errorf("stores %v, want %v", got, want)
	}
	if ids := s.Identities(); len(ids) != 1 || !ids[0].IsAny() || ids[0].String() != "*" {
		t.Errorf("identities %v", ids)
	}
	if s.Level() != trust.Audit || s.TimestampAfterCertExpiry() || s.Global() {
		t.Errorf("level %v, after expiry %v, global %v", s.Level(), s.TimestampAfterCertExpiry(), s.Global())
	}
	if got := s.String(); got != `statement "two"` {
		t.Errorf("String = %s", got)
	}
	// Whoever changes what was returned changes a copy.
	all[0] = nil
	s.Scopes()[0], s.Stores()[0], s.Identities()[0] = "", trust.StoreRef{}, trust.Identity{}
	if p.Statements()[0] == nil || s.Scopes()[0] != "*" || s.Stores()[0].Name != "all" || !s.Identities()[0].IsAny() {
		t.Error("the policy is not immutable")
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	checks := []trust.Check{trust.Integrity, trust.Authenticity, trust.AuthenticTimestamp, trust.Expiry, trust.Revocation}
	e, l, s := trust.Enforce, trust.Log, trust.Skip
	for name, tt := range map[string]struct {
		verification trust.VerificationDocument
		want         []trust.Action
	}{
		"strict":     {trust.VerificationDocument{Level: "strict"}, []trust.Action{e, e, e, e, e}},
		"permissive": {trust.VerificationDocument{Level: "permissive"}, []trust.Action{e, e, l, l, l}},
		"audit":      {trust.VerificationDocument{Level: "audit"}, []trust.Action{e, l, l, l, l}},
		"skip":       {trust.VerificationDocument{Level: "skip"}, []trust.Action{s, s, s, s, s}},
		"strict, relaxed": {trust.VerificationDocument{Level: "strict", Override: map[string]string{
			"authenticity": "log", "authenticTimestamp": "log", "expiry": "log", "revocation": "skip",
		}}, []trust.Action{e, l, l, l, s}},
		"audit, tightened": {trust.VerificationDocument{Level: "audit", Override: map[string]string{
			"authenticity": "enforce", "authenticTimestamp": "enforce", "expiry": "enforce", "revocation": "enforce",
		}}, []trust.Action{e, e, e, e, e}},
		"revocation logged": {trust.VerificationDocument{Level: "strict", Override: map[string]string{"revocation": "log"}}, []trust.Action{e, e, e, e, l}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := mustPolicy(t, trust.OCIPolicy, statement(func(s *trust.StatementDocument) {
				s.SignatureVerification = tt.verification
				if tt.verification.Level == "skip" {
					s.TrustStores, s.TrustedIdentities = nil, nil
				}
			}))
			for i, c := range checks {
				if got := p.Statements()[0].Action(c); got != tt.want[i] {
					t.Errorf("%v: %v, want %v", c, got, tt.want[i])
				}
			}
			if got := p.Statements()[0].Action(99); got != trust.Enforce {
				t.Errorf("an unknown check: %v, want %v", got, trust.Enforce)
			}
		})
	}
}

// TestZeroValues: nothing that was not parsed trusts anyone.
func TestZeroValues(t *testing.T) {
	t.Parallel()
	for _, p := range []*trust.Policy{nil, {}} {
		_, err := p.ForRepository("registry.example/a")
		wantCode(t, err, reason.PolicyNoStatement)
		_, err = p.ForBlob("")
		wantCode(t, err, reason.PolicyNoStatement)
		if p.Kind() != 0 || p.File() != "" || len(p.Statements()) != 0 || len(p.Document().Statements) != 0 {
			t.Error("a zero policy holds something")
		}
		if issues := trust.Lint(p, nil, testTime); len(issues) != 0 {
			t.Errorf("issues %v", issues)
		}
		all, err := p.Explain("registry.example/a")
		wantCode(t, err, reason.PolicyNoStatement)
		if len(all) != 0 {
			t.Errorf("explanations %v", all)
		}
	}
	var s trust.Statement
	for _, c := range []trust.Check{0, trust.Integrity, trust.Authenticity, trust.AuthenticTimestamp, trust.Expiry, trust.Revocation} {
		if s.Action(c) != trust.Enforce {
			t.Errorf("%v: %v", c, s.Action(c))
		}
	}
	leaf := testpki.New(t, testpki.Options{}).Leaf()
	if _, ok, err := s.MatchIdentity(leaf); ok || err != nil {
		t.Errorf("the zero statement matches: %v, %v", ok, err)
	}
	if id := (trust.Identity{}); id.Matches(leaf) || id.String() != "" {
		t.Error("the zero identity matches")
	}
}

func TestEnums(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]fmt.Stringer{
		"integrity": trust.Integrity, "authenticity": trust.Authenticity, "authenticTimestamp": trust.AuthenticTimestamp,
		"expiry": trust.Expiry, "revocation": trust.Revocation, "Check(0)": trust.Check(0), "Check(6)": trust.Check(6),
		"enforce": trust.Enforce, "log": trust.Log, "Action(3)": trust.Action(3),
		"strict": trust.Strict, "permissive": trust.Permissive, "audit": trust.Audit, "skip": trust.SkipAll, "Level(4)": trust.Level(4),
		"ca": trust.CA, "signingAuthority": trust.SigningAuthority, "tsa": trust.TSA, "StoreType(0)": trust.StoreType(0),
		"oci": trust.OCIPolicy, "blob": trust.BlobPolicy, "Kind(0)": trust.Kind(0),
		"notice": trust.Notice, "warning": trust.Warning, "error": trust.Broken,
	} {
		if got.String() != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if trust.Skip.String() != "skip" {
		t.Errorf("%s, want skip", trust.Skip)
	}
}

// TestHints: what people get wrong most has a remedy that says what to write.
func TestHints(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string
		want string
	}{
		"short name":     {oci("registry.example/a", "nginx"), "docker.io/library/nginx"},
		"tag":            {oci("registry.example/a", "registry.example/a:v1"), "registry.example/a"},
		"unknown member": {oci(`"name": "one",`, `"names": "one",`), "name, registryScopes, signatureVerification, trustStores and trustedIdentities"},
		"in the file":    {oci(`"version": "1.0",`, `"Version": "1.0",`), "version and trustPolicies"},
		"verification":   {oci(`"level": "strict"`, `"levels": "strict"`), "level, override and verifyTimestamp"},
		"no version":     {`{"trustPolicies":[]}`, `add "version": "1.0"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := trust.ParsePolicy("policy.json", []byte(tt.text))
			checkError(t, err)
			if got := reason.Hint(err); !strings.Contains(got, tt.want) {
				t.Errorf("hint %q does not contain %q", got, tt.want)
			}
		})
	}
	_, err := trust.ParseBlobPolicy("policy.json", []byte(goodOCI))
	if got := reason.Hint(err); !strings.Contains(got, "globalPolicy") {
		t.Errorf("hint %q does not name the members of a blob statement", got)
	}
}

func TestDottedPointer(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                     "",
		"/trustPolicies":       "trustPolicies",
		"/trustPolicies/1/a":   "trustPolicies[1].a",
		"/a~1b":                "a/b",
		"/a~0b":                "a~b",
		"/a.b":                 `["a.b"]`,
		"/":                    `[""]`,
		"/x\u202ey":            `["x\u202ey"]`,
		"/trustPolicies/1/b c": `trustPolicies[1]["b c"]`,
	} {
		if got := trust.Dotted(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// TestStoredPolicies parses every file of testdata/policies, which are policies
// as people have them.
func TestStoredPolicies(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/policies/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parse := trust.ParsePolicy
		if strings.Contains(file, ".blob.") {
			parse = trust.ParseBlobPolicy
		}
		p, err := parse(file, data)
		if err != nil {
			t.Error(err)
			continue
		}
		again, err := p.Document().Encode(p.Kind())
		if err != nil || !slices.Equal(again, data) {
			t.Errorf("%s is written back as\n%s\n%v", file, again, err)
		}
	}
}
