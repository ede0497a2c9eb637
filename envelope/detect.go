package envelope

import "bytes"

// Detect guesses from the first bytes of an envelope whether it is in JWS, which
// is a JSON object (RFC 7515 section 7.2.2), or in COSE, which starts with the
// tag of COSE_Sign1 (RFC 9052 section 4.2). ok is false if it looks like
// neither.
//
// It is for files whose name does not tell. The guess decides nothing: [Parse]
// reads the data strictly as the media type that it is given, and refuses what
// is of another. Where a media type is known, from a manifest or a name, that
// one is to be used.
func Detect(data []byte) (mediaType string, ok bool) {
	if len(data) > 0 && data[0] == coseTag { // nothing may stand before it
		return MediaTypeCOSE, true
	}
	// White space is that of RFC 8259 section 2.
	start := bytes.TrimLeft(data[:min(len(data), maxDetectSpace)], " \t\r\n")
	if len(start) > 0 && start[0] == '{' {
		return MediaTypeJWS, true
	}
	return "", false
}
