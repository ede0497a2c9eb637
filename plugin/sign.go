package plugin

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"math"
	"strings"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/reason"
)

// reserved starts the annotation keys that belong to the specification.
const reserved = "io.cncf.notary"

// algorithmOf returns the algorithm that goes with a key spec, 0 for none.
func algorithmOf(keySpec string) envelope.Algorithm {
	for a := envelope.RSASSAPSSSHA256; a <= envelope.ECDSASHA512; a++ {
		if a.KeySpec() == keySpec {
			return a
		}
	}
	return 0
}

// CheckKeyID returns an error with the code plugin.request unless id can be the
// id of a key: 1 to 4096 bytes that are whatever the plugin understands.
func CheckKeyID(id string) error {
	if id == "" || len(id) > maxKeyID {
		return reason.Errorf(reason.PluginRequest, "a key id has 1 to %d bytes", maxKeyID).
			WithHint("Give the id by which the plugin knows the key.")
	}
	return nil
}

// DescribeKey asks a plugin that signs raw, or blobs, for the algorithm that
// goes with a key. config is passed on.
func (p *Plugin) DescribeKey(ctx context.Context, keyID string, config map[string]string) (envelope.Algorithm, error) {
	if !p.Can(CapabilityBlobEnvelope) {
		if err := p.need(CapabilityRaw); err != nil {
			return 0, err
		}
	}
	if err := CheckKeyID(keyID); err != nil {
		return 0, err
	}
	var answer DescribeKeyResponse
	err := p.call(ctx, CommandDescribeKey, DescribeKeyRequest{ContractVersion: ContractVersion, KeyID: keyID, PluginConfig: config}, &answer)
	if err != nil {
		return 0, err
	}
	return answer.check(keyID)
}

func (r *DescribeKeyResponse) check(keyID string) (envelope.Algorithm, error) {
	if err := sameKey(r.KeyID, keyID); err != nil {
		return 0, err
	}
	alg := algorithmOf(r.KeySpec)
	if alg == 0 {
		return 0, reason.Errorf(reason.PluginKey, "the plugin has a key of the kind %s, which signatures must not use", quote(r.KeySpec)).
			WithHint("Use RSA of 2048, 3072 or 4096 bits, or EC P-256, P-384 or P-521.")
	}
	return alg, nil
}

func sameKey(got, want string) error {
	if got != want {
		return lie(reason.PluginKey, "it was asked for the key %s and speaks of %s", quote(want), quote(got))
	}
	return nil
}

// SignRaw has the plugin sign payload, at most 1 MiB and not hashed, with a key
// whose algorithm [Plugin.DescribeKey] has told. It returns the signature in
// the form of [envelope.VerifyPrimitive] and the chain, leaf first.
//
// Before it does so it checks that the answer is about the same key and
// algorithm, that the chain keeps the certificate rules for code signing, and
// that the signature over payload holds with the leaf's key. Whether the
// certificates are valid now is not looked at.
func (p *Plugin) SignRaw(ctx context.Context, keyID string, alg envelope.Algorithm, payload []byte, config map[string]string) (signature []byte, chain []*x509.Certificate, err error) {
	if err := p.need(CapabilityRaw); err != nil {
		return nil, nil, err
	}
	if err := CheckKeyID(keyID); err != nil {
		return nil, nil, err
	}
	if alg.KeySpec() == "" || len(payload) > maxPayload {
		return nil, nil, reason.Errorf(reason.PluginRequest, "a plugin signs with one of the six algorithms, and at most %d bytes", maxPayload)
	}
	var answer GenerateSignatureResponse
	err = p.call(ctx, CommandGenerateSignature, GenerateSignatureRequest{
		ContractVersion: ContractVersion, KeyID: keyID, KeySpec: alg.KeySpec(),
		HashAlgorithm: alg.Hash().String(), Payload: payload, PluginConfig: config,
	}, &answer)
	if err != nil {
		return nil, nil, err
	}
	if chain, err = answer.check(keyID, alg, payload); err != nil {
		return nil, nil, err
	}
	return answer.Signature, chain, nil
}

