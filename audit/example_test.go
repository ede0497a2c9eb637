package audit_test

import (
	"context"
	"fmt"
	"iter"
	"log"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/reason"
)

// All repositories of a registry under a trust policy, and what they amount to.
func Example() {
	verifier := &notation.Verifier{ /* Policy and Stores, as for one artifact */ }
	pace := audit.NewPace(0)
	client := remote.NewClient(remote.Options{Busy: pace.Busy})
	archive, err := audit.NewArchive() // or OpenState, for a run that can be gone on with
	if err != nil {
		log.Fatal(err)
	}
	defer archive.Close()

	ctx := context.Background()
	err = audit.Run(ctx, catalog(client.Repositories(ctx, "localhost:1", "")), archive, audit.Options{
		Open:     func(name oci.Reference) (audit.Repository, error) { return client.Repository(name) },
		Verifier: audit.Prepare(verifier),
		Pace:     pace,
	})
	fmt.Println(reason.Of(err)) // nobody listens there
	summary, err := audit.Summarize(archive.Records())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d of %d artifacts passed\n", summary.Passed, summary.Artifacts)
	// Output:
	// registry.unreachable
	// 0 of 0 artifacts passed
}

// catalog makes targets of the repositories that a registry lists.
func catalog(names iter.Seq2[oci.Reference, error]) iter.Seq2[audit.Target, error] {
	return func(yield func(audit.Target, error) bool) {
		for name, err := range names {
			if !yield(audit.Target{Reference: name, Listed: true}, err) {
				return
			}
		}
	}
}
