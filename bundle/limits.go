package bundle

import "github.com/notaryv2/notation/revocation"

// Bounds on what a bundle holds beside its artifacts, which have the bounds of
// package promote. Sizes are in bytes.
const (
	// MaxArtifacts bounds the artifacts of a bundle.
	MaxArtifacts = 1000
	// MaxContentsBytes bounds the list of what is in a bundle.
	MaxContentsBytes = 2 << 20
	// MaxEvidence and MaxEvidenceBytes bound the answers about revocation.
	MaxEvidence      = revocation.MaxEvidence
	MaxEvidenceBytes = revocation.MaxEvidenceBytes
	// MaxPolicyBytes bounds the trust policy.
	MaxPolicyBytes = 1 << 20
	// MaxCertificates bounds the certificates of the trust stores, and
	// MaxCertificateBytes each of them.
	MaxCertificates     = 1000
	MaxCertificateBytes = 64 << 10

	// maxTagBytes bounds a tag (OCI distribution specification, "Pulling
	// manifests").
	maxTagBytes = 128
	// maxNumbered bounds the numbers tried at the end of a name that is taken.
	maxNumbered = MaxArtifacts + 1
)
