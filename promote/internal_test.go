package promote

import (
	"errors"
	"slices"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func graphOf(list ...*Manifest) *Graph {
	g := &Graph{Root: list[0].Descriptor, Manifests: list, byDigest: map[digest.Digest]*Manifest{}}
	for _, m := range list {
		g.byDigest[m.Descriptor.Digest] = m
	}
	return g
}

func node(name string, subject digest.Digest, children ...string) *Manifest {
	m := &Manifest{Descriptor: oci.Descriptor{Digest: digest.Digest(name)}, Subject: subject}
	for _, c := range children {
		m.Manifests = append(m.Manifests, oci.Descriptor{Digest: digest.Digest(c)})
	}
	return m
}

// attack: REG-03
func TestLevels(t *testing.T) {
	t.Parallel()
	// An index with an image, whose referrer is an index that names the first.
	levels, err := graphOf(node("index", "elsewhere", "image", "image"), node("image", ""), node("list", "image", "index", "image")).levels()
	if err != nil {
		t.Fatal(err)
	}
	var got []digest.Digest
	for _, l := range levels {
		for _, m := range l {
			got = append(got, m.Descriptor.Digest)
		}
	}
	if !slices.Equal(got, []digest.Digest{"image", "index", "list"}) || len(levels) != 3 {
		t.Error(got)
	}
	for _, g := range []*Graph{
		graphOf(node("a", "b"), node("b", "a")),
		graphOf(node("a", "", "a")),
		graphOf(node("root", ""), node("a", "root", "b"), node("b", "a")),
	} {
		if _, err := g.levels(); reason.Of(err) != reason.PromoteCycle {
			t.Errorf("%v", err)
		}
	}
}

func TestWarningsAreBounded(t *testing.T) {
	t.Parallel()
	w := &walk{graph: &Graph{}}
	for range 2 * maxWarnings {
		w.warn(errors.New("odd"))
	}
	if len(w.graph.Warnings) != maxWarnings {
		t.Error(len(w.graph.Warnings))
	}
}

func TestJoinIsBounded(t *testing.T) {
	t.Parallel()
	l := &lead{}
	for i := range 10 {
		l.join(oci.Descriptor{Size: int64(i)}, lead{subjects: []digest.Digest{digest.FromString(string(rune('a' + i)))}})
	}
	if len(l.claims) != maxClaims || len(l.subjects) != maxClaims {
		t.Error(l)
	}
}

// FuzzContent checks that what is read of a manifest can be used.
func FuzzContent(f *testing.F) {
	for _, seed := range []string{
		`{"config":{"mediaType":"a","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`,
		`{"config":{"mediaType":"a"},"manifests":[]}`,
		`{"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":4611686018427387904,"platform":{"os":"a"}}]}`,
		`{"manifests":[{"mediaType":"text/plain","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":1}]}`,
		`{"blobs":null,"layers":null,"manifests":null}`, `{"layers":{}}`, `[]`, `{"config":`,
	} {
		for _, mediaType := range oci.ManifestTypes() {
			f.Add([]byte(seed), mediaType)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, mediaType string) {
		c, err := parseContent(raw, mediaType)
		if err != nil {
			if reason.Of(err) == "" {
				t.Errorf("no reason: %v", err)
			}
			return
		}
		for _, d := range slices.Concat(c.blobs, c.foreign) {
			if oci.CheckDescriptor(d, oci.MaxBlobSize) != nil || oci.IsManifest(d.MediaType) {
				t.Errorf("%+v", d)
			}
		}
		for _, d := range c.manifests {
			if oci.CheckDescriptor(d, oci.MaxManifestSize) != nil || !oci.IsManifest(d.MediaType) {
				t.Errorf("%+v", d)
			}
		}
		if len(c.manifests) > 0 && mediaType != ocispec.MediaTypeImageIndex && mediaType != oci.MediaTypeDockerList {
			t.Errorf("%s has manifests", mediaType)
		}
		if _, err := oci.ChoosePlatform(c.manifests, "linux/amd64"); err != nil && reason.Of(err) != reason.PromotePlatform {
			t.Error(err)
		}
	})
}
