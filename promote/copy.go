package promote

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"
)

// VerifyFunc verifies the artifact of a digest in a repository. A nil error says
// that it passed; any other stops a copy.
type VerifyFunc func(ctx context.Context, repo oci.Repository, artifact digest.Digest) error

// CopyOptions shape a [Copy]. The zero value copies everything, without
// verification, and moves no tag.
type CopyOptions struct {
	Options

	// Tag is moved to the artifact at the destination when all is done; "":
	// none. The artifact can be found by its digest either way.
	Tag string

	// VerifySource is asked about the artifact before anything is read of its
	// graph, and VerifyDestination once all has arrived. With a platform, the
	// first is asked about the index, whose digest covers the image that is
	// copied, and the second about that image. nil: not verified, as the report
	// says.
	VerifySource, VerifyDestination VerifyFunc

	// Parallel is the number of blobs or manifests under way at the same time;
	// 0: 6. At most 64.
	Parallel int

	// Progress, if not nil, is called as things happen, never twice at the same
	// time. It should return soon.
	Progress func(Event)
}

// Copy promotes the artifact root from src to dst. The steps are: verify at the
// source; [Walk]; store blobs, then manifests, none before the manifests that it
// names; verify at the destination; move the tag. Blobs are mounted where src and
// dst are repositories of one registry. Content that is there already is not
// sent again, but a referrer that dst does not list is made to be listed.
//
// The report says what was done, also with an error, and is never nil. Errors
// have these codes, with the cause in their tree:
//
//   - promote.source-rejected: nothing was read or written
//   - those of [Walk]: nothing was written
//   - promote.incomplete: the report says what is at the destination
//   - promote.destination-rejected: everything is there, the tag was not moved
//   - promote.tag: everything is there, the tag may not have been moved
func Copy(ctx context.Context, src oci.Source, dst oci.Store, root oci.Descriptor, o CopyOptions) (*Report, error) {
	c := &copier{src: src, dst: dst, options: o, report: &Report{Root: bare(root)}}
	if o.Tag != "" {
		if err := oci.CheckTag(o.Tag); err != nil {
			return c.report, err
		}
	}
	if o.VerifySource != nil {
		if err := o.VerifySource(ctx, src, root.Digest); err != nil {
			return c.report, reason.Wrap(reason.PromoteSourceRejected, err, "%s was not verified at the source, and nothing was copied", root.Digest)
		}
		c.report.SourceVerified = true
	}
	graph, err := Walk(ctx, src, root, o.Options)
	c.report.Root, c.report.Warnings = graph.Root, graph.Warnings
	if err != nil {
		return c.report, err
	}
	levels, err := graph.levels()
	if err != nil {
		return c.report, err
	}
	if err := c.all(ctx, graph, levels); err != nil {
		return c.report, c.incomplete(graph, err)
	}
	if o.VerifyDestination != nil {
		if err := o.VerifyDestination(ctx, dst, graph.Root.Digest); err != nil {
			return c.report, reason.Wrap(reason.PromoteDestinationRejected, err, "%s was copied as a whole, but not verified at the destination, so %s",
				graph.Root.Digest, c.noTag())
		}
		c.report.DestinationVerified = true
	}
	if err := dst.Tag(ctx, graph.Root, o.Tag); err != nil {
		return c.report, reason.Wrap(reason.PromoteTag, err, "%s was copied as a whole, but the tag %q could not be moved", graph.Root.Digest, o.Tag)
	}
	c.report.Tag = o.Tag
	return c.report, nil
}

// copier is one Copy.
type copier struct {
	src     oci.Source
	dst     oci.Store
	options CopyOptions

	noMount atomic.Bool // mounting was refused

	mu     sync.Mutex // guards all below, and calls of Progress
	report *Report
	total  Totals // of the graph
	there  Totals // at the destination
	turns  map[digest.Digest]chan struct{}
}

