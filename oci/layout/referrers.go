package layout

import (
	"context"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// Referrers implements [oci.Repository]. Each manifest that index.json names,
// or an index below it, is read, so the descriptors hold the artifact type and
// the annotations of the manifests themselves.
//
// A manifest that is missing or broken, or nested too deeply, may be one of
// those asked for. That is an error with the code oci.layout-entry, returned
// with what was found. It is none if the entry says another artifact type and is
// no index, nor if it is missing and the entry says that it is the image of a
// platform: copies often hold some platforms only.
func (r *Repository) Referrers(ctx context.Context, subject digest.Digest, o oci.ReferrersOptions) (oci.Listing, error) {
	if _, err := oci.ParseDigest(string(subject)); err != nil {
		return oci.Listing{}, err
	}
	f, err := r.files(ctx)
	if err != nil {
		return oci.Listing{}, r.fault(err)
	}
	defer f.close()
	entries, err := readIndex(f, &r.known)
	if err != nil {
		return oci.Listing{}, r.fault(err)
	}
	w := walk{
		files: f, known: &r.known, subject: subject, options: o, max: o.Max,
		seen: map[visited]bool{}, read: map[digest.Digest]bool{}, listed: map[digest.Digest]bool{},
	}
	if w.max <= 0 || w.max > oci.MaxReferrers {
		w.max = oci.MaxReferrers
	}
	if err = w.list(ctx, entries, 0); err == nil {
		err = w.incomplete()
	}
	return w.found, r.fault(err)
}

// walk is one search for referrers.
type walk struct {
	files   files
	known   *known
	subject digest.Digest
	options oci.ReferrersOptions
	max     int

	found     oci.Listing
	seen      map[visited]bool       // keeps cycles and repetition out
	read      map[digest.Digest]bool // was read as what it is
	listed    map[digest.Digest]bool
	lost      []loss
	manifests int
	bytes     int64
	indexes   int
}

// visited is a manifest that was looked at, as what it was read.
type visited struct {
	digest    digest.Digest
	mediaType string
}

// loss is a manifest that may be what was asked for and cannot be used.
type loss struct {
	digest digest.Digest
	unread bool // another entry may lead to it all the same
	err    error
}

// list looks at the entries of an index, and below them. Its error is that of
// ctx only.
func (w *walk) list(ctx context.Context, entries []indexEntry, depth int) error {
	for i := range entries {
		if err := ctx.Err(); err != nil {
			return givenUp(err, "listing referrers")
		}
		if w.found.Truncated {
			return nil
		}
		e := &entries[i]
		v := visited{digest.Digest(e.Digest), e.MediaType}
		if !w.mayRefer(e) || w.seen[v] {
			continue
		}
		if w.known.isStranger(v, w.subject) {
			w.seen[v], w.read[v.digest] = true, true
			continue
		}
		if w.manifests >= maxManifests || w.bytes >= maxListingSize {
			w.found.Truncated = true
			return nil
		}
		w.manifests++
		d := e.descriptor()
		raw, err := readBlob(w.files, d, oci.MaxManifestSize)
		if err == nil || reason.Of(err) == reason.OCIDigestMismatch {
			w.bytes += d.Size // it was read; a size that is only claimed costs nothing
		}
		if err != nil {
			w.missed(e, depth, err)
			continue
		}
		if err := w.visit(ctx, raw, d, depth); err != nil {
			return err
		}
	}
	return nil
}

// mayRefer reports whether an entry is worth reading. One that says another
// artifact type than was asked for is dropped, unless it is an index, below
// which there may be others.
func (w *walk) mayRefer(e *indexEntry) bool {
	if !oci.IsManifest(e.MediaType) {
		return false
	}
	return oci.IsIndex(e.MediaType) || w.options.Wants(oci.Descriptor{ArtifactType: e.ArtifactType})
}

// missed records that a manifest could not be read. That the platforms of an
// image are not all there is usual.
func (w *walk) missed(e *indexEntry, depth int, err error) {
	if depth > 0 && e.Platform != nil && e.ArtifactType == "" && reason.Of(err) == reason.OCINotFound {
		return
	}
	w.lost = append(w.lost, loss{digest: digest.Digest(e.Digest), unread: true, err: err})
}

// incomplete returns the error for what was lost, or nil. Of two entries with
// one digest, the one may be wrong and the other right.
func (w *walk) incomplete() error {
	lost := map[digest.Digest]bool{}
	var first error
	for _, l := range w.lost {
		if l.unread && w.read[l.digest] {
			continue
		}
		lost[l.digest] = true
		if first == nil {
			first = l.err
		}
	}
	const hint = "have the artifact copied into a new layout with its signatures, or remove the entries from the index"
	switch len(lost) {
	case 0:
		return nil
	case 1:
		return reason.Wrap(reason.OCILayoutEntry, first, "a manifest may be what was asked for and cannot be used").WithHint(hint)
	}
	return reason.Wrap(reason.OCILayoutEntry, first, "%d manifests may be what was asked for and cannot be used", len(lost)).WithHint(hint)
}

func (w *walk) warn(err error) {
	if len(w.found.Warnings) < maxWarnings {
		w.found.Warnings = append(w.found.Warnings, err)
	}
}

// visit adds a manifest to the listing if it refers to the subject, and looks
// below it if it is an index. Only content that was read counts as seen, as
// what it says it is: a wrong entry must not keep a right one from being read.
func (w *walk) visit(ctx context.Context, raw []byte, d oci.Descriptor, depth int) error {
	m, err := oci.ParseManifest(raw)
	if err != nil {
		w.lost = append(w.lost, loss{digest: d.Digest, err: reason.Wrap(reason.Of(err), err, "manifest %s is not usable", d.Digest)})
		return nil
	}
	if m.MediaType != "" && m.MediaType != d.MediaType {
		w.warn(reason.Errorf(reason.OCILayoutIndex, "index gives %s the media type %s, but the manifest says %s",
			d.Digest, quote(d.MediaType), quote(m.MediaType)))
		d.MediaType = m.MediaType
	}
	key := visited{d.Digest, d.MediaType}
	if w.seen[key] {
		return nil
	}
	w.seen[key], w.read[d.Digest] = true, true
	w.known.learn(key, m.Subject)
	w.add(m, d)
	if oci.IsIndex(d.MediaType) {
		return w.descend(ctx, raw, d, depth+1)
	}
	return nil
}

// add adds a manifest to the listing if it is one of those asked for.
func (w *walk) add(m oci.Manifest, d oci.Descriptor) {
	if m.Subject == nil || m.Subject.Digest != w.subject {
		return
	}
	if !w.options.Wants(oci.Descriptor{ArtifactType: m.ArtifactType}) {
		return
	}
	if w.listed[d.Digest] {
		return
	}
	if len(w.found.Referrers) >= w.max {
		w.found.Truncated = true
		return
	}
	d.ArtifactType, d.Annotations = m.ArtifactType, m.Annotations
	w.listed[d.Digest] = true
	w.found.Referrers = append(w.found.Referrers, d)
}

// descend looks below an index.
func (w *walk) descend(ctx context.Context, raw []byte, d oci.Descriptor, depth int) error {
	if depth > maxIndexDepth {
		w.lost = append(w.lost, loss{digest: d.Digest, err: reason.Errorf(reason.OCILayoutIndex, "index %s is nested too deeply and was not looked into", d.Digest)})
		return nil
	}
	if w.indexes++; w.indexes > maxIndexes {
		w.found.Truncated = true
		return nil
	}
	entries, err := parseIndex(raw)
	if err != nil {
		w.lost = append(w.lost, loss{digest: d.Digest, err: reason.Wrap(reason.OCILayoutIndex, err, "index %s is not usable", d.Digest)})
		return nil
	}
	return w.list(ctx, entries, depth)
}
