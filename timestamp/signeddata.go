package timestamp

import (
	"crypto"
	"crypto/x509"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/notaryv2/notation/reason"
)

// signedData is what of a CMS message (RFC 5652 section 5) makes a token.
type signedData struct {
	content      []byte   // eContent, the DER of TSTInfo
	certificates [][]byte // DER, as they stand; not signed
	signer       signer
}

// signer is the one SignerInfo (RFC 5652 section 5.3).
type signer struct {
	issuer    []byte   // DER Name; nil: subjectKeyID is there
	serial    *big.Int // with issuer
	keyID     []byte   // subjectKeyIdentifier
	digest    crypto.Hash
	algorithm x509.SignatureAlgorithm
	signed    []byte // the bytes that the signature is over
	signature []byte

	messageDigest []byte
	certV1        []certID // signingCertificate, if there
	certV2        []certID // signingCertificateV2, if there
}

var (
	tagContent      = asn1.Tag(0).ContextSpecific().Constructed()
	tagCertificates = asn1.Tag(0).ContextSpecific().Constructed()
	tagCRLs         = asn1.Tag(1).ContextSpecific().Constructed()
	tagSignedAttrs  = asn1.Tag(0).ContextSpecific().Constructed()
	tagUnsigned     = asn1.Tag(1).ContextSpecific().Constructed()
	tagKeyID        = asn1.Tag(0).ContextSpecific()
)

const indefiniteLength = 0x80

// parseSignedData reads ContentInfo (RFC 5652 section 3) and SignedData.
func parseSignedData(token []byte) (*signedData, error) {
	if len(token) > MaxTokenSize {
		return nil, reason.Errorf(reason.TimestampTooLarge, "the token is longer than %d bytes", MaxTokenSize).WithHint(hintForeign)
	}
	if len(token) > 1 && token[0] == byte(asn1.SEQUENCE) && token[1] == indefiniteLength {
		return nil, reason.Errorf(reason.TimestampEncoding, "the token is in BER with indefinite lengths, and only DER is read").
			WithHint("Use a time-stamping authority that replies in DER.")
	}
	var (
		info, content, data cryptobyte.String
		contentType         oid
	)
	input := cryptobyte.String(token)
	if !input.ReadASN1(&info, asn1.SEQUENCE) || !input.Empty() || !readOID(&info, &contentType) {
		return nil, malformed("token")
	}
	if contentType != oidSignedData {
		return nil, reason.Errorf(reason.TimestampContentType, "the token is a CMS message of type %s, not signed data", contentType).WithHint(hintForeign)
	}
	if !info.ReadASN1(&content, tagContent) || !info.Empty() ||
		!content.ReadASN1(&data, asn1.SEQUENCE) || !content.Empty() {
		return nil, malformed("token")
	}
	return readSignedData(data)
}

func readSignedData(data cryptobyte.String) (*signedData, error) {
	var (
		sd      signedData
		version int64
	)
	// RFC 5652 section 5.1 derives the version from what is in the message. It
	// decides nothing, and authorities write 1 for 3.
	if !data.ReadASN1Integer(&version) || version < 1 || version > 5 {
		return nil, malformed("version of the token")
	}
	announced, err := readDigestAlgorithms(&data)
	if err != nil {
		return nil, err
	}
	if err := sd.readContent(&data); err != nil {
		return nil, err
	}
	if err := sd.readCertificates(&data); err != nil {
		return nil, err
	}
	var signers cryptobyte.String
	if !data.SkipOptionalASN1(tagCRLs) || !data.ReadASN1(&signers, asn1.SET) || !data.Empty() {
		return nil, malformed("token")
	}
	if err := sd.readSigner(signers); err != nil {
		return nil, err
	}
	if !announced[digestOID(sd.signer.digest)] {
		return nil, reason.Errorf(reason.TimestampAlgorithm, "the signer's digest algorithm %v is not among those that the token announces", sd.signer.digest).
			WithHint(hintForeign)
	}
	return &sd, nil
}

// readDigestAlgorithms reads the announcement of all signers' digests. What
// else is announced does no harm.
func readDigestAlgorithms(s *cryptobyte.String) (map[oid]bool, error) {
	var set cryptobyte.String
	if !s.ReadASN1(&set, asn1.SET) {
		return nil, malformed("list of digest algorithms of the token")
	}
	announced := make(map[oid]bool)
	for n := 0; !set.Empty(); n++ {
		var a algorithm
		if n == maxAlgorithms {
			return nil, reason.Errorf(reason.TimestampTooLarge, "the token announces more than %d digest algorithms", maxAlgorithms).WithHint(hintForeign)
		}
		if !readAlgorithm(&set, &a, asn1.SEQUENCE) {
			return nil, malformed("list of digest algorithms of the token")
		}
		announced[a.id] = true
	}
	return announced, nil
}

