package report_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/audit/report"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// at is when the records of tests were decided.
var at = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

// A fault is a way in which an artifact does not pass.
type fault struct {
	outcome       string
	exit          int
	code          reason.Code
	message, hint string
	signed        bool
}

func faults() []fault {
	return []fault{
		{"unsigned", 4, reason.VerifyUnsigned, "there is no signature", "sign it with 'notation sign'", false},
		{"rejected", 1, reason.CertExpired, "the certificate \"CN=Build 7,O=Example,ST=Bern,C=CH\" has expired on 2026-03-02", "have it signed again", true},
		{"rejected", 1, reason.VerifyRootUntrusted, "the root \"CN=Old Root,O=Example,ST=Bern,C=CH\" is in no trust store of the type ca that the statement \"production\" names", "add it to a trust store if it is to be trusted", true},
		{"undecided", 3, reason.RegistryUnavailable, "GET https://registry.example.com/v2/: the answer was 503 Service Unavailable", "try again later", false},
		{"rejected", 2, reason.PolicyNoStatement, "no statement of the trust policy applies to the repository", "add a statement for it", false},
		{"skipped", 0, reason.VerifySkippedByPolicy, "the statement \"scratch\" says skip", "", false},
	}
}

type identity struct {
	signer, store, root string
	ends                time.Duration
	timestamped         bool
}

func identities() []identity {
	day := 24 * time.Hour
	return []identity{
		{"CN=Release Engineering,OU=Platform,O=Example AG,L=Bern,ST=Bern,C=CH", "ca:production", "CN=Example Code Signing Root R2,O=Example AG,ST=Bern,C=CH", 610 * day, false},
		{"CN=Build 12,OU=CI,O=Example AG,L=Bern,ST=Bern,C=CH", "ca:production", "CN=Example Code Signing Root R2,O=Example AG,ST=Bern,C=CH", 21 * day, false},
		{"CN=Build 13,OU=CI,O=Example AG,L=Bern,ST=Bern,C=CH", "ca:production", "CN=Example Code Signing Root R2,O=Example AG,ST=Bern,C=CH", 77 * day, true},
		{"CN=Upstream Mirror,O=Partner GmbH,L=München,ST=Bayern,C=DE", "ca:partners", "CN=Partner Root,O=Partner GmbH,ST=Bayern,C=DE", 240 * day, false},
		{"CN=Signing Service,O=Example Cloud,ST=WA,C=US", "signingAuthority:cloud", "CN=Cloud Root 1,O=Example Cloud,ST=WA,C=US", 1200 * day, false},
	}
}

// example returns n records as a registry of some size would give them, in the
// order of an archive by repository. They are the same every time.
func example(n int) []audit.Record {
	random := rand.New(rand.NewPCG(5, 4))
	teams := []string{"payments", "web", "data", "infra/base", "mobile", "search", "mirror", "scratch"}
	parts := []string{"api", "worker", "frontend", "gateway", "scheduler", "batch", "proxy", "tools", "migrate"}
	all := make([]audit.Record, 0, n)
	for i := range n {
		team := teams[random.IntN(len(teams))]
		if random.IntN(3) == 0 {
			team = teams[0]
		}
		d := digest.FromString(fmt.Sprint("artifact ", i))
		r := audit.Record{
			Repository: "registry.example.com/" + team + "/" + parts[random.IntN(len(parts))], Digest: d,
			Tags: []string{fmt.Sprintf("v%d.%d.%d", random.IntN(4), random.IntN(20), random.IntN(9))},
			Time: at.Add(time.Duration(random.IntN(240)) * time.Second), Statement: "production",
		}
		if random.IntN(40) == 0 {
			r.Tags = append(r.Tags, "latest", "stable")
			slices.Sort(r.Tags)
		}
		who := identities()[min(random.IntN(7), 4)]
		s := audit.Signature{
			Digest: digest.FromString(fmt.Sprint("signature ", i)), Outcome: "passed", Signer: who.signer, Identity: "x509.subject: C=CH, ST=Bern, O=Example AG",
			Store: who.store, Root: who.root, CertificateExpiry: at.Add(who.ends), Timestamped: who.timestamped,
		}
		switch chance := random.IntN(100); {
		case team == "scratch":
			fail(&r, faults()[5], &s)
		case chance < 5, team == "mirror" && chance < 40:
			fail(&r, faults()[0], &s)
		case chance < 11:
			fail(&r, faults()[1+random.IntN(4)], &s)
		default:
			r.Outcome = "passed"
			if random.IntN(20) == 0 {
				s.Expiry = at.Add(time.Duration(1+random.IntN(400)) * 24 * time.Hour)
			}
			r.Signatures = []audit.Signature{s}
		}
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b audit.Record) int { return strings.Compare(a.Repository, b.Repository) })
	return all
}

func fail(r *audit.Record, f fault, s *audit.Signature) {
	r.Outcome, r.ExitCode, r.Reason, r.Message, r.Hint = f.outcome, f.exit, f.code, f.message, f.hint
	if f.code == reason.PolicyNoStatement {
		r.Statement = ""
	}
	if f.signed {
		bad := *s
		bad.Outcome, bad.Reason = "failed", f.code
		r.Signatures = []audit.Signature{bad}
	}
}

// options are those of tests.
func options() report.Options {
	return report.Options{Title: "registry.example.com", Policy: "trustpolicy.oci.json, version 1.0", Version: "1.0.0"}
}

// render returns a report of records.
func render(t testing.TB, format string, o report.Options, records ...audit.Record) string {
	t.Helper()
	var b bytes.Buffer
	r, err := report.New(format, &b, o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		if err := r.Add(records[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
