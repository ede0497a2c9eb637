package bundle

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// The manifests of a bundle's own, by their tags in the layout, and what they
// are.
const (
	TagContents = "notation.bundle"
	TagEvidence = "notation.revocation"
	TagTrust    = "notation.trust"

	ArtifactTypeContents = "application/vnd.notaryv2.bundle.v1"
	ArtifactTypeEvidence = "application/vnd.notaryv2.revocation.v1"
	ArtifactTypeTrust    = "application/vnd.notaryv2.trust.v1"

	MediaTypeContents    = "application/vnd.notaryv2.bundle.v1+json"
	MediaTypeOCSP        = "application/ocsp-response" // RFC 6960 appendix C.2
	MediaTypeCRL         = "application/pkix-crl"      // RFC 2585 section 4.2
	MediaTypeCertificate = "application/pkix-cert"     // RFC 2585 section 4.1
	MediaTypePolicy      = "application/vnd.notaryv2.trustpolicy.v1+json"
)

// version is that of the list of contents.
const version = "1.0"

// Contents says what is in a bundle. It is what whoever wrote the bundle says,
// or whoever had it in hand since.
type Contents struct {
	Created   time.Time // UTC, whole seconds
	Artifacts []Artifact
}

// Artifact is one artifact of a bundle.
type Artifact struct {
	// Origin is where it was: registry/repository with a tag, a digest or both,
	// of which the digest is that of Descriptor.
	Origin oci.Reference
	// Name is its tag in the bundle.
	Name string
	// Descriptor has media type, digest and size of its manifest.
	Descriptor oci.Descriptor
	// Manifests, Blobs and Bytes are the sizes of its graph.
	Manifests, Blobs int
	Bytes            int64
}

// contentsJSON is the form of specs/bundle.md.
type contentsJSON struct {
	Version   string         `json:"bundleVersion"`
	Created   string         `json:"created"`
	Artifacts []artifactJSON `json:"artifacts"`
}

type artifactJSON struct {
	Repository string        `json:"repository"`
	Tag        string        `json:"tag,omitempty"`
	Name       string        `json:"name"`
	MediaType  string        `json:"mediaType"`
	Digest     digest.Digest `json:"digest"`
	Size       int64         `json:"size"`
	Manifests  int           `json:"manifests"`
	Blobs      int           `json:"blobs"`
	Bytes      int64         `json:"bytes"`
}

// MarshalJSON returns the form of specs/bundle.md.
func (c Contents) MarshalJSON() ([]byte, error) {
	w := contentsJSON{Version: version, Created: c.Created.UTC().Format(time.RFC3339), Artifacts: []artifactJSON{}}
	for _, a := range c.Artifacts {
		w.Artifacts = append(w.Artifacts, artifactJSON{
			Repository: a.Origin.Name(), Tag: a.Origin.Tag(), Name: a.Name,
			MediaType: a.Descriptor.MediaType, Digest: a.Descriptor.Digest, Size: a.Descriptor.Size,
			Manifests: a.Manifests, Blobs: a.Blobs, Bytes: a.Bytes,
		})
	}
	return strictjson.Marshal(w)
}

func malformed(format string, args ...any) *reason.Error {
	return reason.Errorf(reason.BundleContents, "the list of what is in the bundle is not usable: %s", fmt.Sprintf(format, args...)).
		WithHint("have the bundle made anew")
}

// ParseContents reads the list of contents. JSON is read strictly, and unknown
// members are refused. Errors have the code bundle.contents.
func ParseContents(raw []byte) (*Contents, error) {
	if len(raw) > MaxContentsBytes {
		return nil, malformed("it is longer than %d bytes", MaxContentsBytes)
	}
	var w contentsJSON
	if err := strictjson.Unmarshal(raw, &w); err != nil {
		return nil, reason.Wrap(reason.BundleContents, err, "the list of what is in the bundle is malformed").WithHint("have the bundle made anew")
	}
	if w.Version != version {
		return nil, malformed("it is of the version %q, not %q", w.Version, version)
	}
	created, err := time.Parse(time.RFC3339, w.Created)
	if err != nil || created.Year() < 1 || created.Nanosecond() != 0 || !strings.HasSuffix(w.Created, "Z") {
		return nil, malformed("%q is no time in UTC", w.Created)
	}
	if len(w.Artifacts) > MaxArtifacts {
		return nil, malformed("it has more than %d artifacts", MaxArtifacts)
	}
	c := &Contents{Created: created}
	names, origins := map[string]bool{}, map[oci.Reference]bool{}
	for i := range w.Artifacts {
		a, err := w.Artifacts[i].artifact()
		if err != nil {
			return nil, reason.Wrap(reason.BundleContents, err, "artifact %d of the bundle cannot be", i+1).WithHint("have the bundle made anew")
		}
		place := a.Origin
		if place.Tag() != "" { // two digests for one tag are one too many
			place, _ = oci.ParseReference(place.Name() + ":" + place.Tag())
		}
		if names[a.Name] || origins[place] {
			return nil, malformed("artifact %d stands in it twice", i+1)
		}
		names[a.Name], origins[place] = true, true
		c.Artifacts = append(c.Artifacts, a)
	}
	return c, nil
}

