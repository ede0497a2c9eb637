package trust_test

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

var testTime = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// rootFor returns a root certificate that is valid around testTime.
func rootFor(t testing.TB, o testpki.Options) *x509.Certificate {
	t.Helper()
	if o.NotBefore.IsZero() {
		o.NotBefore = testTime.AddDate(-1, 0, 0)
	}
	if o.NotAfter.IsZero() {
		o.NotAfter = testTime.AddDate(1, 0, 0)
	}
	return testpki.New(t, o).Root()
}

func TestLint(t *testing.T) {
	t.Parallel()
	wabbit := rootFor(t, testpki.Options{})
	second := rootFor(t, testpki.Options{KeySet: 1})
	public := rootFor(t, testpki.Options{Name: "DigiCert Inc"})
	single := rootFor(t, testpki.Options{Length: 1})
	expired := rootFor(t, testpki.Options{NotAfter: testTime.Add(-time.Second)})
	soon := rootFor(t, testpki.Options{NotAfter: testTime.AddDate(0, 0, 89)})
	future := rootFor(t, testpki.Options{NotBefore: testTime.Add(time.Hour)})
	stores := trust.NewStores(fstest.MapFS{
		"ca/wabbit-networks/r.pem":  file(wabbit.Raw),
		"signingAuthority/sa/r.pem": file(wabbit.Raw),
		"ca/two/r.pem":              file(pemOf(wabbit, second)),
		"ca/public/r.pem":           file(public.Raw),
		"ca/single/r.pem":           file(single.Raw),
		"ca/expired/r.pem":          file(expired.Raw),
		"ca/soon/r.pem":             file(soon.Raw),
		"ca/future/r.pem":           file(future.Raw),
		"ca/bad/a.pem":              file([]byte("x")),
		"ca/bad/b.pem":              file([]byte("x")),
		"ca/stray/r.pem":            file(wabbit.Raw),
		"ca/stray/note.txt":         file(nil),
		"tsa/time/r.pem":            file(wabbit.Raw),
	})
	type edit = func(*trust.StatementDocument)
	trusting := func(stores ...string) edit {
		return func(s *trust.StatementDocument) { s.TrustStores = append(stores, "tsa:time") }
	}
	anyone := func(s *trust.StatementDocument) { s.TrustedIdentities = []string{"*"} }
	everywhere := func(s *trust.StatementDocument) { s.RegistryScopes = []string{"*"} }
	level := func(l string) edit { return func(s *trust.StatementDocument) { s.SignatureVerification.Level = l } }
	override := func(check, action string) edit {
		return func(s *trust.StatementDocument) { s.SignatureVerification.Override = map[string]string{check: action} }
	}
	timestamp := func(v string) edit {
		return func(s *trust.StatementDocument) { s.SignatureVerification.VerifyTimestamp = v }
	}
	noTSA := func(s *trust.StatementDocument) { s.TrustStores = s.TrustStores[:1] }
	skip := func(s *trust.StatementDocument) {
		s.SignatureVerification.Level, s.TrustStores, s.TrustedIdentities = "skip", nil, nil
	}

	for name, tt := range map[string]struct {
		edits []edit
		want  []string // severity code member
	}{
		"good":                      {nil, nil},
		"starter":                   {[]edit{anyone, everywhere}, []string{"notice policy.any-identity trustedIdentities[0]", "warning policy.any-scope registryScopes[0]"}},
		"starter, test certificate": {[]edit{trusting("ca:single"), anyone, everywhere}, []string{"notice store.no-ca trustStores[0]"}},
		"skip":                      {[]edit{skip}, []string{"warning policy.skips signatureVerification.level"}},
		"audit":                     {[]edit{level("audit")}, []string{"warning policy.logs-only signatureVerification.level"}},
		"permissive":                {[]edit{level("permissive")}, []string{"notice policy.logs-only signatureVerification.level"}},
		"audit, tightened":          {[]edit{level("audit"), override("authenticity", "enforce")}, []string{"warning policy.logs-only signatureVerification.level"}},
		"revocation skipped":        {[]edit{override("revocation", "skip")}, []string{"warning policy.revocation-off signatureVerification.override.revocation"}},
		"revocation logged":         {[]edit{override("revocation", "log")}, []string{"notice policy.logs-only signatureVerification.override.revocation"}},
		"expiry logged":             {[]edit{override("expiry", "log")}, []string{"notice policy.logs-only signatureVerification.override.expiry"}},
		"timestamp logged":          {[]edit{override("authenticTimestamp", "log")}, []string{"notice policy.logs-only signatureVerification.override.authenticTimestamp"}},
		"authenticity logged":       {[]edit{override("authenticity", "log")}, []string{"warning policy.logs-only signatureVerification.override.authenticity"}},
		"enforced anyway":           {[]edit{override("expiry", "enforce")}, nil},

		"no tsa":            {[]edit{noTSA}, []string{"notice policy.no-timestamp trustStores"}},
		"no tsa, always":    {[]edit{noTSA, timestamp("always")}, []string{"warning policy.timestamp-unused signatureVerification.verifyTimestamp"}},
		"no tsa, after":     {[]edit{noTSA, timestamp("afterCertExpiry")}, []string{"warning policy.timestamp-unused signatureVerification.verifyTimestamp"}},
		"tsa, after":        {[]edit{timestamp("afterCertExpiry")}, []string{"notice policy.timestamp-late signatureVerification.verifyTimestamp"}},
		"tsa, always":       {[]edit{timestamp("always")}, nil},
		"signing authority": {[]edit{trusting("signingAuthority:sa")}, []string{"notice policy.no-ca-store trustStores", "warning policy.timestamp-unused trustStores"}},

		"anyone of two":      {[]edit{trusting("ca:two"), anyone}, []string{"warning policy.any-identity trustedIdentities[0]"}},
		"anyone of a public": {[]edit{trusting("ca:public"), anyone}, []string{"warning policy.any-identity trustedIdentities[0]"}},
		"anyone of a single": {[]edit{trusting("ca:single"), anyone}, []string{"notice store.no-ca trustStores[0]"}},
		"anyone, unknown":    {[]edit{trusting("ca:missing"), anyone}, []string{"error store.not-found trustStores[0]", "notice policy.any-identity trustedIdentities[0]"}},
		"identity unmatched": {[]edit{trusting("ca:single"), func(s *trust.StatementDocument) { s.TrustedIdentities = []string{"x509.subject: C=US, ST=WA, O=other"} }}, []string{"notice store.no-ca trustStores[0]", "error policy.identity-unmatched trustedIdentities[0]"}},
		"identity matched":   {[]edit{trusting("ca:single")}, []string{"notice store.no-ca trustStores[0]"}},

		"missing":       {[]edit{trusting("ca:wabbit-networks", "ca:missing")}, []string{"error store.not-found trustStores[1]"}},
		"bad files":     {[]edit{trusting("ca:bad")}, []string{"error store.certificate trustStores[0]", "error store.certificate trustStores[0]"}},
		"stray file":    {[]edit{trusting("ca:stray")}, []string{"warning store.ignored trustStores[0]"}},
		"expired":       {[]edit{trusting("ca:expired")}, []string{"warning store.expired trustStores[0]"}},
		"expires soon":  {[]edit{trusting("ca:soon")}, []string{"notice store.expires-soon trustStores[0]"}},
		"not yet valid": {[]edit{trusting("ca:future")}, []string{"warning store.not-yet-valid trustStores[0]"}},

		"two spellings": {[]edit{func(s *trust.StatementDocument) {
			s.RegistryScopes = []string{"registry.example/a", "registry.example:443/a"}
		}}, []string{"warning policy.scope-alias registryScopes[1]"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := statement(trusting("ca:wabbit-networks"))
			for _, e := range tt.edits {
				e(&s)
			}
			p := mustPolicy(t, trust.OCIPolicy, s)
			var got []string
			for _, issue := range trust.Lint(p, stores, testTime) {
				checkIssue(t, issue)
				_, member, _ := strings.Cut(issue.Where, "trustPolicies[0].")
				got = append(got, fmt.Sprintf("%s %s %s", issue.Severity, issue.Code, member))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q\nwant %q", got, tt.want)
			}
		})
	}
}

