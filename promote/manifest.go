package promote

import (
	"strings"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// content is what a manifest names, apart from its subject.
type content struct {
	manifests []oci.Descriptor // of an index
	blobs     []oci.Descriptor // config first
	foreign   []oci.Descriptor // layers that are kept elsewhere
}

// wireDescriptor is a descriptor as it stands in JSON, as far as copying asks
// for it. It has no urls: they are never followed.
type wireDescriptor struct {
	MediaType    string `json:"mediaType"`
	Digest       string `json:"digest"`
	Size         int64  `json:"size"`
	ArtifactType string `json:"artifactType"`
}

// parseContent reads what a manifest of this media type names. A manifest that
// has the lists of another kind as well is refused: two readers would see two
// artifacts in it. So is a descriptor that cannot be used. Errors have the codes
// promote.manifest and those of [oci.CheckDescriptor].
func parseContent(raw []byte, mediaType string) (content, error) {
	if oci.IsIndex(mediaType) {
		return indexContent(raw)
	}
	var w struct {
		Config    *wireDescriptor   `json:"config"`
		Layers    *[]wireDescriptor `json:"layers"`
		Blobs     *[]wireDescriptor `json:"blobs"`
		Manifests strictjson.Raw    `json:"manifests"`
	}
	if err := strictjson.UnmarshalOpen(raw, &w); err != nil {
		return content{}, reason.Wrap(reason.PromoteManifest, err, "a list of what belongs to it is malformed")
	}
	image, blobs, index := w.Config != nil || w.Layers != nil, w.Blobs != nil, w.Manifests != nil
	if mediaType == oci.MediaTypeORASManifest || mediaType == oci.MediaTypeOCIArtifact {
		if image || index {
			return content{}, reason.Errorf(reason.PromoteManifest, "it is an artifact manifest and has the content of an image or index as well")
		}
		return blobContent(nil, w.Blobs)
	}
	if blobs || index {
		return content{}, reason.Errorf(reason.PromoteManifest, "it is an image manifest and has the content of an index or artifact manifest as well")
	}
	if w.Config == nil {
		return content{}, reason.Errorf(reason.PromoteManifest, "it is an image manifest without config")
	}
	return blobContent(w.Config, w.Layers)
}

// indexContent reads the entries of an index. What is no manifest there is a
// blob, as caches of builders have it.
func indexContent(raw []byte) (content, error) {
	entries, err := oci.ParseIndex(raw)
	switch reason.Of(err) {
	case "":
	case reason.OCIManifest, reason.OCIIndex:
		return content{}, reason.Wrap(reason.PromoteManifest, err, "a list of what belongs to it is malformed")
	default:
		return content{}, err
	}
	var c content
	for _, d := range entries {
		if oci.IsManifest(d.MediaType) {
			c.manifests = append(c.manifests, d)
			continue
		}
		if err := c.addBlob(d); err != nil {
			return content{}, err
		}
	}
	return c, nil
}

func blobContent(config *wireDescriptor, layers *[]wireDescriptor) (content, error) {
	var c content
	if config != nil {
		if err := c.addBlob(config.descriptor()); err != nil {
			return content{}, err
		}
	}
	if layers == nil {
		return c, nil
	}
	for i := range *layers {
		if err := c.addBlob((*layers)[i].descriptor()); err != nil {
			return content{}, err
		}
	}
	return c, nil
}

func (c *content) addBlob(d oci.Descriptor) error {
	if err := oci.CheckDescriptor(d, oci.MaxBlobSize); err != nil {
		return err
	}
	if isForeign(d.MediaType) {
		c.foreign = append(c.foreign, d)
		return nil
	}
	if oci.IsManifest(d.MediaType) {
		// It is kept with the blobs all the same.
		d.MediaType = "application/octet-stream"
	}
	c.blobs = append(c.blobs, d)
	return nil
}

// isForeign reports whether layers of this media type stay where their urls
// point and are not pushed: OCI image specification, "Non-Distributable
// Layers", and Docker's foreign layers before it.
func isForeign(mediaType string) bool {
	return strings.HasPrefix(mediaType, "application/vnd.oci.image.layer.nondistributable.v1.tar") ||
		mediaType == "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
}

func (e *wireDescriptor) descriptor() oci.Descriptor {
	return oci.Descriptor{MediaType: e.MediaType, Digest: digest.Digest(e.Digest), Size: e.Size, ArtifactType: e.ArtifactType}
}