// artifact checks one entry.
func (w *artifactJSON) artifact() (Artifact, error) {
	a := Artifact{
		Name: w.Name, Descriptor: oci.Descriptor{MediaType: w.MediaType, Digest: w.Digest, Size: w.Size},
		Manifests: w.Manifests, Blobs: w.Blobs, Bytes: w.Bytes,
	}
	if err := oci.CheckDescriptor(a.Descriptor, oci.MaxManifestSize); err != nil {
		return a, err
	}
	if !oci.IsManifest(a.Descriptor.MediaType) {
		return a, fmt.Errorf("%q is no media type of a manifest", w.MediaType)
	}
	if err := oci.CheckTag(w.Name); err != nil {
		return a, err
	}
	if isReserved(w.Name) || oci.IsReferrersTag(w.Name) || w.Manifests < 1 || w.Blobs < 0 || w.Bytes < 0 {
		return a, fmt.Errorf("its name or its counts cannot be")
	}
	repository, err := oci.ParseRepository(w.Repository)
	if err != nil {
		return a, err
	}
	at := repository.Name() + "@" + string(w.Digest)
	if w.Tag != "" {
		if err := checkOriginTag(w.Tag); err != nil {
			return a, err
		}
		at = repository.Name() + ":" + w.Tag + "@" + string(w.Digest)
	}
	a.Origin, err = oci.ParseReference(at)
	return a, err
}

// checkOriginTag refuses what no artifact is imported under: nobody vouches for
// the tags in a bundle, and that of a list of referrers would hide the signatures
// of another artifact.
func checkOriginTag(tag string) error {
	if oci.IsReferrersTag(tag) {
		return reason.Errorf(reason.OCIReference, "the tag %s is that of a list of referrers", tag).
			WithHint("name the artifact by another tag, or by its digest")
	}
	return oci.CheckTag(tag)
}

func isReserved(tag string) bool { return tag == TagContents || tag == TagEvidence || tag == TagTrust }

// nameAll gives each artifact a tag in the layout: its own where no other
// artifact has the same, else that after the last part of its repository, or
// after as much of the repository as it takes; and one without tag the first
// digits of its digest.
func nameAll(artifacts []Artifact) error {
	for i := range artifacts {
		artifacts[i].Name = ""
	}
	taken := map[string]bool{}
	forms := []func(a *Artifact) string{
		func(a *Artifact) string { return ownTag(a) },
		func(a *Artifact) string { return path.Base(a.Origin.Repository()) + "-" + ownTag(a) },
		func(a *Artifact) string { return flat(a.Origin.Repository()) + "-" + ownTag(a) },
		func(a *Artifact) string { return flat(a.Origin.Name()) + "-" + ownTag(a) },
	}
	for _, form := range forms {
		wanted := map[string]int{}
		for i := range artifacts {
			if artifacts[i].Name == "" {
				wanted[form(&artifacts[i])]++
			}
		}
		for i := range artifacts {
			name := form(&artifacts[i])
			if artifacts[i].Name == "" && wanted[name] == 1 && !taken[name] && !isReserved(name) && checkOriginTag(name) == nil {
				artifacts[i].Name, taken[name] = name, true
			}
		}
	}
	for i := range artifacts {
		for n := 1; artifacts[i].Name == "" && n < maxNumbered; n++ {
			if name := fmt.Sprintf("artifact-%d", n); !taken[name] {
				artifacts[i].Name, taken[name] = name, true
			}
		}
		if artifacts[i].Name == "" {
			return malformed("it has more than %d artifacts", MaxArtifacts)
		}
	}
	return nil
}

func ownTag(a *Artifact) string {
	const digits = 12
	if tag := a.Origin.Tag(); tag != "" {
		return tag
	}
	return a.Descriptor.Digest.Encoded()[:digits]
}

// flat writes a repository so that it can stand in a tag.
func flat(name string) string {
	s := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, name)
	s = strings.TrimLeft(s, ".-")
	return s[:min(len(s), maxTagBytes)]
}
