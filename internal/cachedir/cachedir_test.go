package cachedir_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/cachedir"
)

// kind takes names that begin with a letter for finished files, and with a dot for
// unfinished ones.
func kind(name string) cachedir.Kind {
	switch {
	case strings.HasPrefix(name, "."):
		return cachedir.Unfinished
	case strings.Trim(name[:1], "abcdefghijklmnopqrstuvwxyz") == "":
		return cachedir.Finished
	}
	return cachedir.Foreign
}

// prepared returns a directory with files of 10 bytes, of which a was of use last.
func prepared(t *testing.T) cachedir.Dir {
	t.Helper()
	d := cachedir.Dir{Path: t.TempDir(), Kind: kind, Names: 100, Orphan: time.Hour, Now: time.Now()}
	for name, hours := range map[string]int{"a": 0, "b": 1, "c": 2, "d": 3, "d2": 3, ".old": 2, ".new": 0, "1 foreign": 9} {
		path := filepath.Join(d.Path, name)
		at := d.Now.Add(-time.Duration(hours) * time.Hour)
		if err := errors.Join(os.WriteFile(path, make([]byte, 10), 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(os.Mkdir(filepath.Join(d.Path, "e"), 0o700), os.Mkdir(filepath.Join(d.Path, ".dir"), 0o700),
		os.Symlink("a", filepath.Join(d.Path, "f")))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// spared is what no directory loses, whatever there is too much of.
const spared = " .dir .new 1 foreign e f"

// names returns what the directory holds and is not spared.
func names(t *testing.T, d cachedir.Dir) string {
	t.Helper()
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		t.Fatal(err)
	}
	left, others := "", ""
	for _, e := range entries {
		if strings.Contains(spared+" ", " "+e.Name()+" ") {
			others += " " + e.Name()
		} else {
			left += e.Name() + " "
		}
	}
	if others != spared {
		t.Errorf("of what is to stay there is%s", others)
	}
	return strings.TrimSpace(left)
}

func listed(files []fs.FileInfo) string {
	var all []string
	for _, info := range files {
		all = append(all, info.Name())
	}
	return strings.Join(all, " ")
}

func TestTrim(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change      func(d *cachedir.Dir)
		bound, goal int64
		left        string
	}{
		"enough":           {nil, 50, 10, "a b c d d2"},
		"one too many":     {nil, 49, 49, "a b c d2"},
		"a lower goal":     {nil, 49, 25, "a b"},
		"nothing":          {nil, 0, 0, ""},
		"in blocks":        {func(d *cachedir.Dir) { d.Block = 100 }, 400, 400, "a b c d2"},
		"number":           {func(d *cachedir.Dir) { d.Most = 3 }, 50, 50, "a b c"},
		"number and bytes": {func(d *cachedir.Dir) { d.Most = 3 }, 49, 10, "a"},
		"cannot remove": {func(d *cachedir.Dir) {
			d.Remove = func(path string) error {
				if filepath.Base(path) == ".old" {
					return os.Remove(path)
				}
				return errors.New("no")
			}
		}, 0, 0, "a b c d d2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := prepared(t)
			if tt.change != nil {
				tt.change(&d)
			}
			files := d.Files()
			if got := listed(files); got != "d d2 c b a" {
				t.Errorf("oldest first: %s", got)
			}
			kept := d.Trim(files, tt.bound, tt.goal)
			if got := names(t, d); got != tt.left {
				t.Errorf("left is %q, want %q", got, tt.left)
			}
			if name != "cannot remove" && len(kept) != len(strings.Fields(tt.left)) {
				t.Errorf("kept is %q", listed(kept))
			}
		})
	}
}

// TestHuge: sizes of files that are holes do not overflow.
func TestHuge(t *testing.T) {
	t.Parallel()
	d := cachedir.Dir{Block: 4096}
	files := make([]fs.FileInfo, 1000)
	for i := range files {
		files[i] = huge{}
	}
	if got := d.Size(files); got != 1000<<40 {
		t.Errorf("%d", got)
	}
}

type huge struct{ fs.FileInfo }

func (huge) Size() int64 { return 1<<63 - 1 }

func TestBoundOfNames(t *testing.T) {
	t.Parallel()
	d := prepared(t)
	d.Names = 3
	if files := d.Files(); len(files) > 3 {
		t.Errorf("%s", listed(files))
	}
	d.Path = filepath.Join(d.Path, "none")
	if files := d.Files(); files != nil {
		t.Errorf("%s", listed(files))
	}
}
