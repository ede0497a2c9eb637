package layout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	with := func(name string, content string) *sketch {
		s := newSketch()
		s.files[name] = []byte(content)
		return s
	}
	tests := map[string]struct {
		sketch *sketch
		code   reason.Code
		hint   string
	}{
		"no version file":   {func() *sketch { s := newSketch(); delete(s.files, ocispec.ImageLayoutFile); return s }(), reason.OCILayout, "tar -C DIR"},
		"empty version":     {with("oci-layout", ""), reason.OCILayoutVersion, ""},
		"no version":        {with("oci-layout", "{}"), reason.OCILayoutVersion, ""},
		"version 2":         {with("oci-layout", `{"imageLayoutVersion":"2.0.0"}`), reason.OCILayoutVersion, ""},
		"version 1.1":       {with("oci-layout", `{"imageLayoutVersion":"1.1.0"}`), reason.OCILayoutVersion, ""},
		"version 1.0.":      {with("oci-layout", `{"imageLayoutVersion":"1.0."}`), reason.OCILayoutVersion, ""},
		"version 1.0.x":     {with("oci-layout", `{"imageLayoutVersion":"1.0.x\u202e"}`), reason.OCILayoutVersion, ""},
		"two versions":      {with("oci-layout", `{"imageLayoutVersion":"2","imageLayoutVersion":"1.0.0"}`), reason.OCILayoutVersion, ""},
		"long version file": {with("oci-layout", `{"imageLayoutVersion":"1.0.0"}`+strings.Repeat(" ", maxVersionSize)), reason.OCITooLarge, ""},
	}
	for name, tt := range tests {
		for _, form := range forms {
			t.Run(name+" "+form, func(t *testing.T) {
				t.Parallel()
				_, err := Open(tt.sketch.form(t, form), Options{})
				wantCode(t, err, tt.code)
				if !strings.Contains(reason.Hint(err), tt.hint) {
					t.Errorf("hint is %q", reason.Hint(err))
				}
			})
		}
	}
	t.Run("no such path", func(t *testing.T) {
		t.Parallel()
		_, err := Open(filepath.Join(t.TempDir(), "a\x1b[31m"), Options{})
		wantCode(t, err, reason.OCILayout)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(reason.Hint(err), "tag") {
			t.Errorf("got %v, hint %q", err, reason.Hint(err))
		}
	})
}

