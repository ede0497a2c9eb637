package layout

import (
	"fmt"
	"testing"

	"github.com/notaryv2/notation/oci"
)

// BenchmarkOpen opens a layout with a hundred signatures and resolves a tag in
// it, which is what every command does first.
func BenchmarkOpen(b *testing.B) {
	for _, form := range forms {
		b.Run(form, func(b *testing.B) {
			s := newSketch()
			image := s.image("a")
			s.tag(image, "v1")
			for i := range 100 {
				s.list(s.referrer(image, oci.ArtifactTypeSignature, fmt.Sprint(i)))
			}
			path, ref := s.form(b, form), byTag(b, "v1")
			b.ReportAllocs()
			for b.Loop() {
				r, err := Open(path, Options{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := r.Resolve(b.Context(), ref); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
