//go:build unix

package atomicfile_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/reason"
)

func TestMkdirAllAndRemove(t *testing.T) {
	t.Parallel()
	var w atomicfile.Writer
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	writeFile(t, file, "")
	for _, bad := range []string{file, filepath.Join(file, "sub")} {
		if err := w.MkdirAll(bad); reason.Of(err) != reason.ConfigNotRegular {
			t.Errorf("%s: %v", bad, err)
		}
	}
	deep := filepath.Join(dir, "a", "b")
	for range 2 {
		if err := w.MkdirAll(deep); err != nil {
			t.Fatal(err)
		}
	}
	broken := atomicfile.Writer{Before: func(atomicfile.Op, string) error { return syscall.EIO }}
	if err := broken.MkdirAll(filepath.Join(deep, "c")); reason.Of(err) != reason.ConfigWrite {
		t.Errorf("%v", err)
	}
	if err := broken.Remove(file); reason.Of(err) != reason.ConfigWrite {
		t.Errorf("%v", err)
	}
	// Somebody else makes the directory at the last moment, or a file.
	for name, tt := range map[string]struct {
		plant func(string) error
		code  reason.Code
	}{
		"raced directory": {func(p string) error { return os.Mkdir(p, 0o700) }, ""},
		"raced file":      {func(p string) error { return os.WriteFile(p, nil, 0o600) }, reason.ConfigNotRegular},
	} {
		raced := atomicfile.Writer{Before: func(_ atomicfile.Op, p string) error { return tt.plant(p) }}
		if err := raced.MkdirAll(filepath.Join(deep, name)); reason.Of(err) != tt.code || tt.code == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 {
		if err := w.Remove(file); err != nil {
			t.Error(err)
		}
	}
}

// TestCreateRaced loses to a program that makes the file first.
func TestCreateRaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	w := atomicfile.Writer{Before: func(op atomicfile.Op, p string) error {
		if op == atomicfile.OpRename {
			return os.WriteFile(p, []byte("theirs"), 0o600)
		}
		return nil
	}}
	if err := w.Create(path, []byte("ours"), 0o600); reason.Of(err) != reason.ConfigExists {
		t.Errorf("%v", err)
	}
	if readString(t, path) != "theirs" || len(names(t, filepath.Dir(path))) != 1 {
		t.Error("the other's file was touched")
	}
}

func TestMissingDirectory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "no", "file")
	var w atomicfile.Writer
	if err := w.Write(path, nil, 0o600); reason.Of(err) != reason.ConfigWrite {
		t.Errorf("%v", err)
	}
	if err := w.Create(path, nil, 0o600); reason.Of(err) != reason.ConfigWrite {
		t.Errorf("%v", err)
	}
	if err := w.Update(t.Context(), path, 0o600, nil); reason.Of(err) != reason.ConfigLock {
		t.Errorf("%v", err)
	}
}