// all stores the whole graph.
func (c *copier) all(ctx context.Context, g *Graph, levels [][]*Manifest) error {
	c.total = Totals{Blobs: len(g.Blobs), Manifests: len(g.Manifests), Bytes: g.Size}
	if err := each(ctx, c.parallel(), g.Blobs, c.blob); err != nil {
		return err
	}
	for _, level := range levels {
		listed, err := c.listed(ctx, level)
		if err != nil {
			return err
		}
		err = each(ctx, c.parallel(), level, func(ctx context.Context, m *Manifest) error { return c.manifest(ctx, m, listed) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) parallel() int {
	if n := c.options.Parallel; n > 0 {
		return min(n, maxParallel)
	}
	return defaultParallel
}

// each calls f for each item, n at the same time, until one fails.
func each[T any](ctx context.Context, n int, items []T, f func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(n)
	for _, item := range items {
		group.Go(func() error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			return f(ctx, item)
		})
	}
	return group.Wait()
}

// blob stores one blob.
func (c *copier) blob(ctx context.Context, d oci.Descriptor) error {
	c.tell(Event{Kind: Started, Descriptor: d})
	there, err := c.dst.Has(ctx, d)
	if err != nil {
		return err
	}
	if there {
		c.done(Item{Descriptor: d, Action: Skipped})
		return nil
	}
	if !c.noMount.Load() && c.src.Name() != "" && c.src.Name() != c.dst.Name() {
		mounted, err := c.dst.Mount(ctx, d, c.src.Name())
		if err != nil {
			return err
		}
		if mounted {
			c.done(Item{Descriptor: d, Action: Mounted})
			return nil
		}
		// Who does not mount one blob will not mount the next.
		c.noMount.Store(true)
	}
	err = c.dst.PutBlob(ctx, d, func() (io.ReadCloser, error) {
		content, err := c.src.Open(ctx, d)
		if err != nil || c.options.Progress == nil {
			return content, err
		}
		return &counted{ReadCloser: content, tell: func(n int64) { c.tell(Event{Kind: Advanced, Descriptor: d, Done: n}) }}, nil
	})
	if err != nil {
		return err
	}
	c.done(Item{Descriptor: d, Action: Copied})
	return nil
}

// counted tells how much was read of a blob.
type counted struct {
	io.ReadCloser
	n, told int64
	tell    func(n int64)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if c.n += int64(n); c.n-c.told >= progressStep {
		c.told = c.n
		c.tell(c.n)
	}
	return n, err
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

// manifest stores one manifest.
func (c *copier) manifest(ctx context.Context, m *Manifest, listed map[digest.Digest]bool) error {
	d := bare(m.Descriptor)
	c.tell(Event{Kind: Started, Descriptor: d})
	if m.Subject == "" || listed[d.Digest] {
		there, err := c.dst.Has(ctx, d)
		if err != nil {
			return err
		}
		if there {
			c.done(Item{Descriptor: m.Descriptor, Manifest: true, Action: Skipped})
			return nil
		}
	}
	raw := m.raw
	if raw == nil {
		var err error
		if raw, err = c.src.Fetch(ctx, d, oci.MaxManifestSize); err != nil {
			return err
		}
	}
	if m.Subject != "" {
		turn := c.turn(m.Subject)
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		defer func() { <-turn }()
	}
	if err := c.dst.PutManifest(ctx, d, raw); err != nil {
		return err
	}
	c.done(Item{Descriptor: m.Descriptor, Manifest: true, Action: Copied})
	return nil
}

// turn returns what is to be held while a referrer of subject is stored. Some
// registries with the referrers API lose one of two that come at the same time.
func (c *copier) turn(subject digest.Digest) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turns[subject] == nil {
		if c.turns == nil {
			c.turns = map[digest.Digest]chan struct{}{}
		}
		c.turns[subject] = make(chan struct{}, 1)
	}
	return c.turns[subject]
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
