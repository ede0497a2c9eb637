package remote

import (
	"fmt"
	"testing"

	"github.com/notaryv2/notation/oci"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// BenchmarkParseLargeIndex reads a listing of a thousand signatures with the
// thumbprints of three certificates each.
func BenchmarkParseLargeIndex(b *testing.B) {
	var list []ocispec.Descriptor
	for i := range 1000 {
		d := descriptorOf(fmt.Sprint(i), oci.ArtifactTypeSignature)
		t := `"` + d.Digest.Encoded() + `"`
		d.Annotations = map[string]string{oci.AnnotationThumbprints: "[" + t + "," + t + "," + t + "]"}
		list = append(list, d)
	}
	raw := indexOf(list...)
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if x, err := parseListing(raw, ocispec.MediaTypeImageIndex); err != nil || len(x.entries) != 1000 {
			b.Fatal(len(x.entries), err)
		}
	}
}
