package testpki

import (
	"crypto"
	_ "crypto/md5" // hostile certificates are signed with it
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // likewise
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"
)

// Raw is a certificate as its DER parts. Nothing in it is checked. [RawFrom]
// fills it from a good certificate, so that a test changes one part only.
type Raw struct {
	Version    int              // 1, 2 or 3; 1 is left out of the encoding, as DER wants
	Serial     []byte           // content octets of the INTEGER
	Algorithm  []byte           // AlgorithmIdentifier; default: that of the signature
	Outer      []byte           // AlgorithmIdentifier outside the signed part; default: Algorithm
	Issuer     []byte           // DER Name
	NotBefore  time.Time        //
	NotAfter   time.Time        //
	Subject    []byte           // DER Name
	SPKI       []byte           // DER SubjectPublicKeyInfo
	Extensions []pkix.Extension // in this order, repeats included; none: no extensions field
}

// RawFrom takes a certificate apart.
func RawFrom(c *x509.Certificate) Raw {
	serial := c.SerialNumber.Bytes()
	if len(serial) == 0 || serial[0]&0x80 != 0 {
		serial = append([]byte{0}, serial...)
	}
	return Raw{
		Version:    c.Version,
		Serial:     serial,
		Issuer:     c.RawIssuer,
		NotBefore:  c.NotBefore,
		NotAfter:   c.NotAfter,
		Subject:    c.RawSubject,
		SPKI:       c.RawSubjectPublicKeyInfo,
		Extensions: append([]pkix.Extension(nil), c.Extensions...),
	}
}

// Sign returns the certificate as DER, signed with the issuer's key by the
// given algorithm, be it MD5WithRSA.
func (r Raw) Sign(t testing.TB, issuer crypto.Signer, algorithm x509.SignatureAlgorithm) []byte {
	t.Helper()
	identifier, hash, pss := signatureAlgorithm(t, algorithm)
	inner, outer := r.Algorithm, r.Outer
	if inner == nil {
		inner = identifier
	}
	if outer == nil {
		outer = inner
	}
	tbs := r.tbs(inner)

	message := tbs
	if hash != 0 {
		h := hash.New()
		h.Write(tbs)
		message = h.Sum(nil)
	}
	var options crypto.SignerOpts = hash
	if pss {
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	signature, err := issuer.Sign(rand.Reader, message, options)
	if err != nil {
		t.Fatalf("testpki: sign certificate: %v", err)
	}
	return DER(0x30, tbs, outer, BitString(signature))
}

// tbs encodes the TBSCertificate of RFC 5280 section 4.1.
func (r Raw) tbs(algorithm []byte) []byte {
	var parts [][]byte
	if r.Version != 1 {
		parts = append(parts, DER(0xa0, DER(0x02, []byte{byte(r.Version - 1)})))
	}
	parts = append(parts,
		DER(0x02, r.Serial),
		algorithm,
		r.Issuer,
		DER(0x30, Time(r.NotBefore), Time(r.NotAfter)),
		r.Subject,
		r.SPKI,
	)
	if len(r.Extensions) > 0 {
		var extensions [][]byte
		for _, e := range r.Extensions {
			extensions = append(extensions, Extension(e))
		}
		parts = append(parts, DER(0xa3, DER(0x30, extensions...)))
	}
	return DER(0x30, parts...)
}

// signatureAlgorithm returns the AlgorithmIdentifier, the hash and whether the
// padding is PSS.
func signatureAlgorithm(t testing.TB, a x509.SignatureAlgorithm) (identifier []byte, hash crypto.Hash, pss bool) {
	t.Helper()
	null := DER(0x05)
	switch a {
	case x509.MD5WithRSA:
		return DER(0x30, OID("1.2.840.113549.1.1.4"), null), crypto.MD5, false
	case x509.SHA1WithRSA:
		return DER(0x30, OID("1.2.840.113549.1.1.5"), null), crypto.SHA1, false
	case x509.SHA256WithRSA:
		return DER(0x30, OID("1.2.840.113549.1.1.11"), null), crypto.SHA256, false
	case x509.SHA384WithRSA:
		return DER(0x30, OID("1.2.840.113549.1.1.12"), null), crypto.SHA384, false
	case x509.SHA512WithRSA:
		return DER(0x30, OID("1.2.840.113549.1.1.13"), null), crypto.SHA512, false
	case x509.SHA256WithRSAPSS:
		return pssIdentifier("2.16.840.1.101.3.4.2.1", 32), crypto.SHA256, true
	case x509.SHA384WithRSAPSS:
		return pssIdentifier("2.16.840.1.101.3.4.2.2", 48), crypto.SHA384, true
	case x509.SHA512WithRSAPSS:
		return pssIdentifier("2.16.840.1.101.3.4.2.3", 64), crypto.SHA512, true
	case x509.ECDSAWithSHA1:
		return DER(0x30, OID("1.2.840.10045.4.1")), crypto.SHA1, false
	case x509.ECDSAWithSHA256:
		return DER(0x30, OID("1.2.840.10045.4.3.2")), crypto.SHA256, false
	case x509.ECDSAWithSHA384:
		return DER(0x30, OID("1.2.840.10045.4.3.3")), crypto.SHA384, false
	case x509.ECDSAWithSHA512:
		return DER(0x30, OID("1.2.840.10045.4.3.4")), crypto.SHA512, false
	case x509.PureEd25519:
		return DER(0x30, OID("1.3.101.112")), 0, false
	default:
		t.Fatalf("testpki: cannot sign with %v", a)
		return nil, 0, false
	}
}

// pssIdentifier encodes RSASSA-PSS with its parameters, RFC 4055 section 3.1.
func pssIdentifier(hash string, salt byte) []byte {
	h := DER(0x30, OID(hash), DER(0x05))
	return DER(0x30, OID("1.2.840.113549.1.1.10"), DER(0x30,
		DER(0xa0, h),
		DER(0xa1, DER(0x30, OID("1.2.840.113549.1.1.8"), h)),
		DER(0xa2, DER(0x02, []byte{salt})),
	))
}
