package promote

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
)

// Requirement demands that something of a kind is attached to the artifact and
// passes: an SBOM that is signed by the right people, say. It is met if such a
// thing refers to the artifact itself or, where that is an index, if one refers
// to each of the images in it. With a platform the artifact is the image, and
// what is attached to the index it came from does not count: it stays behind.
type Requirement struct {
	// ArtifactType is compared with what the manifests say.
	ArtifactType string

	// Verify decides about a manifest of that type, in the source. Only a nil
	// error says that it passed. nil: nothing passes.
	Verify VerifyFunc
}

// Met says what met a [Requirement].
type Met struct {
	ArtifactType string
	// Artifact is what is attached and passed, and Subject what it refers to.
	Artifact, Subject oci.Descriptor
}

// require looks for all that is required. Whether an error of it is a definite
// no is for the errors of Verify to tell: all of them are in its tree.
func (c *copier) require(ctx context.Context, g *Graph) error {
	for _, r := range c.options.Require {
		met, err := r.look(ctx, c, g)
		if err != nil {
			return err
		}
		c.report.Required = append(c.report.Required, met...)
	}
	return nil
}

// look returns what meets the requirement.
func (r *Requirement) look(ctx context.Context, c *copier, g *Graph) ([]Met, error) {
	root := g.Manifest(g.Root.Digest)
	met, first := r.on(ctx, c, g, root)
	if first == nil {
		return []Met{met}, nil
	}
	var images []*Manifest
	for _, m := range g.Manifests {
		if m.within && m != root && !oci.IsIndex(m.Descriptor.MediaType) {
			images = append(images, m)
		}
	}
	at := string(g.Root.Digest)
	if len(images) == 0 {
		return nil, r.refuse(faults{first}, at)
	}
	var mu sync.Mutex
	var all []Met
	var found faults
	err := each(ctx, c.parallel(), images, func(ctx context.Context, m *Manifest) error {
		met, err := r.on(ctx, c, g, m)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			found = append(found, err)
			return nil
		}
		all = append(all, met)
		return nil
	})
	if err != nil {
		found = append(found, err)
	}
	if len(found) > 0 {
		if _, looked := first.(faults); looked { //nolint:errorlint // the outermost: what is attached to the index says more than what is not to an image
			found = append(faults{first}, found...)
		}
		return nil, r.refuse(found, "the index "+at+", nor to each image in it")
	}
	slices.SortFunc(all, func(a, b Met) int { return strings.Compare(string(a.Subject.Digest), string(b.Subject.Digest)) })
	return all, nil
}

// on looks for one that passes among the referrers of one manifest.
func (r *Requirement) on(ctx context.Context, c *copier, g *Graph, m *Manifest) (Met, error) {
	var candidates []*Manifest
	for _, d := range m.Referrers {
		if n := g.Manifest(d); n.Descriptor.ArtifactType == r.ArtifactType {
			candidates = append(candidates, n)
		}
	}
	if len(candidates) == 0 {
		return Met{}, reason.Errorf(reason.PromoteRequired, "none is attached to %s", m.Descriptor.Digest)
	}
	// What nothing refers to has no signature.
	slices.SortStableFunc(candidates, func(a, b *Manifest) int {
		return cmp.Compare(min(len(b.Referrers), 1), min(len(a.Referrers), 1))
	})
	var found faults
	for i, n := range candidates {
		if i == maxCandidates {
			// It comes first: it keeps the others from being a definite no.
			found = append(faults{reason.Errorf(reason.PromoteTooMany, "%d are attached to %s, and none of the first %d passes", len(candidates), m.Descriptor.Digest, maxCandidates)}, found...)
			break
		}
		if r.Verify == nil {
			return Met{}, reason.Errorf(reason.PromoteRequired, "nobody was named who decides about it")
		}
		err := r.Verify(ctx, c.src, n.Descriptor.Digest)
		if err == nil {
			return Met{ArtifactType: r.ArtifactType, Artifact: n.Descriptor, Subject: bare(m.Descriptor)}, nil
		}
		if found = append(found, err); ctx.Err() != nil {
			break
		}
	}
	return Met{}, found
}

// refuse returns the error for a requirement that is not met.
func (r *Requirement) refuse(cause faults, where string) error {
	if slices.ContainsFunc(cause, func(err error) bool { return reason.Of(err) == reason.PromoteTooMany }) {
		return reason.Wrap(reason.PromoteTooMany, cause, "it could not be found out whether something of type %s that passes is attached to %s", strconv.QuoteToASCII(r.ArtifactType), where).
			WithHint("remove what is attached and no longer needed, or distrust the source")
	}
	return reason.Wrap(reason.PromoteRequired, cause, "nothing of type %s that passes is attached to %s", strconv.QuoteToASCII(r.ArtifactType), where).
		WithHint("attach and sign it at the source, or see with notation verify why what is there does not pass")
}

// faults are errors that all had their part in a refusal.
type faults []error

// Error returns the first, and how many there are besides.
func (f faults) Error() string {
	if len(f) == 1 {
		return f[0].Error()
	}
	return fmt.Sprintf("%s; and %d more", f[0], len(f)-1)
}

func (f faults) Unwrap() []error { return f }
