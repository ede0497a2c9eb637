package audit

import (
	"bytes"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// at is when records were decided.
var at = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

func record(repository, content, outcome string, tags ...string) Record {
	codes := map[string]int{outcomePassed: 0, outcomeRejected: 1, outcomeUndecided: 3, outcomeUnsigned: 4}
	r := Record{Repository: host + "/" + repository, Tags: tags, Outcome: outcome, ExitCode: codes[outcome], Time: at}
	if content != "" {
		r.Digest = digest.FromString(content)
	}
	return r
}

func add(t testing.TB, a *Archive, records ...Record) {
	t.Helper()
	for _, r := range records {
		wantCode(t, a.Add(r), "")
	}
}

func state(t testing.TB, path, fingerprint string) (*Archive, State) {
	t.Helper()
	a, s, err := OpenState(path, fingerprint, time.Time{})
	wantCode(t, err, "")
	return a, s
}

func lineOf(t testing.TB, r Record) string {
	t.Helper()
	line, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(line)
}

const headerLine = `{"audit":"1.0","fingerprint":"sha256:f"}` + "\n"

// TestState keeps records from run to run.
func TestState(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	a, s := state(t, path, "sha256:f")
	if s != (State{}) {
		t.Errorf("%+v", s)
	}
	add(t, a, record("b", "1", outcomePassed, "v1"), record("a", "1", outcomeUndecided, "v1"), record("a", "1", outcomePassed, "v1", "v2"))
	wantCode(t, a.Close(), "")
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	a, s = state(t, path, "sha256:f")
	if s.Records != 2 || s.Changed || s.Torn {
		t.Errorf("%+v", s)
	}
	wantTexts(t, all(t, a.Records()), "a v1,v2 passed", "b v1 passed")
	for _, tt := range []struct {
		repository, content string
		since               time.Time
		want                bool
	}{
		{"a", "1", at, true}, {"a", "1", at.Add(time.Second), false}, {"a", "2", at, false}, {"c", "1", at, false},
	} {
		known, _, err := a.known(host+"/"+tt.repository, digest.FromString(tt.content), []string{"v1"}, tt.since, at.Add(time.Hour))
		if err != nil || known != tt.want {
			t.Errorf("%+v: %v, %v", tt, known, err)
		}
	}
	wantCode(t, a.Close(), "")
}

// TestStateOfAnotherPolicy begins anew and loses nothing of the file.
func TestStateOfAnotherPolicy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	a, _ := state(t, path, "sha256:f")
	add(t, a, record("a", "1", outcomePassed))
	wantCode(t, a.Close(), "")
	for i, fingerprint := range []string{"sha256:g", "sha256:f"} {
		a, s := state(t, path, fingerprint)
		if s != (State{Changed: true}) || a.Len() != 0 {
			t.Errorf("%+v, %d records", s, a.Len())
		}
		add(t, a, record("a", fmt.Sprint(i), outcomePassed))
		wantCode(t, a.Close(), "")
	}
	a, s := state(t, path, "sha256:f")
	if s != (State{Records: 1}) {
		t.Errorf("%+v", s)
	}
	wantCode(t, a.Close(), "")
	raw, err := os.ReadFile(path)
	if err != nil || bytes.Count(raw, []byte("\n")) != 6 {
		t.Errorf("%s", raw)
	}
}

// TestStateTorn repairs what a crash has left, wherever it came.
func TestStateTorn(t *testing.T) {
	t.Parallel()
	// attack: FS-04
	whole := headerLine + lineOf(t, record("a", "1", outcomePassed, "v1")) + lineOf(t, record("a", "2", outcomeUnsigned))
	dir := t.TempDir()
	ends := []int{len(headerLine), len(headerLine) + 1, len(whole) - 1, len(whole)}
	for cut := range len(whole) + 1 {
		if cut%9 != 0 && !slices.Contains(ends, cut) {
			continue
		}
		path := filepath.Join(dir, fmt.Sprint(cut))
		if err := os.WriteFile(path, []byte(whole[:cut]), 0o600); err != nil {
			t.Fatal(err)
		}
		a, s, err := OpenState(path, "sha256:f", time.Time{})
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		records := max(strings.Count(whole[:cut], "\n")-1, 0)
		torn := cut > 0 && whole[cut-1] != '\n'
		if s.Records != records || s.Torn != torn || s.Changed {
			t.Errorf("cut at %d: %+v", cut, s)
		}
		add(t, a, record("b", "3", outcomePassed))
		wantCode(t, a.Close(), "")
		a, s = state(t, path, "sha256:f")
		if s.Records != records+1 || s.Torn {
			t.Errorf("cut at %d, and gone on: %+v", cut, s)
		}
		wantCode(t, a.Close(), "")
	}
}

