package certchain

// Bounds on certificates and chains that come from outside. Real chains have
// two to five certificates of one to three kibibytes.
const (
	// MaxCertificates is how many certificates a chain may have.
	MaxCertificates = 10
	// MaxCertificateBytes is how many bytes of DER a certificate may have.
	MaxCertificateBytes = 64 << 10

	maxExtensions = 100 // in one certificate

	// Twenty octets with the sign bit clear, RFC 5280 section 4.1.2.2.
	maxSerialBits = 159

	minRSABits = 2048
	// The upper bounds limit what one verification costs: crypto/tls has the
	// same one for the modulus, crypto/rsa for the exponent.
	maxRSABits     = 8192
	minRSAExponent = 65537
	maxRSAExponent = 1<<31 - 1

	maxReported = 8   // violations spelled out in the message of one error
	maxQuoted   = 200 // bytes of a parser's message that are repeated
)

// parsedBytes is about what a parsed certificate takes in memory beside its
// bytes.
const parsedBytes = 4 << 10

// listedBytes is more than what each name, address, extension or purpose in a
// parsed certificate takes.
const listedBytes = 192
