package audit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/reason"
)

func partLine(t testing.TB, c Coverage) string {
	t.Helper()
	line, err := c.Encode()
	wantCode(t, err, "")
	return string(line)
}

// shardOf is a shard by artifact of an audit of the host.
func shardOf(index, count int, complete bool) Coverage {
	return Coverage{Of: host, Shard: Shard{Index: index, Count: count}, Complete: complete}
}

// TestCoverage tells what is missing of the files that are merged.
func TestCoverage(t *testing.T) {
	t.Parallel()
	byRepository := Coverage{Of: host, Shard: Shard{1, 2, ByRepository}, Complete: true}
	for name, tt := range map[string]struct {
		files []string // each the marks of one
		want  string
	}{
		"silent":        {[]string{"", ""}, ""},
		"all shards":    {[]string{partLine(t, shardOf(0, 2, true)), partLine(t, shardOf(1, 2, true))}, ""},
		"one missing":   {[]string{partLine(t, shardOf(0, 3, true)), partLine(t, shardOf(2, 3, true))}, `shard 1/3 of "r.example" is missing or ended before its end`},
		"many missing":  {[]string{partLine(t, shardOf(3, 100, true))}, `shards 0/100, 1/100, 2/100, 4/100, 5/100 and 94 more of "r.example" are missing or ended before their end`},
		"died":          {[]string{partLine(t, shardOf(0, 2, true)), partLine(t, shardOf(1, 2, false))}, `shard 1/2 of "r.example" is missing or ended before its end`},
		"died, again":   {[]string{partLine(t, shardOf(0, 2, true)), partLine(t, shardOf(1, 2, false)), partLine(t, shardOf(1, 2, true))}, ""},
		"whole died":    {[]string{partLine(t, Coverage{Of: "x\x1b"}), ""}, `an audit of "x\x1b" ended before everything was looked at`},
		"no name":       {[]string{partLine(t, Coverage{})}, "an audit ended before everything was looked at"},
		"other audit":   {[]string{partLine(t, shardOf(0, 2, true)), strings.Replace(partLine(t, shardOf(1, 2, true)), host, "other", 1)}, `shard 0/2 of "other" is missing or ended before its end; shard 1/2 of "r.example" is missing or ended before its end`},
		"other count":   {[]string{partLine(t, shardOf(0, 2, true)), partLine(t, shardOf(1, 3, true))}, `shard 1/2 of "r.example" is missing or ended before its end; shards 0/3, 2/3 of "r.example" are missing or ended before their end`},
		"other rule":    {[]string{partLine(t, shardOf(0, 2, true)), partLine(t, byRepository)}, `shard 1/2 of "r.example" is missing or ended before its end; shard 0/2 of "r.example" is missing or ended before its end`},
		"merged before": {[]string{partLine(t, shardOf(0, 3, true)) + partLine(t, shardOf(1, 3, true)), partLine(t, shardOf(2, 3, true))}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var paths []string
			for i, marks := range tt.files {
				paths = append(paths, file(t, marks, lineOf(t, record("a", fmt.Sprint(i), outcomePassed))))
			}
			m, err := OpenMerged(paths...)
			wantCode(t, err, "")
			defer m.Close()
			if got := m.Missing(); got != tt.want {
				t.Errorf("missing is %q, want %q", got, tt.want)
			}
			if (m.Coverage() == nil) != (tt.want == "") {
				t.Errorf("%+v", m.Coverage())
			}
			if n := len(all(t, m.Records())); n != len(paths) {
				t.Errorf("%d records", n)
			}
			// What they say is still known when they are one file.
			var again strings.Builder
			for _, c := range m.Coverage() {
				again.WriteString(partLine(t, c))
			}
			one, err := OpenMerged(file(t, again.String()))
			wantCode(t, err, "")
			if one.Missing() != tt.want {
				t.Errorf("merged again: %q", one.Missing())
			}
			wantCode(t, one.Close(), "")
			for _, in := range m.inputs {
				if in.kept != nil {
					t.Error("a file in order is read at once")
				}
			}
		})
	}
}

// TestHostileMarks refuses what no run writes, in bounded time.
func TestHostileMarks(t *testing.T) {
	t.Parallel()
	good := partLine(t, shardOf(0, 2, true))
	for _, edit := range [][2]string{
		{`"1.0"`, `"2.0"`}, {`"complete"`, `"good"`}, {`0/2`, `2/2`}, {`0/2`, `0/99999999`}, {`"artifact"`, `"luck"`}, {`,"shardBy":"artifact"`, ``},
		{`"of"`, `"of":"a","of"`}, {`"of"`, `"Of"`}, {host, strings.Repeat("x", MaxSubjectBytes+1)}, {`"run"`, `"outcome":"passed","run`}, {`{"audit"`, `{"audit":1,"a"`},
	} {
		bad := strings.Replace(good, edit[0], edit[1], 1)
		if bad == good {
			t.Fatalf("%q is not in %s", edit[0], good)
		}
		_, err := OpenMerged(file(t, bad))
		wantCode(t, err, reason.AuditRecord)
		path := file(t, headerLine, bad)
		_, _, err = OpenState(path, "sha256:f", time.Time{})
		wantCode(t, err, reason.AuditState)
	}
	// A record that begins as a mark does is none.
	_, err := OpenMerged(file(t, strings.Replace(lineOf(t, record("a", "1", outcomePassed)), "{", `{"audit":"1.0",`, 1), good))
	wantCode(t, err, "")
	_, err = Coverage{Of: strings.Repeat("x", MaxSubjectBytes+1)}.Encode()
	wantCode(t, err, reason.AuditRecord)
	// Very many audits of very many shards.
	var many strings.Builder
	for i := range 20_000 {
		many.WriteString(partLine(t, shardOf(0, MaxShards-i, true)))
	}
	m, err := OpenMerged(file(t, many.String()))
	wantCode(t, err, "")
	if text := m.Missing(); len(text) > 2000 || !strings.HasSuffix(text, "19995 more audits are not whole") {
		t.Errorf("%s", text)
	}
	wantCode(t, m.Close(), "")
	for i := range MaxCoverage {
		many.WriteString(partLine(t, shardOf(i, MaxShards, true)))
	}
	_, err = OpenMerged(file(t, many.String()))
	wantCode(t, err, reason.AuditRecord)
	c := covered{}
	for i := range MaxCoverage + 1 {
		c.note(shardOf(i, MaxShards, true))
	}
	wantCode(t, covered{}.add(c), reason.AuditTooMany)
}

