package cli

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/promote"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

// copyOptions are the flags of copy.
type copyOptions struct {
	places      copyPlaces
	graph       promote.Options
	required    []string // artifact types
	judge       judgeOptions
	sign        copySigning
	verify      bool
	noVerify    bool
	verifyFlags []string // which ask for verification
}

func (a *app) copyCommand() *cobra.Command {
	o := &copyOptions{}
	cmd := &cobra.Command{
		Use:   "copy SRC DST [flags]",
		Short: "Copy an artifact with its signatures and all that belongs to it",
		Long: `Copy an artifact to another repository or image layout, with the images of an
index, their layers, and all that is attached to any of them: SBOMs, signatures,
and the signatures of SBOMs. Digests stay the same. What is there already is not
sent again, so a copy that was interrupted is finished by running it again.

SRC is verified by its digest before anything is copied, if a statement of the
trust policy applies to it. Without such a statement it is copied all the same,
and the output says so; --verify, or any flag about verification, demands one.
With --require-artifact-type, something of that type has to be attached to SRC,
or to each image of an index, and to pass as SRC does; it is copied, too.
When everything has arrived, DST is verified in the same way if a statement
applies to it. Only then the tag of DST is moved. A DST without a tag gets none.
The exit code for an artifact that did not pass is that of 'notation verify'.

With --sign, the artifact is signed at DST when everything has arrived, before
DST is verified, so that the policy there may demand that signature. The flags
for signing are those of 'notation sign', but for --sign-user-metadata and
--sign-plugin-config: -m and --plugin-config are about verification here. If
signing fails, the tag is not moved. With --skip-if-signed, a copy that is run
again adds no second signature.

An image layout is a directory, or a tarball if DST ends with .tar or is a file
already. A tarball is replaced as a whole, or stays as it was.

The flags about credentials and HTTPS hold for both registries, --from-username
and --to-username with their passwords for one of them. 'notation login' keeps
credentials for each. --timeout bounds all of it; if it is not given, content may
take as long as it takes, and only a connection that stands still is given up.`,
		Example: `  # Promote an image with everything that belongs to it
  notation copy localhost:5000/dev/net-monitor:v1 localhost:5000/prod/net-monitor:v1

  # Into a tarball, to be carried into another network
  notation copy --to-oci-layout registry.example.com/net-monitor:v1 net-monitor.tar:v1

  # And out of it, verified as what it was before
  notation copy --from-oci-layout --from-scope registry.example.com/net-monitor net-monitor.tar:v1 localhost:5000/net-monitor:v1

  # Into production: with a signed SBOM only, and signed for production
  notation copy --require-artifact-type sbom/example --sign --key prod localhost:5000/dev/net-monitor:v1 localhost:5000/prod/net-monitor:v1

  # One image of an index, with its SBOMs and signatures only
  notation copy --platform linux/arm64 --artifact-type sbom/example --artifact-type application/vnd.cncf.notary.signature localhost:5000/net-monitor:v1 localhost:5000/arm/net-monitor:v1`,
	}
	cmd = a.leaf(cmd, 2, 2, func(ctx context.Context, args []string) (document, error) {
		return a.copy(ctx, cmd, o, args)
	})
	f := cmd.Flags()
	f.StringArrayVar(&o.graph.ArtifactTypes, "artifact-type", nil, "of what is attached, copy only that of this `TYPE`, and what is attached to it; may be given again; signatures have the type "+oci.ArtifactTypeSignature)
	f.BoolVar(&o.graph.NoReferrers, "no-referrers", false, "copy nothing that is attached, not even signatures")
	f.StringVar(&o.graph.Platform, "platform", "", "copy only the image of an index that is for `OS/ARCH[/VARIANT]`; at the source the index is verified")
	f.StringArrayVar(&o.required, "require-artifact-type", nil, "copy only if something of this `TYPE` is attached and passes the trust policy; may be given again")
	f.BoolVar(&o.verify, "verify", false, "copy only if SRC passes the trust policy, whether or not a statement applies to it")
	f.BoolVar(&o.noVerify, "no-verify", false, "verify nothing, neither SRC nor DST")
	o.verifyFlags = flagsOf(cmd, func() {
		f.StringArrayVarP(&o.judge.metadata, "user-metadata", "m", nil, "`KEY=VALUE` that must be among the signed metadata; may be given again")
		f.IntVar(&o.judge.maxSignatures, "max-signatures", notation.DefaultMaxSignatures, "look at no more than this number of signatures of an artifact")
		o.judge.trust.register(cmd)
		o.judge.judging.register(cmd)
	})
	o.sign.register(a, cmd)
	o.places.register(cmd)
	return cmd
}

