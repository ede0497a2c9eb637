package timestamp

import (
	"crypto"
	_ "crypto/sha1" // names a certificate in signingCertificate, see certID
	"crypto/subtle"
	"crypto/x509"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/notaryv2/notation/reason"
)

// certID is an ESSCertID or ESSCertIDv2 (RFC 5035 sections 4 and 5): the digest
// of a whole certificate, and perhaps its issuer and serial number.
//
// ESSCertID is bound to SHA-1, with which RFC 5816 section 2.2.1 lets
// authorities go on. Making a second certificate with the digest of a given one
// is beyond what is known about SHA-1; what it would win is little, as the
// certificate must still lead to a trusted root and its key have signed.
type certID struct {
	hash   crypto.Hash
	digest []byte
	issuer []byte   // DER Name; nil: not given
	serial *big.Int // with issuer
}

// matches reports whether the identifier names the certificate.
func (id *certID) matches(c *x509.Certificate) bool {
	if subtle.ConstantTimeCompare(id.digest, sum(id.hash, c.Raw)) != 1 {
		return false
	}
	return id.issuer == nil || string(id.issuer) == string(c.RawIssuer) && id.serial.Cmp(c.SerialNumber) == 0
}

// attribute returns an error about a signed attribute.
func badAttribute(format string, args ...any) error {
	return reason.Errorf(reason.TimestampAttributes, format, args...).WithHint(hintForeign)
}

// readAttributes reads the signed attributes and keeps the bytes that are
// signed: the set as it stands, but for its tag (RFC 5652 section 5.4).
func (s *signer) readAttributes(info *cryptobyte.String) error {
	var element, set cryptobyte.String
	if !info.PeekASN1Tag(tagSignedAttrs) {
		return badAttribute("the token has no signed attributes")
	}
	if !info.ReadASN1Element(&element, tagSignedAttrs) {
		return malformed("list of signed attributes")
	}
	s.signed = append([]byte{byte(asn1.SET)}, element[1:]...)
	element.ReadASN1(&set, tagSignedAttrs) // it was just read as a whole
	if set.Empty() {
		return badAttribute("the token's set of signed attributes is empty")
	}
	seen := make(map[oid]bool)
	for !set.Empty() {
		var (
			attribute, values cryptobyte.String
			id                oid
		)
		if len(seen) == maxAttributes {
			return reason.Errorf(reason.TimestampTooLarge, "the token has more than %d signed attributes", maxAttributes).WithHint(hintForeign)
		}
		if !set.ReadASN1(&attribute, asn1.SEQUENCE) || !readOID(&attribute, &id) ||
			!attribute.ReadASN1(&values, asn1.SET) || !attribute.Empty() {
			return malformed("list of signed attributes")
		}
		if seen[id] {
			return badAttribute("the token has the signed attribute %s twice", id)
		}
		seen[id] = true
		if err := s.readAttribute(id, values); err != nil {
			return err
		}
	}
	return needAttributes(seen)
}

// readAttribute reads an attribute of a kind that matters here; each has one
// value. Others, such as signingTime, are the signer's own affair.
func (s *signer) readAttribute(id oid, values cryptobyte.String) error {
	switch id {
	case oidContentType:
		var contentType oid
		if !readOID(&values, &contentType) || !values.Empty() {
			return badAttribute("the signed attribute content-type is not one object identifier")
		}
		if contentType != oidTSTInfo {
			return badAttribute("the signed attribute content-type is %s, not that of time-stamp information", contentType)
		}
	case oidMessageDigest:
		if !values.ReadASN1Bytes(&s.messageDigest, asn1.OCTET_STRING) || !values.Empty() {
			return badAttribute("the signed attribute message-digest is not one octet string")
		}
	case oidSigningCert:
		return readCertIDs(values, readCertID, &s.certV1)
	case oidSigningCertV2:
		return readCertIDs(values, readCertIDV2, &s.certV2)
	}
	return nil
}

func needAttributes(seen map[oid]bool) error {
	switch {
	case !seen[oidContentType]:
		return badAttribute("the token has no signed attribute content-type")
	case !seen[oidMessageDigest]:
		return badAttribute("the token has no signed attribute message-digest")
	case !seen[oidSigningCert] && !seen[oidSigningCertV2]:
		return reason.Errorf(reason.TimestampSigningCertificate, "the token has no signed attribute that names the signing certificate").WithHint(hintForeign)
	}
	return nil
}

// readCertIDs reads SigningCertificate or SigningCertificateV2 (RFC 5035
// section 3). The policies in it, with which a signer narrows what the
// certificates are good for, are passed over.
func readCertIDs(values cryptobyte.String, read func(*cryptobyte.String, *certID) bool, out *[]certID) error {
	var content, ids cryptobyte.String
	if !values.ReadASN1(&content, asn1.SEQUENCE) || !values.Empty() || !content.ReadASN1(&ids, asn1.SEQUENCE) ||
		!content.SkipOptionalASN1(asn1.SEQUENCE) || !content.Empty() || ids.Empty() {
		return badSigningCertificate("is malformed")
	}
	for !ids.Empty() {
		var element cryptobyte.String
		var id certID
		if len(*out) == maxSigningCerts {
			return badSigningCertificate("names too many certificates")
		}
		if !ids.ReadASN1(&element, asn1.SEQUENCE) || !read(&element, &id) || !element.Empty() {
			return badSigningCertificate("is malformed or uses another digest than SHA-256, SHA-384 and SHA-512")
		}
		if len(id.digest) != id.hash.Size() {
			return badSigningCertificate("has a digest of the wrong length")
		}
		*out = append(*out, id)
	}
	return nil
}

func badSigningCertificate(what string) error {
	return reason.Errorf(reason.TimestampSigningCertificate, "the signed attribute that names the signing certificate %s", what).WithHint(hintForeign)
}

// readCertID reads the content of an ESSCertID.
func readCertID(s *cryptobyte.String, id *certID) bool {
	id.hash = crypto.SHA1
	return s.ReadASN1Bytes(&id.digest, asn1.OCTET_STRING) && readIssuerSerial(s, id)
}

// readCertIDV2 reads the content of an ESSCertIDv2, whose digest is SHA-256 by
// default.
func readCertIDV2(s *cryptobyte.String, id *certID) bool {
	id.hash = crypto.SHA256
	if s.PeekASN1Tag(asn1.SEQUENCE) {
		var a algorithm
		if !readAlgorithm(s, &a, asn1.SEQUENCE) {
			return false
		}
		if id.hash = a.digest(); id.hash == 0 {
			return false
		}
	}
	return s.ReadASN1Bytes(&id.digest, asn1.OCTET_STRING) && readIssuerSerial(s, id)
}

// readIssuerSerial reads an optional IssuerSerial. RFC 5035 section 5: "the
// issuer MUST contain only the issuer name from the certificate encoded in the
// directoryName choice of GeneralNames".
func readIssuerSerial(s *cryptobyte.String, id *certID) bool {
	if s.Empty() {
		return true
	}
	var content, names, directory, name cryptobyte.String
	if !s.ReadASN1(&content, asn1.SEQUENCE) ||
		!content.ReadASN1(&names, asn1.SEQUENCE) ||
		!names.ReadASN1(&directory, asn1.Tag(4).ContextSpecific().Constructed()) || !names.Empty() ||
		!directory.ReadASN1Element(&name, asn1.SEQUENCE) || !directory.Empty() ||
		!readInteger(&content, &id.serial) || !content.Empty() {
		return false
	}
	id.issuer = name
	return true
}
