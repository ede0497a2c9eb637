package cli

import (
	"bufio"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/audit/report"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// reportAbout is what the records do not say.
type reportAbout struct {
	subject  string           // what was looked at
	missing  string           // why that is not all, in a clause; "": it is
	coverage []audit.Coverage // what JSON lines say that they are about
}

// reportOptions say which reports are written.
type reportOptions struct {
	given   []string
	reports []reportTarget
}

// reportTarget is one report.
type reportTarget struct {
	format string
	path   string // "-": standard output
}

func (o *reportOptions) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&o.given, "report", nil, "write a report, as `FORMAT=FILE`, of the format "+orList(report.Formats())+"; may be given again; - is standard output")
}

// check reads the flags. The files are written at the end.
func (o *reportOptions) check(a *app, cmd *cobra.Command) error {
	seen := map[string]bool{}
	for _, given := range o.given {
		name, path, ok := strings.Cut(given, "=")
		names := report.Formats()
		switch {
		case !ok || path == "":
			return a.usage(cmd, reason.UsageFlag, "flag '--report' cannot be "+quote(given), "write FORMAT=FILE, as in --report html=audit.html")
		case !slices.Contains(names, name):
			return a.usage(cmd, reason.UsageFlag, "there is no report of the format "+quote(name), "use one of "+orList(names))
		case seen[spelled(path)]:
			return a.usage(cmd, reason.UsageFlag, "two reports cannot both be written to "+quote(path), "give each its own file")
		case path == "-" && a.format == formatJSON:
			return a.usage(cmd, reason.UsageFlag, "standard output cannot hold both a report and the JSON document", "leave --output out, or write the report to a file")
		}
		seen[spelled(path)] = true
		o.reports = append(o.reports, reportTarget{name, path})
	}
	return nil
}

// spelled returns a path as it is told from others, whatever its spelling; "-" is
// standard output.
func spelled(path string) string {
	if path == "-" {
		return path
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path)
}

// toStdout reports whether a report takes the place of the usual output.
func (o *reportOptions) toStdout() bool {
	for _, r := range o.reports {
		if r.path == "-" {
			return true
		}
	}
	return false
}

// reportJSON is a report that was written.
type reportJSON struct {
	Format string `json:"format"`
	Path   string `json:"path"`
}

// probe sees whether reports can be written where they are to be, before an audit
// takes hours.
func (o *reportOptions) probe() error {
	for _, r := range o.reports {
		if r.path == "-" {
			continue
		}
		if _, err := reportMode(r.path); err != nil {
			return reportFault(r.path, err)
		}
	}
	return nil
}

// reportMode returns the permissions of a report: those of the file that it takes
// the place of, else what the umask leaves. What is unsigned where is not for
// everybody to read.
func reportMode(path string) (fs.FileMode, error) {
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
		return info.Mode().Perm(), nil
	}
	probe := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()[:8])
	f, err := os.OpenFile(probe, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return 0, pathCause(err)
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Close(), os.Remove(probe)); err != nil {
		return 0, err
	}
	return info.Mode().Perm(), nil
}

func reportFault(path string, err error) error {
	return reason.Wrap(reason.AuditWrite, err, "the report %s could not be written", quote(path)).
		WithHint("check permissions and free space")
}

// write writes all reports, also if one of them cannot be. A file is replaced as a
// whole.
func (o *reportOptions) write(a *app, records iter.Seq2[audit.Record, error], about reportAbout) ([]reportJSON, error) {
	written := []reportJSON{}
	var faults []error
	for _, r := range o.reports {
		fill := func(w io.Writer) error { return render(w, r.format, records, about) }
		var err error
		if r.path == "-" {
			err = fill(a.env.Stdout)
		} else {
			var mode fs.FileMode
			if mode, err = reportMode(r.path); err == nil {
				err = a.env.Files.Stream(r.path, mode, fill)
			}
		}
		if err != nil {
			faults = append(faults, reportFault(r.path, err))
			continue
		}
		written = append(written, reportJSON{r.format, r.path})
	}
	if len(faults) == 1 {
		return written, faults[0]
	}
	return written, errors.Join(faults...)
}

// render writes a report.
func render(w io.Writer, format string, records iter.Seq2[audit.Record, error], about reportAbout) error {
	o := report.Options{Title: about.subject, Version: buildVersion().Version, Incomplete: about.missing, Coverage: about.coverage}
	b := bufio.NewWriter(w)
	r, err := report.New(format, b, o)
	if err != nil {
		return err
	}
	for record, err := range records {
		if err == nil {
			err = r.Add(record)
		}
		if err != nil {
			return err
		}
	}
	if err := r.Close(); err != nil {
		return err
	}
	return b.Flush()
}
