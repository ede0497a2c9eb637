package cli_test

import (
	"testing"

	"github.com/notaryv2/notation/internal/cli"
)

// BenchmarkVersion is what a run costs beside the start of the process.
func BenchmarkVersion(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if code := cli.Run(b.Context(), []string{"version"}, cli.Env{}); code != 0 {
			b.Fatal(code)
		}
	}
}
