package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation/bundle"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/promote"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

// bundleImportOptions are the flags of bundle import.
type bundleImportOptions struct {
	registry     registryOptions
	verification bundleVerification
}

func (a *app) bundleImportCommand() *cobra.Command {
	o := &bundleImportOptions{}
	cmd := &cobra.Command{
		Use:   "import " + bundleArgument + " DST [flags]",
		Short: "Put the artifacts of a bundle into a registry",
		Long: `Put the artifacts of a bundle, with all that belongs to them, into a registry.

DST is the registry, or registry/path. Each artifact goes to the repository of
its origin, as the bundle has it, below that, under the tag that it had. For a
bundle of one artifact DST may be a full reference, registry/repository:tag.

Every artifact is verified before anything is sent, by the trust policy for the
repository that it is to go to, if a statement applies; --verify, or any flag
about verification, demands that one does. If one does not pass, nothing is
sent, and the exit code is that of 'notation verify'. When all have arrived
they are verified again, and only then the tags are moved. What is there
already is not sent again, so an import that was interrupted is finished by
running it again.

The answers about revocation in the bundle are used, and judged like any
others; with --offline nobody but the registry is asked anything. The trust
policy in the bundle is not used; see 'notation bundle trust'. --timeout does
not count while content is copied.`,
		Example: `  # Each artifact under its own name
  notation bundle import --offline net-monitor.tar registry.internal:5000

  # Below a path; or a single artifact under another name
  notation bundle import --offline net-monitor.tar registry.internal:5000/mirror
  notation bundle import --offline net-monitor.tar registry.internal:5000/tools/net-monitor:v1`,
	}
	cmd = a.leaf(cmd, 2, 2, func(ctx context.Context, args []string) (document, error) {
		return a.bundleImport(ctx, cmd, o, args)
	})
	f := cmd.Flags()
	o.verification.register(cmd, "the artifacts in the bundle nor in the registry")
	f.BoolVar(&o.registry.forceTag, "force-referrers-tag", false, "write the referrers tag also where the registry has the referrers API")
	o.registry.register(cmd)
	return cmd
}

// importing is one run of bundle import.
type importing struct {
	app     *app
	bundle  *bundle.Bundle
	all     []*copying
	targets []bundle.Target
	budget  *budget
	began   time.Time
}

func (a *app) bundleImport(ctx context.Context, cmd *cobra.Command, o *bundleImportOptions, args []string) (document, error) {
	demanded, err := o.verification.check(a, cmd, true)
	if err != nil {
		return nil, err
	}
	b, err := bundle.Open(ctx, args[0])
	if err != nil {
		return nil, err
	}
	if len(b.Contents.Artifacts) == 0 {
		return nil, reason.Errorf(reason.UsageArguments, "%s holds no artifacts", named(args[0])).
			WithHint("give the answers about revocation in it to a command that verifies, with --revocation-evidence")
	}
	i := &importing{app: a, bundle: b, began: time.Now()}
	if err := i.place(ctx, cmd, o, args, demanded); err != nil {
		return nil, err
	}
	ctx, budget, cancel := a.spend(ctx)
	defer cancel()
	i.budget = budget
	budget.run()
	return i.run(ctx)
}

// place finds where each artifact goes, and opens that.
func (i *importing) place(ctx context.Context, cmd *cobra.Command, o *bundleImportOptions, args []string, demanded bool) error {
	choice := &o.verification.copy
	o.registry.stateless = choice.noVerify || choice.judge.trust.stateless()
	places, err := importPlaces(i.bundle.Contents.Artifacts, args[1])
	if err != nil {
		return err
	}
	open, err := i.app.opener(ctx, &targetOptions{registry: o.registry}, places...)
	if err != nil {
		return err
	}
	for n, t := range places {
		artifact := i.bundle.Contents.Artifacts[n]
		_, inside, err := oci.ParseLayoutReference(args[0] + "@" + string(artifact.Descriptor.Digest))
		if err != nil {
			return err
		}
		c := &copying{
			app: i.app, options: choice, demanded: demanded, doc: newCopyDocument(),
			src: target{typed: args[0] + "@" + string(artifact.Descriptor.Digest), path: args[0], ref: inside}, dst: t,
		}
		if n == 0 {
			err = c.chooseJudge(ctx, cmd)
		} else {
			c.judge, c.doc.Source.Verification, c.doc.Destination.Verification = i.all[0].judge, i.all[0].doc.Source.Verification, i.all[0].doc.Destination.Verification
		}
		if err != nil {
			return err
		}
		c.doc.begin(c, artifact.Descriptor)
		w, err := openWritable(ctx, t, open)
		if err != nil {
			return err
		}
		i.all = append(i.all, c)
		i.targets = append(i.targets, bundle.Target{Artifact: artifact, Store: w.Store, Tag: t.ref.Tag(), Verify: i.verify(c)})
	}
	return nil
}

