package oci

import (
	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// Manifest is what every manifest says about itself, whatever its kind. It is
// unchecked but for its shape: the subject's digest and size may be anything.
type Manifest struct {
	// MediaType is the member of that name, or "" if the manifest has none.
	MediaType string
	// ArtifactType is the member of that name or else, in an image manifest,
	// the media type of the config (OCI image specification, "Guidelines for
	// Artifact Usage").
	ArtifactType string
	// Subject is the manifest that this one refers to: media type, digest and
	// size; nil: none.
	Subject     *Descriptor
	Annotations map[string]string
}

// ParseManifest reads the members of a manifest or index that are common to
// all: OCI and Docker image manifests and indexes, and ORAS artifact
// manifests. JSON is read strictly, but for unknown members, and raw may be at
// most [MaxManifestSize] bytes. Errors have the codes oci.too-large and
// oci.manifest.
func ParseManifest(raw []byte) (Manifest, error) {
	// Lists of layers and the like are left alone: an oddity there is no reason
	// to overlook a referrer.
	var w struct {
		MediaType    string `json:"mediaType"`
		ArtifactType string `json:"artifactType"`
		Config       *struct {
			MediaType string `json:"mediaType"`
		} `json:"config"`
		Subject     *wireDescriptor    `json:"subject"`
		Annotations *map[string]string `json:"annotations"`
	}
	if err := unmarshalManifest(raw, &w); err != nil {
		return Manifest{}, err
	}
	m := Manifest{MediaType: w.MediaType, ArtifactType: w.ArtifactType}
	if m.ArtifactType == "" && w.Config != nil {
		m.ArtifactType = w.Config.MediaType
	}
	if w.Subject != nil {
		s := w.Subject.bare()
		m.Subject = &s
	}
	if w.Annotations != nil {
		m.Annotations = *w.Annotations
	}
	return m, nil
}

// wireManifest is a manifest as it stands in JSON. A member that only some
// kinds have is a pointer or raw, so that its presence can be seen.
type wireManifest struct {
	SchemaVersion int               `json:"schemaVersion,omitempty"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        *wireDescriptor   `json:"config,omitempty"`
	Layers        *[]wireDescriptor `json:"layers,omitempty"`
	Blobs         *[]wireDescriptor `json:"blobs,omitempty"`
	Manifests     strictjson.Raw    `json:"manifests,omitempty"`
	Subject       *wireDescriptor   `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// wireDescriptor is a descriptor as it stands in JSON, without the members
// that no rule here asks for. In particular it has no urls: they are never
// followed.
type wireDescriptor struct {
	MediaType string  `json:"mediaType"`
	Digest    string  `json:"digest"`
	Size      int64   `json:"size"`
	Data      *string `json:"data,omitempty"`
}

// bare returns d reduced to media type, digest and size.
func (d *wireDescriptor) bare() Descriptor {
	return Descriptor{MediaType: d.MediaType, Digest: digest.Digest(d.Digest), Size: d.Size}
}

func unmarshalManifest(raw []byte, v any) error {
	if len(raw) > MaxManifestSize {
		return reason.Errorf(reason.OCITooLarge, "manifest is %d bytes long, more than the limit of %d", len(raw), MaxManifestSize)
	}
	if err := strictjson.UnmarshalOpen(raw, v); err != nil {
		return reason.Wrap(reason.OCIManifest, err, "manifest is malformed")
	}
	return nil
}
