package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/plugin"
)

// envelopes makes whole envelopes. It is for plugins that sign attributes of
// their own; a plugin that only holds keys leaves the envelope to the host.
type envelopes struct{ plugin.CryptoSigner }

// GenerateEnvelope signs the payload and, if the user has named one, the stage.
func (s envelopes) GenerateEnvelope(ctx context.Context, r *plugin.GenerateEnvelopeRequest) (*plugin.GenerateEnvelopeResponse, error) {
	var payload struct {
		TargetArtifact envelope.Descriptor `json:"targetArtifact"`
	}
	if err := json.Unmarshal(r.Payload, &payload); err != nil {
		return nil, &plugin.Error{Code: plugin.CodeValidation, Message: "payload: " + err.Error()}
	}
	key, chain, err := s.Open(ctx, r.KeyID, r.PluginConfig)
	if err != nil {
		return nil, err
	}
	alg, err := envelope.AlgorithmFor(key.Public())
	if err != nil {
		return nil, err
	}
	request := envelope.Request{MediaType: r.SignatureEnvelopeType, Target: payload.TargetArtifact, SigningTime: time.Now(), Agent: name + "/" + version}
	if r.ExpiryDurationInSeconds > 0 {
		request.Expiry = request.SigningTime.Add(time.Duration(r.ExpiryDurationInSeconds) * time.Second)
	}
	if where := r.PluginConfig["stage"]; where != "" {
		request.VerificationPlugin, request.PluginMinVersion = name, version
		request.Extended = []envelope.Attribute{{Key: stage, Critical: true, Value: where}}
	}
	unsigned, err := envelope.New(request, alg)
	if err != nil {
		return nil, err
	}
	signature, err := envelope.SignPrimitive(key, alg, unsigned.ToBeSigned())
	if err != nil {
		return nil, err
	}
	sealed, err := unsigned.Seal(signature, chain)
	if err != nil {
		return nil, err
	}
	return &plugin.GenerateEnvelopeResponse{SignatureEnvelope: sealed, SignatureEnvelopeType: r.SignatureEnvelopeType}, nil
}
