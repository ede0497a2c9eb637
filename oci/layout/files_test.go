package layout

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestSpecialFiles puts something else than a regular file in each place.
//
// attack: FS-01
func TestSpecialFiles(t *testing.T) {
	t.Parallel()
	s := signable()
	image := s.image("a")
	places := map[string]string{
		"version": ocispec.ImageLayoutFile,
		"index":   ocispec.ImageIndexFile,
		"blob":    blobPath(image.Digest),
		"blobs":   ocispec.ImageBlobsDir,
		"sha256":  ocispec.ImageBlobsDir + "/sha256",
	}
	outside := s.dir(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]func(place, path string) error{
		"link outside":  func(place, path string) error { return os.Symlink(filepath.Join(outside, place), path) },
		"link inside":   func(place, path string) error { return os.Symlink(filepath.Base(path)+".real", path) },
		"dangling link": func(place, path string) error { return os.Symlink("nothing", path) },
		"link to self":  func(place, path string) error { return os.Symlink(filepath.Base(path), path) },
		"secret":        func(place, path string) error { return os.Symlink(secret, path) },
		"device":        func(place, path string) error { return os.Symlink(os.DevNull, path) },
		"directory":     func(place, path string) error { return os.Mkdir(path, 0o700) },
		"FIFO":          func(place, path string) error { return mkfifo(path) },
		"file":          func(place, path string) error { return os.WriteFile(path, []byte("x"), 0o600) },
	}
	for place, name := range places {
		for kind, make := range kinds {
			isDir := place == "blobs" || place == "sha256"
			if kind == "file" && !isDir || kind == "directory" && isDir || kind == "link inside" && isDir {
				continue // that is fine, or another fault
			}
			t.Run(place+" "+kind, func(t *testing.T) {
				t.Parallel()
				dir := s.dir(t)
				path := filepath.Join(dir, filepath.FromSlash(name))
				if err := os.Rename(path, path+".real"); err != nil {
					t.Fatal(err)
				}
				if err := make(name, path); err != nil {
					t.Skip(err)
				}
				err := tryEverything(t, dir, image)
				code := reason.Of(err)
				missing := isDir && code == reason.OCINotFound // nothing is behind the link
				if code != reason.OCILayoutFile && !missing {
					t.Fatalf("got %v (%s)", err, code)
				}
				wantCode(t, err, code)
			})
		}
	}
}

// tryEverything returns the error of the first call that fails, after all were
// made. None may change anything.
func tryEverything(t *testing.T, dir string, image oci.Descriptor) error {
	t.Helper()
	list := func() (names []string) {
		err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
			names = append(names, name)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	before := strings.Join(list(), "\n")
	r, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	_, resolveErr := r.Resolve(context.Background(), byTag(t, "v1"))
	_, fetchErr := r.Fetch(context.Background(), image, 1<<20)
	_, attachErr := r.Attach(context.Background(), byTag(t, "v1"), sign("x"))
	if attachErr == nil {
		t.Error("the layout could be signed")
	}
	if after := strings.Join(list(), "\n"); after != before {
		t.Errorf("files were left:\n%s\nbefore:\n%s", after, before)
	}
	for _, err := range []error{resolveErr, fetchErr, attachErr} {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestOpenSpecial names a special file as the layout.
//
// attack: FS-01
func TestOpenSpecial(t *testing.T) {
	t.Parallel()
	_, err := Open(os.DevNull, Options{})
	wantCode(t, err, reason.OCILayout)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := mkfifo(fifo); err != nil {
		t.Skip(err)
	}
	_, err = Open(fifo, Options{})
	wantCode(t, err, reason.OCILayout)
}

// TestLockSpecial has the layout hold something where the lock goes.
//
// attack: FS-01
func TestLockSpecial(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		for name, make := range map[string]func(path string) error{
			"link":          func(path string) error { return os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), path) },
			"directory":     func(path string) error { return os.Mkdir(path, 0o700) },
			"FIFO":          mkfifo,
			"link to index": func(path string) error { return os.Symlink("index.json", path) },
		} {
			path := signable().form(t, form)
			r := mustOpen(t, path)
			if err := make(r.lockPath()); err != nil {
				t.Skip(err)
			}
			_, err := r.Attach(context.Background(), byTag(t, "v1"), sign("x"))
			if code := reason.Of(err); code != reason.OCILayoutFile {
				t.Errorf("%s, %s: got %v", form, name, err)
			}
			if info, err := os.Lstat(r.lockPath()); err != nil || info.Mode().IsRegular() {
				t.Errorf("%s, %s: it was replaced", form, name)
			}
		}
	}
}

