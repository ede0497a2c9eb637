package layout

import (
	"bytes"
	"context"

	"github.com/notaryv2/notation/oci"
	"github.com/opencontainers/go-digest"
)

// PutReferrers implements [oci.Store]. The manifests are written first, and
// then index.json once, so that a failure before that leaves the list as it
// was: it returns all of them or none. Codes: those of [oci.CheckReferrer],
// oci.layout-lock, oci.layout-write, oci.layout-index, and those of content.
func (r *Repository) PutReferrers(ctx context.Context, subject digest.Digest, manifests []oci.Descriptor, content oci.ContentFunc) ([]oci.Descriptor, error) {
	if _, err := oci.ParseDigest(string(subject)); err != nil {
		return nil, err
	}
	entries := make([]listed, 0, len(manifests))
	for _, d := range manifests {
		raw, err := content(ctx, d)
		if err != nil {
			return nil, err
		}
		m, err := oci.CheckReferrer(d, raw, subject)
		if err != nil {
			return nil, err
		}
		entry, err := plainEntry(d, m.ArtifactType)
		if err != nil {
			return nil, err
		}
		entries = append(entries, listed{d.Digest, entry})
		if err := r.edit(ctx, edit{blobs: []oci.Blob{{Descriptor: d, Content: raw}}, index: sameIndex}); err != nil {
			return nil, r.fault(err)
		}
	}
	err := r.edit(ctx, edit{index: func(_ files, index []byte) ([]byte, []oci.Blob, error) {
		changed, err := addEntries(index, entries)
		return changed, nil, err
	}})
	if err != nil {
		return nil, r.fault(err)
	}
	return manifests, nil
}

// sameIndex is for an edit that leaves index.json as it is.
func sameIndex(_ files, index []byte) ([]byte, []oci.Blob, error) { return index, nil, nil }

// listed is an entry of index.json as JSON, and what it names.
type listed struct {
	digest digest.Digest
	entry  []byte
}

// addEntries is addEntry for many: those that the index does not have yet are
// added at its end, in their order.
func addEntries(index []byte, add []listed) ([]byte, error) {
	entries, err := parseIndex(index)
	if err != nil {
		return nil, err
	}
	there := map[digest.Digest]bool{}
	for i := range entries {
		there[digest.Digest(entries[i].Digest)] = true
	}
	var fresh []listed
	var elements [][]byte
	for _, l := range add {
		if !there[l.digest] {
			there[l.digest] = true
			fresh, elements = append(fresh, l), append(elements, l.entry)
		}
	}
	if len(fresh) == 0 {
		return index, nil
	}
	// What stands between the brackets of a list is added like one element of it.
	return addEntry(index, bytes.Join(elements, []byte(",")), fresh[0].digest)
}
