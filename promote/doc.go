// Package promote moves artifacts between repositories with everything that
// belongs to them: the images of an index, their layers, and what refers to any
// of these, such as SBOMs, scan results and signatures, and the signatures of
// SBOMs. What arrives is what left, byte for byte, so it can be verified where
// it arrives.
//
// [Walk] reads such a graph from any [oci.Repository]. It fetches manifests
// only, checks each against its digest, size and subject, and stops at the
// bounds in limits.go, since a source may be hostile.
//
// [Copy] is the promotion: verify at the source by digest; walk; send blobs,
// then manifests, none before what it names; verify at the destination; and only
// then move the tag. What is there already is not sent again, so a copy that
// was interrupted is finished by running it again, and no tag ever names half an
// artifact. Layers go through in streams: however large they are, little of
// them is in memory, and nothing on disk that is not the destination's.
//
// Verification is given as functions, so that this package knows no policy.
// docs/decisions/promotion.md tells why things are done in this order.
//
// Errors are [reason.Error] values with codes "promote.*", and those of the
// repositories. One of [Copy] with the code promote.incomplete comes with a
// [Report] of what is there.
package promote
