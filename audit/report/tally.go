package report

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// tally is what the table and the page are made from. Its size is bounded.
//
// Whatever is added up does not depend on the order of records, within the
// bounds: ties are broken by name. Of repositories that holds beyond the bound as
// well if the records of each come together.
type tally struct {
	o Options

	counts
	signed      int // that have a signature, whether or not it is good
	first, last time.Time

	repositories repositories
	signers      counter[signerKey] // artifacts, by whose signature they pass
	stores       counter[string]    // signatures that passed
	roots        counter[rootKey]   // likewise
	statements   map[string]*counts
	moreStated   int // artifacts of other statements
	reasons      map[reasonKey]*why
	otherReasons int
	ends         endings
	details      details
}

// signerKey is by whom an artifact was signed. The zero value: nobody vouches
// for who it was.
type signerKey struct{ signer, store string }

func (a signerKey) compare(b signerKey) int {
	return cmp.Or(cmp.Compare(a.signer, b.signer), cmp.Compare(a.store, b.store))
}

// rootKey is a root certificate in a trust store.
type rootKey struct{ root, store string }

func (a rootKey) compare(b rootKey) int {
	return cmp.Or(cmp.Compare(a.root, b.root), cmp.Compare(a.store, b.store))
}

type reasonKey struct {
	outcome outcome
	code    string
}

// why is how often a reason stands in the way, with some artifacts in whose way
// it does.
type why struct {
	count    int
	examples []example // in their order
}

type example struct{ name, message, hint string }

func newTally(o *Options, details int) *tally {
	t := &tally{o: *o, statements: map[string]*counts{}, reasons: map[reasonKey]*why{}}
	t.repositories.counts = map[string]*counts{}
	t.signers.limit, t.stores.limit, t.roots.limit = maxSigners, maxStores, maxRoots
	t.ends.days = map[endingKey]int{}
	t.details.limit = details
	return t
}

// Add counts a record.
func (t *tally) Add(r audit.Record) error {
	o := outcomeOf(&r)
	t.counts[o]++
	if len(r.Signatures) > 0 || o == passed {
		t.signed++
	}
	if !r.Time.IsZero() && (t.first.IsZero() || r.Time.Before(t.first)) {
		t.first = r.Time
	}
	if r.Time.After(t.last) {
		t.last = r.Time
	}
	t.repositories.add(clean(r.Repository, maxNameBytes), o)
	t.addStatement(clean(r.Statement, maxNameBytes), o)
	if o == passed {
		t.pass(&r)
	} else {
		t.explain(&r, o)
	}
	t.details.add(&r, o)
	return nil
}

func (t *tally) addStatement(name string, o outcome) {
	c := t.statements[name]
	if c == nil {
		if len(t.statements) >= maxStatements {
			t.moreStated++
			return
		}
		c = new(counts)
		t.statements[name] = c
	}
	c[o]++
}

// pass counts by whose signature an artifact passes, and until when.
func (t *tally) pass(r *audit.Record) {
	for i := range r.Signatures {
		if s := &r.Signatures[i]; s.Outcome == passed.String() && s.Store != "" {
			store := clean(s.Store, maxNameBytes)
			t.stores.add(store)
			t.roots.add(rootKey{clean(s.Root, maxNameBytes), store})
		}
	}
	s := accepted(r)
	signer := signerOf(s)
	t.signers.add(signer)
	t.ends.add(s, signer.signer, asOf(&t.o, r))
}

// asOf returns the time at which a record is to be true.
func asOf(o *Options, r *audit.Record) time.Time {
	if o.Now.IsZero() {
		return r.Time
	}
	return o.Now
}

// accepted returns the signature that an artifact passes by: the first that
// passed. It is nil if another artifact's signature covers it.
func accepted(r *audit.Record) *audit.Signature {
	if r.Outcome != passed.String() {
		return nil
	}
	if i := slices.IndexFunc(r.Signatures, func(s audit.Signature) bool { return s.Outcome == passed.String() }); i >= 0 {
		return &r.Signatures[i]
	}
	return nil
}

