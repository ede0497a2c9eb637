package promote

import (
	"context"
	"io"
	"slices"
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

	// Require is what must be attached to the artifact at the source, and pass
	// there, for anything to be copied.
	Require []Requirement

	// Finish, if not nil, is called when all has arrived, before it is verified
	// at the destination. It may add to the artifact there, such as a signature
	// that VerifyDestination is to find. An error of it leaves the tag where it
	// is.
	Finish func(ctx context.Context, dst oci.Store, artifact digest.Digest) error

	// Parallel is the number of blobs or manifests under way at the same time;
	// 0: 6. At most 64.
	Parallel int

	// Progress, if not nil, is called as things happen, never twice at the same
	// time. It should return soon.
	Progress func(Event)
}

// Copy promotes the artifact root from src to dst. The steps are: verify at the
// source; [Walk]; look for what is required; store blobs, then manifests, none
// before the manifests that it names; finish; verify at the destination; move the
// tag. Blobs are mounted where src and dst are repositories of one registry.
// Content that is there already is not sent again, but a referrer that dst does
// not list is made to be listed.
//
// The report says what was done, also with an error, and is never nil. Errors
// have these codes, with the cause in their tree:
//
//   - promote.source-rejected: nothing was read or written
//   - those of [Walk], and promote.required: nothing was written
//   - promote.incomplete: the report says what is at the destination
//   - promote.finish: everything is there, the tag was not moved
//   - promote.destination-rejected: everything is there, the tag was not moved
//   - promote.tag: everything is there, the tag may not have been moved
func Copy(ctx context.Context, src oci.Source, dst oci.Store, root oci.Descriptor, o CopyOptions) (*Report, error) {
	c := &copier{src: src, dst: dst, options: o, report: &Report{Root: bare(root)}}
	if err := c.options.check(); err != nil {
		return c.report, err
	}
	graph, levels, err := c.read(ctx, root)
	if err != nil {
		return c.report, err
	}
	if err := c.all(ctx, graph, levels); err != nil {
		return c.report, c.incomplete(graph, err)
	}
	return c.report, c.release(ctx, graph.Root)
}

// check refuses options that cannot be met.
func (o *CopyOptions) check() error {
	if o.Tag != "" {
		if err := oci.CheckTag(o.Tag); err != nil {
			return err
		}
		if oci.IsReferrersTag(o.Tag) {
			return reason.Errorf(reason.OCIReference, "the tag %s is that of a list of referrers, which would be lost", o.Tag).
				WithHint("choose another tag, or none; what is attached to an artifact is copied with it")
		}
	}
	if len(o.Require) == 0 {
		return nil
	}
	if o.NoReferrers {
		return reason.Errorf(reason.PromoteRequired, "what is attached is required, and is not to be copied").
			WithHint("copy the referrers as well, or require none")
	}
	if len(o.ArtifactTypes) > 0 { // what is required comes along
		o.ArtifactTypes = slices.Clone(o.ArtifactTypes)
		for _, r := range o.Require {
			o.ArtifactTypes = append(o.ArtifactTypes, r.ArtifactType)
		}
	}
	return nil
}

// read verifies at the source and returns what is to be copied, in levels that
// can be stored one after another.
func (c *copier) read(ctx context.Context, root oci.Descriptor) (*Graph, [][]*Manifest, error) {
	if c.options.VerifySource != nil {
		if err := c.options.VerifySource(ctx, c.src, root.Digest); err != nil {
			return nil, nil, reason.Wrap(reason.PromoteSourceRejected, err, "%s was not verified at the source, and nothing was copied", root.Digest)
		}
		c.report.SourceVerified = true
	}
	graph, err := Walk(ctx, c.src, root, c.options.Options)
	c.report.Root, c.report.Warnings = graph.Root, graph.Warnings
	if err != nil {
		return nil, nil, err
	}
	levels, err := graph.levels()
	if err == nil {
		err = c.require(ctx, graph)
	}
	return graph, levels, err
}

// release is what comes when all is at the destination: the tag is last.
func (c *copier) release(ctx context.Context, root oci.Descriptor) error {
	if c.options.Finish != nil {
		if err := c.options.Finish(ctx, c.dst, root.Digest); err != nil {
			return reason.Wrap(reason.PromoteFinish, err, "%s was copied as a whole, but what was to be added to it at the destination was not, so %s",
				root.Digest, c.noTag())
		}
	}
	if c.options.VerifyDestination != nil {
		if err := c.options.VerifyDestination(ctx, c.dst, root.Digest); err != nil {
			return reason.Wrap(reason.PromoteDestinationRejected, err, "%s was copied as a whole, but not verified at the destination, so %s",
				root.Digest, c.noTag())
		}
		c.report.DestinationVerified = true
	}
	if err := c.dst.Tag(ctx, root, c.options.Tag); err != nil {
		return reason.Wrap(reason.PromoteTag, err, "%s was copied as a whole, but the tag %q could not be moved", root.Digest, c.options.Tag)
	}
	c.report.Tag = c.options.Tag
	return nil
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
}

// all stores the whole graph.
func (c *copier) all(ctx context.Context, g *Graph, levels [][]*Manifest) error {
	c.total = Totals{Blobs: len(g.Blobs), Manifests: len(g.Manifests), Bytes: g.Size}
	if err := each(ctx, c.parallel(), g.Blobs, c.blob); err != nil {
		return err
	}
	for _, level := range levels {
		if err := c.level(ctx, level); err != nil {
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

// each calls f for each item, n at the same time, until one fails, which ends the
// others.
func each[T any](ctx context.Context, n int, items []T, f func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	return eachOf(ctx, group, n, items, func() bool { return false }, f)
}

// eachToEnd is each, but those under way when one fails go on to their end: of
// what is small it is then known whether it is there.
func eachToEnd[T any](ctx context.Context, n int, items []T, f func(context.Context, T) error) error {
	var failed atomic.Bool
	return eachOf(ctx, new(errgroup.Group), n, items, failed.Load, func(ctx context.Context, item T) error {
		err := f(ctx, item)
		if err != nil {
			failed.Store(true)
		}
		return err
	})
}

func eachOf[T any](ctx context.Context, group *errgroup.Group, n int, items []T, failed func() bool, f func(context.Context, T) error) error {
	group.SetLimit(n)
	for _, item := range items {
		group.Go(func() error {
			if err := context.Cause(ctx); err != nil || failed() {
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
		count := &counted{ReadCloser: content, tell: func(n int64) { c.tell(Event{Kind: Advanced, Descriptor: d, Done: n}) }}
		if v, ok := content.(oci.VerifiedStream); ok {
			return &countedStream{count, v}, nil
		}
		return count, nil
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

// countedStream is counted of an [oci.VerifiedStream].
type countedStream struct {
	*counted
	stream oci.VerifiedStream
}

// LeaveDigest implements [oci.LeavingStream], if the stream does.
func (c *countedStream) LeaveDigest() {
	if l, ok := c.stream.(oci.LeavingStream); ok {
		l.LeaveDigest()
	}
}

// Verifies implements [oci.VerifiedStream].
func (c *countedStream) Verifies() oci.Descriptor { return c.stream.Verifies() }

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if c.n += int64(n); c.n-c.told >= progressStep {
		c.told = c.n
		c.tell(c.n)
	}
	return n, err
}
