package report_test

import (
	"fmt"
	"os"
	"time"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/audit/report"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// A report is fed one record at a time, as an audit or a file of records gives
// them.
func Example() {
	at := time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)
	records := []audit.Record{
		{
			Repository: "registry.example.com/app", Digest: digest.FromString("one"), Tags: []string{"v1"}, Outcome: "passed", Statement: "production", Time: at,
			Signatures: []audit.Signature{{
				Digest: digest.FromString("signature"), Outcome: "passed", Signer: "CN=build,O=Example,ST=Bern,C=CH", Store: "ca:production",
				Root: "CN=root,O=Example,ST=Bern,C=CH", CertificateExpiry: at.AddDate(0, 2, 0),
			}},
		},
		{
			Repository: "registry.example.com/app", Digest: digest.FromString("two"), Tags: []string{"v2"}, Outcome: "unsigned", ExitCode: 4,
			Statement: "production", Reason: reason.VerifyUnsigned, Message: "there is no signature", Time: at,
		},
	}
	table, err := report.New(report.Table, os.Stdout, report.Options{Title: "registry.example.com"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range records {
		if err := table.Add(r); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := table.Close(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Audit of registry.example.com
	// 2 artifacts in 1 repository, verified 2026-05-04 09:30 UTC
	//
	// Outcome
	//   1  50.0 %  passed
	//   0     0 %  rejected
	//   1  50.0 %  unsigned
	//   0     0 %  undecided
	//   0     0 %  skipped
	//
	// Why artifacts did not pass
	//   1 unsigned: verify.unsigned
	//       The artifact has no signature, and that is certain.
	//       Remedy: Sign the artifact, or ask its publisher for a signed one.
	//       - registry.example.com/app@sha256:3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3
	//
	// Signed by
	//   1  50.0 %  CN=build,O=Example,ST=Bern,C=CH  ca:production
	//
	// Signatures by trust store
	//   1  ca:production
	//
	// Signatures by root
	//   1  CN=root,O=Example,ST=Bern,C=CH  ca:production
	//
	// Signatures that artifacts pass by expire
	//   0    0 %  expired
	//   0    0 %  within 30 days
	//   1  100 %  within 90 days
	//   0    0 %  within a year
	//   0    0 %  later
	//
	// Next to expire
	//   1  2026-07-04  certificate  CN=build,O=Example,ST=Bern,C=CH
	//
	// Policy statements
	//   passed  rejected  unsigned  undecided  skipped  statement
	//        1         0         1          0        0  production
	//
	// Repositories, worst first
	//   passed  rejected  unsigned  undecided  skipped  repository
	//        1         0         1          0        0  registry.example.com/app
}
