package testpki

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"time"
)

// Object identifiers of time-stamp tokens.
const (
	OIDSignedData      = "1.2.840.113549.1.7.2"
	OIDData            = "1.2.840.113549.1.7.1"
	OIDTSTInfo         = "1.2.840.113549.1.9.16.1.4"
	OIDContentType     = "1.2.840.113549.1.9.3"
	OIDMessageDigest   = "1.2.840.113549.1.9.4"
	OIDSigningTime     = "1.2.840.113549.1.9.5"
	OIDSigningCert     = "1.2.840.113549.1.9.16.2.12"
	OIDSigningCertV2   = "1.2.840.113549.1.9.16.2.47"
	OIDSHA1            = "1.3.14.3.2.26"
	OIDSHA224          = "2.16.840.1.101.3.4.2.4"
	OIDSHA256          = "2.16.840.1.101.3.4.2.1"
	OIDSHA384          = "2.16.840.1.101.3.4.2.2"
	OIDSHA512          = "2.16.840.1.101.3.4.2.3"
	OIDRSAEncryption   = "1.2.840.113549.1.1.1"
	OIDBaselineTSA     = "0.4.0.2023.1.1"
	OIDExampleTSA      = "1.3.6.1.4.1.99999.1"
	OIDOtherExampleTSA = "1.3.6.1.4.1.99999.2"
)

// HashOID returns the object identifier of a digest algorithm.
func HashOID(h crypto.Hash) string {
	return map[crypto.Hash]string{
		crypto.SHA1: OIDSHA1, crypto.SHA224: OIDSHA224, crypto.SHA256: OIDSHA256,
		crypto.SHA384: OIDSHA384, crypto.SHA512: OIDSHA512,
	}[h]
}

// Token is a time-stamp token (RFC 3161) as its parts. Nothing in it is
// checked. [TSA.Token] fills it well, so that a test changes one part only.
// Fields that end in DER hold whole elements and win over the parts beside
// them; nil means that the parts are encoded.
type Token struct {
	Info TSTInfo

	Version      int      // of SignedData
	Type         string   // object identifier of the message
	ContentType  string   // object identifier of its content
	Content      []byte   // octets of the content; nil: Info, encoded
	Digests      []string // object identifiers that are announced
	Certificates [][]byte // DER, in this order; nil: no such field
	CRLs         []byte   // content octets of the field; nil: no such field
	Signers      []TokenSigner
}

// TSTInfo is the signed content of a token.
type TSTInfo struct {
	Version    int
	Policy     string // object identifier
	Hash       string // object identifier of the imprint's algorithm
	Imprint    []byte
	Serial     *big.Int
	Time       string   // characters of the GeneralizedTime
	Accuracy   [][]byte // elements; nil: no such field
	Ordering   []byte   // element; nil: no such field
	Nonce      *big.Int // nil: no such field
	Name       []byte   // content of the field tsa, a GeneralName; nil: no such field
	Extensions [][]byte // elements; nil: no such field
	Trailer    []byte   // bytes at the end of the sequence
}

// TokenSigner makes one SignerInfo.
type TokenSigner struct {
	Key  crypto.Signer
	Cert *x509.Certificate // that the identifier and the attributes name
	Hash crypto.Hash
	PSS  bool

	Version      int
	Identifier   []byte   // element; nil: issuer and serial number of Cert
	DigestDER    []byte   // AlgorithmIdentifier; nil: of Hash
	AlgorithmDER []byte   // AlgorithmIdentifier; nil: of the key with Hash
	Attributes   [][]byte // elements in this order; nil: [StandardAttributes]; empty: an empty set
	NoAttributes bool     // no such field; the content itself is signed
	Unsigned     []byte   // content octets of the unsigned attributes; nil: no such field
	Mangle       func(signature []byte) []byte
}

