package report

import (
	"bufio"
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"
)

// table is the report as plain text.
type table struct {
	*tally

	w *bufio.Writer
	o Options
}

// Close writes the table.
func (t *table) Close() error {
	t.head()
	t.outcomes()
	t.whys()
	t.signedBy()
	t.expiries()
	t.byStatement()
	t.byRepository()
	return nil
}

func (t *table) printf(format string, args ...any) { fmt.Fprintf(t.w, format, args...) }

// head says what the report is about.
func (t *table) head() {
	title := "Audit"
	if t.o.Title != "" {
		title += " of " + clean(t.o.Title, maxTitleBytes)
	}
	t.printf("%s\n", title)
	t.printf("%s in %s", plural(t.total(), "artifact", "artifacts"), plural(t.repositories.total(), "repository", "repositories"))
	if when := period(t.first, t.last); when != "" {
		t.printf(", verified %s", when)
	}
	t.printf("\n")
	if t.o.Incomplete != "" {
		t.printf("%s\n", incomplete(&t.o))
	}
	if t.o.Policy != "" {
		t.printf("Policy: %s\n", clean(t.o.Policy, maxTitleBytes))
	}
}

// outcomes says how many artifacts have each outcome.
func (t *table) outcomes() {
	var rows [][]string
	for _, o := range []outcome{passed, rejected, unsigned, undecided, skipped} {
		rows = append(rows, []string{number(t.counts[o]), percent(t.counts[o], t.total()), o.String()})
	}
	t.section("Outcome", "", rows)
}

// whys says what fails, why, and what to do about it.
func (t *table) whys() {
	keys := t.sortedReasons()
	if len(keys) == 0 {
		return
	}
	t.printf("\nWhy artifacts did not pass\n")
	known := entries()
	more := t.otherReasons
	for i, k := range keys {
		w := t.reasons[k]
		if i >= listedInText {
			more += w.count
			continue
		}
		t.printf("  %s %s: %s\n", number(w.count), k.outcome, k.code)
		entry := known[k.code]
		if text := cmp.Or(entry.Meaning, w.examples[0].message); text != "" {
			t.printf("      %s\n", text)
		}
		if text := cmp.Or(entry.Remedy, w.examples[0].hint); text != "" {
			t.printf("      Remedy: %s\n", text)
		}
		for _, e := range w.examples {
			t.printf("      - %s\n", e.name)
		}
	}
	t.more(more, "artifact, for other reasons", "artifacts, for other reasons")
}

// signedBy says by whom artifacts are signed, and under which roots.
func (t *table) signedBy() {
	var rows [][]string
	signers, _, rest := t.signers.top(listedInText, signerKey.compare)
	for _, s := range signers {
		rows = append(rows, []string{number(s.count), percent(s.count, t.total()), s.key.String(), s.key.store})
	}
	t.section("Signed by", restOf(rest, "artifact of other signers", "artifacts of other signers"), rows)

	rows = nil
	stores, _, rest := t.stores.top(listedInText, strings.Compare)
	for _, s := range stores {
		rows = append(rows, []string{number(s.count), s.key})
	}
	t.section("Signatures by trust store", restOf(rest, "signature", "signatures")+inOthers(rest, "trust stores"), rows)

	rows = nil
	roots, _, rest := t.roots.top(listedInText, rootKey.compare)
	for _, r := range roots {
		rows = append(rows, []string{number(r.count), cmp.Or(r.key.root, "(not told)"), r.key.store})
	}
	t.section("Signatures by root", restOf(rest, "signature", "signatures")+inOthers(rest, "roots"), rows)
}

func inOthers(rest int, what string) string {
	if rest == 0 {
		return ""
	}
	return " under other " + what
}

// String returns the name of a signer, or says why there is none.
func (a signerKey) String() string {
	switch {
	case a.store == "":
		return "(nobody vouches for who signed)"
	case a.signer == "":
		return "(not told)"
	}
	return a.signer
}

// expiries says what expires when.
func (t *table) expiries() {
	if t.counts[passed] == 0 {
		return
	}
	var rows [][]string
	for b, n := range t.ends.counts {
		if n > 0 || bucket(b) < never {
			rows = append(rows, []string{number(n), percent(n, t.counts[passed]), bucket(b).String()})
		}
	}
	t.section("Signatures that artifacts pass by expire", "", rows)
	rows = nil
	rest := 0
	for i, k := range t.ends.next() {
		if i < listedInText {
			rows = append(rows, []string{number(t.ends.days[k]), k.day, k.what(), k.by()})
		} else {
			rest += t.ends.days[k]
		}
	}
	t.section("Next to expire", restOf(rest, "artifact later", "artifacts later or among many others"), rows)
}

func (a endingKey) what() string {
	if a.certificate {
		return "certificate"
	}
	return "signature"
}

func (a endingKey) by() string { return cmp.Or(a.signer, "(nobody vouches for who signed)") }

// byStatement says which statements of the policy applied.
func (t *table) byStatement() {
	var rows [][]string
	rest := t.moreStated
	for i, name := range t.sortedStatements() {
		c := t.statements[name]
		if i >= listedInText {
			rest += c.total()
			continue
		}
		rows = append(rows, append(countsRow(c), cmp.Or(name, "(no statement applies)")))
	}
	t.grid("Policy statements", "statement", restOf(rest, "artifact under other statements", "artifacts under other statements"), rows)
}

// byRepository says where artifacts do not pass.
func (t *table) byRepository() {
	names, others, rest := t.repositories.top(listedInText)
	var rows [][]string
	for _, name := range names {
		rows = append(rows, append(countsRow(t.repositories.counts[name]), name))
	}
	more := ""
	if others > 0 {
		more = fmt.Sprintf("and %s with %s, of which %s did not pass", plural(others, "more repository", "more repositories"),
			plural(rest.total(), "artifact", "artifacts"), number(rest.failed()))
	}
	t.grid("Repositories, worst first", "repository", more, rows)
}

// countsRow returns the cells of a grid.
func countsRow(c *counts) []string {
	return []string{number(c[passed]), number(c[rejected]), number(c[unsigned]), number(c[undecided]), number(c[skipped])}
}

// grid writes a section whose rows are counts by outcome and a name.
func (t *table) grid(title, what, more string, rows [][]string) {
	if len(rows) > 0 {
		t.section(title, more, append([][]string{{"passed", "rejected", "unsigned", "undecided", "skipped", what}}, rows...))
	}
}

// restOf tells what is not listed; "" for nothing.
func restOf(n int, one, many string) string {
	if n == 0 {
		return ""
	}
	return "and " + plural(n, one, many)
}

func (t *table) more(n int, one, many string) {
	if n > 0 {
		t.printf("  %s\n", restOf(n, one, many))
	}
}

// section writes rows in columns: cells that begin with a digit to the right, as
// do the titles above them, others to the left.
func (t *table) section(title, more string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	t.printf("\n%s\n", title)
	widths, right := make([]int, len(rows[0])), make([]bool, len(rows[0]))
	last := rows[len(rows)-1]
	for i := range widths {
		right[i] = isCount(last[i])
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if right[i] {
				b.WriteString("  " + pad + cell)
			} else {
				b.WriteString("  " + cell + pad)
			}
		}
		t.printf("%s\n", strings.TrimRight(b.String(), " "))
	}
	if more != "" {
		t.printf("  %s\n", more)
	}
}

// isCount reports whether a cell holds a number or a share.
func isCount(s string) bool { return s != "" && strings.Trim(s, "0123456789,.<% ") == "" }
