package cache

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/notaryv2/notation/internal/crashtest"
	"github.com/opencontainers/go-digest"
)

// TestPackKilled finishes and merges packs with every fate. What was in others is
// found, what was put is found or not, and nothing half-written is read.
//
// attack: FS-04
func TestPackKilled(t *testing.T) {
	t.Parallel()
	const before, put = packsAtRest, 3
	crashtest.Change{
		Prepare: func(t *testing.T, dir string) {
			for i := range before {
				plant(t, dir, packOf(string(text(i, 100))))
			}
		},
		Do: func(dir string, step func() error) error {
			c := packing(dir, 0)
			packsOf(c).before = func(string) error { return step() }
			fill(c, before, before+put, 100)
			return nil
		},
		Check: func(t *testing.T, dir string, f crashtest.Fate) {
			if n := found(dir, 0, before, 100); n != before {
				t.Errorf("%s: of %d there are %d", f.Name, before, n)
			}
			if n := found(dir, before, before+put, 100); n != 0 && n != put {
				t.Errorf("%s: of what was put there are %d", f.Name, n)
			}
			finished, unfinished := inPacks(t, dir)
			for _, path := range finished {
				checkPack(t, path)
			}
			if len(unfinished) > 1 || len(unfinished) > 0 && !f.Killed {
				t.Errorf("%s: %v is left", f.Name, unfinished)
			}
			// Another process does it again, and removes what was left.
			age(t, filepath.Join(dir, packsDir), 2*orphanAge)
			fill(packing(dir, 0), before, before+put, 100)
			if n := found(dir, 0, before+put, 100); n != before+put {
				t.Errorf("%s: afterwards there are %d", f.Name, n)
			}
			if _, unfinished = inPacks(t, dir); len(unfinished) > 0 {
				t.Errorf("%s: afterwards %v is left", f.Name, unfinished)
			}
		},
		// Two packs are made, closed and renamed, and of one others are removed.
		MinSteps: put + 4 + packsAtRest/2 + 4 + packsAtRest/2,
		Longest:  (packsAtRest/2+1)*(100+entryBytes) + tailBytes,
	}.Test(t)
}

// checkPack finds anything in a finished pack that is not what its digest says.
func checkPack(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	pack, err := newTable(bytes.NewReader(data), int64(len(data)))
	if err == nil {
		err = pack.all(func(k key, s span) error {
			content, err := pack.read(s)
			if err == nil && sha256.Sum256(content) != k {
				err = errBroken
			}
			return err
		})
	}
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
}

// Environment of a child process: the directory and a number.
const (
	envDir   = "CACHE_DIR"
	envChild = "CACHE_CHILD"
)

// TestManyProcesses has processes fill, read, merge and make room in one directory
// at once. Each gets what it asks for, and the bound holds.
//
// attack: FS-04
func TestManyProcesses(t *testing.T) {
	t.Parallel()
	const max, children = 1 << 20, 6
	if dir := os.Getenv(envDir); dir != "" {
		number, err := strconv.Atoi(os.Getenv(envChild))
		if err != nil {
			t.Fatal(err)
		}
		for round := range 8 {
			c := New(Options{Dir: dir, MaxBytes: max})
			for i := range 120 {
				content := string(text((number*31+round*53+i*7)%900, 1000))
				if got, err := c.Repository(newRepo(content)).Fetch(t.Context(), describe(content), 2000); string(got) != content || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			}
			c.Close()
		}
		return
	}
	dir := t.TempDir()
	var running sync.WaitGroup
	for i := range children {
		running.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestManyProcesses$")
			cmd.Env = append(os.Environ(), envDir+"="+dir, envChild+"="+fmt.Sprint(i), "GORACE=atexit_sleep_ms=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("process %d: %v\n%s", i, err, out)
			}
		})
	}
	running.Wait()
	finished, unfinished := inPacks(t, dir)
	total := int64(0)
	for _, path := range finished {
		checkPack(t, path)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if total > max || len(finished) == 0 || len(finished) > maxPacks || len(unfinished) > 0 {
		t.Errorf("%d bytes in %d packs, and %v", total, len(finished), unfinished)
	}
	if n := found(dir, 0, 900, 1000); n == 0 {
		t.Error("nothing is found")
	}
}

// TestPackFullDisk: on a disk that is full nothing is kept, and nothing half-written
// stays.
//
// attack: FS-04
func TestPackFullDisk(t *testing.T) {
	t.Parallel()
	if !crashtest.Mounts(t) {
		return
	}
	for _, free := range []int{0, 4 << 10, 64 << 10} {
		dir := filepath.Join(t.TempDir(), "disk")
		crashtest.Disk(t, dir, 256<<10)
		crashtest.Fill(t, dir, free)
		for range 2 {
			c := packing(dir, 0)
			for i := range 100 {
				content := string(text(i, 1000))
				if got, err := c.Repository(newRepo(content)).Fetch(t.Context(), describe(content), 2000); string(got) != content || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			}
			c.Close()
			if finished, unfinished := inPacks(t, dir); len(finished)+len(unfinished) > 0 {
				t.Errorf("%v and %v are left", finished, unfinished)
			}
		}
		if err := os.Remove(filepath.Join(dir, ".ballast")); err != nil {
			t.Fatal(err)
		}
		fill(packing(dir, 0), 0, 100, 1000)
		if n := found(dir, 0, 100, 1000); n != 100 {
			t.Errorf("found %d once there is room", n)
		}
	}
}

// TestClosedWhileUsed: whoever is still at work when the cache is closed gets what
// it asks for.
func TestClosedWhileUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(packing(dir, 0), 0, 50, 100)
	c := packing(dir, 0)
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for i := range 200 {
				content := text(i, 100)
				d := digest.FromBytes(content)
				if i == 100 {
					c.Close()
				}
				c.put(d, content)
				if got := c.get(d); got != nil && !bytes.Equal(got, content) {
					t.Errorf("%q", got)
				}
			}
		})
	}
	running.Wait()
	if n := found(dir, 0, 200, 100); n < 100 {
		t.Errorf("found %d", n)
	}
	if err := os.RemoveAll(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
