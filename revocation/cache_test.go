package revocation

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// longCRL is a list that is long enough for an index; the entries come after
// the others.
func (w *world) longCRL(number int64, entries ...[]byte) testpki.CRL {
	return w.crl(number, append([][]byte{testpki.ManyEntries(indexedFrom/32, w.now)}, entries...)...)
}

// cached is a world with a cache, which both kinds of answers are in.
func cached(t *testing.T, leaf leafOption) *world {
	t.Helper()
	w := newWorld(t, leaf)
	w.o.CacheDir = filepath.Join(t.TempDir(), "cache")
	w.respond(w.good())
	w.publish(w.longCRL(1))
	want(t, w.check(), Good, "")
	return w
}

// files returns the files in the cache.
func (w *world) files() []string {
	var list []string
	_ = filepath.WalkDir(w.o.CacheDir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			list = append(list, path)
		}
		return nil
	})
	return list
}

func (w *world) asked() int { return w.net.count(ocspURL) + w.net.count(crlURL) }

var kinds = map[string]leafOption{"OCSP": withOCSP(ocspURL), "CRL": withCRL(crlURL)}

func TestCacheSpares(t *testing.T) {
	t.Parallel()
	for name, leaf := range kinds {
		for _, dir := range []bool{true, false} {
			w := newWorld(t, leaf)
			if dir {
				w.o.CacheDir = t.TempDir()
			}
			w.respond(w.good())
			w.publish(w.longCRL(1))
			checker := New(w.o)
			for i := range 3 {
				r := checker.Check(context.Background(), w.chain.Certs, Evidence{})[0]
				want(t, r, Good, "")
				if r.FromCache != (i > 0) {
					t.Errorf("%s: check %d: %+v", name, i, r)
				}
			}
			if w.asked() != 1 {
				t.Errorf("%s: %d requests", name, w.asked())
			}
			for _, f := range w.files() {
				if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: %v %v", f, info.Mode(), err)
				}
			}
		}
	}
}

// An answer that holds for long is asked for again after a day; if that fails,
// it still holds. Once it has ended, it does not.
func TestCacheAges(t *testing.T) {
	t.Parallel()
	for name, leaf := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, leaf)
			w.o.CacheDir = t.TempDir()
			start := w.now
			o, c := w.good(), w.longCRL(1)
			o.Singles[0].NextUpdate, c.NextUpdate = start.Add(72*time.Hour), start.Add(72*time.Hour)
			w.respond(o)
			w.publish(c)
			want(t, w.check(), Good, "")
			w.lives(200 * time.Hour)
			w.now = start.Add(maxCacheAge + time.Hour)
			r := w.check()
			if want(t, r, Good, ""); w.asked() != 2 || r.FromCache {
				t.Errorf("%d requests, %+v", w.asked(), r)
			}
			w.net.bytes(ocspURL, nil)
			w.net.bytes(crlURL, nil)
			r = w.check()
			if want(t, r, Good, ""); !r.FromCache {
				t.Errorf("%+v", r)
			}
			w.now = start.Add(73 * time.Hour)
			if r := w.check(); r.Status != Unavailable {
				t.Errorf("%+v", r)
			}
			w.now = start.Add(-time.Hour) // a clock set back trusts nothing
			if r := w.check(); r.Status != Unavailable {
				t.Errorf("%+v", r)
			}
		})
	}
}

// attack: REV-02
func TestCRLRollback(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*testpki.CRL){
		"lower number":            func(c *testpki.CRL) { c.Extensions[0] = testpki.CRLNumber(0x7f) },
		"same number, older time": func(c *testpki.CRL) { c.ThisUpdate = c.ThisUpdate.Add(-time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withCRL(crlURL))
			w.o.CacheDir = t.TempDir()
			start := w.now
			w.lives(200 * time.Hour)
			c := w.crl(0x80, w.entry(1))
			c.NextUpdate = start.Add(30 * time.Hour)
			w.publish(c)
			want(t, w.check(), Revoked, reason.RevocationRevoked)
			old := w.crl(0x80)
			old.NextUpdate = start.Add(100 * time.Hour)
			change(&old)
			w.publish(old)
			w.now = start.Add(25 * time.Hour)
			want(t, w.check(), Revoked, reason.RevocationRevoked)
			w.now = start.Add(40 * time.Hour)
			want(t, w.check(), Unavailable, reason.RevocationCRLNumber)
			fresh := w.crl(0x100)
			fresh.NextUpdate = start.Add(100 * time.Hour)
			w.publish(fresh)
			want(t, w.check(), Good, "")
		})
	}
}

