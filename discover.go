package notation

import (
	"context"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// discovery is what a repository says about an artifact.
type discovery struct {
	artifact oci.Descriptor
	listing  oci.Listing
	listErr  error // the listing failed; what there is of it still counts
}

// discover resolves ref and lists the artifact's signatures: both at once if
// the digest is known, else one after the other. likely leaves out where there
// are hardly any. The error is that of resolving.
func discover(ctx context.Context, repo oci.Repository, ref oci.Reference, likely bool) (discovery, error) {
	if ref.Digest() == "" {
		artifact, err := resolve(ctx, repo, ref)
		if err != nil {
			return discovery{}, err
		}
		d := signatures(ctx, repo, artifact.Digest, likely)
		d.artifact = artifact
		return d, nil
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	listed := make(chan discovery, 1)
	go func() { listed <- signatures(ctx, repo, ref.Digest(), likely) }()
	artifact, err := resolve(ctx, repo, ref)
	if err != nil {
		return discovery{}, err
	}
	select {
	case d := <-listed:
		d.artifact = artifact
		return d, nil
	case <-ctx.Done(): // a Repository that does not heed ctx must not hold us up
		return discovery{artifact: artifact, listErr: ctx.Err()}, nil
	}
}

// rest completes a discovery of what was likely, and reports whether there is
// more to look at.
func (d *discovery) rest(ctx context.Context, repo oci.Repository) bool {
	before := len(candidates(d.listing.Referrers))
	all := signatures(ctx, repo, d.artifact.Digest, false)
	d.listing, d.listErr = all.listing, all.listErr
	// What lists less now is something else, too.
	return len(candidates(d.listing.Referrers)) != before
}

// resolve asks repo what ref names, and believes no other digest than the one
// that ref has.
func resolve(ctx context.Context, repo oci.Repository, ref oci.Reference) (oci.Descriptor, error) {
	artifact, err := repo.Resolve(ctx, ref)
	if err != nil {
		return oci.Descriptor{}, err
	}
	if ref.Digest() != "" && artifact.Digest != ref.Digest() {
		return oci.Descriptor{}, reason.Errorf(reason.OCIDigestMismatch, "the repository resolves %s to %s", ref.Digest(), quote(string(artifact.Digest)))
	}
	if _, err := oci.ParseDigest(string(artifact.Digest)); err != nil {
		return oci.Descriptor{}, reason.Wrap(reason.Of(err), err, "the repository resolves the tag %s to no digest", quote(ref.Tag()))
	}
	return artifact, nil
}

// signatures asks repo for those that it knows of.
func signatures(ctx context.Context, repo oci.Repository, subject digest.Digest, likely bool) discovery {
	listing, err := repo.Referrers(ctx, subject, oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature, Likely: likely})
	return discovery{listing: listing, listErr: err}
}

// unresolved tells a reference that contradicts itself, which is a no, from one
// that could not be followed.
func unresolved(err error) Outcome {
	switch reason.Of(err) {
	case reason.OCITagMismatch, reason.OCIReference, reason.OCIReferenceIncomplete:
		return Failed
	}
	return Undecided
}

// conclude decides after the search.
func (v *Verdict) conclude(d discovery, s *search) error {
	v.Signatures, v.NotLookedAt = s.verdicts(), s.left()
	doubts := s.doubts(d)
	if v.Accepted() != nil {
		for _, doubt := range doubts {
			v.Findings = append(v.Findings, found(CheckDiscovery, Logged, doubt))
		}
		v.Outcome = Passed
		return nil
	}
	for i, w := range d.listing.Warnings {
		if i < maxNamed {
			v.Findings = append(v.Findings, foundError(CheckDiscovery, Logged, w, reason.VerifyListing))
		}
	}
	for _, doubt := range doubts {
		v.Findings = append(v.Findings, found(CheckDiscovery, Undecided, doubt))
	}
	if s.undecided != nil {
		doubts = append(doubts, s.undecided)
	}
	switch {
	case len(doubts) > 0:
		v.Outcome = Undecided
		return &VerdictError{Verdict: v, Cause: doubts[0]}
	case len(v.Signatures) == 0:
		return v.end(CheckDiscovery, Unsigned, reason.Errorf(reason.VerifyUnsigned, "the artifact has no signature").
			WithHint("Sign it, or ask its publisher for a signed one."))
	}
	return v.reject()
}

// doubts returns what keeps a search without success from being a no.
func (s *search) doubts(d discovery) []*reason.Error {
	var doubts []*reason.Error
	switch {
	case s.interrupted != nil:
		doubts = append(doubts, interruptedBy(s.interrupted))
	case d.listErr != nil:
		doubts = append(doubts, asReason(d.listErr, reason.VerifyListing, "cannot list the signatures"))
	}
	if d.listing.Truncated {
		doubts = append(doubts, reason.Errorf(reason.VerifyListingTruncated, "the listing of signatures is longer than %d entries", oci.MaxReferrers).
			WithHint("Remove referrers that are not needed from the repository."))
	}
	switch {
	case s.limited && s.strangers >= maxStrangers:
		doubts = append(doubts, reason.Errorf(reason.VerifyStrangerLimit, "%d manifests were fetched that turned out to be no signatures, and %d candidates were not looked at", s.strangers, s.left()).
			WithHint("Remove other referrers from the repository, or use a registry whose listing tells their artifact types."))
	case s.limited:
		doubts = append(doubts, reason.Errorf(reason.VerifySignatureLimit, "%d signatures were looked at, which is the limit, and %d candidates were not", len(s.verdicts()), s.left()).
			WithHint("Raise the limit, or remove signatures that are not needed from the repository."))
	}
	return doubts
}
