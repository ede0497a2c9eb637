package plugin

import (
	"context"
	"crypto"
	"crypto/x509"

	"github.com/notaryv2/notation/envelope"
)

// CryptoSigner is a [KeyDescriber] and a [RawSigner] for keys that are there as
// a [crypto.Signer]: in a file, or in a service whose client library has one.
type CryptoSigner struct {
	// Open returns the key of the given id and its certificate chain, leaf
	// first and complete up to the root. The key is used by
	// [envelope.SignPrimitive]. describe-key needs no chain.
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
	signature, err := envelope.SignPrimitive(key, alg, r.Payload)
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
