package cli

import (
	"context"
	"errors"
	"os"
	"slices"
	"sort"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/bundle"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/promote"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
	"github.com/notaryv2/notation/trust"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

// bundleVerification are the flags about verification of the commands for
// bundles, which verify as copy does.
type bundleVerification struct {
	copy  copyOptions
	flags []string // which ask for verification
}

func (o *bundleVerification) register(cmd *cobra.Command, what string) {
	f := cmd.Flags()
	f.BoolVar(&o.copy.verify, "verify", false, "go on only if every artifact passes the trust policy, whether or not a statement applies to it")
	f.BoolVar(&o.copy.noVerify, "no-verify", false, "verify nothing, neither "+what)
	o.flags = flagsOf(cmd, func() { o.copy.judge.registerUnscoped(cmd) })
}

// check refuses flags that contradict each other. It reports whether the
// artifacts have to pass, come what may.
func (o *bundleVerification) check(a *app, cmd *cobra.Command, layout bool) (demanded bool, err error) {
	demanded = o.copy.verify || slices.ContainsFunc(o.flags, cmd.Flags().Changed)
	switch {
	case o.copy.noVerify && o.copy.verify:
		return false, a.usage(cmd, reason.UsageFlag, "--verify and --no-verify cannot be mixed", "give one of them, or neither")
	case o.copy.noVerify && demanded:
		return false, a.usage(cmd, reason.UsageFlag, "--no-verify cannot be mixed with flags about verification", "leave --no-verify out, or the others")
	}
	return demanded, o.copy.judge.check(a, cmd, layout)
}

// bundleExportOptions are the flags of bundle export.
type bundleExportOptions struct {
	targets      targetOptions
	verification bundleVerification
	path         string
	revocation   bool
	only         bool
	trust        bool
}

func (a *app) bundleExportCommand() *cobra.Command {
	o := &bundleExportOptions{}
	cmd := &cobra.Command{
		Use:   "export REF... -o " + bundleArgument + " [flags]",
		Short: "Put artifacts with all that belongs to them into a bundle",
		Long: `Put artifacts, with the images of an index, their layers, and all that is
attached to any of them, into a new file.

Each artifact is verified first, as 'notation copy' does, and if one does not
pass no file is written; the exit code is that of 'notation verify'.

With --with-revocation, those whom the certificates name are asked afresh, and
what they say goes into the bundle, so that artifacts can be verified where
nobody can be asked for as long as the answers hold. Nobody is asked about a
signature without a trusted root, so this needs a trust policy. At the end each
artifact is verified once more as it will be there: from the bundle alone,
without network. --only-revocation leaves the artifacts out: new answers for
what was carried before.

With --with-trust, the trust policy and the stores that it names go along, to
be reviewed by who receives them.`,
		Example: `  # An image, ready to be verified where there is no network
  notation bundle export -o net-monitor.tar --with-revocation localhost:5000/net-monitor:v1

  # Everything in a list, with the policy for review
  notation bundle export -o release.tar --with-revocation --with-trust --from-file images.txt

  # New answers about revocation for images that were carried before
  notation bundle export -o answers.tar --only-revocation localhost:5000/net-monitor:v1`,
	}
	cmd = a.leaf(cmd, 0, -1, func(ctx context.Context, args []string) (document, error) {
		return a.bundleExport(ctx, cmd, o, args)
	})
	f := cmd.Flags()
	a.registerOutput(cmd, &o.path, "write the bundle to `FILE`, which must not exist")
	f.BoolVar(&o.revocation, "with-revocation", false, "ask afresh whether certificates were revoked, and put the answers into the bundle")
	f.BoolVar(&o.only, "only-revocation", false, "put nothing but such answers into the bundle")
	f.BoolVar(&o.trust, "with-trust", false, "put the trust policy and the trust stores that it names into the bundle, for review")
	graph := &o.verification.copy.graph
	f.StringArrayVar(&graph.ArtifactTypes, "artifact-type", nil, "of what is attached, take only that of this `TYPE`, and what is attached to it; may be given again; signatures have the type "+oci.ArtifactTypeSignature)
	f.StringVar(&graph.Platform, "platform", "", "take only the image of an index that is for `OS/ARCH[/VARIANT]`")
	o.verification.register(cmd, "the artifacts nor what is attached to them")
	o.verification.copy.judge.registerScope(cmd)
	o.targets.registerMany(cmd)
	return cmd
}

// check refuses flags that contradict each other.
func (o *bundleExportOptions) check(a *app, cmd *cobra.Command) (demanded bool, err error) {
	o.revocation = o.revocation || o.only
	judging := &o.verification.copy.judge.judging
	switch {
	case o.path == "":
		return false, a.usage(cmd, reason.UsageFlag, "where to write the bundle is not said", "add -o "+bundleArgument)
	case o.revocation && o.verification.copy.noVerify:
		return false, a.usage(cmd, reason.UsageFlag, "--no-verify leaves open whose certificates are trusted, and nobody is asked about others", "leave out either that or the answers about revocation")
	case o.revocation && (judging.revocation.offline || len(judging.evidence) > 0):
		return false, a.usage(cmd, reason.UsageFlag, "answers for a bundle are asked for afresh", "leave out --offline and --revocation-evidence")
	case o.only && (len(o.verification.copy.graph.ArtifactTypes) > 0 || o.verification.copy.graph.Platform != ""):
		return false, a.usage(cmd, reason.UsageFlag, "--only-revocation takes no artifacts along, so there is nothing to choose", "leave out --artifact-type and --platform")
	case o.trust && len(o.verification.copy.judge.trust.caCerts) > 0:
		return false, a.usage(cmd, reason.UsageFlag, "--ca-cert stands for a trust policy, and --with-trust needs one", "write one with 'notation policy init'")
	case o.targets.layout && o.verification.copy.judge.scope == "":
		return false, a.usage(cmd, reason.UsageFlag, "an image layout does not say which repository its artifacts are of", "say it with --scope REGISTRY/REPOSITORY")
	}
	if demanded, err = o.verification.check(a, cmd, o.targets.layout); err != nil {
		return false, err
	}
	return demanded || o.revocation, bundle.CheckNew(o.path)
}

// exporting is one run of bundle export.
type exporting struct {
	app     *app
	options *bundleExportOptions
	judge   *judge // nil: nobody is asked
	record  *revocation.Recorder
	all     []*exported
	writer  *bundle.Writer
	trust   *bundle.Trust
	budget  *budget
	until   time.Time // until when the artifacts can be verified without network; zero: not known
}

// exported is one artifact.
type exported struct {
	*copying // of which only what concerns the source is of use
	source   oci.Source
	root     oci.Descriptor
	origin   oci.Reference
	report   *promote.Report
}

func (a *app) bundleExport(ctx context.Context, cmd *cobra.Command, o *bundleExportOptions, args []string) (document, error) {
	e := &exporting{app: a, options: o}
	demanded, err := o.check(a, cmd)
	if err != nil {
		return nil, err
	}
	choice := &o.verification.copy
	o.targets.registry.stateless = choice.noVerify || choice.judge.trust.stateless()
	targets, err := a.targets(ctx, cmd, &o.targets, args)
	if err != nil {
		return nil, err
	}
	if err := e.chooseJudge(ctx, cmd, targets, demanded); err != nil {
		return nil, err
	}
	if e.options.trust {
		if e.trust, err = a.carriedTrust(&choice.judge.trust); err != nil {
			return nil, err
		}
	}
	open, err := a.opener(ctx, &o.targets, targets...)
	if err != nil {
		return nil, err
	}
	ctx, budget, cancel := a.spend(ctx)
	defer cancel()
	e.budget = budget
	budget.run()
	if err := e.verify(ctx, open); err != nil {
		return e.failed(), err
	}
	return e.write(ctx)
}

// failed shows the verdicts, if there are any, where no bundle was written.
func (e *exporting) failed() document {
	doc := &verifyDocument{Verdicts: []verdictJSON{}}
	for _, x := range e.all {
		if v := x.doc.Source.Verdict; v != nil && x.doc.Source.Verification == verificationFailed {
			doc.Verdicts = append(doc.Verdicts, *v)
		}
	}
	if len(doc.Verdicts) == 0 {
		return nil
	}
	return doc
}

// chooseJudge reads the trust policy, if it is there or has to be.
func (e *exporting) chooseJudge(ctx context.Context, cmd *cobra.Command, targets []target, demanded bool) error {
	choice := &e.options.verification.copy
	if e.options.revocation {
		e.record = &revocation.Recorder{}
		choice.judge.judging.revocation.record = e.record
	}
	for _, t := range targets {
		e.all = append(e.all, &exported{copying: &copying{app: e.app, options: choice, src: t, demanded: demanded, doc: newCopyDocument()}})
	}
	first := e.all[0].copying
	if err := first.chooseJudge(ctx, cmd); err != nil {
		if reason.Of(err) == reason.ConfigNoPolicy && e.options.revocation {
			return reworded{text: "nobody is asked about the revocation of certificates without a trusted root, and there is no trust policy to say which are trusted: " + err.Error(), err: err}
		}
		return err
	}
	e.judge = first.judge
	for _, x := range e.all {
		x.judge, x.doc.Source.Verification = e.judge, first.doc.Source.Verification
	}
	return nil
}

// carriedTrust returns the trust policy with the stores that it names.
func (a *app) carriedTrust(o *trustOptions) (*bundle.Trust, error) {
	policy, file, err := a.policy(trust.OCIPolicy, o.policy)
	if err != nil {
		return nil, err
	}
	stores, err := a.stores(o.store)
	if err != nil {
		return nil, err
	}
	t := &bundle.Trust{Policy: file.Data}
	seen := map[trust.StoreRef]bool{}
	for _, s := range policy.Statements() {
		for _, ref := range s.Stores() {
			if seen[ref] {
				continue
			}
			seen[ref] = true
			certs, warnings, err := stores.Load(ref)
			if err != nil {
				return nil, err
			}
			a.warnSome(warnings, "oddities of trust stores")
			known := map[string]bool{}
			for _, c := range certs {
				if !known[string(c.Raw)] {
					known[string(c.Raw)] = true
					t.Stores = append(t.Stores, bundle.TrustedCertificate{Store: ref, Certificate: c})
				}
			}
		}
	}
	return t, nil
}

// verify resolves the artifacts and decides about each. With revocation it looks
// at all signatures of all that is signed, so that every answer that matters is
// recorded.
func (e *exporting) verify(ctx context.Context, open func(target, string) (oci.Repository, error)) error {
	if e.record != nil {
		e.judge.verifier.Exhaustive = true
	}
	var errs manyErrors
	for _, x := range e.all {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := e.verifyOne(ctx, x, open); err != nil {
			errs = append(errs, refError{"no bundle was written", nameless(x, err)})
		}
	}
	return errs.asError()
}

// nameless puts the name of an artifact before an error that does not name it.
func nameless(x *exported, err error) error {
	if _, ok := errors.AsType[*notation.VerdictError](err); ok {
		return err
	}
	return refError{named(x.src.typed), err}
}

func (e *exporting) verifyOne(ctx context.Context, x *exported, open func(target, string) (oci.Repository, error)) error {
	scope := e.options.verification.copy.judge.scope
	repo, err := open(x.src, scope)
	if err != nil {
		return err
	}
	source, ok := repo.(oci.Source)
	if !ok {
		return reason.Errorf(reason.UsageInternal, "%s cannot be read", x.src.typed)
	}
	x.source = source
	if x.root, err = source.Resolve(ctx, x.src.ref); err != nil {
		return err
	}
	if x.origin, err = oci.ParseReference(origin(&x.src, source.Name(), x.root.Digest)); err != nil {
		return err
	}
	e.app.recommendDigest(x.src, x.root.Digest)
	x.doc.begin(x.copying, x.root)
	if err := x.verify(ctx, &x.doc.Source, x.src, source, x.root.Digest, x.demanded); err != nil {
		return err
	}
	if e.record == nil {
		return nil
	}
	if x.doc.Source.Verification == verificationSkipped {
		return reason.Errorf(reason.UsageFlag, "the trust policy says skip, so that nobody's certificates are trusted and nobody is asked about them").
			WithHint("leave the answers about revocation out, or give the statement another level")
	}
	return e.ask(ctx, x)
}

// origin names an artifact as a bundle does.
func origin(t *target, repository string, d digest.Digest) string {
	if tag := t.ref.Tag(); tag != "" {
		return repository + ":" + tag + "@" + string(d)
	}
	return repository + "@" + string(d)
}

// ask decides about everything else in the graph that is signed, to have the
// answers recorded. That something of it does not pass is said and no more: it
// is no different where the bundle goes.
func (e *exporting) ask(ctx context.Context, x *exported) error {
	graph, err := promote.Walk(ctx, x.source, x.root, e.options.verification.copy.graph)
	if err != nil {
		return err
	}
	for _, m := range graph.Manifests {
		if m.Descriptor.Digest == x.root.Digest || isSignature(m) || !slices.ContainsFunc(m.Referrers, func(d digest.Digest) bool { return isSignature(graph.Manifest(d)) }) {
			continue
		}
		verdict, err := e.judge.verifier.Verify(ctx, x.source, x.origin.WithDigest(m.Descriptor.Digest))
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if err != nil && !errors.Is(err, notation.ErrSkipped) {
			e.app.warn("%s, which belongs to %s, does not pass: %s", verdict.Reference, named(x.src.typed), err)
		}
	}
	return nil
}

// write makes the bundle.
func (e *exporting) write(ctx context.Context) (document, error) {
	answers, err := e.answers()
	if err != nil {
		return nil, err
	}
	e.budget.pause()
	e.writer, err = bundle.Create(ctx, e.options.path, e.app.env.Now())
	if err != nil {
		return nil, err
	}
	defer func() { _ = e.writer.Close() }() // it only removes what was collected
	if !e.options.only {
		for _, x := range e.all {
			if err := e.add(ctx, x); err != nil {
				return nil, refError{named(x.src.typed), err}
			}
		}
	}
	if e.record != nil {
		if err := e.writer.AddEvidence(ctx, answers); err != nil {
			return nil, err
		}
		if err := e.rehearse(ctx, answers); err != nil {
			return nil, err
		}
	}
	if e.trust != nil {
		if err := e.writer.AddTrust(ctx, e.trust); err != nil {
			return nil, err
		}
	}
	contents, err := e.writer.Commit(ctx)
	if err != nil {
		return nil, err
	}
	return e.document(contents, answers), nil
}

// add copies one artifact into the bundle.
func (e *exporting) add(ctx context.Context, x *exported) (err error) {
	shown := &copyProgress{app: e.app, name: x.src.typed, pause: e.budget.pause}
	x.report, err = e.writer.Add(ctx, x.source, x.root, x.origin, promote.CopyOptions{Options: e.options.verification.copy.graph, Progress: shown.event})
	shown.done()
	e.app.warnSome(x.report.Warnings, "entries that do not belong into the graph")
	return err
}

// answers returns what was recorded, and says what is odd about it.
func (e *exporting) answers() ([]revocation.Recorded, error) {
	if e.record == nil {
		return nil, nil
	}
	answers, err := e.record.Answers()
	if err != nil {
		return nil, err
	}
	if len(answers) == 0 {
		e.app.warn("there are no answers about revocation to carry: the certificates name nobody to ask, or the trust policy skips the check")
	}
	for _, a := range shortLived(answers) {
		e.app.warn("the answer of %s does not say until when it holds, and is accepted for an hour only", a.Source)
	}
	return answers, nil
}

// rehearse verifies the artifacts as they will be on the isolated side: by what
// is in the bundle, and nobody is asked. It also finds out until when that will
// do: as long as the answers hold, and the certificates.
func (e *exporting) rehearse(ctx context.Context, answers []revocation.Recorded) error {
	e.budget.run()
	defer e.budget.pause()
	var carried evidence
	for _, a := range answers {
		carried.add(a.Method, a.DER)
	}
	now := e.app.env.Now()
	if err := e.verifyAt(ctx, now, carried.answers); err != nil {
		return err
	}
	ends := endsAfter(answers, now)
	n := sort.Search(len(ends), func(i int) bool { return e.verifyAt(ctx, ends[i], carried.answers) != nil })
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if n > 0 {
		e.until = ends[n-1]
	}
	if len(answers) > 0 && e.until.Sub(now) < day {
		e.app.warn("the answers about revocation suffice for less than a day")
	}
	return nil
}

// verifyAt verifies all artifacts at a time, without network.
func (e *exporting) verifyAt(ctx context.Context, at time.Time, carried revocation.Evidence) error {
	v := *e.judge.verifier
	v.Exhaustive, v.Evidence, v.Now = false, carried, func() time.Time { return at }
	v.Revocation = revocation.New(revocation.Options{Now: v.Now, Offline: true})
	for _, x := range e.all {
		source, root := x.source, x.root
		if !e.options.only {
			source, root = bundle.View(e.writer.Store(), x.origin.Name()), x.report.Root
		}
		_, err := v.Verify(ctx, source, x.origin.WithDigest(root.Digest))
		if err == nil {
			continue
		}
		lacking := reason.Wrap(reason.BundleLacking, err, "no bundle was written: %s could not be verified from it without network", x.origin.WithDigest(root.Digest))
		if hint := x.hint(err); hint != "" {
			return lacking.WithHint("%s", hint)
		}
		return lacking.WithHint("see the reason; if it is about revocation, an authority that is asked here has to give answers that hold by themselves")
	}
	return nil
}

// document says what was written.
func (e *exporting) document(contents *bundle.Contents, answers []revocation.Recorded) *bundleDocument {
	shown := make([]bundle.Answer, len(answers))
	for i, a := range answers {
		shown[i] = bundle.Answer{Recorded: a, Digest: digest.FromBytes(a.DER)}
	}
	doc := newBundleDocument(e.options.path, contents, shown, e.trust, e.app.env.Now())
	doc.exported = true
	if !e.until.IsZero() {
		doc.VerifiableUntil = printedTime(e.until)
	}
	if info, err := os.Stat(e.options.path); err == nil {
		doc.Size = info.Size()
	}
	for i := range doc.Artifacts {
		doc.Artifacts[i].Source = &e.all[i].doc.Source
	}
	return doc
}