// check refuses flags that contradict each other. It reports whether the source
// has to pass, come what may.
func (o *copyOptions) check(a *app, cmd *cobra.Command) (demanded bool, err error) {
	demanded = o.verify || len(o.required) > 0 || slices.ContainsFunc(o.verifyFlags, cmd.Flags().Changed)
	switch {
	case o.noVerify && len(o.required) > 0:
		return false, a.usage(cmd, reason.UsageFlag, "--no-verify and --require-artifact-type cannot be mixed", "what is required has to be verified; leave one of them out")
	case o.graph.NoReferrers && len(o.required) > 0:
		return false, a.usage(cmd, reason.UsageFlag, "--no-referrers and --require-artifact-type cannot be mixed", "what is required is copied as well; leave one of them out")
	case o.noVerify && o.verify:
		return false, a.usage(cmd, reason.UsageFlag, "--verify and --no-verify cannot be mixed", "give one of them, or neither")
	case o.noVerify && demanded:
		return false, a.usage(cmd, reason.UsageFlag, "--no-verify cannot be mixed with flags about verification", "leave --no-verify out, or the others")
	case o.graph.NoReferrers && len(o.graph.ArtifactTypes) > 0:
		return false, a.usage(cmd, reason.UsageFlag, "--no-referrers and --artifact-type cannot be mixed", "give one of them")
	}
	for _, t := range o.required {
		if !isTypeName(t) {
			return false, a.usage(cmd, reason.UsageFlag, "flag '--require-artifact-type' cannot be "+quote(t), "write TYPE/SUBTYPE, as in sbom/example")
		}
	}
	if err := o.sign.check(a, cmd); err != nil {
		return false, err
	}
	return demanded, o.judge.check(a, cmd, true)
}

// copying is one run of copy.
type copying struct {
	app      *app
	options  *copyOptions
	src, dst target
	judge    *judge // nil: nobody is asked
	demanded bool   // that the source passes
	refused  error  // why the destination did not pass
	unsigned error  // why it was not signed there
	budget   *budget
	bounded  bool // by --timeout, content included
	doc      *copyDocument
}

func (a *app) copy(ctx context.Context, cmd *cobra.Command, o *copyOptions, args []string) (document, error) {
	c := &copying{app: a, options: o, doc: newCopyDocument(), bounded: cmd.Flags().Changed("timeout")}
	var err error
	if c.demanded, err = o.check(a, cmd); err != nil {
		return nil, err
	}
	if c.src, c.dst, err = o.places.parse(a, cmd, args); err != nil {
		return nil, err
	}
	o.places.registry.stateless = o.noVerify || o.judge.trust.stateless()
	if err := c.chooseJudge(ctx, cmd); err != nil {
		return nil, err
	}
	ctx, budget, cancel := a.spend(ctx)
	defer cancel()
	c.budget = budget
	budget.run() // a plugin may hold the key
	if err := o.sign.open(ctx, a, cmd, &o.judge.judging); err != nil {
		return nil, err
	}
	budget.pause() // a password may have to be waited for
	open, err := a.placeOpener(ctx, &o.places, c.src, c.dst)
	if err != nil {
		return nil, err
	}
	repo, err := open(c.src, o.places.fromScope)
	if err != nil {
		return nil, err
	}
	source, ok := repo.(oci.Source)
	if !ok {
		return nil, reason.Errorf(reason.UsageInternal, "%s cannot be read", args[0])
	}
	return c.run(ctx, source, open)
}

