package cli

import (
	"cmp"
	"context"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/promote"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// Bounds on a tree; those of depth and size are the ones of package promote.
const (
	// maxTreeManifests bounds the manifests of a tree.
	maxTreeManifests = 2000
	// maxTreeFetches bounds the signatures that are fetched at the same time.
	maxTreeFetches = 16
	// maxTreeRepeats bounds the lines about manifests that are shown elsewhere
	// or could not be read.
	maxTreeRepeats = 1000
)

// treeOptions are the flags of tree.
type treeOptions struct {
	targets    targetOptions
	judge      judgeOptions
	verify     bool
	judgeFlags []string // which need verify
}

func (a *app) treeCommand() *cobra.Command {
	o := &treeOptions{}
	cmd := &cobra.Command{
		Use:   "tree REF [flags]",
		Short: "Show everything that belongs to an artifact",
		Long: `Show the graph of an artifact: the images of an index, what is attached to each
of them, what is attached to that, and so on; with artifact types, digests,
sizes, and what signatures say about who made them.

Nothing of that is a verdict: a signature that is intact may be anybody's. With
--verify, everything but the signatures themselves is verified against the trust
policy, the images of an index too, as by 'notation verify --recursive', and the
worst verdict decides the exit code. The flags of verify need --verify.

Depth and size are bounded. What is shown of a graph beyond the bounds, or of
one that cannot be read to its end, is not all, and the exit code says so.`,
		Example: `  # Show what is attached to an image
  notation tree localhost:5000/net-monitor:v1

  # Show what is trusted of it
  notation tree --verify localhost:5000/net-monitor:v1

  # The same as JSON, from an image layout
  notation tree --verify --output json --oci-layout --scope registry.example.com/net-monitor ./layout:v1`,
	}
	cmd = a.leaf(cmd, 1, 1, func(ctx context.Context, args []string) (document, error) {
		return a.tree(ctx, cmd, o, args[0])
	})
	cmd.Flags().BoolVar(&o.verify, "verify", false, "verify all that is shown against the trust policy")
	o.judgeFlags = flagsOf(cmd, func() { o.judge.register(cmd) })
	o.targets.register(cmd)
	return cmd
}

func (a *app) tree(ctx context.Context, cmd *cobra.Command, o *treeOptions, typed string) (document, error) {
	if !o.verify {
		if err := a.onlyWith(cmd, o.judgeFlags, "verify"); err != nil {
			return nil, err
		}
	}
	if err := o.judge.check(a, cmd, o.targets.layout); err != nil {
		return nil, err
	}
	o.targets.registry.stateless = o.verify && o.judge.trust.stateless()
	t, err := o.targets.parse(typed)
	if err != nil {
		return nil, err
	}
	var j *judge
	if o.verify {
		if j, err = a.judge(ctx, cmd, &o.judge); err != nil {
			return nil, err
		}
	}
	repo, err := a.openOne(ctx, &o.targets, t, o.judge.scope)
	if err != nil {
		return nil, err
	}
	ctx, cancel := a.network(ctx)
	defer cancel()
	root, err := repo.Resolve(ctx, t.ref)
	if err != nil {
		return nil, err
	}
	graph, walkErr := promote.Walk(ctx, repo, root, promote.Options{Limits: promote.Limits{Manifests: maxTreeManifests}})
	a.warnSome(graph.Warnings, "entries that do not belong into the graph")
	b := &treeBuilder{app: a, graph: graph, target: t}
	if err := b.readSignatures(ctx, repo); walkErr == nil {
		walkErr = err
	}
	var errs manyErrors
	if walkErr != nil {
		errs = append(errs, refError{named(t.typed), walkErr})
	}
	if j != nil {
		a.recommendDigest(t, root.Digest)
		errs = append(errs, b.verify(ctx, repo, j)...)
	}
	return b.document(root, j != nil, walkErr), errs.asError()
}

// treeBuilder makes a tree of a graph.
type treeBuilder struct {
	app    *app
	graph  *promote.Graph
	target target

	signatures map[digest.Digest]*treeSignatureJSON
	verdicts   map[digest.Digest]*verdictJSON
	shown      map[digest.Digest]bool
	repeats    int
}

// isSignature reports whether a manifest claims to be a signature.
func isSignature(m *promote.Manifest) bool {
	return m.Descriptor.ArtifactType == oci.ArtifactTypeSignature && m.Subject != ""
}

// readSignatures reads what the signatures in the graph say. The error is the
// first for which one could not be read.
func (b *treeBuilder) readSignatures(ctx context.Context, repo oci.Repository) error {
	var all []*promote.Manifest
	for _, m := range b.graph.Manifests {
		if isSignature(m) {
			all = append(all, m)
		}
	}
	read := make([]attached, len(all))
	budget := semaphore.NewWeighted(fetchBudget)
	said := make([]*treeSignatureJSON, len(all))
	var group errgroup.Group
	group.SetLimit(maxTreeFetches)
	for i, m := range all {
		group.Go(func() error {
			l := &looker{repo: repo, artifact: m.Subject, envelopes: true, budget: budget}
			s := l.fetch(ctx, m.Descriptor)
			said[i] = newTreeSignature(&s, m.Subject)
			read[i] = attached{err: s.err, unread: s.unread}
			return nil
		})
	}
	_ = group.Wait() // its functions return no errors
	b.signatures = make(map[digest.Digest]*treeSignatureJSON, len(all))
	var first error
	for i, m := range all {
		b.signatures[m.Descriptor.Digest] = said[i]
		if read[i].unread {
			first = cmp.Or(first, read[i].err)
		}
	}
	return first
}

// verify decides about everything in the graph but the signatures: first about
// the artifact and, if it is an index, what is in it, which it may cover; then,
// each by itself, about what refers to them.
func (b *treeBuilder) verify(ctx context.Context, repo oci.Repository, j *judge) manyErrors {
	open := func(target) (oci.Repository, error) { return repo, nil }
	b.verdicts = map[digest.Digest]*verdictJSON{}
	doc, rootErr := j.allBy(ctx, b.app, []target{b.at(b.graph.Root.Digest)}, open, maxIndexes, j.recursive)
	for i, v := range doc.Verdicts {
		if d := v.Verdict.Artifact.Digest; d != "" {
			b.verdicts[d] = &doc.Verdicts[i]
		}
	}
	b.verdicts[b.graph.Root.Digest] = &doc.Verdicts[0]
	var targets []target
	for _, m := range b.graph.Manifests {
		if d := m.Descriptor.Digest; !isSignature(m) && b.verdicts[d] == nil {
			targets = append(targets, b.at(d))
		}
	}
	doc, err := j.all(ctx, b.app, targets, open)
	for i, t := range targets {
		b.verdicts[t.ref.Digest()] = &doc.Verdicts[i]
	}
	var all manyErrors
	for _, e := range []error{rootErr, err} {
		errs, _ := e.(manyErrors) //nolint:errorlint // what errors returns, or nil
		all = append(all, errs...)
	}
	return all
}

// at returns a manifest of the graph as a target.
func (b *treeBuilder) at(d digest.Digest) target {
	return target{typed: b.target.name(d), path: b.target.path, ref: b.target.ref.WithDigest(d)}
}

// document makes the tree. failure says why the graph is not whole.
func (b *treeBuilder) document(root oci.Descriptor, verified bool, failure error) *treeDocument {
	b.shown = map[digest.Digest]bool{}
	doc := &treeDocument{
		Reference: b.target.name(root.Digest), Verified: verified, Whole: failure == nil,
		Manifests: len(b.graph.Manifests), Blobs: len(b.graph.Blobs), TotalSize: b.graph.Size,
		Tree: b.node(root, 0),
	}
	if b.repeats > maxTreeRepeats {
		b.app.warn("%d places where something is named once more, or that could not be read, are not shown", b.repeats-maxTreeRepeats)
	}
	return doc
}

// node returns the tree below a manifest. Each manifest is shown in full once,
// where it is nearest to the root, so that a tree is no deeper than its graph.
func (b *treeBuilder) node(d oci.Descriptor, depth int) *treeJSON {
	n := &treeJSON{descriptorJSON: *newDescriptor(bare(d)), Platform: oci.PlatformName(d)}
	m := b.graph.Manifest(d.Digest)
	switch {
	case m == nil:
		n.Shown = "unread"
	case m.Depth != depth || b.shown[d.Digest]:
		n.Shown = "elsewhere"
	}
	if n.Shown != "" {
		return n
	}
	b.shown[d.Digest] = true
	n.ArtifactType, n.Annotations = artifactTypeOf(m.Descriptor), m.Descriptor.Annotations
	n.ContentSize = m.Descriptor.Size
	for _, blob := range m.Blobs {
		n.ContentSize += blob.Size
	}
	n.Signature, n.Verdict = b.signatures[d.Digest], b.verdicts[d.Digest]
	named := map[digest.Digest]bool{}
	for _, child := range m.Manifests {
		if !named[child.Digest] {
			named[child.Digest] = true
			b.add(&n.Manifests, child, depth)
		}
	}
	for _, referrer := range m.Referrers {
		if !named[referrer] {
			b.add(&n.Referrers, b.graph.Manifest(referrer).Descriptor, depth)
		}
	}
	return n
}

// add appends what is below a manifest, within the bound on repetitions.
func (b *treeBuilder) add(list *[]*treeJSON, d oci.Descriptor, depth int) {
	n := b.node(d, depth+1)
	if n.Shown != "" {
		if b.repeats++; b.repeats > maxTreeRepeats {
			return
		}
	}
	*list = append(*list, n)
}

// artifactTypeOf returns the artifact type that a manifest gives itself. The media
// type of the empty config is none (OCI image specification, "Guidelines for
// Artifact Usage").
func artifactTypeOf(d oci.Descriptor) string {
	if d.ArtifactType == ocispec.MediaTypeEmptyJSON {
		return ""
	}
	return d.ArtifactType
}

// newTreeSignature returns what a signature of a subject says.
func newTreeSignature(s *attached, subject digest.Digest) *treeSignatureJSON {
	read := inspect(s)
	out := &treeSignatureJSON{Integrity: read.Integrity}
	if len(read.Certificates) > 0 {
		out.Signer = read.Certificates[0].IssuedTo
	}
	for _, name := range []string{"signingTime", "authenticSigningTime"} {
		if at, ok := read.Signed[name].(string); ok {
			out.Time = at
		}
	}
	if read.Artifact != nil && read.Artifact.Digest != subject && out.Integrity.Outcome == "passed" {
		out.Integrity = integrityJSON{Outcome: "failed", Reason: reason.VerifyOtherArtifact, Message: "the signature is for another artifact, " + string(read.Artifact.Digest)}
	}
	return out
}
