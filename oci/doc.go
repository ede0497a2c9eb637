// Package oci names artifacts and says how their signatures are stored.
//
// A [Reference] names an artifact: registry, repository, and a tag or a digest
// or both. [ParseReference] reads what people type, [ParseRepository] the
// scopes of a trust policy, [ParseLayoutReference] a path to an image layout.
// Each repository has exactly one spelling in a Reference, so that one scope
// of a policy covers it.
//
// A [Repository] holds artifacts and what refers to them. The packages below
// this one implement it: oci/remote for registries, oci/layout for OCI image
// layouts in a directory or a tarball. How a registry or layout lists
// referrers, and what is odd about it, stays hidden there.
//
// A signature is stored as a small manifest whose subject is the signed
// artifact and whose only layer is the envelope. [NewSignatureAttachment]
// packs one, [ParseSignatureManifest] reads one, with every check that needs
// no key: the subject, the artifact type, the number of layers, sizes, and
// data that stands inside the manifest. specs/storage.md describes the form.
//
// Registries and layouts are not trusted. Nothing of a [Listing] may be
// believed except that its digests are worth fetching, and content counts only
// once [ReadVerified] has compared it with its size and digest. All bounds are
// in limits.go.
//
// Errors are [reason.Error] values with codes "oci.*".
package oci
