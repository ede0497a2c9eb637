// Package bundle carries artifacts into networks that nothing else gets into,
// in one file.
//
// A bundle is an OCI image layout as a tarball, which any tool reads. It holds
// artifacts with all that belongs to them, and up to three manifests of its own,
// each under a tag of its own: what is in the bundle and where it came from
// ([Contents]); answers about revocation ([ReadEvidence]); and a trust policy
// with the certificates of its stores ([Trust]). specs/bundle.md describes them.
//
// [Create] begins a bundle, and [Writer.Commit] makes the file. [Open] reads one,
// and [Import] moves its artifacts into other repositories: all are verified
// before anything is sent, and no tag is moved before all have arrived.
//
// Nothing of a bundle is trusted. Content is compared with its digest; whether
// artifacts are signed by somebody who is trusted is for a verifier to say; the
// answers about revocation are signed by those who gave them, and are judged
// like answers that were fetched. Where an artifact came from, and the trust
// policy, are signed by nobody: whoever had the file in hand could have written
// them. The one is shown and proposes where to import to; the other is for
// people to review, and no function of this package has anybody trust it.
//
// Errors are [reason.Error] values with codes "bundle.*", and those of the
// packages below.
package bundle
