package audit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
)

// Coverage is a part of an audit, and whether everything in it was looked at.
// Records do not show what is missing, so files of them say so in lines of their
// own: without these, a shard that died would merge into a good report.
type Coverage struct {
	// Of names what was audited, such as registry.example/team, in at most
	// [MaxSubjectBytes]; "": it has no name that is the same on all machines.
	Of       string
	Shard    Shard // the zero value: all of it
	Complete bool
}

// The words of a mark about a run.
const (
	runBegun      = "begun"      // in a state file; what was undecided before counts no more
	runComplete   = "complete"   // everything was looked at
	runIncomplete = "incomplete" // in a report: it was not
)

// mark is a line of a file of records that is none: it begins with the member
// "audit", which no record does.
type mark struct {
	Audit string `json:"audit"` // FormatVersion
	// Fingerprint is that of what the verdicts rest on. With it, the mark is the
	// first line of a state file, or a later one before which nothing counts.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Run is one of the words above, and the rest says what the run is about.
	Run     string `json:"run,omitempty"`
	Of      string `json:"of,omitempty"`
	Shard   string `json:"shard,omitempty"`
	ShardBy string `json:"shardBy,omitempty"`
}

const markBegin = `{"audit":`

var errMark = errors.New("it is neither a record nor a mark")

// errVersion is the cause where a file is newer than this program.
type errVersion string

func (e errVersion) Error() string {
	return "it is of version " + quote(string(e)) + ", which this program does not know"
}

// parseMark reports whether a line is a mark, and reads it.
func parseMark(text []byte) (m mark, ok bool, err error) {
	if !bytes.HasPrefix(text, []byte(markBegin)) {
		return mark{}, false, nil
	}
	switch err := strictjson.UnmarshalOpen(trimmed(text), &m); {
	case err != nil:
		return mark{}, true, errors.Join(errMark, err)
	case m.Audit != FormatVersion:
		return mark{}, true, errVersion(m.Audit)
	case !slices.Contains([]string{"", runBegun, runComplete, runIncomplete}, m.Run), len(m.Of) > MaxSubjectBytes:
		return mark{}, true, errMark
	}
	_, err = m.coverage()
	return m, true, err
}

// coverage returns what a run is about.
func (m *mark) coverage() (c Coverage, err error) {
	c = Coverage{Of: m.Of, Complete: m.Run == runComplete}
	if m.Shard == "" {
		return c, nil
	}
	if c.Shard, err = ParseShard(m.Shard); err == nil {
		c.Shard.By, err = ParseDivision(m.ShardBy)
	}
	return c, err
}

// line returns a mark about a part, with its line feed.
func (c Coverage) line(run string) ([]byte, error) {
	m := mark{Audit: FormatVersion, Run: run, Of: c.Of, Shard: c.Shard.String()}
	if m.Shard != "" {
		m.ShardBy = c.Shard.By.String()
	}
	if len(m.Of) > MaxSubjectBytes {
		return nil, reason.Errorf(reason.AuditRecord, "the name of what is audited is longer than %d bytes", MaxSubjectBytes)
	}
	text, err := strictjson.Marshal(m)
	return append(strictjson.EscapeUnprintable(text), '\n'), err
}

// Encode returns the line that says so in a file of records, with its line feed;
// nil if there is nothing to say, as everything there is was looked at. The error
// has the code audit.record: Of is too long.
func (c Coverage) Encode() ([]byte, error) {
	switch {
	case !c.Complete:
		return c.line(runIncomplete)
	case c.Shard != Shard{}:
		return c.line(runComplete)
	}
	return nil, nil
}

// covered is which parts files of records are about, and whether all of each was
// looked at. Complete is not set in its keys.
type covered map[Coverage]bool

// note keeps what a file says. What it says later counts.
func (c covered) note(part Coverage) {
	key := part
	key.Complete = false
	c[key] = part.Complete
}

// add adds what another file says. It is enough that one is complete.
func (c covered) add(other covered) error {
	for part, complete := range other {
		c[part] = c[part] || complete
	}
	if len(c) > MaxCoverage {
		return reason.Errorf(reason.AuditTooMany, "the files of records are about more than %d parts of audits", MaxCoverage).WithHint("merge fewer at a time")
	}
	return nil
}

// list returns the parts, those of one audit together.
func (c covered) list() []Coverage {
	parts := make([]Coverage, 0, len(c))
	for part, complete := range c {
		part.Complete = complete
		parts = append(parts, part)
	}
	slices.SortFunc(parts, func(a, b Coverage) int {
		return cmp.Or(strings.Compare(a.Of, b.Of), cmp.Compare(a.Shard.By, b.Shard.By), cmp.Compare(a.Shard.Count, b.Shard.Count), cmp.Compare(a.Shard.Index, b.Shard.Index))
	})
	return parts
}

// missing says in a clause what is missing; "": nothing is. Parts are those of
// one audit if they have the same name, division and number of shards.
func (c covered) missing() string {
	there := map[Coverage]map[int]bool{} // by the whole, shards that are complete
	for part, complete := range c {
		whole := part
		whole.Shard.Index = 0
		if there[whole] == nil {
			there[whole] = map[int]bool{}
		}
		if complete {
			there[whole][part.Shard.Index] = true
		}
	}
	wholes := covered{}
	for whole, shards := range there {
		if len(shards) < max(whole.Shard.Count, 1) {
			wholes[whole] = false
		}
	}
	var texts []string
	for i, whole := range wholes.list() {
		if i == maxMissing {
			texts = append(texts, fmt.Sprintf("%d more audits are not whole", len(wholes)-i))
			break
		}
		texts = append(texts, missingText(whole, there[Coverage{Of: whole.Of, Shard: whole.Shard}]))
	}
	return strings.Join(texts, "; ")
}

// missingText says which shards of an audit are missing.
func missingText(whole Coverage, there map[int]bool) string {
	of := ""
	if whole.Of != "" {
		of = " of " + quote(whole.Of)
	}
	if whole.Shard.Count == 0 {
		return "an audit" + of + " ended before everything was looked at"
	}
	n := whole.Shard.Count - len(there)
	var names []string
	for i := 0; len(names) < min(n, maxMissing); i++ {
		if !there[i] {
			names = append(names, Shard{Index: i, Count: whole.Shard.Count}.String())
		}
	}
	text := strings.Join(names, ", ")
	if more := n - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if n == 1 {
		return "shard " + text + of + " is missing or ended before its end"
	}
	return "shards " + text + of + " are missing or ended before their end"
}

// parts returns the parts that are to be told of: none if nothing is missing.
func (c covered) parts() []Coverage {
	if c.missing() == "" {
		return nil
	}
	return c.list()
}