// TestStateRefused leaves files alone that are none.
func TestStateRefused(t *testing.T) {
	t.Parallel()
	good := lineOf(t, record("a", "1", outcomePassed))
	dir := t.TempDir()
	for name, content := range map[string]string{
		"text": "my notes\n", "text without end": "my notes", "records": good, "a line": headerLine + "x\n", "version": `{"audit":"2.0","fingerprint":"x"}` + "\n",
		"long line": headerLine + strings.Repeat("x", MaxRecordBytes+1) + "\n", "empty line": headerLine + "\n", "escape": headerLine + "\x1b[2J\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := OpenState(path, "sha256:f", time.Time{})
		wantCode(t, err, reason.AuditState)
		if now, err := os.ReadFile(path); err != nil || string(now) != content {
			t.Errorf("%s: it was changed", name)
		}
	}
	_, _, err := OpenState(dir, "x", time.Time{})
	wantCode(t, err, reason.AuditState)
	_, _, err = OpenState(filepath.Join(dir, "none", "x"), "x", time.Time{})
	wantCode(t, err, reason.AuditState)
	if runtime.GOOS == "windows" {
		return
	}
	// attack: FS-01
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "text"), link); err != nil {
		t.Fatal(err)
	}
	_, _, err = OpenState(link, "x", time.Time{})
	wantCode(t, err, reason.AuditState)
}

// TestStateInUse is for one run at a time.
func TestStateInUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	a, _ := state(t, path, "f")
	_, _, err := OpenState(path, "f", time.Time{})
	wantCode(t, err, reason.AuditInUse)
	wantCode(t, a.Close(), "")
	a, _ = state(t, path, "f")
	wantCode(t, a.Close(), "")
}

