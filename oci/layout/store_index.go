package layout

import (
	"bytes"
	"slices"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// plainEntry returns the JSON of an index entry for a manifest that came from
// elsewhere. It has none of the manifest's annotations: one of them could be a
// tag.
func plainEntry(d oci.Descriptor, artifactType string) ([]byte, error) {
	return newEntry(
		oci.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size},
		oci.Manifest{ArtifactType: artifactType},
	)
}

// mapEntries returns the index with each entry replaced by what f makes of it,
// nil for none, and with more at the end. All else stays as it is.
func mapEntries(index []byte, f func(e *indexEntry, raw []byte) ([]byte, error), more func() ([]byte, error)) ([]byte, error) {
	entries, err := parseIndex(index)
	if err != nil {
		return nil, err
	}
	members, err := splitObject(index)
	if err != nil {
		return nil, reason.Wrap(reason.OCILayoutIndex, err, "index is malformed")
	}
	at := -1
	for i := range members {
		if members[i].name == `"manifests"` {
			at = i
		}
	}
	if at < 0 {
		at = len(members)
		members = append(members, member{`"manifests"`, []byte("[]")})
	}
	var all []strictjson.Raw
	if len(entries) > 0 {
		if err := strictjson.UnmarshalOpen(members[at].value, &all); err != nil {
			return nil, reason.Wrap(reason.OCILayoutIndex, err, "index is malformed")
		}
	}
	list := []byte("[]")
	for i, raw := range all {
		out, err := f(&entries[i], raw)
		if err != nil {
			return nil, err
		}
		if out != nil {
			list = appendElement(list, out)
		}
	}
	last, err := more()
	if err != nil {
		return nil, err
	}
	if last != nil {
		list = appendElement(list, last)
	}
	members[at].value = list
	return indexOf(members)
}

func none() ([]byte, error) { return nil, nil }

// joinObject is the inverse of splitObject.
func joinObject(members []member) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(m.name)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// setMember returns a JSON object with a member set, or removed if value is nil.
func setMember(object []byte, name string, value []byte) ([]byte, error) {
	members, err := splitObject(object)
	if err != nil {
		return nil, reason.Wrap(reason.OCILayoutIndex, err, "index is malformed")
	}
	quoted, err := strictjson.Marshal(name)
	if err != nil {
		return nil, err
	}
	var out []member
	found := false
	for _, m := range members {
		if m.name == string(quoted) {
			if found = true; value == nil {
				continue
			}
			m.value = value
		}
		out = append(out, m)
	}
	if !found && value != nil {
		out = append(out, member{string(quoted), value})
	}
	return joinObject(out), nil
}

// withTag returns an entry with the tag, or without one if it is empty.
func withTag(entry []byte, e *indexEntry, tag string) ([]byte, error) {
	annotations := []byte("{}")
	if e.Annotations != nil {
		var w struct {
			Annotations strictjson.Raw `json:"annotations"`
		}
		if err := strictjson.UnmarshalOpen(entry, &w); err != nil {
			return nil, reason.Wrap(reason.OCILayoutIndex, err, "index is malformed")
		}
		annotations = w.Annotations
	}
	var value []byte
	if tag != "" {
		var err error
		if value, err = strictjson.Marshal(tag); err != nil {
			return nil, err
		}
	}
	annotations, err := setMember(annotations, ocispec.AnnotationRefName, value)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(annotations, []byte("{}")) {
		annotations = nil
	}
	return setMember(entry, "annotations", annotations)
}