// run copies from a source that is open.
func (c *copying) run(ctx context.Context, source oci.Source, open placeOpener) (document, error) {
	began := time.Now()
	defer func() { c.doc.took(time.Since(began)) }()
	c.budget.run()
	root, err := source.Resolve(ctx, c.src.ref)
	if err != nil {
		return nil, err
	}
	c.app.recommendDigest(c.src, root.Digest)
	c.doc.begin(c, root)
	if c.judge != nil {
		c.judge.carry(ctx, c.app, []target{c.src}, func(target) (oci.Repository, error) { return source, nil })
	}
	// Before the destination is opened, which makes a layout where there is none.
	if err := c.verify(ctx, &c.doc.Source, c.src, source, root.Digest, c.demanded); err != nil {
		return c.doc, reworded{text: "nothing was copied: " + err.Error(), err: err}
	}
	c.pause()
	return c.doc, c.transfer(ctx, source, root, open)
}

// pause has no time of --timeout pass, unless that was given to bound the copy
// as a whole.
func (c *copying) pause() {
	if !c.bounded {
		c.budget.pause()
	}
}

// chooseJudge reads the trust policy, and if there is none and none is
// demanded, leaves it at that.
func (c *copying) chooseJudge(ctx context.Context, cmd *cobra.Command) error {
	if c.options.noVerify {
		c.doc.without(notAsked)
		return nil
	}
	if _, err := c.app.dirs(); err != nil && !c.demanded {
		c.app.log.Debug("no configuration directory", "error", err)
		c.doc.without(noPolicyThere)
		return nil
	}
	j, err := c.app.judge(ctx, cmd, &c.options.judge)
	if reason.Of(err) == reason.ConfigNoPolicy && !c.demanded {
		c.doc.without(noPolicyThere)
		return nil
	}
	c.judge = j
	return err
}

// verify decides about the artifact at one side, if there is somebody to ask.
// The scope that a policy is asked about is the name of the repository.
func (c *copying) verify(ctx context.Context, side *copySideJSON, t target, repo oci.Repository, d digest.Digest, demanded bool) error {
	if c.judge == nil {
		if side == &c.doc.Source && side.Verification == noPolicyThere {
			c.app.warn("%s was not verified: there is no trust policy", side.Name)
		}
		return nil
	}
	if _, err := c.judge.verifier.Policy.ForRepository(repo.Name()); reason.Of(err) == reason.PolicyNoStatement && !demanded {
		side.Verification = noStatement
		if side == &c.doc.Source {
			c.app.warn("%s was not verified: no statement of the trust policy applies to it", side.Name)
		}
		return nil
	}
	verdicts, err := c.judge.all(ctx, c.app, []target{{typed: side.Name, path: t.path, ref: t.ref.WithDigest(d)}}, func(target) (oci.Repository, error) { return repo, nil })
	side.Verdict = &verdicts.Verdicts[0]
	side.Verification = verificationFailed
	if err == nil {
		side.Verification = verificationOf(side.Verdict)
	}
	if many, ok := errors.AsType[manyErrors](err); ok {
		return many.worst() // the only one
	}
	return err
}

