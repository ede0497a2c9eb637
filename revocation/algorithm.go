package revocation

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of the accepted algorithms
	_ "crypto/sha512"

	"github.com/notaryv2/notation/reason"
)

// algorithm is how an answer is signed. SHA-1 and MD5 are no part of any
// (NIST SP 800-131A revision 2, section 9).
type algorithm struct {
	hash crypto.Hash
	kind signatureKind
}

type signatureKind uint8

const (
	pkcs1v15 signatureKind = iota
	pss
	ecdsaDER
)

// algorithms are the accepted AlgorithmIdentifiers, each in its one encoding:
// RFC 4055 sections 3.1 and 5, RFC 5758 section 3.2. PSS has the salt as long
// as the hash and the hash in the mask generation, too.
var algorithms = map[string]algorithm{
	"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00": {crypto.SHA256, pkcs1v15},
	"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c\x05\x00": {crypto.SHA384, pkcs1v15},
	"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00": {crypto.SHA512, pkcs1v15},
	"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02":             {crypto.SHA256, ecdsaDER},
	"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03":             {crypto.SHA384, ecdsaDER},
	"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04":             {crypto.SHA512, ecdsaDER},
	pssIdentifier(oidSHA256, 32):                                   {crypto.SHA256, pss},
	pssIdentifier(oidSHA384, 48):                                   {crypto.SHA384, pss},
	pssIdentifier(oidSHA512, 64):                                   {crypto.SHA512, pss},
}

func pssIdentifier(hash string, salt byte) string {
	h := wrap(tagSequence, wrap(tagOID, []byte(hash)), []byte{0x05, 0})
	mgf := wrap(tagSequence, wrap(tagOID, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08")), h)
	return string(wrap(tagSequence,
		wrap(tagOID, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a")),
		wrap(tagSequence, wrap(constructed, h), wrap(constructed|1, mgf), wrap(constructed|2, wrap(tagInteger, []byte{salt}))),
	))
}

func algorithmOf(identifier []byte) (algorithm, *reason.Error) {
	a, ok := algorithms[string(identifier)]
	if !ok {
		return a, reason.Errorf(reason.RevocationAlgorithm, "it is signed with an algorithm that is weak or unknown")
	}
	return a, nil
}

// digest hashes what was signed.
func (a algorithm) digest(signed []byte) []byte {
	h := a.hash.New()
	h.Write(signed)
	return h.Sum(nil)
}

// verifies reports whether key has signed the digest. Keys outside of the sizes
// that the certificate rules allow verify nothing.
func (a algorithm) verifies(key crypto.PublicKey, digest, signature []byte) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return false
		}
		switch a.kind {
		case pkcs1v15:
			return rsa.VerifyPKCS1v15(k, a.hash, digest, signature) == nil
		case pss:
			return rsa.VerifyPSS(k, a.hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return a.kind == ecdsaDER && ecdsa.VerifyASN1(k, digest, signature)
		}
	}
	return false
}

// signatureBits reads the content of a BIT STRING of whole octets.
func signatureBits(content der) ([]byte, bool) {
	if len(content) < 2 || content[0] != 0 {
		return nil, false
	}
	return content[1:], true
}
