package promote_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/promote"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestWalk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		repo func(t testing.TB) oci.Store
	}{
		{"api", func(t testing.TB) oci.Store { return newRepo(t, true) }},
		{"tags", func(t testing.TB) oci.Store { return newRepo(t, false) }},
		{"layout", func(t testing.TB) oci.Store { return newDir(t) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := c.repo(t)
			x := newSample(t, s)
			g, err := promote.Walk(t.Context(), s, x.index, promote.Options{})
			if err != nil {
				t.Fatal(err)
			}
			checkGraph(t, s, x)
			for _, want := range []struct {
				d         oci.Descriptor
				depth     int
				referrers []oci.Descriptor
				subject   digest.Digest
			}{
				{x.index, 0, []oci.Descriptor{x.sbom, x.signature}, ""},
				{x.amd, 1, nil, ""},
				{x.arm, 1, []oci.Descriptor{x.armSignature}, ""},
				{x.sbom, 1, []oci.Descriptor{x.sbomSignature}, x.index.Digest},
				{x.sbomSignature, 2, nil, x.sbom.Digest},
			} {
				m := g.Manifest(want.d.Digest)
				referrers := digests(want.referrers, func(d oci.Descriptor) digest.Digest { return d.Digest })
				if m == nil || m.Depth != want.depth || m.Subject != want.subject || !slices.Equal(m.Referrers, referrers) {
					t.Errorf("%s: %+v", want.d.Digest, m)
				}
			}
			if m := g.Manifests[0]; m.Descriptor.Digest != x.index.Digest || len(m.Manifests) != 2 || m.Manifests[1].Platform.Variant != "v8" {
				t.Errorf("root %+v", m)
			}
			if m := g.Manifest(x.sbom.Digest); m.Descriptor.ArtifactType != typeSBOM || len(m.Blobs) != 2 {
				t.Errorf("SBOM %+v", m)
			}
			if len(g.Blobs) != 10 || len(g.Warnings) != 0 || g.Manifest("sha256:00") != nil {
				t.Errorf("%d blobs, warnings %v", len(g.Blobs), g.Warnings)
			}
		})
	}
}

// TestWalkKinds reads every kind of manifest.
//
// attack: REG-07
func TestWalkKinds(t *testing.T) {
	t.Parallel()
	s := newDir(t)
	blob := put(t, s, "text/plain", []byte("text"))
	config := put(t, s, ocispec.MediaTypeEmptyJSON, []byte("{}"))
	odd := blob
	odd.MediaType = ocispec.MediaTypeImageManifest // a manifest kept as a layer
	foreign := oci.Descriptor{
		MediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", // old images have it
		Digest:    digest.FromString("elsewhere"), Size: 9, URLs: []string{"http://169.254.169.254/"},
	}
	docker := foreign
	docker.MediaType = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
	child := manifest(t, s, wire{MediaType: oci.MediaTypeDockerManifest, Config: &config, Layers: []ocispec.Descriptor{odd, foreign, docker}})
	root := manifest(t, s, wire{MediaType: oci.MediaTypeDockerList, Manifests: []ocispec.Descriptor{child, blob}})
	manifest(t, s, wire{MediaType: oci.MediaTypeORASManifest, ArtifactType: "old/one", Blobs: []ocispec.Descriptor{blob}, Subject: &root})
	manifest(t, s, wire{MediaType: oci.MediaTypeOCIArtifact, ArtifactType: "old/two", Subject: &root})
	manifest(t, s, wire{MediaType: ocispec.MediaTypeImageIndex, ArtifactType: "many/things", Subject: &root, Manifests: []ocispec.Descriptor{child, root}})
	g, err := promote.Walk(t.Context(), s, root, promote.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Manifests) != 5 || len(g.Blobs) != 2 || len(g.Manifest(root.Digest).Referrers) != 3 {
		t.Errorf("%+v", g)
	}
	if m := g.Manifest(child.Digest); len(m.Foreign) != 2 || m.Blobs[1].MediaType != "application/octet-stream" {
		t.Errorf("%+v", m)
	}
	for _, dst := range []oci.Store{newRepo(t, false), newDir(t)} {
		report, err := promote.Copy(t.Context(), s, dst, root, promote.CopyOptions{})
		if err != nil || len(report.Blobs) != 2 {
			t.Error(report, err)
		}
	}
}

