package cli_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// TestAuditShardsMissing is no success as long as a shard is missing, however the
// files are merged.
func TestAuditShardsMissing(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	const all = 60 // of a shard with nothing there is a chance of one in ten milliards
	var refs, names []string
	for i := range all {
		names = append(names, fmt.Sprintf("%q", fmt.Sprint("v", i)))
		refs = append(refs, reg.host+"/app@"+reg.push(fmt.Sprint("v", i), fmt.Sprint(i)))
	}
	u.ok(append([]string{"sign", "-k", "acme"}, refs...)...)
	list, dir := u.write("list", reg.host+"/app\n"), t.TempDir()
	tags := func(w http.ResponseWriter, _, _ string) bool {
		fmt.Fprintf(w, `{"tags":[%s]}`, strings.Join(names, ","))
		return true
	}
	host := catalogued(t, reg, tags)
	list = u.write("list", strings.Replace(u.read(list), reg.host, host, 1))
	file := func(i int) string { return filepath.Join(dir, fmt.Sprint(i)) }
	total := 0
	for i := range 3 {
		r := u.ok("audit", "-o", "json", "--ca-cert", acme.root, "--repositories", list, "--shard", fmt.Sprintf("%d/3", i), "--report", "jsonl="+file(i))
		n := int(at(r.json(), "summary", "artifacts").(float64))
		if total += n; n == 0 || n == all || at(r.json(), "shardBy") != "artifact" {
			t.Errorf("shard %d has %d artifacts of the one repository: %s", i, n, r.stdout)
		}
	}
	if total != all {
		t.Errorf("%d artifacts in all shards", total)
	}
	u.run("audit", "--merge", file(0), file(1), file(2)).want(0, "60 artifacts in 1 repository: 3 files of records", "passed     60")
	r := u.run("audit", "--merge", file(0), file(2), "--report", "jsonl="+file(3), "--report", "html="+file(4)).want(3, "This is not all", "shard 1/3 is missing", "Hint: Name the files of all shards")
	if strings.Contains(r.stdout, "60 artifacts") || !strings.Contains(u.read(file(4)), "shard 1/3 is missing") {
		t.Errorf("%s", r.stdout)
	}
	r = u.run("audit", "-o", "json", "--merge", file(3)).want(3, "audit.incomplete")
	if at(r.json(), "complete") != false {
		t.Errorf("%s", r.stdout)
	}
	loadSchemas(t).check(r)
	u.run("audit", "--merge", file(3), file(1)).want(0, "60 artifacts in 1 repository")
	// By repository, one shard has all.
	r = u.ok("audit", "-o", "json", "--ca-cert", acme.root, "--repositories", list, "--shard", "0/1", "--shard-by", "repository")
	if at(r.json(), "shardBy") != "repository" || at(r.json(), "summary", "artifacts") != float64(all) {
		t.Errorf("%s", r.stdout)
	}
	// Nothing is no success, also where all shards of it are there.
	for i := range 2 {
		u.ok("audit", "--ca-cert", acme.root, "--repositories", list, "--tags", "^none$", "--shard", fmt.Sprintf("%d/2", i), "--report", "jsonl="+file(i))
	}
	u.run("audit", "--merge", file(0), file(1)).want(3, "hold no record")
	u.run("audit", "--merge", u.write("empty", ""), "--report", "table="+file(5)).want(3, "hold no record")
	if !strings.Contains(u.read(file(5)), "there was nothing to look at") {
		t.Errorf("%s", u.read(file(5)))
	}
}

// TestAuditHiddenByTag looks at an image that somebody has tagged as registries tag
// their lists of signatures.
func TestAuditHiddenByTag(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	u.ok("sign", "-k", "acme", reg.host+"/app@"+reg.push("v1", "good"))
	hidden := "sha256-" + strings.Repeat("0", 64)
	reg.push(hidden, "malware")
	host := catalogued(t, reg, func(w http.ResponseWriter, path, _ string) bool {
		fmt.Fprintf(w, `{"repositories":["app"],"tags":["v1",%q]}`, hidden)
		return true
	})
	u.run("audit", "--ca-cert", acme.root, host).want(4, "2 artifacts in 1 repository", "passed     1", "("+hidden[:20])
}

