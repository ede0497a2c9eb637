package report

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"strings"
)

// page is the report as one page of HTML. It loads nothing, from anywhere: its
// style, its script and its charts are in it, and its Content-Security-Policy
// forbids all else. Without the script it says the same; the script sorts and
// filters.
type page struct {
	*tally

	w *bufio.Writer
	o Options
}

var (
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	pageScript string
)

// Close writes the page.
func (p *page) Close() error {
	p.view().write(markup{p.w})
	return nil // the writer keeps its error for whoever flushes it
}

// policy returns the Content-Security-Policy of the page: nothing is loaded and
// nothing runs but the style and the script whose hashes it names (CSP Level 3,
// section 2.3.1). What is in the page is a part of this program, so the hashes
// say nothing else than that.
func policy() string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; style-src " + hash(pageStyle) + "; script-src " + hash(pageScript) + "; base-uri 'none'; form-action 'none'"
}

// view is what the page shows: words and numbers that are ready to be shown, in
// which writing them escapes whatever has a meaning in HTML.
type view struct {
	Title, Incomplete string
	Artifacts, Share  string
	Facts             []fact
	Outcomes          []slice
	Bar               []slice // those of Outcomes that there are
	BarText           string
	Signed            string

	Reasons                                 []reasonView
	MoreReasons                             string
	Signers                                 []bar
	MoreSigners                             string
	Expiry                                  chart
	Endings                                 []ending
	MoreEndings                             string
	Repositories                            []repositoryView
	MoreRepositories                        string
	Stores, Roots                           []bar
	MoreStores, MoreRoots                   string
	Statements                              []repositoryView
	MoreStatements                          string
	Details                                 []detailView
	DetailsShown, DetailsTotal, DetailsMore string
}

type fact struct{ Name, Value string }

// slice is a part of a bar that shows outcomes. Its measures are in thousandths
// of the bar.
type slice struct {
	Word, Meaning, Count, Share string
	X, Width                    int
}

// bar is a count with its share of the greatest.
type bar struct {
	Name, Note, Count, Share string
	Width                    int
}

type reasonView struct {
	Outcome, Code, Count, Share, Meaning, Remedy string
	Examples                                     []exampleView
	More                                         string
}

type exampleView struct{ Name, Message, Hint string }

type repositoryView struct {
	Name, Total, Share string
	Counts             []string
	Bar                []slice
	Text               string
}

type detailView struct {
	Outcome, Repository, Tags, Digest, By, Note, Why, Ends, SortEnds string
}

type ending struct{ Day, Count, What, By string }

// meanings say what the outcomes mean.
func meanings() [outcomes]string {
	return [outcomes]string{
		rejected:  "does not meet the trust policy",
		unsigned:  "has no signature",
		undecided: "could not be decided: something could not be read or asked",
		skipped:   "the policy says not to verify it",
		passed:    "has a signature that meets the trust policy",
	}
}

// shownOrder is that in which outcomes are shown beside each other.
func shownOrder() []outcome { return []outcome{passed, rejected, unsigned, undecided, skipped} }

func (p *page) view() *view {
	total := p.total()
	title := "Audit of signatures"
	if p.o.Title != "" {
		title = "Signatures of " + clean(p.o.Title, maxTitleBytes)
	}
	v := &view{
		Title:     title,
		Artifacts: plural(total, "artifact", "artifacts"),
		Share:     percent(p.counts[passed], total),
		Outcomes:  barOf(&p.counts, false), Bar: barOf(&p.counts, true), BarText: sentence(&p.counts),
	}
	if p.o.Incomplete != "" {
		v.Incomplete = incomplete(&p.o)
	}
	v.facts(p)
	v.Signed = p.signedSentence()
	v.reasons(p)
	v.trust(p)
	v.expiry(p)
	v.places(p)
	v.details(p)
	return v
}

func (v *view) facts(p *page) {
	add := func(name, value string) {
		if value != "" {
			v.Facts = append(v.Facts, fact{name, value})
		}
	}
	add("Artifacts", number(p.total()))
	add("Repositories", number(p.repositories.total()))
	add("Policy", clean(p.o.Policy, maxTitleBytes))
	add("Begun", instant(p.o.Started))
	add("Verified", period(p.first, p.last))
	add("As of", instant(p.o.Now))
	add("By", strings.TrimSpace("notation "+clean(p.o.Version, maxCodeBytes)))
}

// signedSentence says how much is signed, as far as it is known.
func (p *page) signedSentence() string {
	text := fmt.Sprintf("%s of them %s signed, of which %s %s the trust policy.", number(p.signed), be(p.signed), number(p.counts[passed]), meet(p.counts[passed]))
	if unknown := p.total() - p.signed - p.counts[unsigned]; unknown > 0 {
		text += fmt.Sprintf(" Of %s it is not known whether there is a signature.", number(unknown))
	}
	return text
}

