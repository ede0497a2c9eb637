package cli

import (
	"cmp"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/reason"
)

// maxNotPassed bounds the artifacts that did not pass and are listed by name.
// Reports of records have all.
const maxNotPassed = 100

// maxNotPassedMessage bounds, in characters, what is told of each: files of records
// may be from anywhere.
const maxNotPassedMessage = 5000

// auditTable is what people are shown of an audit, however large.
type auditTable struct {
	Summary audit.Summary `json:"summary"`
	// NotPassed are the first that did not.
	NotPassed []notPassedJSON `json:"notPassed"`
}

// notPassedJSON is an artifact that did not pass.
type notPassedJSON struct {
	Name    string      `json:"name"`
	Tags    []string    `json:"tags,omitempty"`
	Outcome string      `json:"outcome"`
	Reason  reason.Code `json:"reason,omitempty"`
	Message string      `json:"message,omitempty"`
}

// newAuditTable sums up records.
func newAuditTable(records iter.Seq2[audit.Record, error]) (*auditTable, error) {
	t := &auditTable{NotPassed: []notPassedJSON{}}
	var err error
	t.Summary, err = audit.Summarize(func(yield func(audit.Record, error) bool) {
		for r, err := range records {
			if err == nil && r.Outcome != passedWord && len(t.NotPassed) < maxNotPassed {
				t.NotPassed = append(t.NotPassed, notPassedJSON{r.Name(), r.Tags, r.Outcome, r.Reason, shorten(r.Message, maxNotPassedMessage)})
			}
			if !yield(r, err) {
				return
			}
		}
	})
	return t, err
}

// passedWord is the outcome of an artifact that is good.
const passedWord = "passed"

// worstExit is the exit code that the records amount to.
func (t *auditTable) worstExit() int {
	worst := exitOK
	for code, n := range t.Summary.ExitCodes() {
		if n > 0 {
			worst = worse(worst, code)
		}
	}
	return worst
}

func (t *auditTable) text(p *page, about reportAbout) {
	s := &t.Summary
	p.line("%s in %s: %s", count(s.Artifacts, "artifact"), plural(s.Repositories, "repository", "repositories"), about.subject)
	if about.missing != "" {
		p.styledLine(bad, "This is not all: see the error.")
	}
	rows := [][]cell{}
	for _, o := range []struct {
		word  string
		n     int
		style style
		note  string
	}{
		{"passed", s.Passed, good, ""},
		{"rejected", s.Rejected, bad, noteOf(s.NoStatement, fmt.Sprintf("%d to which no statement of the trust policy applies", s.NoStatement))},
		{"unsigned", s.Unsigned, bad, ""},
		{"undecided", s.Undecided, bad, noteOf(s.Unlisted, plural(s.Unlisted, "repository that could not be listed", "repositories that could not be listed"))},
		{"skipped", s.Skipped, warned, "not verified, as the trust policy says"},
	} {
		if o.n == 0 {
			o.style, o.note = plain, ""
		}
		line := []cell{{o.word, o.style}, {fmt.Sprintf("%*d", digits(s.Artifacts), o.n), o.style}, {text: percent(o.n, s.Artifacts)}}
		if o.note != "" {
			line = append(line, cell{text: o.note})
		}
		rows = append(rows, line)
	}
	p.table("  ", rows)
	t.reasonsText(p)
	t.signersText(p)
	t.endsText(p)
	t.notPassedText(p)
}

// noteOf is a note about n of them, if there are any.
func noteOf(n int, note string) string {
	if n == 0 {
		return ""
	}
	return note
}

func digits(n int) int { return len(fmt.Sprint(n)) }

// plural is count for a word whose plural has another form.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// percent never says that all, or none, are it if that is not so.
func percent(n, of int) string {
	if of == 0 {
		return ""
	}
	share := 1000 * n / of
	if n > 0 && share == 0 {
		return "< 0.1%"
	}
	return fmt.Sprintf("%d.%d%%", share/10, share%10)
}

