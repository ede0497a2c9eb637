package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/notaryv2/notation/test/toolbox"
)

// TestMain lets the test program be a registry, as the program itself can be.
func TestMain(m *testing.M) {
	if kind := os.Getenv(serveVariable); kind != "" {
		if err := serve(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestMeasure keeps the measuring itself in order, with an image that is too
// small to say anything.
func TestMeasure(t *testing.T) {
	for _, name := range []string{"crane", "oras", "registry"} {
		toolbox.Need(t, name)
	}
	program, err := toolbox.Release()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	var out strings.Builder
	s := settings{program: program, kinds: "distribution-v3,ggcr", size: 1, layers: 2, rounds: 1, dir: t.TempDir()}
	if err := measure(&out, s); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
	if n := strings.Count(out.String(), "notation takes "); n != 2 {
		t.Errorf("%d results", n)
	}
	if err := measure(&out, settings{program: program, kinds: "none", size: 1, layers: 1, rounds: 1}); err == nil {
		t.Error("a kind that is not known is no error")
	}
}