// signerOf returns who has made a signature that passed. Without a trust store
// the policy merely logs that nobody vouches for the signer, and what the
// certificate says is not to be repeated.
func signerOf(s *audit.Signature) signerKey {
	if s == nil || s.Store == "" {
		return signerKey{}
	}
	return signerKey{clean(s.Signer, maxNameBytes), clean(s.Store, maxNameBytes)}
}

// explain counts why an artifact did not pass.
func (t *tally) explain(r *audit.Record, o outcome) {
	key := reasonKey{o, codeOf(r)}
	w := t.reasons[key]
	if w == nil {
		if len(t.reasons) >= maxReasons {
			t.otherReasons++
			return
		}
		w = new(why)
		t.reasons[key] = w
	}
	w.count++
	name := artifactName(r)
	i, there := slices.BinarySearchFunc(w.examples, name, func(e example, name string) int { return cmp.Compare(e.name, name) })
	if there || i == listedExamples {
		return
	}
	w.examples = slices.Insert(w.examples, i, example{name, clean(r.Message, maxMessageBytes), clean(r.Hint, maxMessageBytes)})
	w.examples = w.examples[:min(len(w.examples), listedExamples)]
}

// sortedReasons returns the reasons, the most frequent first, and last those for
// which somebody has decided not to look.
func (t *tally) sortedReasons() []reasonKey {
	return slices.SortedFunc(maps.Keys(t.reasons), func(a, b reasonKey) int {
		if a.outcome.failed() != b.outcome.failed() {
			return cmp.Compare(a.outcome, b.outcome)
		}
		return cmp.Or(cmp.Compare(t.reasons[b].count, t.reasons[a].count), cmp.Compare(a.outcome, b.outcome), cmp.Compare(a.code, b.code))
	})
}

// sortedStatements returns the names of the policy's statements.
func (t *tally) sortedStatements() []string { return slices.Sorted(maps.Keys(t.statements)) }

// counter counts by key. Keys beyond the limit are only counted together.
type counter[K comparable] struct {
	counts map[K]int
	limit  int
	others int
}

// counted is a key with its count.
type counted[K comparable] struct {
	key   K
	count int
}

func (c *counter[K]) add(k K) {
	if c.counts == nil {
		c.counts = map[K]int{}
	}
	if _, ok := c.counts[k]; !ok && len(c.counts) >= c.limit {
		c.others++
		return
	}
	c.counts[k]++
}

// top returns the n most frequent keys, and how many others there are, with their
// count. Those beyond the limit are not among these others, but in the count.
func (c *counter[K]) top(n int, compare func(a, b K) int) (list []counted[K], others, rest int) {
	for k, count := range c.counts {
		list = append(list, counted[K]{k, count})
	}
	slices.SortFunc(list, func(a, b counted[K]) int {
		return cmp.Or(cmp.Compare(b.count, a.count), compare(a.key, b.key))
	})
	rest = c.others
	for _, e := range list[min(n, len(list)):] {
		others++
		rest += e.count
	}
	return list[:min(n, len(list))], others, rest
}

// repositories counts outcomes by repository. Beyond the bound the better half is
// counted together, which is exact if the records of each come together.
type repositories struct {
	counts map[string]*counts
	folded int // repositories that are counted together
	rest   counts
}

func (rs *repositories) add(name string, o outcome) {
	c := rs.counts[name]
	if c == nil {
		if len(rs.counts) >= maxRepositories {
			rs.fold()
		}
		c = new(counts)
		rs.counts[name] = c
	}
	c[o]++
}

// fold drops the better half.
func (rs *repositories) fold() {
	for _, name := range rs.worst()[maxRepositories/2:] {
		rs.drop(name)
	}
}

func (rs *repositories) drop(name string) {
	rs.rest.add(rs.counts[name])
	rs.folded++
	delete(rs.counts, name)
}

