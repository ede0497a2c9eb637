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
// [Verifier.VerifyEnvelope] decides about an envelope that is already at hand,
// without any registry.
//
// # What is not decided yet
//
// Time stamps, live revocation checks and verification plugins are not part of
// this version. A policy or signature that needs one gets a finding that says
// so and fails closed: "verify.timestamp-unavailable",
// "verify.revocation-unavailable", "verify.plugin-unavailable".
//
// Every error is or wraps a [reason.Error] with a stable code. The package
// keeps no state; the bounds on what it reads are in limits.go.
package notation
