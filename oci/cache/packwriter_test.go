package cache

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/cachemodes"
	"github.com/opencontainers/go-digest"
)

// age makes the file at path, or all in a directory, older.
func age(t *testing.T, path string, by time.Duration) {
	t.Helper()
	at := time.Now().Add(-by)
	files, _ := filepath.Glob(filepath.Join(path, "*"))
	for _, f := range append(files, path) {
		if err := os.Chtimes(f, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPackBound: all packs together stay within their share. Those that were of use
// longest ago go first, and as a whole.
func TestPackBound(t *testing.T) {
	t.Parallel()
	const max = 1 << 20 // packs of 96 KiB
	dir := t.TempDir()
	c := packing(dir, max)
	if bound := packsOf(c).packBytes(); bound != 96<<10 {
		t.Fatalf("packs of %d bytes", bound)
	}
	for i := range 10 { // together more than there is room for
		fill(packing(dir, max), i*90, i*90+90, 1000)
		age(t, filepath.Join(dir, packsDir), time.Duration(20-i)*24*time.Hour)
		if i >= 1 && found(dir, 0, 90, 1000) != 90 { // the first is of use, and its time is renewed
			t.Fatalf("%d: the first is gone", i)
		}
		finished, _ := inPacks(t, dir)
		total := int64(0)
		for _, f := range finished {
			info, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			total += (info.Size() + blockBytes - 1) / blockBytes * blockBytes
		}
		if total > max/4*packShare {
			t.Errorf("%d: packs take %d bytes", i, total)
		}
	}
	if n := found(dir, 0, 90, 1000); n != 90 {
		t.Errorf("of what was of use there are %d", n)
	}
	if n := found(dir, 9*90, 10*90, 1000); n != 90 {
		t.Errorf("of the last there are %d", n)
	}
	if n := found(dir, 90, 9*90, 1000); n == 0 || n == 8*90 || n%90 != 0 {
		t.Errorf("of the others there are %d", n)
	}
}

// TestPackFull: one process writes as many packs as it takes, and keeps finding
// what is in them, within the bound.
func TestPackFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := packing(dir, 1<<20)
	for i := range 3000 {
		content := text(i, 1000)
		c.put(digest.FromBytes(content), content)
		if i%100 != 99 {
			continue
		}
		if n := foundBy(c, max(0, i-400), i+1, 1000); n != min(401, i+1) {
			t.Fatalf("%d: found %d", i, n)
		}
	}
	if n := len(packsOf(c).known); n > maxPacks || n == 0 {
		t.Errorf("%d packs are open", n)
	}
	c.Close()
	if n := found(dir, 2600, 3000, 1000); n != 400 {
		t.Errorf("another process finds %d", n)
	}
}

// TestLooseBound: files of one entry each may take what packs leave.
func TestLooseBound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newDisk(dir, 1<<20)
	if got := s.looseBound(); got != 1<<20 {
		t.Errorf("%d without packs", got)
	}
	fill(packing(dir, 1<<20), 0, 90, 1000)
	if got := s.looseBound(); got > 1<<20-90_000 || got < 1<<19 {
		t.Errorf("%d with a pack", got)
	}
	fill(packing(dir, 1<<30), 0, 2000, 1000)
	if got := s.looseBound(); got != 1<<18 {
		t.Errorf("%d with large packs", got)
	}
}

// TestManyEntries: a pack has no more entries than a reader takes.
func TestManyEntries(t *testing.T) {
	t.Parallel()
	p := &packs{dir: filepath.Join(t.TempDir(), packsDir), max: DefaultDiskBytes}
	for i := range maxPackEntries + 1 {
		content := []byte{byte(i), byte(i >> 8), byte(i >> 16)}
		p.put(sha256.Sum256(content), content)
	}
	if p.own == nil || len(p.own.index) != 1 || len(p.known) != 1 {
		t.Fatalf("%d packs", len(p.known))
	}
	if got := p.get(sha256.Sum256([]byte{0, 0, 0}), always); string(got) != "\x00\x00\x00" {
		t.Errorf("%q", got)
	}
	p.close()
}

// TestPackAge: others get to see what a process that never ends puts, and what is
// of use is not removed.
func TestPackAge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := packing(dir, 0)
	put := func(i int) {
		content := text(i, 100)
		c.put(digest.FromBytes(content), content)
	}
	put(0)
	put(1)
	packsOf(c).own.began = time.Now().Add(-2 * finishAge)
	put(2)
	if n := found(dir, 0, 3, 100); n != 2 {
		t.Errorf("another process finds %d", n)
	}
	finished, _ := inPacks(t, dir)
	age(t, finished[0], 2*touchAge)
	before, err := os.Stat(finished[0])
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		found(dir, 0, 1, 100)
		after, err := os.Stat(finished[0])
		if err != nil || !after.ModTime().After(before.ModTime().Add(touchAge)) {
			t.Errorf("%v: not touched", err)
		}
	}
	c.Close()
}

