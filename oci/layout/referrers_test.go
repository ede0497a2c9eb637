package layout

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const sbom = "application/vnd.example.sbom"

func TestReferrers(t *testing.T) {
	t.Parallel()
	s := newSketch()
	image, other := s.image("a"), s.image("b")
	s.tag(image, "v1")
	s.tag(other, "v2")

	plain := s.referrer(image, oci.ArtifactTypeSignature, "plain")
	s.list(plain) // says no artifact type: must be looked into
	typed := s.referrer(image, oci.ArtifactTypeSignature, "typed")
	typed.ArtifactType = oci.ArtifactTypeSignature
	s.list(typed)
	// As some registries list it, and oras copies it.
	empty := s.referrer(image, oci.ArtifactTypeSignature, "listed as empty")
	empty.ArtifactType = ocispec.MediaTypeEmptyJSON
	s.list(empty)
	scan := s.referrer(image, sbom, "sbom")
	s.list(scan)
	legacy := s.manifest(ocispec.MediaTypeImageManifest, object{
		"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest,
		"config": object{"mediaType": oci.ArtifactTypeSignature, "digest": string(image.Digest), "size": 2}, "layers": []any{}, "subject": image,
	})
	s.list(legacy)
	artifact := s.manifest(oci.MediaTypeORASManifest, object{
		"mediaType": oci.MediaTypeORASManifest, "artifactType": oci.ArtifactTypeSignature, "blobs": []any{}, "subject": image,
	})
	s.list(artifact)
	// An index may refer to an image, too.
	bundle := s.manifest(ocispec.MediaTypeImageIndex, object{
		"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageIndex, "artifactType": sbom, "manifests": []any{}, "subject": image,
	})
	s.list(bundle)
	// A layout copied from a registry without referrers API.
	schema := s.referrer(image, oci.ArtifactTypeSignature, "tag schema")
	s.tag(s.index(schema), strings.Replace(string(image.Digest), ":", "-", 1))
	// Others' referrers, and one of the referrer itself.
	s.list(s.referrer(other, oci.ArtifactTypeSignature, "of another"))
	onSBOM := s.referrer(scan, oci.ArtifactTypeSignature, "of the sbom")
	s.list(onSBOM)
	s.list(s.blob("application/octet-stream", []byte("no manifest")))
	s.list(plain) // again

	for _, form := range forms {
		r := mustOpen(t, s.form(t, form))
		for name, tt := range map[string]struct {
			subject oci.Descriptor
			o       oci.ReferrersOptions
			want    []oci.Descriptor
			more    bool
		}{
			"all":          {image, oci.ReferrersOptions{}, []oci.Descriptor{plain, typed, empty, scan, legacy, artifact, bundle, schema}, false},
			"signatures":   {image, oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature}, []oci.Descriptor{plain, typed, empty, legacy, artifact, schema}, false},
			"sboms":        {image, oci.ReferrersOptions{ArtifactType: sbom}, []oci.Descriptor{scan, bundle}, false},
			"two":          {image, oci.ReferrersOptions{Max: 2}, []oci.Descriptor{plain, typed}, true},
			"as many":      {image, oci.ReferrersOptions{Max: 8}, []oci.Descriptor{plain, typed, empty, scan, legacy, artifact, bundle, schema}, false},
			"over bounds":  {image, oci.ReferrersOptions{Max: 1 << 40}, []oci.Descriptor{plain, typed, empty, scan, legacy, artifact, bundle, schema}, false},
			"of a scan":    {scan, oci.ReferrersOptions{}, []oci.Descriptor{onSBOM}, false},
			"of nothing":   {plain, oci.ReferrersOptions{}, nil, false},
			"none of type": {image, oci.ReferrersOptions{ArtifactType: "x/y"}, nil, false},
		} {
			l, err := r.Referrers(context.Background(), tt.subject.Digest, tt.o)
			if err != nil || len(l.Warnings) != 0 || l.Truncated != tt.more || len(l.Referrers) != len(tt.want) {
				t.Errorf("%s, %s: got %+v, %v", form, name, l, err)
				continue
			}
			for i, d := range l.Referrers {
				if d.Digest != tt.want[i].Digest || d.Size != tt.want[i].Size || d.MediaType != tt.want[i].MediaType || d.ArtifactType == "" {
					t.Errorf("%s, %s: entry %d is %+v", form, name, i, d)
				}
			}
		}
		l, _ := r.Referrers(context.Background(), image.Digest, oci.ReferrersOptions{Max: 1})
		if l.Referrers[0].Annotations["text"] != "plain" {
			t.Errorf("annotations are %v", l.Referrers[0].Annotations)
		}
	}
}

