package promote

import (
	"context"
	"sync"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/semaphore"
)

// level stores manifests whose predecessors are all there: those that refer to
// nothing one by one, and the referrers of each subject together.
func (c *copier) level(ctx context.Context, level []*Manifest) error {
	listed, err := c.listed(ctx, level)
	if err != nil {
		return err
	}
	var alone []*Manifest
	groups := &referrerGroups{last: map[digest.Digest]*referrerGroup{}}
	var mu sync.Mutex
	err = each(ctx, c.parallel(), level, func(ctx context.Context, m *Manifest) error {
		there := false
		if m.Subject == "" || listed[m.Descriptor.Digest] {
			var err error
			if there, err = c.dst.Has(ctx, bare(m.Descriptor)); err != nil {
				return err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case there:
			return nil
		case m.Subject == "":
			alone = append(alone, m)
		default:
			groups.add(m)
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.skip(level, alone, groups)
	if err := eachToEnd(ctx, c.parallel(), alone, c.manifest); err != nil {
		return err
	}
	room := semaphore.NewWeighted(maxInFlight)
	return eachToEnd(ctx, c.parallel(), groups.list, func(ctx context.Context, g *referrerGroup) error {
		// Manifests are small, unless somebody wants them not to be.
		weight := min(g.largest*int64(min(len(g.manifests), sentTogether)), maxInFlight)
		if err := room.Acquire(ctx, weight); err != nil {
			return context.Cause(ctx)
		}
		defer room.Release(weight)
		return c.referrers(ctx, g)
	})
}

// skip records the manifests that are there already.
func (c *copier) skip(level, alone []*Manifest, groups *referrerGroups) {
	missing := map[*Manifest]bool{}
	for _, m := range alone {
		missing[m] = true
	}
	for _, g := range groups.list {
		for _, m := range g.manifests {
			missing[m] = true
		}
	}
	for _, m := range level {
		if !missing[m] {
			c.tell(Event{Kind: Started, Descriptor: bare(m.Descriptor)})
			c.done(Item{Descriptor: m.Descriptor, Manifest: true, Action: Skipped})
		}
	}
}

// listed returns which manifests of a level the destination lists as referrers
// already. A listing that fails says nothing: writing will tell what is wrong.
func (c *copier) listed(ctx context.Context, level []*Manifest) (map[digest.Digest]bool, error) {
	var subjects []digest.Digest
	seen := map[digest.Digest]bool{}
	for _, m := range level {
		if m.Subject != "" && !seen[m.Subject] {
			seen[m.Subject] = true
			subjects = append(subjects, m.Subject)
		}
	}
	var mu sync.Mutex
	listed := map[digest.Digest]bool{}
	err := each(ctx, c.parallel(), subjects, func(ctx context.Context, subject digest.Digest) error {
		l, _ := c.dst.Referrers(ctx, subject, oci.ReferrersOptions{})
		mu.Lock()
		defer mu.Unlock()
		for i := range l.Referrers {
			listed[l.Referrers[i].Digest] = true
		}
		return nil
	})
	return listed, err
}

// manifest stores a manifest that refers to nothing.
func (c *copier) manifest(ctx context.Context, m *Manifest) error {
	d := bare(m.Descriptor)
	c.tell(Event{Kind: Started, Descriptor: d})
	raw, err := c.raw(ctx, m)
	if err != nil {
		return err
	}
	if err := c.dst.PutManifest(ctx, d, raw); err != nil {
		return err
	}
	c.done(Item{Descriptor: m.Descriptor, Manifest: true, Action: Copied})
	return nil
}

// raw returns the bytes of a manifest, if they were not kept from the source.
func (c *copier) raw(ctx context.Context, m *Manifest) ([]byte, error) {
	if m.raw != nil {
		return m.raw, nil
	}
	return c.src.Fetch(ctx, bare(m.Descriptor), oci.MaxManifestSize)
}

// referrerGroup are referrers of one subject that are stored together.
type referrerGroup struct {
	subject   digest.Digest
	manifests []*Manifest
	largest   int64 // of them, in bytes
}

// referrerGroups gathers them.
type referrerGroups struct {
	list []*referrerGroup
	last map[digest.Digest]*referrerGroup // of each subject
}

func (s *referrerGroups) add(m *Manifest) {
	g := s.last[m.Subject]
	if g == nil {
		g = &referrerGroup{subject: m.Subject}
		s.last[m.Subject], s.list = g, append(s.list, g)
	}
	g.manifests = append(g.manifests, m)
	g.largest = max(g.largest, m.Descriptor.Size)
}

// referrers stores the referrers of one subject, some hundreds at a time so that
// it can be seen how far it is.
func (c *copier) referrers(ctx context.Context, g *referrerGroup) error {
	by := make(map[digest.Digest]*Manifest, len(g.manifests))
	for _, m := range g.manifests {
		by[m.Descriptor.Digest] = m
	}
	for list := g.manifests; len(list) > 0; {
		some := list[:min(len(list), storedTogether)]
		list = list[len(some):]
		var descriptors []oci.Descriptor
		for _, m := range some {
			descriptors = append(descriptors, bare(m.Descriptor))
		}
		there, err := c.dst.PutReferrers(ctx, g.subject, descriptors, func(ctx context.Context, d oci.Descriptor) ([]byte, error) {
			c.tell(Event{Kind: Started, Descriptor: d})
			return c.raw(ctx, by[d.Digest])
		})
		for _, d := range there {
			if m := by[d.Digest]; m != nil {
				c.done(Item{Descriptor: m.Descriptor, Manifest: true, Action: Copied})
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// incomplete says what is at the destination after a failure.
func (c *copier) incomplete(g *Graph, cause error) error {
	at := c.dst.Name()
	if at == "" {
		at = "the destination"
	}
	e := reason.Wrap(reason.PromoteIncomplete, cause, "%s is incomplete at %s: %d of %d manifests and %d of %d blobs are there, and %s",
		g.Root.Digest, at, len(c.report.Manifests), len(g.Manifests), len(c.report.Blobs), len(g.Blobs), c.noTag())
	if reason.Hint(cause) == "" {
		return e.WithHint("run it again: what is there is not sent again")
	}
	return e
}

func (c *copier) noTag() string {
	if c.options.Tag == "" {
		return "no tag was to be moved"
	}
	return "the tag " + c.options.Tag + " was not moved"
}
