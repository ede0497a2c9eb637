package bundle

import (
	"bytes"
	"context"
	"io"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// layer is one layer of a manifest of the bundle's own, at hand.
type layer struct {
	mediaType   string
	title       string // file name, for tools that write layers to files
	annotations map[string]string
	content     []byte
}

func (l *layer) descriptor() oci.Descriptor {
	d := oci.Descriptor{MediaType: l.mediaType, Digest: digest.FromBytes(l.content), Size: int64(len(l.content))}
	d.Annotations = map[string]string{ocispec.AnnotationTitle: l.title}
	for key, value := range l.annotations {
		d.Annotations[key] = value
	}
	return d
}

// put stores layers with a manifest of an artifact type, and tags that.
func put(ctx context.Context, to oci.Store, artifactType, tag string, layers []layer) error {
	config := ocispec.DescriptorEmptyJSON
	blobs := []oci.Blob{{Descriptor: oci.Descriptor{MediaType: config.MediaType, Digest: config.Digest, Size: config.Size}, Content: config.Data}}
	config.Data = nil
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		ArtifactType: artifactType, Config: config, Layers: []oci.Descriptor{},
	}
	for i := range layers {
		d := layers[i].descriptor()
		m.Layers = append(m.Layers, d)
		blobs = append(blobs, oci.Blob{Descriptor: oci.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}, Content: layers[i].content})
	}
	for _, b := range blobs {
		err := to.PutBlob(ctx, b.Descriptor, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Content)), nil })
		if err != nil {
			return err
		}
	}
	raw, err := strictjson.Marshal(m)
	if err != nil {
		return err
	}
	d := oci.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	if err := to.PutManifest(ctx, d, raw); err != nil {
		return err
	}
	return to.Tag(ctx, d, tag)
}

// get reads the layers of a manifest of the bundle's own, without their
// content. found is false if nothing has the tag.
func get(ctx context.Context, from oci.Repository, artifactType, tag string, most int) (layers []oci.Descriptor, found bool, err error) {
	_, ref, err := oci.ParseLayoutReference("bundle:" + tag)
	if err != nil {
		return nil, false, err
	}
	root, err := from.Resolve(ctx, ref)
	if reason.Of(err) == reason.OCINotFound {
		return nil, false, nil
	}
	if err != nil {
		return nil, true, err
	}
	raw, err := from.Fetch(ctx, root, oci.MaxManifestSize)
	if err != nil {
		return nil, true, err
	}
	m, err := oci.CheckManifest(root, raw)
	if err != nil {
		return nil, true, err
	}
	if root.MediaType != ocispec.MediaTypeImageManifest || m.ArtifactType != artifactType {
		return nil, true, reason.Errorf(reason.BundleManifest, "what has the tag %s is of the artifact type %q, not %s", tag, m.ArtifactType, artifactType).
			WithHint("have the bundle made anew")
	}
	var w struct {
		Layers []struct {
			MediaType   string            `json:"mediaType"`
			Digest      digest.Digest     `json:"digest"`
			Size        int64             `json:"size"`
			Annotations map[string]string `json:"annotations"`
		} `json:"layers"`
	}
	if err := strictjson.UnmarshalOpen(raw, &w); err != nil {
		return nil, true, reason.Wrap(reason.BundleManifest, err, "what has the tag %s is malformed", tag).WithHint("have the bundle made anew")
	}
	if len(w.Layers) > most {
		return nil, true, reason.Errorf(reason.BundleManifest, "what has the tag %s has more than %d layers", tag, most).WithHint("have the bundle made anew")
	}
	for _, l := range w.Layers {
		layers = append(layers, oci.Descriptor{MediaType: l.MediaType, Digest: l.Digest, Size: l.Size, Annotations: l.Annotations})
	}
	return layers, true, nil
}

// fetch returns the content of a layer.
func fetch(ctx context.Context, from oci.Repository, d oci.Descriptor, limit int64) ([]byte, error) {
	return from.Fetch(ctx, oci.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}, limit)
}
