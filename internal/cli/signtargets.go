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
	repo      oci.Repository
	err       error // why it cannot be signed
}

func targetsOf(jobs []signJob) []target {
	all := make([]target, len(jobs))
	for i := range jobs {
		all[i] = jobs[i].target
	}
	return all
}

// jobs returns what is to be signed of each target. Indexes are read as a whole
// before anything is signed. A target of which it cannot be told is one job with
// an error.
func (o *signOptions) jobs(ctx context.Context, a *app, targets []target, open func(target, string) (oci.Repository, error)) []signJob {
	var all []signJob
	for _, t := range targets {
		repo, err := open(t, "")
		if err != nil || !o.recursive && len(o.platforms) == 0 {
			all = append(all, signJob{target: t, requested: t.typed, repo: repo, err: err})
			continue
		}
		jobs, err := o.within(ctx, a, t, repo)
		if err != nil {
			jobs = []signJob{{target: t, requested: t.typed, err: err}}
		}
		all = append(all, jobs...)
	}
	return all
}

// within returns what is to be signed of an index, the index itself last: its
// signature is then a sign that all the others are there.
func (o *signOptions) within(ctx context.Context, a *app, t target, repo oci.Repository) ([]signJob, error) {
	root, err := repo.Resolve(ctx, t.ref)
	if err != nil {
		return nil, err
	}
	if len(o.platforms) > 0 && !oci.IsIndex(root.MediaType) {
		return nil, reason.Errorf(reason.UsageFlag, "it is no index, and --platform chooses from one").WithHint("leave --platform out, or name an index")
	}
	entries, err := oci.WalkIndex(ctx, repo, root)
	if err != nil {
		return nil, err
	}
	chosen := entries
	if len(o.platforms) > 0 {
		if chosen, err = o.choose(entries); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(chosen, func(x, y oci.IndexEntry) int { return y.Depth - x.Depth })
	a.recommendDigest(t, root.Digest)
	jobs := make([]signJob, len(chosen))
	for i, e := range chosen {
		d := e.Descriptor.Digest
		jobs[i] = signJob{
			target:    target{typed: t.name(d), path: t.path, ref: t.ref.WithDigest(d)},
			requested: t.typed, platform: oci.PlatformName(e.Descriptor), parent: e.Parent, repo: repo,
		}
	}
	return jobs, nil
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
