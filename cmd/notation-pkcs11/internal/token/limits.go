package token

// Bounds on what a token may say. A module is trusted code, but what is stored
// on a token may be anybody's.
const (
	maxSlots     = 256  // looked at
	maxObjects   = 1024 // of one class on one token
	maxAttribute = 64 << 10
	maxCerts     = 256     // of a token, or in a file
	maxCertFile  = 1 << 20 // bytes
	maxSessions  = 16      // open at the same time; a token does not get faster by more
	maxNamed     = 5       // tokens or keys in a message
	findChunk    = 64

	// maxChecks bounds the signatures of certificates that are checked to find the
	// chains of one token, a millisecond or two each as long as no issuer's key is
	// longer than maxIssuerBits, which is the bound of package certchain.
	maxChecks     = 1000
	maxIssuerBits = 8192
)
