package certchain

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// Extensions that some rule evaluates, RFC 5280 section 4.2.1.
var (
	oidKeyUsage            = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidSubjectAltName      = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidBasicConstraints    = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidNameConstraints     = asn1.ObjectIdentifier{2, 5, 29, 30}
	oidCertificatePolicies = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidExtendedKeyUsage    = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// extension returns an extension of the certificate, or nil.
func (c link) extension(id asn1.ObjectIdentifier) *pkix.Extension {
	for i := range c.Extensions {
		if c.Extensions[i].Id.Equal(id) {
			return &c.Extensions[i]
		}
	}
	return nil
}

// RFC 5280 section 4.1.2.1: "When extensions are used, as expected in this
// profile, version MUST be 3 (value is 2)."
func version(c link) string {
	if c.Version != 3 {
		return fmt.Sprintf("is of version %d, not 3", c.Version)
	}
	return ""
}

// RFC 5280 section 4.1.2.2: "The serial number MUST be a positive integer
// assigned by the CA to each certificate. [...] Conforming CAs MUST NOT use
// serialNumber values longer than 20 octets."
func serial(c link) string {
	switch n := c.SerialNumber; {
	case n == nil || n.Sign() == 0:
		return "has the serial number zero"
	case n.Sign() < 0:
		return "has a negative serial number"
	case n.BitLen() > maxSerialBits:
		return "has a serial number of more than 20 octets"
	}
	return ""
}

// RFC 5280 section 4.2: "A certificate MUST NOT include more than one instance
// of a particular extension."
//
// The number of extensions is bounded by certificateSize.
func extensionDuplicate(c link) string {
	for i, e := range c.Extensions {
		for _, earlier := range c.Extensions[:i] {
			if e.Id.Equal(earlier.Id) {
				return fmt.Sprintf("has the extension %s twice", e.Id)
			}
		}
	}
	return ""
}

// RFC 5280 section 4.2: "A certificate-using system MUST reject the
// certificate if it encounters a critical extension it does not recognize or a
// critical extension that contains information that it cannot process."
//
// subjectAltName adds names, by which nobody is identified here, and takes
// none away. certificatePolicies restricts nothing as long as no certain
// policy is demanded (section 6.1.1, any-policy), which only policyConstraints
// could do: that one is refused where it is critical, as it must be.
func extensionCritical(c link) string {
	for _, e := range c.Extensions {
		if !e.Critical {
			continue
		}
		switch {
		case e.Id.Equal(oidBasicConstraints), e.Id.Equal(oidKeyUsage), e.Id.Equal(oidExtendedKeyUsage),
			e.Id.Equal(oidNameConstraints), e.Id.Equal(oidSubjectAltName), e.Id.Equal(oidCertificatePolicies):
		default:
			return fmt.Sprintf("has the critical extension %s, which is not evaluated here", e.Id)
		}
	}
	return ""
}

// The keys that the signature specification has algorithms for. crypto/x509
// reads no curve but the named ones.
func keyType(c link) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return ""
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return ""
		}
		return "has a key on another elliptic curve than P-256, P-384 and P-521"
	}
	if c.PublicKeyAlgorithm == x509.UnknownPublicKeyAlgorithm {
		return "has a key of unknown type"
	}
	return fmt.Sprintf("has a key of type %s, which is not accepted", c.PublicKeyAlgorithm)
}

// NIST SP 800-131A revision 2, section 3: RSA verification with less than 2048
// bits is for legacy use only.
func keySize(c link) string {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		return ""
	}
	switch bits := key.N.BitLen(); {
	case bits < minRSABits:
		return fmt.Sprintf("has an RSA key of %d bits, less than %d", bits, minRSABits)
	case bits > maxRSABits:
		return fmt.Sprintf("has an RSA key of %d bits, more than %d", bits, maxRSABits)
	}
	return ""
}

// FIPS 186-5 appendix A.1.1: the public exponent e is odd and
// 2^16 < e < 2^256. The modulus is a product of odd primes.
func keyParameters(c link) string {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	switch {
	case !ok:
		return ""
	case key.N.Bit(0) == 0:
		return "has an RSA key with an even modulus"
	case key.E%2 == 0:
		return "has an RSA key with an even exponent"
	case key.E < minRSAExponent:
		return fmt.Sprintf("has an RSA key with the exponent %d, less than %d", key.E, minRSAExponent)
	case key.E > maxRSAExponent:
		return fmt.Sprintf("has an RSA key with an exponent above %d", maxRSAExponent)
	}
	return ""
}

// NIST SP 800-131A revision 2, section 9: SHA-1 is disallowed for digital
// signatures. MD5 and MD2 are broken altogether.
func signatureHash(c link) string {
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return fmt.Sprintf("is signed with %s, whose hash is weak", c.SignatureAlgorithm)
	}
	return ""
}

// The signature algorithms of certificates are not limited to those of
// envelopes: authorities sign with PKCS #1 v1.5 padding, too.
func signatureAlgorithm(c link) string {
	switch {
	case acceptedSignature(c.SignatureAlgorithm), signatureHash(c) != "":
		return ""
	case c.SignatureAlgorithm == x509.UnknownSignatureAlgorithm:
		return "is signed with an unknown algorithm"
	}
	return fmt.Sprintf("is signed with %s, which is not accepted", c.SignatureAlgorithm)
}

func acceptedSignature(a x509.SignatureAlgorithm) bool {
	switch a {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		return true
	}
	return false
}