// verify returns what decides about one artifact, in the bundle and then where it
// has arrived.
func (i *importing) verify(c *copying) promote.VerifyFunc {
	side, t := &c.doc.Source, c.src
	return func(ctx context.Context, repo oci.Repository, d digest.Digest) error {
		i.budget.run()
		err := c.verify(ctx, side, t, repo, d, c.demanded && side == &c.doc.Source)
		side, t, c.refused = &c.doc.Destination, c.dst, err
		return err
	}
}

// importPlaces returns where each artifact goes. A destination without a
// repository, or without a tag, is what the origins are put behind.
func importPlaces(artifacts []bundle.Artifact, dst string) ([]target, error) {
	bad := func(err error) error {
		return reason.Wrap(reason.UsageArguments, err, "the destination cannot be %s", quote(dst)).
			WithHint("write a registry, registry/path, or for a single artifact registry/repository:tag")
	}
	_, path, hasPath := strings.Cut(dst, "/")
	switch {
	case strings.Contains(dst, "@"):
		return nil, bad(errors.New("it has a digest, which is always that of the artifact"))
	case hasPath && strings.Contains(path, ":"):
		if len(artifacts) != 1 {
			return nil, bad(errors.New("it names one place, and there are several artifacts"))
		}
		ref, err := oci.ParseReference(dst)
		if err != nil {
			return nil, bad(err)
		}
		return []target{{typed: dst, ref: ref}}, nil
	}
	var places []target
	seen := map[oci.Reference]bool{}
	for _, a := range artifacts {
		typed := strings.TrimSuffix(dst, "/") + "/" + a.Origin.Repository()
		if tag := a.Origin.Tag(); tag != "" {
			typed += ":" + tag
		}
		ref, err := oci.ParseReference(typed)
		if err != nil {
			return nil, bad(err)
		}
		if _, err := oci.ParseRepository(ref.Name()); err != nil || ref.Name() != strings.TrimSuffix(dst, "/")+"/"+a.Origin.Repository() {
			return nil, bad(errors.New("it is not spelled as a registry is, in full and in lower case"))
		}
		if seen[ref] && ref.Tag() != "" {
			return nil, reason.Errorf(reason.UsageArguments, "two artifacts of the bundle, from different registries, would both be %s", ref).
				WithHint("import them from bundles of their own")
		}
		seen[ref] = true
		places = append(places, target{typed: typed, ref: ref})
	}
	return places, nil
}

// run imports what has its place.
func (i *importing) run(ctx context.Context) (document, error) {
	shown := make([]*copyProgress, len(i.all))
	for n, c := range i.all {
		shown[n] = &copyProgress{app: i.app, name: c.dst.typed, pause: i.budget.pause}
	}
	results, err := i.bundle.Import(ctx, i.targets, func(n int, e promote.Event) {
		if n > 0 {
			shown[n-1].done()
		}
		shown[n].event(e)
	})
	for _, s := range shown {
		s.done()
	}
	i.budget.pause()
	doc := &bundleImportDocument{Imports: []*copyDocument{}}
	for n, r := range results {
		c := i.all[n]
		doc.Imports = append(doc.Imports, c.doc)
		if r.Report != nil {
			i.app.warnSome(r.Report.Warnings, "entries that do not belong into the graph")
			c.doc.fill(c, r.Report, err == nil)
		}
		c.doc.took(time.Since(i.began))
	}
	return doc, i.explain(results, err)
}

// explain words what went wrong. An artifact that did not pass has the error of
// its verdict, which decides the exit code as it does of verify.
func (i *importing) explain(results []bundle.Imported, err error) error {
	if err == nil {
		return nil
	}
	var errs manyErrors
	sent := slices.ContainsFunc(results, func(r bundle.Imported) bool { return r.Report != nil })
	for n, r := range results {
		c := i.all[n]
		switch {
		case r.Err == nil:
		case r.Rejected && !sent:
			errs = append(errs, refError{"", reworded{text: "nothing was imported: " + c.refused.Error(), err: c.refused}})
		case r.Rejected:
			errs = append(errs, refError{"", reworded{text: "everything of it has arrived, but it did not pass at the destination, so no tag was moved: " + c.refused.Error(), err: c.refused}})
		default:
			errs = append(errs, refError{named(c.dst.typed), r.Err})
		}
	}
	return errs.asError()
}

// bundleImportDocument is the result of bundle import.
type bundleImportDocument struct {
	Imports []*copyDocument `json:"imports"`
}

func (d *bundleImportDocument) text(p *page) {
	for n, c := range d.Imports {
		if n > 0 {
			p.line("")
		}
		c.text(p)
	}
}
