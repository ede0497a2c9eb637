package remote

import (
	"bytes"
	"errors"
	"maps"
	"strings"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// entry is a descriptor in a listing, and its text, which may hold members
// that are unknown here and must survive a rewriting.
type entry struct {
	descriptor oci.Descriptor
	raw        strictjson.Raw // nil in an index that was skimmed
}

// index is an OCI image index as a listing of referrers.
type index struct {
	entries  []entry                   // those that can be used
	all      []strictjson.Raw          // all, also those that cannot
	members  map[string]strictjson.Raw // of the index itself
	skimmed  bool                      // without all, members and the texts of entries
	unusable []unusable                // those that cannot, at most maxUnusable
	flooded  bool                      // there are more of these
}

// parser reads a page of a listing that was sent as mediaType.
type parser func(raw []byte, mediaType string) (*index, error)

// unusable is an entry that cannot be used, with as much of it as could be
// read: whether something is missed depends on what it says to be.
type unusable struct {
	claim oci.Descriptor // digest and artifact type
	err   error
}

// likelyEntries is for how many entries room is made before any has been found
// to be usable: four megabytes may hold a million that are not.
const likelyEntries = 1024

// errNoIndex says that a text is something else than an image index, and does
// not claim to be one.
var errNoIndex = errors.New("not an OCI image index")

// errSkimmed keeps an index of which only a part was read from being written:
// the rest would be lost.
var errSkimmed = errors.New("an index that was read to be listed is to be rewritten")

// parseListing is [parseIndex] for an index that is not to be rewritten. Nearly
// always every entry can be used: then it reads the text once, where parseIndex
// reads it thrice.
func parseListing(raw []byte, mediaType string) (*index, error) {
	if x := skimIndex(raw, mediaType); x != nil {
		return x, nil
	}
	return parseIndex(raw, mediaType)
}

// skimIndex reads an index in which every entry can be used, without what only
// a rewriting needs. It returns nil if the index is another or in doubt.
func skimIndex(raw []byte, mediaType string) *index {
	var w struct {
		SchemaVersion int           `json:"schemaVersion"`
		MediaType     string        `json:"mediaType"`
		Manifests     *[]entryWords `json:"manifests"`
	}
	if strictjson.UnmarshalOpen(raw, &w) != nil || w.Manifests == nil || !isIndex(w.MediaType, w.SchemaVersion, mediaType) {
		return nil
	}
	x := &index{entries: make([]entry, 0, min(len(*w.Manifests), likelyEntries)), skimmed: true}
	for i := range *w.Manifests {
		d, err := (*w.Manifests)[i].descriptor()
		if err != nil {
			return nil
		}
		x.entries = append(x.entries, entry{descriptor: d})
	}
	return x
}

// isIndex reports whether a document with these members, sent as mediaType, is
// an image index.
func isIndex(said string, schemaVersion int, mediaType string) bool {
	switch {
	case said != "":
		return said == ocispec.MediaTypeImageIndex
	case mediaType == ocispec.MediaTypeImageIndex:
		return true
	default:
		return schemaVersion == 2 && !oci.IsManifest(mediaType)
	}
}

// parseIndex reads an image index. mediaType is the type that it was sent as,
// which counts if the text does not say. Entries that cannot be used are kept
// apart: one bad entry must not hide the others. The error is errNoIndex for a
// page or a document of another kind. A text that was sent as an index or as
// JSON, or begins as JSON does, and is malformed has another error: it may
// have been an index before it was cut.
func parseIndex(raw []byte, mediaType string) (*index, error) {
	var w struct {
		SchemaVersion int            `json:"schemaVersion"`
		MediaType     string         `json:"mediaType"`
		Manifests     strictjson.Raw `json:"manifests"`
	}
	x := &index{}
	err := strictjson.UnmarshalOpen(raw, &x.members)
	if err == nil {
		// The list, which is nearly all of the text, is not read again.
		err = strictjson.UnmarshalOpen(x.rest(), &w)
		w.Manifests = x.members["manifests"]
	}
	if err != nil {
		if !claimsJSON(raw, mediaType) {
			return nil, errNoIndex
		}
		return nil, err
	}
	switch {
	case !isIndex(w.MediaType, w.SchemaVersion, mediaType):
		return nil, errNoIndex
	case w.Manifests == nil && (w.MediaType != "" || mediaType == ocispec.MediaTypeImageIndex):
		return nil, errors.New("an index without the member \"manifests\"")
	case w.Manifests == nil:
		return nil, errNoIndex
	}
	// Some registries write an empty list as null.
	if !bytes.Equal(w.Manifests, []byte("null")) {
		if err := strictjson.UnmarshalOpen(w.Manifests, &x.all); err != nil {
			return nil, err
		}
	}
	x.parseEntries()
	return x, nil
}

// rest returns the index's text without the list.
func (x *index) rest() []byte {
	rest := maps.Clone(x.members)
	delete(rest, "manifests")
	raw, err := strictjson.Marshal(rest)
	if err != nil {
		return nil // which is no JSON
	}
	return raw
}

// claimsJSON reports whether something was sent as JSON, or looks so.
func claimsJSON(raw []byte, mediaType string) bool {
	return mediaType == "application/json" || strings.HasSuffix(mediaType, "+json") ||
		bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{"))
}

// parsePredecessor reads a listing of the ORAS artifacts-spec. Its errors are
// like those of parseIndex.
func parsePredecessor(raw []byte, mediaType string) (*index, error) {
	var w struct {
		Referrers strictjson.Raw `json:"referrers"`
	}
	if err := strictjson.UnmarshalOpen(raw, &w); err != nil && claimsJSON(raw, mediaType) {
		return nil, err
	} else if err != nil || w.Referrers == nil {
		return nil, errNoIndex
	}
	x := &index{}
	if !bytes.Equal(w.Referrers, []byte("null")) {
		if err := strictjson.UnmarshalOpen(w.Referrers, &x.all); err != nil {
			return nil, err
		}
	}
	x.parseEntries()
	return x, nil
}

// parseEntries reads the descriptors of a listing.
func (x *index) parseEntries() {
	x.entries = make([]entry, 0, min(len(x.all), likelyEntries))
	for i, raw := range x.all {
		d, err := parseEntry(raw)
		switch {
		case err == nil:
			x.entries = append(x.entries, entry{d, raw})
		case len(x.unusable) == maxUnusable:
			x.flooded = true
		default:
			x.unusable = append(x.unusable, unusable{
				claim: claimOf(raw),
				err:   reason.Wrap(reason.RegistryListingEntry, err, "entry %d of the listing cannot be used", i),
			})
		}
	}
}

// claimOf reads what an unusable entry says to be: its digest and artifact
// type, each empty if it cannot be told.
func claimOf(raw strictjson.Raw) oci.Descriptor {
	var members map[string]strictjson.Raw
	if strictjson.UnmarshalOpen(raw, &members) != nil {
		return oci.Descriptor{}
	}
	text := func(name string) string {
		var s string
		if v, ok := members[name]; !ok || strictjson.UnmarshalOpen(v, &s) != nil {
			return ""
		}
		return s
	}
	return oci.Descriptor{Digest: digest.Digest(text("digest")), ArtifactType: text("artifactType")}
}

// entryWords are the members of an entry that are used.
type entryWords struct {
	MediaType    string             `json:"mediaType"`
	Digest       string             `json:"digest"`
	Size         int64              `json:"size"`
	ArtifactType string             `json:"artifactType"`
	Annotations  *map[string]string `json:"annotations"`
}

func parseEntry(raw strictjson.Raw) (oci.Descriptor, error) {
	var w entryWords
	if err := strictjson.UnmarshalOpen(raw, &w); err != nil {
		return oci.Descriptor{}, err
	}
	return w.descriptor()
}

func (w *entryWords) descriptor() (oci.Descriptor, error) {
	d := oci.Descriptor{
		MediaType: w.MediaType, Digest: digest.Digest(w.Digest), Size: w.Size, ArtifactType: w.ArtifactType,
	}
	if w.Annotations != nil && len(*w.Annotations) > 0 {
		d.Annotations = *w.Annotations
	}
	if !oci.IsManifest(d.MediaType) {
		// Whatever refers to something is a manifest, and Fetch has to ask for
		// it as one.
		d.MediaType = ocispec.MediaTypeImageManifest
	}
	return d, oci.CheckDescriptor(d, oci.MaxManifestSize)
}

// with returns the index's text with these entries added at its end and those
// of some digests left out. x may be nil. Everything else stays as it was:
// entries that cannot be used, unknown members, annotations.
func (x *index) with(add []entry, drop map[digest.Digest]bool) ([]byte, error) {
	members := map[string]strictjson.Raw{}
	var all []strictjson.Raw
	if x != nil {
		if x.skimmed {
			return nil, errSkimmed
		}
		maps.Copy(members, x.members)
		for _, raw := range x.all {
			if d, err := parseEntry(raw); err != nil || !drop[d.Digest] {
				all = append(all, raw)
			}
		}
	}
	for i := range add {
		if add[i].raw == nil {
			return nil, errSkimmed
		}
		all = append(all, add[i].raw)
	}
	list, err := strictjson.Marshal(all)
	if err != nil {
		return nil, err
	}
	members["schemaVersion"] = strictjson.Raw("2")
	members["mediaType"] = strictjson.Raw(`"` + ocispec.MediaTypeImageIndex + `"`)
	members["manifests"] = list
	raw, err := strictjson.Marshal(members)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxIndex {
		return nil, reason.Errorf(reason.RegistryIndexFull, "the list of referrers would be %d bytes long, more than the limit of %d", len(raw), maxIndex).
			WithHint("remove signatures that are no longer needed, or use a registry with the referrers API")
	}
	return raw, nil
}

// newEntry describes a manifest that is to be listed: OCI distribution
// specification, "Pushing Manifests with Subject".
func newEntry(d oci.Descriptor) (entry, error) {
	raw, err := strictjson.Marshal(d)
	return entry{d, raw}, err
}
