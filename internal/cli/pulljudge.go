package cli

import (
	"cmp"
	"context"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// judgeOptions are the flags of verify, for commands that verify on their way.
type judgeOptions struct {
	trust         trustOptions
	judging       judgingOptions
	metadata      []string
	maxSignatures int
	scope         string
}

func (o *judgeOptions) register(cmd *cobra.Command) {
	o.registerUnscoped(cmd)
	o.registerScope(cmd)
}

func (o *judgeOptions) registerScope(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.scope, "scope", "", "with --oci-layout, the `REPOSITORY` that the trust policy is asked about")
}

// registerUnscoped adds the flags of commands that know by themselves what the
// policy is asked about.
func (o *judgeOptions) registerUnscoped(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVarP(&o.metadata, "user-metadata", "m", nil, "`KEY=VALUE` that must be among the signed metadata; may be given again")
	f.IntVar(&o.maxSignatures, "max-signatures", notation.DefaultMaxSignatures, "look at no more than this number of signatures of an artifact")
	o.trust.register(cmd)
	o.judging.register(cmd)
}

// check refuses flags that contradict each other.
func (o *judgeOptions) check(a *app, cmd *cobra.Command, layout bool) error {
	switch {
	case o.scope != "" && !layout:
		return a.usage(cmd, reason.UsageFlag, "--scope needs --oci-layout", "the scope of a registry's artifact is its repository")
	case o.maxSignatures < 1:
		return a.usage(cmd, reason.UsageFlag, "--max-signatures must be at least 1", "")
	case o.scope != "":
		if _, err := oci.ParseRepository(o.scope); err != nil {
			return reason.Wrap(reason.UsageFlag, err, "flag '--scope' cannot be %s", quote(o.scope)).
				WithHint("write registry/repository, without tag or digest, as in registry.example.com/net-monitor")
		}
	}
	return nil
}

// judge decides about artifacts as verify does.
type judge struct {
	options  *judgeOptions
	verifier *notation.Verifier
}

// judge reads the options. It asks nobody yet.
func (a *app) judge(ctx context.Context, cmd *cobra.Command, o *judgeOptions) (*judge, error) {
	metadata, err := pairs("user-metadata", o.metadata)
	if err != nil {
		return nil, err
	}
	verifier, err := a.verifier(ctx, cmd, &o.trust)
	if err != nil {
		return nil, err
	}
	if err := o.judging.apply(ctx, a, verifier); err != nil {
		return nil, err
	}
	verifier.Now, verifier.Metadata, verifier.MaxSignatures = a.env.Now, metadata, o.maxSignatures
	verifier.Cache = notation.NewCache()
	return &judge{options: o, verifier: verifier}, nil
}

// all decides about artifacts, each in the repository that open gives for it,
// and shows the warnings that belong to the verdicts. The error is that of
// verify.
func (j *judge) all(ctx context.Context, a *app, targets []target, open func(target) (oci.Repository, error)) (*verifyDocument, error) {
	return j.allBy(ctx, a, targets, open, maxParallel, func(ctx context.Context, repo oci.Repository, ref oci.Reference) []notation.Decision {
		verdict, err := j.verifier.Verify(ctx, repo, ref)
		return []notation.Decision{{Verdict: verdict, Err: err}}
	})
}

// decider decides about what a reference names, or about several manifests of it.
type decider func(context.Context, oci.Repository, oci.Reference) []notation.Decision

// allBy is all for another way to decide, for so many targets at a time.
func (j *judge) allBy(ctx context.Context, a *app, targets []target, open func(target) (oci.Repository, error), parallel int, decide decider) (*verifyDocument, error) {
	j.carry(ctx, a, targets, open)
	doc := verifyAll(ctx, targets, parallel, func(ctx context.Context, t target) []notation.Decision {
		repo, err := open(t)
		if err != nil {
			return []notation.Decision{{Err: err}}
		}
		all := decide(ctx, repo, t.ref)
		for i, d := range all {
			all[i].Err = j.inWords(d.Verdict, d.Err, originWording(ctx, t))
		}
		return all
	})
	a.storeWarnings(j.verifier, doc.applied)
	for _, v := range doc.Verdicts {
		if v.Verdict == nil {
			continue
		}
		if !v.more {
			a.recommendDigest(v.target, cmp.Or(v.Verdict.Index, v.Verdict.Artifact.Digest))
		}
		a.warnLenient(v, len(j.verifier.Metadata) > 0)
	}
	return doc, doc.errors(j.options.trust.store)
}

// inWords puts a verdict and its error in terms of what the user has written.
func (j *judge) inWords(verdict *notation.Verdict, err error, more ...wording) error {
	return reword(verdict, err, append([]wording{j.options.trust.wording, j.options.trust.indexWording, j.options.judging.wording}, more...)...)
}

// carry adds the answers about revocation that lie in the layouts of targets.
// They count for whatever is verified from now on: an artifact that is copied out
// of a layout has the same signers where it arrives. A layout that cannot be read
// is for the verdict to tell.
func (j *judge) carry(ctx context.Context, a *app, targets []target, open func(target) (oci.Repository, error)) {
	known := &j.options.judging.carried
	for _, t := range targets {
		if t.path == "" || known.layouts[t.path] {
			continue
		}
		repo, err := open(t)
		if err != nil {
			continue
		}
		if err := known.carry(ctx, a, t.path, repo); err != nil {
			a.warn("answers about revocation in %s are not used: %s", named(t.path), err)
		}
	}
	j.verifier.Evidence = known.answers
}
