package timestamp

import (
	"crypto/x509"
	"math/big"
	"strconv"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/notaryv2/notation/reason"
)

// oid is the content octets of an object identifier: comparable, and unlike
// encoding/asn1's not bounded in its arcs.
type oid string

// Object identifiers, with the dotted form behind.
const (
	oidSignedData    oid = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"         // 1.2.840.113549.1.7.2, RFC 5652 section 5.1
	oidTSTInfo       oid = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x04" // 1.2.840.113549.1.9.16.1.4, RFC 3161 section 2.4.2
	oidContentType   oid = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03"         // 1.2.840.113549.1.9.3, RFC 5652 section 11.1
	oidMessageDigest oid = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04"         // 1.2.840.113549.1.9.4, RFC 5652 section 11.2
	oidSigningCert   oid = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x0c" // 1.2.840.113549.1.9.16.2.12, RFC 5035 section 5
	oidSigningCertV2 oid = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02\x2f" // 1.2.840.113549.1.9.16.2.47, RFC 5035 section 3

	oidSHA256 oid = "\x60\x86\x48\x01\x65\x03\x04\x02\x01" // 2.16.840.1.101.3.4.2.1, RFC 5754 section 2
	oidSHA384 oid = "\x60\x86\x48\x01\x65\x03\x04\x02\x02" // 2.16.840.1.101.3.4.2.2
	oidSHA512 oid = "\x60\x86\x48\x01\x65\x03\x04\x02\x03" // 2.16.840.1.101.3.4.2.3

	oidRSA           oid = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" // 1.2.840.113549.1.1.1, RFC 3370 section 3.2
	oidMGF1          oid = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08" // 1.2.840.113549.1.1.8, RFC 4055 section 2.2
	oidPSS           oid = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a" // 1.2.840.113549.1.1.10, RFC 4055 section 3.1
	oidSHA256WithRSA oid = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b" // 1.2.840.113549.1.1.11, RFC 5754 section 3.2
	oidSHA384WithRSA oid = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c" // 1.2.840.113549.1.1.12
	oidSHA512WithRSA oid = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d" // 1.2.840.113549.1.1.13

	oidECDSAWithSHA256 oid = "\x2a\x86\x48\xce\x3d\x04\x03\x02" // 1.2.840.10045.4.3.2, RFC 5754 section 3.3
	oidECDSAWithSHA384 oid = "\x2a\x86\x48\xce\x3d\x04\x03\x03" // 1.2.840.10045.4.3.3
	oidECDSAWithSHA512 oid = "\x2a\x86\x48\xce\x3d\x04\x03\x04" // 1.2.840.10045.4.3.4

	// oidBaselinePolicy promises an accuracy of one second or better: BTSP,
	// ETSI EN 319 421 section 5.2.
	oidBaselinePolicy oid = "\x04\x00\x8f\x67\x01\x01" // 0.4.0.2023.1.1
)

// String returns the dotted form. Only what readOID accepted has one.
func (o oid) String() string {
	var id x509.OID
	if id.UnmarshalBinary([]byte(o)) != nil {
		return "?"
	}
	return id.String()
}

// parseOID reads the dotted form.
func parseOID(dotted string) (oid, bool) {
	id, err := x509.ParseOID(dotted)
	if err != nil {
		return "", false
	}
	content, err := id.MarshalBinary()
	return oid(content), err == nil && len(content) <= maxOID
}

// readOID reads an object identifier in its one encoding.
func readOID(s *cryptobyte.String, out *oid) bool {
	var content cryptobyte.String
	if !s.ReadASN1(&content, asn1.OBJECT_IDENTIFIER) || len(content) > maxOID {
		return false
	}
	var id x509.OID
	if id.UnmarshalBinary(content) != nil {
		return false
	}
	*out = oid(content)
	return true
}

// readInteger reads an INTEGER of at most maxInteger octets, of either sign.
func readInteger(s *cryptobyte.String, out **big.Int) bool {
	var element cryptobyte.String
	if !s.ReadASN1Element(&element, asn1.INTEGER) || len(element) > maxInteger+3 {
		return false
	}
	*out = new(big.Int)
	return element.ReadASN1Integer(*out)
}

// algorithm is an AlgorithmIdentifier (RFC 5280 section 4.1.1.2).
type algorithm struct {
	id         oid
	parameters cryptobyte.String // the whole element; empty: absent
}

// readAlgorithm reads an AlgorithmIdentifier with a tag.
func readAlgorithm(s *cryptobyte.String, out *algorithm, tag asn1.Tag) bool {
	var content, parameters cryptobyte.String
	if !s.ReadASN1(&content, tag) || !readOID(&content, &out.id) {
		return false
	}
	if !content.Empty() {
		if !content.ReadAnyASN1Element(&parameters, nil) || !content.Empty() {
			return false
		}
	}
	out.parameters = parameters
	return true
}

// plain reports whether an algorithm has no parameters. Absence and NULL are
// both in use for the same thing (RFC 5754 section 2).
func (a algorithm) plain() bool {
	return len(a.parameters) == 0 || string(a.parameters) == "\x05\x00"
}

// remedies of faults in a token.
const (
	hintForeign  = "Use a time-stamping authority that conforms to RFC 3161, or ask the signer to."
	hintTampered = "Do not rely on this time stamp; ask the signer to sign again with a new one."
)

// malformed says that a part of a token or reply is not what its standard says.
func malformed(part string) *reason.Error {
	return reason.Errorf(reason.TimestampEncoding, "the %s is malformed or not in DER", part).WithHint(hintForeign)
}

// quote returns foreign text as a quoted literal in ASCII, cut short if it is
// long.
func quote(s string) string {
	if len(s) > maxStatusText {
		return strconv.QuoteToASCII(s[:maxStatusText]) + "..."
	}
	return strconv.QuoteToASCII(s)
}
