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

	// MaxIndexDepth bounds how deep indexes stand in one another for
	// [WalkIndex]: an image in an index is at depth 1, one in an index in an
	// index at depth 2. The OCI image specification sets no bound; more than one
	// index in another is unusual.
	MaxIndexDepth = 8

	// MaxIndexManifests bounds the manifests that WalkIndex returns, the root
	// among them. An image for every platform of Go, with as many attestations,
	// makes a hundred.
	MaxIndexManifests = 2000

	// MaxIndexBytes bounds the indexes that WalkIndex reads together.
	MaxIndexBytes = 32 << 20

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
	maxIndexListed      = 4 * MaxIndexManifests // entries of all indexes together, however often they repeat
	maxPlatformsListed  = 16                    // platforms that an error names
	indexParallel       = 4                     // indexes that are read at the same time

	// maxSubjectSize bounds the size that a subject is said to have. It is
	// never read by it: nobody stores a manifest that long.
	maxSubjectSize = 1 << 53
)
