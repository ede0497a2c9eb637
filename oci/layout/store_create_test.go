package layout

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/reason"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	in := func(name string) string { return filepath.Join(base, name) }
	for _, d := range []string{"empty", "left", "other"} {
		if err := os.Mkdir(in(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{"left/" + ocispec.ImageIndexFile: "{}", "left/" + tempPrefix + "x" + tempSuffix: "", "other/file": "x", "file": "x"} {
		if err := os.WriteFile(in(name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		path string
		code reason.Code
	}{
		{"new/and/deep", ""}, {"new/and/deep", ""}, {"empty", ""}, {"left", ""}, {"other", reason.OCILayout}, {"file", reason.OCILayoutWrite}, {"file/below", reason.OCILayoutWrite},
	} {
		r, err := Create(t.Context(), in(c.path), Options{Name: "a.example/b"})
		if c.code != "" {
			wantCode(t, err, c.code)
			continue
		}
		if err != nil || r.Name() != "a.example/b" {
			t.Fatal(r, err)
		}
		putManifest(t, r, object{"mediaType": ocispec.MediaTypeImageManifest})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Create(ctx, in("late"), Options{})
	wantCode(t, err, reason.OCILayoutLock)
}

// TestCreateSweeps removes what a killed copy has left, but not what is being
// received.
func TestCreateSweeps(t *testing.T) {
	t.Parallel()
	r := create(t)
	if err := r.PutBlob(t.Context(), blobFor("x"), source("x")); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(r.path, "blobs", "sha256")
	for name, age := range map[string]time.Duration{"old": 2 * partAge, "young": 0} {
		part := filepath.Join(dir, tempPrefix+name+partSuffix)
		at := time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(part, nil, 0o644), os.Chtimes(part, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Create(t.Context(), r.path, Options{}); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, tempPrefix+"*"))
	if err != nil || len(left) != 1 || !strings.Contains(left[0], "young") {
		t.Error(left, err)
	}
}

func TestStage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.tar")
	stage := func(content string) *Staging {
		t.Helper()
		s, err := Stage(t.Context(), path, Options{Name: "a.example/b"})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.PutBlob(t.Context(), blobFor(content), source(content)); err != nil {
			t.Fatal(err)
		}
		d := putManifest(t, s, object{"mediaType": ocispec.MediaTypeImageManifest, "annotations": object{"text": content}})
		if err := s.Tag(t.Context(), d, content); err != nil {
			t.Fatal(err)
		}
		return s
	}
	one := stage("one")
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("there is a tarball before Commit")
	}
	late := stage("late")
	if err := errors.Join(one.Commit(t.Context()), one.Close()); err != nil {
		t.Fatal(err)
	}
	wantCode(t, late.Commit(t.Context()), reason.OCILayoutWrite) // another was faster
	if err := late.Close(); err != nil {
		t.Error(err)
	}
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	two := stage("two")
	if err := errors.Join(two.Commit(t.Context()), two.Close()); err != nil {
		t.Fatal(err)
	}
	r := mustOpen(t, path)
	for _, tag := range []string{"one", "two"} {
		has, err := r.Has(t.Context(), blobFor(tag))
		if resolveTag(t, r, tag) == "" || !has || err != nil {
			t.Error(tag, "is not there", err)
		}
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Error(info.Mode(), err)
	}
	clean(t, filepath.Dir(path))
	// Nothing of the time or the machine is in it, and the small files come first.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	again := stage("one")
	if err := errors.Join(again.Commit(t.Context()), again.Close()); err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(first, second) {
		t.Error("two tarballs of the same differ", err)
	}
	h, err := tar.NewReader(bytes.NewReader(second)).Next()
	if err != nil || h.Name != ocispec.ImageLayoutFile || !h.ModTime.Equal(time.Unix(0, 0)) {
		t.Error(h, err)
	}
}

func TestStageFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := Stage(t.Context(), dir, Options{})
	wantCode(t, err, reason.OCILayout)
	_, err = Stage(t.Context(), filepath.Join(dir, "none", "x.tar"), Options{})
	wantCode(t, err, reason.OCILayoutWrite)
	file := filepath.Join(dir, "x.tar")
	if err := os.WriteFile(file, []byte("no tarball"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Stage(t.Context(), file, Options{})
	wantCode(t, err, reason.OCILayout)
	_, err = Stage(t.Context(), filepath.Join(file, "x.tar"), Options{})
	wantCode(t, err, reason.OCILayoutWrite)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Stage(ctx, newSketch().tar(t), Options{})
	if err == nil {
		t.Error("staged after the end")
	}
	clean(t, dir)
}

// TestCommitFails lets each step of Commit fail in turn.
//
// attack: FS-04
func TestCommitFails(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	for fail := 0; ; fail++ {
		sketch := newSketch()
		sketch.tag(sketch.image("x"), "v1")
		path := sketch.tar(t)
		s, err := Stage(t.Context(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		before := snapshot(t, path)
		n := 0
		s.Repository.before = func(step, string) error {
			if n++; n == fail+1 {
				return full
			}
			return nil
		}
		err = s.Commit(t.Context())
		if closeErr := s.Close(); closeErr != nil {
			t.Error(closeErr)
		}
		if n <= fail {
			if err != nil || fail < 3 {
				t.Error(fail, err)
			}
			return
		}
		if !errors.Is(err, full) || !maps.Equal(before, snapshot(t, path)) {
			t.Errorf("step %d: %v", fail, err)
		}
		clean(t, filepath.Dir(path))
	}
}

// TestCommitRefusesLinks finds that somebody has put a link into the staging
// directory.
func TestCommitRefusesLinks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.tar")
	s, err := Stage(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, filepath.Join(s.path, "link")); err != nil {
		t.Skip(err)
	}
	wantCode(t, s.Commit(t.Context()), reason.OCILayoutFile)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := os.Remove(filepath.Join(s.path, "link")); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(ctx); err == nil {
		t.Error("committed after the end")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	clean(t, filepath.Dir(path))
}
