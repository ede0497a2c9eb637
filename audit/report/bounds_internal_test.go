package report

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// TestRepositoriesBeyondTheBound counts more repositories than are told apart.
// Those that fail come early, late and in between, and all of them are found.
func TestRepositoriesBeyondTheBound(t *testing.T) {
	t.Parallel()
	rs := repositories{counts: map[string]*counts{}}
	const n = 3*maxRepositories + 17
	for i := range n {
		name := fmt.Sprintf("r.example/%06d", i)
		rs.add(name, passed)
		if i%5000 == 7 {
			for range 1 + i/5000 {
				rs.add(name, rejected)
			}
		}
	}
	if len(rs.counts) > maxRepositories || rs.total() != n {
		t.Errorf("%d are told apart, of %d", len(rs.counts), rs.total())
	}
	names, others, rest := rs.top(listedRepositories)
	if names[0] != "r.example/060007" || names[12] != "r.example/000007" || others != n-listedRepositories {
		t.Errorf("the worst are %v, and %d others", names[:13], others)
	}
	if rest[passed] != n-listedRepositories || rest.failed() != 0 {
		t.Errorf("the rest is %v", rest)
	}
}

// TestCounterBeyondTheBound counts more keys than are told apart.
func TestCounterBeyondTheBound(t *testing.T) {
	t.Parallel()
	c := counter[string]{limit: 3}
	for _, k := range strings.Split("a b b c d d d b", " ") {
		c.add(k)
	}
	list, others, rest := c.top(2, strings.Compare)
	if fmt.Sprint(list, others, rest) != "[{b 3} {a 1}] 1 4" {
		t.Errorf("got %v %d %d", list, others, rest)
	}
}

// TestEndingsBeyondTheBound ends signatures on more days than are told apart, the
// last of them first.
func TestEndingsBeyondTheBound(t *testing.T) {
	t.Parallel()
	e := endings{days: map[endingKey]int{}}
	for i := range 10 * maxEndings {
		s := audit.Signature{Expiry: noon.AddDate(0, 0, 10*maxEndings-i)}
		e.add(&s, "CN=a", noon)
		e.add(&s, "CN=a", noon)
	}
	next := e.next()
	if len(next) > 2*maxEndings || next[0].day != "2026-05-05" || e.days[next[maxEndings-1]] != 2 {
		t.Errorf("%d days, from %v", len(next), next[0])
	}
}

// TestTallyIsBounded gives everything another name each time.
func TestTallyIsBounded(t *testing.T) {
	t.Parallel()
	o := Options{}
	tl := newTally(&o, 10)
	const n = maxSigners + 100
	for i := range n {
		name := fmt.Sprint("x", i)
		good := audit.Record{Repository: "r.example/" + name, Outcome: "passed", Statement: name, Signatures: []audit.Signature{
			{Outcome: "failed", Signer: "CN=not this", Store: "ca:no"}, {Outcome: "passed", Signer: name, Store: name, Root: name, Expiry: noon},
		}}
		bad := audit.Record{Repository: good.Repository, Outcome: "rejected", Reason: reason.Code(name), Message: name, Digest: digest.FromString(name)}
		if tl.Add(good) != nil || tl.Add(bad) != nil {
			t.Fatal("a record was not counted")
		}
	}
	if len(tl.signers.counts) != maxSigners || len(tl.stores.counts) != maxStores || len(tl.roots.counts) != maxRoots ||
		len(tl.statements) != maxStatements || len(tl.reasons) != maxReasons || len(tl.details.rows) != 10 {
		t.Error("something is not bounded")
	}
	if tl.signers.others != 100 || tl.stores.others != n-maxStores || tl.otherReasons != n-maxReasons || tl.moreStated != n-maxStatements+1 {
		t.Errorf("others are %d %d %d %d", tl.signers.others, tl.stores.others, tl.otherReasons, tl.moreStated)
	}
	v := (&page{tally: tl, o: o}).view()
	for _, more := range []string{v.MoreSigners, v.MoreStores, v.MoreRoots, v.MoreReasons, v.MoreStatements, v.MoreRepositories} {
		if !strings.HasPrefix(more, "and ") {
			t.Errorf("the rest is told as %q", more)
		}
	}
}

