package cli

import (
	"context"
	"slices"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// signJob is one manifest to sign.
type signJob struct {
	target    target
	requested string // as typed
	platform  string
	parent    digest.Digest // the index that lists it; "" for what was named itself
	depth     int           // in the index that was named
}

// within returns what is to be signed of an index, the index itself last: its
// signature is then a sign that all the others are there. It returns the digest
// of what was named as well.
func (o *signOptions) within(ctx context.Context, t target, repo oci.Repository) ([]signJob, digest.Digest, error) {
	root, err := repo.Resolve(ctx, t.ref)
	if err != nil {
		return nil, "", err
	}
	if len(o.platforms) > 0 && !oci.IsIndex(root.MediaType) {
		return nil, "", reason.Errorf(reason.UsageFlag, "it is no index, and --platform chooses from one").WithHint("leave --platform out, or name an index")
	}
	entries, err := oci.WalkIndex(ctx, repo, root)
	if err != nil {
		return nil, "", err
	}
	chosen := entries
	if len(o.platforms) > 0 {
		if chosen, err = o.choose(entries); err != nil {
			return nil, "", err
		}
	}
	slices.SortStableFunc(chosen, func(x, y oci.IndexEntry) int { return y.Depth - x.Depth })
	jobs := make([]signJob, len(chosen))
	for i, e := range chosen {
		d := e.Descriptor.Digest
		jobs[i] = signJob{
			target:    target{typed: t.name(d), path: t.path, ref: t.ref.WithDigest(d)},
			requested: t.typed, platform: oci.PlatformName(e.Descriptor), parent: e.Parent, depth: e.Depth,
		}
	}
	return jobs, root.Digest, nil
}

// choose returns the images for the platforms that were asked for, each once,
// and with --recursive the index itself.
func (o *signOptions) choose(entries []oci.IndexEntry) ([]oci.IndexEntry, error) {
	var chosen []oci.IndexEntry
	for _, platform := range o.platforms {
		e, err := oci.ChooseEntry(entries, platform)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(chosen, func(c oci.IndexEntry) bool { return c.Descriptor.Digest == e.Descriptor.Digest }) {
			chosen = append(chosen, e)
		}
	}
	if o.recursive && !slices.ContainsFunc(chosen, func(c oci.IndexEntry) bool { return c.Depth == 0 }) {
		chosen = append(chosen, entries[0])
	}
	return chosen, nil
}
