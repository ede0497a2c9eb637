package cli

import (
	"bufio"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/audit/report"
	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// reportAbout is what the records do not say.
type reportAbout struct {
	subject  string // what was looked at
	complete bool   // everything was
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
		case seen[path]:
			return a.usage(cmd, reason.UsageFlag, "two reports cannot both be written to "+quote(path), "give each its own file")
		case path == "-" && a.format == formatJSON:
			return a.usage(cmd, reason.UsageFlag, "standard output cannot hold both a report and the JSON document", "leave --output out, or write the report to a file")
		}
		seen[path] = true
		o.reports = append(o.reports, reportTarget{name, path})
	}
	return nil
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

// write writes all reports. A file is replaced as a whole.
func (o *reportOptions) write(a *app, records iter.Seq2[audit.Record, error], about reportAbout) ([]reportJSON, error) {
	written := []reportJSON{}
	for _, r := range o.reports {
		fill := func(w io.Writer) error { return render(w, r.format, records, about) }
		var err error
		if r.path == "-" {
			err = fill(a.env.Stdout)
		} else {
			err = a.env.Files.Stream(r.path, atomicfile.ModePublic, fill)
		}
		if err != nil {
			return written, reason.Wrap(reason.AuditWrite, err, "the report %s could not be written", quote(r.path)).
				WithHint("check permissions and free space")
		}
		written = append(written, reportJSON{r.format, r.path})
	}
	return written, nil
}

// render writes a report.
func render(w io.Writer, format string, records iter.Seq2[audit.Record, error], about reportAbout) error {
	o := report.Options{Title: about.subject, Version: buildVersion().Version}
	if !about.complete {
		o.Incomplete = "the run ended before everything was looked at"
	}
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
