package atomicfile_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/reason"
)

// TestOpenExclusive is for one at a time, and for regular files.
func TestOpenExclusive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	f, release, err := atomicfile.OpenExclusive(path, atomicfile.ModeSecret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("text"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := atomicfile.OpenExclusive(path, atomicfile.ModeSecret); !errors.Is(err, atomicfile.ErrInUse) {
		t.Errorf("the second: %v", err)
	}
	release()
	f, release, err = atomicfile.OpenExclusive(path, atomicfile.ModeSecret)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(f); err != nil || string(text) != "text" {
		t.Errorf("%s, %v", text, err)
	}
	if info, err := f.Stat(); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != atomicfile.ModeSecret {
		t.Errorf("%v, %v", info, err)
	}
	release()
	for _, bad := range []string{dir, filepath.Join(dir, "none", "f")} {
		if _, _, err := atomicfile.OpenExclusive(bad, atomicfile.ModeSecret); reason.Of(err) == "" {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if runtime.GOOS == "windows" {
		return
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, _, err := atomicfile.OpenExclusive(link, atomicfile.ModeSecret); reason.Of(err) != reason.ConfigNotRegular {
		t.Errorf("a link: %v", err)
	}
}

// TestStream replaces a file whole, or not at all.
func TestStream(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	long := strings.Repeat("x", 100_000)
	fill := func(w io.Writer) error {
		_, err := io.WriteString(w, long)
		return err
	}
	if err := (atomicfile.Writer{}).Stream(path, atomicfile.ModePublic, fill); err != nil {
		t.Fatal(err)
	}
	own := reason.Errorf(reason.AuditWrite, "no more")
	for name, tt := range map[string]struct {
		w    atomicfile.Writer
		fill func(io.Writer) error
		code reason.Code
	}{
		"own error": {atomicfile.Writer{}, func(w io.Writer) error { _, _ = io.WriteString(w, "half"); return own }, reason.AuditWrite},
		"disk full": {atomicfile.Writer{Before: func(op atomicfile.Op, _ string) error {
			return map[atomicfile.Op]error{atomicfile.OpWrite: errors.New("full")}[op]
		}}, fill, reason.ConfigWrite},
		"other error": {atomicfile.Writer{}, func(io.Writer) error { return io.ErrUnexpectedEOF }, reason.ConfigWrite},
	} {
		if err := tt.w.Stream(path, atomicfile.ModePublic, tt.fill); reason.Of(err) != tt.code {
			t.Errorf("%s: %v", name, err)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != long {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if err := (atomicfile.Writer{}).Stream(t.TempDir(), atomicfile.ModePublic, fill); reason.Of(err) != reason.ConfigNotRegular {
		t.Error(err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}