func (t *auditTable) reasonsText(p *page) {
	if len(t.Summary.Reasons) == 0 {
		return
	}
	p.line("Why not")
	rows := [][]cell{faintRow("ARTIFACTS", "OUTCOME", "REASON")}
	for _, r := range t.Summary.Reasons {
		rows = append(rows, row(fmt.Sprint(r.Artifacts), r.Outcome, string(r.Reason)))
	}
	if n := t.Summary.MoreReasons; n > 0 {
		rows = append(rows, row(fmt.Sprint(n), "others", "-"))
	}
	p.table("  ", rows)
}

func (t *auditTable) signersText(p *page) {
	if len(t.Summary.Signers) == 0 {
		return
	}
	p.line("Signed by")
	rows := [][]cell{faintRow("ARTIFACTS", "SIGNER", "TRUST STORE")}
	for _, s := range t.Summary.Signers {
		rows = append(rows, row(fmt.Sprint(s.Artifacts), cmp.Or(s.Signer, "nobody vouches for the signer"), cmp.Or(s.Store, "-")))
	}
	if n := t.Summary.MoreSigners; n > 0 {
		rows = append(rows, row(fmt.Sprint(n), "others", "-"))
	}
	p.table("  ", rows)
}

func (t *auditTable) endsText(p *page) {
	if len(t.Summary.Expiring) == 0 {
		return
	}
	p.line("Ends next")
	rows := [][]cell{faintRow("TIME", "ARTIFACTS", "SIGNER", "SUCH AS")}
	for _, e := range t.Summary.Expiring {
		rows = append(rows, row(e.Time.UTC().Format(time.RFC3339), fmt.Sprint(e.Artifacts), cmp.Or(commonName(e.Signer), "-"), e.Example))
	}
	p.table("  ", rows)
}

func (t *auditTable) notPassedText(p *page) {
	if len(t.NotPassed) == 0 {
		return
	}
	p.line("Did not pass")
	for _, n := range t.NotPassed {
		tags := ""
		if len(n.Tags) > 0 && !strings.HasSuffix(n.Name, ":"+n.Tags[0]) {
			tags = " (" + shorten(strings.Join(n.Tags, ", "), maxName) + ")"
		}
		p.line("  %s %s%s", n.Outcome, n.Name, tags)
		if n.Message != "" {
			p.line("    %s [%s]", n.Message, n.Reason)
		}
	}
	if all := t.Summary.Artifacts - t.Summary.Passed; all > len(t.NotPassed) {
		p.line("  and %d more, which --report jsonl=FILE lists", all-len(t.NotPassed))
	}
}

// auditDocument is the result of audit.
type auditDocument struct {
	*auditTable
	Subject  string `json:"subject"`  // what was looked at
	Complete bool   `json:"complete"` // everything was
	Shard    string `json:"shard,omitempty"`
	ShardBy  string `json:"shardBy,omitempty"`
	Known    int64  `json:"known"`      // artifacts of which a state file said enough
	Empty    int64  `json:"empty"`      // repositories in which nothing has a tag
	LeftOut  int64  `json:"leftOut"`    // names that are none
	Own      int64  `json:"signatures"` // artifacts that are signatures themselves, and were left out
	// Referrers are indexes under tags of the referrers tag schema, which were left
	// out.
	Referrers int64        `json:"referrers"`
	Reports   []reportJSON `json:"reports"`

	merged   bool             // from files
	missing  string           // why it is not complete, in a clause
	coverage []audit.Coverage // what the records are about, if not everything
	silent   bool             // a report has taken the place of the text
}

func (d *auditDocument) about() reportAbout { return reportAbout{d.Subject, d.missing, d.coverage} }

func (d *auditDocument) text(p *page) {
	if d.silent {
		return
	}
	d.auditTable.text(p, d.about())
	for _, line := range []struct {
		n         int64
		one, many string
	}{
		{d.Known, "artifact had been looked at by an earlier run", "artifacts had been looked at by earlier runs"},
		{d.Empty, "repository has no tags", "repositories have no tags"},
		{d.Own, "artifact is a signature itself and was left out", "artifacts are signatures themselves and were left out"},
		{d.Referrers, "list of referrers was left out", "lists of referrers were left out"},
		{d.LeftOut, "name that the registry lists cannot be used and was left out", "names that the registry lists cannot be used and were left out"},
	} {
		if line.n > 0 {
			p.line("%s", plural(int(line.n), line.one, line.many))
		}
	}
	for _, r := range d.Reports {
		p.line("Wrote %s", r.Path)
	}
}
