package signer

import (
	"context"
	"maps"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
)

// remote is a key behind a plugin.
type remote struct {
	plugin *plugin.Plugin
	keyID  string
	config map[string]string

	// describing is held, by having put in a value, by whoever asks for or
	// looks at algorithm. It is a channel and no mutex, so that waiting for it
	// ends with the context.
	describing chan struct{}
	algorithm  envelope.Algorithm // 0: not known yet
}

var _ BlobSigner = (*remote)(nil)

// FromPlugin returns a Signer for a key that a plugin knows by an id. config is
// passed on with each request; it is copied.
//
// A plugin with the capability SIGNATURE_GENERATOR.RAW makes bare signatures
// and is asked once, with the first use, for the algorithm of the key. One with
// SIGNATURE_GENERATOR.ENVELOPE makes envelopes for artifacts by itself, and one
// with SIGNATURE_GENERATOR.ENVELOPE_FOR_BLOB those for blobs; the first is
// preferred where a plugin has several. What the plugin returns is verified as
// [plugin.Plugin.SignRaw] and [plugin.Plugin.SignEnvelope] say. The Signer is a
// [BlobSigner].
//
// A plugin that lacks the capability for what it is asked gives an error with
// the code plugin.capability, here if it can sign nothing at all. One that makes
// envelopes for artifacts only has no command to tell the algorithm of a key,
// so that Algorithm is such an error.
func FromPlugin(p *plugin.Plugin, keyID string, config map[string]string) (Signer, error) {
	if p == nil {
		return nil, reason.Errorf(reason.PluginNotFound, "there is no plugin to sign with")
	}
	if err := plugin.CheckKeyID(keyID); err != nil {
		return nil, err
	}
	if !p.Can(plugin.CapabilityRaw) && !p.Can(plugin.CapabilityEnvelope) && !p.Can(plugin.CapabilityBlobEnvelope) {
		return nil, reason.Errorf(reason.PluginCapability, "the plugin %s cannot sign", p.Name()).
			WithHint("Use a plugin with a capability of the name SIGNATURE_GENERATOR; 'notation plugin list' shows the capabilities.")
	}
	return &remote{plugin: p, keyID: keyID, config: maps.Clone(config), describing: make(chan struct{}, 1)}, nil
}

// Algorithm implements [Signer].
func (s *remote) Algorithm(ctx context.Context) (envelope.Algorithm, error) {
	if !s.plugin.Can(plugin.CapabilityRaw) && !s.plugin.Can(plugin.CapabilityBlobEnvelope) {
		return 0, reason.Errorf(reason.PluginCapability, "the plugin %s makes whole envelopes for artifacts and does not tell the algorithm of its keys", s.plugin.Name()).
			WithHint("To sign files, use a plugin with the capability %s or %s.", plugin.CapabilityRaw, plugin.CapabilityBlobEnvelope)
	}
	select {
	case s.describing <- struct{}{}:
		defer func() { <-s.describing }()
	case <-ctx.Done():
		return 0, interrupted(ctx.Err())
	}
	if s.algorithm != 0 {
		return s.algorithm, nil
	}
	alg, err := s.plugin.DescribeKey(ctx, s.keyID, s.config)
	if err != nil {
		return 0, err // not remembered: the next try may do better
	}
	s.algorithm = alg
	return alg, nil
}

// Sign implements [Signer].
func (s *remote) Sign(ctx context.Context, r envelope.Request) (Result, error) {
	if s.plugin.Can(plugin.CapabilityRaw) {
		return s.raw(ctx, r)
	}
	if !s.plugin.Can(plugin.CapabilityEnvelope) {
		return Result{}, s.lacks("artifacts", plugin.CapabilityEnvelope)
	}
	return result(s.plugin.SignEnvelope(ctx, s.keyID, r, s.config))
}

// SignBlob implements [BlobSigner].
func (s *remote) SignBlob(ctx context.Context, r envelope.Request) (Result, error) {
	if s.plugin.Can(plugin.CapabilityRaw) {
		return s.raw(ctx, r)
	}
	if !s.plugin.Can(plugin.CapabilityBlobEnvelope) {
		return Result{}, s.lacks("files", plugin.CapabilityBlobEnvelope)
	}
	return result(s.plugin.SignBlobEnvelope(ctx, s.keyID, r, s.config))
}

func result(signed []byte, annotations map[string]string, err error) (Result, error) {
	if err != nil {
		return Result{}, err
	}
	return Result{Envelope: signed, Annotations: annotations}, nil
}

// lacks names the capability of which the plugin has neither it nor RAW.
func (s *remote) lacks(what string, c plugin.Capability) error {
	return reason.Errorf(reason.PluginCapability, "the plugin %s cannot sign %s", s.plugin.Name(), what).
		WithHint("Use a plugin with the capability %s or %s; 'notation plugin list' shows the capabilities.", plugin.CapabilityRaw, c)
}

// raw has the plugin make the bare signature of an envelope of ours.
func (s *remote) raw(ctx context.Context, r envelope.Request) (Result, error) {
	alg, err := s.Algorithm(ctx)
	if err != nil {
		return Result{}, err
	}
	unsigned, err := envelope.New(r, alg)
	if err != nil {
		return Result{}, err
	}
	signature, chain, err := s.plugin.SignRaw(ctx, s.keyID, alg, unsigned.ToBeSigned(), s.config)
	if err != nil {
		return Result{}, err
	}
	if err := validAt(chain, r); err != nil {
		return Result{}, err
	}
	sealed, err := unsigned.Seal(signature, chain)
	if err != nil {
		return Result{}, err
	}
	return Result{Envelope: sealed}, nil
}