// setTag returns the index with the tag on the manifest d, whose entry is added
// if need be, and on no other. One that had it stays, without.
func setTag(index, entry []byte, d digest.Digest, tag string) ([]byte, error) {
	entries, err := parseIndex(index)
	if err != nil {
		return nil, err
	}
	// An entry that has the tag already is as good as it gets; next best is one
	// without a tag.
	chosen := -1
	for i := range entries {
		e := &entries[i]
		if e.Digest != string(d) {
			continue
		}
		if t := e.tag(); t == tag || t == "" && chosen < 0 {
			if chosen = i; t == tag {
				break
			}
		}
	}
	i := -1
	return mapEntries(index, func(e *indexEntry, raw []byte) ([]byte, error) {
		i++
		switch {
		case i == chosen && e.tag() != tag:
			return withTag(raw, e, tag)
		case i != chosen && e.tag() == tag:
			return withTag(raw, e, "")
		}
		return raw, nil
	}, func() ([]byte, error) {
		if chosen >= 0 {
			return nil, nil
		}
		return withTag(entry, &indexEntry{}, tag)
	})
}

// unlisting removes a manifest from index.json and from the index of the
// referrers tag schema that copies of registries bring along.
type unlisting struct {
	manifest, subject digest.Digest
	files             []string // to be removed once the index no longer names them
}

// index returns the new index.json.
func (u *unlisting) index(f files, old []byte) ([]byte, []oci.Blob, error) {
	_, err := blobSize(f, u.manifest)
	if err == nil {
		u.files = append(u.files, blobPath(u.manifest))
	}
	missing := err
	if missing != nil && reason.Of(missing) != reason.OCINotFound {
		return nil, nil, missing
	}
	var blobs []oci.Blob
	listed := false
	index, err := mapEntries(old, func(e *indexEntry, raw []byte) ([]byte, error) {
		if e.Digest == string(u.manifest) {
			listed = true
			return nil, nil
		}
		if !oci.IsIndex(e.MediaType) {
			return raw, nil
		}
		nested, err := readBlob(f, e.descriptor(), oci.MaxManifestSize)
		if err != nil {
			return raw, nil // what is broken stays as it is
		}
		children, err := parseIndex(nested)
		if err != nil || !names(children, u.manifest) {
			return raw, nil
		}
		if !u.isReferrersTag(e.tag()) {
			return nil, reason.Errorf(reason.OCIInUse, "%s is part of the index %s", u.manifest, quote(e.Digest))
		}
		listed = true
		changed, b, err := u.shorten(nested, raw, e)
		blobs = append(blobs, b)
		return changed, err
	}, none)
	if err == nil && missing != nil && !listed {
		err = missing
	}
	return index, blobs, err
}

// isReferrersTag reports whether a tag is one of the referrers tag schema: that
// of the subject if it is known, else any.
func (u *unlisting) isReferrersTag(tag string) bool {
	if u.subject != "" {
		return tag == referrersTag(u.subject)
	}
	return oci.IsReferrersTag(tag)
}

// referrersTag is the tag of the referrers tag schema: OCI distribution
// specification, "Referrers Tag Schema".
func referrersTag(subject digest.Digest) string {
	encoded := subject.Encoded()
	return string(subject.Algorithm()) + "-" + encoded[:min(len(encoded), 64)]
}

// shorten returns the entry of an index that no longer names the manifest, and
// that index.
func (u *unlisting) shorten(nested, entry []byte, e *indexEntry) ([]byte, oci.Blob, error) {
	content, err := mapEntries(nested, func(e *indexEntry, raw []byte) ([]byte, error) {
		if e.Digest == string(u.manifest) {
			return nil, nil
		}
		return raw, nil
	}, none)
	if err != nil {
		return nil, oci.Blob{}, err
	}
	d := oci.Descriptor{MediaType: e.MediaType, Digest: digest.FromBytes(content), Size: int64(len(content))}
	name, err := strictjson.Marshal(d.Digest)
	if err != nil {
		return nil, oci.Blob{}, err
	}
	size, err := strictjson.Marshal(d.Size)
	if err != nil {
		return nil, oci.Blob{}, err
	}
	if entry, err = setMember(entry, "digest", name); err == nil {
		entry, err = setMember(entry, "size", size)
	}
	return entry, oci.Blob{Descriptor: d, Content: content}, err
}

func names(entries []indexEntry, d digest.Digest) bool {
	return slices.ContainsFunc(entries, func(e indexEntry) bool { return e.Digest == string(d) })
}
