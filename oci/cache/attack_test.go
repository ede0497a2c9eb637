package cache

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/internal/cachemodes"
	"github.com/notaryv2/notation/internal/crashtest"
	"github.com/opencontainers/go-digest"
)

// raided is a cache in a directory that holds two manifests of one size, good and
// evil, each under its own digest: in files of their own, or in a pack.
type raided struct {
	dir        string
	packed     bool
	good, evil string // contents
}

func newRaided(t *testing.T, packed bool) *raided {
	t.Helper()
	r := &raided{dir: filepath.Join(t.TempDir(), "cache"), packed: packed, good: manifest + "  ", evil: manifest + " \n"}
	c := New(Options{Dir: r.dir})
	for i := 0; packed && i < maxLoose; i++ {
		other := fmt.Append(nil, "other ", i)
		c.put(digest.FromBytes(other), other)
	}
	for _, content := range []string{r.good, r.evil} {
		c.put(digest.FromString(content), []byte(content))
	}
	c.Close()
	r.check(t, true)
	for _, path := range r.paths() {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%s: %v", path, err)
		}
	}
	return r
}

// path returns where a content is kept that is in a file of its own.
func (r *raided) path(content string) string {
	return (&disk{dir: r.dir}).path(digest.FromString(content))
}

// paths returns the files in which the contents are.
func (r *raided) paths() []string {
	if !r.packed {
		return []string{r.path(r.good), r.path(r.evil)}
	}
	packs, err := filepath.Glob(filepath.Join(r.dir, packsDir, "*"+packSuffix))
	if err != nil || len(packs) != 1 {
		return []string{"no pack"}
	}
	return packs
}

// check asks for both contents as a new process would. What comes is what was
// asked for, or where the repository has it no more, nothing.
func (r *raided) check(t *testing.T, there bool) {
	t.Helper()
	from := newRepo()
	if there {
		from = newRepo(r.good, r.evil)
	}
	c := New(Options{Dir: r.dir})
	defer c.Close()
	repo := c.Repository(resolver{from})
	for _, content := range []string{r.good, r.evil} {
		got, err := repo.Fetch(t.Context(), describe(content), 1000)
		if err == nil && string(got) != content || err != nil && (there || !errors.Is(err, errGone)) {
			t.Errorf("fetched %q, want %q: %v", got, content, err)
		}
		d, err := repo.Resolve(t.Context(), byDigest(t, content))
		if err == nil && (d.Digest != digest.FromString(content) || d.Size != int64(len(content))) || err != nil && (there || !errors.Is(err, errGone)) {
			t.Errorf("resolved %v: %v", d, err)
		}
	}
}

// Whatever somebody does to the directory, a digest gives its own content: from
// the cache, from the repository, or not at all.
//
// attack: REG-02
// attack: FS-01
func TestAttacked(t *testing.T) {
	t.Parallel()
	each := func(r *raided, do func(path string) error) error {
		var all []error
		for _, path := range r.paths() {
			all = append(all, do(path))
		}
		return errors.Join(all...)
	}
	shards := func(r *raided, do func(dir string) error) error {
		var all []error
		for _, path := range r.paths() {
			all = append(all, do(filepath.Dir(path)))
		}
		return errors.Join(all...)
	}
	as := func(make func(path string) error) func(string) error {
		return func(path string) error { return errors.Join(os.RemoveAll(path), make(path)) }
	}
	file := as(func(p string) error { return os.WriteFile(p, nil, 0o600) })
	over := func(r *raided, put func(old, new string) error) error { // evil in the place of good
		if r.packed {
			return fmt.Errorf("they are in one file: %w", errors.ErrUnsupported)
		}
		return errors.Join(os.Remove(r.path(r.good)), put(r.path(r.evil), r.path(r.good)))
	}
	for name, attack := range map[string]func(r *raided) error{
		"edited": func(r *raided) error {
			return each(r, func(p string) error {
				data, err := os.ReadFile(p)
				if err != nil {
					return err
				}
				return os.WriteFile(p, bytes.ReplaceAll(data, []byte(r.good), []byte(r.evil)), 0o600)
			})
		},
		"renamed":          func(r *raided) error { return over(r, os.Rename) },
		"hard link":        func(r *raided) error { return over(r, os.Link) },
		"symbolic link":    func(r *raided) error { return over(r, os.Symlink) },
		"link in a circle": func(r *raided) error { return over(r, func(_, p string) error { return os.Symlink(p, p) }) },
		"truncated":        func(r *raided) error { return each(r, func(p string) error { return os.Truncate(p, 5) }) },
		"endless":          func(r *raided) error { return each(r, as(func(p string) error { return os.Symlink("/dev/zero", p) })) },
		"directory": func(r *raided) error {
			return each(r, as(func(p string) error { return os.MkdirAll(filepath.Join(p, "x"), 0o700) }))
		},
		"FIFO":                func(r *raided) error { return each(r, as(mkfifo)) },
		"others write":        func(r *raided) error { return each(r, func(p string) error { return os.Chmod(p, 0o666) }) },
		"unreadable":          func(r *raided) error { return each(r, func(p string) error { return os.Chmod(p, 0) }) },
		"another user's":      func(r *raided) error { return each(r, cachemodes.GiveAway) },
		"shards open":         func(r *raided) error { return shards(r, func(p string) error { return os.Chmod(p, 0o777) }) },
		"all open":            func(r *raided) error { return os.Chmod(r.dir, 0o777) },
		"shards are files":    func(r *raided) error { return shards(r, file) },
		"shards are FIFOs":    func(r *raided) error { return shards(r, as(mkfifo)) },
		"shards read-only":    func(r *raided) error { return shards(r, as(func(p string) error { return os.Mkdir(p, 0o500) })) },
		"a file":              func(r *raided) error { return file(r.dir) },
		"a FIFO":              func(r *raided) error { return as(mkfifo)(r.dir) },
		"read-only and empty": func(r *raided) error { return as(func(p string) error { return os.Mkdir(p, 0o500) })(r.dir) },
		"a device":            func(r *raided) error { return as(func(p string) error { return os.Symlink("/dev/null", p) })(r.dir) },
		"leads nowhere": func(r *raided) error {
			return as(func(p string) error { return os.Symlink("/nowhere/at/all", p) })(r.dir)
		},
		"removed": func(r *raided) error { return os.RemoveAll(r.dir) },
	} {
		for _, packed := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", packed ", packed), func(t *testing.T) {
				t.Parallel()
				r := newRaided(t, packed)
				if err := attack(r); errors.Is(err, errors.ErrUnsupported) {
					t.Skip(err)
				} else if err != nil {
					t.Fatal(err)
				}
				r.check(t, true)
				r.check(t, false)
			})
		}
	}
}

