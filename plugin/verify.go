package plugin

import (
	"context"
	"slices"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/reason"
)

// VerifyRequest is what a verification plugin is asked.
type VerifyRequest struct {
	// Envelope is the signature. Its integrity is established, as the type
	// says; that its chain leads to a trusted root is for the caller to
	// establish before a plugin is run.
	Envelope *envelope.Verified

	// Capabilities are the checks to be made. The plugin must have them.
	Capabilities []Capability

	// TrustedIdentities are those of the trust policy, as written there.
	TrustedIdentities []string

	Config map[string]string // passed on
}

// Verification is what a plugin says about a signature. The zero value says
// nothing.
type Verification struct {
	Results     map[Capability]Result // one for each capability asked, no other
	Processed   []string              // critical extended attributes that the plugin has processed
	Unprocessed []string              // those that it has not; if there are any, the signature fails
}

// VerifySignature asks the plugin to judge a signature and to process its
// critical extended attributes. The signature must name this plugin, and not
// demand a later version of it. If there is nothing to judge and nothing to
// process, no plugin is run.
//
// An error means that there is no answer, or one that answers something else.
// Without error, each capability asked has a result; the caller must still look
// at Success, and at Unprocessed.
func (p *Plugin) VerifySignature(ctx context.Context, r VerifyRequest) (*Verification, error) {
	for i, c := range r.Capabilities {
		if !c.verifies() || slices.Contains(r.Capabilities[:i], c) {
			return nil, reason.Errorf(reason.PluginRequest, "%s is no check that a plugin can be asked for, or is asked for twice", quote(string(c)))
		}
		if err := p.need(c); err != nil {
			return nil, err
		}
	}
	if !p.Can(CapabilityRevocationCheck) {
		if err := p.need(CapabilityTrustedIdentity); err != nil {
			return nil, err
		}
	}
	if r.Envelope == nil {
		return nil, unverified()
	}
	content := r.Envelope.Content()
	if len(content.Chain) == 0 {
		return nil, unverified()
	}
	if content.VerificationPlugin != p.name {
		return nil, reason.Errorf(reason.PluginRequest, "the plugin %s is not the one that the signature names", quote(p.name))
	}
	if err := p.Meets(content.PluginMinVersion); err != nil {
		return nil, err
	}
	request := newVerifyRequest(&content, &r)
	if len(r.Capabilities) == 0 && len(request.Signature.UnprocessedAttributes) == 0 {
		return &Verification{}, nil
	}
	var answer VerifySignatureResponse
	if err := p.call(ctx, CommandVerifySignature, request, &answer); err != nil {
		return nil, err
	}
	return answer.check(&request)
}

func unverified() error {
	return reason.Errorf(reason.PluginRequest, "a plugin is not asked about a signature that was not verified")
}

func newVerifyRequest(c *envelope.Content, r *VerifyRequest) VerifySignatureRequest {
	signature := Signature{
		CriticalAttributes: CriticalAttributes{
			ContentType:                  envelope.MediaTypePayload,
			SigningScheme:                c.Scheme.String(),
			Expiry:                       c.Expiry.UTC(),
			VerificationPlugin:           c.VerificationPlugin,
			VerificationPluginMinVersion: c.PluginMinVersion,
		},
	}
	if c.Expiry.IsZero() {
		signature.CriticalAttributes.Expiry = c.Expiry
	}
	if c.Scheme == envelope.SchemeSigningAuthority {
		signature.CriticalAttributes.AuthenticSigningTime = c.SigningTime.UTC()
	}
	for _, a := range c.Extended {
		if !a.Critical {
			continue
		}
		if signature.CriticalAttributes.ExtendedAttributes == nil {
			signature.CriticalAttributes.ExtendedAttributes = map[string]any{}
		}
		signature.CriticalAttributes.ExtendedAttributes[a.Key] = a.Value
		signature.UnprocessedAttributes = append(signature.UnprocessedAttributes, a.Key)
	}
	for _, cert := range c.Chain {
		signature.CertificateChain = append(signature.CertificateChain, cert.Raw)
	}
	return VerifySignatureRequest{
		ContractVersion: ContractVersion, Signature: signature, PluginConfig: r.Config,
		TrustPolicy: TrustPolicy{TrustedIdentities: r.TrustedIdentities, SignatureVerification: r.Capabilities},
	}
}

// check takes an answer that answers exactly what was asked.
func (r *VerifySignatureResponse) check(asked *VerifySignatureRequest) (*Verification, error) {
	v := &Verification{Results: make(map[Capability]Result, len(r.VerificationResults))}
	for c, result := range r.VerificationResults {
		if !slices.Contains(asked.TrustPolicy.SignatureVerification, c) {
			return nil, lie(reason.PluginVerification, "it has a result for %s, which was not asked", quote(string(c)))
		}
		result.Reason = shown(result.Reason)
		v.Results[c] = result
	}
	for _, c := range asked.TrustPolicy.SignatureVerification {
		if _, ok := v.Results[c]; !ok {
			return nil, lie(reason.PluginVerification, "it has no result for %s", c)
		}
	}
	for i, name := range r.ProcessedAttributes {
		if !slices.Contains(asked.Signature.UnprocessedAttributes, name) || slices.Contains(r.ProcessedAttributes[:i], name) {
			return nil, lie(reason.PluginVerification, "it says that it processed the attribute %s, which it was not asked to, or says so twice", quote(name))
		}
	}
	v.Processed = r.ProcessedAttributes
	for _, name := range asked.Signature.UnprocessedAttributes {
		if !slices.Contains(v.Processed, name) {
			v.Unprocessed = append(v.Unprocessed, name)
		}
	}
	return v, nil
}