// TestExamplesAreTheFirst checks that examples do not depend on the order.
func TestExamplesAreTheFirst(t *testing.T) {
	t.Parallel()
	for _, order := range []string{"abcde", "edcba", "cabed"} {
		o := Options{}
		tl := newTally(&o, 0)
		for _, name := range strings.Split(order, "") {
			_ = tl.Add(audit.Record{Repository: "r.example/" + name, Outcome: "unsigned", Reason: "x"})
		}
		var got []string
		for _, e := range tl.reasons[reasonKey{unsigned, "x"}].examples {
			got = append(got, e.name)
		}
		if !slices.Equal(got, []string{"r.example/a", "r.example/b", "r.example/c"}) {
			t.Errorf("%s: got %v", order, got)
		}
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for _, tt := range []struct {
		s    *audit.Signature
		want bucket
	}{
		{nil, coveredBy},
		{&audit.Signature{}, never},
		{&audit.Signature{CertificateExpiry: noon.Add(day), Timestamped: true}, never},
		{&audit.Signature{CertificateExpiry: noon.Add(day)}, within30},
		{&audit.Signature{CertificateExpiry: noon.Add(100 * day), Expiry: noon.Add(40 * day)}, within90},
		{&audit.Signature{CertificateExpiry: noon.Add(day), Expiry: noon.Add(40 * day), Timestamped: true}, within90},
		{&audit.Signature{Expiry: noon}, expired},
		{&audit.Signature{Expiry: noon.Add(-time.Second)}, expired},
		{&audit.Signature{Expiry: noon.Add(time.Second)}, within30},
		{&audit.Signature{Expiry: noon.Add(30*day - time.Second)}, within30},
		{&audit.Signature{Expiry: noon.Add(30 * day)}, within90},
		{&audit.Signature{Expiry: noon.Add(90 * day)}, withinYear},
		{&audit.Signature{Expiry: noon.Add(365*day - 1)}, withinYear},
		{&audit.Signature{Expiry: noon.Add(365 * day)}, later},
	} {
		if got := bucketOf(tt.s, noon); got != tt.want {
			t.Errorf("%+v: got %s, want %s", tt.s, got, tt.want)
		}
	}
}

// TestAsOf checks at which time something has expired: that of the report, or that
// of each record.
func TestAsOf(t *testing.T) {
	t.Parallel()
	r := audit.Record{Outcome: "passed", Time: noon, Signatures: []audit.Signature{{Outcome: "passed", Store: "ca:a", Expiry: noon.Add(time.Hour)}}}
	for _, tt := range []struct {
		now  time.Time
		want bucket
	}{{time.Time{}, within30}, {noon, within30}, {noon.Add(2 * time.Hour), expired}} {
		tl := newTally(&Options{Now: tt.now}, 0)
		_ = tl.Add(r)
		if tl.ends.counts[tt.want] != 1 {
			t.Errorf("as of %v: got %v", tt.now, tl.ends.counts)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ got, want string }{
		{percent(0, 0), "0 %"}, {percent(0, 7), "0 %"}, {percent(7, 7), "100 %"}, {percent(1, 3), "33.3 %"}, {percent(2, 3), "66.6 %"},
		{percent(999_999, 1_000_000), "99.9 %"}, {percent(1, 1_000_000), "< 0.1 %"},
		{number(0), "0"}, {number(999), "999"}, {number(1000), "1,000"}, {number(1234567), "1,234,567"}, {number(-123456), "-123,456"},
		{plural(1, "artifact", "artifacts"), "1 artifact"}, {plural(0, "artifact", "artifacts"), "0 artifacts"},
		{period(time.Time{}, time.Time{}), ""}, {period(noon, noon.Add(time.Second)), "2026-05-04 12:00 UTC"},
		{period(noon, noon.Add(time.Hour)), "2026-05-04 12:00 to 13:00 UTC"}, {period(noon, noon.AddDate(0, 0, 1)), "2026-05-04 12:00 UTC to 2026-05-05 12:00 UTC"},
		{clean("plain, ünd 汉字", 100), "plain, ünd 汉字"}, {clean("a\x1b[31m\nb\u202e\xff\ufffd", 100), `a\x1b[31m\nb\u202e\xff\ufffd`},
		{clean("ééé", 3), "é…"}, {clean("\xff\xff\xff\xff\xff\xff", 4), `\xff\xff\xff\xff…`},
		{tagList(&audit.Record{Tags: []string{"1", "2", "3", "4", "5", "6"}, MoreTags: 1000}), "1, 2, 3, 4, 5 and 1,001 more"},
		{be(1) + meet(1) + be(2) + meet(0), "ismeetsaremeet"},
		{outcomeOf(&audit.Record{Outcome: "Passed"}).String(), "undecided"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
}

// TestBars checks that what there is can be seen, and that a bar is full.
func TestBars(t *testing.T) {
	t.Parallel()
	for _, c := range []counts{{passed: 1_000_000, rejected: 1}, {1, 1, 1, 1, 1}, {skipped: 3}, {passed: 2, unsigned: 999_999_999}} {
		x := 0
		for _, s := range barOf(&c, true) {
			if s.X != x || s.Width < leastWidth {
				t.Errorf("%v: %+v", c, s)
			}
			x += s.Width
		}
		if x != barUnits {
			t.Errorf("%v: the bar ends at %d", c, x)
		}
	}
	if c := (counts{}); sentence(&c) != "no artifacts" || len(barOf(&c, true)) != 0 || share(0, 5) != 0 || share(1, 1000_000) != leastWidth {
		t.Error("there is a bar of nothing")
	}
}

// TestLiteralsAreConstants checks that nothing but what is left of a literal is
// made one.
func TestLiteralsAreConstants(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "_test.go") {
			found += strings.Count(string(text), "literal(")
		}
	}
	if found != 1 {
		t.Errorf("%d texts are made literals", found)
	}
}
