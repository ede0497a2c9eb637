package promote

import (
	"context"
	"slices"
	"strings"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"
)

// walk reads one graph, level by level: all manifests that are one step
// further from the root at the same time.
type walk struct {
	repo    oci.Repository
	options Options
	limits  Limits
	graph   *Graph
	blobs   map[digest.Digest]int64 // and their sizes
	read    int64                   // bytes of manifests
	kept    int
}

// lead is a manifest that is to be read.
type lead struct {
	claims   []oci.Descriptor // what was said of it; a listing may say several things
	depth    int
	within   bool
	named    bool            // it is the root or in an index, and so belongs to the graph whatever it is
	subjects []digest.Digest // it is listed as a referrer of these; only one of them can be right
}

// join adds what was said of the same manifest elsewhere in the level.
func (l *lead) join(d oci.Descriptor, other lead) {
	l.named, l.within = l.named || other.named, l.within || other.within
	for _, s := range other.subjects {
		if !slices.Contains(l.subjects, s) && len(l.subjects) < maxClaims {
			l.subjects = append(l.subjects, s)
		}
	}
	same := func(c oci.Descriptor) bool { return c.Size == d.Size && c.MediaType == d.MediaType }
	if !slices.ContainsFunc(l.claims, same) && len(l.claims) < maxClaims {
		l.claims = append(l.claims, bare(d))
	}
}

// finding is what became of a lead.
type finding struct {
	manifest  *Manifest // nil: it does not belong here, or is not wanted
	raw       []byte
	referrers []oci.Descriptor // as listed
	stranger  error            // why it does not belong here
}

func (w *walk) run(ctx context.Context) error {
	defer w.link()
	level := []*lead{{claims: []oci.Descriptor{w.graph.Root}, within: true, named: true}}
	for len(level) > 0 {
		if err := w.admit(level); err != nil {
			return err
		}
		found := make([]finding, len(level))
		group, groupCtx := errgroup.WithContext(ctx)
		group.SetLimit(readParallel)
		for i, l := range level {
			group.Go(func() (err error) {
				found[i], err = w.follow(groupCtx, l)
				return err
			})
		}
		err := group.Wait()
		next, mergeErr := w.merge(found)
		if err != nil {
			return err
		}
		if mergeErr != nil {
			return mergeErr
		}
		level = next
	}
	return nil
}

// admit checks the bounds before anything of a level is read.
func (w *walk) admit(level []*lead) error {
	if level[0].depth > w.limits.Depth {
		return reason.Errorf(reason.PromoteTooDeep, "what belongs to %s goes deeper than %d steps, at %s",
			w.graph.Root.Digest, w.limits.Depth, level[0].claims[0].Digest).
			WithHint("distrust the source, or copy the parts one by one")
	}
	if n := len(w.graph.Manifests) + len(level); n > w.limits.Manifests {
		return w.tooMany("manifests", w.limits.Manifests)
	}
	total := w.read
	for _, l := range level {
		if err := oci.CheckDescriptor(l.claims[0], oci.MaxManifestSize); err != nil {
			return err
		}
		if total += l.claims[0].Size; total > w.limits.ManifestBytes {
			return reason.Errorf(reason.PromoteTooLarge, "the manifests of %s are larger than %d bytes together", w.graph.Root.Digest, w.limits.ManifestBytes).
				WithHint("check that the reference names what was meant")
		}
	}
	return nil
}

func (w *walk) tooMany(what string, limit int) error {
	return reason.Errorf(reason.PromoteTooMany, "%s has more than %d %s", w.graph.Root.Digest, limit, what).
		WithHint("remove referrers that are no longer needed, narrow the copy by artifact type, or distrust the source")
}

// follow reads a manifest and lists its referrers.
func (w *walk) follow(ctx context.Context, l *lead) (finding, error) {
	f, err := w.fetch(ctx, l)
	if err != nil || f.manifest == nil || w.options.NoReferrers {
		return f, err
	}
	listing, err := w.repo.Referrers(ctx, f.manifest.Descriptor.Digest, w.listingOptions(l.within))
	switch {
	case err != nil:
		return f, unreadable(err, "the referrers of %s cannot be listed", f.manifest.Descriptor.Digest)
	case listing.Truncated:
		return f, reason.Errorf(reason.PromoteTooMany, "%s has more referrers than can be listed", f.manifest.Descriptor.Digest).
			WithHint("remove referrers that are no longer needed, narrow the copy by artifact type, or distrust the source")
	}
	f.referrers = listing.Referrers
	return f, nil
}

