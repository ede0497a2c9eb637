package layout

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestAttach(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			s := newSketch()
			image := s.image("a")
			s.tag(image, "v1")
			path := s.form(t, form)
			r := mustOpen(t, path)
			ctx := context.Background()
			if got := signatures(t, r, image.Digest); got != nil {
				t.Fatalf("signed by %q before the start", got)
			}
			first, err := r.Attach(ctx, byTag(t, "v1"), sign("first"))
			if err != nil {
				t.Fatal(err)
			}
			if first.Subject.Digest != image.Digest || first.Manifest.ArtifactType != oci.ArtifactTypeSignature || first.Manifest.Annotations["signer"] != "first" {
				t.Errorf("got %+v", first)
			}
			if _, err := r.Attach(ctx, byDigest(image.Digest), sign("second")); err != nil {
				t.Fatal(err)
			}
			// Once more the same changes nothing.
			before := snapshot(t, filepath.Dir(path))
			again, err := r.Attach(ctx, byTag(t, "v1"), sign("first"))
			if err != nil || again.Manifest.Digest != first.Manifest.Digest {
				t.Errorf("got %+v, %v", again, err)
			}
			if !maps.Equal(before, snapshot(t, filepath.Dir(path))) {
				t.Error("attaching what is there changed the layout")
			}
			// A signature of a signature.
			if _, err := r.Attach(ctx, byDigest(first.Manifest.Digest), sign("third")); err != nil {
				t.Fatal(err)
			}
			for _, r := range []*Repository{r, mustOpen(t, path)} {
				if got := signatures(t, r, image.Digest); !slices.Equal(got, []string{"first", "second"}) {
					t.Errorf("signed by %q", got)
				}
				if got := signatures(t, r, first.Manifest.Digest); !slices.Equal(got, []string{"third"}) {
					t.Errorf("the signature is signed by %q", got)
				}
				if d, err := r.Resolve(ctx, byTag(t, "v1")); err != nil || d.Digest != image.Digest {
					t.Errorf("the tag moved: %+v, %v", d, err)
				}
			}
			checkClean(t, filepath.Dir(path))
		})
	}
}

// checkClean checks that no temporary file is left.
func checkClean(t *testing.T, dir string) {
	t.Helper()
	for name := range snapshot(t, dir) {
		if strings.Contains(name, tempPrefix) {
			t.Errorf("%s is left behind", name)
		}
	}
}

// TestAttachKeeps checks that what the index holds beyond our knowledge stays.
func TestAttachKeeps(t *testing.T) {
	t.Parallel()
	s := newSketch()
	image := s.image("a")
	entry := `{ "vendor" : [1, 2.50], "mediaType":"` + image.MediaType + `","digest":"` + string(image.Digest) +
		`","size":` + strconv.FormatInt(image.Size, 10) + `, "annotations":{"org.opencontainers.image.ref.name":"v1","z":"1","a":"\u00e9<"},` +
		`"platform":{"os":"plan9","architecture":"mips"}}`
	s.files[ocispec.ImageIndexFile] = []byte("{\n  \"x-first\": {\"b\":1,  \"a\":2},\n  \"schemaVersion\": 2,\n  \"manifests\": [\n " + entry +
		"\n  ],\n  \"annotations\": {\"k\":\"v\"}, \"big\": 123456789012345678901234567890 }\n")
	dir := s.dir(t)
	if err := os.Chmod(filepath.Join(dir, ocispec.ImageIndexFile), 0o640); err != nil {
		t.Fatal(err)
	}
	a, err := mustOpen(t, dir).Attach(context.Background(), byTag(t, "v1"), sign("x"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, ocispec.ImageIndexFile))
	if err != nil {
		t.Fatal(err)
	}
	added := `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + string(a.Manifest.Digest) + `","size":` +
		strconv.FormatInt(a.Manifest.Size, 10) + `,"annotations":{"signer":"x"},"artifactType":"application/vnd.cncf.notary.signature"}`
	want := "{\"x-first\":{\"b\":1,  \"a\":2},\"schemaVersion\":2,\"manifests\":[\n " + entry + "," + added +
		"],\"annotations\":{\"k\":\"v\"},\"big\":123456789012345678901234567890}"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if runtime.GOOS != "windows" {
		info, err := os.Stat(filepath.Join(dir, ocispec.ImageIndexFile))
		if err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("mode is %v, %v", info.Mode(), err)
		}
	}
}

