package oci_test

import (
	"crypto/sha256"
	"testing"

	"github.com/notaryv2/notation/oci"
)

// BenchmarkParseThumbprints reads the annotation of a chain of three.
func BenchmarkParseThumbprints(b *testing.B) {
	text := oci.FormatThumbprints([]oci.Thumbprint{sha256.Sum256([]byte("leaf")), sha256.Sum256([]byte("intermediate")), sha256.Sum256([]byte("root"))})
	b.ReportAllocs()
	for b.Loop() {
		if chain, err := oci.ParseThumbprints(text); err != nil || len(chain) != 3 {
			b.Fatal(len(chain), err)
		}
	}
}
