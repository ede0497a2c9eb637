//go:build unix

package atomicfile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/reason"
)

// Environment of the child process.
const (
	envPath  = "ATOMICFILE_PATH"
	envUmask = "ATOMICFILE_UMASK"
	envEdits = "ATOMICFILE_EDITS" // number of updates to make
)

// TestMain lets the test binary play another program.
func TestMain(m *testing.M) {
	if os.Getenv(envPath) != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}

func child() int {
	if u, err := strconv.ParseInt(os.Getenv(envUmask), 8, 32); err == nil {
		setUmask(int(u))
	}
	var w atomicfile.Writer
	path := os.Getenv(envPath)
	if err := w.MkdirAll(filepath.Dir(path)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	edits := 1
	if n, err := strconv.Atoi(os.Getenv(envEdits)); err == nil {
		edits = n
	}
	for range edits {
		err := w.Update(context.Background(), path, atomicfile.ModeSecret, func(old []byte) ([]byte, error) {
			return append(slices.Clone(old), "new content\n"...), nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return 0
}

// runChild runs this binary as the child.
func runChild(t *testing.T, env ...string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append(env, "GORACE=atexit_sleep_ms=0")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("child: %v\n%s", err, out)
	}
}

func readString(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// names returns what a directory holds but for the lock files.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			list = append(list, e.Name())
		}
	}
	return list
}

// TestFaults makes each step fail in turn, as a full disk or a broken one
// does: an error, the old content or the new, and no file beside it.
//
// attack: FS-04
func TestFaults(t *testing.T) {
	t.Parallel()
	type change func(w atomicfile.Writer, path string) error
	for name, do := range map[string]change{
		"write": func(w atomicfile.Writer, path string) error {
			return w.Write(path, []byte("new"), atomicfile.ModePublic)
		},
		"update": func(w atomicfile.Writer, path string) error {
			return w.Update(context.Background(), path, atomicfile.ModePublic, func([]byte) ([]byte, error) { return []byte("new"), nil })
		},
		"create": func(w atomicfile.Writer, path string) error {
			return w.Create(path, []byte("new"), atomicfile.ModePublic)
		},
	} {
		for _, fault := range []error{syscall.ENOSPC, syscall.EIO} {
			for step, steps := 0, 1; step < steps; step++ {
				path := filepath.Join(t.TempDir(), "file")
				if name != "create" {
					writeFile(t, path, "old")
				}
				n := 0
				var failed atomicfile.Op
				w := atomicfile.Writer{Before: func(op atomicfile.Op, _ string) error {
					n++
					if n == step+1 {
						failed = op
						return fault
					}
					return nil
				}}
				err := do(w, path)
				if failed == "" {
					if err != nil || step < 6 {
						t.Fatalf("%s: %v after %d steps", name, err, step)
					}
					break
				}
				steps++
				code := reason.ConfigWrite
				if failed == atomicfile.OpLock {
					code = reason.ConfigLock
				}
				if !errors.Is(err, fault) || reason.Of(err) != code || reason.Hint(err) == "" {
					t.Errorf("%s, %s fails: %v", name, failed, err)
				}
				left := names(t, filepath.Dir(path))
				switch {
				case name == "create" && len(left) != 0:
					t.Errorf("%s, %s fails: %v stays", name, failed, left)
				case name != "create" && len(left) != 1:
					t.Errorf("%s, %s fails: %v stays", name, failed, left)
				case name != "create" && readString(t, path) != "old" && failed != atomicfile.OpSyncDir:
					t.Errorf("%s, %s fails: %q", name, failed, readString(t, path))
				}
			}
		}
	}
}

// TestConcurrentEditors edits one file from fifty goroutines and a second
// process: nothing is lost.
//
// attack: FS-04
func TestConcurrentEditors(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	const editors = 50
	var wg sync.WaitGroup
	errs := make(chan error, editors)
	for i := range editors {
		wg.Go(func() {
			errs <- atomicfile.Writer{}.Update(t.Context(), path, atomicfile.ModeSecret, func(old []byte) ([]byte, error) {
				return append(slices.Clone(old), fmt.Sprintf("%d\n", i)...), nil
			})
		})
	}
	wg.Go(func() {
		runChild(t, envPath+"="+path, envEdits+"=10")
	})
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	lines := strings.Split(strings.TrimSpace(readString(t, path)), "\n")
	slices.Sort(lines)
	if len(lines) != editors+10 || len(slices.Compact(lines)) != editors+1 {
		t.Errorf("%d edits survive, %d were made", len(lines), editors+10)
	}
}

// attack: FS-03
func TestModesUnderAnyUmask(t *testing.T) {
	t.Parallel()
	for _, umask := range []string{"0", "022", "077", "0777"} {
		root := t.TempDir()
		path := filepath.Join(root, "a", "b", "key")
		runChild(t, envPath+"="+path, envUmask+"="+umask, envEdits+"=2")
		for p, want := range map[string]fs.FileMode{
			filepath.Join(root, "a"): atomicfile.ModeDir, filepath.Join(root, "a", "b"): atomicfile.ModeDir,
			path: atomicfile.ModeSecret, filepath.Join(root, "a", "b", ".key.lock"): atomicfile.ModeSecret,
		} {
			info, err := os.Stat(p)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != want {
				t.Errorf("umask %s: %s has mode %o, want %o", umask, filepath.Base(p), got, want)
			}
		}
	}
}

// attack: FS-01
func TestOnlyRegularFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	writeFile(t, target, "precious")
	paths := map[string]func(path string) error{
		"symbolic link": func(p string) error { return os.Symlink(target, p) },
		"dangling link": func(p string) error { return os.Symlink(filepath.Join(dir, "nowhere"), p) },
		"directory":     func(p string) error { return os.Mkdir(p, 0o700) },
		"FIFO":          makeFIFO,
		"device":        func(p string) error { return os.Symlink(os.DevNull, p) },
		"socket":        makeSocket,
	}
	for name, plant := range paths {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", ""))
		if err := plant(path); err != nil {
			t.Fatal(err)
		}
		nothing := func(old []byte) ([]byte, error) { return []byte("x"), nil }
		for verb, err := range map[string]error{
			"read":   second(atomicfile.Read(path, 100)),
			"write":  atomicfile.Writer{}.Write(path, []byte("x"), 0o600),
			"update": atomicfile.Writer{}.Update(t.Context(), path, 0o600, nothing),
		} {
			if reason.Of(err) != reason.ConfigNotRegular {
				t.Errorf("%s a %s: %v", verb, name, err)
			}
		}
		if err := (atomicfile.Writer{}).Create(path, []byte("x"), 0o600); reason.Of(err) != reason.ConfigExists {
			t.Errorf("create a %s: %v", name, err)
		}
		linked := second(atomicfile.ReadLinked(path, 100))
		if name == "symbolic link" {
			if linked != nil {
				t.Errorf("ReadLinked a %s: %v", name, linked)
			}
		} else if code := reason.Of(linked); code != reason.ConfigNotRegular && code != reason.ConfigRead {
			t.Errorf("ReadLinked a %s: %v", name, linked)
		}
		// The lock must not be one of them either.
		if err := plant(filepath.Join(dir, "."+filepath.Base(path)+"2.lock")); err != nil {
			t.Fatal(err)
		}
		if err := (atomicfile.Writer{}).Update(t.Context(), path+"2", 0o600, nothing); reason.Of(err) != reason.ConfigLock {
			t.Errorf("update with a %s as lock: %v", name, err)
		}
	}
	if got := readString(t, target); got != "precious" {
		t.Errorf("the link's target holds %q", got)
	}
}

