//go:build unix

package atomicfile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/reason"
)

// handed returns the path of a pipe's end that is open in this process, as a
// shell names it for <(command), and the other end.
func handed(t *testing.T) (path string, other *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	path = fmt.Sprintf("/dev/fd/%d", r.Fd())
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	return path, w
}

// attack: FS-01
func TestReadNamed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		content string
		code    reason.Code
	}{{"", ""}, {"12345", ""}, {"123456", reason.ConfigTooLarge}} {
		path, w := handed(t)
		if _, err := w.WriteString(tt.content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := atomicfile.ReadNamed(t.Context(), path, 5)
		if reason.Of(err) != tt.code || err == nil && string(data) != tt.content {
			t.Errorf("%q: %q, %v", tt.content, data, err)
		}
		// The same is no file of ours.
		if _, err := atomicfile.ReadLinked(path, 5); reason.Of(err) != reason.ConfigNotRegular {
			t.Errorf("%v", err)
		}
	}
	dir := t.TempDir()
	file, fifo := filepath.Join(dir, "file"), filepath.Join(dir, "7")
	writeFile(t, file, "12345")
	if err := makeFIFO(fifo); err != nil {
		t.Fatal(err)
	}
	if data, err := atomicfile.ReadNamed(t.Context(), file, 5); err != nil || string(data) != "12345" {
		t.Errorf("%q, %v", data, err)
	}
	for path, code := range map[string]reason.Code{
		fifo: reason.ConfigNotRegular, os.DevNull: reason.ConfigNotRegular, dir: reason.ConfigNotRegular,
		file + "x": reason.ConfigRead, "/dev/fd/987654": reason.ConfigRead,
	} {
		if _, err := atomicfile.ReadNamed(t.Context(), path, 5); reason.Of(err) != code {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestReadNamedInterrupted gives up a pipe whose writer says nothing.
func TestReadNamedInterrupted(t *testing.T) {
	t.Parallel()
	path, _ := handed(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := atomicfile.ReadNamed(ctx, path, 5); !errors.Is(err, context.Canceled) || reason.Hint(err) == "" {
		t.Errorf("%v", err)
	}
}

// TestPathsThatCannotBe writes where no file can be, and reads what gives no
// bytes.
func TestPathsThatCannotBe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	writeFile(t, file, "")
	for _, path := range []string{filepath.Join(file, "below"), filepath.Join(dir, strings.Repeat("n", 300))} {
		if err := (atomicfile.Writer{}).Write(path, nil, 0o600); reason.Of(err) != reason.ConfigWrite || reason.Hint(err) == "" {
			t.Errorf("%v", err)
		}
		if _, err := atomicfile.Read(path, 1); reason.Of(err) != reason.ConfigRead || reason.Hint(err) == "" {
			t.Errorf("%v", err)
		}
	}
	if _, err := atomicfile.Read(os.DevNull, 1); reason.Of(err) != reason.ConfigNotRegular || !strings.Contains(err.Error(), "a device") {
		t.Errorf("%v", err)
	}
	if runtime.GOOS == "linux" { // where these are regular files, for their kernel
		if _, err := atomicfile.Read("/proc/self/mem", 1); reason.Of(err) != reason.ConfigRead || !errors.Is(err, syscall.EIO) {
			t.Errorf("%v", err)
		}
		if _, err := atomicfile.Read("/proc/sys/vm/compact_memory", 1); reason.Of(err) != reason.ConfigRead {
			t.Errorf("%v", err) // it can only be written
		}
	}
}

// TestMountedByItself has the rename fail as it does onto a mount.
//
// attack: FS-04
func TestMountedByItself(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{syscall.EBUSY, syscall.EXDEV} {
		w := atomicfile.Writer{Before: func(op atomicfile.Op, _ string) error {
			if op == atomicfile.OpRename {
				return &os.LinkError{Op: "rename", Err: cause}
			}
			return nil
		}}
		err := w.Write(filepath.Join(t.TempDir(), "file"), nil, 0o600)
		if !errors.Is(err, cause) || !strings.Contains(reason.Hint(err), "mount its directory") {
			t.Errorf("%v (%s)", err, reason.Hint(err))
		}
	}
}

// TestDirectoryGoes has another program remove the directory in the midst of a
// change.
//
// attack: FS-04
func TestDirectoryGoes(t *testing.T) {
	t.Parallel()
	for _, at := range []atomicfile.Op{atomicfile.OpCreate, atomicfile.OpRename, atomicfile.OpSyncDir} {
		dir := filepath.Join(t.TempDir(), "gone")
		w := atomicfile.Writer{Before: func(op atomicfile.Op, _ string) error {
			if op == at {
				return os.RemoveAll(dir)
			}
			return nil
		}}
		for _, do := range []func(string, []byte, os.FileMode) error{w.Write, w.Create} {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := do(filepath.Join(dir, "file"), nil, 0o600); reason.Of(err) != reason.ConfigWrite {
				t.Errorf("%s: %v", at, err)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Errorf("%s: the directory is back", at)
			}
		}
	}
}

// TestCreateRacedWithoutLinks loses to another program where the temporary file
// has gone, too, so that no link can be made.
//
// attack: FS-04
func TestCreateRacedWithoutLinks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	w := atomicfile.Writer{Before: func(op atomicfile.Op, p string) error {
		if op != atomicfile.OpRename {
			return nil
		}
		atomicfile.Writer{}.Sweep(p)
		return os.WriteFile(p, []byte("theirs"), 0o600)
	}}
	if err := w.Create(path, []byte("ours"), 0o600); reason.Of(err) != reason.ConfigExists && reason.Of(err) != reason.ConfigWrite {
		t.Errorf("%v", err)
	}
	if got := readString(t, path); got != "theirs" {
		t.Errorf("%q", got)
	}
}

func TestKind(t *testing.T) {
	t.Parallel()
	for mode, want := range map[fs.FileMode]string{
		fs.ModeDir: "a directory", fs.ModeSymlink: "a symbolic link", fs.ModeNamedPipe: "a FIFO",
		fs.ModeSocket: "a socket", fs.ModeDevice: "a device", fs.ModeIrregular: "a special file",
	} {
		if got := atomicfile.Kind(mode); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