// attack: REV-04
func TestCacheDamaged(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, path string){
		"empty":     func(t *testing.T, path string) { rewrite(t, path, func([]byte) []byte { return nil }) },
		"truncated": func(t *testing.T, path string) { rewrite(t, path, func(b []byte) []byte { return b[:len(b)/2] }) },
		"longer":    func(t *testing.T, path string) { rewrite(t, path, func(b []byte) []byte { return append(b, 0) }) },
		"first":     func(t *testing.T, path string) { rewrite(t, path, func(b []byte) []byte { b[0] ^= 1; return b }) },
		"middle": func(t *testing.T, path string) {
			rewrite(t, path, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		},
		"last": func(t *testing.T, path string) {
			rewrite(t, path, func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
		},
		"zeros": func(t *testing.T, path string) {
			rewrite(t, path, func(b []byte) []byte { return make([]byte, len(b)) })
		},
		"link": func(t *testing.T, path string) {
			fail(t, os.Rename(path, path+".moved"))
			fail(t, os.Symlink(path+".moved", path))
		},
		"directory":       func(t *testing.T, path string) { fail(t, os.Remove(path)); fail(t, os.Mkdir(path, 0o700)) },
		"writable by all": func(t *testing.T, path string) { fail(t, os.Chmod(path, 0o666)) },
		"too large":       func(t *testing.T, path string) { fail(t, os.Truncate(path, MaxCRLBytes+1)) },
		"removed":         func(t *testing.T, path string) { fail(t, os.Remove(path)) },
		"another user's": func(t *testing.T, path string) {
			if os.Geteuid() != 0 {
				t.Skip("only root can give files away")
			}
			fail(t, os.Chown(path, 65534, 65534))
		},
	} {
		for source, leaf := range kinds {
			for _, suffix := range []string{".ocsp", ".crl", ".idx"} {
				if (source == "OCSP") != (suffix == ".ocsp") {
					continue
				}
				t.Run(name+suffix, func(t *testing.T) {
					t.Parallel()
					w := cached(t, leaf)
					// Meanwhile the certificate was revoked: who asks, sees it;
					// who trusts the damaged cache as far as it goes, must not
					// see anything else than it said.
					o := w.good()
					o.Singles[0].Status = testpki.OCSPRevoked(w.now, 1)
					w.respond(o)
					w.publish(w.longCRL(2, w.entry(1)))
					for _, path := range w.files() {
						if strings.HasSuffix(path, suffix) {
							damage(t, path)
						}
					}
					r := w.check()
					if suffix == ".idx" {
						want(t, r, Good, "") // the list itself is whole
						if !r.FromCache {
							t.Error("a list was thrown away for its index")
						}
						return
					}
					want(t, r, Revoked, reason.RevocationRevoked)
				})
			}
		}
	}
}

func fail(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func rewrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	fail(t, err)
	fail(t, os.WriteFile(path, change(data), 0o600))
}

// attack: REV-04
func TestCacheSwapped(t *testing.T) {
	t.Parallel()
	const other = "http://crl.test/other.crl"
	w := newWorld(t, withCRL(crlURL))
	w.o.CacheDir = t.TempDir()
	sibling := testpki.Issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(99), Subject: w.leaf().Subject, NotBefore: w.leaf().NotBefore, NotAfter: w.leaf().NotAfter,
		CRLDistributionPoints: []string{other},
	}, w.ca(), w.leaf().PublicKey, w.caKey())
	list := func(url string, number int64, entries ...[]byte) {
		c := w.crl(number, entries...)
		c.Extensions = append(c.Extensions, testpki.IssuingPoint(testpki.PointName(url)))
		w.net.bytes(url, c.Sign(t, w.caKey()))
	}
	list(crlURL, 3, w.entry(1))
	list(other, 7)
	check := func(cert *x509.Certificate) Result {
		return New(w.o).Check(context.Background(), []*x509.Certificate{cert, w.ca()}, Evidence{})[0]
	}
	want(t, check(w.leaf()), Revoked, reason.RevocationRevoked)
	want(t, check(sibling), Good, "")
	var lists []string
	for _, f := range w.files() {
		if strings.HasSuffix(f, ".crl") {
			lists = append(lists, f)
		}
	}
	if len(lists) != 2 {
		t.Fatal(w.files())
	}
	swap := filepath.Join(filepath.Dir(lists[0]), "swap")
	fail(t, os.Rename(lists[0], swap))
	fail(t, os.Rename(lists[1], lists[0]))
	fail(t, os.Rename(swap, lists[1]))
	want(t, check(w.leaf()), Revoked, reason.RevocationRevoked)
	want(t, check(sibling), Good, "")
}

