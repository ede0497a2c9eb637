package promote

import (
	"context"
	"slices"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// Options say how much of a graph is wanted. The zero value is all of it, within
// the package's bounds.
type Options struct {
	Limits Limits

	// ArtifactTypes, if there are any, are those of the referrers that are
	// wanted. They are compared with what the manifests say. The choice is made
	// among the referrers of the artifact, and of the images in it if it is an
	// index; whatever refers to a referrer that is wanted is wanted, too.
	ArtifactTypes []string

	// NoReferrers leaves out all referrers.
	NoReferrers bool

	// Platform, os/architecture[/variant], makes the one image of an index that
	// is for it the root of the graph; "": the whole index. The image need not
	// be signed even if its index is.
	Platform string
}

// wants reports whether a referrer is wanted. within says that its subject is
// the artifact, or an image in it.
func (o *Options) wants(artifactType string, within bool) bool {
	return !within || len(o.ArtifactTypes) == 0 || slices.Contains(o.ArtifactTypes, artifactType)
}

// Graph is an artifact with everything that belongs to it.
type Graph struct {
	// Root is the artifact, or the image chosen by [Options.Platform].
	Root oci.Descriptor
	// Manifests are all manifests, each once, those nearer to the root first.
	Manifests []*Manifest
	// Blobs are the blobs that the manifests name, each once.
	Blobs []oci.Descriptor
	// Size is the size of all manifests and blobs together, in bytes.
	Size int64
	// Warnings are oddities that did not matter, at most 100.
	Warnings []error

	byDigest map[digest.Digest]*Manifest
}

// Manifest is one manifest of a [Graph].
type Manifest struct {
	// Descriptor has media type, digest and size, which were checked, and the
	// artifact type and annotations that the manifest gives itself.
	Descriptor oci.Descriptor
	// Depth is the number of steps from the root.
	Depth int
	// Subject is what the manifest refers to, which for the root need not be in
	// the graph; "": nothing.
	Subject digest.Digest
	// Manifests are those of an index, with their platforms.
	Manifests []oci.Descriptor
	// Blobs are config and layers, in their order.
	Blobs []oci.Descriptor
	// Foreign are layers that are kept elsewhere and never copied.
	Foreign []oci.Descriptor
	// Referrers are those of this manifest that are in the graph, in the order
	// of their digests.
	Referrers []digest.Digest

	raw    []byte // nil if it was not kept
	within bool   // is the root, or part of it
}

// Manifest returns the manifest of a digest, or nil.
func (g *Graph) Manifest(d digest.Digest) *Manifest { return g.byDigest[d] }

// Walk reads the graph of root: the manifests of an index, their config and
// layers, and the referrers of every manifest, and so on. Nothing but manifests
// is fetched; each is compared with its digest and size, and each referrer has
// the subject that it was listed for. A listed referrer that is gone, or has
// another subject, is left out with a warning. Everything else that cannot be
// read, and whatever goes beyond a bound, is an error: a graph is whole, or
// there is none. With the error comes what was found so far, for people to
// look at.
//
// Errors have the codes promote.* and those of the repository.
func Walk(ctx context.Context, repo oci.Repository, root oci.Descriptor, o Options) (*Graph, error) {
	w := &walk{
		repo: repo, options: o, limits: o.Limits.orDefault(),
		graph: &Graph{Root: bare(root), byDigest: map[digest.Digest]*Manifest{}},
		blobs: map[digest.Digest]int64{},
	}
	if o.Platform != "" {
		chosen, err := w.choose(ctx)
		if err != nil {
			return w.graph, err
		}
		w.graph.Root = bare(chosen)
	}
	err := w.run(ctx)
	if err == nil {
		_, err = w.graph.levels()
	}
	return w.graph, err
}

// bare returns d reduced to media type, digest and size.
func bare(d oci.Descriptor) oci.Descriptor {
	return oci.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

// levels returns the manifests in an order in which they can be stored: those of
// each level name, as subject or as part of an index, only those of levels
// before it.
func (g *Graph) levels() ([][]*Manifest, error) {
	waits := make(map[*Manifest]int, len(g.Manifests))
	needed := map[*Manifest][]*Manifest{}
	for _, m := range g.Manifests {
		for _, d := range m.needs() {
			if n := g.byDigest[d]; n != nil {
				waits[m]++
				needed[n] = append(needed[n], m)
			}
		}
	}
	var levels [][]*Manifest
	var level []*Manifest
	for _, m := range g.Manifests {
		if waits[m] == 0 {
			level = append(level, m)
		}
	}
	done := 0
	for len(level) > 0 {
		levels = append(levels, level)
		done += len(level)
		var next []*Manifest
		for _, m := range level {
			for _, n := range needed[m] {
				if waits[n]--; waits[n] == 0 {
					next = append(next, n)
				}
			}
		}
		level = next
	}
	if done < len(g.Manifests) {
		return nil, reason.Errorf(reason.PromoteCycle, "%d manifests of %s refer to each other in a circle", len(g.Manifests)-done, g.Root.Digest).
			WithHint("distrust the source: honest digests cannot do that")
	}
	return levels, nil
}

// needs returns the manifests that must be stored before m.
func (m *Manifest) needs() []digest.Digest {
	var list []digest.Digest
	for _, d := range m.Manifests {
		list = append(list, d.Digest)
	}
	if m.Subject != "" {
		list = append(list, m.Subject)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
