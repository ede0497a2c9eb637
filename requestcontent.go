package notation

import (
	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// RequestContent says what the manifest in a signing request holds. All text is
// its maker's.
type RequestContent struct {
	// ArtifactType is the member of that name, unless it is the media type of the
	// config, which says the same.
	ArtifactType string
	// Config is that of an image manifest: media type, digest and size; nil:
	// none.
	Config *oci.Descriptor
	// Layers are the layers of an image manifest, or the blobs of an ORAS
	// artifact manifest: media type, digest and size.
	Layers []oci.Descriptor
	// Manifests are the entries of an index, with their platforms.
	Manifests []oci.Descriptor
	// Subject is what the artifact is attached to: media type, digest and size;
	// nil: nothing.
	Subject *oci.Descriptor
}

// contentOf reads what a manifest holds, of which m is what all have in common.
func contentOf(mediaType string, m oci.Manifest, raw []byte) (RequestContent, error) {
	c := RequestContent{ArtifactType: m.ArtifactType, Subject: m.Subject}
	if oci.IsIndex(mediaType) {
		var err error
		c.Manifests, err = oci.ParseIndex(raw)
		return c, err
	}
	type content struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int64  `json:"size"`
	}
	var w struct {
		Config *content  `json:"config"`
		Layers []content `json:"layers"`
		Blobs  []content `json:"blobs"` // of ORAS artifact manifests
		// Those of an index, which this is none of.
		Manifests strictjson.Raw `json:"manifests"`
	}
	if err := strictjson.UnmarshalOpen(raw, &w); err != nil {
		return RequestContent{}, reason.Wrap(reason.SignRequestArtifact, err, "its list of layers is malformed")
	}
	if len(w.Layers) > 0 && len(w.Blobs) > 0 || w.Manifests != nil {
		return RequestContent{}, reason.Errorf(reason.SignRequestArtifact, "it has the lists of two kinds of manifests")
	}
	checked := func(w content) (oci.Descriptor, error) {
		d := oci.Descriptor{MediaType: w.MediaType, Digest: digest.Digest(w.Digest), Size: w.Size}
		return d, oci.CheckDescriptor(d, oci.MaxBlobSize)
	}
	if w.Config != nil {
		d, err := checked(*w.Config)
		if err != nil {
			return RequestContent{}, err
		}
		c.Config = &d
		if c.ArtifactType == d.MediaType {
			c.ArtifactType = ""
		}
	}
	for _, l := range append(w.Layers, w.Blobs...) {
		d, err := checked(l)
		if err != nil {
			return RequestContent{}, err
		}
		c.Layers = append(c.Layers, d)
	}
	return c, nil
}
