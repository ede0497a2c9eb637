package envelope

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes of the six algorithms
	_ "crypto/sha512"

	"github.com/notaryv2/notation/reason"
)

// Algorithm is one of the six signature algorithms. The zero value is none.
type Algorithm uint8

// The signature algorithms. Each goes with one kind and size of key, and each
// such key with one algorithm.
const (
	RSASSAPSSSHA256 Algorithm = iota + 1 // RSA 2048
	RSASSAPSSSHA384                      // RSA 3072
	RSASSAPSSSHA512                      // RSA 4096
	ECDSASHA256                          // EC P-256
	ECDSASHA384                          // EC P-384
	ECDSASHA512                          // EC P-521
)

// algorithms holds the names and numbers of the algorithms.
//
// JWS names: RFC 7518 sections 3.4 and 3.5. COSE numbers: RFC 9053 section
// 2.1 and RFC 8230 section 2.
var algorithms = [...]struct {
	name    string
	keySpec string
	jws     string
	cose    int64
	hash    crypto.Hash
	keySize int // bits of the modulus or of the curve
}{
	RSASSAPSSSHA256: {"RSASSA-PSS-SHA-256", "RSA-2048", "PS256", -37, crypto.SHA256, 2048},
	RSASSAPSSSHA384: {"RSASSA-PSS-SHA-384", "RSA-3072", "PS384", -38, crypto.SHA384, 3072},
	RSASSAPSSSHA512: {"RSASSA-PSS-SHA-512", "RSA-4096", "PS512", -39, crypto.SHA512, 4096},
	ECDSASHA256:     {"ECDSA-SHA-256", "EC-256", "ES256", -7, crypto.SHA256, 256},
	ECDSASHA384:     {"ECDSA-SHA-384", "EC-384", "ES384", -35, crypto.SHA384, 384},
	ECDSASHA512:     {"ECDSA-SHA-512", "EC-521", "ES512", -36, crypto.SHA512, 521},
}

func (a Algorithm) valid() bool { return a > 0 && int(a) < len(algorithms) }

// String returns the algorithm's name, such as "RSASSA-PSS-SHA-256". The zero
// value is "none".
func (a Algorithm) String() string {
	if !a.valid() {
		return "none"
	}
	return algorithms[a].name
}

// KeySpec returns the plugin protocol's name of the key, such as "RSA-2048",
// and "" for the zero value.
func (a Algorithm) KeySpec() string {
	if !a.valid() {
		return ""
	}
	return algorithms[a].keySpec
}

// Hash returns the digest algorithm, and 0 for the zero value. For RSA it is
// also the hash of the mask generation function.
func (a Algorithm) Hash() crypto.Hash {
	if !a.valid() {
		return 0
	}
	return algorithms[a].hash
}

// AlgorithmFor returns the one algorithm that goes with a public key, an
// *[rsa.PublicKey] or *[ecdsa.PublicKey]. Other kinds and sizes of keys are
// refused with reason envelope.algorithm.
func AlgorithmFor(pub crypto.PublicKey) (Algorithm, error) {
	switch key := pub.(type) {
	case *rsa.PublicKey:
		if key == nil || key.N == nil {
			break
		}
		for _, a := range []Algorithm{RSASSAPSSSHA256, RSASSAPSSSHA384, RSASSAPSSSHA512} {
			if algorithms[a].keySize == key.N.BitLen() {
				return a, nil
			}
		}
		return 0, keyError("an RSA key of %d bits", key.N.BitLen())
	case *ecdsa.PublicKey:
		if key == nil {
			break
		}
		switch key.Curve {
		case elliptic.P256():
			return ECDSASHA256, nil
		case elliptic.P384():
			return ECDSASHA384, nil
		case elliptic.P521():
			return ECDSASHA512, nil
		}
		return 0, keyError("an EC key on a curve other than P-256, P-384 and P-521")
	}
	return 0, keyError("a key of type %T", pub)
}

func keyError(format string, args ...any) error {
	return reason.Errorf(reason.EnvelopeAlgorithm, "no signature algorithm goes with "+format, args...).
		WithHint("use an RSA key of 2048, 3072 or 4096 bits or an EC key on P-256, P-384 or P-521")
}

func algorithmByJWS(name string) (Algorithm, error) {
	for a := RSASSAPSSSHA256; a.valid(); a++ {
		if algorithms[a].jws == name {
			return a, nil
		}
	}
	return 0, reason.Errorf(reason.EnvelopeAlgorithm, "signature algorithm %s is not allowed", quote(name))
}

func algorithmByCOSE(number int64) (Algorithm, error) {
	for a := RSASSAPSSSHA256; a.valid(); a++ {
		if algorithms[a].cose == number {
			return a, nil
		}
	}
	return 0, reason.Errorf(reason.EnvelopeAlgorithm, "COSE algorithm %d is not allowed", number)
}

// Scheme is a signing scheme. The zero value is none.
type Scheme uint8

// The signing schemes.
const (
	// SchemeX509 is "notary.x509": the signer's own certificate, and a signing
	// time that proves nothing.
	SchemeX509 Scheme = iota + 1
	// SchemeSigningAuthority is "notary.x509.signingAuthority": an authority
	// signs on behalf of others and vouches for the signing time.
	SchemeSigningAuthority
)

const (
	schemeNameX509             = "notary.x509"
	schemeNameSigningAuthority = "notary.x509.signingAuthority"
)

// String returns the scheme's name as in the envelope. The zero value is
// "none".
func (s Scheme) String() string {
	switch s {
	case SchemeX509:
		return schemeNameX509
	case SchemeSigningAuthority:
		return schemeNameSigningAuthority
	}
	return "none"
}

func schemeByName(name string) (Scheme, error) {
	for _, s := range []Scheme{SchemeX509, SchemeSigningAuthority} {
		if name == s.String() {
			return s, nil
		}
	}
	return 0, reason.Errorf(reason.EnvelopeScheme, "signing scheme %s is not known", quote(name))
}
