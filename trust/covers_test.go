package trust_test

import (
	"strings"
	"testing"

	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// What the signature of an index covers, by version and word.
func TestIndexCovers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		version, word string
		want          bool
	}{
		"1.0":            {"1.0", "", false},
		"1.1":            {"1.1", "", false},
		"1.1, itself":    {"1.1", "itself", false},
		"1.1, manifests": {"1.1", "manifests", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := document(statement(func(s *trust.StatementDocument) { s.SignatureVerification.IndexCovers = tt.word }))
			doc.Version = tt.version
			p, err := doc.Policy(trust.OCIPolicy, "")
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Statements()[0].IndexCoversManifests(); got != tt.want || p.Version() != tt.version {
				t.Errorf("%t, version %s", got, p.Version())
			}
			again, err := p.Document().Encode(trust.OCIPolicy)
			if err != nil || strings.Contains(string(again), "indexCovers") != (tt.word != "") || !strings.Contains(string(again), tt.version) {
				t.Errorf("%s, %v", again, err)
			}
		})
	}
	if got := (*trust.Policy)(nil).Version(); got != "1.0" {
		t.Error(got)
	}
	// But for the member, version 1.1 is 1.0, for files too.
	doc := document(blobStatement())
	doc.Version = "1.1"
	if _, err := doc.Policy(trust.BlobPolicy, ""); err != nil {
		t.Error(err)
	}
}

func TestCoverManifests(t *testing.T) {
	t.Parallel()
	doc := document(statement(), statement(func(s *trust.StatementDocument) {
		*s = trust.StatementDocument{Name: "none", RegistryScopes: []string{"registry.example/none"}, SignatureVerification: trust.VerificationDocument{Level: "skip"}}
	}))
	p, err := doc.CoverManifests().Policy(trust.OCIPolicy, "")
	if err != nil {
		t.Fatal(err)
	}
	if s := p.Statements(); p.Version() != "1.1" || !s[0].IndexCoversManifests() || s[1].IndexCoversManifests() {
		t.Error(p.Version(), s)
	}
	if doc.Version != "1.0" || doc.Statements[0].SignatureVerification.IndexCovers != "" {
		t.Error("the document itself was changed")
	}
	_, err = document(blobStatement()).CoverManifests().Policy(trust.BlobPolicy, "")
	wantCode(t, err, reason.PolicyIndexCovers)
}

func TestLintIndexCovers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		version, word string
		want          reason.Code
	}{
		"used":        {"1.1", "manifests", reason.PolicyIndexCoversMany},
		"said anyway": {"1.1", "itself", ""},
		"not used":    {"1.1", "", reason.PolicyNewerVersion},
		"1.0":         {"1.0", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := document(statement(func(s *trust.StatementDocument) {
				s.SignatureVerification.IndexCovers = tt.word
				s.TrustStores = append(s.TrustStores, "tsa:time")
			}))
			doc.Version = tt.version
			p, err := doc.Policy(trust.OCIPolicy, "p.json")
			if err != nil {
				t.Fatal(err)
			}
			var got reason.Code
			issues := trust.Lint(p, nil, testTime)
			for _, i := range issues {
				if i.Code == reason.PolicyIndexCoversMany || i.Code == reason.PolicyNewerVersion {
					got = i.Code
				}
			}
			if got != tt.want {
				t.Errorf("%+v", issues)
			}
		})
	}
}