func (r *GenerateSignatureResponse) check(keyID string, alg envelope.Algorithm, payload []byte) ([]*x509.Certificate, error) {
	if err := sameKey(r.KeyID, keyID); err != nil {
		return nil, err
	}
	if r.SigningAlgorithm != alg.String() {
		return nil, lie(reason.PluginKey, "it signed with %s, where the key demands %s", quote(r.SigningAlgorithm), alg)
	}
	chain, err := certchain.Parse(r.CertificateChain)
	if err == nil {
		err = certchain.Check(chain, certchain.CodeSigning)
	}
	if err != nil {
		return nil, reason.Wrap(reason.PluginChain, err, "the certificate chain of the plugin cannot be used").
			WithHint("Have the certificate of the key, and its chain up to the root, corrected where the plugin gets it from.")
	}
	if len(r.Signature) > maxSignature {
		return nil, lie(reason.PluginSignature, "its signature has %d bytes", len(r.Signature))
	}
	if err := envelope.VerifyPrimitive(alg, chain[0].PublicKey, payload, r.Signature); err != nil {
		return nil, reason.Wrap(reason.PluginSignature, err, "the plugin did not sign what it was asked to, or not with the key of its certificate").
			WithHint("Do not use this plugin; tell its maker.")
	}
	return chain, nil
}

// SignEnvelope has a plugin with the capability SIGNATURE_GENERATOR.ENVELOPE
// make a whole envelope. Of r, a plugin can be told the media type, the target
// and how long it is from SigningTime to Expiry; other signed attributes are
// the plugin's choice, so a request for them is refused. The signing scheme is
// checked if r names one, and else is also the plugin's choice.
//
// The envelope has been verified by the rules of package envelope, its payload
// is the one asked for but for annotations that the plugin may add, its
// certificates are valid at r.SigningTime, and its expiry is the one asked for
// within five minutes. Where none was asked for, the plugin may set one. The
// annotations are for the signature's manifest; none is of the specification.
func (p *Plugin) SignEnvelope(ctx context.Context, keyID string, r envelope.Request, config map[string]string) (signed []byte, annotations map[string]string, err error) {
	if err := p.need(CapabilityEnvelope); err != nil {
		return nil, nil, err
	}
	return p.signEnvelope(ctx, keyID, r, config)
}

// SignBlobEnvelope is [Plugin.SignEnvelope] for a blob and the capability
// SIGNATURE_GENERATOR.ENVELOPE_FOR_BLOB. The key's algorithm, which decides the
// digest in r.Target, comes from [Plugin.DescribeKey].
func (p *Plugin) SignBlobEnvelope(ctx context.Context, keyID string, r envelope.Request, config map[string]string) (signed []byte, annotations map[string]string, err error) {
	if err := p.need(CapabilityBlobEnvelope); err != nil {
		return nil, nil, err
	}
	return p.signEnvelope(ctx, keyID, r, config)
}

func (p *Plugin) signEnvelope(ctx context.Context, keyID string, r envelope.Request, config map[string]string) ([]byte, map[string]string, error) {
	if err := CheckKeyID(keyID); err != nil {
		return nil, nil, err
	}
	if r.VerificationPlugin != "" || r.PluginMinVersion != "" || len(r.Extended) > 0 {
		return nil, nil, reason.Errorf(reason.PluginRequest, "a plugin that makes envelopes cannot be told which further attributes to sign").
			WithHint("Leave them out, or use a key whose plugin makes raw signatures.")
	}
	payload, err := payloadOf(r)
	if err != nil {
		return nil, nil, err
	}
	request := GenerateEnvelopeRequest{
		ContractVersion: ContractVersion, KeyID: keyID, PayloadType: envelope.MediaTypePayload,
		SignatureEnvelopeType: r.MediaType, Payload: payload, PluginConfig: config,
	}
	if !r.Expiry.IsZero() {
		request.ExpiryDurationInSeconds = uint64(math.Round(r.Expiry.Sub(r.SigningTime).Seconds()))
	}
	var answer GenerateEnvelopeResponse
	if err := p.call(ctx, CommandGenerateEnvelope, request, &answer); err != nil {
		return nil, nil, err
	}
	if err := answer.check(r); err != nil {
		return nil, nil, err
	}
	return answer.SignatureEnvelope, answer.Annotations, nil
}

