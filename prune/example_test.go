package prune_test

import (
	"fmt"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/prune"
)

// A verdict of an exhaustive verifier says what each signature is. Those that a
// plan lets go are then given to Remove, one by one.
func ExamplePlan() {
	intact := []notation.Finding{{Check: notation.CheckIntegrity, Outcome: notation.Passed}}
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	verdict := &notation.Verdict{
		Time: now, Outcome: notation.Passed,
		Artifact: oci.Descriptor{Digest: "sha256:b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"},
		Signatures: []notation.SignatureVerdict{
			{Digest: "sha256:1", Outcome: notation.Passed, Findings: intact, Store: "ca:acme", Root: "CN=acme", Subject: "CN=alice", SigningTime: now.AddDate(0, -2, 0)},
			{Digest: "sha256:2", Outcome: notation.Passed, Findings: intact, Store: "ca:acme", Root: "CN=acme", Subject: "CN=alice", SigningTime: now.AddDate(0, -1, 0)},
			{Digest: "sha256:3", Outcome: notation.Failed, Findings: append(intact, notation.Finding{
				Check: notation.CheckExpiry, Outcome: notation.Failed, Reason: "verify.expired",
			}), Expiry: now.AddDate(0, 0, -1)},
		},
	}
	plan, err := prune.Plan(verdict, prune.Options{Expired: true, Keep: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range plan {
		fmt.Println(d.Digest, d.Delete, d.Message)
	}
	// Output:
	// sha256:1 true superseded by 1 newer of CN=alice
	// sha256:2 false passes
	// sha256:3 true expired at 2026-02-28T00:00:00Z
}
