package promote

import (
	"strconv"
	"strings"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
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
	MediaType    string        `json:"mediaType"`
	Digest       string        `json:"digest"`
	Size         int64         `json:"size"`
	ArtifactType string        `json:"artifactType"`
	Platform     *wirePlatform `json:"platform"`
}

type wirePlatform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
	OSVersion    string `json:"os.version"`
}

// parseContent reads what a manifest of this media type names. A manifest that
// has the lists of another kind as well is refused: two readers would see two
// artifacts in it. So is a descriptor that cannot be used. Errors have the codes
// promote.manifest and those of [oci.CheckDescriptor].
func parseContent(raw []byte, mediaType string) (content, error) {
	var w struct {
		Config    *wireDescriptor   `json:"config"`
		Layers    *[]wireDescriptor `json:"layers"`
		Blobs     *[]wireDescriptor `json:"blobs"`
		Manifests *[]wireDescriptor `json:"manifests"`
	}
	if err := strictjson.UnmarshalOpen(raw, &w); err != nil {
		return content{}, reason.Wrap(reason.PromoteManifest, err, "a list of what belongs to it is malformed")
	}
	image, blobs, index := w.Config != nil || w.Layers != nil, w.Blobs != nil, w.Manifests != nil
	switch mediaType {
	case ocispec.MediaTypeImageIndex, oci.MediaTypeDockerList:
		if image || blobs {
			return content{}, reason.Errorf(reason.PromoteManifest, "it is an index and has the content of an image as well")
		}
		return indexContent(w.Manifests)
	case oci.MediaTypeORASManifest, oci.MediaTypeOCIArtifact:
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
func indexContent(entries *[]wireDescriptor) (content, error) {
	var c content
	if entries == nil {
		return c, nil
	}
	for i := range *entries {
		e := &(*entries)[i]
		if !oci.IsManifest(e.MediaType) {
			if err := c.addBlob(e); err != nil {
				return content{}, err
			}
			continue
		}
		d := e.descriptor()
		if err := oci.CheckDescriptor(d, oci.MaxManifestSize); err != nil {
			return content{}, err
		}
		c.manifests = append(c.manifests, d)
	}
	return c, nil
}

func blobContent(config *wireDescriptor, layers *[]wireDescriptor) (content, error) {
	var c content
	if config != nil {
		if err := c.addBlob(config); err != nil {
			return content{}, err
		}
	}
	if layers == nil {
		return c, nil
	}
	for i := range *layers {
		if err := c.addBlob(&(*layers)[i]); err != nil {
			return content{}, err
		}
	}
	return c, nil
}

func (c *content) addBlob(e *wireDescriptor) error {
	d := e.descriptor()
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
	d := oci.Descriptor{MediaType: e.MediaType, Digest: digest.Digest(e.Digest), Size: e.Size, ArtifactType: e.ArtifactType}
	if p := e.Platform; p != nil {
		d.Platform = &ocispec.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion}
	}
	return d
}

// platformOf is a platform in the form os/architecture[/variant].
func platformOf(d oci.Descriptor) string {
	if d.Platform == nil {
		return ""
	}
	s := d.Platform.OS + "/" + d.Platform.Architecture
	if d.Platform.Variant != "" {
		s += "/" + d.Platform.Variant
	}
	return s
}

// choose returns the one manifest of an index for a platform.
func choose(manifests []oci.Descriptor, platform string) (oci.Descriptor, error) {
	var found, listed []string
	var chosen oci.Descriptor
	for _, d := range manifests {
		p := platformOf(d)
		if p == "" {
			continue
		}
		if len(listed) < maxListed {
			listed = append(listed, strconv.QuoteToASCII(p))
		}
		if p == platform {
			// Named in full, it is meant, whatever variants there are besides.
			if len(found) > 0 && found[0] == platform && chosen.Digest != d.Digest {
				return oci.Descriptor{}, ambiguous(platform, listed)
			}
			found, chosen = []string{p}, d
			continue
		}
		if strings.HasPrefix(p, platform+"/") && (len(found) == 0 || found[0] != platform) {
			found, chosen = append(found, p), d
		}
	}
	switch len(found) {
	case 0:
		return oci.Descriptor{}, reason.Errorf(reason.PromotePlatform, "the index has no manifest for the platform %s", strconv.QuoteToASCII(platform)).
			WithHint("it has: %s", strings.Join(listed, ", "))
	case 1:
		return chosen, nil
	}
	return oci.Descriptor{}, ambiguous(platform, listed)
}

func ambiguous(platform string, listed []string) error {
	return reason.Errorf(reason.PromotePlatform, "the index has more than one manifest for the platform %s", strconv.QuoteToASCII(platform)).
		WithHint("name one with its variant, or its digest; the index has: %s", strings.Join(listed, ", "))
}