// TestAuditReportsAreKept writes every report that can be, tells of those that
// cannot be before it asks anybody, and leaves no report of yesterday in place of
// that there is nothing.
func TestAuditReportsAreKept(t *testing.T) {
	t.Parallel()
	// attack: FS-04
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	good := reg.host + "/app@" + reg.push("v1", "good")
	u.ok("sign", "-k", "acme", good)
	list, dir := u.write("list", good+"\n"), t.TempDir()
	lines, table := filepath.Join(dir, "lines"), filepath.Join(dir, "table")
	before := reg.requests.Load()
	u.run("audit", "--ca-cert", acme.root, "--report", "table="+table, "--report", "html="+filepath.Join(dir, "none", "x"), "--from-file", list).wantError(3, "could not be written")
	if n := reg.requests.Load() - before; n != 0 {
		t.Errorf("%d requests", n)
	}
	if _, err := os.Stat(table); err == nil {
		t.Error("a report was written")
	}
	// A directory in the way is seen only when the report is written, and the
	// others are all the same.
	blocked := filepath.Join(dir, "blocked")
	if err := os.MkdirAll(filepath.Join(blocked, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := u.run("audit", "--ca-cert", acme.root, "--report", "html="+blocked, "--report", "table="+table, "--from-file", list).want(3, "could not be written", "1 artifact in 1 repository", "Wrote "+table)
	if strings.Contains(r.stdout, "Wrote "+blocked) || !strings.Contains(u.read(table), "1 artifact") {
		t.Errorf("%s", r.stdout)
	}
	if !leaves(t, dir, "blocked", "table") {
		t.Error("something is left beside the reports")
	}
	// Nothing to look at.
	if err := os.WriteFile(lines, []byte("yesterday\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := catalogued(t, reg, func(w http.ResponseWriter, _, _ string) bool {
		fmt.Fprint(w, `{"repositories":[]}`)
		return true
	})
	u.run("audit", "--ca-cert", acme.root, "--report", "jsonl="+lines, "--report", "table="+table, empty).wantError(3, "othing to audit")
	if got := u.read(lines); got != `{"audit":"1.0","run":"incomplete","of":"`+empty+`"}`+"\n" || !strings.Contains(u.read(table), "Not everything was looked at") {
		t.Errorf("%s\n%s", got, u.read(table))
	}
	if runtime.GOOS == "windows" {
		return
	}
	// Modes: those that were there, or what the umask leaves.
	asIs := filepath.Join(dir, "as-is")
	if err := os.WriteFile(asIs, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for path, like := range map[string]fs.FileMode{lines: 0o600, table: mode(t, asIs)} {
		if mode(t, path) != like {
			t.Errorf("%s has the mode %04o, want %04o", path, mode(t, path), like)
		}
	}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// leaves reports whether a directory holds these names and no other.
func leaves(t *testing.T, dir string, names ...string) bool {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	return strings.Join(got, " ") == strings.Join(names, " ")
}

// TestAuditStateOfOthers warns of a state file that others may write, and does not
// believe what is decided later than now.
func TestAuditStateOfOthers(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing there")
	}
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	good := reg.host + "/app@" + reg.push("v1", "good")
	u.ok("sign", "-k", "acme", good)
	list, state := u.write("list", good+"\n"), filepath.Join(t.TempDir(), "state")
	run := func(code int, texts ...string) result {
		t.Helper()
		return u.run("audit", "--ca-cert", acme.root, "--state", state, "--from-file", list).want(code, texts...)
	}
	if r := run(0); strings.Contains(r.stderr, "Warning") {
		t.Errorf("%s", r.stderr)
	}
	run(0, "earlier run")
	text := u.read(state)
	year := strings.LastIndex(text, `"time":"`) + len(`"time":"`)
	if err := os.WriteFile(state, []byte(text[:year]+"9999"+text[year+4:]), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := run(0); strings.Contains(r.stdout, "earlier run") {
		t.Errorf("%s", r.stdout)
	}
	if err := os.Chmod(state, 0o622); err != nil {
		t.Fatal(err)
	}
	run(0, "Warning: The state file", "may be written by other users (mode 0622), who can have anything pass")
	if err := os.Chmod(state, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(state), 0o777); err != nil {
		t.Fatal(err)
	}
	run(0, "Warning: The directory", "may be written by other users (mode 0777)")
}
