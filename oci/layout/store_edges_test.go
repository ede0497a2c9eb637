package layout

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestStoreDamaged changes layouts that are damaged.
func TestStoreDamaged(t *testing.T) {
	t.Parallel()
	d, raw := manifestFor(t, object{"mediaType": ocispec.MediaTypeImageManifest})
	referrer, referrerRaw := manifestFor(t, object{"mediaType": ocispec.MediaTypeImageManifest, "subject": d})
	long := `"` + strings.Repeat("x", maxIndexSize-60) + `"`
	for _, c := range []struct {
		name, index string
		code        reason.Code
	}{
		{"no index", "", reason.OCILayoutIndex},
		{"malformed index", "{", reason.OCILayoutIndex},
		{"full index", `{"schemaVersion":2,"manifests":[],"x":` + long + `}`, reason.OCITooLarge},
		{"index too large", long + long, reason.OCITooLarge},
	} {
		for _, form := range forms {
			t.Run(form+" "+c.name, func(t *testing.T) {
				t.Parallel()
				s := newSketch()
				s.files[blobPath(d.Digest)] = raw
				s.files[ocispec.ImageIndexFile] = []byte(c.index)
				path := s.form(t, form)
				if c.index == "" && form == "tarball" {
					return // a tarball cannot lose a file without becoming another
				}
				if c.index == "" {
					if err := os.Remove(filepath.Join(path, ocispec.ImageIndexFile)); err != nil {
						t.Fatal(err)
					}
				}
				r := mustOpen(t, path)
				for _, err := range []error{
					r.Tag(t.Context(), d, "v1"), r.PutManifest(t.Context(), referrer, referrerRaw),
				} {
					if c.index == "" {
						wantCode(t, err, reason.OCINotFound)
					} else {
						wantCode(t, err, c.code)
					}
				}
				clean(t, filepath.Dir(path))
			})
		}
	}
}

// TestStoreGone takes the layout away under the feet of its users.
func TestStoreGone(t *testing.T) {
	t.Parallel()
	d, raw := manifestFor(t, object{"mediaType": ocispec.MediaTypeImageManifest})
	for _, form := range forms {
		path := newSketch().form(t, form)
		r := mustOpen(t, path)
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{r.PutManifest(t.Context(), d, raw), r.Delete(t.Context(), d.Digest, "")} {
			if err == nil || reason.Of(err) == "" {
				t.Errorf("%s: %v", form, err)
			}
		}
		if form == "directory" {
			wantCode(t, r.PutBlob(t.Context(), blobFor("x"), source("x")), reason.OCIRead)
		}
	}
	s, err := Stage(t.Context(), filepath.Join(t.TempDir(), "x.tar"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.Commit(t.Context()), reason.OCILayoutWrite)
	clean(t, filepath.Dir(s.target))
}

// TestStoreBlobsIsAFile has something else where blobs belong.
//
// attack: FS-01
func TestStoreBlobsIsAFile(t *testing.T) {
	t.Parallel()
	r := create(t)
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(r.path, ocispec.ImageBlobsDir)); err != nil {
		t.Skip(err)
	}
	err := r.PutBlob(t.Context(), blobFor("x"), source("x"))
	if err == nil || reason.Of(err) == "" {
		t.Error(err)
	}
	if files := snapshot(t, outside); len(files) != 0 {
		t.Errorf("written outside: %v", files)
	}
}

func TestCreateBadVersion(t *testing.T) {
	t.Parallel()
	s := newSketch()
	s.files[ocispec.ImageLayoutFile] = []byte(`{"imageLayoutVersion":"9.0.0"}`)
	_, err := Create(t.Context(), s.dir(t), Options{})
	wantCode(t, err, reason.OCILayoutVersion)
}

// TestStageClash spreads out a tarball in which one name is a file and a
// directory, and one that holds what is no layout's.
func TestStageClash(t *testing.T) {
	t.Parallel()
	s := newSketch()
	s.files["a"], s.files["a/b"] = []byte("x"), []byte("y")
	path := s.tar(t)
	_, err := Stage(t.Context(), path, Options{})
	wantCode(t, err, reason.OCILayoutWrite)
	clean(t, filepath.Dir(path))
	kept := newSketch()
	kept.files["manifest.json"] = []byte("[]")
	staged, err := Stage(t.Context(), kept.tar(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(staged.Commit(t.Context()), staged.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := mustOpen(t, staged.target).files(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if got, err := readFile(f, "manifest.json", 10); err != nil || string(got) != "[]" {
		t.Error(string(got), err)
	}
}

// TestStoreRaced lets another program change the layout in the middle of a
// change.
func TestStoreRaced(t *testing.T) {
	t.Parallel()
	r := create(t)
	d := blobFor("x")
	r.before = func(s step, name string) error {
		if s == stepRename {
			// A directory stands where the blob is to be.
			return os.Mkdir(filepath.Join(r.path, filepath.FromSlash(name)), 0o755)
		}
		return nil
	}
	wantCode(t, r.PutBlob(t.Context(), d, source("x")), reason.OCILayoutWrite)
	clean(t, r.path)

	r = create(t)
	r.before = func(s step, name string) error {
		if s == stepCreate {
			return os.RemoveAll(filepath.Join(r.path, ocispec.ImageBlobsDir))
		}
		return nil
	}
	wantCode(t, r.PutBlob(t.Context(), d, source("x")), reason.OCILayoutWrite)
	clean(t, r.path)
}

func TestSourceErrorTellsItsCause(t *testing.T) {
	t.Parallel()
	var err error = &sourceError{fs.ErrClosed}
	if err.Error() != fs.ErrClosed.Error() || !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	if isCutShort(err) || !isCutShort(reason.Errorf(reason.RegistryTimeout, "slow")) {
		t.Error("cut short")
	}
	if got := referrersTag(digest.SHA512.FromString("x")); len(got) != len("sha512-")+64 {
		t.Error(got)
	}
	if _, err := withTag([]byte(`{"a"`), &indexEntry{}, "v1"); err == nil {
		t.Error("a malformed entry")
	}
	if _, _, err := (&unlisting{}).shorten([]byte(`{`), nil, &indexEntry{}); err == nil {
		t.Error("a malformed index")
	}
	if _, err := setMember([]byte(`{"a"`), "a", nil); err == nil {
		t.Error("a malformed object")
	}
	var _ oci.Store = (*Staging)(nil)
}