// hostile builds a layout with one good signature among what make adds.
func hostile(t *testing.T, build func(s *sketch, image oci.Descriptor)) (r *Repository, image, good oci.Descriptor) {
	t.Helper()
	s := newSketch()
	image = s.image("a")
	s.tag(image, "v1")
	build(s, image)
	good = s.referrer(image, oci.ArtifactTypeSignature, "good")
	s.list(good)
	return mustOpen(t, s.dir(t)), image, good
}

func TestReferrersHostile(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		build    func(s *sketch, image oci.Descriptor)
		warnings []reason.Code
		cause    reason.Code // of the error that says what may have been missed
	}{
		// attack: REG-03
		"artifact type of the entry lies": {func(s *sketch, image oci.Descriptor) {
			d := s.referrer(image, sbom, "x")
			d.ArtifactType = oci.ArtifactTypeSignature
			s.list(d)
		}, nil, ""},
		"lying entry before the right one": {func(s *sketch, image oci.Descriptor) {
			d := s.referrer(image, oci.ArtifactTypeSignature, "good")
			d.ArtifactType = sbom
			s.list(d)
			d.MediaType = ocispec.MediaTypeImageIndex
			s.list(d)
			d = s.referrer(image, oci.ArtifactTypeSignature, "good")
			d.Size++
			s.list(d)
		}, []reason.Code{reason.OCILayoutIndex}, ""},
		"stranger": {func(s *sketch, image oci.Descriptor) {
			s.list(s.referrer(s.image("other"), oci.ArtifactTypeSignature, "x"))
		}, nil, ""},
		"no subject":     {func(s *sketch, image oci.Descriptor) { s.list(s.image("b")) }, nil, ""},
		"subject itself": {func(s *sketch, image oci.Descriptor) { s.list(s.index(image)) }, nil, ""},
		"index in index": {func(s *sketch, image oci.Descriptor) {
			d := s.index()
			for range maxIndexDepth - 1 {
				d = s.index(d, d)
			}
			s.list(d)
		}, nil, ""},
		"index too deep": {func(s *sketch, image oci.Descriptor) {
			d := s.index(s.referrer(image, oci.ArtifactTypeSignature, "too deep"))
			for range maxIndexDepth {
				d = s.index(d)
			}
			s.list(d)
		}, nil, reason.OCILayoutIndex},
		"index that is none": {func(s *sketch, image oci.Descriptor) {
			s.list(s.manifest(ocispec.MediaTypeImageIndex, object{"mediaType": ocispec.MediaTypeImageIndex, "manifests": 7}))
		}, nil, reason.OCILayoutIndex},
		"cyclic subjects": {func(s *sketch, image oci.Descriptor) {
			// Digests allow no true cycle: the second blob is not its digest.
			a := digest.FromString("a")
			b := s.referrer(oci.Descriptor{MediaType: image.MediaType, Digest: a, Size: 1}, sbom, "b")
			s.list(b)
			s.files[blobPath(a)] = s.files[blobPath(s.referrer(b, sbom, "a").Digest)]
			s.list(oci.Descriptor{MediaType: image.MediaType, Digest: a, Size: int64(len(s.files[blobPath(a)]))})
		}, nil, reason.OCIDigestMismatch},
		"missing platform": {func(s *sketch, image oci.Descriptor) {
			s.list(s.index(oci.Descriptor{MediaType: image.MediaType, Digest: digest.FromString("other platform"), Size: 9, Platform: &ocispec.Platform{OS: "linux", Architecture: "arm64"}}))
		}, nil, ""},
		// attack: REG-02
		"not the digest": {func(s *sketch, image oci.Descriptor) {
			d := s.referrer(image, oci.ArtifactTypeSignature, "x")
			s.files[blobPath(d.Digest)] = bytes.Repeat([]byte(" "), int(d.Size))
			s.list(d)
		}, nil, reason.OCIDigestMismatch},
		"size too large": {func(s *sketch, image oci.Descriptor) {
			d := s.referrer(image, oci.ArtifactTypeSignature, "x")
			d.Size = 1 << 62
			s.list(d)
			s.list(d)
		}, nil, reason.OCISizeMismatch},
		"unknown algorithm": {func(s *sketch, image oci.Descriptor) {
			s.list(oci.Descriptor{MediaType: image.MediaType, Digest: "md5:d41d8cd98f00b204e9800998ecf8427e"})
		}, nil, reason.OCIDigestAlgorithm},
		// attack: FS-05
		"path in digest": {func(s *sketch, image oci.Descriptor) {
			s.list(oci.Descriptor{MediaType: image.MediaType, Digest: "sha256:../../../../../etc/passwd"})
		}, nil, reason.OCIDescriptor},
		"missing blob": {func(s *sketch, image oci.Descriptor) {
			s.list(oci.Descriptor{MediaType: image.MediaType, Digest: digest.FromString("x"), Size: 1})
		}, nil, reason.OCINotFound},
		"missing referrer of another type": {func(s *sketch, image oci.Descriptor) {
			s.list(oci.Descriptor{MediaType: image.MediaType, Digest: digest.FromString("x"), ArtifactType: sbom, Size: 1})
		}, nil, ""},
		"missing below, says nothing": {func(s *sketch, image oci.Descriptor) {
			s.list(s.index(oci.Descriptor{MediaType: image.MediaType, Digest: digest.FromString("x"), Size: 1}))
		}, nil, reason.OCINotFound},
		"broken platform": {func(s *sketch, image oci.Descriptor) {
			d := s.image("other platform")
			s.files[blobPath(d.Digest)] = []byte("x")
			d.Platform = &ocispec.Platform{OS: "linux", Architecture: "arm64"}
			s.list(s.index(d))
		}, nil, reason.OCISizeMismatch},
		"missing index": {func(s *sketch, image oci.Descriptor) {
			s.list(oci.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromString("x"), Size: 1})
		}, nil, reason.OCINotFound},
		"broken signature": {func(s *sketch, image oci.Descriptor) {
			d := s.referrer(image, oci.ArtifactTypeSignature, "x")
			s.files[blobPath(d.Digest)] = s.files[blobPath(d.Digest)][1:]
			d.ArtifactType = oci.ArtifactTypeSignature
			s.list(d)
		}, nil, reason.OCISizeMismatch},
		"missing signature": {func(s *sketch, image oci.Descriptor) {
			s.list(oci.Descriptor{MediaType: image.MediaType, Digest: digest.FromString("x"), ArtifactType: oci.ArtifactTypeSignature, Size: 1})
		}, nil, reason.OCINotFound},
		"missing signature below": {func(s *sketch, image oci.Descriptor) {
			s.list(s.index(oci.Descriptor{MediaType: image.MediaType, Digest: digest.FromString("x"), ArtifactType: oci.ArtifactTypeSignature, Size: 1}))
		}, nil, reason.OCINotFound},
		"no manifest": {func(s *sketch, image oci.Descriptor) {
			s.list(s.blob(image.MediaType, []byte("\x1b[31m")))
		}, nil, reason.OCIManifest},
		"index disagrees on type": {func(s *sketch, image oci.Descriptor) {
			d := s.referrer(image, sbom, "x")
			d.MediaType = oci.MediaTypeDockerManifest
			s.list(d)
		}, []reason.Code{reason.OCILayoutIndex}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, image, good := hostile(t, tt.build)
			l, err := r.Referrers(context.Background(), image.Digest, oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature})
			// attack: REG-09
			if tt.cause == "" && err != nil {
				t.Errorf("got %v", err)
			} else if tt.cause != "" {
				wantCode(t, err, reason.OCILayoutEntry)
				wantCode(t, errors.Unwrap(err), tt.cause)
				checkNamed(t, err, r.given)
			}
			if len(l.Referrers) != 1 || l.Referrers[0].Digest != good.Digest || l.Truncated {
				t.Errorf("got %+v", l)
			}
			if len(l.Warnings) != len(tt.warnings) {
				t.Fatalf("warnings are %v", l.Warnings)
			}
			for i, w := range l.Warnings {
				wantCode(t, w, tt.warnings[i])
			}
		})
	}
}