// Encode returns the TSTInfo as DER.
func (i *TSTInfo) Encode() []byte {
	parts := [][]byte{
		stampInteger(int64(i.Version)),
		OID(i.Policy),
		DER(0x30, hashIdentifier(i.Hash), DER(0x04, i.Imprint)),
		StampInteger(i.Serial),
		DER(0x18, []byte(i.Time)),
	}
	if i.Accuracy != nil {
		parts = append(parts, DER(0x30, i.Accuracy...))
	}
	parts = append(parts, i.Ordering)
	if i.Nonce != nil {
		parts = append(parts, StampInteger(i.Nonce))
	}
	if i.Name != nil {
		parts = append(parts, DER(0xa0, i.Name))
	}
	if i.Extensions != nil {
		parts = append(parts, DER(0xa1, i.Extensions...))
	}
	return DER(0x30, append(parts, i.Trailer)...)
}

// Accuracy returns the elements of an accuracy; parts that are 0 are left out.
func Accuracy(seconds, millis, micros int64) [][]byte {
	parts := [][]byte{}
	for i, n := range []int64{seconds, millis, micros} {
		if n != 0 {
			element := stampInteger(n)
			element[0] = []byte{0x02, 0x80, 0x81}[i]
			parts = append(parts, element)
		}
	}
	return parts
}

// StampInteger encodes an INTEGER of either sign.
func StampInteger(n *big.Int) []byte {
	if n.Sign() < 0 {
		// Two's complement, in the least number of octets.
		length := uint(new(big.Int).Not(n).BitLen()/8 + 1)
		complement := new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), 8*length))
		return DER(0x02, complement.FillBytes(make([]byte, length)))
	}
	octets := n.Bytes()
	if len(octets) == 0 || octets[0]&0x80 != 0 {
		octets = append([]byte{0}, octets...)
	}
	return DER(0x02, octets)
}

func stampInteger(n int64) []byte { return StampInteger(big.NewInt(n)) }

func hashIdentifier(oid string) []byte { return DER(0x30, OID(oid), DER(0x05)) }

// StampTime returns the characters of a time as RFC 3161 writes it, to
// the nanosecond and without zeros at the end.
func StampTime(t time.Time) string {
	return t.UTC().Format("20060102150405.999999999") + "Z"
}

// Encode signs the token and returns it as DER.
func (k *Token) Encode() ([]byte, error) {
	content := k.Content
	if content == nil {
		content = k.Info.Encode()
	}
	var digests, signers [][]byte
	for _, oid := range k.Digests {
		digests = append(digests, hashIdentifier(oid))
	}
	for i := range k.Signers {
		signer, err := k.Signers[i].encode(k.ContentType, content)
		if err != nil {
			return nil, err
		}
		signers = append(signers, signer)
	}
	parts := [][]byte{
		stampInteger(int64(k.Version)),
		DER(0x31, digests...),
		DER(0x30, OID(k.ContentType), DER(0xa0, DER(0x04, content))),
	}
	if k.Certificates != nil {
		parts = append(parts, DER(0xa0, k.Certificates...))
	}
	if k.CRLs != nil {
		parts = append(parts, DER(0xa1, k.CRLs))
	}
	parts = append(parts, DER(0x31, signers...))
	return DER(0x30, OID(k.Type), DER(0xa0, DER(0x30, parts...))), nil
}

// encode makes the SignerInfo over the content.
func (s *TokenSigner) encode(contentType string, content []byte) ([]byte, error) {
	identifier, digest, algorithm := s.Identifier, s.DigestDER, s.AlgorithmDER
	if identifier == nil {
		identifier = DER(0x30, s.Cert.RawIssuer, StampInteger(s.Cert.SerialNumber))
	}
	if digest == nil {
		digest = hashIdentifier(HashOID(s.Hash))
	}
	if algorithm == nil {
		algorithm = s.algorithm()
	}
	parts := [][]byte{stampInteger(int64(s.Version)), identifier, digest}
	signed := content
	if !s.NoAttributes {
		attributes := s.Attributes
		if attributes == nil {
			attributes = StandardAttributes(contentType, content, s.Cert, s.Hash)
		}
		signed = DER(0x31, attributes...)
		parts = append(parts, DER(0xa0, attributes...))
	}
	h := s.Hash.New()
	h.Write(signed)
	var options crypto.SignerOpts = s.Hash
	if s.PSS {
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: s.Hash}
	}
	signature, err := s.Key.Sign(rand.Reader, h.Sum(nil), options)
	if err != nil {
		return nil, err
	}
	if s.Mangle != nil {
		signature = s.Mangle(signature)
	}
	parts = append(parts, algorithm, DER(0x04, signature))
	if s.Unsigned != nil {
		parts = append(parts, DER(0xa1, s.Unsigned))
	}
	return DER(0x30, parts...), nil
}

