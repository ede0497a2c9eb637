package oci_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// shelf is a repository that holds indexes and nothing else.
type shelf struct {
	oci.Repository

	mu      sync.Mutex
	content map[digest.Digest][]byte
	fetched int
	lie     bool // about everything: other bytes
}

func (s *shelf) Fetch(ctx context.Context, d oci.Descriptor, _ int64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetched++
	raw, ok := s.content[d.Digest]
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case !ok:
		return nil, reason.Errorf(reason.OCINotFound, "no %s", d.Digest)
	case s.lie:
		return append(slices.Clone(raw), ' '), nil
	}
	return raw, nil
}

// put stores text as an index and returns its descriptor.
func (s *shelf) put(text string) oci.Descriptor {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.content == nil {
		s.content = map[digest.Digest][]byte{}
	}
	d := digest.FromString(text)
	s.content[d] = []byte(text)
	return oci.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: d, Size: int64(len(text))}
}

func (s *shelf) index(t testing.TB, entries ...oci.Descriptor) oci.Descriptor {
	t.Helper()
	text, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageIndex, "manifests": entries})
	if err != nil {
		t.Fatal(err)
	}
	return s.put(string(text))
}

// image is a manifest that nobody fetches. platform is os/architecture[/variant].
func imageEntry(name, platform string) oci.Descriptor {
	d := oci.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString(name), Size: int64(len(name))}
	if parts := strings.SplitN(platform+"//", "/", 4); platform != "" {
		d.Platform = &ocispec.Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]}
	}
	return d
}

func wantReason(t *testing.T, err error, want reason.Code) {
	t.Helper()
	if reason.Of(err) != want {
		t.Errorf("%v [%s], want %s", err, reason.Of(err), want)
	}
}

// attack: REG-03
func TestWalkIndex(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	amd, arm, unknown := imageEntry("amd", "linux/amd64"), imageEntry("arm", "linux/arm/v7"), imageEntry("attestation", "unknown/unknown")
	arm6 := imageEntry("arm", "linux/arm/v6")
	cache := oci.Descriptor{MediaType: "application/vnd.buildkit.cacheconfig.v0", Digest: digest.FromString("cache"), Size: 1 << 30}
	inner := s.index(t, arm, unknown)
	plain := imageEntry("arm", "")
	root := s.index(t, amd, cache, inner, plain, arm6)
	entries, err := oci.WalkIndex(t.Context(), s, root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, fmt.Sprint(e.Descriptor.Digest == root.Digest, e.Depth, len(e.Parents), len(e.Platforms), e.Parent == root.Digest, " ", oci.PlatformName(e.Descriptor)))
	}
	want := []string{"true 0 0 0 false ", "false 1 1 1 true linux/amd64", "false 1 1 0 true ", "false 1 2 2 true linux/arm/v6", "false 2 1 1 false unknown/unknown"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if s.fetched != 2 {
		t.Errorf("%d fetches", s.fetched)
	}
	for platform, want := range map[string]digest.Digest{"linux/arm/v6": arm.Digest, "linux/arm/v7": arm.Digest, "linux/arm": arm.Digest, "unknown/unknown": unknown.Digest} {
		if e, err := oci.ChooseEntry(entries, platform); err != nil || e.Descriptor.Digest != want || !strings.HasPrefix(oci.PlatformName(e.Descriptor), platform) {
			t.Error(platform, e, err)
		}
	}
	_, err = oci.ChooseEntry(entries, "linux/s390x")
	wantReason(t, err, reason.PromotePlatform)

	single, err := oci.WalkIndex(t.Context(), &shelf{}, amd)
	if err != nil || len(single) != 1 || single[0].Depth != 0 || len(single[0].Platforms) != 1 {
		t.Error(single, err)
	}
}

// An index for a platform gives way to an image for it.
func TestChooseEntryNested(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	image := imageEntry("image", "linux/arm64")
	inner := s.index(t, image)
	inner.Platform = image.Platform
	entries, err := oci.WalkIndex(t.Context(), s, s.index(t, inner))
	if err != nil {
		t.Fatal(err)
	}
	if e, err := oci.ChooseEntry(entries, "linux/arm64"); err != nil || e.Descriptor.Digest != image.Digest || e.Parent != inner.Digest {
		t.Error(e, err)
	}
	inner = s.index(t, imageEntry("image", ""))
	inner.Platform = image.Platform
	if entries, err = oci.WalkIndex(t.Context(), s, s.index(t, inner)); err != nil {
		t.Fatal(err)
	}
	if e, err := oci.ChooseEntry(entries, "linux/arm64"); err != nil || e.Descriptor.Digest != inner.Digest {
		t.Error(e, err)
	}
}

