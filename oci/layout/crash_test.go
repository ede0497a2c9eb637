package layout

import (
	"archive/tar"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/gofrs/flock"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// steps records the steps of one Attach.
func steps(t *testing.T, path string) []string {
	t.Helper()
	var names []string
	r := mustOpen(t, path)
	r.before = func(s step, name string) error {
		names = append(names, string(s)+" "+name)
		return nil
	}
	if _, err := r.Attach(context.Background(), byTag(t, "v1"), sign("x")); err != nil {
		t.Fatal(err)
	}
	return names
}

// failing is a layout in which a change touches everything: blobs of another
// algorithm than any that is there.
func failing() *sketch {
	s := newSketch()
	raw := []byte(`{"mediaType":"` + ocispec.MediaTypeImageManifest + `"}`)
	d := oci.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.SHA512.FromBytes(raw), Size: int64(len(raw))}
	s.files[blobPath(d.Digest)] = raw
	s.tag(d, "v1")
	return s
}

// TestAttachFails lets each step of a change fail in turn: disk full, I/O
// error, lost rights.
//
// attack: FS-04
func TestAttachFails(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	for _, form := range forms {
		all := steps(t, failing().form(t, form))
		if len(all) < 6 {
			t.Fatalf("steps are %q", all)
		}
		for i, name := range all {
			t.Run(form+" "+strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				path := failing().form(t, form)
				before := snapshot(t, filepath.Dir(path))
				r := mustOpen(t, path)
				d, err := r.Resolve(context.Background(), byTag(t, "v1"))
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				r.before = func(step, string) error {
					if n++; n == i+1 {
						return full
					}
					return nil
				}
				_, err = r.Attach(context.Background(), byTag(t, "v1"), sign("x"))
				if code := reason.Of(err); !errors.Is(err, full) || code != reason.OCILayoutWrite && code != reason.OCILayoutLock || reason.Hint(err) == "" {
					t.Fatalf("%s: got %v", name, err)
				}
				checkClean(t, filepath.Dir(path))
				if i < len(all)-1 && !maps.Equal(before, snapshot(t, filepath.Dir(path))) {
					t.Errorf("%s: the layout has changed", name)
				}
				// Before the very last step nothing is there, after it all is.
				want := 0
				if i == len(all)-1 {
					want = 1
				}
				r.before = nil
				if got := signatures(t, r, d.Digest); len(got) != want {
					t.Errorf("%s: signed by %q", name, got)
				}
				if _, err := r.Attach(context.Background(), byTag(t, "v1"), sign("x")); err != nil {
					t.Errorf("%s: cannot be done again: %v", name, err)
				}
			})
		}
	}
}

func TestAttachLocked(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		s := newSketch()
		image := s.image("a")
		s.tag(image, "v1")
		r := mustOpen(t, s.form(t, form))
		l := flock.New(r.lockPath())
		if ok, err := l.TryLock(); !ok || err != nil {
			t.Fatal(ok, err)
		}
		// The other program has the lock; waiting ends with the context.
		ctx, cancel := context.WithCancel(context.Background())
		r.before = func(s step, _ string) error {
			if s == stepLock {
				cancel()
			}
			return nil
		}
		_, err := r.Attach(ctx, byTag(t, "v1"), sign("x"))
		wantCode(t, err, reason.OCILayoutLock)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the cause is lost: %v", err)
		}
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
		// The same within the process.
		r.writing <- struct{}{}
		ctx, cancel = context.WithCancel(context.Background())
		cancelling := func(d oci.Descriptor) (oci.Attachment, error) {
			cancel()
			return sign("x")(d)
		}
		_, err = r.Attach(ctx, byTag(t, "v1"), cancelling)
		wantCode(t, err, reason.OCILayoutLock)
		<-r.writing
		r.before = nil
		if _, err := r.Attach(context.Background(), byTag(t, "v1"), sign("x")); err != nil {
			t.Error(err)
		}
	}
}

// TestLockRemoved takes the lock while its last holder removes the file.
func TestLockRemoved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	l, err := tryLock(context.Background(), path)
	if err != nil || l == nil {
		t.Fatal(l, err)
	}
	if err := os.Remove(path); err != nil {
		t.Skip(err) // a system that does not remove open files
	}
	if again, err := tryLock(context.Background(), path); err != nil || again == nil {
		t.Errorf("got %v, %v", again, err)
	}
	if l, err := tryLock(context.Background(), filepath.Join(path, "below a file")); l != nil || err == nil {
		t.Errorf("got %v, %v", l, err)
	}
}

