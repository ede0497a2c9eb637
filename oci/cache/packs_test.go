package cache

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/cachemodes"
	"github.com/opencontainers/go-digest"
)

// packing returns a cache that puts everything into packs.
func packing(dir string, max int64) *Cache {
	c := New(Options{Dir: dir, MaxBytes: max})
	c.store.(*disk).loose.Store(maxLoose)
	return c
}

// packsOf returns the packs of a cache as it sees the directory.
func packsOf(c *Cache) *packs { return &c.store.(*disk).packs }

// text returns content number i, of n bytes.
func text(i, n int) []byte {
	return append(fmt.Appendf(nil, "%d ", i), bytes.Repeat([]byte("x"), n)...)
}

// fill puts contents from one number to another, of n bytes each, and closes the
// cache.
func fill(c *Cache, from, to, n int) {
	for i := from; i < to; i++ {
		content := text(i, n)
		c.put(digest.FromBytes(content), content)
	}
	c.Close()
}

// found counts which of the contents a process finds that only reads.
func found(dir string, from, to, n int) int {
	c := New(Options{Dir: dir})
	defer c.Close()
	return foundBy(c, from, to, n)
}

func foundBy(c *Cache, from, to, n int) int {
	there := 0
	for i := from; i < to; i++ {
		content := text(i, n)
		if got := c.get(digest.FromBytes(content)); bytes.Equal(got, content) {
			there++
		}
	}
	return there
}

// inPacks returns what the directory of packs holds.
func inPacks(t *testing.T, dir string) (finished, unfinished []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, packsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), packSuffix) {
			finished = append(finished, filepath.Join(dir, packsDir, e.Name()))
		} else {
			unfinished = append(unfinished, filepath.Join(dir, packsDir, e.Name()))
		}
	}
	return finished, unfinished
}

// TestPacks: the first entries become files, the others a pack. Who has put them
// finds all, and others what is finished.
func TestPacks(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	c := New(Options{Dir: dir})
	for i := range 100 {
		content := text(i, 1000)
		c.put(digest.FromBytes(content), content)
		c.put(digest.FromBytes(content), content)
		if i == 1 && packsOf(c).own != nil {
			t.Error("a pack was begun for two entries")
		}
	}
	finished, unfinished := inPacks(t, dir)
	if len(finished) != 0 || len(unfinished) != 1 {
		t.Fatalf("%v and %v", finished, unfinished)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "sha256", "*", "*"))
	if n := foundBy(c, 0, 100, 1000); n != 100 || len(files) == 0 || len(files) > maxLoose {
		t.Errorf("found %d, there are %d files", n, len(files))
	}
	if n := found(dir, 0, 100, 1000); n != len(files) {
		t.Errorf("another process finds %d of %d", n, len(files))
	}
	c.Close()
	finished, unfinished = inPacks(t, dir)
	if len(finished) != 1 || len(unfinished) != 0 {
		t.Fatalf("%v and %v", finished, unfinished)
	}
	for path, mode := range map[string]fs.FileMode{filepath.Dir(finished[0]): fs.ModeDir | 0o700, finished[0]: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	}
	if n := found(dir, 0, 100, 1000); n != 100 {
		t.Errorf("another process finds %d", n)
	}
	// Nothing is open any more, and all can still be read.
	for range 2 {
		if n := foundBy(c, 0, 100, 1000); n != 100 || len(packsOf(c).known) != 0 {
			t.Errorf("found %d after Close, %d packs are open", n, len(packsOf(c).known))
		}
	}
}

// TestPackOfOthers: a process finds what another has finished since.
func TestPackOfOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	reader := New(Options{Dir: dir})
	defer reader.Close()
	fill(packing(dir, 0), 0, 10, 100)
	if n := foundBy(reader, 0, 10, 100); n != 10 {
		t.Errorf("found %d", n)
	}
	fill(packing(dir, 0), 10, 20, 100)
	if n := foundBy(reader, 10, 20, 100); n != 0 {
		t.Errorf("found %d, but looked just now", n)
	}
	packsOf(reader).listed = time.Time{}
	if n := foundBy(reader, 0, 20, 100); n != 20 {
		t.Errorf("found %d", n)
	}
	// One that was removed can be read until somebody looks again.
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if n := foundBy(reader, 0, 20, 100); n != 20 {
		t.Errorf("found %d of what was open", n)
	}
	packsOf(reader).listed = time.Time{}
	if n := foundBy(reader, 0, 20, 100); n != 0 {
		t.Errorf("found %d of nothing", n)
	}
}

