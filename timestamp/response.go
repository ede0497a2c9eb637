package timestamp

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/notaryv2/notation/reason"
)

// statuses are the values of PKIStatus, RFC 3161 section 2.4.2.
var statuses = [...]string{
	"granted", "granted with modifications", "rejection", "waiting", "revocation warning", "revocation notification",
}

// failures are the bits of PKIFailureInfo, ibidem.
var failures = map[int]string{
	0:  "the hash algorithm is not known or not supported",
	2:  "the request is not permitted or not supported",
	5:  "the request has the wrong format",
	14: "the time source is not available",
	15: "the policy is not supported",
	16: "the extension is not supported",
	17: "additional information is not understood or not available",
	25: "a failure of the system",
}

// parseResponse reads a TimeStampResp (RFC 3161 section 2.4.2) and returns the
// token as it stands there. Only the status granted will do: with
// modifications, the authority says that it did something else than asked for.
func parseResponse(body []byte) ([]byte, error) {
	const part = "reply of the time-stamping authority"
	var (
		response, info, token cryptobyte.String
		status                int64
	)
	input := cryptobyte.String(body)
	if !input.ReadASN1(&response, asn1.SEQUENCE) || !input.Empty() ||
		!response.ReadASN1(&info, asn1.SEQUENCE) || !info.ReadASN1Integer(&status) {
		return nil, malformed(part)
	}
	text, ok := readStatusText(&info)
	if !ok {
		return nil, malformed("status in the " + part)
	}
	if status != 0 {
		return nil, refused(status, text)
	}
	if response.Empty() {
		return nil, reason.Errorf(reason.TimestampReply, "the time-stamping authority granted the request and sent no token").WithHint(hintForeign)
	}
	if !response.ReadASN1Element(&token, asn1.SEQUENCE) || !response.Empty() {
		return nil, malformed("token in the " + part)
	}
	return token, nil
}

// readStatusText reads what follows the status, as words for people.
func readStatusText(info *cryptobyte.String) (string, bool) {
	var words []string
	if info.PeekASN1Tag(asn1.SEQUENCE) {
		var texts cryptobyte.String
		if !info.ReadASN1(&texts, asn1.SEQUENCE) {
			return "", false
		}
		for n := 0; !texts.Empty(); n++ {
			var text []byte
			if n == maxStatusNumber || !texts.ReadASN1Bytes(&text, asn1.UTF8String) || !utf8.Valid(text) {
				return "", false
			}
			words = append(words, "it says "+quote(string(text)))
		}
	}
	if info.PeekASN1Tag(asn1.BIT_STRING) {
		var bits cryptobyte.String
		if !info.ReadASN1(&bits, asn1.BIT_STRING) || bits.Empty() {
			return "", false
		}
		bits = bits[1:] // the number of unused bits, which encoders get wrong
		for n := range len(bits) * 8 {
			if meaning, known := failures[n]; known && bits[n/8]&(0x80>>(n%8)) != 0 {
				words = append(words, meaning)
			}
		}
	}
	return strings.Join(words, "; "), info.Empty()
}

func refused(status int64, text string) error {
	name := "unknown"
	if status > 0 && status < int64(len(statuses)) {
		name = statuses[status]
	}
	err := reason.Errorf(reason.TimestampRefused, "the time-stamping authority did not grant the request: its status is %d (%s)", status, name)
	if text != "" {
		err.Message += "; " + text
	}
	return err.WithHint("Try again, or another time-stamping authority.")
}
