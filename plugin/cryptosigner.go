package plugin

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"

	"github.com/notaryv2/notation/envelope"
)

// CryptoSigner is a [KeyDescriber] and a [RawSigner] for keys that are there as
// a [crypto.Signer]: in a file, or in a service whose client library has one.
type CryptoSigner struct {
	// Open returns the key of the given id and its certificate chain, leaf
	// first and complete up to the root. The key is asked for PSS signatures by
	// [rsa.PSSOptions], or for ASN.1 DER if it is an EC key. describe-key needs
	// no chain.
	Open func(ctx context.Context, keyID string, config map[string]string) (crypto.Signer, []*x509.Certificate, error)
}

var (
	_ KeyDescriber = CryptoSigner{}
	_ RawSigner    = CryptoSigner{}
)

// DescribeKey implements [KeyDescriber].
func (s CryptoSigner) DescribeKey(ctx context.Context, r *DescribeKeyRequest) (*DescribeKeyResponse, error) {
	_, _, alg, err := s.open(ctx, r.KeyID, r.PluginConfig)
	if err != nil {
		return nil, err
	}
	return &DescribeKeyResponse{KeyID: r.KeyID, KeySpec: alg.KeySpec()}, nil
}

// GenerateSignature implements [RawSigner].
func (s CryptoSigner) GenerateSignature(ctx context.Context, r *GenerateSignatureRequest) (*GenerateSignatureResponse, error) {
	key, chain, alg, err := s.open(ctx, r.KeyID, r.PluginConfig)
	if err != nil {
		return nil, err
	}
	if r.KeySpec != alg.KeySpec() || r.HashAlgorithm != alg.Hash().String() {
		return nil, invalid("the key signs with %s, not with %s and %s", alg, quote(r.KeySpec), quote(r.HashAlgorithm))
	}
	signature, err := sign(key, alg, r.Payload)
	if err != nil {
		return nil, err
	}
	answer := &GenerateSignatureResponse{KeyID: r.KeyID, Signature: signature, SigningAlgorithm: alg.String()}
	for _, cert := range chain {
		answer.CertificateChain = append(answer.CertificateChain, cert.Raw)
	}
	return answer, nil
}

func (s CryptoSigner) open(ctx context.Context, keyID string, config map[string]string) (crypto.Signer, []*x509.Certificate, envelope.Algorithm, error) {
	key, chain, err := s.Open(ctx, keyID, config)
	if err != nil {
		return nil, nil, 0, err
	}
	alg, err := envelope.AlgorithmFor(key.Public())
	if err != nil {
		return nil, nil, 0, invalid("this key cannot be used: %v", err)
	}
	return key, chain, alg, nil
}

// sign returns the signature in the form that envelopes hold.
func sign(key crypto.Signer, alg envelope.Algorithm, message []byte) ([]byte, error) {
	h := alg.Hash().New()
	h.Write(message)
	pub, isEC := key.Public().(*ecdsa.PublicKey)
	if !isEC { // RFC 7518 section 3.5: a salt as long as the hash
		return key.Sign(rand.Reader, h.Sum(nil), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: alg.Hash()})
	}
	der, err := key.Sign(rand.Reader, h.Sum(nil), alg.Hash())
	if err != nil {
		return nil, err
	}
	// RFC 7518 section 3.4: r and s side by side, each as wide as the order.
	var value struct{ R, S *big.Int }
	width := (pub.Curve.Params().BitSize + 7) / 8
	if rest, err := asn1.Unmarshal(der, &value); err != nil || len(rest) > 0 || !fits(value.R, width) || !fits(value.S, width) {
		return nil, errors.New("the key returned something that is no signature")
	}
	raw := make([]byte, 2*width)
	value.R.FillBytes(raw[:width])
	value.S.FillBytes(raw[width:])
	return raw, nil
}

func fits(n *big.Int, width int) bool { return n.Sign() > 0 && n.BitLen() <= 8*width }
