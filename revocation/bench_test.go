package revocation

import (
	"bytes"
	"context"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

const million = 1_000_000

// bigList is a list of a million entries, at an address of a fresh world.
func bigList(b testing.TB) (*world, int) {
	b.Helper()
	w := newWorld(b, withCRL(crlURL))
	raw := w.crl(1, testpki.ManyEntries(million-1, w.now), testpki.CRLEntry(big.NewInt(5), w.now, 1)).Sign(b, w.caKey())
	w.net.bytes(crlURL, raw)
	w.o.CacheDir = filepath.Join(b.TempDir(), "cache")
	return w, len(raw)
}

// BenchmarkCRLCold fetches a list of a million entries, decides and caches.
func BenchmarkCRLCold(b *testing.B) {
	w, size := bigList(b)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if err := os.RemoveAll(w.o.CacheDir); err != nil {
			b.Fatal(err)
		}
		if r := w.check(); r.Status != Good {
			b.Fatal(r.Err)
		}
	}
}

// BenchmarkCRLUnindexed reads the cached list without its index.
func BenchmarkCRLUnindexed(b *testing.B) {
	w, _ := bigList(b)
	w.check()
	indexes, err := filepath.Glob(filepath.Join(w.o.CacheDir, "crl", "*"+indexSuffix))
	if err != nil || len(indexes) != 1 {
		b.Fatal(indexes, err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := os.Remove(indexes[0]); err != nil {
			b.Fatal(err)
		}
		if r := w.check(); r.Status != Good || !r.FromCache {
			b.Fatal(r.Err)
		}
	}
}

// BenchmarkCRLWarm decides by the cached list and its index.
func BenchmarkCRLWarm(b *testing.B) {
	w, _ := bigList(b)
	w.check()
	b.ReportAllocs()
	for b.Loop() {
		if r := w.check(); r.Status != Good || !r.FromCache {
			b.Fatal(r.Err)
		}
	}
}

func BenchmarkOCSPWarm(b *testing.B) {
	w := newWorld(b, withOCSP(ocspURL))
	w.respond(w.good())
	w.o.CacheDir = b.TempDir()
	w.check()
	b.ReportAllocs()
	for b.Loop() {
		if r := w.check(); r.Status != Good || !r.FromCache {
			b.Fatal(r.Err)
		}
	}
}

func BenchmarkOCSPJudge(b *testing.B) {
	w := newWorld(b)
	raw := w.good().Sign(b, w.caKey())
	q := question{cert: w.leaf(), issuer: w.ca(), now: w.now}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := judgeOCSP(raw, q); err != nil {
			b.Fatal(err)
		}
	}
}

// A list of a million entries is decided in little memory beside itself: cold,
// less than 64 MiB; with its index, next to nothing. Both the peak and the sum
// of what is allocated bound it; the sum is what a test can rely on.
//
// attack: REV-02
func TestMillionEntries(t *testing.T) {
	if testing.Short() {
		t.Skip("a long list")
	}
	w, size := bigList(t)
	raw := w.fetched(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c, _, err := newCRL(raw, w.ca())
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("reading a list of %d bytes allocates %d", size, used)
	}
	if _, listed, err := c.lookup([]byte{5}); !listed || err != nil {
		t.Error(listed, err)
	}
	if !bytes.Equal(c.number, []byte{1}) {
		t.Error(c.number)
	}

	want(t, w.check(), Good, "")
	runtime.ReadMemStats(&before)
	r := New(w.o).Check(context.Background(), w.chain.Certs, Evidence{})[0]
	runtime.ReadMemStats(&after)
	want(t, r, Good, "")
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 || !r.FromCache {
		t.Errorf("reading the index allocates %d bytes, from the cache: %t", used, r.FromCache)
	}
}

// fetched returns the big list as it comes from the network.
func (w *world) fetched(t *testing.T) []byte {
	t.Helper()
	l := New(w.o)
	raw, err := l.fetch.do(context.Background(), request{method: "GET", url: crlURL, limit: MaxCRLBytes})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
