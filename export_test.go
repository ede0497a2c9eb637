package notation

import (
	"context"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/trust"
	"golang.org/x/sync/semaphore"
)

// Bounds that tests outside the package compare with.
const (
	HedgeDelay  = hedgeDelay
	LargeBudget = largeBudget
	MaxInFlight = maxInFlight
	FirstWave   = firstWave
)

// StoreTypeFor is storeTypeFor, for schemes that no envelope has.
func StoreTypeFor(s envelope.Scheme) trust.StoreType { return storeTypeFor(s) }

// Look is the error of looking at one candidate, which Verify does not wait for
// once ctx has ended.
func Look(ctx context.Context, repo oci.Repository, d oci.Descriptor) error {
	s := &search{repo: repo, judge: new(judge), large: semaphore.NewWeighted(largeBudget)}
	return s.look(ctx, d).undecided
}
