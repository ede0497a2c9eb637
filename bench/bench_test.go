package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/bench/internal/process"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/test/toolbox"
)

// flags parses a command line as main does.
func flags(t *testing.T, args ...string) config {
	t.Helper()
	c, _, err := parseFlags(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestQuick runs every row once with every contender there is.
func TestQuick(t *testing.T) {
	t.Parallel()
	for _, kind := range []registries.Kind{registries.Distribution, registries.Olareg} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			toolbox.Need(t, "oras")
			figures := filepath.Join(t.TempDir(), "figures.json")
			c := flags(t, "-quick", "-registry", kind.String(), "-dir", t.TempDir(), "-json", figures)
			var out, progress bytes.Buffer
			if err := bench(t.Context(), c, &out, &progress); err != nil {
				t.Fatalf("%v\n%s%s", err, out.Bytes(), progress.Bytes())
			}
			t.Logf("%s", out.Bytes())
			raw, err := os.ReadFile(figures)
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Rows    []result
				Weights []weight
			}
			if err := json.Unmarshal(raw, &got); err != nil {
				t.Fatal(err)
			}
			checkRows(t, c, got.Rows)
			if strings.Contains(out.String(), "takes no part") && toolbox.InCI() {
				t.Errorf("somebody is missing:\n%s", out.Bytes())
			}
			checkWeights(t, got.Weights)
			if left, err := os.ReadDir(c.dir); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// checkRows looks for figures that cannot be.
func checkRows(t *testing.T, c config, got []result) {
	t.Helper()
	var ids []string
	for _, r := range c.rows() {
		ids = append(ids, r.id())
	}
	for i, res := range got {
		if i >= len(ids) || res.Row != ids[i] || len(res.Entries) < 2 || res.Rounds != 1 || res.Limit <= 0 {
			t.Errorf("row %d is %+v, of %q", i, res, ids)
			continue
		}
		ours := slices.IndexFunc(res.Entries, func(e entry) bool { return e.Contender == "notation" })
		if ours < 0 {
			t.Errorf("%s: we are not there", res.Row)
		}
		for _, e := range res.Entries {
			network := strings.Contains(res.Row, "/")
			checkBounds(t, res, e)
			if e.Wall <= 0 || e.CPU <= 0 || e.Peak <= 0 || len(e.Samples) != 1 || e.ToLimit <= 0 ||
				network != (e.Requests > 0) || network != (e.Depth > 0) || e.Floor == (e.ToBest >= 1) {
				t.Errorf("%s: %+v", res.Row, e)
			}
			// Nobody beats the proxy: a connection and one round trip.
			if strings.HasSuffix(res.Row, "/5ms") && e.Wall < 10*time.Millisecond {
				t.Errorf("%s: %s took %v", res.Row, e.Contender, e.Wall)
			}
		}
	}
	if len(got) != len(ids) {
		t.Errorf("%d rows, want %q", len(got), ids)
	}
}

// checkBounds looks at the bounds of rows about many, and that there are none of
// others.
func checkBounds(t *testing.T, res result, e entry) {
	t.Helper()
	if wanted := strings.Contains(res.Row, "-many") && e.Contender == "notation"; !wanted {
		if e.Bounds != nil {
			t.Errorf("%s: %s has bounds", res.Row, e.Contender)
		}
		return
	}
	switch b := e.Bounds; {
	case b == nil:
		t.Errorf("%s: no bounds", res.Row)
	case e.Artifacts != res.Artifacts || e.Trips == 0 || b.Rate <= 0 || b.OwnEach <= 0 ||
		(b.Concurrency > 0) != (res.RTT > 0) || (b.CPU > 0) != (b.AroundEach > 0) || (b.Share > 0) != (b.Concurrency+b.CPU > 0):
		t.Errorf("%s: bounds %+v of %+v", res.Row, *b, e)
	case runtime.GOOS == "linux" && b.AroundEach <= 0:
		t.Errorf("%s: the processor time of the registry is not known", res.Row)
	}
}

// checkWeights looks for a Go program whose weight is not known.
func checkWeights(t *testing.T, all []weight) {
	t.Helper()
	if len(all) == 0 || all[0].Program != "notation" {
		t.Fatalf("weights %+v", all)
	}
	for _, one := range all {
		if one.Bytes <= 0 || (one.Packages > 0) != (one.Go != "") || one.Packages > 0 && one.Packages < 10 {
			t.Errorf("weight %+v", one)
		}
	}
	if all[0].Dependencies == 0 {
		t.Errorf("weight %+v", all[0])
	}
}

// TestBuiltInContenders says of the product what it does unless it is told
// otherwise, and bounds loops.
func TestBuiltInContenders(t *testing.T) {
	t.Parallel()
	all, err := readContenders("")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if want := map[string]int{"verify-many": audit.DefaultConcurrency, "verify-many-again": audit.DefaultConcurrency, "sign-many": audit.DefaultSigning}; c.Name == "notation" && !maps.Equal(c.AtOnce, want) {
			t.Errorf("%s has %v artifacts under way, and the table says %v", c.Name, want, c.AtOnce)
		}
		for name, line := range c.Commands {
			if strings.Contains(name, "-many") && line[0] == "sh" && c.Most == 0 {
				t.Errorf("%s: the loop for %s has no bound", c.Name, name)
			}
		}
	}
}

// TestMost gives one contender fewer artifacts than another, and compares them by
// the time for each.
func TestMost(t *testing.T) {
	t.Parallel()
	table := filepath.Join(t.TempDir(), "table.json")
	const count = `["sh", "-c", "test \"$(wc -l <\"$1\")\" -eq \"$2\"", "sh", "{list}", "%d"]`
	text := fmt.Sprintf(`[
		{"name": "all", "program": "sh", "commands": {"verify-many": %s}},
		{"name": "few", "program": "sh", "most": 3, "commands": {"verify-many": %s}},
		{"name": "more", "program": "sh", "most": 300, "commands": {"verify-many": %s}}]`,
		fmt.Sprintf(count, 5), fmt.Sprintf(count, 3), fmt.Sprintf(count, 5))
	if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := flags(t, "-registry", "ggcr", "-rounds", "1", "-n", "5", "-rtt", "0", "-run", "^verify-many/", "-contenders", table, "-dir", t.TempDir())
	var out bytes.Buffer
	if err := bench(t.Context(), c, &out, io.Discard); err != nil {
		t.Fatalf("%v\n%s", err, out.Bytes())
	}
	if !regexp.MustCompile(`(?m)^ +3 +[\d.]+ .* few$`).Match(out.Bytes()) {
		t.Errorf("it is not said that it did 3:\n%s", out.Bytes())
	}
}

// TestPushedOnce fills more than one repository, and goes on where it ended.
func TestPushedOnce(t *testing.T) {
	t.Parallel()
	w, err := newWorld(t.Context(), flags(t, "-registry", "olareg", "-rtt", "0", "-dir", t.TempDir()), io.Discard)
	t.Cleanup(func() {
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	repositories := map[string]int{}
	for _, n := range []int{1, perRepository - 2, 3} {
		names, err := w.push(t.Context(), "some", n)
		if err != nil || len(names) != n {
			t.Fatalf("%d names of %d, %v", len(names), n, err)
		}
		for _, name := range names {
			repository, _, _ := strings.Cut(name, "@")
			repositories[repository]++
			seen[name] = true
			if _, err := oci.ParseReference(w.registry.Host() + "/" + name); err != nil {
				t.Error(err)
			}
		}
	}
	if len(seen) != perRepository+2 || repositories["some-000"] != perRepository || repositories["some-001"] != 2 {
		t.Errorf("%d different artifacts in %v", len(seen), repositories)
	}
}

// TestFailuresAreShown runs a table with somebody who fails and somebody who is
// not there.
func TestFailuresAreShown(t *testing.T) {
	t.Parallel()
	table := filepath.Join(t.TempDir(), "table.json")
	if err := os.WriteFile(table, []byte(`[
		{"name": "bad", "program": "sh", "commands": {"start-up": ["{program}", "-c", "echo not today; exit 3"]}},
		{"name": "good", "program": "sh", "commands": {"start-up": ["{program}", "-c", "true"]}},
		{"name": "gone", "program": "no-such-program", "commands": {"start-up": ["{program}"]}}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := flags(t, "-quick", "-registry", "ggcr", "-run", "^start-up$", "-contenders", table, "-dir", t.TempDir())
	var out bytes.Buffer
	err := bench(t.Context(), c, &out, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "bad failed at start-up") {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{"gone takes no part", "bad failed", "exit code 3\nnot today", "1.00"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.Bytes())
		}
	}
}

// TestInterrupted leaves nothing behind when the time is up.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	table := filepath.Join(t.TempDir(), "table.json")
	if err := os.WriteFile(table, []byte(`[{"name": "slow", "program": "sh", "commands": {"start-up": ["{program}", "-c", "sleep 600 & wait"]}}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := flags(t, "-registry", "ggcr", "-run", "^start-up$", "-contenders", table, "-dir", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := bench(ctx, c, io.Discard, writer(func(line string) {
		if strings.HasPrefix(line, "measure") {
			cancel()
		}
	}))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(c.dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// writer calls a function with what is written.
type writer func(string)

func (w writer) Write(p []byte) (int, error) { w(string(p)); return len(p), nil }

func TestTableIsRefused(t *testing.T) {
	t.Parallel()
	for name, table := range map[string]string{
		"no JSON":         `x`,
		"empty":           `[]`,
		"unknown member":  `[{"name": "a", "program": "a", "colour": "red"}]`,
		"no name":         `[{"program": "a"}]`,
		"no program":      `[{"name": "a"}]`,
		"name twice":      `[{"name": "a", "program": "a"}, {"name": "a", "program": "b"}]`,
		"unknown task":    `[{"name": "a", "program": "a", "commands": {"dance": ["a"]}}]`,
		"empty command":   `[{"name": "a", "program": "a", "commands": {"verify": []}}]`,
		"empty setup":     `[{"name": "a", "program": "a", "setup": [[]]}]`,
		"cannot sign":     `[{"name": "a", "program": "a", "signsItself": true}]`,
		"negative most":   `[{"name": "a", "program": "a", "most": -1}]`,
		"atOnce nothing":  `[{"name": "a", "program": "a", "atOnce": {"sing-many": 1}}]`,
		"negative atOnce": `[{"name": "a", "program": "a", "atOnce": {"sign-many": -1}}]`,
		"longer than all": strings.Repeat(" ", maxTable+1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "table.json")
			if err := os.WriteFile(path, []byte(table), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := readContenders(path); err == nil {
				t.Error("taken")
			}
		})
	}
	if _, err := readContenders(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there is taken")
	}
}

func TestFlagsAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-rounds", "0"}, {"-rounds", "102"}, {"-n", "0"}, {"-n", "100001"}, {"-signatures", "0"}, {"-signatures", "5001"},
		{"-file", "0"}, {"-file", "16385"}, {"-rtt", "-1"}, {"-rtt", "x"}, {"-rtt", "10001"}, {"-rtt", ""},
		{"-run", "("}, {"-run", "nothing is called so"}, {"-registry", "none"}, {"-contenders", "no such file"}, {"word"}, {"-no-such-flag"},
	} {
		if _, _, err := parseFlags(args, io.Discard); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
	if _, _, err := parseFlags([]string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	got, err := expand([]string{"{program}", "--key={home}/{file}", "{{(index .x 0).digest}} {else}"}, values{"program": "/p", "home": "/h", "file": "f"})
	if want := []string{"/p", "--key=/h/f", "{{(index .x 0).digest}} {else}"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := expand([]string{"{reference}"}, nil); err == nil {
		t.Error("a placeholder without value is taken")
	}
}

// TestRatiosArePaired compares within rounds, so that a machine that becomes
// ten times slower on the way changes no ratio.
func TestRatiosArePaired(t *testing.T) {
	t.Parallel()
	at := func(ms ...int) (samples []process.Sample) {
		for _, n := range ms {
			samples = append(samples, process.Sample{Wall: time.Duration(n) * time.Millisecond, Peak: int64(n)})
		}
		return samples
	}
	r := result{Artifacts: 1, Entries: []entry{
		{Contender: "slow", Artifacts: 1, Samples: at(20, 200, 20)},
		{Contender: "fast", Artifacts: 1, Samples: at(10, 100, 10)},
		{Contender: "floor", Floor: true, Artifacts: 1, Samples: at(5, 50, 5)},
		{Contender: "gone", Failed: "exit code 1", Samples: at(1)},
	}}
	r.Entries[3].Artifacts = 1
	r.conclude([]limit{{2 * time.Millisecond, "a"}, {20 * time.Millisecond, "b"}, {2 * time.Millisecond, "c"}})
	var got []string
	for _, e := range r.Entries {
		got = append(got, fmt.Sprintf("%s %v %d %.1f %.1f", e.Contender, e.Wall, e.Peak, e.ToBest, e.ToLimit))
	}
	want := []string{"slow 20ms 20 2.0 10.0", "fast 10ms 10 1.0 5.0", "floor 5ms 5 0.0 2.5", "gone 0s 0 0.0 0.0"}
	if !slices.Equal(got, want) || r.Limit != 2*time.Millisecond || r.Bound != "a" && r.Bound != "c" {
		t.Errorf("got %q, limit %v %q", got, r.Limit, r.Bound)
	}
}

// TestRatiosAreOfOneArtifact compares a contender with one that did ten times as
// many in five times the time.
func TestRatiosAreOfOneArtifact(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	r := result{Artifacts: 100, RTT: 10 * ms, Entries: []entry{
		{Contender: "few", Artifacts: 10, Samples: []process.Sample{{Wall: 100 * ms}}},
		{Contender: "all", Artifacts: 100, atOnce: 4, Trips: 2, Samples: []process.Sample{{Wall: 1000 * ms / 2, CPU: 100 * ms, Around: 50 * ms}}},
	}}
	r.conclude([]limit{{100 * ms, ""}})
	few, all := r.Entries[0], r.Entries[1]
	if few.ToBest != 2 || few.ToLimit != 10 || all.ToBest != 1 || all.ToLimit != 5 || few.Bounds != nil {
		t.Errorf("few %+v, all %+v", few, all)
	}
	// 4 at a time, 20 ms each.
	if b := all.Bounds; b == nil || b.Rate != 200 || b.Concurrency != 200 || b.Share != 1 || b.OwnEach != ms || b.AroundEach != ms/2 {
		t.Errorf("bounds %+v", b)
	}
	var out strings.Builder
	if err := r.print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"for each artifact 1.00 ms", "artifacts  per s", "100    200  500 ms", "all: 4 at a time, round trips in a row: 2 of 10ms", "bound by round trips: 200/s", "100 % of the smaller"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestParallelStops(t *testing.T) {
	t.Parallel()
	calls := 0
	err := parallel(10, 1, func(i int) error {
		calls++
		if i == 2 {
			return errors.New("enough")
		}
		return nil
	})
	if err == nil || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
	if err := parallel(0, 4, func(int) error { return errors.New("called") }); err != nil {
		t.Error(err)
	}
}

func TestBrief(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0.00 ms", 1234 * time.Microsecond: "1.23 ms", 12345 * time.Microsecond: "12.3 ms", 123456 * time.Microsecond: "123 ms",
		1234 * time.Millisecond: "1.23 s", 12345 * time.Millisecond: "12.3 s",
	} {
		if got := brief(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