// TestReferrersMany lists more than the bounds allow.
//
// attack: REG-03
func TestReferrersMany(t *testing.T) {
	t.Parallel()
	s := newSketch()
	image := s.image("a")
	for range maxManifests + 1 {
		s.list(oci.Descriptor{MediaType: image.MediaType, Digest: digest.FromString("missing")})
	}
	s.list(s.referrer(image, sbom, "x"))
	l, err := mustOpen(t, s.tar(t)).Referrers(context.Background(), image.Digest, oci.ReferrersOptions{})
	wantCode(t, err, reason.OCILayoutEntry)
	if !l.Truncated || len(l.Referrers) != 0 {
		t.Errorf("got %d referrers, %v", len(l.Referrers), err)
	}
	var w walk
	for range maxWarnings + 1 {
		w.warn(err)
	}
	if len(w.found.Warnings) != maxWarnings {
		t.Errorf("%d warnings", len(w.found.Warnings))
	}

	s = newSketch()
	image = s.image("a")
	for i := range maxIndexes + 1 {
		s.list(s.index(oci.Descriptor{MediaType: "a/b", Size: int64(i)}))
	}
	l, err = mustOpen(t, s.tar(t)).Referrers(context.Background(), image.Digest, oci.ReferrersOptions{})
	if err != nil || !l.Truncated {
		t.Errorf("got %+v, %v", l, err)
	}
}