// plant puts a pack into a cache and returns where it is.
func plant(t *testing.T, dir string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, packsDir, rand.Text()+packSuffix)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

// plantMany plants n packs of five entries each, of which two neighbours have one in
// common.
func plantMany(t *testing.T, dir string, n int) (paths []string) {
	t.Helper()
	for i := range n {
		var contents []string
		for j := range 5 {
			contents = append(contents, string(text(i*4+j, 1000)))
		}
		paths = append(paths, plant(t, dir, packOf(contents...)))
	}
	return paths
}

// TestMerge: processes that put a little each leave few packs, and nothing is lost.
func TestMerge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plantMany(t, dir, packsAtRest-1)
	fill(packing(dir, 0), 1000, 1020, 10_000)
	finished, _ := inPacks(t, dir)
	if len(finished) != packsAtRest {
		t.Fatalf("%d packs", len(finished))
	}
	fill(New(Options{Dir: dir}), 2000, 2000+maxLoose, 1000) // no pack
	if finished, _ = inPacks(t, dir); len(finished) != packsAtRest {
		t.Fatalf("%d packs", len(finished))
	}
	c := packing(dir, 0)
	last := text(3000, 1000)
	c.put(digest.FromBytes(last), last)
	packsOf(c).own.began = time.Now().Add(-2 * finishAge)
	last = text(3001, 1000)
	c.put(digest.FromBytes(last), last) // which finishes the one and begins another
	finished, _ = inPacks(t, dir)
	if len(finished) != packsAtRest/2 {
		t.Errorf("%d packs", len(finished))
	}
	everything := func() int {
		return found(dir, 0, 4*(packsAtRest-1)+1, 1000) + found(dir, 1000, 1020, 10_000) + found(dir, 3000, 3002, 1000)
	}
	const all = 4*(packsAtRest-1) + 1 + 20 + 2
	if n := everything(); n != all-1 {
		t.Errorf("found %d of %d", n, all-1)
	}
	if n := foundBy(c, 3000, 3002, 1000) + foundBy(c, 0, 10, 1000); n != 12 {
		t.Errorf("who has merged finds %d", n)
	}
	c.Close()
	if n := everything(); n != all {
		t.Errorf("found %d of %d", n, all)
	}
}

// TestMergeTime: what was merged is of no more use than it was.
func TestMergeTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plantMany(t, dir, packsAtRest+1)
	age(t, filepath.Join(dir, packsDir), 5*time.Hour)
	packsOf(packing(dir, 0)).merge()
	finished, _ := inPacks(t, dir)
	if len(finished) != packsAtRest/2 {
		t.Errorf("%d packs", len(finished))
	}
	for _, f := range finished {
		if info, err := os.Stat(f); err != nil || time.Since(info.ModTime()) < 4*time.Hour {
			t.Errorf("%v, %v", info.ModTime(), err)
		}
	}
	if n := found(dir, 0, 4*(packsAtRest+1)+1, 1000); n != 4*(packsAtRest+1)+1 {
		t.Errorf("found %d", n)
	}
}

// TestMergeBound: no pack gets larger than packs may be.
func TestMergeBound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plantMany(t, dir, packsAtRest+1)
	const max = 160 << 10 // packs of 15,000 bytes, which is three of those
	packsOf(packing(dir, max)).merge()
	finished, _ := inPacks(t, dir)
	if len(finished) != packsAtRest-1 {
		t.Errorf("%d packs", len(finished))
	}
}

