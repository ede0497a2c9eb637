package envelope

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"math/big"

	"github.com/notaryv2/notation/reason"
)

// VerifyPrimitive checks a bare signature over message, which is not hashed
// yet. It is what lies below [Unverified.Verify], for those who have no
// envelope: the host of a signing plugin, or a test with vectors.
//
// The key must be the one that alg goes with (see [AlgorithmFor]); if not, the
// reason is envelope.algorithm. Every other failure has the reason
// envelope.signature.
//
// RSA signatures are RSASSA-PSS with a salt as long as the hash and MGF1 over
// the same hash (RFC 7518 section 3.5, RFC 8230 section 2); they are exactly as
// long as the modulus. ECDSA signatures are r and s, each as wide as the
// curve's order and big-endian, with nothing around them (RFC 7518 section
// 3.4, RFC 9053 section 2.1). The range of r and s is checked, 0 < r,s < n; s
// may be in either half of it.
func VerifyPrimitive(alg Algorithm, pub crypto.PublicKey, message, signature []byte) error {
	demanded, err := AlgorithmFor(pub)
	if err != nil {
		return err
	}
	if alg != demanded {
		return reason.Errorf(reason.EnvelopeAlgorithm, "the algorithm is %s, but the key demands %s", alg, demanded)
	}
	h := alg.Hash().New()
	h.Write(message)
	digest := h.Sum(nil)
	if key, ok := pub.(*ecdsa.PublicKey); ok {
		return verifyECDSA(key, digest, signature)
	}
	// AlgorithmFor knows two types.
	return verifyPSS(pub.(*rsa.PublicKey), alg.Hash(), digest, signature)
}

func verifyPSS(key *rsa.PublicKey, hash crypto.Hash, digest, signature []byte) error {
	if len(signature) != key.Size() {
		return widthError(len(signature), key.Size())
	}
	// The options fix the salt length, so that no other is tried.
	err := rsa.VerifyPSS(key, hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash})
	if err != nil {
		return mismatch()
	}
	return nil
}

func verifyECDSA(key *ecdsa.PublicKey, digest, signature []byte) error {
	order := key.Curve.Params().N
	width := (order.BitLen() + 7) / 8
	if len(signature) != 2*width {
		return widthError(len(signature), 2*width)
	}
	r := new(big.Int).SetBytes(signature[:width])
	s := new(big.Int).SetBytes(signature[width:])
	for _, n := range []*big.Int{r, s} {
		if n.Sign() == 0 || n.Cmp(order) >= 0 {
			return reason.Errorf(reason.EnvelopeSignature, "the ECDSA signature holds a number outside its range")
		}
	}
	if !ecdsa.Verify(key, digest, r, s) {
		return mismatch()
	}
	return nil
}

func widthError(got, want int) error {
	return reason.Errorf(reason.EnvelopeSignature, "the signature is %d bytes long, not %d", got, want)
}

func mismatch() error {
	return reason.Errorf(reason.EnvelopeSignature, "the signature does not match the signed content").
		WithHint("the content was changed after signing, or was signed with another key")
}
