package oci

// Bounds on what comes from outside. Sizes are in bytes.
const (
	// MaxManifestSize bounds a manifest or index. It is the size that the OCI
	// distribution specification, "Pushing Manifests", asks registries to
	// accept at least, and most accept no more.
	MaxManifestSize = 4 << 20

	// MaxBlobSize bounds a blob that is streamed, as layers are. It is never
	// held in memory.
	MaxBlobSize = 1 << 40

	// MaxEnvelopeSize bounds a signature envelope.
	MaxEnvelopeSize = 4 << 20

	// MaxInlineSize bounds the envelope that [NewSignatureAttachment] puts
	// into the manifest itself. Longer ones stand in their blob only.
	MaxInlineSize = 64 << 10

	// MaxReferrers bounds the entries of a [Listing].
	MaxReferrers = 10_000

	// MaxReferenceLength bounds a reference as typed: the longest host, port,
	// repository, tag and digest together fit.
	MaxReferenceLength = 1024

	// MaxThumbprints bounds the certificates that [ParseThumbprints] reads. A
	// chain has at most ten.
	MaxThumbprints = 16
)

// Bounds on the parts of a reference.
const (
	maxHostLength       = 253 // RFC 1035, section 2.3.4, without the root's dot
	maxLabelLength      = 63  // RFC 1035, section 2.3.4
	maxRepositoryLength = 255 // common to registries; distribution's reference grammar
	maxTagLength        = 128 // OCI distribution specification, "Pulling manifests"
	maxPathLength       = 4096
	maxQuoted           = 160 // bytes of hostile input that an error repeats
	maxMediaTypeLength  = 255 // RFC 6838, section 4.2: 127 for type and subtype each
	maxThumbprintsText  = MaxThumbprints*(64+len(`"", `)) + len(`[]`)
	readChunk           = 64 << 10

	// maxSubjectSize bounds the size that a subject is said to have. It is
	// never read by it: nobody stores a manifest that long.
	maxSubjectSize = 1 << 53
)