// TestOtherDigests: content that has no SHA-256, or is too long for a pack of the
// bound, is kept in files.
func TestOtherDigests(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	content := text(0, 5000)
	for _, a := range []digest.Algorithm{digest.SHA384, digest.SHA512} {
		c := packing(dir, 0)
		d := a.FromBytes(content)
		c.put(d, content)
		if c.get(d) == nil || packsOf(c).own != nil {
			t.Error(d)
		}
	}
	c := packing(dir, 32<<10)
	c.put(digest.FromBytes(content), content)
	if c.get(digest.FromBytes(content)) == nil || packsOf(c).own != nil {
		t.Error("too long for a pack")
	}
}

// TestPackDamage: a pack that is not what was finished costs requests. One that is
// the user's and of no use to anybody is removed, and nothing else is.
//
// attack: FS-01
func TestPackDamage(t *testing.T) {
	t.Parallel()
	edit := func(change func([]byte) []byte) func(string) error {
		return func(path string) error {
			data, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(path, change(data), 0o600))
		}
	}
	instead := func(make func(path string) error) func(string) error {
		return func(path string) error { return errors.Join(os.Remove(path), make(path)) }
	}
	link := func(path string) error {
		aside := filepath.Join(filepath.Dir(path), "aside")
		return errors.Join(os.Rename(path, aside), os.Symlink(aside, path))
	}
	for name, tt := range map[string]struct {
		damage func(path string) error
		left   bool // whatever stands there stays
	}{
		"content":        {edit(func(d []byte) []byte { clear(d[:3000]); return d }), false},
		"truncated":      {func(p string) error { return os.Truncate(p, 2000) }, false},
		"empty":          {func(p string) error { return os.Truncate(p, 0) }, false},
		"huge":           {func(p string) error { return os.Truncate(p, 1<<40) }, false},
		"longer":         {edit(func(d []byte) []byte { return append(d, 0) }), false},
		"fan":            {edit(func(d []byte) []byte { d[len(d)-17] = 0xff; return d }), false},
		"spans":          {edit(func(d []byte) []byte { farSpans(d); return d }), false},
		"another's pack": {edit(func([]byte) []byte { return packOf("something else") }), true},
		"later version":  {edit(func(d []byte) []byte { d[len(d)-5]++; return d }), true},
		"directory":      {instead(func(p string) error { return os.Mkdir(p, 0o700) }), true},
		"FIFO":           {instead(mkfifo), true},
		"device":         {instead(func(p string) error { return os.Symlink("/dev/zero", p) }), true},
		"link":           {link, true},
		"other's rubbish": {func(p string) error {
			return errors.Join(os.Truncate(p, 100), cachemodes.GiveAway(p))
		}, true},
		"gone": {os.Remove, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			fill(packing(dir, 0), 0, 3, 1000)
			finished, _ := inPacks(t, dir)
			if err := tt.damage(finished[0]); errors.Is(err, errors.ErrUnsupported) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			content := string(text(0, 1000))
			r := newRepo(content)
			for range 2 {
				if got, err := New(Options{Dir: dir}).Repository(r).Fetch(t.Context(), describe(content), maxEntry); string(got) != content || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			}
			if r.requests() != "fetch" { // the second time from a file
				t.Error("the pack was believed, or nothing was kept")
			}
			if _, err := os.Lstat(finished[0]); (err == nil) != tt.left {
				t.Errorf("what stands there: %v", err)
			}
		})
	}
}

// farSpans has all spans of a pack lead behind its content.
func farSpans(data []byte) {
	pack, err := newTable(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		panic(err)
	}
	for i := range pack.count {
		entry := data[pack.end:][i*entryBytes:][:entryBytes]
		for j := len(entry) - spanBytes; j < len(entry); j++ {
			entry[j] = 0xff
		}
	}
}

