package oci

import (
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Media types of the manifests that this package knows beside those of OCI.
const (
	// MediaTypeORASManifest is the ORAS artifact manifest, the predecessor of
	// the image manifest with a subject.
	MediaTypeORASManifest = "application/vnd.cncf.oras.artifact.manifest.v1+json"

	// The image manifest version 2, schema 2, of Docker, and its list.
	MediaTypeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	MediaTypeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"

	// MediaTypeOCIArtifact was withdrawn before OCI 1.1.
	MediaTypeOCIArtifact = "application/vnd.oci.artifact.manifest.v1+json"
)

// The media types of signature envelopes. Package envelope has them too; they
// are repeated so that a registry client does not depend on COSE and CBOR.
const (
	mediaTypeJWS  = "application/jose+json"
	mediaTypeCOSE = "application/cose"
)

// ManifestTypes returns the media types of manifests and indexes, most usual
// first. The slice is the caller's own.
func ManifestTypes() []string {
	return []string{
		ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex, MediaTypeDockerManifest, MediaTypeDockerList,
		MediaTypeORASManifest, MediaTypeOCIArtifact,
	}
}

// IsManifest reports whether content of this media type is a manifest or index,
// and not a blob.
func IsManifest(mediaType string) bool { return slices.Contains(ManifestTypes(), mediaType) }

// IsIndex reports whether manifests of this media type list others.
func IsIndex(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageIndex || mediaType == MediaTypeDockerList
}
