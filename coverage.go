package notation

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// indexRun is one operation on the manifests of an index, at one instant.
type indexRun struct {
	repo    oci.Repository
	entries []oci.IndexEntry
	at      map[digest.Digest]int // index into entries
	own     []func() Decision     // by entry: the decision by its own signatures, made once
	covers  bool                  // the statement lets indexes cover what they list
}

// place is an entry of an index, and which of its platforms is meant.
type place struct {
	at       int // in entries
	platform string
}

// newIndexRun returns the operation that begun is the verdict of. The policy has
// a statement for it.
func newIndexRun(ctx context.Context, v *Verifier, repo oci.Repository, ref oci.Reference, begun *Verdict, entries []oci.IndexEntry) *indexRun {
	st, err := v.Policy.ForRepository(begun.Scope)
	r := &indexRun{
		repo: repo, entries: entries, at: make(map[digest.Digest]int, len(entries)),
		own: make([]func() Decision, len(entries)), covers: err == nil && st.IndexCoversManifests(),
	}
	for i := range entries {
		d := entries[i].Descriptor
		r.at[d.Digest] = i
		r.own[i] = sync.OnceValue(func() Decision {
			ref := ref.WithDigest(d.Digest)
			verdict := v.begin(repo, ref)
			verdict.Time = begun.Time
			verdict, err := v.verify(ctx, repo, ref, verdict, &d)
			return Decision{verdict, err}
		})
	}
	return r
}

// decide decides about one manifest: by its own signatures, and then, if none of
// them is good, by those of the indexes that it is in.
func (r *indexRun) decide(ctx context.Context, p place) Decision {
	own := r.own[p.at]()
	d := own.on(own.Verdict.clone())
	v := d.Verdict
	v.Platform = p.platform
	if p.at > 0 {
		v.Index = r.entries[0].Descriptor.Digest
	}
	told, ok := errors.AsType[*VerdictError](d.Err)
	switch {
	case !ok, p.at == 0, v.Artifact.Digest == "":
		return d
	case slices.ContainsFunc(v.Findings, func(f Finding) bool { return f.Check == CheckIndex }):
		return d // it is not what the index lists
	case !r.covers:
		v.notCovering(told)
		return d
	}
	return r.cover(ctx, r.entries[p.at], d, told.Cause)
}

// on returns the decision with another verdict in place of its own.
func (d Decision) on(v *Verdict) Decision {
	if told, ok := errors.AsType[*VerdictError](d.Err); ok {
		return Decision{v, &VerdictError{Verdict: v, Cause: told.Cause}}
	}
	return Decision{v, d.Err}
}

// notCovering says that the signature of an index is not asked for.
func (v *Verdict) notCovering(told *VerdictError) {
	fault := reason.Errorf(reason.VerifyIndexNotAsked, "by the policy, the signature of an index covers the index only").
		WithHint("Sign every manifest of the index; or, if the index is signed, let the policy say that this covers what it lists: version 1.1, indexCovers: manifests.")
	v.Findings = append(v.Findings, found(CheckCoverage, Skipped, fault))
	if v.Outcome == Unsigned {
		cause := *told.Cause
		cause.Hint = fault.Hint
		told.Cause = &cause
	}
}

// cover completes a decision about a manifest that has no good signature of its
// own by what its indexes give. cause is why it has none.
func (r *indexRun) cover(ctx context.Context, e oci.IndexEntry, d Decision, cause *reason.Error) Decision {
	v := d.Verdict
	var doubt, no *VerdictError
	for _, i := range r.around(e) {
		index := r.own[i]()
		told, failed := errors.AsType[*VerdictError](index.Err)
		switch {
		case !failed:
			if outcome, fault := r.confirm(ctx, e.Descriptor); fault != nil {
				return d.uncovered(outcome, fault)
			}
			v.coveredBy(index.Verdict)
			return Decision{Verdict: v}
		case index.Verdict.Outcome == Undecided:
			doubt = cmp.Or(doubt, told)
		default:
			no = cmp.Or(no, told)
		}
	}
	if doubt != nil {
		return d.uncovered(Undecided, reason.Wrap(doubt.Cause.Code, doubt.Cause, "whether the index %s covers the artifact cannot be decided", doubt.Verdict.Artifact.Digest).
			WithHint("%s", doubt.Cause.Hint))
	}
	return d.uncovered(Failed, reason.Wrap(reason.VerifyNotCovered, no.Cause, "the index %s does not cover the artifact, as it does not pass itself", no.Verdict.Artifact.Digest).
		WithHint("%s", no.Cause.Hint))
}

