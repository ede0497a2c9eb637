package main

import (
	"context"
	"crypto/x509"
	"slices"

	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/trust"
)

// stage is a signed attribute that this plugin understands: where the artifact
// may be used. The user says with --plugin-config stage=... where that is.
const stage = "com.example.stage"

type verifier struct{}

// VerifySignature asks the host's question: is the signer one of the trusted
// identities? It answers for the stage, too, as the host does not know it.
func (verifier) VerifySignature(_ context.Context, r *plugin.VerifySignatureRequest) (*plugin.VerifySignatureResponse, error) {
	if len(r.Signature.CertificateChain) == 0 {
		return nil, &plugin.Error{Code: plugin.CodeValidation, Message: "there is no certificate"}
	}
	leaf, err := x509.ParseCertificate(r.Signature.CertificateChain[0])
	if err != nil {
		return nil, err
	}
	result := plugin.Result{Reason: "the signer is none of the trusted identities"}
	for _, s := range r.TrustPolicy.TrustedIdentities {
		if id, err := trust.ParseIdentity(s); err == nil && (id.IsAny() || id.Matches(leaf)) {
			result = plugin.Result{Success: true}
		}
	}
	answer := &plugin.VerifySignatureResponse{VerificationResults: map[plugin.Capability]plugin.Result{}}
	for _, c := range r.TrustPolicy.SignatureVerification {
		answer.VerificationResults[c] = result
	}
	attributes := r.Signature.CriticalAttributes.ExtendedAttributes
	if slices.Contains(r.Signature.UnprocessedAttributes, stage) && attributes[stage] == r.PluginConfig["stage"] {
		answer.ProcessedAttributes = []string{stage}
	}
	return answer, nil
}
