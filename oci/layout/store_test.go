package layout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func create(t testing.TB) *Repository {
	t.Helper()
	r, err := Create(context.Background(), filepath.Join(t.TempDir(), "a", "b"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func blobFor(content string) oci.Descriptor {
	return oci.Descriptor{MediaType: "text/plain", Digest: digest.FromString(content), Size: int64(len(content))}
}

func source(content string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }
}

// manifestFor is a manifest with these members.
func manifestFor(t testing.TB, v any) (oci.Descriptor, []byte) {
	t.Helper()
	s := newSketch()
	d := s.manifest(ocispec.MediaTypeImageManifest, v)
	return d, s.files[blobPath(d.Digest)]
}

func putManifest(t testing.TB, r oci.Store, v any) oci.Descriptor {
	t.Helper()
	d, raw := manifestFor(t, v)
	if err := r.PutManifest(t.Context(), d, raw); err != nil {
		t.Fatal(err)
	}
	return d
}

func resolveTag(t testing.TB, r oci.Repository, tag string) digest.Digest {
	t.Helper()
	d, err := r.Resolve(t.Context(), byTag(t, tag))
	if err != nil && reason.Of(err) != reason.OCINotFound {
		t.Fatal(err)
	}
	return d.Digest
}

// clean checks that no temporary file is below a path.
func clean(t testing.TB, path string) {
	t.Helper()
	for name := range snapshot(t, path) {
		if strings.Contains(name, tempPrefix) {
			t.Errorf("%s is left", name)
		}
	}
}

func TestOpenAndHas(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		s := newSketch()
		good := s.blob("text/plain", []byte("good"))
		broken := s.blob("text/plain", []byte("fine"))
		s.files[blobPath(broken.Digest)] = []byte("evil")
		empty := s.blob("text/plain", nil)
		larger := good
		larger.Size++
		r := mustOpen(t, s.form(t, form))
		for _, c := range []struct {
			name       string
			d          oci.Descriptor
			has        bool
			open, read reason.Code
			fails      reason.Code // of Has
		}{
			{"good", good, true, "", "", ""},
			{"empty", empty, true, "", "", ""},
			{"broken", broken, false, "", reason.OCIDigestMismatch, ""},
			{"wrong size", larger, false, reason.OCISizeMismatch, "", ""},
			{"none", blobFor("none"), false, reason.OCINotFound, "", ""},
			{"escape", oci.Descriptor{MediaType: "a/b", Digest: "sha256:../../x"}, false, reason.OCIDescriptor, "", reason.OCIDescriptor},
			{"too large", oci.Descriptor{MediaType: "a/b", Digest: good.Digest, Size: 1 << 60}, false, reason.OCITooLarge, "", reason.OCITooLarge},
		} {
			t.Run(form+" "+c.name, func(t *testing.T) {
				t.Parallel()
				got, err := r.Has(t.Context(), c.d)
				if c.fails != "" {
					wantCode(t, err, c.fails)
				} else if got != c.has || err != nil {
					t.Error(got, err)
				}
				content, err := r.Open(t.Context(), c.d)
				if c.open != "" {
					wantCode(t, err, c.open)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				raw, err := io.ReadAll(content)
				if c.read != "" {
					wantCode(t, err, c.read)
				} else if err != nil || int64(len(raw)) != c.d.Size {
					t.Error(raw, err)
				}
				if err := content.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := create(t).Open(ctx, blobFor("x"))
	wantCode(t, err, reason.OCIRead)
}

func TestStorePutBlob(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name, content string
		open          func() (io.ReadCloser, error)
		code          reason.Code
	}{
		{"plain", "text", source("text"), ""},
		{"empty", "", source(""), ""},
		{"other", "text", source("TEXT"), reason.OCIDigestMismatch},
		{"short", "text", source("tex"), reason.OCISizeMismatch},
		{"long", "text", source("texts"), reason.OCISizeMismatch},
		{"cannot open", "text", func() (io.ReadCloser, error) { return nil, reason.Errorf(reason.RegistryDenied, "no") }, reason.RegistryDenied},
		{"cannot read", "text", func() (io.ReadCloser, error) { return io.NopCloser(failingReader{errors.New("broken")}), nil }, reason.OCIRead},
		{"given up", "text", func() (io.ReadCloser, error) { return io.NopCloser(failingReader{io.ErrUnexpectedEOF}), ctx.Err() }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := create(t)
			d := blobFor(c.content)
			err := r.PutBlob(t.Context(), d, c.open)
			has, hasErr := r.Has(t.Context(), d)
			if hasErr != nil || has != (err == nil) {
				t.Error(has, hasErr)
			}
			if c.code != "" {
				wantCode(t, err, c.code)
			} else if (err != nil) != (c.name == "given up") {
				t.Error(err)
			}
			if err == nil {
				// A second time nothing is read.
				if err := r.PutBlob(t.Context(), d, nil); err != nil {
					t.Error(err)
				}
			}
			clean(t, r.path)
		})
	}
	s := newSketch()
	wantCode(t, mustOpen(t, s.tar(t)).PutBlob(t.Context(), blobFor("x"), source("x")), reason.OCILayoutWrite)
	wantCode(t, create(t).PutBlob(t.Context(), oci.Descriptor{}, source("")), reason.OCIDescriptor)
	if ok, err := create(t).Mount(t.Context(), blobFor("x"), "a.example/b"); ok || err != nil {
		t.Error(ok, err)
	}
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// TestStorePutBlobAgain reads from the start when the source broke off.
func TestStorePutBlobAgain(t *testing.T) {
	t.Parallel()
	r := create(t)
	tries := 0
	open := func() (io.ReadCloser, error) {
		if tries++; tries == 1 {
			return io.NopCloser(io.MultiReader(strings.NewReader("te"), failingReader{reason.Wrap(reason.RegistryUnreachable, io.ErrUnexpectedEOF, "cut")})), nil
		}
		return source("text")()
	}
	if err := r.PutBlob(t.Context(), blobFor("text"), open); err != nil || tries != 2 {
		t.Error(tries, err)
	}
	clean(t, r.path)
	ctx, cancel := context.WithCancel(t.Context())
	err := r.PutBlob(ctx, blobFor("more"), func() (io.ReadCloser, error) {
		cancel()
		return io.NopCloser(failingReader{io.ErrUnexpectedEOF}), nil
	})
	wantCode(t, err, reason.OCIRead)
	clean(t, r.path)
}

// TestStoreWritesFail lets each step of each change fail in turn. The layout is
// as it was, or as it should be.
//
// attack: FS-04
func TestStoreWritesFail(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	referrer := object{"mediaType": ocispec.MediaTypeImageManifest, "subject": oci.Descriptor{MediaType: "a/b", Digest: digest.FromString("s"), Size: 1}}
	d, raw := manifestFor(t, referrer)
	image, imageRaw := manifestFor(t, object{"mediaType": ocispec.MediaTypeImageManifest})
	changes := map[string]func(r *Repository) error{
		"blob":     func(r *Repository) error { return r.PutBlob(context.Background(), blobFor("text"), source("text")) },
		"manifest": func(r *Repository) error { return r.PutManifest(context.Background(), d, raw) },
		"tag":      func(r *Repository) error { return r.Tag(context.Background(), image, "v2") },
		"delete":   func(r *Repository) error { return r.Delete(context.Background(), image.Digest, "") },
	}
	for _, form := range forms {
		for name, change := range changes {
			if form == "tarball" && name == "blob" {
				continue
			}
			t.Run(form+" "+name, func(t *testing.T) {
				t.Parallel()
				for fail := 0; ; fail++ {
					s := newSketch()
					s.files[blobPath(image.Digest)] = imageRaw
					s.tag(image, "v1")
					path := s.form(t, form)
					r := mustOpen(t, path)
					before := snapshot(t, path)
					n, renamed := 0, false
					r.before = func(what step, _ string) error {
						if n++; n == fail+1 {
							return full
						}
						renamed = renamed || what == stepRename
						return nil
					}
					err := change(r)
					if n <= fail {
						if err != nil {
							t.Fatal(err)
						}
						return
					}
					if !errors.Is(err, full) {
						t.Fatalf("step %d: %v", fail, err)
					}
					clean(t, filepath.Dir(path))
					if !renamed && !maps.Equal(before, snapshot(t, path)) {
						t.Errorf("step %d changed something", fail)
					}
					r.before = nil
					if err := change(r); err != nil && (!renamed || reason.Of(err) != reason.OCINotFound) {
						t.Errorf("after step %d: %v", fail, err)
					}
				}
			})
		}
	}
}

func TestStoreManifests(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			s := newSketch()
			old := s.image("old")
			s.tag(old, "v1")
			r := mustOpen(t, s.form(t, form))
			image := putManifest(t, r, object{"mediaType": ocispec.MediaTypeImageManifest, "annotations": object{"a": "new"}})
			// The annotation is no tag, whatever its author thinks.
			referrer := putManifest(t, r, object{
				"mediaType": ocispec.MediaTypeImageManifest, "artifactType": "sbom/example", "subject": image,
				"annotations": object{ocispec.AnnotationRefName: "v1"},
			})
			if d, err := r.Resolve(t.Context(), byDigest(image.Digest)); err != nil || d.Digest != image.Digest {
				t.Error(d, err)
			}
			l, err := r.Referrers(t.Context(), image.Digest, oci.ReferrersOptions{ArtifactType: "sbom/example"})
			if err != nil || len(l.Referrers) != 1 || l.Referrers[0].Digest != referrer.Digest {
				t.Error(l, err)
			}
			if got := resolveTag(t, r, "v1"); got != old.Digest {
				t.Errorf("v1 is %s", got)
			}
			for _, tag := range []string{"", "v1", "v2", "v1"} {
				if err := r.Tag(t.Context(), image, tag); err != nil {
					t.Fatal(err)
				}
			}
			if resolveTag(t, r, "v1") != image.Digest || resolveTag(t, r, "v2") != image.Digest {
				t.Error("tags are wrong")
			}
			if d, err := r.Resolve(t.Context(), byDigest(old.Digest)); err != nil || d.Digest != old.Digest {
				t.Error("the old image is gone", err)
			}
			wantCode(t, r.Tag(t.Context(), image, "no tag"), reason.OCIReference)
			wantCode(t, r.Tag(t.Context(), blobFor("none"), "v1"), reason.OCINotFound)
			wantCode(t, r.PutManifest(t.Context(), image, []byte("{}")), reason.OCISizeMismatch)
			wrong := image
			wrong.MediaType = ocispec.MediaTypeImageIndex
			wantCode(t, r.Tag(t.Context(), wrong, "v1"), reason.OCIManifest)
		})
	}
}

// TestStoreTogether has many writers of one layout, by several Repositories.
//
// attack: FS-04
func TestStoreTogether(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "layout")
	subject := oci.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("s"), Size: 1}
	var wg sync.WaitGroup
	errs := make([]error, 24)
	for i := range errs {
		d, raw := manifestFor(t, object{"mediaType": ocispec.MediaTypeImageManifest, "subject": subject, "annotations": object{"n": fmt.Sprint(i)}})
		wg.Go(func() {
			r, err := Create(context.Background(), path, Options{})
			if err == nil {
				err = r.PutBlob(context.Background(), blobFor("shared"), source("shared"))
			}
			if err == nil {
				err = r.PutManifest(context.Background(), d, raw)
			}
			if err == nil {
				err = r.Tag(context.Background(), d, fmt.Sprint("v", i%4))
			}
			errs[i] = err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	r := mustOpen(t, path)
	l, err := r.Referrers(t.Context(), subject.Digest, oci.ReferrersOptions{})
	if err != nil || len(l.Referrers) != len(errs) {
		t.Errorf("%d are listed, %v", len(l.Referrers), err)
	}
	for i := range 4 {
		if resolveTag(t, r, fmt.Sprint("v", i)) == "" {
			t.Error("a tag is lost")
		}
	}
	clean(t, path)
}