// transfer copies what has been verified.
func (c *copying) transfer(ctx context.Context, source oci.Source, root oci.Descriptor, open placeOpener) error {
	w, err := c.app.openDestination(ctx, c.dst, c.options.places.toScope, open)
	if err != nil {
		return err
	}
	defer w.close()
	shown := &copyProgress{app: c.app, name: c.dst.typed, pause: c.pause}
	arrived := func(d digest.Digest) {
		shown.done()
		c.budget.run()
		c.doc.Destination.Name = c.dst.name(d)
	}
	required := c.requirements(source)
	options := promote.CopyOptions{
		Options: c.options.graph, Tag: c.dst.ref.Tag(), Progress: shown.event, Require: required.list,
		VerifyDestination: func(ctx context.Context, repo oci.Repository, artifact digest.Digest) error {
			arrived(artifact)
			c.refused = c.verify(ctx, &c.doc.Destination, c.dst, repo, artifact, false)
			return c.refused
		},
	}
	if c.options.sign.key != nil {
		options.Finish = func(ctx context.Context, dst oci.Store, artifact digest.Digest) error {
			arrived(artifact)
			c.unsigned = c.doc.sign(ctx, &c.options.sign, dst, c.dst, artifact)
			return c.unsigned
		}
	}
	c.budget.run() // until content is copied
	report, err := promote.Copy(ctx, source, w, root, options)
	shown.done()
	c.pause()
	c.app.warnSome(report.Warnings, "entries that do not belong into the graph")
	if err != nil && w.made != nil {
		gone, discardErr := w.made.Discard(context.WithoutCancel(ctx)) // unless something has arrived
		c.app.log.Debug("new layout", "removed", gone, "error", discardErr)
	}
	if reason.Of(err) == reason.PromoteRequired {
		return required.explain(err)
	}
	if err == nil {
		err = w.commit(ctx)
	}
	if err != nil && w.staging != nil {
		return c.leftAlone(err)
	}
	c.doc.fill(c, report, err == nil)
	return c.explain(err)
}

// leftAlone tells a failure after which a tarball is as it was.
func (c *copying) leftAlone(err error) error {
	c.doc.unsign() // what was signed is gone
	told, hint := err, ""
	switch inner, ok := errors.AsType[*reason.Error](err); {
	case c.unsigned != nil:
		told = reworded{text: notSigned + c.unsigned.Error(), err: c.unsigned}
		err = told
	case c.refused != nil:
		told, hint = c.refused, c.hint(c.refused)
		err = told
	case ok && inner.Code == reason.PromoteIncomplete && inner.Err != nil: // it counts what is gone again
		told, hint = inner.Err, cmp.Or(reason.Hint(inner.Err), "run it again")
	}
	return reworded{text: named(c.dst.path) + " was left as it was: " + told.Error(), hint: hint, err: err}
}

// notSigned begins what is told when --sign fails.
const notSigned = "it could not be signed there: "

// explain tells what became of the destination. Where that did not pass, the
// error is the verdict's, as it is of verify.
func (c *copying) explain(err error) error {
	stand := "no tag was to be moved"
	if tag := c.dst.ref.Tag(); tag != "" {
		stand = "the tag " + quote(tag) + " was not moved"
	}
	switch {
	case err != nil && c.unsigned != nil:
		return reworded{text: "everything was copied, but " + notSigned + c.unsigned.Error() + "; " + stand, err: c.unsigned}
	case err != nil && c.refused != nil:
		return reworded{text: "everything was copied, but it did not pass at the destination, so " + stand + ": " + c.refused.Error(), hint: c.hint(c.refused), err: c.refused}
	}
	return err
}

// hint is the remedy for signatures that were not wanted; "": the usual one.
func (c *copying) hint(err error) string {
	switch {
	case exitCode(err) != exitUnsigned:
	case c.options.graph.NoReferrers:
		return "leave --no-referrers out, so that signatures are copied"
	case len(c.options.graph.ArtifactTypes) > 0 && !slices.Contains(c.options.graph.ArtifactTypes, oci.ArtifactTypeSignature):
		return "add --artifact-type " + oci.ArtifactTypeSignature + ", so that signatures are copied"
	case c.options.graph.Platform != "":
		return "sign the image of the platform itself; the signature of its index is not that of the image"
	}
	return ""
}
