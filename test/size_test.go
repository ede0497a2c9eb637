package test

import (
	"os"
	"testing"

	"github.com/notaryv2/notation/test/toolbox"
)

// maxSize bounds the program as it is released, in bytes.
const maxSize = 20_000_000

func TestProgramIsSmall(t *testing.T) {
	t.Parallel()
	path, err := toolbox.Release()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f MB", float64(info.Size())/1e6)
	if info.Size() >= maxSize {
		t.Errorf("the program has %d bytes, not fewer than %d", info.Size(), maxSize)
	}
}