// listingOptions asks the source to narrow a listing, where that can be asked.
func (w *walk) listingOptions(within bool) oci.ReferrersOptions {
	if within && len(w.options.ArtifactTypes) == 1 {
		return oci.ReferrersOptions{ArtifactType: w.options.ArtifactTypes[0]}
	}
	return oci.ReferrersOptions{}
}

// fetch reads a manifest by the first of its claims that is true.
func (w *walk) fetch(ctx context.Context, l *lead) (finding, error) {
	var first error
	for _, d := range l.claims {
		m, raw, err := w.manifest(ctx, d)
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		m.Depth, m.within = l.depth, l.within
		switch {
		case l.named:
		case !slices.Contains(l.subjects, m.Subject):
			return finding{stranger: reason.Errorf(reason.PromoteStranger, "%s is listed as a referrer of %s, and is none", d.Digest, l.subjects[0])}, nil
		case !w.options.wants(m.Descriptor.ArtifactType, w.graph.byDigest[m.Subject].within):
			return finding{}, nil
		}
		return finding{manifest: m, raw: raw}, nil
	}
	if !l.named && reason.Of(first) == reason.OCINotFound {
		return finding{stranger: reason.Wrap(reason.PromoteStranger, first, "%s is listed as a referrer of %s, and is gone", l.claims[0].Digest, l.subjects[0])}, nil
	}
	return finding{}, unreadable(first, "manifest %s cannot be used", l.claims[0].Digest)
}

// manifest reads the manifest d and what it names.
func (w *walk) manifest(ctx context.Context, d oci.Descriptor) (*Manifest, []byte, error) {
	raw, err := w.repo.Fetch(ctx, d, oci.MaxManifestSize)
	if err != nil {
		return nil, nil, err
	}
	said, err := oci.CheckManifest(d, raw)
	if err != nil {
		return nil, nil, err
	}
	c, err := parseContent(raw, d.MediaType)
	if err != nil {
		return nil, nil, err
	}
	m := &Manifest{Descriptor: bare(d), Manifests: c.manifests, Blobs: c.blobs, Foreign: c.foreign}
	m.Descriptor.ArtifactType, m.Descriptor.Annotations = said.ArtifactType, said.Annotations
	if said.Subject != nil {
		m.Subject = said.Subject.Digest
	}
	return m, raw, nil
}

// unreadable keeps the code of err, if it has one.
func unreadable(err error, format string, args ...any) error {
	code := reason.Of(err)
	if code == "" {
		code = reason.PromoteUnreadable
	}
	return reason.Wrap(code, err, format, args...)
}

// merge adds what was found to the graph, and returns what to read next.
func (w *walk) merge(found []finding) ([]*lead, error) {
	for i := range found {
		f := &found[i]
		if f.stranger != nil {
			w.warn(f.stranger)
		}
		if f.manifest == nil {
			continue
		}
		m := f.manifest
		w.graph.byDigest[m.Descriptor.Digest] = m
		w.graph.Manifests = append(w.graph.Manifests, m)
		w.graph.Size += m.Descriptor.Size
		w.read += m.Descriptor.Size
		if w.kept+len(f.raw) <= maxKept {
			w.kept += len(f.raw)
			m.raw = f.raw
		}
		if err := w.addBlobs(m); err != nil {
			return nil, err
		}
	}
	return w.next(found)
}

func (w *walk) addBlobs(m *Manifest) error {
	for _, d := range m.Blobs {
		size, ok := w.blobs[d.Digest]
		switch {
		case !ok:
			w.blobs[d.Digest] = d.Size
			w.graph.Blobs = append(w.graph.Blobs, bare(d))
			w.graph.Size += d.Size
		case size != d.Size:
			return reason.Errorf(reason.PromoteConflict, "blob %s is %d bytes long by one manifest, and %d by %s", d.Digest, size, d.Size, m.Descriptor.Digest).
				WithHint("distrust the source, and have the artifact pushed again")
		}
		if len(w.graph.Blobs) > w.limits.Blobs {
			return w.tooMany("blobs", w.limits.Blobs)
		}
	}
	if w.graph.Size > w.limits.Bytes {
		return reason.Errorf(reason.PromoteTooLarge, "%s has more than %d bytes of content", w.graph.Root.Digest, w.limits.Bytes).
			WithHint("check that the reference names what was meant")
	}
	return nil
}

