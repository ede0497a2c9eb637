package envelope

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"

	"github.com/notaryv2/notation/reason"
)

// SignPrimitive makes a bare signature over message, which is not hashed yet,
// in the form that [VerifyPrimitive] describes and [Unsigned.Seal] takes.
//
// alg must be the algorithm that goes with the key (see [AlgorithmFor]); if not,
// the reason is envelope.algorithm. The key is asked for RSASSA-PSS by
// [rsa.PSSOptions], or for ASN.1 DER if it is an EC key, as [crypto.Signer] has
// it. An answer that has not the form of a signature has the reason
// envelope.signature; whether it holds is not checked. An error of the key is
// returned as it is. A key may wait for a device or a person for as long as it
// likes.
func SignPrimitive(key crypto.Signer, alg Algorithm, message []byte) ([]byte, error) {
	pub := key.Public()
	digest, err := digestFor(alg, pub, message)
	if err != nil {
		return nil, err
	}
	if pub, ok := pub.(*ecdsa.PublicKey); ok {
		der, err := key.Sign(rand.Reader, digest, alg.Hash())
		if err != nil {
			return nil, err
		}
		return rawFromDER(pub, der)
	}
	signature, err := key.Sign(rand.Reader, digest, pssOptions(alg.Hash()))
	if err != nil {
		return nil, err
	}
	if want := pub.(*rsa.PublicKey).Size(); len(signature) != want {
		return nil, widthError(len(signature), want)
	}
	return signature, nil
}

// rawFromDER turns the Ecdsa-Sig-Value of RFC 3279 section 2.2.3 into r and s
// side by side.
func rawFromDER(pub *ecdsa.PublicKey, der []byte) ([]byte, error) {
	var value struct{ R, S *big.Int }
	width := orderWidth(pub)
	rest, err := asn1.Unmarshal(der, &value)
	if err != nil || len(rest) > 0 || !fits(value.R, width) || !fits(value.S, width) {
		return nil, reason.Errorf(reason.EnvelopeSignature, "the key returned something that is no ECDSA signature in DER")
	}
	raw := make([]byte, 2*width)
	value.R.FillBytes(raw[:width])
	value.S.FillBytes(raw[width:])
	return raw, nil
}

func fits(n *big.Int, width int) bool { return n.Sign() > 0 && n.BitLen() <= 8*width }

// orderWidth returns the width in bytes of the order of the key's curve.
func orderWidth(pub *ecdsa.PublicKey) int { return (pub.Curve.Params().N.BitLen() + 7) / 8 }

// pssOptions fixes the salt length, so that no other is used or tried.
func pssOptions(hash crypto.Hash) *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
}

// digestFor hashes message for alg, which must be the one that pub demands.
func digestFor(alg Algorithm, pub crypto.PublicKey, message []byte) ([]byte, error) {
	demanded, err := AlgorithmFor(pub)
	if err != nil {
		return nil, err
	}
	if alg != demanded {
		return nil, reason.Errorf(reason.EnvelopeAlgorithm, "the algorithm is %s, but the key demands %s", alg, demanded)
	}
	h := alg.Hash().New()
	h.Write(message)
	return h.Sum(nil), nil
}

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
	digest, err := digestFor(alg, pub, message)
	if err != nil {
		return err
	}
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
	if err := rsa.VerifyPSS(key, hash, digest, signature, pssOptions(hash)); err != nil {
		return mismatch()
	}
	return nil
}

func verifyECDSA(key *ecdsa.PublicKey, digest, signature []byte) error {
	order, width := key.Curve.Params().N, orderWidth(key)
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
