package layout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// children are manifests that refer to a subject.
func children(t *testing.T, subject oci.Descriptor, n int) ([]oci.Descriptor, map[digest.Digest][]byte) {
	t.Helper()
	var list []oci.Descriptor
	raw := map[digest.Digest][]byte{}
	for i := range n {
		content, err := json.Marshal(object{
			"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest, "artifactType": "a/b", "subject": subject,
			"config": ocispec.DescriptorEmptyJSON, "layers": []any{}, "annotations": object{ocispec.AnnotationRefName: fmt.Sprint("v", i)},
		})
		if err != nil {
			t.Fatal(err)
		}
		d := oci.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(content), Size: int64(len(content))}
		list, raw[d.Digest] = append(list, d), content
	}
	return list, raw
}

func newLayout(t *testing.T) *Repository {
	t.Helper()
	r, err := Create(t.Context(), filepath.Join(t.TempDir(), "layout"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPutReferrers(t *testing.T) {
	t.Parallel()
	r := newLayout(t)
	subject := putManifest(t, r, object{"mediaType": ocispec.MediaTypeImageManifest})
	list, raw := children(t, subject, 20)
	content := func(_ context.Context, d oci.Descriptor) ([]byte, error) { return raw[d.Digest], nil }
	if err := r.PutManifest(t.Context(), list[3], raw[list[3].Digest]); err != nil {
		t.Fatal(err)
	}
	renames := 0
	r.before = func(s step, name string) error {
		if s == stepRename && name == ocispec.ImageIndexFile {
			renames++
		}
		return nil
	}
	for range 2 {
		there, err := r.PutReferrers(t.Context(), subject.Digest, list, content)
		if err != nil || len(there) != len(list) || renames != 1 {
			t.Fatalf("%d are there, the index was written %d times: %v", len(there), renames, err)
		}
	}
	l, err := r.Referrers(t.Context(), subject.Digest, oci.ReferrersOptions{})
	if err != nil || len(l.Referrers) != len(list) {
		t.Errorf("%d are listed: %v", len(l.Referrers), err)
	}
	index, err := os.ReadFile(filepath.Join(r.path, ocispec.ImageIndexFile))
	if err != nil || strings.Contains(string(index), ocispec.AnnotationRefName) || strings.Count(string(index), `"digest"`) != len(list) {
		t.Errorf("%s %v", index, err)
	}
}

func TestPutReferrersFails(t *testing.T) {
	t.Parallel()
	r := newLayout(t)
	subject := putManifest(t, r, object{"mediaType": ocispec.MediaTypeImageManifest})
	list, raw := children(t, subject, 3)
	content := func(_ context.Context, d oci.Descriptor) ([]byte, error) { return raw[d.Digest], nil }
	gone := errors.New("gone")
	full := func(at step, name string) func(step, string) error {
		return func(s step, n string) error {
			if s == at && strings.HasPrefix(n, name) {
				return gone
			}
			return nil
		}
	}
	for _, c := range []struct {
		name    string
		subject digest.Digest
		content oci.ContentFunc
		before  func(step, string) error
		code    reason.Code
	}{
		{"bad subject", "x", content, nil, reason.OCIDescriptor},
		{"another subject", digest.FromString("x"), content, nil, reason.OCIManifest},
		{"no content", subject.Digest, func(context.Context, oci.Descriptor) ([]byte, error) { return nil, gone }, nil, ""},
		{"a manifest cannot be written", subject.Digest, content, full(stepCreate, "blobs"), reason.OCILayoutWrite},
		{"the index cannot be written", subject.Digest, content, full(stepCreate, ocispec.ImageIndexFile), reason.OCILayoutWrite},
	} {
		r.before = c.before
		there, err := r.PutReferrers(t.Context(), c.subject, list, c.content)
		if err == nil || len(there) > 0 || reason.Of(err) != c.code {
			t.Errorf("%s: %d are there: %v", c.name, len(there), err)
		}
		r.before = nil
		if l, err := r.Referrers(t.Context(), subject.Digest, oci.ReferrersOptions{}); err != nil || len(l.Referrers) > 0 {
			t.Errorf("%s: %d are listed: %v", c.name, len(l.Referrers), err)
		}
	}
	if err := os.WriteFile(filepath.Join(r.path, ocispec.ImageIndexFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := r.PutReferrers(t.Context(), subject.Digest, list, content)
	wantCode(t, err, reason.OCILayoutIndex)
}

// TestDiscard removes a layout as long as nothing is in it.
func TestDiscard(t *testing.T) {
	t.Parallel()
	r := newLayout(t)
	if gone, err := r.Discard(t.Context()); err != nil || !gone {
		t.Error(gone, err)
	}
	if _, err := os.Lstat(r.path); err == nil {
		t.Error("it is there")
	}
	_, err := r.Discard(t.Context())
	wantCode(t, err, reason.OCILayoutLock)

	for name, fill := range map[string]func(r *Repository) error{
		"a manifest": func(r *Repository) error {
			putManifest(t, r, object{"mediaType": ocispec.MediaTypeImageManifest})
			return nil
		},
		"an entry": func(r *Repository) error {
			return os.WriteFile(filepath.Join(r.path, ocispec.ImageIndexFile), []byte(`{"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"x","size":1}]}`), 0o600)
		},
		"blobs": func(r *Repository) error { return os.Mkdir(filepath.Join(r.path, ocispec.ImageBlobsDir), 0o700) },
	} {
		r := newLayout(t)
		if err := fill(r); err != nil {
			t.Fatal(err)
		}
		if gone, err := r.Discard(t.Context()); err != nil || gone {
			t.Errorf("%s: %v %v", name, gone, err)
		}
		if _, err := Open(r.path, Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	r = newLayout(t)
	if err := os.WriteFile(filepath.Join(r.path, "note"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if gone, err := r.Discard(t.Context()); err != nil || gone {
		t.Errorf("with a file of somebody's: %v %v", gone, err)
	}
	r = newLayout(t)
	if err := os.Remove(filepath.Join(r.path, ocispec.ImageIndexFile)); err != nil {
		t.Fatal(err)
	}
	if gone, err := r.Discard(t.Context()); err == nil || gone {
		t.Errorf("without index: %v %v", gone, err)
	}
}

// TestStageSweeps removes what was being staged by those who were killed, and by
// nobody else.
//
// attack: FS-04
func TestStageSweeps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := time.Now().Add(-2 * partAge)
	stage := func(name string, locked bool) string {
		path := filepath.Join(dir, tempPrefix+name+stageSuffix)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		l := flock.New(filepath.Join(path, stageLock))
		if ok, err := l.TryLock(); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if locked {
			t.Cleanup(func() { _ = l.Close() })
		} else if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
		return path
	}
	dead, alive, odd := stage("dead", false), stage("alive", true), stage("odd", false)
	if err := os.Remove(filepath.Join(odd, stageLock)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(odd, stageLock), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(odd, long, long); err != nil {
		t.Fatal(err)
	}
	unlocked := stage("unlocked", false)
	if err := os.Remove(filepath.Join(unlocked, stageLock)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(unlocked, long, long); err != nil {
		t.Fatal(err)
	}
	fresh := stage("fresh", false)
	if err := os.Chtimes(fresh, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, tempPrefix+"file"+stageSuffix)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, long, long); err != nil {
		t.Fatal(err)
	}
	s, err := Stage(t.Context(), filepath.Join(dir, "x.tar"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{dead: false, unlocked: false, alive: true, odd: true, fresh: true, file: true, s.path: true} {
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestReferrersOfReferrers lists what refers to each of many: those that are
// known to refer to something else are not read again, and those that are
// returned always are.
func TestReferrersOfReferrers(t *testing.T) {
	t.Parallel()
	r := newLayout(t)
	subject := putManifest(t, r, object{"mediaType": ocispec.MediaTypeImageManifest})
	list, raw := children(t, subject, 5)
	content := func(_ context.Context, d oci.Descriptor) ([]byte, error) { return raw[d.Digest], nil }
	if _, err := r.PutReferrers(t.Context(), subject.Digest, list, content); err != nil {
		t.Fatal(err)
	}
	count := func(d digest.Digest) int {
		t.Helper()
		l, err := r.Referrers(t.Context(), d, oci.ReferrersOptions{})
		if err != nil {
			t.Error(err)
		}
		return len(l.Referrers)
	}
	if n := count(subject.Digest); n != 5 {
		t.Errorf("%d refer to the subject", n)
	}
	// All are known now. A damaged one does not refer to another either.
	if err := os.WriteFile(filepath.Join(r.path, blobPath(list[2].Digest)), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		if n := count(d.Digest); n != 0 {
			t.Errorf("%d refer to %s", n, d.Digest)
		}
	}
	l, err := r.Referrers(t.Context(), subject.Digest, oci.ReferrersOptions{})
	if wantCode(t, err, reason.OCILayoutEntry); len(l.Referrers) != 4 {
		t.Errorf("%d refer to the subject", len(l.Referrers))
	}
	// What another program adds is seen.
	more, moreRaw := children(t, list[0], 1)
	other, err := Open(r.path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.PutManifest(t.Context(), more[0], moreRaw[more[0].Digest]); err != nil {
		t.Fatal(err)
	}
	if n := count(list[0].Digest); n != 1 {
		t.Errorf("%d refer to the first", n)
	}
}
