package timestamp

import "time"

// Bounds on what is read. Real tokens have two to ten kibibytes and hold two
// to four certificates.
const (
	// MaxTokenSize is the size of a token in bytes. It is what an envelope has
	// room for.
	MaxTokenSize = 64 << 10

	// DefaultTimeout is how long one authority may take for its whole reply.
	DefaultTimeout = 15 * time.Second

	maxReplySize    = MaxTokenSize + 4<<10 // bytes of a reply's body
	maxHeaderSize   = 64 << 10             // bytes of a reply's header
	maxURLs         = 16                   // authorities that are tried
	maxURLLength    = 2048                 // bytes
	maxStatusText   = 300                  // bytes of an authority's words that are repeated
	maxStatusNumber = 8                    // strings in one status

	maxCertificates = 32 // in one token, decoys included
	maxAlgorithms   = 16 // digest algorithms that a token announces
	maxAttributes   = 32 // signed attributes
	maxSigningCerts = 16 // certificates that one signing-certificate attribute names
	maxExtensions   = 16 // of the time-stamp information
	maxInteger      = 64 // octets of a serial number or nonce
	maxOID          = 64 // octets of an object identifier

	// Bounds on the search for a chain: certificates in it, certificates looked
	// at, and chains whose signatures are verified.
	maxChain  = 10
	maxSteps  = 512
	maxTrials = 16

	// maxAccuracy bounds how inexact a time may be and still be one. Times of
	// an authority are good to a second or better (RFC 3628 section 1).
	maxAccuracy = 24 * time.Hour
)
