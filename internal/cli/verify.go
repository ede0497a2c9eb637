package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// maxParallel bounds the artifacts that are verified at the same time.
const maxParallel = 4

// verifyOptions are the flags of verify.
type verifyOptions struct {
	targets targetOptions
	judge   judgeOptions
}

func (a *app) verifyCommand() *cobra.Command {
	o := &verifyOptions{}
	cmd := &cobra.Command{
		Use:   "verify REF... [flags]",
		Short: "Verify the signatures of artifacts against the trust policy",
		Long: `Verify whether artifacts are signed by someone whom the trust policy trusts.

An artifact passes if one of its signatures passes every check that the policy
enforces. The result is one verdict for each reference, in their order, and the
worst of them decides the exit code: from best to worst 0, 3, 2, 4, 1.

REF is registry/repository@digest or registry/repository:tag. A tag is resolved
once; what it named is printed by digest.

Where certificates name somebody who knows whether they were revoked, that one
is asked, and the answers are kept for as long as they hold. --offline asks
nobody, and --revocation-evidence gives answers that were carried along. A plugin
runs only where a signature demands it, once its signer is trusted.

` + statelessHelp,
		Example: `  # Verify by digest with the trust policy and stores of the configuration directory
  notation verify localhost:5000/net-monitor@sha256:9d3c3c7b0e5d28a7a8aee0df0a71c4d3f6b2f9c8e1a5b7d6c4f3e2d1c0b9a8f7

  # Verify every image of a list, without any files of the home directory
  notation verify --from-file images.txt --policy policy.json --trust-store certs/

  # Trust one root certificate and one signer under it
  notation verify --ca-cert root.pem --identity 'C=US, ST=WA, O=wabbit-networks.io' registry.example.com/net-monitor:v1

  # Verify without asking anybody about revocation, from answers of earlier runs
  notation verify --offline --oci-layout ./layout:v1

  # The same on a machine that is never on line, with an answer that came along
  notation verify --offline --revocation-evidence signer.ocsp --ca-cert root.pem --oci-layout ./layout:v1

  # Verify an artifact in an image layout as if it were in a repository
  notation verify --oci-layout --scope registry.example.com/net-monitor ./layout:v1`,
	}
	cmd = a.leaf(cmd, 0, -1, func(ctx context.Context, args []string) (document, error) {
		return a.verify(ctx, cmd, o, args)
	})
	o.judge.register(cmd)
	o.targets.registerMany(cmd)
	return cmd
}