// attack: REG-03
// attack: REG-09
func TestWalkHostileListings(t *testing.T) {
	t.Parallel()
	good := newDir(t)
	root := image(t, good, "layer")
	other := image(t, good, "other")
	signature := attach(t, good, root, typeSignature, "signed")
	cyclic := attach(t, good, signature, typeSignature, "and again")
	stranger := attach(t, good, other, typeSignature, "of the other")
	lists := func(all map[digest.Digest][]oci.Descriptor) *faulty {
		return &faulty{Store: good, referrers: func(_ context.Context, s digest.Digest, _ oci.ReferrersOptions) (oci.Listing, error) {
			return oci.Listing{Referrers: all[s]}, nil
		}}
	}
	sized := func(d oci.Descriptor, size int64) oci.Descriptor { d.Size = size; return d }
	gone := oci.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("gone"), Size: 4}

	for _, c := range []struct {
		name      string
		repo      *faulty
		options   promote.Options
		code      reason.Code
		manifests int // if there is no error
		warnings  int
	}{
		{"cycle", lists(map[digest.Digest][]oci.Descriptor{
			root.Digest: {root, signature}, signature.Digest: {cyclic}, cyclic.Digest: {root, signature, cyclic},
		}), promote.Options{}, "", 3, 0},
		{"strangers", lists(map[digest.Digest][]oci.Descriptor{root.Digest: {stranger, other, signature, cyclic}}), promote.Options{}, "", 2, 3},
		{"of another, and of this one", lists(map[digest.Digest][]oci.Descriptor{
			root.Digest: {signature, stranger}, signature.Digest: {cyclic}, stranger.Digest: {cyclic},
		}), promote.Options{}, "", 3, 1},
		{"gone", lists(map[digest.Digest][]oci.Descriptor{root.Digest: {gone, signature}}), promote.Options{}, "", 2, 1},
		{"twice, once with a wrong size", lists(map[digest.Digest][]oci.Descriptor{root.Digest: {sized(signature, 7), signature}}), promote.Options{}, "", 2, 0},
		{"many sizes", lists(map[digest.Digest][]oci.Descriptor{root.Digest: {
			sized(signature, 1), sized(signature, 2), sized(signature, 3), sized(signature, 4), signature,
		}}), promote.Options{}, reason.OCISizeMismatch, 0, 0},
		{"wrong size", lists(map[digest.Digest][]oci.Descriptor{root.Digest: {sized(signature, signature.Size+1)}}), promote.Options{}, reason.OCISizeMismatch, 0, 0},
		{"huge size", lists(map[digest.Digest][]oci.Descriptor{root.Digest: {sized(signature, 1<<62)}}), promote.Options{}, reason.OCITooLarge, 0, 0},
		{"no manifest", lists(map[digest.Digest][]oci.Descriptor{root.Digest: {{MediaType: "text/plain", Digest: signature.Digest, Size: signature.Size}}}), promote.Options{}, reason.OCIManifest, 0, 0},
		{"listing fails", &faulty{Store: good, referrers: func(context.Context, digest.Digest, oci.ReferrersOptions) (oci.Listing, error) {
			return oci.Listing{Referrers: []oci.Descriptor{signature}}, errors.New("no route")
		}}, promote.Options{}, reason.PromoteUnreadable, 0, 0},
		{"a million referrers", &faulty{Store: good, referrers: func(context.Context, digest.Digest, oci.ReferrersOptions) (oci.Listing, error) {
			return oci.Listing{Referrers: make([]oci.Descriptor, oci.MaxReferrers), Truncated: true}, nil
		}}, promote.Options{}, reason.PromoteTooMany, 0, 0},
		{"too many", lists(map[digest.Digest][]oci.Descriptor{root.Digest: {signature, stranger}}),
			promote.Options{Limits: promote.Limits{Manifests: 2}}, reason.PromoteTooMany, 0, 0},
		{"types that lie", lists(map[digest.Digest][]oci.Descriptor{root.Digest: {
			{MediaType: signature.MediaType, Digest: signature.Digest, Size: signature.Size, ArtifactType: typeSBOM},
		}}), promote.Options{ArtifactTypes: []string{typeSBOM}}, "", 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g, err := promote.Walk(t.Context(), c.repo, root, c.options)
			if c.code != "" {
				wantCode(t, err, c.code)
				dst := newRegistry(true)
				_, err := promote.Copy(t.Context(), c.repo, open(t, serve(t, dst), "app"), root, promote.CopyOptions{Options: c.options})
				wantCode(t, err, c.code)
				if dst.count("") != 0 {
					t.Error("the destination was touched")
				}
				return
			}
			if err != nil || len(g.Manifests) != c.manifests || len(g.Warnings) != c.warnings {
				t.Fatalf("%d manifests, warnings %v, error %v", len(g.Manifests), g.Warnings, err)
			}
			for _, w := range g.Warnings {
				wantCode(t, w, reason.PromoteStranger)
			}
		})
	}
}

