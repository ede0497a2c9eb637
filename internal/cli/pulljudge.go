package cli

import (
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
	f := cmd.Flags()
	f.StringArrayVarP(&o.metadata, "user-metadata", "m", nil, "`KEY=VALUE` that must be among the signed metadata; may be given again")
	f.IntVar(&o.maxSignatures, "max-signatures", notation.DefaultMaxSignatures, "look at no more than this number of signatures of an artifact")
	o.trust.register(cmd)
	o.judging.register(cmd)
	f.StringVar(&o.scope, "scope", "", "with --oci-layout, the `REPOSITORY` that the trust policy is asked about")
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
	return &judge{options: o, verifier: verifier}, nil
}

// all decides about artifacts, each in the repository that open gives for it,
// and shows the warnings that belong to the verdicts. The error is that of
// verify.
func (j *judge) all(ctx context.Context, a *app, targets []target, open func(target) (oci.Repository, error)) (*verifyDocument, error) {
	doc := verifyAll(ctx, targets, func(ctx context.Context, t target) (*notation.Verdict, error) {
		repo, err := open(t)
		if err != nil {
			return nil, err
		}
		verdict, err := j.verifier.Verify(ctx, repo, t.ref)
		return verdict, reword(verdict, err, j.options.trust.wording, j.options.judging.wording)
	})
	a.storeWarnings(j.verifier, doc)
	for _, v := range doc.Verdicts {
		if v.Verdict != nil {
			a.recommendDigest(v.target, v.Verdict.Artifact.Digest)
			a.warnLenient(v, len(j.verifier.Metadata) > 0)
		}
	}
	return doc, doc.errors(j.options.trust.store)
}