// The blobs of an image layout have the names that entries have. With a link to
// them in the cache's place they are neither removed to make room nor, if they are
// damaged, put right.
//
// attack: FS-01
func TestShardOfAnother(t *testing.T) {
	t.Parallel()
	dir, blobs := filepath.Join(t.TempDir(), "cache"), filepath.Join(t.TempDir(), "blobs", "sha256")
	if err := errors.Join(os.MkdirAll(blobs, 0o700), os.MkdirAll(filepath.Join(dir, "sha256"), 0o700)); err != nil {
		t.Fatal(err)
	}
	content := make([]byte, 100<<10)
	names := map[string]string{}
	for i := 0; len(names) < 8; i++ {
		copy(content, fmt.Sprint(i))
		if d := digest.FromBytes(content); d.Encoded()[0] == 'a' {
			names[d.Encoded()] = string(content)
			if err := os.WriteFile(filepath.Join(blobs, d.Encoded()), []byte("damaged"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Symlink(blobs, filepath.Join(dir, "sha256", "a")); err != nil {
		t.Fatal(err)
	}
	for _, content := range names {
		repo := newRepo(content)
		if got, err := New(Options{Dir: dir, MaxBytes: shards}).Repository(repo).Fetch(t.Context(), describe(content), maxEntry); string(got) != content || err != nil {
			t.Error(err)
		}
	}
	full := newDisk(dir, shards)
	for name, content := range names {
		full.put(digest.Digest("sha256:"+name), []byte(content))
		full.put(digest.Digest("sha256:a"+strings.Repeat("0", 63)), []byte(content))
		tidy(filepath.Join(dir, "sha256", "a"), full.looseBound()/shards)
	}
	found, err := os.ReadDir(blobs)
	if err != nil || len(found) != len(names) {
		t.Errorf("%d files, %v", len(found), err)
	}
	for name := range names {
		if got, err := os.ReadFile(filepath.Join(blobs, name)); string(got) != "damaged" {
			t.Errorf("%s holds %d bytes, %v", name, len(got), err)
		}
	}
}

// Caches that are removed, filled and read at once give what was asked for.
//
// attack: REG-02
func TestRemovedWhileRunning(t *testing.T) {
	t.Parallel()
	r := newRaided(t, false)
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			switch i % 3 {
			case 0:
				_ = os.RemoveAll(r.dir)
			case 1:
				_ = os.WriteFile(r.path(r.good), []byte(r.evil), 0o600)
			default:
				_ = os.Rename(r.path(r.evil), r.path(r.good))
			}
		}
	}()
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for range 50 {
				r.check(t, true)
			}
		})
	}
	running.Wait()
	close(done)
	<-gone
}

// A disk that is full, or takes one small entry and no large one.
//
// attack: FS-04
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if !crashtest.Mounts(t) {
		return
	}
	small, large := manifest, strings.Repeat(" ", 64<<10)+manifest
	for _, free := range []int{0, 4 << 10} {
		dir := filepath.Join(t.TempDir(), "disk")
		crashtest.Disk(t, dir, 32<<10)
		crashtest.Fill(t, dir, free)
		for range 3 {
			repo := New(Options{Dir: dir}).Repository(newRepo(small, large))
			for _, content := range []string{small, large} {
				if got, err := repo.Fetch(t.Context(), describe(content), maxEntry); string(got) != content || err != nil {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			}
		}
		left, err := filepath.Glob(filepath.Join(dir, "*", "*", beginning+"*"))
		if err != nil || len(left) > 0 {
			t.Errorf("%v was left, %v", left, err)
		}
	}
}