// algorithm returns the AlgorithmIdentifier of the signature.
func (s *TokenSigner) algorithm() []byte {
	if s.PSS {
		return pssIdentifier(HashOID(s.Hash), byte(s.Hash.Size()))
	}
	if _, ok := s.Key.Public().(*rsa.PublicKey); ok {
		return DER(0x30, OID(map[crypto.Hash]string{
			crypto.SHA1: "1.2.840.113549.1.1.5", crypto.SHA256: "1.2.840.113549.1.1.11",
			crypto.SHA384: "1.2.840.113549.1.1.12", crypto.SHA512: "1.2.840.113549.1.1.13",
		}[s.Hash]), DER(0x05))
	}
	return DER(0x30, OID(map[crypto.Hash]string{
		crypto.SHA1: "1.2.840.10045.4.1", crypto.SHA256: "1.2.840.10045.4.3.2",
		crypto.SHA384: "1.2.840.10045.4.3.3", crypto.SHA512: "1.2.840.10045.4.3.4",
	}[s.Hash]))
}

// StandardAttributes returns the signed attributes of a good token over a
// content: content-type, message-digest and signing-certificate-v2.
func StandardAttributes(contentType string, content []byte, cert *x509.Certificate, h crypto.Hash) [][]byte {
	return [][]byte{
		SignedAttribute(OIDContentType, OID(contentType)),
		SignedAttribute(OIDMessageDigest, DER(0x04, stampDigest(h, content))),
		SignedAttribute(OIDSigningCertV2, SigningCertificate(ESSCertIDV2(cert, crypto.SHA256, true))),
	}
}

// SignedAttribute encodes a signed attribute.
func SignedAttribute(oid string, values ...[]byte) []byte {
	return DER(0x30, OID(oid), DER(0x31, values...))
}

// SigningCertificate encodes the value of a signing-certificate attribute of
// either version.
func SigningCertificate(ids ...[]byte) []byte { return DER(0x30, DER(0x30, ids...)) }

// ESSCertIDV2 encodes an ESSCertIDv2, as DER does: the default SHA-256 is left
// out.
func ESSCertIDV2(c *x509.Certificate, h crypto.Hash, issuerSerial bool) []byte {
	var parts [][]byte
	if h != crypto.SHA256 {
		parts = append(parts, DER(0x30, OID(HashOID(h))))
	}
	parts = append(parts, DER(0x04, stampDigest(h, c.Raw)))
	if issuerSerial {
		parts = append(parts, ESSIssuerSerial(c))
	}
	return DER(0x30, parts...)
}

// ESSCertID encodes an ESSCertID, whose digest is SHA-1.
func ESSCertID(c *x509.Certificate, issuerSerial bool) []byte {
	parts := [][]byte{DER(0x04, stampDigest(crypto.SHA1, c.Raw))}
	if issuerSerial {
		parts = append(parts, ESSIssuerSerial(c))
	}
	return DER(0x30, parts...)
}

// ESSIssuerSerial encodes issuer and serial number of a certificate as RFC 5035
// section 5 wants them.
func ESSIssuerSerial(c *x509.Certificate) []byte {
	return DER(0x30, DER(0x30, DER(0xa4, c.RawIssuer)), StampInteger(c.SerialNumber))
}

func stampDigest(h crypto.Hash, data []byte) []byte {
	d := h.New()
	d.Write(data)
	return d.Sum(nil)
}
