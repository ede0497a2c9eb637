package keyfile

// Bounds on what a file may ask for or hold.
const (
	// MaxPassphraseBytes bounds a pass phrase.
	MaxPassphraseBytes = 1024
	// MaxPKCS12Bytes bounds a PKCS#12 file.
	MaxPKCS12Bytes = 1 << 20

	// maxIterations bounds those of PBKDF2 and its older relatives. OWASP asks
	// for 1,400,000 of the slowest in 2025; the bound takes some seconds.
	maxIterations = 10_000_000
	// maxScryptBytes bounds the memory that scrypt takes, 128*r*(N+p) (RFC 7914,
	// sections 2 and 6: one table for all lanes, and the block of each lane), and
	// maxScryptWork N*r*p, which is proportional to the time.
	maxScryptBytes = 256 << 20
	maxScryptWork  = 1 << 23
	// maxSaltBytes bounds a salt.
	maxSaltBytes = 1024

	// maxBMP is the last character of the Basic Multilingual Plane.
	maxBMP = 0xffff

	// maxElements and maxDepth bound the walk through a PKCS#12 file. One with a
	// key and ten certificates has about a thousand elements.
	maxElements = 100_000
	maxDepth    = 32

	// maxPool bounds the certificates that a chain is looked for in, and
	// maxSteps how many signatures are checked for that: names may be alike, and
	// cross-signed authorities make circles. A check takes a millisecond or two,
	// as long as the issuer's key is bounded: certchain accepts none that is
	// longer than maxIssuerBits.
	maxPool       = 1000
	maxSteps      = 1000
	maxIssuerBits = 8192
)

// How keys are encrypted: PBKDF2 with HMAC-SHA-256, as often as OWASP's password
// storage cheat sheet of 2023 asks for, and AES-256-CBC.
const (
	writeIterations = 600_000
	writeSaltBytes  = 16
	writeKeyBytes   = 32
)
