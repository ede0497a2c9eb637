package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/trust"
)

// stage is a signed attribute that this plugin understands: where the artifact
// may be used.
const stage = "com.example.stage"

type verifier struct{}

// VerifySignature answers what the host asks: is the signer one of the trusted
// identities, and is a certificate revoked? It answers for the stage, too, as
// the host does not know it.
func (verifier) VerifySignature(_ context.Context, r *plugin.VerifySignatureRequest) (*plugin.VerifySignatureResponse, error) {
	if len(r.Signature.CertificateChain) == 0 {
		return nil, &plugin.Error{Code: plugin.CodeValidation, Message: "there is no certificate"}
	}
	leaf, err := x509.ParseCertificate(r.Signature.CertificateChain[0])
	if err != nil {
		return nil, err
	}
	answer := &plugin.VerifySignatureResponse{VerificationResults: map[plugin.Capability]plugin.Result{}}
	for _, c := range r.TrustPolicy.SignatureVerification {
		switch c {
		case plugin.CapabilityTrustedIdentity:
			answer.VerificationResults[c] = identity(leaf, r.TrustPolicy.TrustedIdentities)
		case plugin.CapabilityRevocationCheck:
			answer.VerificationResults[c] = revocation(r.Signature.CertificateChain, r.PluginConfig["revoked"])
		}
	}
	attributes := r.Signature.CriticalAttributes.ExtendedAttributes
	if slices.Contains(r.Signature.UnprocessedAttributes, stage) && attributes[stage] == r.PluginConfig["stage"] {
		answer.ProcessedAttributes = []string{stage}
	}
	return answer, nil
}

func identity(leaf *x509.Certificate, trusted []string) plugin.Result {
	for _, s := range trusted {
		if id, err := trust.ParseIdentity(s); err == nil && (id.IsAny() || id.Matches(leaf)) {
			return plugin.Result{Success: true}
		}
	}
	return plugin.Result{Reason: "the signer is none of the trusted identities"}
}

func revocation(chain [][]byte, revoked string) plugin.Result {
	for _, der := range chain {
		fingerprint := sha256.Sum256(der)
		if slices.Contains(strings.Split(strings.ToLower(revoked), ","), hex.EncodeToString(fingerprint[:])) {
			return plugin.Result{Reason: "the certificate " + hex.EncodeToString(fingerprint[:]) + " is on the list of revoked ones"}
		}
	}
	return plugin.Result{Success: true}
}