func (w *walk) warn(err error) {
	if len(w.graph.Warnings) < maxWarnings {
		w.graph.Warnings = append(w.graph.Warnings, err)
	}
}

// link fills in the referrers of each manifest, and what is part of the root.
func (w *walk) link() {
	for _, m := range w.graph.Manifests {
		if s := w.graph.byDigest[m.Subject]; s != nil && !w.options.NoReferrers {
			s.Referrers = append(s.Referrers, m.Descriptor.Digest)
		}
	}
	for _, m := range w.graph.Manifests {
		slices.Sort(m.Referrers)
	}
	if root := w.graph.byDigest[w.graph.Root.Digest]; root != nil {
		w.enclose([]*Manifest{root})
	}
}

// enclose marks what is named by what is within as within, too: it may have been
// found first as a referrer of something else, nearer to the root.
func (w *walk) enclose(parents []*Manifest) {
	entered := map[*Manifest]bool{}
	for len(parents) > 0 {
		m := parents[len(parents)-1]
		parents = parents[:len(parents)-1]
		if entered[m] {
			continue
		}
		entered[m], m.within = true, true
		for _, d := range m.Manifests {
			if child := w.graph.byDigest[d.Digest]; child != nil {
				parents = append(parents, child)
			}
		}
	}
}

// next returns the manifests named by what was found that are not in the graph
// yet: what is in indexes, in its order, and then the referrers, by digest.
func (w *walk) next(found []finding) ([]*lead, error) {
	var named, listed []*lead
	leads := map[digest.Digest]*lead{}
	add := func(list *[]*lead, d oci.Descriptor, l lead) error {
		switch known := leads[d.Digest]; {
		case w.graph.byDigest[d.Digest] != nil:
		case known != nil:
			known.join(d, l)
		default:
			l.claims = []oci.Descriptor{bare(d)}
			leads[d.Digest] = &l
			*list = append(*list, &l)
		}
		if len(w.graph.Manifests)+len(leads) > w.limits.Manifests {
			return w.tooMany("manifests", w.limits.Manifests)
		}
		return nil
	}
	for i := range found {
		m := found[i].manifest
		if m == nil {
			continue
		}
		for _, d := range m.Manifests {
			if err := add(&named, d, lead{depth: m.Depth + 1, within: m.within, named: true}); err != nil {
				return nil, err
			}
		}
	}
	for i := range found {
		m := found[i].manifest
		for _, d := range found[i].referrers {
			if d.Digest == m.Descriptor.Digest || !w.mayWant(d, m.within) {
				continue
			}
			if err := add(&listed, d, lead{depth: m.Depth + 1, subjects: []digest.Digest{m.Descriptor.Digest}}); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(listed, func(a, b *lead) int {
		return strings.Compare(string(a.claims[0].Digest), string(b.claims[0].Digest))
	})
	return append(named, listed...), nil
}

// mayWant reports whether an entry of a listing is worth reading.
func (w *walk) mayWant(d oci.Descriptor, within bool) bool {
	if !within || len(w.options.ArtifactTypes) == 0 {
		return true
	}
	return slices.ContainsFunc(w.options.ArtifactTypes, func(t string) bool {
		return oci.ReferrersOptions{ArtifactType: t}.Wants(d)
	})
}

// choose returns the image of the root's index for the platform asked for.
func (w *walk) choose(ctx context.Context) (oci.Descriptor, error) {
	m, _, err := w.manifest(ctx, w.graph.Root)
	if err != nil {
		return oci.Descriptor{}, unreadable(err, "manifest %s cannot be used", w.graph.Root.Digest)
	}
	if !oci.IsIndex(m.Descriptor.MediaType) {
		return oci.Descriptor{}, reason.Errorf(reason.PromotePlatform, "%s is no index, so there is no platform to choose", w.graph.Root.Digest).
			WithHint("leave out the platform")
	}
	return oci.ChoosePlatform(m.Manifests, w.options.Platform)
}