// payloadOf returns the payload that an envelope for r has. It is the second
// part of what a JWS signs (RFC 7515 section 5.1), so that there is one place
// only that knows how payloads are written, and what may be in them.
func payloadOf(r envelope.Request) ([]byte, error) {
	if _, err := envelope.New(r, envelope.ECDSASHA256); err != nil { // with the media type that is asked for
		return nil, err
	}
	r.MediaType = envelope.MediaTypeJWS
	unsigned, err := envelope.New(r, envelope.ECDSASHA256)
	if err != nil {
		return nil, err
	}
	_, payload, _ := strings.Cut(string(unsigned.ToBeSigned()), ".")
	return base64.RawURLEncoding.DecodeString(payload)
}

// check holds an envelope against the request for it.
func (r *GenerateEnvelopeResponse) check(asked envelope.Request) error {
	if r.SignatureEnvelopeType != asked.MediaType {
		return lie(reason.PluginEnvelope, "it was asked for an envelope of the type %s and made one of the type %s", asked.MediaType, quote(r.SignatureEnvelopeType))
	}
	if err := checkAnnotations(r.Annotations); err != nil {
		return err
	}
	unverified, err := envelope.Parse(asked.MediaType, r.SignatureEnvelope)
	if err != nil {
		return badEnvelope(err)
	}
	verified, err := unverified.Verify()
	if err != nil {
		return badEnvelope(err)
	}
	content := verified.Content()
	if err := checkTarget(asked.Target, content.Target); err != nil {
		return err
	}
	if asked.Scheme != 0 && content.Scheme != asked.Scheme {
		return lie(reason.PluginEnvelope, "it was asked for the signing scheme %s and used %s", asked.Scheme, content.Scheme)
	}
	if err := certchain.ValidAt(content.Chain, asked.SigningTime); err != nil {
		return reason.Wrap(reason.PluginChain, err, "the plugin signed with a certificate that is not valid now").
			WithHint("Renew the certificate, or correct the clock.")
	}
	return checkExpiry(asked.Expiry, content.Expiry)
}

func badEnvelope(err error) error {
	return reason.Wrap(reason.PluginEnvelope, err, "the envelope that the plugin made does not verify").
		WithHint("Do not use this plugin; tell its maker.")
}

// checkTarget compares the signed descriptor with the one asked for.
func checkTarget(asked, signed envelope.Descriptor) error {
	if signed.MediaType != asked.MediaType || signed.Digest != asked.Digest || signed.Size != asked.Size || signed.ArtifactType != asked.ArtifactType {
		return lie(reason.PluginEnvelope, "it signed another artifact than it was asked to")
	}
	for key, value := range asked.Annotations {
		if got, ok := signed.Annotations[key]; !ok || got != value {
			return lie(reason.PluginEnvelope, "it left out or changed the user metadata %s", quote(key))
		}
	}
	for key := range signed.Annotations {
		if _, ok := asked.Annotations[key]; !ok && strings.HasPrefix(key, reserved) {
			return lie(reason.PluginEnvelope, "it added user metadata under the reserved name %s", quote(key))
		}
	}
	return nil
}

func checkExpiry(asked, signed time.Time) error {
	if asked.IsZero() {
		return nil
	}
	if signed.IsZero() {
		return lie(reason.PluginEnvelope, "it was asked for a signature that expires, and its signature does not")
	}
	if d := signed.Sub(asked); d > expirySlack || d < -expirySlack {
		return lie(reason.PluginEnvelope, "it was asked for a signature that expires at %s, and its signature expires at %s",
			asked.UTC().Format(time.RFC3339), signed.UTC().Format(time.RFC3339))
	}
	return nil
}

// checkAnnotations looks at annotations for the signature's manifest.
func checkAnnotations(annotations map[string]string) error {
	if len(annotations) > maxItems {
		return lie(reason.PluginEnvelope, "it has more than %d annotations", maxItems)
	}
	for key, value := range annotations {
		if key == "" || strings.HasPrefix(key, reserved) || strings.HasPrefix(key, "org.opencontainers.image.created") {
			return lie(reason.PluginEnvelope, "it must not set the annotation %s", quote(key))
		}
		if len(key)+len(value) > maxText {
			return lie(reason.PluginEnvelope, "its annotation %s is longer than %d bytes", quote(key), maxText)
		}
	}
	return nil
}
