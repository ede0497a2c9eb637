package cache

import (
	"fmt"
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
