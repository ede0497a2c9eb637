package layout

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/notaryv2/notation/internal/crashtest"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// attachIn signs the layout in dir and calls next before each step.
func attachIn(dir string, next func() error) error {
	r, err := Open(filepath.Join(dir, "layout"), Options{})
	if err != nil {
		return err
	}
	r.before = func(step, string) error { return next() }
	_, ref, err := oci.ParseLayoutReference("x:v1")
	if err != nil {
		return err
	}
	_, err = r.Attach(context.Background(), ref, sign("x"))
	return err
}

// plant moves a new layout to dir/layout and returns the size in bytes of its
// longest file.
func plant(t *testing.T, dir, form string) (longest int) {
	t.Helper()
	path := failing().form(t, form)
	if err := os.Rename(path, filepath.Join(dir, "layout")); err != nil {
		t.Fatal(err)
	}
	for _, content := range snapshot(t, filepath.Join(dir, "layout")) {
		longest = max(longest, len(content))
	}
	return longest
}

// TestKilled signs a layout with every fate. The layout can be read, it has the
// signature or has it not, and it can be signed.
//
// attack: FS-04
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			longest := 0
			if !crashtest.Child() {
				longest = plant(t, t.TempDir(), form)
			}
			crashtest.Change{
				Prepare: func(t *testing.T, dir string) { plant(t, dir, form) },
				Do:      attachIn,
				Check: func(t *testing.T, dir string, f crashtest.Fate) {
					if !f.Done && !f.Killed && f.Code != reason.OCILayoutWrite && f.Code != reason.OCILayoutLock {
						t.Errorf("%s: the error has the code %q", f.Name, f.Code)
					}
					if !f.Killed {
						checkClean(t, dir)
					}
					checkSigned(t, dir, f)
					if _, err := mustOpen(t, filepath.Join(dir, "layout")).Attach(context.Background(), byTag(t, "v1"), sign("y")); err != nil {
						t.Error(err)
					}
					checkClean(t, dir) // whatever has died there
				},
				MinSteps: 6,
				Longest:  longest,
			}.Test(t)
		})
	}
}

// checkSigned fails the test if a layout is not whole, and signs it.
func checkSigned(t *testing.T, dir string, f crashtest.Fate) {
	t.Helper()
	r := mustOpen(t, filepath.Join(dir, "layout"))
	d, err := r.Resolve(context.Background(), byTag(t, "v1"))
	if err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	if got := signatures(t, r, d.Digest); f.Done && len(got) != 1 || len(got) > 1 {
		t.Errorf("%s: signed by %q", f.Name, got)
	}
	if _, err := r.Attach(context.Background(), byTag(t, "v1"), sign("x")); err != nil {
		t.Errorf("%s: it cannot be done again: %v", f.Name, err)
	}
	if got := signatures(t, r, d.Digest); !slices.Equal(got, []string{"x"}) {
		t.Errorf("%s: done again, signed by %q", f.Name, got)
	}
}

// TestRealDisks signs layouts on disks of several kinds.
//
// attack: FS-04
func TestRealDisks(t *testing.T) {
	t.Parallel()
	if !crashtest.Mounts(t) {
		return
	}
	index := filepath.Join("layout", ocispec.ImageIndexFile)
	for name, tt := range map[string]struct {
		form    string
		prepare func(t *testing.T, dir string)
		want    error
	}{
		"full, directory":         {"directory", func(t *testing.T, dir string) { crashtest.Fill(t, dir, 0) }, syscall.ENOSPC},
		"full, tarball":           {"tarball", func(t *testing.T, dir string) { crashtest.Fill(t, dir, 0) }, syscall.ENOSPC},
		"room for a blob":         {"directory", func(t *testing.T, dir string) { crashtest.Fill(t, dir, 4<<10) }, syscall.ENOSPC},
		"room for half a tarball": {"tarball", func(t *testing.T, dir string) { crashtest.Fill(t, dir, 4<<10) }, syscall.ENOSPC},
		"index mounted": {"directory", func(t *testing.T, dir string) {
			crashtest.Bind(t, filepath.Join(dir, index), filepath.Join(dir, index))
		}, syscall.EBUSY},
		"tarball mounted": {"tarball", func(t *testing.T, dir string) {
			crashtest.Bind(t, filepath.Join(dir, "layout"), filepath.Join(dir, "layout"))
		}, syscall.EBUSY},
		"blobs on another": {"directory", func(t *testing.T, dir string) {
			crashtest.Disk(t, filepath.Join(dir, "layout", "blobs", "sha256"), 64<<10)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "disk")
			crashtest.Disk(t, dir, 256<<10)
			path := failing().form(t, tt.form)
			moveTree(t, path, filepath.Join(dir, "layout"))
			tt.prepare(t, dir)
			err := attachIn(dir, func() error { return nil })
			if !errors.Is(err, tt.want) || tt.want != nil && reason.Of(err) != reason.OCILayoutWrite {
				t.Fatalf("%v", err)
			}
			checkClean(t, dir)
			r := mustOpen(t, filepath.Join(dir, "layout"))
			d, err := r.Resolve(context.Background(), byTag(t, "v1"))
			if err != nil {
				t.Fatal(err)
			}
			if got := signatures(t, r, d.Digest); (len(got) == 1) != (tt.want == nil) {
				t.Errorf("signed by %q", got)
			}
		})
	}
}

// moveTree copies files, which cannot be renamed to another disk.
func moveTree(t *testing.T, from, to string) {
	t.Helper()
	for name, content := range snapshot(t, from) {
		file := to + strings.TrimPrefix(name, from)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), fs.FileMode(0o644))); err != nil {
			t.Fatal(err)
		}
	}
}
