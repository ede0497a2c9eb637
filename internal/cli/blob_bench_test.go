package cli_test

import (
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/notaryv2/notation/internal/cli"
)

// sparse makes a file of a size that takes no room on disk.
func sparse(tb testing.TB, size int64) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "sparse")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		tb.Fatal(err)
	}
	return path
}

// commandsIn runs commands with a home directory.
func commandsIn(tb testing.TB, home string) func(args ...string) {
	return func(args ...string) {
		tb.Helper()
		getenv := func(name string) string { return map[string]string{"HOME": home}[name] }
		if code := cli.Run(tb.Context(), args, cli.Env{GOOS: "linux", Getenv: getenv}); code != 0 {
			tb.Fatalf("%v: exit %d", args, code)
		}
	}
}

// BenchmarkBlob signs and verifies a file, and hashes it once in a plain loop,
// which is what the others are measured against.
func BenchmarkBlob(b *testing.B) {
	const size = 64 << 20
	home, file := b.TempDir(), sparse(b, size)
	run := commandsIn(b, home)
	run("cert", "generate-test", "--algorithm", "ec-256", "--default", "bench")
	run("blob", "sign", file)
	root := filepath.Join(home, ".config", "notation", "certificate", "bench.crt")
	for name, do := range map[string]func(){
		"hash": func() {
			f, err := os.Open(file)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			h := sha256.New()
			if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, make([]byte, 256<<10)); err != nil {
				b.Fatal(err)
			}
		},
		"sign":   func() { run("blob", "sign", "--force", file) },
		"verify": func() { run("blob", "verify", "--ca-cert", root, file) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				do()
			}
		})
	}
}
