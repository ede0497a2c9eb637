package cli

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/reason"
)

// auditMerge tells what files of records amount to.
func (a *app) auditMerge(o *auditOptions, files []string) (document, error) {
	if err := o.reports.probe(); err != nil {
		return nil, err
	}
	merged, err := audit.OpenMerged(files...)
	if err != nil {
		return nil, err
	}
	doc := &auditDocument{
		Subject: plural(len(files), "file of records", "files of records"), merged: true,
		missing: merged.Missing(), coverage: merged.Coverage(),
	}
	if doc.Complete = doc.missing == ""; !doc.Complete {
		err = reason.Errorf(reason.AuditIncomplete, "the files of records are not about everything: %s", doc.missing).
			WithHint("name the files of all shards, or run again what is missing")
	}
	result, err := a.tellAudit(doc, &o.reports, merged.Records(), err)
	if closeErr := merged.Close(); err == nil {
		err = closeErr
	}
	return result, err
}

// tellAudit completes a document, writes the reports, and says whether all passed.
// err is what kept the run from looking at everything.
func (a *app) tellAudit(doc *auditDocument, reports *reportOptions, records iter.Seq2[audit.Record, error], err error) (document, error) {
	var tellErr error
	if doc.auditTable, tellErr = newAuditTable(records); tellErr != nil {
		return nil, errors.Join(tellErr, err)
	}
	if doc.merged && doc.Summary.Artifacts == 0 && err == nil {
		doc.Complete, doc.missing = false, "there was nothing to look at"
		err = reason.Errorf(reason.AuditNothing, "the files of records hold no record").WithHint("name files that runs have written")
	}
	doc.silent = reports.toStdout()
	if doc.Reports, tellErr = reports.write(a, records, doc.about()); tellErr != nil {
		if err != nil {
			tellErr = reworded{text: tellErr.Error() + "; and " + err.Error(), err: errors.Join(tellErr, err)}
		}
		return doc, auditFailure{err: tellErr, exit: worse(exitCode(tellErr), worse(exitCode(err), doc.worstExit()))}
	}
	if n := doc.Summary.Skipped; n > 0 {
		a.warn("%s not verified: a statement of the trust policy says skip", plural(n, "artifact was", "artifacts were"))
	}
	return doc, doc.failure(err)
}

// writableState returns a warning about a state file in which users other than its
// owner may write, or "". A directory with the sticky bit lets nobody replace
// another's files; that a group shares one, as on a volume, is meant.
func writableState(path string) string {
	const groupOrOthers, others = 0o022, 0o002
	if runtime.GOOS == "windows" {
		return "" // modes say nothing there
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&groupOrOthers != 0 {
		return fmt.Sprintf("the state file %s may be written by other users (mode %04o)", named(path), info.Mode().Perm())
	}
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&others != 0 && info.Mode()&os.ModeSticky == 0 {
		return fmt.Sprintf("the directory %s of the state file may be written by other users (mode %04o)", named(dir), info.Mode().Perm())
	}
	return ""
}

// auditFailure is the error of an audit. Its exit code is that of the worst
// artifact, or of what kept it from looking at all of them.
type auditFailure struct {
	err  error
	exit int
}

func (e auditFailure) Error() string { return e.err.Error() }
func (e auditFailure) Unwrap() error { return e.err }

// failure returns why not all have passed, nil if they have.
func (d *auditDocument) failure(err error) error {
	s, worst := &d.Summary, d.worstExit()
	if worst == exitOK {
		return err
	}
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{{s.Rejected, "rejected"}, {s.Unsigned, "unsigned"}, {s.Undecided, "undecided"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	text := fmt.Sprintf("%d of %s did not pass: %s", s.Rejected+s.Unsigned+s.Undecided, count(s.Artifacts, "artifact"), strings.Join(parts, ", "))
	if err != nil {
		return auditFailure{reworded{text: err.Error() + "; of what was looked at, " + text, err: err}, worse(exitCode(err), worst)}
	}
	return auditFailure{reason.Errorf(reason.AuditNotPassed, "%s", text).
		WithHint("see above for which and why; --report jsonl=FILE lists all of them"), worst}
}