// TestHardLink replaces a file and not what else has its name.
//
// attack: FS-01
func TestHardLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other, path := filepath.Join(dir, "other"), filepath.Join(dir, "file")
	writeFile(t, other, "precious")
	if err := os.Link(other, path); err != nil {
		t.Fatal(err)
	}
	if err := (atomicfile.Writer{}).Write(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if readString(t, other) != "precious" || readString(t, path) != "new" {
		t.Error("the hard link was written through")
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	writeFile(t, path, "12345")
	if data, err := atomicfile.Read(path, 5); err != nil || string(data) != "12345" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := atomicfile.Read(path, 4); reason.Of(err) != reason.ConfigTooLarge {
		t.Errorf("one byte over the limit: %v", err)
	}
	for _, read := range []func(string, int64) ([]byte, error){atomicfile.Read, atomicfile.ReadLinked} {
		if _, err := read(path+"x", 5); !errors.Is(err, fs.ErrNotExist) || reason.Of(err) != reason.ConfigRead {
			t.Errorf("missing: %v", err)
		}
	}
	if os.Getuid() != 0 {
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := atomicfile.Read(path, 5); reason.Of(err) != reason.ConfigRead {
			t.Errorf("unreadable: %v", err)
		}
	}
}

func TestUpdateLeavesAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	writeFile(t, path, "old")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	for name, tt := range map[string]struct {
		edit func([]byte) ([]byte, error)
		want error
	}{
		"nil":   {func([]byte) ([]byte, error) { return nil, nil }, nil},
		"same":  {func(old []byte) ([]byte, error) { return slices.Clone(old), nil }, nil},
		"error": {func([]byte) ([]byte, error) { return []byte("x"), boom }, boom},
	} {
		if err := (atomicfile.Writer{}).Update(t.Context(), path, 0o600, tt.edit); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		after, err := os.Stat(path)
		if err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: the file was replaced", name)
		}
	}
}

func TestUpdateCancelled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	ctx, cancel := context.WithCancel(t.Context())
	err := atomicfile.Writer{}.Update(ctx, path, 0o600, func([]byte) ([]byte, error) {
		cancel()
		inner := atomicfile.Writer{}.Update(ctx, path, 0o600, nil) // the lock is held
		if !errors.Is(inner, context.Canceled) || reason.Of(inner) != reason.ConfigLock {
			t.Errorf("%v", inner)
		}
		return []byte("x"), nil
	})
	if err != nil || readString(t, path) != "x" {
		t.Errorf("%v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestReadWhileReplaced: readers take no lock, and get the old or the new.
//
// attack: FS-04
func TestReadWhileReplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	var w atomicfile.Writer
	if err := w.Write(path, []byte("0"), atomicfile.ModePublic); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				if err := w.Write(path, []byte("1"), atomicfile.ModePublic); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 300 {
				for _, read := range []func(string, int64) ([]byte, error){atomicfile.Read, atomicfile.ReadLinked} {
					if data, err := read(path, 1); err != nil || len(data) != 1 {
						t.Errorf("%q, %v", data, err)
					}
				}
			}
		})
	}
	all.Wait()
}