// worst returns the names of those told apart: those with the most artifacts that
// did not pass first, and among equals those with the greater share.
func (rs *repositories) worst() []string {
	return slices.SortedFunc(maps.Keys(rs.counts), func(a, b string) int {
		x, y := rs.counts[a], rs.counts[b]
		return cmp.Or(cmp.Compare(y.failed(), x.failed()), cmp.Compare(x.total(), y.total()), strings.Compare(a, b))
	})
}

// top returns the n worst, and how many others there are, with their counts.
func (rs *repositories) top(n int) (names []string, others int, rest counts) {
	names = rs.worst()
	others, rest = rs.folded, rs.rest
	for _, name := range names[min(n, len(names)):] {
		rest.add(rs.counts[name])
		others++
	}
	return names[:min(n, len(names))], others, rest
}

func (rs *repositories) total() int { return len(rs.counts) + rs.folded }

// details keeps the artifacts that are listed one by one: the worst first and,
// among equals, in the order of their names.
type details struct {
	limit int
	rows  detailHeap
}

// detail is one artifact.
type detail struct {
	outcome outcome
	record  audit.Record // without what is not shown
	name    string
}

func (d *detail) compare(other *detail) int {
	return cmp.Or(cmp.Compare(d.outcome, other.outcome), strings.Compare(d.record.Repository, other.record.Repository),
		strings.Compare(d.name, other.name))
}

func (d *details) add(r *audit.Record, o outcome) {
	if d.limit == 0 {
		return
	}
	row := &detail{outcome: o, record: *r, name: detailName(r)}
	if len(d.rows) == d.limit {
		if row.compare(d.rows[0]) >= 0 {
			return
		}
		d.rows[0] = row.trim()
		heap.Fix(&d.rows, 0)
		return
	}
	heap.Push(&d.rows, row.trim())
}

// detailName orders the artifacts of a repository: by tag, then by digest.
func detailName(r *audit.Record) string {
	if len(r.Tags) > 0 {
		return clean(r.Tags[0], maxNameBytes) + "@" + string(r.Digest)
	}
	return "~@" + string(r.Digest)
}

// trim drops what is not shown, so that what is kept is bounded.
func (d *detail) trim() *detail {
	r := &d.record
	kept := audit.Record{
		Repository: clean(r.Repository, maxNameBytes), Digest: digest.Digest(clean(string(r.Digest), maxNameBytes)), MoreTags: max(r.MoreTags, 0) + max(0, len(r.Tags)-maxTagsShown),
		Outcome: r.Outcome, Message: clean(r.Message, maxMessageBytes), Time: r.Time,
	}
	if d.outcome != passed {
		kept.Reason = reason.Code(codeOf(r))
	}
	for _, tag := range r.Tags[:min(len(r.Tags), maxTagsShown)] {
		kept.Tags = append(kept.Tags, clean(tag, maxNameBytes))
	}
	if s := accepted(r); s != nil {
		signer := signerOf(s)
		kept.Signatures = []audit.Signature{{
			Outcome: s.Outcome, Signer: signer.signer, Store: signer.store,
			Expiry: s.Expiry, CertificateExpiry: s.CertificateExpiry, Timestamped: s.Timestamped,
		}}
	}
	d.record = kept
	return d
}

// sorted returns the artifacts in their order.
func (d *details) sorted() []*detail {
	rows := slices.Clone(d.rows)
	slices.SortFunc(rows, (*detail).compare)
	return rows
}

// detailHeap has the row on top that has to go first.
type detailHeap []*detail

func (h detailHeap) Len() int           { return len(h) }
func (h detailHeap) Less(i, j int) bool { return h[i].compare(h[j]) > 0 }
func (h detailHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push and Pop are for container/heap.
func (h *detailHeap) Push(x any) { *h = append(*h, x.(*detail)) }

// Pop removes the last row.
func (h *detailHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
