package notation

import (
	"context"
	"errors"
	"slices"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"golang.org/x/sync/errgroup"
)

// Decision is the verdict on one artifact of several.
type Decision struct {
	Verdict *Verdict // never nil
	Err     error    // as that of [Verifier.Verify]
}

// VerifyPlatform decides about the one manifest of an index that is for a
// platform, os/architecture[/variant], by the rules of [oci.ChooseEntry]. ref
// names the index. The verdict is about that manifest, and names it by digest;
// the index need not be trusted itself.
//
// The manifest is first judged by its own signatures. If none of them is good,
// and the statement that applies lets the signature of an index cover what the
// index lists ([trust.Statement.IndexCoversManifests]), it also passes if the
// index does, or one around it or between the two; the verdict then says
// CoveredBy. An index whose own verdict is Undecided leaves the manifest
// Undecided, too.
//
// Error and verdict are as those of Verify. A platform that the index has not,
// or more than once, is Undecided with the code promote.platform: what was
// asked for was not there to be judged. So is, with other codes, an index that
// cannot be read; one that contradicts itself, goes beyond the bounds of
// [oci.WalkIndex], or describes the manifest otherwise than it is, is Failed.
func (v *Verifier) VerifyPlatform(ctx context.Context, repo oci.Repository, ref oci.Reference, platform string) (*Verdict, error) {
	all, err := v.VerifyPlatforms(ctx, repo, ref, platform)
	return all[0].Verdict, err
}

// VerifyPlatforms is [Verifier.VerifyPlatform] for several platforms of one
// index, which is read once. There is one decision for each, in their order, or
// just one if the index could not be used. The error is nil if all have passed,
// and else the worst that is in a decision, as with [Verifier.VerifyRecursive].
func (v *Verifier) VerifyPlatforms(ctx context.Context, repo oci.Repository, ref oci.Reference, platforms ...string) ([]Decision, error) {
	verdict := v.begin(repo, ref)
	alone := func(err error) ([]Decision, error) { return []Decision{{verdict, err}}, err }
	if _, err := v.prepare(ctx, repo, ref, verdict); err != nil {
		return alone(err)
	}
	root, err := resolve(ctx, repo, ref)
	if err != nil {
		return alone(verdict.unresolved(err))
	}
	verdict.resolve(repo, root)
	if !oci.IsIndex(root.MediaType) || len(platforms) == 0 {
		return alone(verdict.end(CheckIndex, Undecided, reason.Errorf(reason.PromotePlatform,
			"the artifact is no index, so there is no platform to choose").WithHint("Leave out the platform.")))
	}
	entries, err := oci.WalkIndex(ctx, repo, bare(root)) // whatever platform repo calls it
	if err != nil {
		outcome, fault := unfollowed(ctx, err)
		return alone(verdict.end(CheckIndex, outcome, fault))
	}
	run := newIndexRun(ctx, v, repo, ref, verdict, entries)
	chosen := make([]place, len(platforms))
	missing := make([]*reason.Error, len(platforms))
	for i, platform := range platforms {
		e, err := oci.ChooseEntry(entries, platform)
		chosen[i] = place{at: run.at[e.Descriptor.Digest], platform: oci.PlatformName(e.Descriptor)}
		if err != nil {
			missing[i] = asReason(err, reason.PromotePlatform, "no manifest can be chosen")
		}
	}
	all := inParallel(chosen, func(i int, p place) Decision {
		if missing[i] != nil {
			other := *verdict
			other.Platform = platforms[i]
			return Decision{&other, other.end(CheckIndex, Undecided, missing[i])}
		}
		return run.decide(ctx, p)
	})
	return all, worstOf(all)
}

// VerifyRecursive decides about an index and every manifest in it, also in the
// indexes in it: images, and whatever else it lists as a manifest, such as what a
// builder attests about an image. The decision about the index comes first, then
// one for each manifest, those nearer to the index before others, in the order of
// the indexes. Manifests may be covered by the index as [Verifier.VerifyPlatform]
// says. An artifact that is no index is the only one.
//
// The error is nil exactly if all have passed. Otherwise it is that of the worst
// decision: one that is rejected, else unsigned, else undecided, else skipped. If
// the index is not resolved, there is one decision. If it cannot be followed, or
// goes beyond the bounds of [oci.WalkIndex], there is one as well, and the
// index does not pass, whoever has signed it.
func (v *Verifier) VerifyRecursive(ctx context.Context, repo oci.Repository, ref oci.Reference) ([]Decision, error) {
	verdict, err := v.Verify(ctx, repo, ref)
	all := []Decision{{verdict, err}}
	if !oci.IsIndex(verdict.Artifact.MediaType) {
		return all, err
	}
	entries, walkErr := oci.WalkIndex(ctx, repo, verdict.Artifact)
	if walkErr != nil {
		outcome, fault := unfollowed(ctx, walkErr)
		if err == nil { // what the index holds is not known
			err = verdict.end(CheckIndex, outcome, fault)
		} else {
			verdict.Findings = append(verdict.Findings, found(CheckIndex, outcome, fault))
		}
		return []Decision{{verdict, err}}, err
	}
	run := newIndexRun(ctx, v, repo, ref, verdict, entries)
	run.own[0] = func() Decision { return all[0] }
	places := make([]place, len(entries)-1)
	for i := range places {
		places[i] = place{at: i + 1, platform: oci.PlatformName(entries[i+1].Descriptor)}
	}
	all = slices.Concat(all, inParallel(places, func(_ int, p place) Decision { return run.decide(ctx, p) }))
	return all, worstOf(all)
}

// unfollowed says what it means that an index cannot be followed.
func unfollowed(ctx context.Context, err error) (Outcome, *reason.Error) {
	if ctx.Err() != nil {
		return Undecided, interrupted(ctx)
	}
	outcome := Undecided
	switch reason.Of(err) {
	case reason.OCIIndex, reason.OCIIndexLimit, reason.OCIManifest, reason.OCIDescriptor, reason.OCIDigestAlgorithm, reason.OCITooLarge:
		outcome = Failed // by its own bytes: no other attempt will find others
	}
	return outcome, asReason(err, reason.VerifyIndex, "the index cannot be followed")
}

// inParallel decides about a list, some at a time, and keeps its order.
func inParallel(list []place, decide func(int, place) Decision) []Decision {
	all := make([]Decision, len(list))
	var group errgroup.Group
	group.SetLimit(maxManifestsInFlight)
	for i, p := range list {
		group.Go(func() error {
			all[i] = decide(i, p)
			return nil
		})
	}
	_ = group.Wait() // its functions return no errors
	return all
}

// worstOf returns the error of the worst decision, or nil if all have passed.
func worstOf(all []Decision) error {
	for _, kind := range []error{ErrRejected, ErrUnsigned, ErrUndecided, ErrSkipped} {
		for _, d := range all {
			if errors.Is(d.Err, kind) {
				return d.Err
			}
		}
	}
	return nil
}
