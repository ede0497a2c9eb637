package cli

import (
	"context"
	"fmt"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/prune"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

// pruneOptions are the flags of prune.
type pruneOptions struct {
	targets targetOptions
	judge   judgeOptions
	which   prune.Options
	dryRun  bool
	yes     bool
}

func (a *app) pruneCommand() *cobra.Command {
	o := &pruneOptions{}
	cmd := &cobra.Command{
		Use:   "prune REF... [flags]",
		Short: "Delete signatures that are of no more use",
		Long: `Delete signatures of artifacts that have expired, that the trust policy does not
trust, or that newer ones of the same signer have superseded. At least one of
--expired, --untrusted and --keep says which.

Every signature is verified as 'notation verify' does. Always kept are those that
could not be read or decided about, those that fail for a reason that may lie
with this machine or pass, such as a plugin that is not installed, and whatever
is no signature. Of an artifact that passes, a signature that passes stays,
unless what its signer said has expired. Untrusted ones are deleted only beside
one that passes: else the trust policy may be the wrong one.

If the signatures of any REF are not all known, or the trust policy says nothing
about it or skip, nothing is deleted at all. What others sign meanwhile stays.

--dry-run shows what would be deleted, and why. Without --yes the command asks
first, and refuses if there is nobody to ask. Many registries refuse to delete
anything unless their operator allows it; then the exit code is 3.`,
		Example: `  # See what would be deleted
  notation prune --dry-run --expired --untrusted --keep 3 localhost:5000/net-monitor:v1

  # Delete what has expired, of every image in a list, without being asked
  notation prune --yes --expired --from-file images.txt

  # Keep the newest signature of each signer in a layout
  notation prune --keep 1 --oci-layout --scope registry.example.com/net-monitor ./layout:v1`,
	}
	cmd = a.leaf(cmd, 0, -1, func(ctx context.Context, args []string) (document, error) {
		return a.prune(ctx, cmd, o, args)
	})
	f := cmd.Flags()
	f.BoolVar(&o.which.Expired, "expired", false, "delete signatures whose signer has set an expiry that has passed; that of a certificate does not count")
	f.BoolVar(&o.which.Untrusted, "untrusted", false, "delete signatures that certainly fail under the trust policy, beside one that passes")
	f.IntVar(&o.which.Keep, "keep", 0, "of the signatures of each signer that pass, keep the newest `N` and those that last longer, and delete the others")
	f.BoolVar(&o.dryRun, "dry-run", false, "show what would be deleted, and change nothing")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	f.IntVar(&o.judge.maxSignatures, "max-signatures", notation.DefaultMaxSignatures, "delete nothing of an artifact with more signatures than this")
	o.judge.trust.register(cmd)
	o.judge.judging.register(cmd)
	f.StringVar(&o.judge.scope, "scope", "", "with --oci-layout, the `REPOSITORY` that the trust policy is asked about")
	o.targets.registerMany(cmd)
	return cmd
}

func (o *pruneOptions) check(a *app, cmd *cobra.Command) error {
	switch {
	case cmd.Flags().Changed("keep") && o.which.Keep < 1:
		return a.usage(cmd, reason.UsageFlag, "--keep must be at least 1", "single signatures are deleted with 'notation signature delete'")
	case o.which == prune.Options{}:
		return a.usage(cmd, reason.UsageFlag, "nothing says which signatures are to be deleted", "give --expired, --untrusted or --keep")
	}
	return o.judge.check(a, cmd, o.targets.layout)
}

func (a *app) prune(ctx context.Context, cmd *cobra.Command, o *pruneOptions, args []string) (document, error) {
	if err := o.check(a, cmd); err != nil {
		return nil, err
	}
	o.targets.registry.stateless = o.judge.trust.stateless()
	targets, err := a.targets(ctx, cmd, &o.targets, args)
	if err != nil {
		return nil, err
	}
	j, err := a.judge(ctx, cmd, &o.judge)
	if err != nil {
		return nil, err
	}
	j.verifier.Exhaustive = true
	open, err := a.opener(ctx, &o.targets, targets...)
	if err != nil {
		return nil, err
	}
	ctx, budget, cancel := a.spend(ctx)
	defer cancel()
	budget.run()
	// What is not good enough is what is looked for, and no error.
	verdicts, _ := j.all(ctx, a, targets, func(t target) (oci.Repository, error) { return open(t, o.judge.scope) })
	budget.pause()
	doc := newPruneDocument(verdicts, o)
	if err := doc.refused(); err != nil {
		return doc, err
	}
	if n := doc.count(true); n == 0 || o.dryRun {
		return doc, nil
	}
	if err := a.confirmPrune(ctx, o.yes, doc); err != nil {
		return nil, err
	}
	doc.done = true
	budget.run()
	return doc, doc.carryOut(ctx, open)
}

// confirmPrune shows what is going to be deleted before it asks.
func (a *app) confirmPrune(ctx context.Context, yes bool, doc *pruneDocument) error {
	if !yes {
		a.showFirst(doc)
	}
	return a.confirm(ctx, yes, "Delete "+counted(doc.count(true), "signature")+"?")
}

// showFirst shows a document to the person at the terminal, if there is one,
// before anything comes of it.
func (a *app) showFirst(doc document) {
	if a.env.Terminal.Reads() {
		p := &page{}
		doc.text(p)
		fmt.Fprint(a.env.Stderr, p.b.String()) //nolint:errcheck // whoever does not see it will not go on
	}
}

// newPruneDocument plans what is to become of the signatures of each artifact,
// each artifact once.
func newPruneDocument(verdicts *verifyDocument, o *pruneOptions) *pruneDocument {
	doc := &pruneDocument{DryRun: o.dryRun, Artifacts: []*prunedJSON{}}
	seen := map[string]bool{}
	for _, v := range verdicts.Verdicts {
		if v.Name != "" && seen[v.Name] {
			continue
		}
		seen[v.Name] = true
		doc.Artifacts = append(doc.Artifacts, newPruned(v, o.which))
	}
	return doc
}

func newPruned(v verdictJSON, which prune.Options) *prunedJSON {
	p := &prunedJSON{Requested: v.Requested, Name: v.Name, Signatures: []prunedSignatureJSON{}, target: v.target}
	err := v.err
	if v.Verdict != nil {
		p.artifact = v.Verdict.Artifact.Digest
		var plan []prune.Decision
		plan, err = prune.Plan(v.Verdict, which)
		for _, d := range plan {
			p.Signatures = append(p.Signatures, newPrunedSignature(&d))
		}
	}
	p.fail(err)
	return p
}

// refused returns why nothing is deleted at all, or nil.
func (d *pruneDocument) refused() error {
	var errs manyErrors
	for _, p := range d.Artifacts {
		if p.err != nil {
			errs = append(errs, refError{named(p.target.typed), p.err})
		}
	}
	if len(errs) > 0 {
		d.stopped = true
	}
	return errs.asError()
}

// count counts the signatures that are to go, or to stay.
func (d *pruneDocument) count(remove bool) (n int) {
	for _, p := range d.Artifacts {
		for _, s := range p.Signatures {
			if (s.Action == pruneDelete) == remove {
				n++
			}
		}
	}
	return n
}

// carryOut deletes what is to go.
func (d *pruneDocument) carryOut(ctx context.Context, open func(target, string) (oci.Repository, error)) error {
	var errs manyErrors
	for _, p := range d.Artifacts {
		var at []int
		var digests []digest.Digest
		for i := range p.Signatures {
			if p.Signatures[i].Action == pruneDelete {
				at, digests = append(at, i), append(digests, p.Signatures[i].Digest)
			}
		}
		if len(at) == 0 {
			continue
		}
		removed, err := removeSignatures(ctx, p.target, p.artifact, digests, open)
		for k, i := range at {
			p.Signatures[i].removalJSON = removed[k]
		}
		if many, ok := err.(manyErrors); ok { //nolint:errorlint // what removeSignatures returns
			errs = append(errs, many...)
		} else if err != nil {
			errs = append(errs, refError{named(p.target.typed), err})
		}
		p.fail(err)
	}
	return errs.asError()
}
