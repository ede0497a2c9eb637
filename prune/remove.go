package prune

import (
	"context"
	"slices"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// Removal says what became of a signature that was to be removed. The zero value
// is no answer.
type Removal string

// The removals.
const (
	Removed     Removal = "removed"     // it was there, and is no more
	Kept        Removal = "kept"        // it is there as before
	Absent      Removal = "absent"      // it was not there, and is not listed
	Delisted    Removal = "delisted"    // it was not there; it was listed, and is no more
	StillListed Removal = "stillListed" // it is not there any more, but listed
	Unclear     Removal = "unclear"     // an answer is missing
)

// lookAgain bounds how long a failure is looked into.
const lookAgain = 10 * time.Second

// Remove removes the manifest of one signature, and its entry in the lists of
// referrers, if it is a signature of the artifact. artifact names that in store,
// with its digest. The blobs of the signature stay, as others may share them.
//
// The error is nil exactly if the signature was [Removed]. It has the code
// oci.not-found where there is no such manifest; oci.not-signature or
// oci.subject-mismatch, and nothing was changed, where it is no signature or one
// of another artifact; registry.delete-refused where the registry deletes
// nothing; and otherwise those of [oci.Store].
func Remove(ctx context.Context, store oci.Store, artifact oci.Reference, signature digest.Digest) (Removal, error) {
	if err := Check(ctx, store, artifact, signature); err != nil {
		if reason.Of(err) != reason.OCINotFound {
			return Kept, err
		}
		return delist(ctx, store, artifact, signature, err)
	}
	err := store.Delete(ctx, signature, artifact.Digest())
	if err == nil {
		return Removed, nil
	}
	switch reason.Of(err) {
	case reason.RegistryDeleteRefused, reason.OCIInUse:
		return Kept, err
	case reason.OCINotFound: // another was faster
		return Absent, err
	}
	// Which step has failed is not known yet, and may matter.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookAgain)
	defer cancel()
	switch _, again := store.Resolve(ctx, artifact.WithDigest(signature)); {
	case again == nil:
		return Kept, err
	case reason.Of(again) == reason.OCINotFound:
		return StillListed, err
	}
	return Unclear, err
}

// Lists returns which of the signatures that were [Removed] a list of the artifact's
// referrers still names, each with an error that says so, of the code
// registry.still-listed. A registry may answer that a manifest is gone and go on
// listing it. It reads the list once. Of what could not be listed it says nothing.
func Lists(ctx context.Context, store oci.Store, artifact oci.Reference, removed []digest.Digest) map[digest.Digest]error {
	l, _ := store.Referrers(ctx, artifact.Digest(), oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature})
	listed := map[digest.Digest]error{}
	for _, d := range l.Referrers {
		if slices.Contains(removed, d.Digest) {
			listed[d.Digest] = reason.Errorf(reason.RegistryStillListed, "signature %s is deleted, but still listed as one of %s", d.Digest, artifact.Digest()).
				WithHint("verifying leaves it out; if it is still listed in a minute, tell the registry's operator")
		}
	}
	return listed
}

// Check fetches a manifest and returns why it is not a signature of the artifact
// that could be removed, or nil. A signature that is malformed inside, as with
// two layers, is one all the same. Codes: those of Remove.
func Check(ctx context.Context, repo oci.Repository, artifact oci.Reference, signature digest.Digest) error {
	if _, err := oci.ParseDigest(string(artifact.Digest())); err != nil {
		return err
	}
	d, err := repo.Resolve(ctx, artifact.WithDigest(signature))
	switch code := reason.Of(err); {
	case code == reason.OCIManifest || code == reason.OCIManifestType: // a blob, for example
		return reason.Wrap(reason.OCINotSignature, err, "%s is no signature", signature)
	case err != nil:
		return err
	}
	raw, err := repo.Fetch(ctx, d, oci.MaxManifestSize)
	if err != nil {
		return err
	}
	m, err := oci.CheckManifest(d, raw)
	switch {
	case err != nil:
		return reason.Wrap(reason.OCINotSignature, err, "%s is no signature", signature)
	case m.ArtifactType != oci.ArtifactTypeSignature:
		return reason.Errorf(reason.OCINotSignature, "%s is no signature, but of the type %q", signature, m.ArtifactType).
			WithHint("see the artifact's signatures with 'notation list'")
	case m.Subject == nil || m.Subject.Digest != artifact.Digest():
		return reason.Errorf(reason.OCISubjectMismatch, "%s is a signature, but not of %s", signature, artifact.Digest()).
			WithHint("see the artifact's signatures with 'notation list'")
	}
	return nil
}

// delist removes what is left of a signature that is gone: an entry of a list of
// referrers that says to be a signature. What does not say so is left alone, as
// there is nothing any more to compare it with.
func delist(ctx context.Context, store oci.Store, artifact oci.Reference, signature digest.Digest, gone error) (Removal, error) {
	l, err := store.Referrers(ctx, artifact.Digest(), oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature})
	listed := slices.ContainsFunc(l.Referrers, func(d oci.Descriptor) bool {
		return d.Digest == signature && d.ArtifactType == oci.ArtifactTypeSignature
	})
	switch {
	case !listed && err != nil:
		return Unclear, err
	case !listed:
		return Absent, gone
	}
	if err := store.Delete(ctx, signature, artifact.Digest()); err != nil {
		return StillListed, err
	}
	return Delisted, reason.Errorf(reason.OCINotFound, "signature %s was gone already; its entry in the list of referrers, which was left, is removed", signature).
		WithHint("nothing more need be done")
}
