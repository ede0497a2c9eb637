package cli

import (
	"context"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// maxFetches bounds the requests of inspect and list at the same time.
const maxFetches = 8

// lookOptions are the flags of commands that look at signatures without
// judging them.
type lookOptions struct {
	targets       targetOptions
	maxSignatures int
}

func (o *lookOptions) register(cmd *cobra.Command) {
	cmd.Flags().IntVar(&o.maxSignatures, "max-signatures", notation.DefaultMaxSignatures, "show no more than this number of signatures")
	o.targets.register(cmd)
}

// attached is a signature manifest of an artifact.
type attached struct {
	manifest oci.Descriptor
	parsed   oci.SignatureManifest
	err      error
}

// look resolves a reference and returns the signature manifests attached to
// what it names. A listing is a hint: each manifest is fetched and checked to
// be a signature of this artifact; what is not is left out, with a warning
// where it claims to be one. The error says that the answer may not be whole.
func (a *app) look(ctx context.Context, cmd *cobra.Command, o *lookOptions, typed string) (oci.Repository, target, oci.Descriptor, []attached, error) {
	none := func(err error) (oci.Repository, target, oci.Descriptor, []attached, error) {
		return nil, target{}, oci.Descriptor{}, nil, err
	}
	if o.maxSignatures < 1 {
		return none(a.usage(cmd, reason.UsageFlag, "--max-signatures must be at least 1", ""))
	}
	t, err := o.targets.parse(typed)
	if err != nil {
		return none(err)
	}
	open, err := a.opener(ctx, &o.targets, t)
	if err != nil {
		return none(err)
	}
	repo, err := open(t, "")
	if err != nil {
		return none(err)
	}
	artifact, err := repo.Resolve(ctx, t.ref)
	if err != nil {
		return none(err)
	}
	listing, listErr := repo.Referrers(ctx, artifact.Digest, oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature, Max: o.maxSignatures})
	for _, w := range listing.Warnings {
		a.warn("%s", w)
	}
	if listing.Truncated {
		a.warn("only the first %d signatures are shown; --max-signatures shows more", o.maxSignatures)
	}
	return repo, t, artifact, a.fetchManifests(ctx, repo, artifact, listing.Referrers), listErr
}

// fetchManifests fetches candidates, some at a time, and keeps their order.
func (a *app) fetchManifests(ctx context.Context, repo oci.Repository, artifact oci.Descriptor, candidates []oci.Descriptor) []attached {
	all := make([]attached, len(candidates))
	var group errgroup.Group
	group.SetLimit(maxFetches)
	for i, d := range candidates {
		group.Go(func() error {
			all[i].manifest = d
			raw, err := repo.Fetch(ctx, d, oci.MaxManifestSize)
			if err == nil {
				all[i].parsed, err = oci.ParseSignatureManifest(raw, artifact.Digest)
			}
			all[i].err = err
			return nil
		})
	}
	_ = group.Wait() // its functions return no errors
	kept := all[:0]
	for _, s := range all {
		switch reason.Of(s.err) {
		case reason.OCINotSignature:
			continue
		case "":
		default:
			a.warn("signature %s: %s", s.manifest.Digest, s.err)
		}
		kept = append(kept, s)
	}
	return kept
}

// undecided returns the first error of a signature that could not be fetched.
func undecided(all []attached) error {
	for _, s := range all {
		if s.err != nil && exitCode(s.err) == exitUndecided {
			return s.err
		}
	}
	return nil
}