func TestOpenFollowsLink(t *testing.T) {
	t.Parallel()
	s := newSketch()
	s.tag(s.image("a"), "v1")
	for _, form := range forms {
		path := s.form(t, form)
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(path, link); err != nil {
			t.Skip(err)
		}
		r, err := Open(link, Options{Name: "r.io/a"})
		if err != nil {
			t.Fatal(err)
		}
		if r.Name() != "r.io/a" {
			t.Errorf("name is %q", r.Name())
		}
		if _, err := r.Attach(context.Background(), byTag(t, "v1"), sign("x")); err != nil {
			t.Error(err)
		}
		if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("the link was replaced: %v", err)
		}
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	s := newSketch()
	image, other := s.image("a"), s.image("b")
	unlisted, index := s.image("c"), s.index()
	artifact := s.manifest(oci.MediaTypeORASManifest, object{"mediaType": oci.MediaTypeORASManifest, "artifactType": "x/y"})
	untyped := s.manifest(ocispec.MediaTypeImageManifest, object{"schemaVersion": 2})
	long := digest.SHA512.FromString(`{"mediaType":"` + ocispec.MediaTypeImageManifest + `"}`)
	s.files[blobPath(long)] = []byte(`{"mediaType":"` + ocispec.MediaTypeImageManifest + `"}`)
	s.tag(image, "v1")
	s.tag(image, "v1") // twice the same is not ambiguous
	s.tag(other, "v2")
	s.tag(index, "docker.io/library/x:latest")
	s.tag(artifact, "artifact")
	s.tag(untyped, "untyped")
	both, err := oci.ParseReference("r.io/a:v1@" + string(image.Digest))
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range forms {
		r := mustOpen(t, s.form(t, form))
		for name, tt := range map[string]struct {
			ref  oci.Reference
			want oci.Descriptor
		}{
			"tag":            {byTag(t, "v1"), image},
			"other tag":      {byTag(t, "v2"), other},
			"digest":         {byDigest(other.Digest), other},
			"unlisted":       {byDigest(unlisted.Digest), unlisted},
			"index":          {byDigest(index.Digest), index},
			"ORAS artifact":  {byTag(t, "artifact"), artifact},
			"untyped listed": {byDigest(untyped.Digest), untyped},
			"both":           {both, image},
			"sha512":         {byDigest(long), oci.Descriptor{MediaType: image.MediaType, Digest: long, Size: 58}},
		} {
			d, err := r.Resolve(context.Background(), tt.ref)
			if err != nil || d.Digest != tt.want.Digest || d.Size != tt.want.Size || d.MediaType != tt.want.MediaType || d.Annotations != nil {
				t.Errorf("%s, %s: got %+v, %v", form, name, d, err)
			}
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	t.Parallel()
	s := newSketch()
	image, other := s.image("a"), s.image("b")
	config := s.blob(ocispec.MediaTypeImageConfig, []byte(`{"architecture":"x"}`))
	untyped := s.manifest(ocispec.MediaTypeImageManifest, object{"schemaVersion": 2, "layers": []any{}})
	with := func(d oci.Descriptor, change func(d *oci.Descriptor)) oci.Descriptor {
		change(&d)
		return d
	}
	s.tag(image, "v1")
	s.tag(image, "ambiguous")
	s.tag(other, "ambiguous")
	s.tag(config, "config")
	s.tag(s.blob(ocispec.MediaTypeImageManifest, []byte("no JSON")), "broken")
	s.tag(s.blob(ocispec.MediaTypeImageManifest, bytes.Repeat([]byte(" "), oci.MaxManifestSize+1)), "large")
	// attack: FS-05
	s.tag(with(s.image("c"), func(d *oci.Descriptor) { d.Size++ }), "size")
	s.tag(with(s.image("d"), func(d *oci.Descriptor) { d.Size = 1 << 62 }), "huge")
	s.tag(with(s.image("e"), func(d *oci.Descriptor) { d.Size = -1 }), "negative")
	s.tag(with(s.image("f"), func(d *oci.Descriptor) { d.MediaType = ocispec.MediaTypeImageIndex }), "type")
	s.tag(with(image, func(d *oci.Descriptor) { d.Digest = "sha256:../../../../etc/passwd" }), "path")
	s.tag(with(image, func(d *oci.Descriptor) { d.Digest = "../../etc:passwd" }), "path2")
	s.tag(with(image, func(d *oci.Descriptor) { d.Digest = digest.FromString("missing") }), "missing")
	swapped := s.image("g")
	s.files[blobPath(swapped.Digest)] = bytes.Repeat([]byte("x"), int(swapped.Size))
	s.tag(swapped, "content")
	mismatch, err := oci.ParseReference("r.io/a:v1@" + string(other.Digest))
	if err != nil {
		t.Fatal(err)
	}
	noTag, err := oci.ParseReference("r.io/a")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		ref  oci.Reference
		code reason.Code
	}{
		"neither":               {noTag, reason.OCIReferenceIncomplete},
		"zero":                  {oci.Reference{}, reason.OCIReferenceIncomplete},
		"no such tag":           {byTag(t, "none"), reason.OCINotFound},
		"no such digest":        {byDigest(digest.FromString("none")), reason.OCINotFound},
		"ambiguous tag":         {byTag(t, "ambiguous"), reason.OCILayoutIndex},
		"tag and other digest":  {mismatch, reason.OCITagMismatch},
		"tag of a config":       {byTag(t, "config"), reason.OCIManifestType},
		"digest of a config":    {byDigest(config.Digest), reason.OCIManifestType},
		"digest of no manifest": {byDigest(untyped.Digest), reason.OCIManifestType},
		"no JSON":               {byTag(t, "broken"), reason.OCIManifest},
		"too large":             {byTag(t, "large"), reason.OCITooLarge},
		"size":                  {byTag(t, "size"), reason.OCISizeMismatch},
		"huge size":             {byTag(t, "huge"), reason.OCISizeMismatch},
		"negative size":         {byTag(t, "negative"), reason.OCISizeMismatch},
		"media type":            {byTag(t, "type"), reason.OCILayoutIndex},
		"path in digest":        {byTag(t, "path"), reason.OCIDescriptor},
		"path for algorithm":    {byTag(t, "path2"), reason.OCIDigestAlgorithm},
		"path as reference":     {byDigest("sha256:../../../x"), reason.OCIDescriptor},
		"missing blob":          {byTag(t, "missing"), reason.OCINotFound},
		"other content":         {byTag(t, "content"), reason.OCIDigestMismatch},
	}
	for _, form := range forms {
		r := mustOpen(t, s.form(t, form))
		for name, tt := range tests {
			t.Run(name+" "+form, func(t *testing.T) {
				t.Parallel()
				_, err := r.Resolve(context.Background(), tt.ref)
				wantCode(t, err, tt.code)
				if tt.code != reason.OCIReferenceIncomplete {
					checkNamed(t, err, r.given)
				}
				_, err = r.Attach(context.Background(), tt.ref, sign("must not be called"))
				wantCode(t, err, tt.code)
			})
		}
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	s := newSketch()
	d := s.blob("a/b", []byte("content"))
	empty := s.blob("a/b", nil)
	for _, form := range forms {
		r := mustOpen(t, s.form(t, form))
		ctx := context.Background()
		if content, err := r.Fetch(ctx, d, 7); err != nil || string(content) != "content" {
			t.Errorf("%s: got %q, %v", form, content, err)
		}
		if content, err := r.Fetch(ctx, empty, 0); err != nil || len(content) != 0 {
			t.Errorf("%s: got %q, %v", form, content, err)
		}
		_, err := r.Fetch(ctx, d, 6)
		wantCode(t, err, reason.OCITooLarge)
		_, err = r.Fetch(ctx, oci.Descriptor{Digest: d.Digest, Size: 8}, 10)
		wantCode(t, err, reason.OCISizeMismatch)
		_, err = r.Fetch(ctx, oci.Descriptor{Digest: d.Digest, Size: -1}, 10)
		wantCode(t, err, reason.OCISizeMismatch)
		_, err = r.Fetch(ctx, oci.Descriptor{Digest: digest.FromString("x"), Size: 8}, 10)
		wantCode(t, err, reason.OCINotFound)
		done, cancel := context.WithCancel(ctx)
		cancel()
		_, err = r.Fetch(done, d, 7)
		wantCode(t, err, reason.OCIRead)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the cause is lost: %v", err)
		}
	}
}

func TestIndexRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		index string
		code  reason.Code
	}{
		"empty":           {"", reason.OCILayoutIndex},
		"list":            {"[]", reason.OCILayoutIndex},
		"no version":      {`{"manifests":[]}`, reason.OCILayoutIndex},
		"version 1":       {`{"schemaVersion":1,"manifests":[]}`, reason.OCILayoutIndex},
		"media type":      {`{"schemaVersion":2,"mediaType":"a/b\u001b","manifests":[]}`, reason.OCILayoutIndex},
		"duplicate":       {`{"schemaVersion":2,"manifests":[],"manifests":[]}`, reason.OCILayoutIndex},
		"case variant":    {`{"schemaVersion":2,"manifests":[],"Manifests":[{"size":1}]}`, reason.OCILayoutIndex},
		"size fractional": {`{"schemaVersion":2,"manifests":[{"size":1.5}]}`, reason.OCILayoutIndex},
		"trailing":        {`{"schemaVersion":2,"manifests":[]}{}`, reason.OCILayoutIndex},
		"deep":            {`{"schemaVersion":2,"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, reason.OCILayoutIndex},
		"too long":        {`{"schemaVersion":2,"manifests":[]}` + strings.Repeat(" ", maxIndexSize), reason.OCITooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSketch()
			image := s.image("a")
			s.files[ocispec.ImageIndexFile] = []byte(tt.index)
			r := mustOpen(t, s.dir(t))
			_, err := r.Resolve(context.Background(), byDigest(image.Digest))
			wantCode(t, err, tt.code)
			_, err = r.Referrers(context.Background(), image.Digest, oci.ReferrersOptions{})
			wantCode(t, err, tt.code)
		})
	}
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		s := newSketch()
		image := s.image("a")
		dir := s.dir(t)
		if err := os.Remove(filepath.Join(dir, ocispec.ImageIndexFile)); err != nil {
			t.Fatal(err)
		}
		// attack: REG-09
		_, err := mustOpen(t, dir).Referrers(context.Background(), image.Digest, oci.ReferrersOptions{})
		wantCode(t, err, reason.OCILayoutIndex)
	})
}

// TestInterop reads layouts that another implementation wrote and signed.
func TestInterop(t *testing.T) {
	t.Parallel()
	indexes, err := filepath.Glob("../../../shared/interop/*/index.json")
	if err != nil || len(indexes) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("the interop cases are missing")
		}
		t.Skip("the interop cases are not there")
	}
	for _, file := range indexes {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			t.Parallel()
			r := mustOpen(t, filepath.Dir(file))
			d, err := r.Resolve(context.Background(), byTag(t, "v1"))
			if err != nil {
				t.Fatal(err)
			}
			if n := len(signatures(t, r, d.Digest)); n != 1 {
				t.Errorf("%d signatures", n)
			}
			if again, err := r.Resolve(context.Background(), byDigest(d.Digest)); err != nil || again.Size != d.Size {
				t.Errorf("by digest: %+v, %v", again, err)
			}
		})
	}
}

func BenchmarkVerifyPath(b *testing.B) {
	for _, form := range forms {
		b.Run(form, func(b *testing.B) {
			s := newSketch()
			image := s.image("a")
			s.tag(image, "v1")
			for i := range 100 {
				s.list(s.referrer(image, oci.ArtifactTypeSignature, fmt.Sprint(i)))
			}
			r := mustOpen(b, s.form(b, form))
			ref := byTag(b, "v1")
			b.ReportAllocs()
			for b.Loop() {
				d, err := r.Resolve(context.Background(), ref)
				if err != nil {
					b.Fatal(err)
				}
				l, err := r.Referrers(context.Background(), d.Digest, oci.ReferrersOptions{})
				if err != nil || len(l.Referrers) != 100 {
					b.Fatal(len(l.Referrers), err)
				}
			}
		})
	}
}

// checkNamed checks that an error names the layout, once, and says what to do
// that has nothing to do with a network.
func checkNamed(t *testing.T, err error, path string) {
	t.Helper()
	if strings.Count(err.Error(), path) != 1 {
		t.Errorf("does not name %s once: %v", path, err)
	}
	hint := reason.Hint(err)
	if hint == "" || strings.Contains(hint, "network") || strings.Contains(hint, "--timeout") || strings.Contains(hint, "try again") {
		t.Errorf("hint is %q", hint)
	}
	if reason.Of(err) == reason.OCITagMismatch && (!strings.Contains(hint, "who moved the tag") || strings.Contains(hint, "names now")) {
		t.Errorf("hint is %q", hint)
	}
}

// TestDamagedBlob names what is wrong with a layout whose blobs are not all
// there, or not as they were.
//
// attack: FS-05
func TestDamagedBlob(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		do   func(path string) error
		code reason.Code
		hint string
	}{
		"missing": {os.Remove, reason.OCINotFound, "incomplete"},
		"longer":  {func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) }, reason.OCISizeMismatch, "damaged"},
		"other": {func(path string) error {
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, bytes.Repeat([]byte("x"), len(raw)), 0o600)
		}, reason.OCIDigestMismatch, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSketch()
			image := s.image("a")
			s.tag(image, "v1")
			dir := s.dir(t)
			r := mustOpen(t, dir)
			if err := tt.do(filepath.Join(dir, filepath.FromSlash(blobPath(image.Digest)))); err != nil {
				t.Fatal(err)
			}
			_, resolveErr := r.Resolve(t.Context(), byTag(t, "v1"))
			_, fetchErr := r.Fetch(t.Context(), image, 1<<20)
			for _, err := range []error{resolveErr, fetchErr} {
				wantCode(t, err, tt.code)
				checkNamed(t, err, dir)
				if !strings.Contains(reason.Hint(err), tt.hint) {
					t.Errorf("hint is %q", reason.Hint(err))
				}
			}
		})
	}
}

// TestLockInterrupted checks that an interruption is not blamed on another
// program.
func TestLockInterrupted(t *testing.T) {
	t.Parallel()
	r := mustOpen(t, signable().dir(t))
	unlock, err := r.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.lock(ctx)
	wantCode(t, err, reason.OCILayoutLock)
	if !strings.Contains(err.Error(), "interrupted") || strings.Contains(reason.Hint(err), "program") {
		t.Errorf("got %v, hint %q", err, reason.Hint(err))
	}
}
