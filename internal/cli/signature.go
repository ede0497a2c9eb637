package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/prune"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// Bounds on removing signatures.
const (
	// maxRemovals bounds the signatures that one command line names.
	maxRemovals = 1000
	// removalsAtOnce bounds those that are looked at or removed at the same
	// time. On a registry without the referrers API each waits to see whether
	// its entry stays away.
	removalsAtOnce = 8
)

func (a *app) signatureCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "signature COMMAND",
		Short: "Remove single signatures",
		Long: `Work on single signatures of an artifact, by the digests of their manifests.
'notation list' shows these, and 'notation inspect' what the signatures say.
'notation prune' removes signatures by what they are.`,
		Example: `  # Delete a signature
  notation signature delete localhost:5000/net-monitor:v1 sha256:9d3c3c7b0e5d28a7a8aee0df0a71c4d3f6b2f9c8e1a5b7d6c4f3e2d1c0b9a8f7`,
	}, a.signatureDeleteCommand())
}

// signatureDeleteOptions are the flags of signature delete.
type signatureDeleteOptions struct {
	targets targetOptions
	yes     bool
}

func (a *app) signatureDeleteCommand() *cobra.Command {
	o := &signatureDeleteOptions{}
	cmd := &cobra.Command{
		Use:        "delete REF DIGEST... [flags]",
		SuggestFor: []string{"rm", "remove"},
		Short:      "Delete signatures of an artifact",
		Long: `Delete signatures of an artifact. DIGEST is that of a signature manifest, as
'notation list' shows it.

Each is fetched first: unless all of them are signatures of REF, or gone
already, nothing is deleted. Of one that is gone, what a list of referrers still
says of it is removed, and the exit code tells that it was not there.

Many registries refuse to delete anything unless their operator allows it. Then
the signatures stay as they were, and the exit code is 3. To make a signature
worthless without deleting it, revoke the certificate of its key, or take its
signer out of the trust policy.

Without --yes the command asks first, and refuses if there is nobody to ask.`,
		Example: `  # Delete a signature
  notation signature delete localhost:5000/net-monitor:v1 sha256:9d3c3c7b0e5d28a7a8aee0df0a71c4d3f6b2f9c8e1a5b7d6c4f3e2d1c0b9a8f7

  # Delete one from a layout in a tarball without being asked
  notation signature delete --yes --oci-layout net-monitor.tar:v1 sha256:9d3c3c7b0e5d28a7a8aee0df0a71c4d3f6b2f9c8e1a5b7d6c4f3e2d1c0b9a8f7`,
	}
	cmd = a.leaf(cmd, 2, -1, func(ctx context.Context, args []string) (document, error) {
		return a.deleteSignatures(ctx, cmd, o, args[0], args[1:])
	})
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	o.targets.register(cmd)
	return cmd
}

func (a *app) deleteSignatures(ctx context.Context, cmd *cobra.Command, o *signatureDeleteOptions, typed string, names []string) (document, error) {
	t, err := o.targets.parse(typed)
	if err != nil {
		return nil, err
	}
	digests, err := a.signatureDigests(cmd, names)
	if err != nil {
		return nil, err
	}
	open, err := a.opener(ctx, &o.targets, t)
	if err != nil {
		return nil, err
	}
	ctx, budget, cancel := a.spend(ctx)
	defer cancel()
	budget.run()
	repo, err := open(t, "")
	if err != nil {
		return nil, err
	}
	artifact, err := repo.Resolve(ctx, t.ref)
	if err != nil {
		return nil, err
	}
	if err := checkSignatures(ctx, repo, t.ref.WithDigest(artifact.Digest), digests); err != nil {
		return nil, err
	}
	name := t.name(artifact.Digest)
	budget.pause()
	if err := a.confirm(ctx, o.yes, fmt.Sprintf("Delete %s of %s?", joined(digests), name)); err != nil {
		return nil, err
	}
	budget.run()
	doc := &signatureDeleteDocument{Reference: name}
	doc.Signatures, err = removeSignatures(ctx, t, artifact.Digest, digests, open)
	return doc, err
}

// signatureDigests reads digests from the command line, each once.
func (a *app) signatureDigests(cmd *cobra.Command, names []string) ([]digest.Digest, error) {
	if len(names) > maxRemovals {
		return nil, a.usage(cmd, reason.UsageArguments, fmt.Sprintf("there are more than %d digests", maxRemovals), "split them into several runs")
	}
	var digests []digest.Digest
	for _, name := range names {
		d, err := oci.ParseDigest(name)
		if err != nil {
			return nil, a.usage(cmd, reason.UsageArguments, quote(name)+" is no digest of a signature", "see the digests with 'notation list'")
		}
		if !slices.Contains(digests, d) {
			digests = append(digests, d)
		}
	}
	return digests, nil
}

func joined(digests []digest.Digest) string {
	words := make([]string, len(digests))
	for i, d := range digests {
		words[i] = string(d)
	}
	return strings.Join(words, ", ")
}

