package cli

import (
	"context"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// auditOptions are the flags of audit.
type auditOptions struct {
	registry     registryOptions
	judge        judgeOptions
	reports      reportOptions
	tags         string
	fromFile     string
	repositories string
	state        string
	maxAge       waitFlag
	shard        string
	shardBy      string
	concurrency  int
	perArtifact  waitFlag
	merge        bool
	others       []string // flags that mean nothing with --merge

	pattern *regexp.Regexp
	part    audit.Shard
}

func (a *app) auditCommand() *cobra.Command {
	o := &auditOptions{maxAge: waitFlag(audit.DefaultMaxAge), perArtifact: waitFlag(audit.DefaultTimeout)}
	cmd := &cobra.Command{
		Use:   "audit REGISTRY[/PREFIX] [flags]",
		Short: "Verify everything that a registry has",
		Long: `Verify all artifacts of a registry that have a tag, under the trust policy, and
tell how much is signed, by whom, what fails and why, and what ends when.

REGISTRY is host[:port]. With PREFIX, only the repository of that name and those
below it are looked at. The registry has to list its repositories; where it does
not, give them with --repositories, or references with --from-file.

Each digest of a repository is verified once, whatever the number of its tags.
Indexes under tags by which registries list signatures, and signatures, are
left out. How much is asked at a time adapts to the registry: less if it says
that it is busy. One artifact that cannot be decided holds up no other.

With --state, what is found out is kept in a file as it is found, and a run with
the same file does not look again at what was decided under the same policy and
trust stores, unless that is longer ago than --state-max-age. So a run that was
stopped is finished by running it again.

--shard splits the work among machines: every tag, or digest in a list, is in
exactly one of N shards, numbered from 0, whatever the sizes of repositories.
Each shard lists the tags of all repositories then. With --shard-by repository
it lists only its own, and is as large as the largest of them. --merge reads the
JSON lines of several runs, the arguments, in place of a registry, and asks
nobody. It says so if shards are missing, and is no success then.

The worst of all artifacts decides the exit code, as with 'notation verify'. If
there is nothing to look at, that is no success: it is 3. --timeout bounds all of
it; if it is not given, an audit may take as long as it takes, and only
--artifact-timeout bounds what is asked about one artifact.`,
		Example: `  # All repositories of a registry, and a file with one JSON object for each artifact
  notation audit --report jsonl=audit.jsonl registry.example.com

  # Releases of one team only, with a file so that it can be stopped and gone on with
  notation audit --tags '^v[0-9]' --state team.state registry.example.com/team

  # A registry that does not list its repositories
  notation audit --repositories repositories.txt

  # One of four machines, and what they have found out together
  notation audit --shard 0/4 --report jsonl=audit-0.jsonl registry.example.com
  notation audit --merge audit-0.jsonl audit-1.jsonl audit-2.jsonl audit-3.jsonl`,
	}
	cmd = a.leaf(cmd, 0, -1, func(ctx context.Context, args []string) (document, error) {
		return a.audit(ctx, cmd, o, args)
	})
	f := cmd.Flags()
	o.others = flagsOf(cmd, func() {
		f.StringVar(&o.tags, "tags", "", "look only at tags that match the regular expression `REGEX` (RE2), somewhere in the tag unless it says ^ and $")
		f.StringVarP(&o.fromFile, "from-file", "f", "", "look at the references in `FILE`, one a line, in place of a registry; - is standard input")
		f.StringVar(&o.repositories, "repositories", "", "look at the repositories in `FILE`, one a line, in place of a registry; - is standard input")
		f.StringVar(&o.state, "state", "", "keep what is found out in `FILE`, and do not look again at what it holds")
		f.Var(&o.maxAge, "state-max-age", "look again at what was decided longer ago, such as 12h")
		f.StringVar(&o.shard, "shard", "", "look only at the part `I/N` of everything, of the parts 0/N to N-1/N")
		f.StringVar(&o.shardBy, "shard-by", audit.ByArtifact.String(), "with --shard, divide by `WHAT`: "+orList(audit.Divisions()))
		f.IntVar(&o.concurrency, "concurrency", audit.DefaultConcurrency, "verify at most this number of artifacts at a time")
		f.Var(&o.perArtifact, "artifact-timeout", "time that what is asked about one artifact may take, such as 30s")
		o.judge.registerUnscoped(cmd)
		o.registry.register(cmd)
	})
	o.reports.register(cmd)
	f.BoolVar(&o.merge, "merge", false, "sum up the files of records that are the arguments, in place of a registry")
	return cmd
}

// check reads the flags and refuses what contradicts itself.
func (o *auditOptions) check(a *app, cmd *cobra.Command, args []string) error {
	if err := o.reports.check(a, cmd); err != nil {
		return err
	}
	if o.merge {
		if i := slices.IndexFunc(o.others, cmd.Flags().Changed); i >= 0 {
			return a.usage(cmd, reason.UsageFlag, "--merge asks nobody, and --"+o.others[i]+" means nothing to it", "leave one of them out")
		}
		if len(args) == 0 {
			return a.usage(cmd, reason.UsageArguments, "--merge needs files of records", "name those that runs have written with --report jsonl=FILE or --state FILE")
		}
		return nil
	}
	sources := len(args)
	for _, file := range []string{o.fromFile, o.repositories} {
		if file != "" {
			sources++
		}
	}
	switch {
	case sources == 0:
		return a.usage(cmd, reason.UsageArguments, "'notation audit' needs a registry", "name it as host[:port], or give --repositories or --from-file")
	case sources > 1:
		return a.usage(cmd, reason.UsageArguments, "there is more than one source of what is to be looked at", "give one registry, --repositories or --from-file")
	case o.concurrency < 1 || o.concurrency > audit.MaxConcurrency:
		return a.usage(cmd, reason.UsageFlag, fmt.Sprintf("--concurrency is from 1 to %d", audit.MaxConcurrency), "")
	case (o.fromFile == "-" || o.repositories == "-") && o.registry.credentials.passwordStdin:
		return a.usage(cmd, reason.UsageFlag, "standard input cannot hold both the list and the password", "give the list in a file, or use 'notation login'")
	case o.state != "" && slices.ContainsFunc(o.reports.reports, func(r reportTarget) bool { return spelled(r.path) == spelled(o.state) }):
		return a.usage(cmd, reason.UsageFlag, "a report cannot be written to the state file", "give each its own file")
	}
	if err := o.checkSelection(a, cmd); err != nil {
		return err
	}
	return o.judge.check(a, cmd, false)
}

// checkSelection reads the flags that choose among what there is.
func (o *auditOptions) checkSelection(a *app, cmd *cobra.Command) error {
	var err error
	if o.tags != "" {
		if len(o.tags) > audit.MaxPatternBytes {
			return a.usage(cmd, reason.UsageFlag, fmt.Sprintf("the pattern of --tags is longer than %d bytes", audit.MaxPatternBytes), "")
		}
		if o.pattern, err = regexp.Compile(o.tags); err != nil {
			return a.usage(cmd, reason.UsageFlag, "flag '--tags' cannot be "+quote(o.tags)+": "+escape(err.Error()), "write a regular expression of RE2, as in '^v[0-9]+$'")
		}
	}
	if o.shard != "" {
		if o.part, err = audit.ParseShard(o.shard); err != nil {
			return a.usage(cmd, reason.UsageFlag, "flag '--shard' cannot be "+quote(o.shard)+": "+err.Error(), "")
		}
	} else if cmd.Flags().Changed("shard-by") {
		return a.usage(cmd, reason.UsageFlag, "--shard-by needs --shard", "give the part as well, as in --shard 0/4")
	}
	if o.part.By, err = audit.ParseDivision(o.shardBy); err != nil {
		return a.usage(cmd, reason.UsageFlag, "flag '--shard-by' cannot be "+quote(o.shardBy)+": "+err.Error(), "")
	}
	return nil
}

func (a *app) audit(ctx context.Context, cmd *cobra.Command, o *auditOptions, args []string) (document, error) {
	if err := o.check(a, cmd, args); err != nil {
		return nil, err
	}
	if o.merge {
		return a.auditMerge(o, args)
	}
	o.registry.stateless = o.judge.trust.stateless()
	judge, err := a.judge(ctx, cmd, &o.judge)
	if err != nil {
		return nil, err
	}
	list, err := o.list(ctx, a)
	if err != nil {
		return nil, err
	}
	if list != nil {
		defer list.done()
	}
	if err := o.reports.probe(); err != nil {
		return nil, err
	}
	r := &auditRun{app: a, options: o, judge: judge, list: list, what: "repositories"}
	if list == nil {
		r.subject = args[0]
		return r.start(ctx, cmd)
	}
	if o.fromFile != "" {
		r.what = "references"
	}
	r.subject, r.targets = list.name, list.targets(o.repositories != "")
	return r.start(ctx, cmd)
}

// list opens the list that was given, if one was, and reads all of it.
func (o *auditOptions) list(ctx context.Context, a *app) (*referenceFile, error) {
	name := o.fromFile + o.repositories // one of them
	if name == "" {
		return nil, nil
	}
	list, err := a.openReferences(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := list.check(list.targets(o.repositories != "")); err != nil {
		list.done()
		return nil, err
	}
	return list, nil
}

// auditRun is one run of audit.
type auditRun struct {
	app     *app
	options *auditOptions
	judge   *judge
	subject string                         // registry and prefix, or the name of a list
	list    *referenceFile                 // nil: there is none
	targets iter.Seq2[audit.Target, error] // nil: the repositories of the registry
	what    string                         // the targets are

	pace   *audit.Pace
	client *remote.Client

	mu       sync.Mutex
	applied  map[string]bool // statements of the policy
	warnings []error
}

// start opens what is needed, and looks at the targets.
func (r *auditRun) start(ctx context.Context, cmd *cobra.Command) (document, error) {
	r.pace, r.applied = audit.NewPace(r.options.concurrency), map[string]bool{}
	var err error
	if r.client, err = r.newClient(ctx); err != nil {
		return nil, err
	}
	archive, err := r.open()
	if err != nil {
		return nil, err
	}
	if cmd.Flags().Changed("timeout") {
		var cancel context.CancelFunc
		ctx, cancel = r.app.network(ctx)
		defer cancel()
	}
	if r.targets == nil {
		r.targets = r.catalog(ctx, r.subject)
	}
	doc, err := r.run(ctx, archive)
	if closeErr := archive.Close(); err == nil {
		err = closeErr
	}
	return doc, err
}

// newClient returns the client for all registries.
func (r *auditRun) newClient(ctx context.Context) (*remote.Client, error) {
	explicit, err := r.options.registry.credentials.read(ctx, r.app)
	if err != nil {
		return nil, err
	}
	if explicit != (remote.Credential{}) && r.list != nil && r.list.registries[1] != "" {
		return nil, twoRegistries(r.list.registries[0], r.list.registries[1])
	}
	r.options.registry.busy = r.pace.Busy
	options, _, err := r.options.registry.client(ctx, r.app, explicit)
	if err != nil {
		return nil, err
	}
	return remote.NewClient(options), nil
}

// open opens the archive: the state file, if there is to be one. What another
// version of this program has decided is not taken over: it may be why there is
// another.
func (r *auditRun) open() (*audit.Archive, error) {
	o := r.options
	if o.state == "" {
		return audit.NewArchive()
	}
	fingerprint := audit.Fingerprint(r.judge.verifier, strconv.FormatBool(o.judge.judging.revocation.offline), buildVersion().Version)
	archive, state, err := audit.OpenState(o.state, fingerprint, r.app.env.Now().Add(-time.Duration(o.maxAge)))
	switch {
	case err != nil:
		return nil, err
	case state.Changed:
		r.app.warn("the trust policy, a trust store, a demand on signatures or this program is another than when %s was written, so everything is looked at again", named(o.state))
	case state.Torn:
		r.app.warn("%s was not written to its end; the line that was cut off is found out again", named(o.state))
	}
	if w := writableState(o.state); w != "" {
		r.app.warn("%s, who can have anything pass", w)
	}
	return archive, nil
}

// catalog gives the repositories of REGISTRY[/PREFIX].
func (r *auditRun) catalog(ctx context.Context, arg string) iter.Seq2[audit.Target, error] {
	registry, prefix, _ := strings.Cut(arg, "/")
	return func(yield func(audit.Target, error) bool) {
		for name, err := range r.client.Repositories(ctx, registry, prefix) {
			if reason.Of(err) == reason.RegistryNoCatalog {
				err = withHint(err, "give the repositories with --repositories FILE, one a line, or references with --from-file FILE"+loginHint(err), reason.RegistryNoCatalog)
			}
			if !yield(audit.Target{Reference: name, Listed: true}, err) {
				return
			}
		}
	}
}

// loginHint is what may help as well where the catalog is denied to a login.
func loginHint(err error) string {
	if _, login, ok := strings.Cut(reason.Hint(err), "; or "); ok {
		return "; or " + login
	}
	return ""
}

// run looks at the targets and tells what came of it.
func (r *auditRun) run(ctx context.Context, archive *audit.Archive) (document, error) {
	var progress audit.Progress
	shown := r.app.auditProgress(&progress, r.what)
	about := r.coverage()
	err := audit.Run(ctx, r.targets, archive, audit.Options{
		Open: r.repository, Verifier: auditVerifier{audit.Prepare(r.judge.verifier), r},
		Pace: r.pace, Tags: r.options.pattern, Shard: about.Shard, Subject: about.Of,
		Timeout: time.Duration(r.options.perArtifact), MaxAge: time.Duration(r.options.maxAge),
		ExitCode: exitCode, Now: r.app.env.Now, Progress: &progress, Warn: r.left,
	})
	shown.done()
	for _, w := range r.warnings {
		r.app.warn("%s", w)
	}
	r.app.storeWarnings(r.judge.verifier, func(statement string) bool { return r.applied[statement] })
	s := progress.Snapshot()
	if s.Absent > 0 {
		r.app.warn("%s, which then says that it does not have it: nothing there has a tag, or this login may not see it",
			plural(int(s.Absent), "repository is listed by the registry", "repositories are listed by the registry"))
	}
	doc := &auditDocument{
		Subject: r.subject, Complete: err == nil, Shard: about.Shard.String(),
		Known: s.Known, Empty: s.Empty, LeftOut: s.LeftOut, Own: s.Signatures, Referrers: s.Referrers,
	}
	if about.Complete = doc.Complete; !about.Complete || about.Shard.Count > 0 {
		doc.coverage = []audit.Coverage{about}
	}
	if about.Shard.Count > 0 {
		doc.ShardBy = about.Shard.By.String()
	}
	if !doc.Complete {
		doc.missing = "the run ended before everything was looked at"
	}
	result, err := r.app.tellAudit(doc, &r.options.reports, archive.Records(), err)
	if archive.Len() == 0 && !doc.Complete {
		return nil, err // a table of nothing tells nothing
	}
	return result, err
}

// coverage returns what the run is about. Lists have no name that is the same on
// all machines.
func (r *auditRun) coverage() audit.Coverage {
	about := audit.Coverage{Shard: r.options.part}
	if r.list == nil && len(r.subject) <= audit.MaxSubjectBytes {
		about.Of = r.subject
	}
	return about
}

// left keeps what is to be told of names that are left out.
func (r *auditRun) left(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.warnings = append(r.warnings, err)
}

// auditRepository lists what it has, and reads what earlier runs have fetched from
// the cache.
type auditRepository struct {
	oci.Repository
	tags func(context.Context) iter.Seq2[string, error]
}

// Tags implements [audit.Repository].
func (r auditRepository) Tags(ctx context.Context) iter.Seq2[string, error] { return r.tags(ctx) }

func (r *auditRun) repository(name oci.Reference) (audit.Repository, error) {
	repo, err := r.client.Repository(name)
	if err != nil {
		return nil, err
	}
	return auditRepository{r.app.content().Repository(repo), repo.Tags}, nil
}

// auditVerifier tells verdicts in the words of the command line.
type auditVerifier struct {
	verifier *notation.Verifier
	run      *auditRun
}

// Verify implements [audit.Verifier].
func (v auditVerifier) Verify(ctx context.Context, repo oci.Repository, ref oci.Reference) (*notation.Verdict, error) {
	verdict, err := v.verifier.Verify(ctx, repo, ref)
	v.run.mu.Lock()
	v.run.applied[verdict.Statement] = true
	v.run.mu.Unlock()
	return verdict, v.run.judge.inWords(verdict, err)
}