// TestMergeHostile: a pack in which content is not what its digest says, or that says
// more than it has, is not carried on, and one that cannot be read or removed is left
// out.
//
// attack: FS-01
func TestMergeHostile(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(path string) error
		left   bool // the pack stays
		lost   int  // entries that are in no other pack
	}{
		"damaged": {func(p string) error {
			data, err := os.ReadFile(p)
			data[1500] ^= 1 // the second content
			return errors.Join(err, os.WriteFile(p, data, 0o600))
		}, false, 1},
		"unfinished":  {func(p string) error { return os.Truncate(p, 3000) }, false, 3},
		"overlapping": {func(p string) error { return os.WriteFile(p, overlapping(), 0o600) }, false, 3},
		"spans": {func(p string) error {
			data, err := os.ReadFile(p)
			farSpans(data)
			return errors.Join(err, os.WriteFile(p, data, 0o600))
		}, false, 3},
		"another user's": {cachemodes.GiveAway, true, 0},
		"later version": {func(p string) error {
			data, err := os.ReadFile(p)
			data[len(data)-5]++
			return errors.Join(err, os.WriteFile(p, data, 0o600))
		}, true, 3},
		"FIFO": {func(p string) error { return errors.Join(os.Remove(p), mkfifo(p)) }, true, 3},
		"merging": {func(p string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(p), mergeName), nil, 0o600)
		}, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			paths := plantMany(t, dir, packsAtRest+2)
			age(t, filepath.Join(dir, packsDir), time.Hour)
			age(t, paths[3], 0) // and so it is among the first to be merged
			if err := tt.change(paths[3]); errors.Is(err, errors.ErrUnsupported) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			p := packsOf(packing(dir, 0))
			p.merge()
			p.close()
			finished, _ := inPacks(t, dir)
			if want := packsAtRest + 2; (len(finished) == want) != (name == "merging") {
				t.Errorf("%d packs", len(finished))
			}
			if n, want := found(dir, 0, 4*(packsAtRest+2)+1, 1000), 4*(packsAtRest+2)+1-tt.lost; n != want {
				t.Errorf("found %d, want %d", n, want)
			}
			if _, err := os.Lstat(paths[3]); (err == nil) != tt.left {
				t.Errorf("the pack: %v", err)
			}
			if name == "another user's" { // nothing was copied that stays
				if err := os.Remove(paths[3]); err != nil || found(dir, 13, 16, 1000) != 0 {
					t.Errorf("it was copied, %v", err)
				}
			}
		})
	}
}

// TestFailures: whatever cannot be written is not kept, and nothing is left of it.
func TestFailures(t *testing.T) {
	t.Parallel()
	for _, step := range []string{stepCreate, stepWrite, stepEnd, stepClose, stepRename, stepRemove} {
		dir := t.TempDir()
		c := packing(dir, 0)
		failing := true
		packsOf(c).before = func(s string) error {
			if failing && s == step {
				return syscall.ENOSPC
			}
			return nil
		}
		fill(c, 0, 10, 100)
		finished, unfinished := inPacks(t, dir)
		want := 10
		if step != stepRemove {
			want = 0
		}
		if n := found(dir, 0, 10, 100); n != want || len(unfinished) != 0 || len(finished) != want/10 {
			t.Errorf("%s: found %d, there are %v and %v", step, n, finished, unfinished)
		}
	}
	// It is tried again later, and not before.
	dir := t.TempDir()
	c := packing(dir, 0)
	tries := 0
	packsOf(c).before = func(s string) error {
		tries++
		return errors.New(s)
	}
	put := func(i int) {
		content := text(i, 100)
		c.put(digest.FromBytes(content), content)
	}
	put(0)
	put(1)
	if tries != 1 {
		t.Errorf("%d tries", tries)
	}
	packsOf(c).failed = time.Now().Add(-2 * retryAge)
	packsOf(c).before = nil
	put(2)
	c.Close()
	if n := found(dir, 0, 3, 100); n != 1 {
		t.Errorf("found %d", n)
	}
}

// TestTakenForDead: a process that has slept for so long that its pack was removed,
// and another has begun one of that name, touches neither.
func TestTakenForDead(t *testing.T) {
	t.Parallel()
	for _, replaced := range []bool{false, true} {
		dir := t.TempDir()
		c := packing(dir, 0)
		content := text(0, 100)
		c.put(digest.FromBytes(content), content)
		path := packsOf(c).own.path
		age(t, path, 2*orphanAge)
		found(dir, 0, 1, 100)
		if _, err := os.Stat(path); err == nil {
			t.Fatal("it is still there")
		}
		if replaced {
			if err := os.WriteFile(path, []byte("another's"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if n := foundBy(c, 0, 1, 100); n != 1 {
			t.Error("it cannot be read any more")
		}
		c.Close()
		finished, unfinished := inPacks(t, dir)
		if len(finished) != 0 || (len(unfinished) == 1) != replaced {
			t.Errorf("%v and %v", finished, unfinished)
		}
		if data, err := os.ReadFile(path); replaced && (err != nil || strings.Compare(string(data), "another's") != 0) {
			t.Errorf("%q, %v", data, err)
		}
	}
}
