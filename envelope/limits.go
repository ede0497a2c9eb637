package envelope

// Bounds on what is read and written. An envelope is stored in a registry by
// whoever may push there, so nothing in it is believed before it is measured.
const (
	// MaxSize is the size of an envelope in bytes. A chain of ten large RSA
	// certificates, a timestamp and a payload with metadata stay far below.
	MaxSize = 1 << 20

	// MaxCertificates is the number of certificates in a chain.
	MaxCertificates = 10

	maxCertificateSize = 64 << 10 // bytes of DER
	maxProtectedSize   = 64 << 10 // bytes of the protected header, decoded
	maxTimestampSize   = 64 << 10 // bytes of DER
	maxExtended        = 64       // extended signed attributes
	maxUnprotected     = 64       // unprotected header parameters
	maxNameLength      = 256      // bytes of an attribute's name
	maxMediaTypeLength = 255      // bytes, RFC 6838 section 4.2 with parameters
	maxPluginLength    = 128      // bytes of a plugin's name or version
	maxDiagnosed       = 4 << 10  // bytes of CBOR printed in diagnostic notation
	maxDetectSpace     = 4 << 10  // bytes in which Detect looks for the first that is no white space
	maxDepth           = 32       // nested arrays, maps and tags in CBOR and in attribute values

	// Signing times and expiries lie in these years, both included. They are
	// wide enough for any key and rule out the sentinels 0, 1 and 9999.
	minYear = 1970
	maxYear = 2999
)
