package layout

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// indexEntry is what an index says of a manifest. Only the shape was checked.
type indexEntry struct {
	MediaType    string             `json:"mediaType"`
	Digest       string             `json:"digest"`
	Size         int64              `json:"size"`
	ArtifactType string             `json:"artifactType"`
	Annotations  *map[string]string `json:"annotations"`
	Platform     strictjson.Raw     `json:"platform"` // only whether there is one counts
}

func (e *indexEntry) descriptor() oci.Descriptor {
	return oci.Descriptor{MediaType: e.MediaType, Digest: digest.Digest(e.Digest), Size: e.Size}
}

// tag returns the entry's tag, or "".
func (e *indexEntry) tag() string {
	if e.Annotations == nil {
		return ""
	}
	return (*e.Annotations)[ocispec.AnnotationRefName]
}

// parseIndex reads an image index: OCI image specification, "OCI Image Index
// Specification". Members that it does not know are ignored. A null in place
// of a list, as Go programs write it, is an empty list.
func parseIndex(raw []byte) ([]indexEntry, error) {
	var index struct {
		SchemaVersion int           `json:"schemaVersion"`
		MediaType     string        `json:"mediaType"`
		Manifests     *[]indexEntry `json:"manifests"`
	}
	if err := strictjson.UnmarshalOpen(raw, &index); err != nil {
		return nil, reason.Wrap(reason.OCILayoutIndex, err, "index is malformed")
	}
	if index.SchemaVersion != 2 {
		return nil, reason.Errorf(reason.OCILayoutIndex, "index has the schema version %d, not 2", index.SchemaVersion)
	}
	if index.MediaType != "" && !oci.IsIndex(index.MediaType) {
		return nil, reason.Errorf(reason.OCILayoutIndex, "index has the media type %s", quote(index.MediaType))
	}
	if index.Manifests == nil {
		return nil, nil
	}
	return *index.Manifests, nil
}

// newEntry returns the JSON of an index entry for an attached manifest, with
// what saves a reader of the index a look into it.
func newEntry(d oci.Descriptor, m oci.Manifest) ([]byte, error) {
	entry := struct {
		MediaType    string            `json:"mediaType"`
		Digest       digest.Digest     `json:"digest"`
		Size         int64             `json:"size"`
		Annotations  map[string]string `json:"annotations,omitempty"`
		ArtifactType string            `json:"artifactType,omitempty"`
	}{d.MediaType, d.Digest, d.Size, m.Annotations, m.ArtifactType}
	return strictjson.Marshal(entry)
}

// addEntry returns the index with an entry, given as JSON, added at the end of
// its manifests. Everything else stays as it is, in its order, whether known
// or not. The index is returned unchanged if it has an entry of that digest.
func addEntry(index, entry []byte, d digest.Digest) ([]byte, error) {
	entries, err := parseIndex(index)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		if entries[i].Digest == string(d) {
			return index, nil
		}
	}
	members, err := splitObject(index)
	if err != nil {
		return nil, reason.Wrap(reason.OCILayoutIndex, err, "index is malformed")
	}
	i := slices.IndexFunc(members, func(m member) bool { return m.name == `"manifests"` })
	if i < 0 {
		i = len(members)
		members = append(members, member{name: `"manifests"`})
	}
	members[i].value = appendElement(members[i].value, entry)
	return indexOf(members)
}

// indexOf returns the index that the members make, if [parseIndex] reads it: a
// member in another case that said nothing, such as a null, may contradict now.
func indexOf(members []member) ([]byte, error) {
	index := joinObject(members)
	if _, err := parseIndex(index); err != nil {
		return nil, reason.Wrap(reason.Of(err), err, "the index cannot be changed")
	}
	if len(index) > maxIndexSize {
		return nil, reason.Errorf(reason.OCITooLarge, "index would be %d bytes long, more than the limit of %d", len(index), maxIndexSize)
	}
	return index, nil
}

// member is a member of a JSON object: its name in JSON, in the shortest form,
// and its value as it was written.
type member struct {
	name  string
	value []byte
}

// splitObject returns the members of a JSON object, which strictjson has
// accepted, in their order.
func splitObject(raw []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	_, err := d.Token() // the brace
	var members []member
	for err == nil && d.More() {
		var name json.Token
		var value json.RawMessage
		var encoded []byte
		if name, err = d.Token(); err == nil {
			err = d.Decode(&value)
		}
		if err == nil {
			encoded, err = strictjson.Marshal(name)
		}
		members = append(members, member{string(encoded), value})
	}
	return members, err
}

// appendElement adds an element to a JSON array; null and nothing are empty.
func appendElement(array, element []byte) []byte {
	head := []byte("[")
	if body, ok := bytes.CutSuffix(bytes.TrimSpace(array), []byte("]")); ok {
		head = bytes.TrimRight(body, " \t\r\n")
	}
	out := bytes.Clone(head)
	if len(head) > 1 {
		out = append(out, ',')
	}
	return append(append(out, element...), ']')
}