func be(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func meet(n int) string {
	if n == 1 {
		return "meets"
	}
	return "meet"
}

func (v *view) reasons(p *page) {
	known := entries()
	more := p.otherReasons
	for i, k := range p.sortedReasons() {
		w := p.tally.reasons[k]
		if i >= listedReasons {
			more += w.count
			continue
		}
		entry := known[k.code]
		row := reasonView{
			Outcome: k.outcome.String(), Code: k.code, Count: number(w.count), Share: percent(w.count, p.total()),
			Meaning: cmp.Or(entry.Meaning, w.examples[0].message), Remedy: cmp.Or(entry.Remedy, w.examples[0].hint),
		}
		for _, e := range w.examples {
			row.Examples = append(row.Examples, exampleView{e.name, e.message, e.hint})
		}
		if n := w.count - len(w.examples); n > 0 {
			row.More = "and " + number(n) + " more"
		}
		v.Reasons = append(v.Reasons, row)
	}
	v.MoreReasons = restOf(more, "artifact did not pass for another reason", "artifacts did not pass for other reasons")
}

func (v *view) trust(p *page) {
	signers, _, rest := p.signers.top(listedSigners, signerKey.compare)
	for _, s := range signers {
		v.Signers = append(v.Signers, bar{s.key.String(), s.key.store, number(s.count), percent(s.count, p.counts[passed]), share(s.count, signers[0].count)})
	}
	v.MoreSigners = restOf(rest, "artifact of other signers", "artifacts of other signers")
	stores, _, rest := p.stores.top(listedRoots, strings.Compare)
	for _, s := range stores {
		v.Stores = append(v.Stores, bar{Name: s.key, Count: number(s.count), Width: share(s.count, stores[0].count)})
	}
	v.MoreStores = restOf(rest, "signature", "signatures") + inOthers(rest, "trust stores")
	roots, _, rest := p.roots.top(listedRoots, rootKey.compare)
	for _, r := range roots {
		v.Roots = append(v.Roots, bar{Name: cmp.Or(r.key.root, "(not told)"), Note: r.key.store, Count: number(r.count), Width: share(r.count, roots[0].count)})
	}
	v.MoreRoots = restOf(rest, "signature", "signatures") + inOthers(rest, "roots")
}

func (v *view) expiry(p *page) {
	v.Expiry = newChart(&p.ends.counts)
	rest := 0
	for i, k := range p.ends.next() {
		n := p.ends.days[k]
		if i >= listedEndings {
			rest += n
			continue
		}
		v.Endings = append(v.Endings, ending{k.day, number(n), k.what(), k.by()})
	}
	v.MoreEndings = restOf(rest, "artifact later", "artifacts later or among many others")
}

func (v *view) places(p *page) {
	names, others, rest := p.repositories.top(listedRepositories)
	for _, name := range names {
		v.Repositories = append(v.Repositories, newRepositoryView(name, p.repositories.counts[name]))
	}
	if others > 0 {
		v.MoreRepositories = fmt.Sprintf("and %s with %s, of which %s did not pass", plural(others, "more repository", "more repositories"),
			plural(rest.total(), "artifact", "artifacts"), number(rest.failed()))
	}
	more := p.moreStated
	for i, name := range p.sortedStatements() {
		c := p.statements[name]
		if i >= listedRoots {
			more += c.total()
			continue
		}
		v.Statements = append(v.Statements, newRepositoryView(cmp.Or(name, "(no statement applies)"), c))
	}
	v.MoreStatements = restOf(more, "artifact under other statements", "artifacts under other statements")
}

func newRepositoryView(name string, c *counts) repositoryView {
	return repositoryView{
		Name: name, Total: number(c.total()), Share: percent(c[passed], c.total()), Counts: countsRow(c), Bar: barOf(c, true), Text: sentence(c),
	}
}

func (v *view) details(p *page) {
	rows := p.tally.details.sorted()
	for _, d := range rows {
		v.Details = append(v.Details, newDetailView(d))
	}
	v.DetailsShown, v.DetailsTotal = number(len(rows)), number(p.total())
	if more := p.total() - len(rows); more > 0 {
		v.DetailsMore = plural(more, "more artifact is", "more artifacts are")
	}
}

func newDetailView(d *detail) detailView {
	r := &d.record
	row := detailView{Outcome: d.outcome.String(), Repository: r.Repository, Tags: tagList(r), Digest: string(r.Digest)}
	s := accepted(r)
	switch {
	case d.outcome != passed:
		row.Note, row.Why = string(r.Reason), r.Message
	case s == nil:
		row.By = "the signature of an index"
	default:
		signer := signerOf(s)
		row.By, row.Note = signer.String(), signer.store
		if end := s.Ends(); end.IsZero() {
			row.Ends, row.SortEnds = "never", "9999-12-31"
		} else {
			row.Ends, row.SortEnds = day(end), day(end)
		}
	}
	return row
}