// attack: REV-04
func TestCacheUnusable(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]func(t *testing.T) string{
		"a file": func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "file")
			fail(t, os.WriteFile(path, nil, 0o600))
			return path
		},
		"below a file": func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "file")
			fail(t, os.WriteFile(path, nil, 0o600))
			return filepath.Join(path, "below")
		},
		"others may write": func(t *testing.T) string {
			dir := t.TempDir()
			for _, k := range []kind{kindOCSP, kindCRL} {
				fail(t, os.Mkdir(filepath.Join(dir, string(k)), 0o700))
				fail(t, os.Chmod(filepath.Join(dir, string(k)), 0o777))
			}
			return dir
		},
		"read-only": func(t *testing.T) string {
			dir := t.TempDir()
			fail(t, os.Chmod(dir, 0o500))
			return dir
		},
	} {
		for _, leaf := range kinds {
			w := newWorld(t, leaf)
			w.o.CacheDir = dir(t)
			w.respond(w.good())
			w.publish(w.longCRL(1))
			want(t, w.check(), Good, "")
			if n := len(w.files()); n > 0 && name == "others may write" {
				t.Errorf("%s: %d files written", name, n)
			}
		}
	}
}

// attack: REV-04
func TestCacheFullDisk(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left on device")
	for _, at := range []atomicfile.Op{atomicfile.OpMkdir, atomicfile.OpCreate, atomicfile.OpWrite, atomicfile.OpSync, atomicfile.OpRename, atomicfile.OpSyncDir} {
		for name, leaf := range kinds {
			for _, indexOnly := range []bool{false, true} {
				w := newWorld(t, leaf)
				w.o.CacheDir = filepath.Join(t.TempDir(), "cache")
				w.respond(w.good())
				w.publish(w.longCRL(1, w.entry(1)))
				l := New(w.o)
				l.store.(*disk).w.Before = func(op atomicfile.Op, path string) error {
					if op == at && (!indexOnly || strings.HasSuffix(path, indexSuffix)) {
						return full
					}
					return nil
				}
				for range 2 {
					r := l.Check(context.Background(), w.chain.Certs, Evidence{})[0]
					if (name == "OCSP") != (r.Status == Good) || (name == "CRL") != (r.Status == Revoked) {
						t.Errorf("%s at %s: %+v", name, at, r)
					}
				}
				for _, f := range w.files() {
					if strings.HasSuffix(f, ".tmp") {
						t.Errorf("%s was left", f)
					}
				}
			}
		}
	}
}

// attack: REV-04
func TestCacheManyWriters(t *testing.T) {
	t.Parallel()
	for _, leaf := range kinds {
		w := newWorld(t, leaf)
		w.o.CacheDir = t.TempDir()
		w.respond(w.good())
		raw := w.longCRL(1).Sign(t, w.caKey())
		w.net.bytes(crlURL, raw)
		var running sync.WaitGroup
		for range 8 {
			running.Go(func() {
				for range 4 {
					l := New(w.o)
					if r := l.Check(context.Background(), w.chain.Certs, Evidence{})[0]; r.Status != Good {
						t.Errorf("%+v", r)
					}
					for _, f := range w.files() {
						if !strings.HasSuffix(f, indexSuffix) && !strings.HasSuffix(f, ".tmp") {
							_ = os.Remove(f)
						}
					}
				}
			})
		}
		running.Wait()
	}
}

func TestCacheMakesRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	d := &disk{dir: dir, now: func() time.Time { return now }}
	newest, older, oldest := strings.Repeat("a", 64)+".crl", strings.Repeat("b", 64)+".crl"+indexSuffix, strings.Repeat("c", 64)+".ocsp"
	for i, name := range []string{newest, older, oldest, ".x.tmp", ".new.tmp", "ca.crl", "holiday.jpg"} {
		path := filepath.Join(dir, name)
		fail(t, os.WriteFile(path, make([]byte, 10), 0o600))
		at := now.Add(-time.Duration(i) * time.Hour)
		if name == ".new.tmp" {
			at = now
		}
		fail(t, os.Chtimes(path, at, at))
	}
	fail(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	d.makeRoom(dir, 20)
	entries, err := os.ReadDir(dir)
	fail(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != ".new.tmp "+newest+" "+older+" ca.crl holiday.jpg sub" {
		t.Error(got)
	}
	d.makeRoom(filepath.Join(dir, "none"), 0)

	m := newMemory(d.now)
	for range 3 {
		m.save(kindCRL, string(rune('a'+len(m.order))), make([]byte, maxCachedMemory/2), nil)
	}
	if m.load(kindCRL, "a") != nil || m.load(kindCRL, "c") == nil || m.bytes != maxCachedMemory {
		t.Errorf("%d bytes, %v", m.bytes, m.order)
	}
}

// Whatever octet of an index is changed, what it finds stays right or it is
// found damaged.
func TestIndexDamaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw := w.crl(1, testpki.ManyEntries(600, w.now), w.entry(1)).Sign(t, w.caKey())
	c, built, err := newCRL(raw, w.ca())
	if err != nil {
		t.Fatal(err)
	}
	number := serial(w.leaf())
	if _, listed, err := c.lookup(number); !listed || err != nil {
		t.Fatal(listed, err)
	}
	if _, listed, err := c.lookup([]byte{1}); listed || err != nil {
		t.Fatal(listed, err)
	}
	damaged := 0
	for i := 0; i < len(built); i += 7 {
		bad := bytes.Clone(built)
		bad[i] ^= 0x10
		b := &blob{ReaderAt: bytes.NewReader(raw), size: int64(len(raw)), index: bytes.NewReader(bad), close: func() {}}
		x, err := indexedCRL(b, w.ca())
		if err != nil {
			damaged++
			continue
		}
		if _, listed, err := x.lookup(number); !listed && err == nil {
			t.Fatalf("octet %d hides a revocation", i)
		}
	}
	if damaged == 0 {
		t.Error("no damage was seen")
	}
	for _, n := range []int{0, 8, indexHeader - 1, indexHeader, indexHeader + 3, len(built) - 1} {
		b := &blob{ReaderAt: bytes.NewReader(raw), size: int64(len(raw)), index: bytes.NewReader(built[:n]), close: func() {}}
		x, err := indexedCRL(b, w.ca())
		if err == nil {
			_, _, err = x.lookup([]byte{0x7f, 0xff, 0xff})
		}
		if err == nil && n < indexHeader+12 {
			t.Errorf("%d octets of an index are enough", n)
		}
	}
}

// A list under a good index is changed: its frame, its entries, its issuer.
func TestIndexedListDamaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raw := w.crl(1, testpki.ManyEntries(600, w.now), w.entry(1)).Sign(t, w.caKey())
	c, built, fault := newCRL(raw, w.ca())
	if fault != nil {
		t.Fatal(fault)
	}
	open := func(data []byte, issuer *x509.Certificate) (*crl, error) {
		return indexedCRL(&blob{ReaderAt: bytes.NewReader(data), size: int64(len(data)), index: bytes.NewReader(built), close: func() {}}, issuer)
	}
	for _, i := range []int64{0, 5, c.entriesStart - 1, c.entriesEnd, c.signedEnd + 15, int64(len(raw)) - 1} {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		if _, err := open(bad, w.ca()); err == nil {
			t.Errorf("octet %d is not missed", i)
		}
	}
	if _, err := open(raw, w.leaf()); err == nil {
		t.Error("another issuer is as good")
	}
	for i := c.entriesEnd - 40; i < c.entriesEnd; i++ { // the last entry is the leaf's
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		x, err := open(bad, w.ca())
		if err != nil {
			t.Fatal(err)
		}
		if _, listed, err := x.lookup(serial(w.leaf())); err == nil && !listed {
			t.Errorf("octet %d hides a revocation", i)
		}
	}
}
