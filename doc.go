// Package notation signs OCI artifacts and decides whether a signed artifact is
// trusted. It has two verbs, [Sign] and [Verifier.Verify]; what they work on
// lives in the packages below: artifacts and their repositories in oci, keys
// in signer, policies and trust stores in trust.
//
// Deciding is pure, fetching is separate, and one value says what was decided
// and why: the [Verdict]. It names the artifact by digest, the statement of the
// trust policy that applied, every signature that was looked at, and for each
// signature one [Finding] per check. The command line prints it, its JSON form
// is specified in specs/verdict.md, and the error that comes with it tells
// *no* from *could not decide*:
//
//	verdict, err := verifier.Verify(ctx, repo, ref)
//	switch {
//	case err == nil:                            // trusted
//	case errors.Is(err, notation.ErrRejected):  // there are signatures, none is good enough
//	case errors.Is(err, notation.ErrUnsigned):  // there is none, and that is certain
//	case errors.Is(err, notation.ErrUndecided): // a registry or network failed
//	case errors.Is(err, notation.ErrSkipped):   // the policy says not to verify: nothing is known
//	}
//
// An artifact is trusted if one of its signatures is. The registry is not
// trusted at all: a listing of signatures is a hint, everything fetched is
// checked against its digest, and a signature that is broken, missing or slow
// never hides a good one beside it. Signatures whose certificates, according to
// an annotation, meet a trusted root are fetched first, so that one good
// signature costs two round trips.
//
// [Verifier.VerifyPlatform] decides about the image in an index that is for one
// platform, and [Verifier.VerifyRecursive] about an index and all that is in it.
// The signature of an index says nothing about what it lists unless the policy
// lets it, and then the verdict says so.
//
// [Verifier.VerifyEnvelope] decides about an envelope that is already at hand,
// without any registry.
//
// [SignBlob] and [Verifier.VerifyBlob] do the same for the content of any
// reader, with a signature that is kept apart from it.
//
// A key on a machine that reaches no repository signs in three steps: [Prepare]
// there where the repository is, [SignRequest] where the key is, and
// [AttachSignature] where the repository is.
//
// # What is asked, and when
//
// Most checks need nothing but the envelope, the policy and the trust stores.
// Two do: whether certificates were revoked, and what a verification plugin
// says that the signature demands. Both come last, and only for a signature
// that is good otherwise and whose chain leads to a trusted root. Nobody who
// merely pushes signatures can have a program run or an address asked.
//
// Every error is or wraps a [reason.Error] with a stable code. The package
// keeps no state but the answers about revocation that verifiers share which
// are given no checker of their own; the bounds on what it reads are in limits.go.
package notation
