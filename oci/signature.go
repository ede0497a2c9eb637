package oci

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// The empty JSON object, config of every signature manifest: OCI image
// specification, "Guidance for an Empty Descriptor".
const (
	emptyJSON       = "{}"
	emptyJSONDigest = digest.Digest("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
)

// SignatureManifest is what a signature manifest says, checked.
type SignatureManifest struct {
	Subject  Descriptor
	Envelope Descriptor // the one layer; its media type is the envelope's
	Inline   []byte     // the envelope if it stands in the manifest, checked; else nil
	// Annotations are the manifest's own. No signature covers them.
	Annotations map[string]string
}

// ParseSignatureManifest reads a signature manifest and checks all of it that
// needs no key. raw is what has the digest that was asked for, which is for
// the caller to check; see [VerifyContent].
//
// Three forms are read: the OCI image manifest with artifactType, its older
// form whose config has the artifact type as its media type, and the ORAS
// artifact manifest. In each,
//
//   - raw is one JSON object of at most [MaxManifestSize] bytes, without
//     duplicate members; unknown members are ignored, as OCI demands;
//   - no member is there that belongs to another kind of manifest;
//   - the artifact type is [ArtifactTypeSignature], and a config does not
//     contradict it;
//   - the subject's digest is subject;
//   - there is exactly one layer, or blob, of 1 to [MaxEnvelopeSize] bytes with
//     the media type of a JWS or COSE envelope;
//   - data inside the layer's descriptor has that size and digest.
//
// Errors have the codes oci.too-large, oci.manifest, oci.manifest-type,
// oci.not-signature, oci.config, oci.subject-mismatch, oci.layers,
// oci.envelope-type, oci.descriptor, oci.digest-algorithm and oci.inline-data.
func ParseSignatureManifest(raw []byte, subject digest.Digest) (SignatureManifest, error) {
	var w wireManifest
	if err := unmarshalManifest(raw, &w); err != nil {
		return SignatureManifest{}, err
	}
	layers, err := w.signatureLayers()
	if err != nil {
		return SignatureManifest{}, err
	}
	if w.Subject == nil {
		return SignatureManifest{}, reason.Errorf(reason.OCISubjectMismatch, "signature manifest has no subject")
	}
	if w.Subject.Digest != string(subject) {
		return SignatureManifest{}, reason.Errorf(reason.OCISubjectMismatch, "signature manifest has the subject %s, not %s", quote(w.Subject.Digest), subject)
	}
	if err := CheckDescriptor(w.Subject.bare(), maxSubjectSize); err != nil {
		return SignatureManifest{}, err
	}
	if len(layers) != 1 {
		return SignatureManifest{}, reason.Errorf(reason.OCILayers, "signature manifest has %d layers instead of one", len(layers))
	}
	m := SignatureManifest{Subject: w.Subject.bare(), Envelope: layers[0].bare(), Annotations: w.Annotations}
	if err := checkEnvelope(m.Envelope); err != nil {
		return SignatureManifest{}, err
	}
	if m.Inline, err = layers[0].inline(); err != nil {
		return SignatureManifest{}, err
	}
	return m, nil
}

// signatureLayers checks the kind of the manifest and that it is a signature,
// and returns its layers or blobs.
func (w *wireManifest) signatureLayers() ([]wireDescriptor, error) {
	foreign := func(member string) error {
		return reason.Errorf(reason.OCIManifest, "manifest of media type %s has a member %q, which belongs to another kind", quote(w.MediaType), member)
	}
	if w.isIndex() {
		return nil, reason.Errorf(reason.OCIManifestType, "an index cannot hold a signature")
	}
	switch w.MediaType {
	case ocispec.MediaTypeImageManifest, "": // optional before OCI 1.1
		switch {
		case w.Manifests != nil:
			return nil, foreign("manifests")
		case w.Blobs != nil:
			return nil, foreign("blobs")
		case w.SchemaVersion != 2:
			return nil, reason.Errorf(reason.OCIManifest, "manifest has the schema version %d, not 2", w.SchemaVersion)
		}
		if err := w.checkImageType(); err != nil {
			return nil, err
		}
		return deref(w.Layers), nil
	case MediaTypeORASManifest:
		switch {
		case w.Manifests != nil:
			return nil, foreign("manifests")
		case w.Layers != nil:
			return nil, foreign("layers")
		case w.Config != nil:
			return nil, foreign("config")
		case w.ArtifactType != ArtifactTypeSignature:
			return nil, notSignature(w.ArtifactType)
		}
		return deref(w.Blobs), nil
	}
	return nil, reason.Errorf(reason.OCIManifestType, "manifest of media type %s cannot hold a signature", quote(w.MediaType))
}

// isIndex reports whether this is an index that does not say so, as the member
// mediaType was optional before OCI 1.1. With a member of an image manifest as
// well, two readers could take it for two things, and it is none.
func (w *wireManifest) isIndex() bool {
	return w.MediaType == "" && w.Manifests != nil && w.Config == nil && w.Layers == nil && w.Blobs == nil
}

func deref(d *[]wireDescriptor) []wireDescriptor {
	if d == nil {
		return nil
	}
	return *d
}

func notSignature(artifactType string) error {
	return reason.Errorf(reason.OCINotSignature, "manifest has the artifact type %s, not that of a signature", quote(artifactType))
}

// checkImageType checks artifactType and config of an image manifest. Either
// may say that this is a signature; the other must not deny it.
func (w *wireManifest) checkImageType() error {
	c := w.Config
	if c == nil {
		return reason.Errorf(reason.OCIConfig, "signature manifest has no config")
	}
	switch {
	case w.ArtifactType != "" && w.ArtifactType != ArtifactTypeSignature:
		return notSignature(w.ArtifactType)
	case w.ArtifactType == "" && c.MediaType != ArtifactTypeSignature:
		return notSignature(c.MediaType)
	}
	switch c.MediaType {
	case ArtifactTypeSignature:
	case ocispec.MediaTypeEmptyJSON:
		if c.Size != int64(len(emptyJSON)) || c.Digest != string(emptyJSONDigest) {
			return reason.Errorf(reason.OCIConfig, "config of the signature manifest is said to be empty, but is %s of %d bytes", quote(c.Digest), c.Size)
		}
	default:
		return reason.Errorf(reason.OCIConfig, "config of the signature manifest has the media type %s, which contradicts the artifact type", quote(c.MediaType))
	}
	if err := CheckDescriptor(c.bare(), MaxManifestSize); err != nil {
		return reason.Wrap(reason.OCIConfig, err, "config of the signature manifest is not usable")
	}
	_, err := c.inline()
	return err
}

func checkEnvelope(d Descriptor) error {
	if err := CheckDescriptor(d, MaxEnvelopeSize); err != nil {
		return err
	}
	if d.MediaType != mediaTypeJWS && d.MediaType != mediaTypeCOSE {
		return reason.Errorf(reason.OCIEnvelopeType, "layer has the media type %s, which is no signature envelope", quote(d.MediaType)).
			WithHint("envelopes are %s and %s", mediaTypeJWS, mediaTypeCOSE)
	}
	if d.Size == 0 {
		return reason.Errorf(reason.OCIDescriptor, "signature envelope %s is empty", d.Digest)
	}
	return nil
}

// inline returns the checked content that stands in the descriptor, or nil if
// there is none. Bad content is an error and not passed over: nobody puts it
// there by accident, and readers must not disagree about what was signed.
func (d *wireDescriptor) inline() ([]byte, error) {
	if d.Data == nil {
		return nil, nil
	}
	// The decoder skips line breaks, which JSON can hold in escaped form.
	if strings.ContainsAny(*d.Data, "\r\n") {
		return nil, reason.Errorf(reason.OCIInlineData, "data of %s holds line breaks", quote(d.Digest))
	}
	content, err := base64.StdEncoding.Strict().DecodeString(*d.Data)
	if err != nil {
		return nil, reason.Wrap(reason.OCIInlineData, err, "data of %s is not base64", quote(d.Digest))
	}
	if err := VerifyContent(content, d.bare()); err != nil {
		return nil, reason.Wrap(reason.OCIInlineData, err, "data in the manifest is not what its descriptor says")
	}
	return content, nil
}

// NewSignatureAttachment packs an envelope as a referrer of subject, of which
// only media type, digest and size are used. mediaType is the envelope's.
// annotations are added as they are; the caller sets
// [AnnotationThumbprints] and the time of creation.
//
// An envelope of at most [MaxInlineSize] bytes also stands in the manifest
// itself, so that a verifier needs one request less. Equal arguments give
// equal bytes, and annotations must be valid UTF-8. The result passes [ParseSignatureManifest]; errors have its
// codes, and oci.attachment.
func NewSignatureAttachment(subject Descriptor, mediaType string, envelope []byte, annotations map[string]string) (Attachment, error) {
	layer := wireDescriptor{
		MediaType: mediaType, Digest: string(digest.FromBytes(envelope)), Size: int64(len(envelope)),
	}
	config := wireDescriptor{
		MediaType: ocispec.MediaTypeEmptyJSON, Digest: string(emptyJSONDigest), Size: int64(len(emptyJSON)),
	}
	a := Attachment{Blobs: []Blob{
		{Descriptor: layer.bare(), Content: bytes.Clone(envelope)},
		{Descriptor: config.bare(), Content: []byte(emptyJSON)},
	}}

	// Registries that refuse artifactType are older than data in descriptors.
	legacyConfig := config
	legacyConfig.MediaType = ArtifactTypeSignature
	m := wireManifest{
		SchemaVersion: 2, MediaType: ocispec.MediaTypeImageManifest,
		Config: &legacyConfig, Layers: &[]wireDescriptor{layer},
		Subject:     &wireDescriptor{MediaType: subject.MediaType, Digest: string(subject.Digest), Size: subject.Size},
		Annotations: annotations,
	}
	var err error
	if a.Legacy, err = m.encode(subject.Digest); err != nil {
		return Attachment{}, err
	}

	config.setInline([]byte(emptyJSON))
	if len(envelope) <= MaxInlineSize {
		layer.setInline(envelope)
	}
	m.ArtifactType = ArtifactTypeSignature
	m.Config, m.Layers = &config, &[]wireDescriptor{layer}
	if a.Manifest, err = m.encode(subject.Digest); err != nil {
		return Attachment{}, err
	}
	return a, nil
}

func (d *wireDescriptor) setInline(content []byte) {
	data := base64.StdEncoding.EncodeToString(content)
	d.Data = &data
}

// encode returns the manifest's JSON, members in the order of wireManifest and
// annotations sorted, once ParseSignatureManifest has found no fault in it.
func (w *wireManifest) encode(subject digest.Digest) ([]byte, error) {
	raw, err := strictjson.Marshal(w)
	if err != nil {
		return nil, reason.Wrap(reason.OCIAttachment, err, "cannot encode the signature manifest")
	}
	if _, err := ParseSignatureManifest(raw, subject); err != nil {
		return nil, err
	}
	return raw, nil
}
