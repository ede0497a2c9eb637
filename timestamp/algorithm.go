package timestamp

import (
	"crypto"
	_ "crypto/sha256" // the digests that tokens may use
	_ "crypto/sha512"
	"crypto/x509"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/notaryv2/notation/reason"
)

// digests are the digest algorithms that may stand in a token, in every role.
var digests = map[oid]crypto.Hash{
	oidSHA256: crypto.SHA256,
	oidSHA384: crypto.SHA384,
	oidSHA512: crypto.SHA512,
}

// digestOID is the inverse of digests, "" for others.
func digestOID(h crypto.Hash) oid {
	for id, hash := range digests {
		if hash == h {
			return id
		}
	}
	return ""
}

// digest returns the digest algorithm that a names, or 0 for others.
func (a algorithm) digest() crypto.Hash {
	if !a.plain() {
		return 0
	}
	return digests[a.id]
}

// sum returns the digest of data.
func sum(h crypto.Hash, data []byte) []byte {
	d := h.New()
	d.Write(data)
	return d.Sum(nil)
}

// signatureAlgorithms are the signature algorithms but for RSASSA-PSS, each
// with the digest that it names. For rsaEncryption, the digest is the one that
// the signer names beside it.
var signatureAlgorithms = map[oid]struct {
	hash      crypto.Hash
	algorithm x509.SignatureAlgorithm
}{
	oidSHA256WithRSA:   {crypto.SHA256, x509.SHA256WithRSA},
	oidSHA384WithRSA:   {crypto.SHA384, x509.SHA384WithRSA},
	oidSHA512WithRSA:   {crypto.SHA512, x509.SHA512WithRSA},
	oidECDSAWithSHA256: {crypto.SHA256, x509.ECDSAWithSHA256},
	oidECDSAWithSHA384: {crypto.SHA384, x509.ECDSAWithSHA384},
	oidECDSAWithSHA512: {crypto.SHA512, x509.ECDSAWithSHA512},
}

var (
	pkcs1Algorithms = map[crypto.Hash]x509.SignatureAlgorithm{
		crypto.SHA256: x509.SHA256WithRSA, crypto.SHA384: x509.SHA384WithRSA, crypto.SHA512: x509.SHA512WithRSA,
	}
	pssAlgorithms = map[crypto.Hash]x509.SignatureAlgorithm{
		crypto.SHA256: x509.SHA256WithRSAPSS, crypto.SHA384: x509.SHA384WithRSAPSS, crypto.SHA512: x509.SHA512WithRSAPSS,
	}
)

// signature returns the signature algorithm that a is, for a signer whose
// digest algorithm is hash, or an error with code timestamp.algorithm. The two
// must agree: the digest that is signed is the signer's (RFC 5652 section 5.4).
func (a algorithm) signature(hash crypto.Hash) (x509.SignatureAlgorithm, error) {
	named, known := signatureAlgorithms[a.id]
	switch {
	case a.id == oidRSA && a.plain():
		return pkcs1Algorithms[hash], nil
	case a.id == oidPSS:
		if a.pssDigest() == hash {
			return pssAlgorithms[hash], nil
		}
		return 0, badAlgorithm("the RSASSA-PSS parameters of the token's signature are not those that go with its digest algorithm %v", hash)
	case !known || !a.plain():
		return 0, badAlgorithm("the token's signature algorithm %s is not RSA or ECDSA with SHA-256, SHA-384 or SHA-512", a.id)
	case named.hash != hash:
		return 0, badAlgorithm("the token's signature algorithm %s does not go with its digest algorithm %v", a.id, hash)
	}
	return named.algorithm, nil
}

func badAlgorithm(format string, args ...any) error {
	return reason.Errorf(reason.TimestampAlgorithm, format, args...).WithHint(hintForeign)
}

// pssDigest returns the digest of RSASSA-PSS parameters (RFC 4055 section 3.1),
// or 0 unless the mask generation function uses the same one and the salt is as
// long as it. The defaults are SHA-1, so that all three must be there.
func (a algorithm) pssDigest() crypto.Hash {
	var (
		content, field cryptobyte.String
		hash, mgf      algorithm
		salt           int
	)
	explicit := func(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }
	input := a.parameters
	if !input.ReadASN1(&content, asn1.SEQUENCE) ||
		!content.ReadASN1(&field, explicit(0)) || !readAlgorithm(&field, &hash, asn1.SEQUENCE) || !field.Empty() ||
		!content.ReadASN1(&field, explicit(1)) || !readAlgorithm(&field, &mgf, asn1.SEQUENCE) || !field.Empty() ||
		!content.ReadASN1(&field, explicit(2)) || !field.ReadASN1Integer(&salt) || !field.Empty() ||
		!content.Empty() {
		return 0
	}
	var inner algorithm
	parameters := mgf.parameters
	if mgf.id != oidMGF1 || !readAlgorithm(&parameters, &inner, asn1.SEQUENCE) {
		return 0
	}
	h := hash.digest()
	if h == 0 || inner.digest() != h || salt != h.Size() {
		return 0
	}
	return h
}
