package test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/test/registries"
)

// concurrentSigners sign one artifact at the same time.
const concurrentSigners = 100

// TestConcurrentSignersLoseNothing has many clients that know nothing of each
// other write the one referrers tag of an artifact, in registries that have no
// referrers API and do not honour If-Match.
//
// attack: REG-08
func TestConcurrentSignersLoseNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []registries.Kind{registries.Distribution, registries.DockerRegistry, registries.GGCRTagSchema} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			r := registries.New(t, kind, registries.Options{})
			ref := pushTestImage(t, r, r.Host())
			us := newParty(t, "us.example", 0)
			var group sync.WaitGroup
			made := make([]notation.Signed, concurrentSigners)
			for i := range made {
				repo := open(t, ref, registries.Anonymous)
				group.Go(func() {
					o := notation.SignOptions{Metadata: map[string]string{"signer": fmt.Sprint(i)}}
					var err error
					if made[i], err = notation.Sign(t.Context(), repo, ref, us.key, o); err != nil {
						t.Errorf("signer %d: %v", i, err)
					}
				})
			}
			group.Wait()
			checkAllListed(t, open(t, ref, registries.Anonymous), ref, made)
		})
	}
}

// checkAllListed lists the signatures and looks for each that was made.
func checkAllListed(t *testing.T, repo *remote.Repository, ref oci.Reference, made []notation.Signed) {
	t.Helper()
	listing, err := repo.Referrers(t.Context(), ref.Digest(), oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature})
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, d := range listing.Referrers {
		listed[d.Digest.String()] = true
	}
	lost := 0
	for _, m := range made {
		if !listed[m.Signature.Digest.String()] {
			lost++
		}
	}
	if lost > 0 || len(listing.Referrers) != len(made) {
		t.Errorf("%d of %d signatures lost, %d listed", lost, len(made), len(listing.Referrers))
	}
}