// attack: REG-02
// attack: REG-03
// attack: REG-04
func TestWalkIndexRefuses(t *testing.T) {
	t.Parallel()
	image := imageEntry("image", "linux/amd64")
	with := func(change func(*oci.Descriptor)) oci.Descriptor {
		d := image
		change(&d)
		return d
	}
	for _, c := range []struct {
		name string
		root func(t *testing.T, s *shelf) oci.Descriptor
		code reason.Code
	}{
		{"missing", func(*testing.T, *shelf) oci.Descriptor { return (&shelf{}).put("{}") }, reason.OCINotFound},
		{"nested is missing", func(t *testing.T, s *shelf) oci.Descriptor { return s.index(t, (&shelf{}).put("{}")) }, reason.OCINotFound},
		{"other bytes", func(_ *testing.T, s *shelf) oci.Descriptor { s.lie = true; return s.put("{}") }, reason.OCISizeMismatch},
		{"size lies", func(t *testing.T, s *shelf) oci.Descriptor {
			inner := s.index(t, image)
			inner.Size++
			return s.index(t, inner)
		}, reason.OCISizeMismatch},
		{"size is huge", func(t *testing.T, s *shelf) oci.Descriptor {
			return s.index(t, with(func(d *oci.Descriptor) { d.Size = 1 << 62 }))
		}, reason.OCITooLarge},
		{"size is negative", func(t *testing.T, s *shelf) oci.Descriptor {
			return s.index(t, with(func(d *oci.Descriptor) { d.Size = -1 }))
		}, reason.OCIDescriptor},
		{"digest is none", func(t *testing.T, s *shelf) oci.Descriptor {
			return s.index(t, with(func(d *oci.Descriptor) { d.Digest = "sha256:../../x" }))
		}, reason.OCIDescriptor},
		{"digest is weak", func(t *testing.T, s *shelf) oci.Descriptor {
			return s.index(t, with(func(d *oci.Descriptor) { d.Digest = "md5:d41d8cd98f00b204e9800998ecf8427e" }))
		}, reason.OCIDigestAlgorithm},
		{"two sizes", func(t *testing.T, s *shelf) oci.Descriptor {
			return s.index(t, image, with(func(d *oci.Descriptor) { d.Size++ }))
		}, reason.OCIIndex},
		{"two media types", func(t *testing.T, s *shelf) oci.Descriptor {
			return s.index(t, image, with(func(d *oci.Descriptor) { d.MediaType = ocispec.MediaTypeImageIndex }))
		}, reason.OCIIndex},
		{"image as well", func(_ *testing.T, s *shelf) oci.Descriptor { return s.put(`{"manifests":[],"layers":[]}`) }, reason.OCIIndex},
		{"says that it is an image", func(_ *testing.T, s *shelf) oci.Descriptor {
			return s.put(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]}`)
		}, reason.OCIManifest},
		{"list given twice", func(_ *testing.T, s *shelf) oci.Descriptor { return s.put(`{"manifests":[],"manifests":[]}`) }, reason.OCIManifest},
		{"list is none", func(_ *testing.T, s *shelf) oci.Descriptor { return s.put(`{"manifests":{}}`) }, reason.OCIManifest},
		{"deep", func(t *testing.T, s *shelf) oci.Descriptor {
			d := image
			for range 50 {
				d = s.index(t, d)
			}
			return d
		}, reason.OCIIndexLimit},
		{"wide", func(t *testing.T, s *shelf) oci.Descriptor {
			var list []oci.Descriptor
			for i := range oci.MaxIndexManifests {
				list = append(list, imageEntry(fmt.Sprint("image", i), ""))
			}
			return s.index(t, list...)
		}, reason.OCIIndexLimit},
		{"a hundred thousand entries", func(t *testing.T, s *shelf) oci.Descriptor {
			var inner []oci.Descriptor
			for i := range 10 {
				list := make([]oci.Descriptor, 10_000)
				for j := range list {
					list[j] = imageEntry(fmt.Sprint("image", i), "")
				}
				inner = append(inner, s.index(t, list...))
			}
			return s.index(t, inner...)
		}, reason.OCIIndexLimit},
		{"many bytes", func(t *testing.T, s *shelf) oci.Descriptor {
			var inner []oci.Descriptor
			for i := range 9 {
				inner = append(inner, s.put(fmt.Sprint(i, strings.Repeat(" ", oci.MaxManifestSize-1))))
			}
			return s.index(t, inner...)
		}, reason.OCIIndexLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &shelf{}
			entries, err := oci.WalkIndex(t.Context(), s, c.root(t, s))
			wantReason(t, err, c.code)
			if entries != nil {
				t.Error(entries)
			}
			if s.fetched > 20 {
				t.Errorf("%d fetches", s.fetched)
			}
		})
	}
	if _, err := oci.WalkIndex(t.Context(), &shelf{}, oci.Descriptor{}); reason.Of(err) != reason.OCIDescriptor {
		t.Error(err)
	}
	s := &shelf{}
	root := s.index(t, image)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := oci.WalkIndex(ctx, s, root); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	deepest := image
	for range oci.MaxIndexDepth {
		deepest = s.index(t, deepest)
	}
	if entries, err := oci.WalkIndex(t.Context(), s, deepest); err != nil || entries[len(entries)-1].Depth != oci.MaxIndexDepth {
		t.Error(err)
	}
}

func TestChoosePlatform(t *testing.T) {
	t.Parallel()
	v6, v7, bare := imageEntry("v6", "linux/arm/v6"), imageEntry("v7", "linux/arm/v7"), imageEntry("none", "linux/arm")
	var many []oci.Descriptor
	for i := range 20 {
		many = append(many, imageEntry(fmt.Sprint(i), fmt.Sprintf("linux/a%d\x1b", i)))
	}
	for _, c := range []struct {
		name, platform string
		list           []oci.Descriptor
		want           digest.Digest
		hint           string
	}{
		{"exact", "linux/arm/v7", []oci.Descriptor{v6, v7}, v7.Digest, ""},
		{"the only variant", "linux/arm", []oci.Descriptor{v6, v6, imageEntry("x", "")}, v6.Digest, ""},
		{"without variant before others", "linux/arm", []oci.Descriptor{v6, bare, v7}, bare.Digest, ""},
		{"several variants", "linux/arm", []oci.Descriptor{v6, v7}, "", `name one with its variant, or its digest; the index has: "linux/arm/v6", "linux/arm/v7"`},
		{"two of one", "linux/arm", []oci.Descriptor{bare, imageEntry("other", "linux/arm")}, "", `name one with its variant, or its digest; the index has: "linux/arm"`},
		{"one variant under several names", "linux/arm", []oci.Descriptor{v6, imageEntry("v6", "linux/arm/v5")}, v6.Digest, ""},
		{"part of a name", "linux/ar", []oci.Descriptor{v6}, "", `it has: "linux/arm/v6"`},
		{"none", "linux/arm", nil, "", "its entries name no platforms; name the digest of one"},
		{"empty", "", []oci.Descriptor{imageEntry("x", "")}, "", "its entries name no platforms; name the digest of one"},
		{"hostile", "x\x1b[2J", many, "", `"linux/a15\x1b" and 4 more`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := oci.ChoosePlatform(c.list, c.platform)
			if got.Digest != c.want {
				t.Error(got, err)
			}
			if c.want != "" {
				return
			}
			wantReason(t, err, reason.PromotePlatform)
			if !strings.HasSuffix(reason.Hint(err), c.hint) || strings.ContainsRune(err.Error()+reason.Hint(err), '\x1b') {
				t.Errorf("%q %q", err, reason.Hint(err))
			}
		})
	}
}

// FuzzParseIndex checks that what is read of an index can be used.
func FuzzParseIndex(f *testing.F) {
	const entry = `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"platform":{"os":"linux","architecture":"arm","variant":"v7","os.version":"1"}}`
	for _, seed := range []string{`{}`, `{"manifests":[` + entry + `]}`, `{"manifests":[` + entry + `,` + entry + `],"layers":[]}`, `{"manifests":null}`, `[]`, `{"manifests":[{"mediaType":"text/plain"}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := oci.ParseIndex(raw)
		if err != nil {
			if reason.Of(err) == "" || list != nil {
				t.Error(list, err)
			}
			return
		}
		for _, d := range list {
			if err := oci.CheckDescriptor(d, oci.MaxBlobSize); err != nil {
				t.Error(err)
			}
			if _, err := oci.ChoosePlatform(list, oci.PlatformName(d)); err != nil && reason.Of(err) != reason.PromotePlatform {
				t.Error(err)
			}
		}
	})
}