// TestWalkEndless lists ever new referrers, each with a referrer.
//
// attack: REG-03
func TestWalkEndless(t *testing.T) {
	t.Parallel()
	good := newDir(t)
	root := image(t, good, "layer")
	made := map[digest.Digest][]byte{}
	endless := &faulty{Store: good}
	endless.referrers = func(_ context.Context, s digest.Digest, _ oci.ReferrersOptions) (oci.Listing, error) {
		subject := oci.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: s, Size: 10}
		raw, err := json.Marshal(wire{SchemaVersion: 2, MediaType: oci.MediaTypeOCIArtifact, ArtifactType: "next/one", Subject: &subject})
		d := oci.Descriptor{MediaType: oci.MediaTypeOCIArtifact, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
		made[d.Digest] = raw // one at a time, as each has one referrer
		return oci.Listing{Referrers: []oci.Descriptor{d}}, err
	}
	endless.fetch = func(ctx context.Context, d oci.Descriptor, limit int64) ([]byte, error) {
		if raw, ok := made[d.Digest]; ok {
			return raw, nil
		}
		return good.Fetch(ctx, d, limit)
	}
	g, err := promote.Walk(t.Context(), endless, root, promote.Options{})
	wantCode(t, err, reason.PromoteTooDeep)
	if len(g.Manifests) != promote.MaxDepth+1 {
		t.Errorf("%d manifests", len(g.Manifests))
	}
	_, err = promote.Walk(t.Context(), endless, root, promote.Options{Limits: promote.Limits{Depth: 3}})
	wantCode(t, err, reason.PromoteTooDeep)
}

// attack: REG-02
// attack: REG-04
func TestWalkHostileManifests(t *testing.T) {
	t.Parallel()
	s := newDir(t)
	blob := put(t, s, "text/plain", []byte("text"))
	bad := func(change func(d *oci.Descriptor)) []ocispec.Descriptor {
		d := blob
		change(&d)
		return []ocispec.Descriptor{blob, d}
	}
	img := func(m wire) wire {
		m.MediaType = ocispec.MediaTypeImageManifest
		return m
	}
	idx := func(m wire) wire {
		m.MediaType = ocispec.MediaTypeImageIndex
		return m
	}
	child := image(t, s, "layer")
	many := make([]ocispec.Descriptor, 100)
	for i := range many {
		many[i] = oci.Descriptor{MediaType: "text/plain", Digest: digest.FromString(fmt.Sprint(i)), Size: 1}
	}
	lying := child
	lying.Size++
	for _, c := range []struct {
		name   string
		m      wire
		limits promote.Limits
		code   reason.Code
	}{
		{"image and index", img(wire{Config: &blob, Manifests: []ocispec.Descriptor{child}}), promote.Limits{}, reason.PromoteManifest},
		{"image and artifact", img(wire{Config: &blob, Blobs: []ocispec.Descriptor{blob}}), promote.Limits{}, reason.PromoteManifest},
		{"index and image", idx(wire{Manifests: []ocispec.Descriptor{child}, Layers: []ocispec.Descriptor{blob}}), promote.Limits{}, reason.PromoteManifest},
		{"index and artifact", idx(wire{Blobs: []ocispec.Descriptor{blob}}), promote.Limits{}, reason.PromoteManifest},
		{"artifact and image", wire{MediaType: oci.MediaTypeORASManifest, Layers: []ocispec.Descriptor{blob}}, promote.Limits{}, reason.PromoteManifest},
		{"no config", img(wire{Layers: []ocispec.Descriptor{blob}}), promote.Limits{}, reason.PromoteManifest},
		{"sizes differ", img(wire{Config: &blob, Layers: bad(func(d *oci.Descriptor) { d.Size = 5 })}), promote.Limits{}, reason.PromoteConflict},
		{"negative size", img(wire{Config: &blob, Layers: bad(func(d *oci.Descriptor) { d.Size = -1 })}), promote.Limits{}, reason.OCIDescriptor},
		{"size 2^62", img(wire{Config: &blob, Layers: bad(func(d *oci.Descriptor) { d.Size = 1 << 62 })}), promote.Limits{}, reason.OCITooLarge},
		{"unknown algorithm", img(wire{Config: &blob, Layers: bad(func(d *oci.Descriptor) { d.Digest = "md5:00" })}), promote.Limits{}, reason.OCIDigestAlgorithm},
		{"bad config", img(wire{Config: &oci.Descriptor{}}), promote.Limits{}, reason.OCIDescriptor},
		{"bad blob in an index", idx(wire{Manifests: bad(func(d *oci.Descriptor) { d.Digest = "x" })}), promote.Limits{}, reason.OCIDescriptor},
		{"bad child", idx(wire{Manifests: []ocispec.Descriptor{{MediaType: ocispec.MediaTypeImageManifest, Digest: blob.Digest, Size: 1 << 40}}}), promote.Limits{}, reason.OCITooLarge},
		{"child's size lies", idx(wire{Manifests: []ocispec.Descriptor{lying}}), promote.Limits{}, reason.OCISizeMismatch},
		{"no child", idx(wire{Manifests: []ocispec.Descriptor{{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("none"), Size: 4}}}), promote.Limits{}, reason.OCINotFound},
		{"too many blobs", img(wire{Config: &blob, Layers: many}), promote.Limits{Blobs: 50}, reason.PromoteTooMany},
		{"too many children", idx(wire{Manifests: []ocispec.Descriptor{child}}), promote.Limits{Manifests: 1}, reason.PromoteTooMany},
		{"too large", img(wire{Config: &blob, Layers: many}), promote.Limits{Bytes: 50}, reason.PromoteTooLarge},
		{"manifests too large", img(wire{Config: &blob, Layers: many}), promote.Limits{ManifestBytes: 50}, reason.PromoteTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := manifest(t, s, c.m)
			o := promote.Options{Limits: c.limits, NoReferrers: true}
			_, err := promote.Walk(t.Context(), s, root, o)
			wantCode(t, err, c.code)
			dst := newRegistry(true)
			_, err = promote.Copy(t.Context(), s, open(t, serve(t, dst), "app"), root, promote.CopyOptions{Options: o})
			wantCode(t, err, c.code)
			if dst.count("") != 0 {
				t.Error("the destination was touched")
			}
		})
	}
	for name, d := range map[string]oci.Descriptor{"no digest": {MediaType: "x"}, "too large": {MediaType: "x", Digest: blob.Digest, Size: 1 << 40}} {
		if _, err := promote.Walk(t.Context(), s, d, promote.Options{}); err == nil {
			t.Error(name)
		}
	}
}