func (a *app) verify(ctx context.Context, cmd *cobra.Command, o *verifyOptions, args []string) (document, error) {
	if err := o.judge.check(a, cmd, o.targets.layout); err != nil {
		return nil, err
	}
	o.targets.registry.stateless = o.judge.trust.stateless()
	targets, err := a.targets(ctx, cmd, &o.targets, args)
	if err != nil {
		return nil, err
	}
	judge, err := a.judge(ctx, cmd, &o.judge)
	if err != nil {
		return nil, err
	}
	open, err := a.opener(ctx, &o.targets, targets...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := a.network(ctx)
	defer cancel()
	return judge.all(ctx, a, targets, func(t target) (oci.Repository, error) { return open(t, o.judge.scope) })
}

// warnLenient says on standard error that exit code 0 does not mean what it
// usually does: the policy skips everything, or logs what failed.
func (a *app) warnLenient(v verdictJSON, metadata bool) {
	if v.ExitCode != exitOK {
		return
	}
	accepted := v.Verdict.Accepted()
	if v.Verdict.Outcome == notation.Skipped {
		also := ""
		if metadata {
			also = ", nor was its user metadata compared"
		}
		a.warn("%s was not verified%s: statement %q of the trust policy says skip", named(v.shownName()), also, v.Verdict.Statement)
		return
	}
	if accepted == nil {
		return
	}
	var logged []string
	for _, f := range accepted.Findings {
		if f.Outcome == notation.Logged {
			logged = append(logged, string(f.Check))
		}
	}
	if len(logged) > 0 {
		a.warn("%s passed although %s failed, which statement %q of the trust policy only logs", named(v.shownName()), strings.Join(logged, ", "), v.Verdict.Statement)
	}
}

// shownName returns what text calls the artifact.
func (v verdictJSON) shownName() string {
	return cmp.Or(v.Name, v.Verdict.Reference, v.Requested)
}

// verifyAll verifies the targets, some at a time, and keeps their order.
func verifyAll(ctx context.Context, targets []target, verify func(context.Context, target) (*notation.Verdict, error)) *verifyDocument {
	doc := &verifyDocument{Verdicts: make([]verdictJSON, len(targets))}
	var group errgroup.Group
	group.SetLimit(maxParallel)
	for i, t := range targets {
		group.Go(func() error {
			verdict, err := verify(ctx, t)
			doc.Verdicts[i] = newVerdict(t, verdict, err)
			return nil
		})
	}
	_ = group.Wait() // its functions return no errors
	return doc
}

// verifyDocument is the result of verify.
type verifyDocument struct {
	Verdicts []verdictJSON `json:"verdicts"`
}

// verdictJSON is what was decided about one reference: the library's verdict,
// with what only the command line knows.
type verdictJSON struct {
	Requested string            `json:"requested"` // as typed
	Name      string            `json:"name,omitempty"`
	ExitCode  int               `json:"exitCode"`
	Verdict   *notation.Verdict `json:"verdict,omitempty"`
	Error     *errorJSON        `json:"error,omitempty"`

	target target
	err    error
}

func newVerdict(t target, verdict *notation.Verdict, err error) verdictJSON {
	v := verdictJSON{Requested: t.typed, ExitCode: exitCode(err), Verdict: verdict, Error: newErrorJSON(err), target: t, err: err}
	if verdict != nil && verdict.Artifact.Digest != "" {
		v.Name = t.name(verdict.Artifact.Digest)
	}
	return v
}

// errors returns what keeps artifacts from passing; a policy that says skip
// does not. store is the value of --trust-store.
func (d *verifyDocument) errors(store string) error {
	var errs manyErrors
	for _, v := range d.Verdicts {
		if v.err == nil || v.ExitCode == exitOK {
			continue
		}
		if verdict, ok := errors.AsType[*notation.VerdictError](v.err); ok && v.ExitCode == exitUsage && verdict.Cause != nil {
			cause := verdict.Cause // nothing was rejected
			if store != "" && strings.HasPrefix(string(cause.Code), "store.") {
				cause = cause.WithHint("put right what is in %s, the directory of --trust-store, as TYPE/NAME/FILE", quote(store))
			}
			errs = append(errs, refError{named(v.target.typed), cause})
			continue
		}
		errs = append(errs, refError{v.errorName(), v.told()})
	}
	return errs.asError()
}

// applied reports whether a statement of the policy decided about an artifact.
func (d *verifyDocument) applied(statement string) bool {
	return slices.ContainsFunc(d.Verdicts, func(v verdictJSON) bool {
		return v.Verdict != nil && v.Verdict.Statement == statement
	})
}

// errorName returns what to put before the error: nothing if it names the
// artifact itself.
func (v verdictJSON) errorName() string {
	if _, ok := errors.AsType[*notation.VerdictError](v.err); ok && v.target.path == "" {
		return ""
	}
	return named(v.target.typed)
}

// told returns the error as it is told: of a verdict on something whose name
// looks like a word, with the name in quotes.
func (v verdictJSON) told() error {
	e, ok := errors.AsType[*notation.VerdictError](v.err)
	if !ok || e.Verdict == nil || e.Cause == nil || looksLikeName(e.Verdict.Reference) {
		return v.err
	}
	return reworded{text: named(e.Verdict.Reference) + ": " + e.Unwrap()[0].Error() + ": " + e.Cause.Error(), err: v.err}
}
