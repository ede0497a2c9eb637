package revocation

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/crashtest"
	"github.com/notaryv2/notation/internal/testpki"
)

// storeIn puts an answer into the cache below dir, as whoever has fetched it
// does.
func storeIn(dir string, step func() error) error {
	name, err := os.ReadFile(filepath.Join(dir, "name"))
	if err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(dir, "answer"))
	if err != nil {
		return err
	}
	index, err := os.ReadFile(filepath.Join(dir, "index"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	k, key, _ := strings.Cut(string(name), " ")
	d := &disk{dir: filepath.Join(dir, "cache"), now: time.Now, w: atomicfile.Writer{
		Before: func(atomicfile.Op, string) error { return step() },
	}}
	d.save(kind(k), key, data, index)
	return nil
}

// replacing returns a world whose cache, below dir, holds that the leaf is good,
// and which has prepared the answer that it is revoked.
func replacing(t *testing.T, dir, kind string) *world {
	t.Helper()
	w := newWorld(t, kinds[kind])
	w.o.CacheDir = filepath.Join(dir, "cache")
	w.respond(w.good())
	w.publish(w.longCRL(1))
	want(t, w.check(), Good, "")
	put := func(name string, data []byte) { fail(t, os.WriteFile(filepath.Join(dir, name), data, 0o600)) }
	if kind == "OCSP" {
		o := w.good()
		o.Singles[0].Status = testpki.OCSPRevoked(w.now.Add(-time.Hour), 1)
		put("name", []byte(string(kindOCSP)+" "+cacheKey(ocspURL, w.ca(), serial(w.leaf()))))
		put("answer", o.Sign(t, w.caKey()))
		return w
	}
	raw := w.longCRL(2, w.entry(1)).Sign(t, w.caKey())
	_, index, err := newCRL(raw, w.ca())
	if err != nil {
		t.Fatal(err)
	}
	put("name", []byte(string(kindCRL)+" "+cacheKey(crlURL, w.ca(), nil)))
	put("answer", raw)
	put("index", index)
	return w
}

// TestKilled replaces answers in the cache with every fate. The old or the new
// is believed, and never something else; and the cache can be written again.
//
// attack: FS-04
func TestKilled(t *testing.T) {
	t.Parallel()
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			worlds := map[string]*world{} // by the directory of their cache
			c := crashtest.Change{
				Prepare: func(t *testing.T, dir string) { worlds[dir] = replacing(t, dir, kind) },
				Do:      storeIn,
				Check: func(t *testing.T, dir string, f crashtest.Fate) {
					w := worlds[dir]
					w.o.Offline = true
					r := w.check()
					through := f.Done && strings.HasPrefix(f.Name, "killed")
					if r.Status != Revoked && (r.Status != Good || through) {
						t.Errorf("%s: %v, %v", f.Name, r.Status, r.Err)
					}
					if err := storeIn(dir, func() error { return nil }); err != nil {
						t.Fatal(err)
					}
					if r := w.check(); r.Status != Revoked || !r.FromCache {
						t.Errorf("%s: done again, %v, %v", f.Name, r.Status, r.Err)
					}
				},
				MinSteps: 6,
				Longest:  200,
			}
			if kind == "CRL" {
				c.MinSteps, c.Longest = 12, indexedFrom
			}
			c.Test(t)
		})
	}
}

// TestCacheOnRealDisks has no room for an answer: what is there is believed, and
// else there is a request.
//
// attack: FS-04
func TestCacheOnRealDisks(t *testing.T) {
	t.Parallel()
	if !crashtest.Mounts(t) {
		return
	}
	for kind := range kinds {
		dir := filepath.Join(t.TempDir(), "disk")
		crashtest.Disk(t, dir, 4*indexedFrom+(64<<10))
		w := replacing(t, dir, kind)
		crashtest.Fill(t, dir, 0)
		fail(t, storeIn(dir, func() error { return nil }))
		w.o.Offline = true
		if r := w.check(); r.Status != Good || !r.FromCache {
			t.Errorf("%s: %v, %v", kind, r.Status, r.Err)
		}
		fail(t, os.RemoveAll(w.o.CacheDir))
		fail(t, os.WriteFile(filepath.Join(dir, ".more"), nil, 0o600))
		crashtest.Fill(t, dir, 0)
		w.o.Offline = false
		if r := w.check(); r.Status != Good || r.FromCache {
			t.Errorf("%s, no cache: %v, %v", kind, r.Status, r.Err)
		}
	}
}

// TestCacheShared has fifty writers of two answers, and readers who see one of
// them.
//
// attack: FS-04
func TestCacheShared(t *testing.T) {
	t.Parallel()
	for kind := range kinds {
		dir := t.TempDir()
		w := replacing(t, dir, kind)
		w.o.Offline = true
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := storeIn(dir, func() error { return nil }); err != nil {
					t.Error(err)
				}
				if r := New(w.o).Check(t.Context(), w.chain.Certs, Evidence{})[0]; r.Status != Revoked {
					t.Errorf("%s: %v, %v", kind, r.Status, r.Err)
				}
			})
		}
		all.Wait()
	}
}
