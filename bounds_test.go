package notation_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestInterrupted ends ctx while a repository that does not heed it hangs.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"referrers", "fetch", "before"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				chain := testpki.New(t, testpki.Options{})
				repo := newFakeRepo()
				artifact := repo.push("v1", "artifact")
				repo.signAs(t, artifact, chain, notation.SignOptions{})
				ctx, cancel := context.WithCancel(t.Context())
				release := make(chan struct{})
				defer close(release)
				switch where {
				case "referrers":
					repo.onReferrers = func(context.Context) error { cancel(); <-release; return nil }
					repo.onResolve = func(oci.Reference) (oci.Descriptor, error) { return artifact, nil }
				case "fetch":
					repo.onFetch = func(context.Context, digest.Digest) ([]byte, error) { cancel(); <-release; return nil, nil }
				default:
					cancel()
				}
				verdict, err := verifierFor(t, chain).Verify(ctx, repo, byDigest(t, artifact))
				checkRefusal(t, verdict, err, notation.ErrUndecided, reason.Of(err))
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%v does not wrap the context's error", err)
				}
			})
		})
	}
}

// TestDeadline is the caller's, not the signature's.
func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		chain := testpki.New(t, testpki.Options{})
		repo := newFakeRepo()
		artifact := repo.push("v1", "artifact")
		failing(repo, entry(repo, artifact, "slow", true), hang)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		verdict, err := verifierFor(t, chain).Verify(ctx, repo, byDigest(t, artifact))
		if code := reason.Of(err); code == reason.VerifySignatureTimeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", code, err)
		}
		checkRefusal(t, verdict, err, notation.ErrUndecided, reason.Of(err))
	})
}

// TestMemory lists sixty signatures of the largest size. They are not
// all fetched at once, and do not keep a small one waiting.
func TestMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		chain := testpki.New(t, testpki.Options{})
		repo := newFakeRepo()
		artifact := repo.push("v1", "artifact")
		large := map[digest.Digest]bool{}
		for i := range 60 {
			d := oci.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString(fmt.Sprint(i)), Size: oci.MaxManifestSize}
			large[d.Digest] = true
			repo.list(artifact.Digest, d)
		}
		repo.attachEnvelope(t, artifact, seal(t, chain, envelope.Request{Target: artifact}), nil)
		var now, most atomic.Int64
		repo.onFetch = func(ctx context.Context, d digest.Digest) ([]byte, error) {
			if !large[d] {
				return nil, nil
			}
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			return hang(ctx)
		}
		start := time.Now()
		if _, err := verifierFor(t, chain).Verify(t.Context(), repo, byDigest(t, artifact)); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited > notation.HedgeDelay {
			t.Errorf("held up for %s", waited)
		}
		if most.Load() > notation.LargeBudget/oci.MaxManifestSize {
			t.Errorf("%d large manifests at once", most.Load())
		}
	})
}