// TestStateSaysWhatItIsAbout has a state file tell what is missing when it is
// merged, as a report does.
func TestStateSaysWhatItIsAbout(t *testing.T) {
	t.Parallel()
	f := &fakeRegistry{repos: map[string][]fakeTag{"a": {{"v1", "good 1"}, {"v2", "busy"}}}}
	path := filepath.Join(t.TempDir(), "state")
	run := func(ctx context.Context, o Options) {
		t.Helper()
		a, _ := state(t, path, "sha256:f")
		o.Open, o.Verifier, o.Subject, o.Timeout = f.open, f, host, time.Minute
		if err := Run(ctx, f.catalog(t), a, o); err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		wantCode(t, a.Close(), "")
	}
	missing := func(want string, texts ...string) {
		t.Helper()
		m, err := OpenMerged(path)
		wantCode(t, err, "")
		if m.Missing() != want {
			t.Errorf("missing is %q, want %q", m.Missing(), want)
		}
		wantTexts(t, all(t, m.Records()), texts...)
		wantCode(t, m.Close(), "")
	}
	dead, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("killed"))
	run(dead, Options{})
	missing(`an audit of "r.example" ended before everything was looked at`)
	run(t.Context(), Options{})
	missing("", "a v1 passed", "a v2 undecided registry.unavailable")
	// What was undecided and is not any more does not come back.
	f.repos["a"] = []fakeTag{{"v1", "good 1"}}
	run(dead, Options{})
	missing(`an audit of "r.example" ended before everything was looked at`, "a v1 passed")
	run(t.Context(), Options{Shard: Shard{Index: 1, Count: 2}})
	missing(`an audit of "r.example" ended before everything was looked at; shard 0/2 of "r.example" is missing or ended before its end`, "a v1 passed")
	run(t.Context(), Options{})
	run(t.Context(), Options{Shard: Shard{Index: 0, Count: 2}})
	missing("", "a v1 passed")
	// One that does not say anything is not taken for whole.
	if err := os.WriteFile(path, []byte(headerLine+lineOf(t, record("b", "1", outcomePassed))), 0o600); err != nil {
		t.Fatal(err)
	}
	missing("an audit ended before everything was looked at", "b  passed")
}

// TestMergeTie makes the worst of records of the same instant, whatever the order.
func TestMergeTie(t *testing.T) {
	t.Parallel()
	good, bad, bare := record("a", "1", outcomePassed, "v1"), record("a", "1", outcomeRejected, "v2"), record("a", "1", outcomeUnsigned, "v3")
	other := bad
	other.Message, other.Tags = "another", []string{"v4"}
	records := []Record{good, bad, bare, other}
	first := ""
	for range 24 {
		var paths []string
		for _, i := range rand.Perm(len(records)) {
			paths = append(paths, file(t, lineOf(t, records[i])))
		}
		m, err := OpenMerged(paths...)
		wantCode(t, err, "")
		got := report(t, m.Records())
		if first == "" {
			first = got
			wantTexts(t, all(t, m.Records()), "a v1,v2,v3,v4 rejected")
		}
		if got != first {
			t.Errorf("%s and %s", first, got)
		}
		wantCode(t, m.Close(), "")
	}
}

// TestMergeManyTags counts the tags of one digest that came in several shards.
func TestMergeManyTags(t *testing.T) {
	t.Parallel()
	const tags, shards = 2500, 3
	var parts [shards]Record
	for i := range parts {
		parts[i] = record("a", "1", outcomePassed)
	}
	lists := make([][]string, shards)
	for i := range tags {
		lists[i%shards] = append(lists[i%shards], fmt.Sprintf("v%04d", i))
	}
	var paths []string
	for i := range parts {
		parts[i].addTags(lists[i])
		paths = append(paths, file(t, lineOf(t, parts[i])))
	}
	m, err := OpenMerged(append(paths, paths[0])...) // one of them twice
	wantCode(t, err, "")
	for _, r := range all(t, m.Records()) {
		if len(r.Tags) != MaxTags || r.MoreTags != tags-MaxTags {
			t.Errorf("%d tags and %d more", len(r.Tags), r.MoreTags)
		}
	}
	wantCode(t, m.Close(), "")
}