func checkIssue(t *testing.T, issue trust.Issue) {
	t.Helper()
	checkError(t, reason.Errorf(issue.Code, "%s", issue.Message).WithHint("%s", issue.Hint))
	if !strings.HasPrefix(issue.Where, "oci.json:") && !strings.HasPrefix(issue.Where, "blob.json:") {
		t.Errorf("where %q", issue.Where)
	}
}

func TestLintBlob(t *testing.T) {
	t.Parallel()
	p := mustPolicy(t, trust.BlobPolicy, blobStatement())
	var got []string
	for _, issue := range trust.Lint(p, nil, testTime) {
		checkIssue(t, issue)
		got = append(got, string(issue.Code))
	}
	if want := []string{"policy.no-timestamp", "policy.no-global"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestLintOfTwoStatements: a store that two statements name is reported once.
func TestLintOfTwoStatements(t *testing.T) {
	t.Parallel()
	p := mustPolicy(t, trust.OCIPolicy,
		statement(func(s *trust.StatementDocument) { s.Name = "a"; s.TrustStores = []string{"ca:x", "tsa:x"} }),
		statement(func(s *trust.StatementDocument) {
			s.Name, s.RegistryScopes = "b", []string{"*"}
			s.TrustStores = []string{"ca:x", "tsa:x"}
		}))
	issues := trust.Lint(p, trust.NewMemoryStores(nil), testTime)
	if len(issues) != 2 || issues[0].Code != reason.StoreNotFound || issues[1].Code != reason.StoreNotFound {
		t.Errorf("%v", issues)
	}
	if issues := trust.Lint(p, nil, testTime); len(issues) != 0 {
		t.Errorf("without stores: %v", issues)
	}
}

func TestLintIsBounded(t *testing.T) {
	t.Parallel()
	var statements []trust.StatementDocument
	for _, name := range numbered(1000, "r.io/%d") {
		s := scoped(name, name)
		s.SignatureVerification.Level = "audit"
		statements = append(statements, s)
	}
	if got := len(trust.Lint(mustPolicy(t, trust.OCIPolicy, statements...), nil, testTime)); got != trust.MaxIssues {
		t.Errorf("%d issues, want %d", got, trust.MaxIssues)
	}
}

// TestLintLines: an issue names the line of the file as it was parsed.
func TestLintLines(t *testing.T) {
	t.Parallel()
	p, err := trust.ParsePolicy("p.json", []byte(goodOCI))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, issue := range trust.Lint(p, nil, testTime) {
		got = append(got, issue.Where)
	}
	want := []string{
		"p.json:8: trustPolicies[0].trustStores",
		"p.json:14: trustPolicies[1].signatureVerification.level",
		"p.json:16: trustPolicies[1].trustedIdentities[0]",
		"p.json:13: trustPolicies[1].registryScopes[0]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
