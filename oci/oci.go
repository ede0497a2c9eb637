package oci

import (
	"context"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Descriptor is an OCI descriptor: media type, digest, size in bytes, and more.
type Descriptor = ocispec.Descriptor

// ArtifactTypeSignature is the artifact type of a signature manifest.
const ArtifactTypeSignature = "application/vnd.cncf.notary.signature"

// AnnotationThumbprints is the annotation of a signature manifest that holds
// the thumbprints of the certificate chain; see [FormatThumbprints].
const AnnotationThumbprints = "io.cncf.notary.x509chain.thumbprint#S256"

// Repository is one repository of a registry, or one OCI image layout.
// Implementations are safe for concurrent use.
type Repository interface {
	// Name is the fully qualified repository, "registry/repository", which is
	// also the scope that a trust policy names. For a layout it is the scope
	// it was opened with, which may be empty.
	Name() string

	// Resolve returns the descriptor of the manifest that ref names. With a
	// digest, the descriptor has that digest; with a tag as well, the tag must
	// name it too, or the error is oci.tag-mismatch. With neither it is
	// oci.reference-incomplete. Not found: oci.not-found.
	Resolve(ctx context.Context, ref Reference) (Descriptor, error)

	// Referrers lists manifests that claim subject. A listing is a hint:
	// nothing in it may be trusted but that the digests are worth fetching.
	// On failure it returns what it found so far together with the error.
	Referrers(ctx context.Context, subject digest.Digest, o ReferrersOptions) (Listing, error)

	// Fetch returns the content of d, whose size and digest it has checked.
	// Content longer than limit bytes is refused before it is read.
	Fetch(ctx context.Context, d Descriptor, limit int64) ([]byte, error)

	// Attach resolves ref, calls build with the result, pushes what build
	// returns as a referrer of it and reads it back through Referrers. Upload
	// sessions may be opened while ref is being resolved.
	Attach(ctx context.Context, ref Reference, build func(subject Descriptor) (Attachment, error)) (Attached, error)
}

// ReferrersOptions narrows a listing. The zero value lists everything within
// the package's bounds.
type ReferrersOptions struct {
	// ArtifactType is asked for; entries that say another type are dropped,
	// entries that say none are kept. See [ReferrersOptions.Wants].
	ArtifactType string
	// Max is the number of entries to return; 0 means [MaxReferrers].
	Max int
	// Likely asks only where the list is expected to be whole, if that is known.
	// The listing is then Partial, and whoever has not found in it what he needs
	// asks again, without Likely.
	Likely bool
}

// Wants reports whether an entry of a listing belongs into the answer: it says
// the artifact type asked for, or none. The media type of the empty config
// says none either: it is the type of no artifact (OCI image specification,
// "Guidelines for Artifact Usage"), but registries list it for manifests whose
// artifactType they do not know, and copies of such listings live on.
func (o ReferrersOptions) Wants(d Descriptor) bool {
	switch d.ArtifactType {
	case "", o.ArtifactType, ocispec.MediaTypeEmptyJSON:
		return true
	}
	return o.ArtifactType == ""
}

// Listing is what Referrers found, each media type, digest and size once, in the order given.
type Listing struct {
	Referrers []Descriptor
	// Truncated says that there was more than Max or the package's bounds allow.
	Truncated bool
	// Partial says that there are places that may list more and were not asked,
	// as [ReferrersOptions].Likely allows.
	Partial bool
	// Warnings are oddities that did not stop the listing.
	Warnings []error
}

// Attachment is an artifact to be attached: its blobs and its manifest.
type Attachment struct {
	Blobs    []Blob
	Manifest []byte // an OCI image manifest with a subject
	// Legacy is the manifest without artifactType, pushed where a registry
	// refuses the other; nil: none. It refers to the same blobs.
	Legacy []byte
}

// Blob is one blob and its descriptor.
type Blob struct {
	Descriptor Descriptor
	Content    []byte
}

// Attached says what Attach pushed.
type Attached struct {
	Subject  Descriptor
	Manifest Descriptor
}
