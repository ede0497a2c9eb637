package report_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/audit/report"
	"github.com/notaryv2/notation/reason"
)

func TestUnknownFormat(t *testing.T) {
	t.Parallel()
	_, err := report.New("pdf\x1b[2J", &bytes.Buffer{}, report.Options{})
	if reason.Of(err) != reason.AuditFormat || strings.Contains(err.Error(), "\x1b") || !strings.Contains(reason.Hint(err), "sarif") {
		t.Errorf("got %v, hint %q", err, reason.Hint(err))
	}
}

func TestJSONLinesAreTheRecords(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	records := example(50)
	for _, r := range records {
		line, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		want.Write(line)
	}
	got := render(t, report.JSONLines, options(), records...)
	if got != want.String() {
		t.Error("the lines are not the records")
	}
	for line := range strings.Lines(got) {
		if _, err := audit.ParseRecord([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestJSONLinesSayWhatTheyAreAbout says so first, also of no records, and only
// where that is not everything.
func TestJSONLinesSayWhatTheyAreAbout(t *testing.T) {
	t.Parallel()
	one := example(1)[0]
	line, err := one.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for want, parts := range map[string][]audit.Coverage{
		"": {{Of: "r.example", Complete: true}},
		`{"audit":"1.0","run":"incomplete","of":"r.example\u001b"}` + "\n":                            {{Of: "r.example\x1b"}},
		`{"audit":"1.0","run":"complete","of":"r.example","shard":"1/4","shardBy":"artifact"}` + "\n": {{Of: "r.example", Shard: audit.Shard{Index: 1, Count: 4}, Complete: true}},
		`{"audit":"1.0","run":"complete","shard":"0/2","shardBy":"repository"}` + "\n" + `{"audit":"1.0","run":"incomplete","shard":"1/2","shardBy":"repository"}` + "\n": {
			{Shard: audit.Shard{Count: 2, By: audit.ByRepository}, Complete: true}, {Shard: audit.Shard{Index: 1, Count: 2, By: audit.ByRepository}},
		},
	} {
		o := options()
		o.Coverage = parts
		if got := render(t, report.JSONLines, o); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := render(t, report.JSONLines, o, one, one); got != want+string(line)+string(line) {
			t.Errorf("got %q", got)
		}
	}
	r, err := report.New(report.JSONLines, &bytes.Buffer{}, report.Options{Coverage: []audit.Coverage{{Of: strings.Repeat("x", 1000)}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Add(one); reason.Of(err) != reason.AuditRecord || reason.Of(r.Close()) != reason.AuditRecord {
		t.Errorf("got %v", err)
	}
}

func TestRecordsThatAreTooLong(t *testing.T) {
	t.Parallel()
	r, err := report.New(report.JSONLines, &bytes.Buffer{}, options())
	if err != nil {
		t.Fatal(err)
	}
	long := example(1)[0]
	long.Message = strings.Repeat("x", audit.MaxRecordBytes)
	if err := r.Add(long); reason.Of(err) != reason.AuditRecord {
		t.Errorf("got %v", err)
	}
	if err := r.Close(); reason.Of(err) != reason.AuditRecord {
		t.Errorf("the report was closed as if it were whole: %v", err)
	}
}

// failing is a writer that has no more space after some bytes.
type failing struct{ left int }

var errFull = errors.New("no space left on device")

func (f *failing) Write(p []byte) (int, error) {
	n := min(f.left, len(p))
	f.left -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

// TestWriterFails fills the disk at every tenth of each form, among them where
// runs and suites end.
func TestWriterFails(t *testing.T) {
	t.Parallel()
	records := example(2500)
	for i := range records {
		records[i].Repository = "registry.example.com/one" // so that suites end in full
	}
	o := options()
	o.Incomplete = "it was stopped"
	for _, format := range report.Formats() {
		whole := len(render(t, format, o, records...))
		for tenth := range 10 {
			r, err := report.New(format, &failing{left: whole * tenth / 10}, o)
			if err != nil {
				t.Fatal(err)
			}
			for i := range records {
				if err = r.Add(records[i]); err != nil {
					break
				}
			}
			if closed := r.Close(); reason.Of(closed) != reason.AuditWrite || !errors.Is(closed, errFull) || reason.Hint(closed) == "" {
				t.Errorf("%s at %d/10: got %v, and before %v", format, tenth, closed, err)
			}
		}
	}
}

func TestClosedOnce(t *testing.T) {
	t.Parallel()
	for _, format := range report.Formats() {
		r, err := report.New(format, &bytes.Buffer{}, options())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if err := r.Add(example(1)[0]); reason.Of(err) != reason.AuditWrite {
			t.Errorf("%s: a record after the end: %v", format, err)
		}
		if err := r.Close(); reason.Of(err) != reason.AuditWrite {
			t.Errorf("%s: closed twice: %v", format, err)
		}
	}
}

// TestShardsGiveTheSameReport splits an audit, merges the parts in several orders,
// and compares each form to that of the whole, byte by byte.
func TestShardsGiveTheSameReport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole.jsonl")
	records := example(900)
	write(t, whole, render(t, report.JSONLines, options(), records...))
	var parts []string
	for i := range 4 {
		var part []audit.Record
		for j := range records {
			if j%4 == i { // any split
				part = append(part, records[j])
			}
		}
		// Within a file the order is that in which things were found out.
		random := rand.New(rand.NewPCG(uint64(i), 1))
		random.Shuffle(len(part), func(a, b int) { part[a], part[b] = part[b], part[a] })
		path := filepath.Join(dir, string(rune('a'+i))+".jsonl")
		o := options()
		o.Coverage = []audit.Coverage{{Of: o.Title, Shard: audit.Shard{Index: i, Count: 4}, Complete: true}}
		write(t, path, render(t, report.JSONLines, o, part...))
		parts = append(parts, path)
	}
	for n := range parts {
		m, err := audit.OpenMerged(parts[:n+1]...)
		if err != nil {
			t.Fatal(err)
		}
		if (m.Missing() == "") != (n == 3) {
			t.Errorf("of %d of 4 shards is missing: %q", n+1, m.Missing())
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, format := range report.Formats() {
		want := render(t, format, options(), merged(t, whole)...)
		for range 3 {
			if got := render(t, format, options(), merged(t, parts...)...); got != want {
				t.Errorf("%s: the shards give another report than the whole", format)
			}
			slices.Reverse(parts)
			parts[0], parts[1] = parts[1], parts[0]
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func merged(t *testing.T, paths ...string) []audit.Record {
	t.Helper()
	m, err := audit.OpenMerged(paths...)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var all []audit.Record
	for r, err := range m.Records() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// TestOrderDoesNotMatterToSums adds records in another order.
func TestOrderDoesNotMatterToSums(t *testing.T) {
	t.Parallel()
	records := example(1500)
	o := options()
	o.Details = 100
	shuffled := slices.Clone(records)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
	for _, format := range []string{report.Table, report.HTML} {
		if render(t, format, o, records...) != render(t, format, o, shuffled...) {
			t.Errorf("%s depends on the order of records", format)
		}
	}
}
