package cli

import (
	"context"
	"iter"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// isLong opens the list of --from-file, if there is one, and reports whether
// there are more references than verdicts are kept of. What is not in a registry,
// or asks for several verdicts about each reference, is refused then.
func (o *verifyOptions) isLong(ctx context.Context, a *app, cmd *cobra.Command, more int) (bool, error) {
	if o.targets.fromFile == "" || o.targets.layout || o.recursive || len(o.platforms) > 0 {
		return false, nil // the list is read as a whole, and must be shorter
	}
	if err := o.targets.checkStdin(a, cmd); err != nil {
		return false, err
	}
	var err error
	if o.targets.list, err = a.openReferences(ctx, o.targets.fromFile); err != nil {
		return false, err
	}
	for _, err := range o.targets.list.references() {
		if err != nil {
			return false, err
		}
		if more++; more > maxReferences {
			return true, nil
		}
	}
	return false, nil
}

// verifyLong verifies more references than verdicts are kept of, and tells what
// they amount to.
func (a *app) verifyLong(ctx context.Context, cmd *cobra.Command, o *verifyOptions, args []string) (document, error) {
	targets := o.longTargets(args)
	if err := o.targets.list.check(targets); err != nil {
		return nil, err
	}
	judge, err := a.judge(ctx, cmd, &o.judge)
	if err != nil {
		return nil, err
	}
	if err := o.reports.probe(); err != nil {
		return nil, err
	}
	options := &auditOptions{
		registry: o.targets.registry, judge: o.judge, reports: o.reports,
		perArtifact: waitFlag(audit.DefaultTimeout), maxAge: waitFlag(audit.DefaultMaxAge),
	}
	r := &auditRun{app: a, options: options, judge: judge, list: o.targets.list, targets: targets, subject: o.targets.fromFile, what: "references"}
	return r.start(ctx, cmd)
}

// longTargets gives the references of the command line and of the list.
func (o *verifyOptions) longTargets(args []string) iter.Seq2[audit.Target, error] {
	return func(yield func(audit.Target, error) bool) {
		for _, arg := range args {
			t, err := o.targets.parse(arg)
			if !yield(audit.Target{Reference: t.ref}, err) || err != nil {
				return
			}
		}
		for line, err := range o.targets.list.references() {
			var t target
			if err == nil {
				if t, err = o.targets.parse(line.text); err != nil {
					err = refError{named(line.where), err}
				}
			}
			if !yield(audit.Target{Reference: t.ref}, err) || err != nil {
				return
			}
		}
	}
}

// paced decides about one artifact when it is its turn.
func (j *judge) paced(pace *audit.Pace) decider {
	return func(ctx context.Context, repo oci.Repository, ref oci.Reference) []notation.Decision {
		var d notation.Decision
		err := pace.Do(ctx, ref.Registry(), func(ctx context.Context) error {
			d.Verdict, d.Err = j.verifier.Verify(ctx, repo, ref)
			return d.Err
		})
		if d.Verdict == nil {
			d.Err = err // there was no turn
		}
		return []notation.Decision{d}
	}
}

// reportVerdicts writes the reports of verify. err is what keeps artifacts from
// passing.
func (a *app) reportVerdicts(o *verifyOptions, doc *verifyDocument, err error) (document, error) {
	if len(o.reports.reports) == 0 {
		return doc, err
	}
	archive, reportErr := audit.NewArchive()
	if reportErr == nil {
		reportErr = doc.record(archive, o.judge.scope, a)
		if reportErr == nil {
			about := reportAbout{subject: count(len(doc.Verdicts), "reference")}
			doc.Reports, reportErr = o.reports.write(a, archive.Records(), about)
		}
		if closeErr := archive.Close(); reportErr == nil {
			reportErr = closeErr
		}
	}
	doc.silent = o.reports.toStdout()
	if reportErr != nil {
		return doc, auditFailure{reportErr, worse(exitCode(reportErr), exitCode(err))}
	}
	return doc, err
}

// record adds what was decided to an archive. scope is the repository of image
// layouts.
func (d *verifyDocument) record(archive *audit.Archive, scope string, a *app) error {
	for _, v := range d.Verdicts {
		repository := v.target.ref.Name()
		if v.target.path != "" {
			repository = scope
		}
		var tags []string
		if tag := v.target.ref.Tag(); tag != "" && !v.more {
			tags = []string{tag}
		}
		r := audit.NewRecord(repository, tags, v.Verdict, v.err, v.ExitCode)
		if r.Digest == "" {
			r.Digest = v.target.ref.Digest()
		}
		if r.Time.IsZero() {
			r.Time = a.env.Now().UTC()
		}
		if err := archive.Add(r); err != nil {
			return reason.Wrap(reason.AuditWrite, err, "the reports could not be written")
		}
	}
	return nil
}