// TestPacksElsewhere: a link in the place of the directory is not followed to write
// or to make room.
//
// attack: FS-01
func TestPacksElsewhere(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	name := filepath.Join(other, rand.Text()+packSuffix)
	orphan := filepath.Join(other, beginning+"x")
	old := time.Now().Add(-2 * orphanAge)
	if err := errors.Join(
		os.WriteFile(name, []byte("no pack"), 0o600), os.WriteFile(orphan, nil, 0o600),
		os.Chtimes(orphan, old, old), os.Symlink(other, filepath.Join(dir, packsDir)),
	); err != nil {
		t.Fatal(err)
	}
	fill(packing(dir, 0), 0, 10, 100)
	if n := found(dir, 0, 10, 100); n != 0 {
		t.Errorf("found %d", n)
	}
	if files, err := os.ReadDir(other); err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
}

// TestPackNames: what is no pack by its name is somebody else's.
func TestPackNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	packs := filepath.Join(dir, packsDir)
	old := time.Now().Add(-2 * orphanAge)
	for _, name := range []string{"notes.txt", "x" + packSuffix, strings.Repeat("a", packDigits) + packSuffix, beginning + "old", beginning + "new", mergeName} {
		path := filepath.Join(packs, name)
		if err := errors.Join(os.MkdirAll(packs, 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "old") || name == mergeName {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	found(dir, 0, 1, 1)
	if entries, err := os.ReadDir(packs); err != nil || len(entries) != 4 {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestPacksConcurrently fills, reads, closes and removes the packs of one directory
// from everywhere.
func TestPacksConcurrently(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var group sync.WaitGroup
	for range 4 {
		c := packing(dir, 256<<10) // packs of 24 KiB
		for worker := range 4 {
			group.Go(func() {
				for i := range 300 {
					content := string(text(i*7%100+worker*50, 500))
					if got, err := c.Repository(newRepo(content)).Fetch(t.Context(), describe(content), 1000); string(got) != content || err != nil {
						t.Errorf("%q, %v", got, err)
					}
					if i%100 == 50 {
						known, done := packsOf(c).list()
						for _, k := range known[:min(len(known), 1)] {
							packsOf(c).discard(k)
						}
						done()
					}
				}
				c.Close()
				foundBy(c, 0, 100, 500)
			})
		}
	}
	group.Go(func() {
		for range 20 {
			found(dir, 0, 100, 500)
			_ = os.RemoveAll(filepath.Join(dir, packsDir))
		}
	})
	group.Wait()
	if _, unfinished := inPacks(t, dir); len(unfinished) > 0 {
		t.Errorf("%v is left", unfinished)
	}
}

// TestTooManyPacks: no more than so many are open, and a file that took the place of
// a damaged one stays.
func TestTooManyPacks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	paths := plantMany(t, dir, maxPacks+5)
	c := packing(dir, 0)
	defer c.Close()
	known, done := packsOf(c).list()
	defer done()
	if len(known) != maxPacks {
		t.Errorf("%d packs", len(known))
	}
	info, err := os.Stat(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	packsOf(c).discard(newPack(paths[1], info))
	if _, err := os.Stat(paths[1]); err != nil {
		t.Error(err)
	}
}

// TestPackSwapped: what takes the place of a pack between a look at its directory
// and the first lookup is neither waited for, read nor removed.
//
// attack: FS-01
func TestPackSwapped(t *testing.T) {
	t.Parallel()
	content := text(0, 100)
	pack := packOf(string(content))
	for name, swap := range map[string]func(path string) error{
		"FIFO":   mkfifo,
		"device": func(p string) error { return os.Symlink("/dev/zero", p) },
		"link": func(p string) error {
			return errors.Join(os.WriteFile(p+".aside", pack, 0o600), os.Symlink(p+".aside", p))
		},
		"directory": func(p string) error { return os.Mkdir(p, 0o700) },
		"rubbish":   func(p string) error { return os.WriteFile(p, []byte("rubbish"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := plant(t, dir, pack)
			c := packing(dir, 0)
			defer c.Close()
			packsOf(c).list()
			// The old file must stay, or the new one may be given its number.
			if err := os.Rename(path, path+".old"); err != nil {
				t.Fatal(err)
			}
			if err := swap(path); errors.Is(err, errors.ErrUnsupported) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			if n := foundBy(c, 0, 1, 100); n != 0 {
				t.Error("it was read")
			}
			if _, err := os.Lstat(path); err != nil {
				t.Error(err)
			}
		})
	}
}