func TestWalkPlatform(t *testing.T) {
	t.Parallel()
	s := newDir(t)
	a, b, c := image(t, s, "a"), image(t, s, "b"), image(t, s, "c")
	index := func(list map[string]oci.Descriptor) oci.Descriptor {
		var m wire
		m.MediaType = ocispec.MediaTypeImageIndex
		for _, variant := range []string{"", "v6", "v7", "none", "again"} {
			d, ok := list[variant]
			if !ok {
				continue
			}
			switch variant {
			case "none":
			case "again":
				d.Platform = &ocispec.Platform{OS: "linux", Architecture: "arm"}
			default:
				d.Platform = &ocispec.Platform{OS: "linux", Architecture: "arm", Variant: variant}
			}
			m.Manifests = append(m.Manifests, d)
		}
		return manifest(t, s, m)
	}
	for _, x := range []struct {
		name, platform string
		root           oci.Descriptor
		want           oci.Descriptor
	}{
		{"exact", "linux/arm/v7", index(map[string]oci.Descriptor{"v6": a, "v7": b}), b},
		{"the one variant", "linux/arm", index(map[string]oci.Descriptor{"v6": a, "none": b}), a},
		{"without variant before others", "linux/arm", index(map[string]oci.Descriptor{"": c, "v6": a, "v7": b}), c},
		{"several variants", "linux/arm", index(map[string]oci.Descriptor{"v6": a, "v7": b}), oci.Descriptor{}},
		{"two of one platform", "linux/arm", index(map[string]oci.Descriptor{"": a, "again": b}), oci.Descriptor{}},
		{"one listed twice", "linux/arm", index(map[string]oci.Descriptor{"": a, "again": a}), a},
		{"none", "windows/amd64\x1b", index(map[string]oci.Descriptor{"": a}), oci.Descriptor{}},
		{"no index", "linux/arm", a, oci.Descriptor{}},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			g, err := promote.Walk(t.Context(), s, x.root, promote.Options{Platform: x.platform})
			if x.want.Digest == "" {
				wantCode(t, err, reason.PromotePlatform)
				return
			}
			if err != nil || g.Root.Digest != x.want.Digest {
				t.Error(g.Root, err)
			}
		})
	}
	none := oci.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromString("none"), Size: 4}
	_, err := promote.Walk(t.Context(), s, none, promote.Options{Platform: "linux/arm"})
	wantCode(t, err, reason.OCINotFound)
}
