package report

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/reason"
)

// The forms of a report, as [New] takes them.
const (
	Table     = "table"
	JSONLines = "jsonl"
	JUnit     = "junit"
	SARIF     = "sarif"
	HTML      = "html"
)

// Formats returns the forms that [New] knows. The slice is the caller's.
func Formats() []string { return []string{Table, JSONLines, JUnit, SARIF, HTML} }

// Renderer writes a report. It is not safe for concurrent use.
type Renderer interface {
	// Add takes one record. An error has the code audit.write, or audit.record
	// for a record that is too long for JSON lines, and ends the report: what was
	// written is not to be used.
	Add(r audit.Record) error
	// Close ends the report and writes what is still missing of it. Without it,
	// or with an error, which has the code audit.write, the report is not
	// complete. The writer under it stays open.
	Close() error
}

// Options say what a report is about. All may be left out. None of them changes
// JSON lines but Coverage, which nothing else looks at.
type Options struct {
	// Title is what was audited, such as "registry.example.com/team".
	Title string
	// Policy is what it was judged by, in words.
	Policy string
	// Version is that of the program, as the SARIF form tells it.
	Version string
	// Incomplete says, in a clause, why not everything was looked at; "":
	// everything was. A report that is not about everything says so first.
	Incomplete string
	// Coverage is which parts of audits the records are, where that is not all
	// there is. JSON lines say so first, so that whoever merges them learns it.
	Coverage []audit.Coverage
	// Started is when the audit began; zero: not told.
	Started time.Time
	// Now is the time at which the table and the page are to be true: what has
	// expired by then has expired. Zero: each record counts as of its own time,
	// so that the report depends on the records alone.
	Now time.Time
	// Details is how many artifacts the page lists one by one, those first that
	// did not pass, at most [MaxDetails]; 0: [DefaultDetails]; negative: none.
	Details int
}

// details returns how many artifacts are listed.
func (o *Options) details() int {
	return max(0, min(cmp.Or(o.Details, DefaultDetails), MaxDetails))
}

// New returns a renderer of one of the [Formats] that writes to w. It buffers by
// itself. The error has the code audit.format: there is no such form.
func New(format string, w io.Writer, o Options) (Renderer, error) {
	b := bufio.NewWriterSize(w, 64<<10)
	var form Renderer
	switch format {
	case Table:
		form = &table{w: b, o: o, tally: newTally(&o, 0)}
	case JSONLines:
		form = &jsonLines{w: b, about: o.Coverage}
	case JUnit:
		form = &junit{w: b, o: o}
	case SARIF:
		form = &sarif{w: b, o: o}
	case HTML:
		form = &page{w: b, o: o, tally: newTally(&o, o.details())}
	default:
		return nil, reason.Errorf(reason.AuditFormat, "there is no form of report called %s", quote(format)).
			WithHint("use one of %s", strings.Join(Formats(), ", "))
	}
	return &checked{form: form, w: b}, nil
}

var errClosed = errors.New("the report was closed already")

// checked gives the errors of a form their code, keeps the first, and sees to it
// that whatever was written arrives.
type checked struct {
	form Renderer
	w    *bufio.Writer
	err  error
}

func (c *checked) Add(r audit.Record) error {
	if c.err == nil {
		c.err = writeFault(c.form.Add(r))
	}
	return c.err
}

func (c *checked) Close() error {
	if c.err != nil {
		return c.err
	}
	err := c.form.Close()
	if err == nil {
		err = c.w.Flush()
	}
	if c.err = writeFault(err); c.err != nil {
		return c.err
	}
	c.err = writeFault(errClosed)
	return nil
}

func writeFault(err error) error {
	if err == nil || reason.Of(err) != "" {
		return err
	}
	return reason.Wrap(reason.AuditWrite, err, "the report could not be written").WithHint("check permissions and free space")
}

// jsonLines writes the records as they are, after what they are about.
type jsonLines struct {
	w     *bufio.Writer
	about []audit.Coverage // that is still to be written
}

func (j *jsonLines) begin() error {
	for _, c := range j.about {
		line, err := c.Encode()
		if err != nil {
			return err
		}
		j.w.Write(line) // it keeps its error for the next
	}
	j.about = nil
	return nil
}

func (j *jsonLines) Add(r audit.Record) error {
	if err := j.begin(); err != nil {
		return err
	}
	line, err := r.Encode()
	if err != nil {
		return err
	}
	_, err = j.w.Write(line)
	return err
}

func (j *jsonLines) Close() error { return j.begin() }

// outcome is that of a record, from what is worst to what is best: the order in
// which a report lists artifacts.
type outcome int

const (
	rejected outcome = iota
	unsigned
	undecided
	skipped
	passed
	outcomes // how many there are
)

// outcomeWords are those of [audit.Record].
func outcomeWords() [outcomes]string {
	return [outcomes]string{"rejected", "unsigned", "undecided", "skipped", "passed"}
}

func (o outcome) String() string { return outcomeWords()[o] }

// outcomeOf returns the outcome of a record. What is none is not decided.
func outcomeOf(r *audit.Record) outcome {
	words := outcomeWords()
	if i := slices.Index(words[:], r.Outcome); i >= 0 {
		return outcome(i)
	}
	return undecided
}

// failed reports whether something stands in the way of the artifact. Skipped is
// not failed: somebody has decided not to look.
func (o outcome) failed() bool { return o < skipped }

// definite reports whether the artifact was looked at and does not pass. A record
// that says rejected, and for whose exit code it is the policy or the reference
// that is wrong, says nothing about the artifact (specs/cli-json.md, "Exit
// codes").
func definite(r *audit.Record) bool {
	o := outcomeOf(r)
	return o == unsigned || o == rejected && r.ExitCode != 2 && r.ExitCode != 3
}

// counts is how many artifacts have each outcome.
type counts [outcomes]int

func (c *counts) total() int {
	n := 0
	for _, k := range c {
		n += k
	}
	return n
}

func (c *counts) failed() int { return c[rejected] + c[unsigned] + c[undecided] }

func (c *counts) add(other *counts) {
	for i, k := range other {
		c[i] += k
	}
}