// TestAttachOverwritten has another program overwrite the index, so that the
// signature is lost at once.
func TestAttachOverwritten(t *testing.T) {
	t.Parallel()
	s := newSketch()
	s.tag(s.image("a"), "v1")
	dir := s.dir(t)
	r := mustOpen(t, dir)
	index := filepath.Join(dir, ocispec.ImageIndexFile)
	old, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	overwrite := func(content []byte) func(s step, name string) error {
		return func(s step, name string) error {
			if s == stepSyncDir && name == "." {
				return os.WriteFile(index, content, 0o600)
			}
			return nil
		}
	}
	r.before = overwrite(old)
	a, err := r.Attach(context.Background(), byTag(t, "v1"), sign("x"))
	wantCode(t, err, reason.OCINotListed)
	if a.Manifest.Digest == "" {
		t.Error("it is not said what was written")
	}
	r.before = overwrite([]byte("{"))
	_, err = r.Attach(context.Background(), byTag(t, "v1"), sign("x"))
	wantCode(t, err, reason.OCINotListed)
}

func TestAttachGivenUp(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		s := newSketch()
		s.tag(s.image("a"), "v1")
		path := s.form(t, form)
		before := snapshot(t, filepath.Dir(path))
		for _, at := range []step{stepCreate, stepWrite} {
			r := mustOpen(t, path)
			ctx, cancel := context.WithCancel(context.Background())
			r.before = func(s step, _ string) error {
				if s == at {
					cancel()
				}
				return nil
			}
			_, err := r.Attach(ctx, byTag(t, "v1"), sign("x"))
			wantCode(t, err, reason.OCILayoutWrite)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("the cause is lost: %v", err)
			}
			if !maps.Equal(before, snapshot(t, filepath.Dir(path))) {
				t.Errorf("%s: the layout has changed", form)
			}
		}
	}
}

// TestAttachRaced has another program work on the layout at the same time.
func TestAttachRaced(t *testing.T) {
	t.Parallel()
	breakIndex := func(path string) { _ = os.WriteFile(filepath.Join(path, ocispec.ImageIndexFile), []byte("{"), 0o600) }
	for name, tt := range map[string]struct {
		at   step
		file string
		do   func(path string)
		code reason.Code
	}{
		"index broken while building": {"build", "", breakIndex, reason.OCILayoutIndex},
		"index gone while building": {"build", "", func(path string) {
			_ = os.Remove(filepath.Join(path, ocispec.ImageIndexFile))
		}, reason.OCINotFound},
		"index gone while writing": {stepMkdir, "", func(path string) {
			_ = os.Remove(filepath.Join(path, ocispec.ImageIndexFile))
		}, reason.OCILayoutWrite},
		"directory made": {stepMkdir, "", func(path string) { _ = os.Mkdir(filepath.Join(path, "blobs", "sha256"), 0o700) }, ""},
		"file in place of the directory": {stepMkdir, "", func(path string) {
			_ = os.WriteFile(filepath.Join(path, "blobs", "sha256"), nil, 0o600)
		}, reason.OCILayoutFile},
		"directory gone": {stepRename, "", func(path string) { _ = os.RemoveAll(filepath.Join(path, "blobs", "sha256")) }, reason.OCILayoutWrite},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := failing().dir(t)
			r := mustOpen(t, path)
			r.before = func(s step, _ string) error {
				if s == tt.at {
					tt.do(path)
				}
				return nil
			}
			_, err := r.Attach(context.Background(), byTag(t, "v1"), func(d oci.Descriptor) (oci.Attachment, error) {
				_ = r.before("build", "")
				return sign("x")(d)
			})
			if tt.code == "" {
				if err != nil {
					t.Fatal(err)
				}
			} else {
				wantCode(t, err, tt.code)
			}
			checkClean(t, path)
		})
	}
}

func TestTarGoneWhileBuilding(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		do   func(path string) error
		code reason.Code
	}{
		"gone":   {os.Remove, reason.OCIRead},
		"broken": {func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) }, reason.OCILayout},
		"index broken": {func(path string) error {
			s := signable()
			s.files[ocispec.ImageIndexFile] = []byte("{")
			return os.Rename(s.tar(t), path)
		}, reason.OCILayoutIndex},
		"blob taken": {func(path string) error {
			h := &tar.Header{Typeflag: tar.TypeDir, Name: blobPath(digest.FromString("x"))}
			return os.Rename(signable().tar(t, h), path)
		}, reason.OCILayoutFile},
	} {
		path := signable().tar(t)
		_, err := mustOpen(t, path).Attach(context.Background(), byTag(t, "v1"), func(d oci.Descriptor) (oci.Attachment, error) {
			if err := tt.do(path); err != nil {
				t.Fatal(err)
			}
			return sign("x")(d)
		})
		if reason.Of(err) != tt.code {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
