package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

const (
	// maxParallel bounds the artifacts that are verified at the same time, where
	// nothing adapts to the registry.
	maxParallel = 4
	// maxIndexes bounds the indexes whose manifests are: the library verifies
	// several of them at the same time itself.
	maxIndexes = 1
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	targets   targetOptions
	judge     judgeOptions
	reports   reportOptions
	platforms []string
	recursive bool
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

Where REF names an index of images for several platforms, the verdict is about
the index alone. --platform asks about the image in it that is for a platform,
--recursive about the index and every manifest in it, of which all must pass.
Each gets a verdict. An image is judged by its own signatures; where the trust
policy says indexCovers: manifests, that of the index is good for it, too.

REF is registry/repository@digest or registry/repository:tag. A tag is resolved
once; what it named is printed by digest.

A list of --from-file may be of any length, and how many artifacts are verified
at a time adapts to the registry. Of more than 10,000 references, what they
amount to is printed in place of each verdict; --report jsonl=FILE writes what
was decided about each, whatever their number. Such a list may take as long as
it takes unless --timeout is given.

Where certificates name somebody who knows whether they were revoked, that one
is asked, and the answers are kept for as long as they hold. --offline asks
nobody, and --revocation-evidence gives answers that were carried along. A plugin
runs only where a signature demands it, once its signer is trusted.

` + statelessHelp,
		Example: `  # Verify by digest with the trust policy and stores of the configuration directory
  notation verify localhost:5000/net-monitor@sha256:9d3c3c7b0e5d28a7a8aee0df0a71c4d3f6b2f9c8e1a5b7d6c4f3e2d1c0b9a8f7

  # Verify the image of an index that is for a platform
  notation verify --platform linux/arm64 localhost:5000/net-monitor:v1

  # Verify an index and all that is in it
  notation verify --recursive localhost:5000/net-monitor:v1

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
	f := cmd.Flags()
	f.StringArrayVar(&o.platforms, "platform", nil, "verify the image of an index that is for `OS/ARCH[/VARIANT]`; may be given again")
	f.BoolVar(&o.recursive, "recursive", false, "verify an index and every manifest in it, and require that all pass")
	o.reports.register(cmd)
	o.judge.register(cmd)
	o.targets.registerMany(cmd)
	return cmd
}

// check refuses flags that contradict each other.
func (o *verifyOptions) check(a *app, cmd *cobra.Command) error {
	if err := o.reports.check(a, cmd); err != nil {
		return err
	}
	if len(o.reports.reports) > 0 && o.targets.layout && o.judge.scope == "" {
		return a.usage(cmd, reason.UsageFlag, "reports are about artifacts of repositories", "give with --scope the repository of what is in the image layout")
	}
	if o.recursive && len(o.platforms) > 0 {
		return a.usage(cmd, reason.UsageFlag, "--recursive verifies every manifest of an index, and --platform one of them", "give one or the other")
	}
	for _, p := range o.platforms {
		parts := strings.Split(p, "/")
		if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
			return reason.Errorf(reason.UsageFlag, "flag '--platform' cannot be %s", quote(p)).
				WithHint("write OS/ARCH or OS/ARCH/VARIANT, as in linux/arm64")
		}
	}
	return o.judge.check(a, cmd, o.targets.layout)
}

func (a *app) verify(ctx context.Context, cmd *cobra.Command, o *verifyOptions, args []string) (document, error) {
	if err := o.check(a, cmd); err != nil {
		return nil, err
	}
	o.targets.registry.stateless = o.judge.trust.stateless()
	long, err := o.isLong(ctx, a, cmd, len(args))
	if list := o.targets.list; list != nil {
		defer list.done()
	}
	switch {
	case err != nil:
		return nil, err
	case long:
		return a.verifyLong(ctx, cmd, o, args)
	}
	targets, err := a.targets(ctx, cmd, &o.targets, args)
	if err != nil {
		return nil, err
	}
	judge, err := a.judge(ctx, cmd, &o.judge)
	if err != nil {
		return nil, err
	}
	pace := audit.NewPace(0)
	o.targets.registry.busy = pace.Busy
	open, err := a.opener(ctx, &o.targets, targets...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := a.network(ctx)
	defer cancel()
	open = a.cached(open)
	in := func(t target) (oci.Repository, error) { return open(t, o.judge.scope) }
	if len(targets) > 1 {
		judge.verifier = audit.Prepare(judge.verifier)
	}
	parallel, decide := maxIndexes, judge.recursive
	switch {
	case o.recursive:
	case len(o.platforms) > 0:
		decide = func(ctx context.Context, repo oci.Repository, ref oci.Reference) []notation.Decision {
			all, _ := judge.verifier.VerifyPlatforms(ctx, repo, ref, o.platforms...) // the error is that of one of them
			return all
		}
	default:
		parallel, decide = audit.DefaultConcurrency, judge.paced(pace)
	}
	doc, err := judge.allBy(ctx, a, targets, in, parallel, decide)
	return a.reportVerdicts(o, doc, err)
}

// recursive decides about an index and everything in it.
func (j *judge) recursive(ctx context.Context, repo oci.Repository, ref oci.Reference) []notation.Decision {
	all, _ := j.verifier.VerifyRecursive(ctx, repo, ref) // the error is that of one of them
	return all
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
func verifyAll(ctx context.Context, targets []target, parallel int, verify func(context.Context, target) []notation.Decision) *verifyDocument {
	all := make([][]verdictJSON, len(targets))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, t := range targets {
		group.Go(func() error {
			decisions := verify(ctx, t)
			for k, d := range decisions {
				v := newVerdict(t, d.Verdict, d.Err)
				v.more, v.MoreSignatures = k > 0, hold(d.Verdict, len(targets)*len(decisions))
				all[i] = append(all[i], v)
			}
			return nil
		})
	}
	_ = group.Wait() // its functions return no errors
	return &verifyDocument{Verdicts: append([]verdictJSON{}, slices.Concat(all...)...)}
}

// verifyDocument is the result of verify.
type verifyDocument struct {
	Verdicts []verdictJSON `json:"verdicts"`
	Reports  []reportJSON  `json:"reports,omitempty"`

	silent bool // a report has taken the place of the text
}

// verdictJSON is what was decided about one reference: the library's verdict,
// with what only the command line knows.
type verdictJSON struct {
	Requested string            `json:"requested"` // as typed
	Name      string            `json:"name,omitempty"`
	ExitCode  int               `json:"exitCode"`
	Verdict   *notation.Verdict `json:"verdict,omitempty"`
	Error     *errorJSON        `json:"error,omitempty"`

	MoreSignatures int `json:"moreSignatures,omitempty"` // that do not pass and are not in the verdict; see hold

	target target
	more   bool // not the first of its target
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