// readContent reads EncapsulatedContentInfo (RFC 5652 section 5.2).
func (d *signedData) readContent(s *cryptobyte.String) error {
	var (
		info, explicit cryptobyte.String
		contentType    oid
	)
	if !s.ReadASN1(&info, asn1.SEQUENCE) || !readOID(&info, &contentType) {
		return malformed("content of the token")
	}
	if contentType != oidTSTInfo {
		return reason.Errorf(reason.TimestampContentType, "the token's content is of type %s, not time-stamp information", contentType).WithHint(hintForeign)
	}
	if !info.ReadASN1(&explicit, tagContent) || !info.Empty() ||
		!explicit.ReadASN1Bytes(&d.content, asn1.OCTET_STRING) || !explicit.Empty() {
		return malformed("content of the token")
	}
	return nil
}

// readCertificates reads the certificates without looking into them: they are
// not signed, and among them may be others than the chain.
func (d *signedData) readCertificates(s *cryptobyte.String) error {
	var set cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&set, &present, tagCertificates) {
		return malformed("list of certificates of the token")
	}
	for !set.Empty() {
		var certificate cryptobyte.String
		if len(d.certificates) == maxCertificates {
			return reason.Errorf(reason.TimestampTooLarge, "the token has more than %d certificates", maxCertificates).WithHint(hintForeign)
		}
		// The other choices are attribute certificates and obsolete forms (RFC
		// 5652 section 10.2.2), of which nothing here could make use.
		if !set.ReadASN1Element(&certificate, asn1.SEQUENCE) {
			return malformed("list of certificates of the token")
		}
		d.certificates = append(d.certificates, certificate)
	}
	return nil
}

// readSigner reads the one SignerInfo. RFC 3161 section 2.4.2: "The time-stamp
// token MUST NOT contain any signatures other than the signature of the TSA."
func (d *signedData) readSigner(set cryptobyte.String) error {
	var info cryptobyte.String
	if set.Empty() {
		return reason.Errorf(reason.TimestampSigners, "the token has no signer").WithHint(hintForeign)
	}
	if !set.ReadASN1(&info, asn1.SEQUENCE) {
		return malformed("signer of the token")
	}
	if !set.Empty() {
		return reason.Errorf(reason.TimestampSigners, "the token has more than one signer").WithHint(hintForeign)
	}
	s := &d.signer
	if err := s.readIdentifier(&info); err != nil {
		return err
	}
	var digest, signature algorithm
	if !readAlgorithm(&info, &digest, asn1.SEQUENCE) {
		return malformed("signer of the token")
	}
	if s.digest = digest.digest(); s.digest == 0 {
		return badAlgorithm("the signer's digest algorithm %s is none of SHA-256, SHA-384 and SHA-512", digest.id)
	}
	if err := s.readAttributes(&info); err != nil {
		return err
	}
	if !readAlgorithm(&info, &signature, asn1.SEQUENCE) || !info.ReadASN1Bytes(&s.signature, asn1.OCTET_STRING) ||
		!info.SkipOptionalASN1(tagUnsigned) || !info.Empty() {
		return malformed("signer of the token")
	}
	var err error
	s.algorithm, err = signature.signature(s.digest)
	return err
}

// readIdentifier reads version and SignerIdentifier, which go together: 1 with
// issuer and serial number, 3 with a key identifier (RFC 5652 section 5.3).
func (s *signer) readIdentifier(info *cryptobyte.String) error {
	var (
		version int64
		content cryptobyte.String
		name    cryptobyte.String
	)
	if !info.ReadASN1Integer(&version) {
		return malformed("signer of the token")
	}
	switch {
	case version == 1 && info.ReadASN1(&content, asn1.SEQUENCE):
		if !content.ReadASN1Element(&name, asn1.SEQUENCE) || !readInteger(&content, &s.serial) || !content.Empty() {
			return malformed("signer of the token")
		}
		s.issuer = name
		return nil
	case version == 3 && info.ReadASN1Bytes(&s.keyID, tagKeyID) && len(s.keyID) > 0:
		return nil
	}
	return malformed("version or identifier of the token's signer")
}
