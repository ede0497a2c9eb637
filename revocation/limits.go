package revocation

import "time"

// Bounds on what comes from outside.
const (
	// MaxOCSPBytes bounds an OCSP response.
	MaxOCSPBytes = 64 << 10
	// MaxCRLBytes bounds a revocation list, complete or delta.
	MaxCRLBytes = 64 << 20
	// MaxEvidence bounds the answers of a kind that [Evidence] holds and that are
	// looked at, and all that a [Recorder] keeps.
	MaxEvidence = 1000
	// MaxEvidenceBytes bounds the answers that a [Recorder] keeps together, and
	// those that should be read into [Evidence].
	MaxEvidenceBytes = 256 << 20
	// DefaultTimeout bounds one Check where [Options] does not.
	DefaultTimeout = 10 * time.Second

	maxResponders    = 5   // OCSP addresses of a certificate that are asked
	maxPoints        = 5   // distribution points of a certificate that are used
	maxPointURLs     = 3   // addresses of a distribution point that are tried
	maxStapled       = 10  // carried responses, and carried lists, about one certificate that are judged
	maxParallel      = 4   // certificates checked at a time, each may hold a list in memory
	maxNames         = 100 // general names of a distribution point
	maxExtensions    = 50  // in one place
	maxResponderKeys = 4   // certificates of a response tried as its signer
	maxSingles       = 100 // single responses in a response
	maxURLBytes      = 2048
	maxRedirects     = 3
	maxHeaderBytes   = 64 << 10
	maxGETBytes      = 255      // URL of an OCSP request by GET, RFC 6960 appendix A.1
	maxEntryBytes    = 4 << 10  // one entry of a revocation list
	maxFrameBytes    = 1 << 20  // a revocation list without its entries
	maxIntegerBytes  = 64       // serial numbers and list numbers; RFC 5280 allows 20
	firstBuffer      = 64 << 10 // bytes set aside for a body before anything has come
	trustedLength    = 1 << 20  // bytes that must have come before Content-Length is believed
	maxCauses        = 4        // failures spelled out in one message

	minRSABits = 2048
	maxRSABits = 8192

	dialTimeout = 5 * time.Second
)

// Times.
const (
	// skew is how far clocks may differ.
	skew = 5 * time.Minute
	// maxAgeWithoutNext is how old an OCSP response without nextUpdate may be.
	// Such a responder says that newer information is always available.
	maxAgeWithoutNext = time.Hour
	// maxCacheAge is how long a cached answer is used without asking again,
	// even if it says that it holds longer: an authority may revoke, and issue
	// a new list, before nextUpdate.
	maxCacheAge = 24 * time.Hour
)

// Bounds of the cache.
const (
	maxCachedCRLs   = 512 << 20 // bytes of lists with their indexes on disk
	maxCachedOCSP   = 16 << 20  // bytes of OCSP responses on disk
	maxCachedMemory = 128 << 20 // bytes in memory, where there is no directory
	maxCacheFiles   = 20000     // directory entries looked at when making room
	orphanAge       = time.Hour // a temporary file older than this has no writer
	// indexedFrom is the size from which on a list gets an index. A smaller
	// one is read, and its signature computed, whole in less than a
	// millisecond.
	indexedFrom = 256 << 10
)