// TestArchiveOrder gives the same whatever the order of coming, also from many
// goroutines.
func TestArchiveOrder(t *testing.T) {
	t.Parallel()
	var records []Record
	for i := range 300 {
		records = append(records, record(fmt.Sprint("r", i%10), fmt.Sprint(i), outcomePassed, "v1"))
	}
	records = append(records, record("r1", "", outcomeUndecided, "v1"), record("r1", "", outcomeUndecided), record("r-1", "1", outcomePassed))
	var first []string
	for range 3 {
		a := archive(t)
		rand.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		var wg sync.WaitGroup
		for part := range slices.Chunk(records, 50) {
			wg.Go(func() {
				for _, r := range part {
					if err := a.Add(r); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		got := names(all(t, a.Records()))
		if first == nil {
			first = got
		}
		if len(got) != len(records) || !slices.Equal(got, first) {
			t.Error("another order")
		}
	}
	if !slices.IsSortedFunc(first, func(a, b string) int {
		return strings.Compare(repositoryIn(a), repositoryIn(b))
	}) {
		t.Error("not by repository")
	}
	for range archive(t).Records() {
		t.Error("a record of nothing")
	}
}

func repositoryIn(name string) string {
	name, _, _ = strings.Cut(name, "@")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// TestArchiveDamaged says so.
func TestArchiveDamaged(t *testing.T) {
	t.Parallel()
	a := archive(t)
	add(t, a, record("a", "1", outcomePassed), record("a", "2", outcomePassed))
	if _, err := a.file.WriteAt([]byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range a.Records() {
		if last = err; err != nil {
			break
		}
	}
	wantCode(t, last, reason.AuditWrite)
	if err := a.file.Truncate(0); err != nil {
		t.Fatal(err)
	}
	_, _, err := a.known(host+"/a", digest.FromString("1"), nil, at, at.Add(time.Hour))
	wantCode(t, err, reason.AuditWrite)
}

// TestTags unites tags, up to a bound.
func TestTags(t *testing.T) {
	t.Parallel()
	r := record("a", "1", outcomePassed)
	if !r.addTags([]string{"b", "a", "b"}) || r.addTags([]string{"a"}) || !slices.Equal(r.Tags, []string{"a", "b"}) {
		t.Errorf("%v", r.Tags)
	}
	var tags []string
	for i := range MaxTags + 5 {
		tags = append(tags, fmt.Sprintf("t%06d", i))
	}
	r.addTags(tags)
	if len(r.Tags) != MaxTags || r.MoreTags != 7 || r.addTags([]string{"zzz"}) {
		t.Errorf("%d tags and %d more", len(r.Tags), r.MoreTags)
	}
	if _, err := ParseRecord([]byte(strings.TrimSpace(lineOf(t, r)))); err != nil {
		t.Error(err)
	}
}

func TestParseRecord(t *testing.T) {
	t.Parallel()
	line := strings.TrimSpace(lineOf(t, Record{
		Repository: host + "/a", Tags: []string{"v1"}, Digest: digest.FromString("1"), Outcome: outcomePassed, Time: at,
		Signatures: []Signature{{Digest: digest.FromString("2"), Outcome: outcomePassed}},
	}))
	if _, err := ParseRecord([]byte(line)); err != nil {
		t.Fatal(err)
	}
	if _, err := ParseRecord([]byte(strings.Replace(line, `{`, `{"new":1,`, 1))); err != nil {
		t.Error("a member that is new:", err)
	}
	hash := string(digest.FromString("1"))
	for _, edit := range [][2]string{
		{host + "/a", "a"}, {host + "/a", host}, {host + "/a", host + "/../a"}, {host + "/a", host + "/a:v1"}, {host + "/a", "R.EXAMPLE/a"},
		{`"v1"`, `"../x"`}, {`"v1"`, `"\u001b[2J"`}, {hash, "sha256:x"}, {hash, "md5:" + strings.Repeat("0", 32)},
		{`"outcome":"passed","exitCode"`, `"outcome":"great","exitCode"`}, {`"exitCode":0`, `"exitCode":1`}, {`"exitCode":0`, `"exitCode":7`},
		{`"outcome":"passed"}`, `"outcome":"good"}`}, {`"outcome":"passed"}`, `"outcome":"passed","reason":"a.b"}`},
		{string(digest.FromString("2")), "x"}, {`"tags"`, `"moreTags":-1,"tags"`}, {`{`, `[{`}, {`"time":"2026`, `"time":"x`},
		{`"repository"`, `"Repository"`}, {`"digest":"` + hash + `",`, ``}, {`"tags"`, `"tags":["v2"],"tags"`},
	} {
		bad := strings.Replace(line, edit[0], edit[1], 1)
		if bad == line {
			t.Fatalf("%q is not in %s", edit[0], line)
		}
		_, err := ParseRecord([]byte(bad))
		wantCode(t, err, reason.AuditRecord)
	}
	many := Record{Repository: host + "/a", Digest: digest.FromString("1"), Outcome: outcomePassed, Signatures: make([]Signature, MaxSignatures+1)}
	for i := range many.Signatures {
		many.Signatures[i].Outcome = outcomePassed
	}
	_, err := ParseRecord([]byte(lineOf(t, many)))
	wantCode(t, err, reason.AuditRecord)
	_, err = Record{Message: strings.Repeat("x", MaxRecordBytes)}.Encode()
	wantCode(t, err, reason.AuditRecord)
	wantCode(t, archive(t).Add(Record{Message: strings.Repeat("x", MaxRecordBytes)}), reason.AuditRecord)
}

func file(t testing.TB, content ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "records")
	if err := os.WriteFile(path, []byte(strings.Join(content, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// report writes records in order.
func report(t testing.TB, seq iter.Seq2[Record, error]) string {
	t.Helper()
	var b strings.Builder
	for _, r := range all(t, seq) {
		b.WriteString(lineOf(t, r))
	}
	return b.String()
}

// TestMerge gives of several files what one run would have.
func TestMerge(t *testing.T) {
	t.Parallel()
	whole := archive(t)
	var parts [3]*Archive
	for i := range parts {
		parts[i] = archive(t)
	}
	var unordered strings.Builder
	for i := range 200 {
		r := record(fmt.Sprint("r", i%20), fmt.Sprint(i), outcomePassed, "v1")
		add(t, whole, r)
		if i%4 == 3 {
			unordered.WriteString(lineOf(t, r))
			continue
		}
		add(t, parts[i%4], r)
	}
	paths := []string{file(t, unordered.String()), file(t)}
	for _, p := range parts {
		paths = append(paths, file(t, report(t, p.Records())))
	}
	m, err := OpenMerged(paths...)
	wantCode(t, err, "")
	if got, want := report(t, m.Records()), report(t, whole.Records()); got != want {
		t.Error("not the same")
	}
	if report(t, m.Records()) != report(t, whole.Records()) {
		t.Error("not the same the second time")
	}
	for range m.Records() {
		break
	}
	if streamed := slices.IndexFunc(m.inputs, func(in input) bool { return in.kept == nil }); streamed != 1 {
		t.Errorf("the first file that is streamed is %d", streamed)
	}
	wantCode(t, m.Close(), "")
}

// TestMergeSame makes one of records about one artifact.
func TestMergeSame(t *testing.T) {
	t.Parallel()
	old, later := record("a", "1", outcomeRejected, "v1"), record("a", "1", outcomePassed, "v2")
	later.Time = at.Add(time.Hour)
	open := record("a", "1", outcomeUndecided, "v3")
	open.Time = at.Add(2 * time.Hour)
	for _, order := range [][]Record{{old, later, open}, {open, later, old}, {later, open, old}} {
		var paths []string
		for _, r := range order {
			paths = append(paths, file(t, lineOf(t, r)))
		}
		m, err := OpenMerged(paths...)
		wantCode(t, err, "")
		wantTexts(t, all(t, m.Records()), "a v1,v2,v3 passed")
		wantCode(t, m.Close(), "")
	}
	many := record("a", "2", outcomePassed)
	many.MoreTags = 5
	r := record("a", "2", outcomePassed, "x")
	r.join(&many)
	if r.MoreTags != 5 || len(r.Tags) != 1 {
		t.Errorf("%+v", r)
	}
}

// TestMergeState takes of a state file what counts in it.
func TestMergeState(t *testing.T) {
	t.Parallel()
	path := file(t, headerLine, lineOf(t, record("a", "1", outcomePassed)), strings.Replace(headerLine, ":f", ":g", 1),
		lineOf(t, record("b", "1", outcomeUndecided)), lineOf(t, record("b", "1", outcomePassed)), `{"repository":`)
	m, err := OpenMerged(path)
	wantCode(t, err, "")
	wantTexts(t, all(t, m.Records()), "b  passed")
	wantCode(t, m.Close(), "")
}

func TestMergeRefused(t *testing.T) {
	t.Parallel()
	good := lineOf(t, record("a", "1", outcomePassed))
	for name, content := range map[string]string{
		"cut off": good + good[:20], "no line feed": strings.TrimSpace(good), "text": "my notes\n", "version": `{"audit":"2.0"}` + "\n",
		"long": strings.Repeat("x", MaxRecordBytes+1), "hostile": strings.Replace(good, `"passed"`, `"\u001b[2J"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := OpenMerged(file(t, good), file(t, content))
			wantCode(t, err, reason.AuditRecord)
		})
	}
	_, err := OpenMerged(filepath.Join(t.TempDir(), "none"))
	wantCode(t, err, reason.AuditRecord)
	_, err = OpenMerged(t.TempDir())
	wantCode(t, err, reason.AuditRecord)
	_, err = OpenMerged(make([]string, MaxMerged+1)...)
	wantCode(t, err, reason.AuditTooMany)
	// A file that is changed after it was checked.
	path := file(t, good, lineOf(t, record("b", "1", outcomePassed)))
	m, err := OpenMerged(path, file(t, good))
	wantCode(t, err, "")
	if err := os.WriteFile(path, []byte("x"+good[1:]), 0o600); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range m.Records() {
		last = err
	}
	wantCode(t, last, reason.AuditRecord)
	if err := os.WriteFile(path, []byte(good+"x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, err := range m.Records() {
		last = err
	}
	wantCode(t, last, reason.AuditRecord)
	wantCode(t, m.Close(), "")
}
