package layout

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

type object = map[string]any

// sketch is a layout under construction: its files by path.
type sketch struct {
	files   map[string][]byte
	entries []any
}

func newSketch() *sketch {
	return &sketch{files: map[string][]byte{ocispec.ImageLayoutFile: []byte(`{"imageLayoutVersion":"1.0.0"}`)}}
}

// blob adds a blob and returns its descriptor.
func (s *sketch) blob(mediaType string, content []byte) oci.Descriptor {
	d := oci.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content))}
	s.files[blobPath(d.Digest)] = content
	return d
}

// manifest adds a manifest.
func (s *sketch) manifest(mediaType string, v any) oci.Descriptor {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return s.blob(mediaType, raw)
}

// image adds an image manifest whose config has the content text.
func (s *sketch) image(text string) oci.Descriptor {
	return s.manifest(ocispec.MediaTypeImageManifest, object{
		"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest,
		"config": s.blob(ocispec.MediaTypeImageConfig, []byte(text)), "layers": []any{},
	})
}

// referrer adds an image manifest with a subject.
func (s *sketch) referrer(subject oci.Descriptor, artifactType, text string) oci.Descriptor {
	m := object{
		"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest,
		"config": s.blob(ocispec.MediaTypeEmptyJSON, []byte("{}")), "layers": []any{},
		"subject": subject, "annotations": object{"text": text},
	}
	if artifactType != "" {
		m["artifactType"] = artifactType
	}
	return s.manifest(ocispec.MediaTypeImageManifest, m)
}

// index adds an image index.
func (s *sketch) index(entries ...any) oci.Descriptor {
	return s.manifest(ocispec.MediaTypeImageIndex, object{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageIndex, "manifests": entries})
}

// list adds a descriptor to index.json.
func (s *sketch) list(d oci.Descriptor) { s.entries = append(s.entries, d) }

// tag adds a descriptor to index.json under a tag.
func (s *sketch) tag(d oci.Descriptor, tag string) {
	d.Annotations = map[string]string{ocispec.AnnotationRefName: tag}
	s.list(d)
}

// finish returns all files. It changes nothing, so that parallel tests can share
// a sketch.
func (s *sketch) finish() map[string][]byte {
	files := maps.Clone(s.files)
	if _, ok := files[ocispec.ImageIndexFile]; !ok {
		raw, err := json.Marshal(object{"schemaVersion": 2, "manifests": s.entries})
		if err != nil {
			panic(err)
		}
		files[ocispec.ImageIndexFile] = raw
	}
	return files
}

// dir writes the layout as a directory and returns its path.
func (s *sketch) dir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range s.finish() {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tar writes the layout as a tarball, with further entries, and returns its
// path.
func (s *sketch) tar(t testing.TB, further ...*tar.Header) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	files := s.finish()
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		further = append(further, &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(files[name])), Mode: 0o644})
	}
	for _, h := range further {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		content, ok := files[h.Name]
		if !ok || h.Size != int64(len(content)) {
			content = make([]byte, h.Size)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write(content); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "layout.tar")
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// forms are the two forms of a layout.
var forms = []string{"directory", "tarball"}

func (s *sketch) form(t testing.TB, form string) string {
	if form == "tarball" {
		return s.tar(t)
	}
	return s.dir(t)
}

func mustOpen(t testing.TB, path string) *Repository {
	t.Helper()
	r, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func byTag(t testing.TB, tag string) oci.Reference {
	t.Helper()
	_, ref, err := oci.ParseLayoutReference("x:" + tag)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func byDigest(d digest.Digest) oci.Reference { return oci.Reference{}.WithDigest(d) }

// sign returns a build function for Attach that packs an envelope of the given
// text.
func sign(text string) func(oci.Descriptor) (oci.Attachment, error) {
	return func(subject oci.Descriptor) (oci.Attachment, error) {
		return oci.NewSignatureAttachment(subject, "application/jose+json", []byte(text), map[string]string{"signer": text})
	}
}

// signatures returns the envelopes of the signatures that the layout lists.
func signatures(t testing.TB, r *Repository, subject digest.Digest) []string {
	t.Helper()
	ctx := context.Background()
	l, err := r.Referrers(ctx, subject, oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range l.Warnings {
		t.Errorf("warning: %v", w)
	}
	var texts []string
	for _, d := range l.Referrers {
		raw, err := r.Fetch(ctx, d, oci.MaxManifestSize)
		if err != nil {
			t.Fatal(err)
		}
		m, err := oci.ParseSignatureManifest(raw, subject)
		if err != nil {
			t.Fatal(err)
		}
		envelope, err := r.Fetch(ctx, m.Envelope, oci.MaxEnvelopeSize)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(envelope))
	}
	return texts
}

// snapshot returns the files below a path, by name, with their content.
func snapshot(t testing.TB, path string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// wantCode checks the code of an error, and that it may be printed.
func wantCode(t testing.TB, err error, want reason.Code) {
	t.Helper()
	if reason.Of(err) != want || err == nil {
		t.Fatalf("got %v (code %q), want code %q", err, reason.Of(err), want)
	}
	for _, c := range err.Error() + reason.Hint(err) {
		if !unicode.IsPrint(c) { // neither control characters nor bidirectional ones
			t.Errorf("message holds %+q: %q", c, err.Error())
			return
		}
	}
	if strings.HasSuffix(err.Error(), ".") && !strings.HasSuffix(err.Error(), "...") {
		t.Errorf("message ends in a full stop: %q", err)
	}
}

func text(prefix string, i int) string { return fmt.Sprintf("%s %d", prefix, i) }

// memFiles are files in memory.
type memFiles map[string][]byte

func (m memFiles) close() {}

func (m memFiles) open(name string) (io.ReadCloser, int64, error) {
	content, ok := m[name]
	if !ok {
		return nil, 0, notFound(name)
	}
	return io.NopCloser(bytes.NewReader(content)), int64(len(content)), nil
}

// countedFiles counts what is opened.
type countedFiles struct {
	memFiles
	opened int
}

func (c *countedFiles) open(name string) (io.ReadCloser, int64, error) {
	c.opened++
	return c.memFiles.open(name)
}

type content = io.ReadCloser

type closer struct{ io.Reader }

func (closer) Close() error { return nil }