func TestAttachRefuses(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	edit := func(change func(a *oci.Attachment)) func(oci.Descriptor) (oci.Attachment, error) {
		return func(subject oci.Descriptor) (oci.Attachment, error) {
			a, err := sign("x")(subject)
			change(&a)
			return a, err
		}
	}
	for name, tt := range map[string]struct {
		build func(oci.Descriptor) (oci.Attachment, error)
		code  reason.Code
	}{
		"build fails": {func(oci.Descriptor) (oci.Attachment, error) { return oci.Attachment{}, broken }, ""},
		"no manifest": {func(oci.Descriptor) (oci.Attachment, error) { return oci.Attachment{}, nil }, reason.OCIManifest},
		"another subject": {func(oci.Descriptor) (oci.Attachment, error) {
			return sign("x")(oci.Descriptor{MediaType: "a/b", Digest: digest.FromString("x")})
		}, reason.OCIAttachment},
		"an index": {edit(func(a *oci.Attachment) {
			a.Manifest = bytes.Replace(a.Manifest, []byte("image.manifest"), []byte("image.index"), 1)
		}), reason.OCIAttachment},
		"blob is not its digest": {edit(func(a *oci.Attachment) { a.Blobs[0].Content = []byte("y") }), reason.OCIAttachment},
		"blob digest is a path":  {edit(func(a *oci.Attachment) { a.Blobs[0].Descriptor.Digest = "sha256:../../x" }), reason.OCIAttachment},
	} {
		for _, form := range forms {
			t.Run(name+" "+form, func(t *testing.T) {
				t.Parallel()
				s := newSketch()
				s.tag(s.image("a"), "v1")
				path := s.form(t, form)
				before := snapshot(t, filepath.Dir(path))
				_, err := mustOpen(t, path).Attach(context.Background(), byTag(t, "v1"), tt.build)
				if tt.code == "" {
					if !errors.Is(err, broken) {
						t.Errorf("got %v", err)
					}
				} else {
					wantCode(t, err, tt.code)
				}
				if !maps.Equal(before, snapshot(t, filepath.Dir(path))) {
					t.Error("the layout has changed")
				}
			})
		}
	}
}

// TestAttachConcurrently has a hundred signers, half of them through one
// Repository.
//
// attack: REG-08
// attack: FS-04
func TestAttachConcurrently(t *testing.T) {
	t.Parallel()
	signers := 100
	for _, form := range forms {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			s := newSketch()
			image := s.image("a")
			s.tag(image, "v1")
			path := s.form(t, form)
			shared := mustOpen(t, path)
			var wg sync.WaitGroup
			want := map[string]bool{}
			for i := range signers {
				want[text("signer", i)] = true
				wg.Go(func() {
					r := shared
					if i%2 == 0 {
						var err error
						if r, err = Open(path, Options{}); err != nil {
							t.Error(err)
							return
						}
					}
					if _, err := r.Attach(context.Background(), byTag(t, "v1"), sign(text("signer", i))); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			for _, got := range signatures(t, shared, image.Digest) {
				delete(want, got)
			}
			if len(want) != 0 {
				t.Errorf("%d signatures are lost", len(want))
			}
			checkClean(t, filepath.Dir(path))
		})
	}
}

// TestAttachHeals replaces a blob that is not what its name says.
//
// attack: FS-05
func TestAttachHeals(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		for name, content := range map[string]string{"other": "xx", "short": "", "long": "xxx"} {
			s := newSketch()
			image := s.image("a")
			s.tag(image, "v1")
			s.files[blobPath(digest.FromString("{}"))] = []byte(content)
			r := mustOpen(t, s.form(t, form))
			if _, err := r.Attach(context.Background(), byTag(t, "v1"), sign("x")); err != nil {
				t.Errorf("%s, %s: %v", form, name, err)
				continue
			}
			if got, err := r.Fetch(context.Background(), oci.Descriptor{Digest: digest.FromString("{}"), Size: 2}, 2); err != nil || string(got) != "{}" {
				t.Errorf("%s, %s: got %q, %v", form, name, got, err)
			}
		}
	}
}

// TestAttachReadOnly covers what only a normal user sees.
func TestAttachReadOnly(t *testing.T) {
	t.Parallel()
	if os.Getuid() <= 0 {
		t.Skip("rights do not bind root, nor exist elsewhere")
	}
	for _, form := range forms {
		s := newSketch()
		s.tag(s.image("a"), "v1")
		path := s.form(t, form)
		dir := path
		if form == "tarball" {
			dir = filepath.Dir(path)
		}
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
		_, err := mustOpen(t, path).Attach(context.Background(), byTag(t, "v1"), sign("x"))
		wantCode(t, err, reason.OCILayoutLock)
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("the cause is lost: %v", err)
		}
	}
}

func BenchmarkAttach(b *testing.B) {
	for _, form := range forms {
		b.Run(form, func(b *testing.B) {
			s := newSketch()
			s.tag(s.image("a"), "v1")
			r := mustOpen(b, s.form(b, form))
			ref := byTag(b, "v1")
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := r.Attach(context.Background(), ref, sign(strconv.Itoa(i%100))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