// TestBlobIsDirectory attaches a blob whose place is taken.
func TestBlobIsDirectory(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]string{
		"blob":      blobPath(digest.FromString("x")),
		"algorithm": "blobs/sha512",
	} {
		s := signable()
		dir := s.dir(t)
		path := filepath.Join(dir, filepath.FromSlash(take))
		var err error
		if name == "blob" {
			err = os.Mkdir(path, 0o700)
		} else {
			err = os.WriteFile(path, nil, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		before := snapshot(t, dir)
		_, err = mustOpen(t, dir).Attach(context.Background(), byTag(t, "v1"), func(subject oci.Descriptor) (oci.Attachment, error) {
			a, err := sign("x")(subject)
			d := oci.Descriptor{Digest: digest.SHA512.FromString("y"), Size: 1}
			a.Blobs = append(a.Blobs, oci.Blob{Descriptor: d, Content: []byte("y")})
			return a, err
		})
		wantCode(t, err, reason.OCILayoutFile)
		if !maps.Equal(before, snapshot(t, dir)) {
			t.Errorf("%s: the layout has changed", name)
		}
	}
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	_, err := readFile(brokenFiles{}, "x", 9)
	wantCode(t, err, reason.OCIRead)
	// A file that grows after its size was asked for.
	_, err = readFile(growingFiles{}, "x", 9)
	wantCode(t, err, reason.OCITooLarge)
}

type brokenFiles struct{ memFiles }

func (brokenFiles) open(string) (content, int64, error) {
	return closer{iotest.ErrReader(errors.New("broken"))}, 1, nil
}

type growingFiles struct{ memFiles }

func (growingFiles) open(string) (content, int64, error) {
	return closer{strings.NewReader("0123456789")}, 1, nil
}

func TestSyncDir(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := syncDirFile(w); err != nil {
		t.Errorf("what cannot be synced is an error: %v", err)
	}
	w.Close()
	if err := syncDirFile(w); err == nil {
		t.Error("a failing sync is none")
	}
	if err := syncDir(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a missing directory was synced")
	}
}

// TestLayoutGone reads a layout that was removed.
func TestLayoutGone(t *testing.T) {
	t.Parallel()
	dir := signable().dir(t)
	r := mustOpen(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	_, err := r.Resolve(context.Background(), byTag(t, "v1"))
	wantCode(t, err, reason.OCIRead)
}

func TestOpenError(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]reason.Code{
		&fs.PathError{Op: "open", Path: "/x", Err: syscall.ENOENT}:     reason.OCINotFound,
		&fs.PathError{Op: "open", Path: "/x", Err: syscall.EACCES}:     reason.OCIRead,
		&fs.PathError{Op: "open", Path: "/x", Err: syscall.EIO}:        reason.OCIRead,
		&fs.PathError{Op: "open", Path: "/x", Err: errors.New("path")}: reason.OCILayoutFile,
		reason.Errorf(reason.OCITooLarge, "x"):                         reason.OCITooLarge,
	} {
		wantCode(t, openError("x", err), want)
	}
	if got := cause(&os.LinkError{Op: "rename", Err: syscall.EXDEV}); !errors.Is(got, syscall.EXDEV) || strings.Contains(got.Error(), "rename") {
		t.Errorf("got %v", got)
	}
	if got := quote(strings.Repeat("x", 1000)); len(got) > 200 {
		t.Errorf("got %d bytes", len(got))
	}
}
