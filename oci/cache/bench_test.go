package cache

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

func BenchmarkCache(b *testing.B) {
	text := strings.Repeat("x", 4000)
	for name, c := range map[string]*Cache{"disk": New(Options{Dir: b.TempDir()}), "memory": New(Options{})} {
		b.Run(name+"/put", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				content := fmt.Appendf(nil, "%d %s", i, text)
				c.put(digest.FromBytes(content), content)
			}
		})
		b.Run(name+"/get", func(b *testing.B) {
			content := []byte(text)
			d := digest.FromBytes(content)
			c.put(d, content)
			b.ReportAllocs()
			for b.Loop() {
				if c.get(d) == nil {
					b.Fatal("gone")
				}
			}
		})
	}
}

// BenchmarkFill puts 10,000 entries of 5 kB, as an audit does, each into a file of
// its own or into packs.
func BenchmarkFill(b *testing.B) {
	const entries = 10_000
	text := strings.Repeat("x", 5000)
	contents, digests := make([][]byte, entries), make([]digest.Digest, entries)
	for i := range entries {
		contents[i] = fmt.Appendf(nil, "%d %s", i, text)
		digests[i] = digest.FromBytes(contents[i])
	}
	for name, before := range map[string]int64{"files": math.MinInt64, "packs": 0} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c := New(Options{Dir: b.TempDir()})
				c.store.(*disk).loose.Store(before)
				for i, d := range digests {
					c.put(d, contents[i])
				}
				c.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/entries, "ns/entry")
		})
	}
}

// BenchmarkLookup looks for an entry in a cache with packs of 10,000 entries each:
// as a process that looks for no other one does, and again and again.
func BenchmarkLookup(b *testing.B) {
	text := strings.Repeat("x", 1800)
	for _, packs := range []int{0, 8} {
		o := Options{Dir: b.TempDir()}
		var last digest.Digest
		for i := range packs {
			c := New(o)
			c.store.(*disk).loose.Store(maxLoose)
			for j := range 10_000 {
				content := fmt.Appendf(nil, "%d %d %s", i, j, text)
				d := digest.FromBytes(content)
				c.put(d, content)
				if i == 0 { // in the last pack that is looked into
					last = d
				}
			}
			c.Close()
		}
		file, miss := digest.FromString(text), digest.FromString("miss")
		New(o).put(file, []byte(text))
		for name, d := range map[string]digest.Digest{"file": file, "pack": last, "miss": miss} {
			if d == "" {
				continue
			}
			name := fmt.Sprintf("%d packs/%s", packs, name)
			b.Run(name+"/once", func(b *testing.B) {
				for b.Loop() {
					c := New(o)
					if (c.get(d) == nil) != (d == miss) {
						b.Fatal(d)
					}
					c.Close()
				}
			})
			b.Run(name+"/again", func(b *testing.B) {
				c := New(o)
				defer c.Close()
				for b.Loop() {
					if (c.get(d) == nil) != (d == miss) {
						b.Fatal(d)
					}
				}
			})
		}
	}
}