// checkSignatures returns why not all of the manifests can be removed: one that
// is no signature of the artifact was named by mistake, and one that cannot be
// read might be anything. Those that are gone do not matter.
func checkSignatures(ctx context.Context, repo oci.Repository, artifact oci.Reference, digests []digest.Digest) error {
	errs := make([]error, len(digests))
	var group errgroup.Group
	group.SetLimit(removalsAtOnce)
	for i, d := range digests {
		group.Go(func() error {
			errs[i] = prune.Check(ctx, repo, artifact, d)
			return nil
		})
	}
	_ = group.Wait() // its functions return no errors
	var all manyErrors
	for _, err := range errs {
		switch reason.Of(err) {
		case "", reason.OCINotFound:
			continue
		case reason.OCINotSignature, reason.OCISubjectMismatch: // the wrong digest, or the wrong REF
			err = reason.Wrap(reason.UsageArguments, err, "nothing was deleted").WithHint("see the artifact's signatures with 'notation list'")
		default:
			err = reworded{text: "nothing was deleted: " + err.Error(), err: err}
		}
		all = append(all, refError{err: err})
	}
	return all.asError()
}

// removeSignatures removes signatures of one artifact. What it returns says of
// each what has become of it, also with an error.
func removeSignatures(ctx context.Context, t target, artifact digest.Digest, digests []digest.Digest, open func(target, string) (oci.Repository, error)) ([]removalJSON, error) {
	done := make([]removalJSON, len(digests))
	for i, d := range digests {
		done[i] = removalJSON{Digest: d, Outcome: prune.Kept}
	}
	w, err := openWritable(ctx, t, open)
	if err != nil {
		return done, err
	}
	defer w.close()
	var group errgroup.Group
	group.SetLimit(removalsAtOnce)
	for i, d := range digests {
		group.Go(func() error {
			if err := context.Cause(ctx); err != nil {
				done[i].fail(prune.Kept, err)
				return nil
			}
			outcome, err := prune.Remove(ctx, w, t.ref.WithDigest(artifact), d)
			done[i].fail(outcome, err)
			return nil
		})
	}
	_ = group.Wait() // its functions return no errors
	if slices.ContainsFunc(done, func(r removalJSON) bool { return r.Outcome == prune.Removed || r.Outcome == prune.Delisted }) {
		if err := w.commit(ctx); err != nil { // the tarball is as it was
			for i := range done {
				done[i].fail(prune.Kept, cmp.Or(done[i].err, err))
			}
		}
	}
	lookForRemoved(ctx, w, t.ref.WithDigest(artifact), done)
	var errs manyErrors
	for _, r := range done {
		if r.err != nil {
			errs = append(errs, refError{err: r.err})
		}
	}
	return done, errs.asError()
}

// lookForRemoved looks whether what has been removed is still listed.
func lookForRemoved(ctx context.Context, store oci.Store, artifact oci.Reference, done []removalJSON) {
	var removed []digest.Digest
	for _, r := range done {
		if r.Outcome == prune.Removed {
			removed = append(removed, r.Digest)
		}
	}
	if len(removed) == 0 {
		return
	}
	listed := prune.Lists(ctx, store, artifact, removed)
	for i := range done {
		if err := listed[done[i].Digest]; err != nil && done[i].Outcome == prune.Removed {
			done[i].fail(prune.StillListed, err)
		}
	}
}

// removalJSON is what became of a signature that was to be removed.
type removalJSON struct {
	Digest  digest.Digest `json:"digest"`
	Outcome prune.Removal `json:"outcome"`
	Error   *errorJSON    `json:"error,omitempty"` // of all outcomes but removed

	err error
}

func (r *removalJSON) fail(outcome prune.Removal, err error) {
	r.Outcome, r.err, r.Error = outcome, err, newErrorJSON(err)
}

// word says in text what became of a signature.
func (r *removalJSON) word() cell {
	switch r.Outcome {
	case prune.Removed:
		return cell{text: "deleted"}
	case prune.Kept:
		return cell{text: "not deleted", style: bad}
	case prune.Absent:
		return cell{text: "was gone already", style: warned}
	case prune.Delisted:
		return cell{text: "was gone already, and is not listed any more", style: warned}
	case prune.StillListed:
		return cell{text: "deleted, but still listed", style: bad}
	}
	return cell{text: "not known to be deleted", style: bad}
}

// signatureDeleteDocument is the result of signature delete.
type signatureDeleteDocument struct {
	Reference  string        `json:"reference"`
	Signatures []removalJSON `json:"signatures"`
}

func (d *signatureDeleteDocument) text(p *page) {
	p.line("%s", d.Reference)
	var rows [][]cell
	for i := range d.Signatures {
		r := &d.Signatures[i]
		rows = append(rows, []cell{{text: string(r.Digest)}, r.word()})
	}
	p.table("  ", rows)
}