// around returns the indexes that a manifest is in, directly or through others,
// as places in entries, those nearest to the root first: the root is most
// likely to be signed.
func (r *indexRun) around(e oci.IndexEntry) []int {
	var list []int
	seen := map[digest.Digest]bool{}
	for next := e.Parents; len(next) > 0; {
		var further []digest.Digest
		for _, p := range next {
			if !seen[p] {
				seen[p] = true
				list = append(list, r.at[p])
				further = append(further, r.entries[r.at[p]].Parents...)
			}
		}
		next = further
	}
	slices.Sort(list)
	return list
}

// confirm checks that a manifest is there and is what its index says: no
// signature vouches for it but that of the index. Indexes were read already.
func (r *indexRun) confirm(ctx context.Context, d oci.Descriptor) (Outcome, *reason.Error) {
	if oci.IsIndex(d.MediaType) {
		return Passed, nil
	}
	raw, err := r.repo.Fetch(ctx, d, oci.MaxManifestSize)
	if err != nil {
		return Undecided, asReason(err, reason.VerifyIndex, "the manifest that the index lists cannot be read")
	}
	if _, err := oci.CheckManifest(d, raw); err != nil {
		return Failed, reason.Wrap(reason.VerifyIndex, err, "the manifest is not what the index lists").
			WithHint("Distrust the index, or have it made and signed again.")
	}
	return Passed, nil
}

// uncovered completes a decision where an index might have covered the artifact,
// and does not or may not.
func (d Decision) uncovered(o Outcome, fault *reason.Error) Decision {
	if o == Failed { // so that all stays as it was
		d.Verdict.Findings = append(d.Verdict.Findings, found(CheckCoverage, o, fault))
		return d
	}
	return Decision{d.Verdict, d.Verdict.end(CheckCoverage, o, fault)}
}

// coveredBy makes a verdict pass by that on an index. What kept it from passing
// by itself is only told.
func (v *Verdict) coveredBy(index *Verdict) {
	for i := range v.Findings {
		if f := &v.Findings[i]; f.Outcome == Failed || f.Outcome == Undecided {
			f.Outcome = Logged
		}
	}
	v.Findings = append(v.Findings, passed(CheckCoverage, "covered by the signature of the index "+string(index.Artifact.Digest)))
	v.Outcome, v.CoveredBy = Passed, index.Artifact.Digest
	v.CoveringSignature = index.clone().Accepted()
}

// clone returns a verdict that can be changed without changing v.
func (v *Verdict) clone() *Verdict {
	c := *v
	c.Findings = slices.Clone(v.Findings)
	c.Signatures = slices.Clone(v.Signatures)
	for i := range c.Signatures {
		c.Signatures[i].Findings = slices.Clone(c.Signatures[i].Findings)
	}
	return &c
}

// misdescribed returns what is wrong if an artifact is not what an index says of
// it, or nil. Either the index or the registry is wrong then; which of the two,
// only the artifact's bytes can tell.
func misdescribed(ctx context.Context, repo oci.Repository, listed, artifact oci.Descriptor) (*reason.Error, Outcome) {
	if listed.MediaType == artifact.MediaType && listed.Size == artifact.Size {
		return nil, Passed
	}
	artifact = bare(artifact)
	err := oci.CheckDescriptor(artifact, oci.MaxManifestSize)
	if err == nil {
		var raw []byte
		if raw, err = repo.Fetch(ctx, artifact, oci.MaxManifestSize); err == nil {
			_, err = oci.CheckManifest(artifact, raw)
		}
	}
	if err != nil {
		return reason.Wrap(reason.VerifyArtifactClaim, err, "what the registry says about the artifact contradicts the index").
			WithHint("Check that the registry answers for the artifact as it was pushed, then try again."), Undecided
	}
	return reason.Errorf(reason.VerifyIndex, "the index lists the artifact as %s of %d bytes, and it is %s of %d bytes",
		quote(listed.MediaType), listed.Size, quote(artifact.MediaType), artifact.Size).
		WithHint("Distrust the index, and have it made again."), Failed
}
