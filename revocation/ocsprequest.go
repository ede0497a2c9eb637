package revocation

import (
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"net/url"
	"strings"
)

// nonceBytes is the length that RFC 9654 section 2.1 recommends.
const nonceBytes = 32

// ocspRequest encodes a request about one certificate, RFC 6960 section 4.1.
// SHA-1 names the issuer, since there are responders that know no other hash
// (RFC 5019 section 2.1.1). It protects nothing: the answer is compared with
// the issuer's name and key themselves, hashed as the answer says.
//
// With a nonce, the value of the nonce extension is returned, too.
func ocspRequest(q question, withNonce bool) (request, nonce []byte) {
	id := wrap(tagSequence,
		wrap(tagSequence, wrap(tagOID, []byte(oidSHA1)), []byte{0x05, 0}),
		wrap(tagOctetString, hashOf(crypto.SHA1, q.issuer.RawSubject)),
		wrap(tagOctetString, hashOf(crypto.SHA1, publicKeyBits(q.issuer))),
		wrap(tagInteger, serial(q.cert)),
	)
	parts := [][]byte{wrap(tagSequence, wrap(tagSequence, id))}
	if withNonce {
		octets := make([]byte, nonceBytes)
		_, _ = rand.Read(octets) // never fails
		nonce = wrap(tagOctetString, octets)
		e := wrap(tagSequence, wrap(tagOID, []byte(oidOCSPNonce)), wrap(tagOctetString, nonce))
		parts = append(parts, wrap(constructed|2, wrap(tagSequence, e)))
	}
	return wrap(tagSequence, wrap(tagSequence, parts...)), nonce
}

// getURL returns the address that asks by GET, or "" if it would be too long to
// be cached on the way (RFC 6960 appendix A.1).
func getURL(server string, request []byte) string {
	u := strings.TrimSuffix(server, "/") + "/" + url.PathEscape(base64.StdEncoding.EncodeToString(request))
	// PathEscape leaves "+", which some servers read as a space.
	u = strings.ReplaceAll(u, "+", "%2B")
	if len(u) > maxGETBytes || strings.Contains(server, "?") {
		return ""
	}
	return u
}
