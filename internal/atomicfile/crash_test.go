//go:build unix

package atomicfile_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/crashtest"
	"github.com/notaryv2/notation/reason"
)

const (
	oldContent = "old content\n"
	newContent = "new content, which is longer\n"
)

// verbs are what a Writer can do to a file.
func verbs() map[string]func(w atomicfile.Writer, path string) error {
	background := context.Background()
	return map[string]func(w atomicfile.Writer, path string) error{
		"write": func(w atomicfile.Writer, path string) error {
			return w.Write(path, []byte(newContent), atomicfile.ModePublic)
		},
		"update": func(w atomicfile.Writer, path string) error {
			return w.Update(background, path, atomicfile.ModeSecret, func([]byte) ([]byte, error) { return []byte(newContent), nil })
		},
		"directory and write": func(w atomicfile.Writer, path string) error {
			if err := w.MkdirAll(filepath.Dir(path)); err != nil {
				return err
			}
			return w.Write(path, []byte(newContent), atomicfile.ModeSecret)
		},
		"create": func(w atomicfile.Writer, path string) error {
			if data, err := atomicfile.Read(path, 100); err == nil && string(data) == newContent {
				return nil // done before
			}
			return w.Create(path, []byte(newContent), atomicfile.ModeSecret)
		},
		"remove": func(w atomicfile.Writer, path string) error { return w.Remove(path) },
	}
}

// TestKilled does everything that a Writer can do with every fate.
//
// attack: FS-04
func TestKilled(t *testing.T) {
	t.Parallel()
	for name, do := range verbs() {
		for _, old := range []string{"", oldContent} {
			if name == "create" && old != "" || name == "remove" && old == "" {
				continue
			}
			t.Run(name+" "+old, func(t *testing.T) {
				t.Parallel()
				want, file := newContent, "file"
				if name == "remove" {
					want = ""
				}
				if name == "directory and write" && old == "" {
					file = filepath.Join("a", "b", "file")
				}
				minSteps := 7
				if name == "remove" {
					minSteps = 1
				}
				crashtest.Change{
					Prepare: func(t *testing.T, dir string) {
						if old != "" {
							writeFile(t, filepath.Join(dir, file), old)
						}
					},
					Do: func(dir string, step func() error) error {
						return do(atomicfile.Writer{Before: func(atomicfile.Op, string) error { return step() }}, filepath.Join(dir, file))
					},
					Check: func(t *testing.T, dir string, f crashtest.Fate) {
						path := filepath.Join(dir, file)
						checkFile(t, path, f, old, want)
						if f.Killed && name != "update" {
							atomicfile.Writer{}.Sweep(path)
						}
						if err := do(atomicfile.Writer{}, path); err != nil {
							t.Errorf("%s: it cannot be done again: %v", f.Name, err)
						}
						checkFile(t, path, crashtest.Fate{Name: f.Name + ", again", Done: true}, old, want)
					},
					MinSteps: minSteps,
					Longest:  len(want),
				}.Test(t)
			})
		}
	}
}

// checkFile finds anything else than the old content or the new, and what is
// left beside it. "" is no file.
func checkFile(t *testing.T, path string, f crashtest.Fate, old, want string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if got := string(data); got != want && (got != old || f.Done) {
		t.Errorf("%s: %q", f.Name, got)
	}
	if !f.Done && !f.Killed && f.Code != reason.ConfigWrite && f.Code != reason.ConfigLock {
		t.Errorf("%s: the error has the code %q", f.Name, f.Code)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err == nil && !f.Killed {
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".tmp") {
				t.Errorf("%s: leaves %s", f.Name, e.Name())
			}
		}
	}
}

// TestRealDisks has a file on a full disk, on one of its own, and on one that
// cannot be written.
//
// attack: FS-04
func TestRealDisks(t *testing.T) {
	t.Parallel()
	if !crashtest.Mounts(t) {
		return
	}
	for name, do := range verbs() {
		if name == "remove" || name == "create" {
			continue
		}
		for what, tt := range map[string]struct {
			prepare func(dir, path string)
			want    error
			hint    string
		}{
			"full":              {func(dir, _ string) { crashtest.Fill(t, dir, 0) }, syscall.ENOSPC, "free space"},
			"mounted itself":    {func(_, path string) { crashtest.Bind(t, path, path) }, syscall.EBUSY, "mount its directory"},
			"room for one file": {func(dir, _ string) { crashtest.Fill(t, dir, 4<<10) }, nil, ""},
		} {
			dir := filepath.Join(t.TempDir(), "disk")
			crashtest.Disk(t, dir, 64<<10)
			path := filepath.Join(dir, "file")
			writeFile(t, path, oldContent)
			tt.prepare(dir, path)
			err := do(atomicfile.Writer{}, path)
			if !errors.Is(err, tt.want) || !strings.Contains(reason.Hint(err), tt.hint) {
				t.Errorf("%s, %s: %v (%s)", name, what, err, reason.Hint(err))
			}
			if tt.want != nil && reason.Of(err) != reason.ConfigWrite {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			want := newContent
			if tt.want != nil {
				want = oldContent
			}
			if got := readString(t, path); got != want {
				t.Errorf("%s, %s: %q", name, what, got)
			}
			if left := names(t, dir); slices.ContainsFunc(left, func(n string) bool { return strings.HasSuffix(n, ".tmp") }) {
				t.Errorf("%s, %s: %v stays", name, what, left)
			}
		}
	}
}

// TestOtherDisk writes through a directory that is a link to another file
// system, where nothing can be renamed from here.
//
// attack: FS-04
func TestOtherDisk(t *testing.T) {
	t.Parallel()
	if !crashtest.Mounts(t) {
		return
	}
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk")
	crashtest.Disk(t, disk, 64<<10)
	if err := os.Symlink(disk, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for name, do := range verbs() {
		path := filepath.Join(dir, "link", strings.ReplaceAll(name, " ", "-"))
		if err := do(atomicfile.Writer{}, path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUpdateSweeps removes what died editors have left, and nothing else.
//
// attack: FS-04
func TestUpdateSweeps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, name := range []string{".file.ABCDEFGH.tmp", ".file.mine.tmp", ".other.ABCDEFGH.tmp", "file.ABCDEFGH.tmp"} {
		writeFile(t, filepath.Join(dir, name), "")
	}
	if err := verbs()["update"](atomicfile.Writer{}, path); err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); !slices.Equal(left, []string{".file.mine.tmp", ".other.ABCDEFGH.tmp", "file", "file.ABCDEFGH.tmp"}) {
		t.Errorf("%v is left", left)
	}
	atomicfile.Writer{}.Sweep(filepath.Join(dir, "no", "file"))
}