// TestReferrersBytes repeats a large manifest under media types that it does
// not have, so that it is read again and again.
func TestReferrersBytes(t *testing.T) {
	t.Parallel()
	s := newSketch()
	raw := []byte(`{"mediaType":"` + oci.MediaTypeORASManifest + `"}`)
	d := s.blob(ocispec.MediaTypeImageManifest, raw)
	f := &countedFiles{memFiles: s.finish()}
	w := walk{files: f, known: &known{}, subject: digest.FromString("x"), max: 1, seen: map[visited]bool{}, read: map[digest.Digest]bool{}, bytes: maxListingSize - 3*d.Size}
	entries := make([]indexEntry, 10)
	for i := range entries {
		entries[i] = indexEntry{MediaType: d.MediaType, Digest: string(d.Digest), Size: d.Size}
	}
	if err := w.list(context.Background(), entries, 0); err != nil || !w.found.Truncated || f.opened != 3 {
		t.Errorf("opened %d times, %+v, %v", f.opened, w.found, err)
	}
}

// TestReferrersUntyped lists a manifest without media type, of which the index
// says first the one and then the other.
//
// attack: REG-03
func TestReferrersUntyped(t *testing.T) {
	t.Parallel()
	s := newSketch()
	image := s.image("a")
	d := s.manifest(ocispec.MediaTypeImageManifest, object{"schemaVersion": 2, "subject": image})
	s.list(d)
	d.MediaType = oci.MediaTypeORASManifest
	s.list(d)
	l, err := mustOpen(t, s.dir(t)).Referrers(context.Background(), image.Digest, oci.ReferrersOptions{})
	if err != nil || len(l.Referrers) != 1 {
		t.Errorf("got %+v, %v", l, err)
	}
}

func TestReferrersGivenUp(t *testing.T) {
	t.Parallel()
	r, image, _ := hostile(t, func(s *sketch, image oci.Descriptor) { s.list(s.index(s.index(image))) })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := r.Referrers(ctx, image.Digest, oci.ReferrersOptions{})
	wantCode(t, err, reason.OCIRead)
	f, err := r.files(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	entries, err := readIndex(f, &known{})
	if err != nil {
		t.Fatal(err)
	}
	w := walk{files: f, known: &known{}, subject: image.Digest, max: 1, seen: map[visited]bool{}, read: map[digest.Digest]bool{}, listed: map[digest.Digest]bool{}}
	// Below the first index the context is done.
	err = w.list(&countdown{Context: context.Background(), after: 2}, entries, 0)
	wantCode(t, err, reason.OCIRead)
	err = w.list(ctx, entries, 0)
	wantCode(t, err, reason.OCIRead)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the cause is lost: %v", err)
	}
	_, err = r.Referrers(context.Background(), "sha256:x", oci.ReferrersOptions{})
	wantCode(t, err, reason.OCIDescriptor)
}

// countdown is a context that is done after so many questions.
type countdown struct {
	context.Context
	after int
}

func (c *countdown) Err() error {
	if c.after--; c.after < 0 {
		return context.Canceled
	}
	return nil
}
