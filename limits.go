package notation

import (
	"time"

	"github.com/notaryv2/notation/oci"
)

// Bounds on verification. Everything that decides them comes from a registry
// that is not trusted.
const (
	// DefaultMaxSignatures is how many signatures of one artifact Verify looks
	// at unless [Verifier.MaxSignatures] says otherwise.
	DefaultMaxSignatures = 100

	// maxStrangers bounds the manifests that are fetched because a listing does
	// not say what they are, and that then are no signatures.
	maxStrangers = 500

	// maxManifestsInFlight bounds the manifests of an index that are verified at
	// the same time, each with all its signatures.
	maxManifestsInFlight = 4

	// maxInFlight bounds the signatures that are fetched at the same time.
	maxInFlight = 100

	// The first wave is what is fetched before anything is known to have failed:
	// the signatures whose annotation meets a trusted root, at most maxHinted, or
	// firstWave candidates if no annotation does. One good signature among a
	// thousand then costs one request, over a connection that is open already.
	firstWave = 4
	maxHinted = 8

	// hedgeDelay is how long the first wave may take before the rest is fetched
	// beside it, so that a few slow answers do not hold up the others.
	hedgeDelay = 300 * time.Millisecond

	// signatureTimeout bounds the requests for one signature together.
	signatureTimeout = 15 * time.Second

	// smallContent is the size in bytes up to which content is fetched at once:
	// a signature manifest with an inline envelope stays below it, and
	// maxInFlight times this bounds the memory for small content.
	smallContent = 256 << 10

	// largeBudget bounds, in bytes, the content above smallContent that is in
	// memory at the same time. Only large content waits for it.
	largeBudget = 4 * oci.MaxManifestSize
)

// blobBuffer is the size in bytes of the pieces in which a blob is read.
const blobBuffer = 256 << 10

// maxClockSkew is how much later than now a time stamp may be: the clocks of
// authorities and verifiers differ.
const maxClockSkew = 5 * time.Minute

// maxPlugins is how many plugins run at the same time in one operation.
const maxPlugins = 4

// Bounds on what is signed.
const (
	// reservedPrefix begins the annotation keys that users must not set
	// (specs/payload.md).
	reservedPrefix = "io.cncf.notary"

	// maxMetadata and maxMetadataBytes bound the user metadata of a signature:
	// number of entries, and bytes of all keys and values together. Small enough
	// that the envelope stays inline in its manifest.
	maxMetadata      = 100
	maxMetadataBytes = 16 << 10

	// maxAgentBytes bounds the name of the signing agent.
	maxAgentBytes = 256
)

// Bounds on what is read before something is signed or attached.
const (
	// maxExisting is how many signatures of an artifact are looked at to find
	// one that is there already. Those that other chains have made, by what the
	// listing says, do not count.
	maxExisting = 500

	// maxExistingInFlight bounds those that are fetched at the same time.
	maxExistingInFlight = 16

	// MaxRequestBytes bounds a signing request: a manifest of the largest size
	// in base64, and all else.
	MaxRequestBytes = (oci.MaxManifestSize+2)/3*4 + 64<<10

	// maxRequestName bounds each name of an artifact in a signing request.
	maxRequestName = 8 << 10

	// maxRequestExpiry bounds the expiry that a signing request asks for: a
	// hundred years.
	maxRequestExpiry = 100 * 365 * 24 * time.Hour
)

// Bounds on what a finding repeats of foreign text.
const (
	// maxMessageBytes bounds the text of one finding.
	maxMessageBytes = 1000

	// maxQuotedBytes bounds one quoted string within it.
	maxQuotedBytes = 160

	// maxHintedIdentity bounds, in bytes, a trusted identity that a hint proposes:
	// whole, and with its quotes and escapes below maxMessageBytes.
	maxHintedIdentity = 400

	// maxNamed bounds the identities, stores and attributes that one message
	// lists by name.
	maxNamed = 5
)
