package test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/test/fixture"
	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/test/toolbox"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/oci"
)

// matrixManifests is how many manifests the artifact of the matrix has: an index
// with two images, an SBOM of the index, a scan result of one image, and a
// signature of each of these.
const matrixManifests = 10

// TestCopyMatrix copies an image index with everything that belongs to it between
// any two places, in either direction, and from each place to another repository
// or layout of the same kind. What arrives is verified and compared by us, and
// looked at by the tools of others.
func TestCopyMatrix(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"crane", "oras", "skopeo"} {
		toolbox.Need(t, name)
	}
	m := newMatrix(t)
	for _, src := range m.places {
		made := m.make(t, src)
		for _, dst := range m.places {
			t.Run(src.name+" to "+dst.name, func(t *testing.T) {
				t.Parallel()
				m.copy(t, src, dst, made)
			})
		}
	}
}

// matrix is a home directory, and the places.
type matrix struct {
	*home
	places []place
	check  *registries.Registry // takes what crane reads of a layout
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{home: newHome(t), check: registries.New(t, registries.GGCR, registries.Options{})}
	for _, kind := range []registries.Kind{registries.Distribution, registries.DockerRegistry, registries.GGCR, registries.Olareg} {
		m.places = append(m.places, place{name: kind.String(), registry: registries.New(t, kind, registries.Options{})})
	}
	m.places = append(m.places, place{name: "directory", dir: t.TempDir()}, place{name: "tarball", dir: t.TempDir(), tar: true})
	return m
}

// place is where an artifact can be: a registry, or a directory for layouts.
type place struct {
	name     string
	registry *registries.Registry // nil: layouts
	dir      string
	tar      bool
}

// at returns what a repository, or the layout in its stead, is called.
func (p place) at(repository string) string {
	switch {
	case p.registry != nil:
		return p.registry.Host() + "/" + repository
	case p.tar:
		return filepath.Join(p.dir, repository+".tar")
	default:
		return filepath.Join(p.dir, repository)
	}
}

// unpacked is the directory that a tarball is made from.
func (p place) unpacked(repository string) string { return filepath.Join(p.dir, repository) }

// flags returns the flags of notation, or of oras, that go with at; prefix is
// "from-" or "to-" where the command has two places.
func (p place) flags(prefix string) []string {
	if p.registry != nil {
		return nil
	}
	return []string{"--" + prefix + "oci-layout"}
}

// skopeo returns what skopeo calls a tag.
func (p place) skopeo(repository string) string {
	transport := map[bool]string{false: "oci:", true: "oci-archive:"}[p.tar]
	if p.registry != nil {
		transport = "docker://"
	}
	return transport + p.at(repository) + ":v1"
}

// made is what was made at a place. Each has signatures of its own.
type made struct {
	index fixture.Index
	// signed are the digests of all that was signed.
	signed []string
	// tree is the graph as notation shows it there.
	tree *graphNode
}

// graphNode is what is compared of a graph.
type graphNode struct {
	Digest       string       `json:"digest"`
	MediaType    string       `json:"mediaType"`
	Size         int64        `json:"size"`
	ArtifactType string       `json:"artifactType"`
	Platform     string       `json:"platform"`
	Manifests    []*graphNode `json:"manifests"`
	Referrers    []*graphNode `json:"referrers"`
}

// lines returns a node and all below it, sorted, since listings have no order.
func (g *graphNode) lines(parent string) []string {
	all := []string{fmt.Sprintf("%s %s %s %d %s %s", parent, g.Digest, g.MediaType, g.Size, g.ArtifactType, g.Platform)}
	for _, n := range g.Manifests {
		all = append(all, n.lines(g.Digest+" has")...)
	}
	for _, n := range g.Referrers {
		all = append(all, n.lines(g.Digest+" is referred to by")...)
	}
	slices.Sort(all)
	return all
}

// make makes the artifact at a place.
func (m *matrix) make(t *testing.T, at place) made {
	t.Helper()
	const repository = "source"
	var a made
	var err error
	if a.index, err = fixture.PushIndex(t.Context(), m.store(t, at, repository), "v1", at.name, "linux/amd64", "linux/arm64"); err != nil {
		t.Fatal(err)
	}
	if at.tar { // the store was a directory
		m.run(t, "tar", "-C", at.unpacked(repository), "-cf", at.at(repository), ".")
	}
	files := t.TempDir()
	for _, name := range []string{"sbom.json", "scan.json"} {
		if err := os.WriteFile(filepath.Join(files, name), []byte(`{"of":"`+at.name+`"}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	image := a.index.Images[1].Digest.String()
	a.signed = []string{a.index.Digest.String(), a.index.Images[0].Digest.String(), image}
	m.run(t, "notation", slices.Concat([]string{"sign"}, at.flags(""), names(at, repository, a.signed))...)
	for name, subject := range map[string]string{"sbom.json": ":v1", "scan.json": "@" + image} {
		var attached struct{ Artifact struct{ Digest string } }
		m.runJSON(t, &attached, "notation", slices.Concat([]string{"attach", "--output", "json", "--sign", "--artifact-type", name + "/example"},
			at.flags(""), []string{at.at(repository) + subject, filepath.Join(files, name) + ":application/json"})...)
		a.signed = append(a.signed, attached.Artifact.Digest)
	}
	a.tree = m.tree(t, at, repository)
	return a
}

// store opens a place for the fixture. A tarball is made from a directory.
func (m *matrix) store(t *testing.T, at place, repository string) oras.Target {
	t.Helper()
	var store oras.Target
	var err error
	switch {
	case at.registry != nil:
		store, err = fixture.Repository(at.at(repository), "", "")
	case at.tar:
		store, err = oci.New(at.unpacked(repository))
	default:
		store, err = oci.New(at.at(repository))
	}
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// names returns the references of digests.
func names(at place, repository string, digests []string) []string {
	var all []string
	for _, d := range digests {
		all = append(all, at.at(repository)+"@"+d)
	}
	return all
}

// tree verifies everything in a graph, and returns it.
func (m *matrix) tree(t *testing.T, at place, repository string) *graphNode {
	t.Helper()
	var doc struct {
		Whole     bool
		Manifests int
		Tree      *graphNode
	}
	m.runJSON(t, &doc, "notation", slices.Concat([]string{"tree", "--verify", "--output", "json"}, at.flags(""), []string{at.at(repository) + ":v1"})...)
	if !doc.Whole || doc.Manifests != matrixManifests {
		t.Fatalf("%d manifests, whole: %v; want %d", doc.Manifests, doc.Whole, matrixManifests)
	}
	return doc.Tree
}

// copy copies the artifact and looks at what arrived.
func (m *matrix) copy(t *testing.T, src, dst place, a made) {
	t.Helper()
	// The name of the source keeps apart what comes from several.
	repository := "from-" + src.name
	m.run(t, "notation", slices.Concat([]string{"copy", "--verify"}, src.flags("from-"), dst.flags("to-"),
		[]string{src.at("source") + ":v1", dst.at(repository) + ":v1"})...)

	want := []byte(strings.Join(a.tree.lines("root"), "\n"))
	if got := []byte(strings.Join(m.tree(t, dst, repository).lines("root"), "\n")); !bytes.Equal(got, want) {
		t.Errorf("what arrived is\n%s\nand not\n%s", got, want)
	}
	out := m.run(t, "notation", slices.Concat([]string{"verify"}, dst.flags(""), names(dst, repository, a.signed))...)
	if n := bytes.Count(out, []byte("Successfully verified signature for ")); n != len(a.signed) {
		t.Errorf("%d of %d verified:\n%s", n, len(a.signed), out)
	}
	m.secondOpinions(t, dst, repository, a)
}

// secondOpinions has others read what arrived: all manifests and blobs of the
// index and its images, and the listings of what refers to them.
func (m *matrix) secondOpinions(t *testing.T, at place, repository string, a made) {
	t.Helper()
	named := at.at(repository) + ":v1"
	if at.registry != nil {
		if got := strings.TrimSpace(string(m.run(t, "crane", "digest", named))); got != a.index.Digest.String() {
			t.Errorf("crane: the tag names %s", got)
		}
		m.run(t, "crane", "validate", "--remote", named)
	} else if !at.tar {
		m.run(t, "crane", "push", "--index", at.at(repository), m.check.Host()+"/"+repository+":v1")
	}
	insecure := []string{"--tls-verify=false"}
	if at.registry == nil {
		insecure = nil
	}
	raw := m.run(t, "skopeo", slices.Concat([]string{"inspect", "--raw"}, insecure, []string{at.skopeo(repository)})...)
	if !bytes.Equal(raw, a.index.Raw) {
		t.Errorf("skopeo: the tag names %s", raw)
	}
	if at.registry != nil {
		insecure = []string{"--src-tls-verify=false"}
	}
	m.run(t, "skopeo", slices.Concat([]string{"--insecure-policy", "copy", "--all", "--preserve-digests"}, insecure,
		[]string{at.skopeo(repository), "dir:" + t.TempDir()})...)
	m.orasDiscovers(t, at, repository, a)
}

// orasDiscovers compares what oras finds attached to the index and its images,
// at every level, with what the place had that it came from.
func (m *matrix) orasDiscovers(t *testing.T, at place, repository string, a made) {
	t.Helper()
	for _, want := range append([]*graphNode{a.tree}, a.tree.Manifests...) {
		args := append([]string{"discover", "--format", "json"}, at.flags("")...)
		if want.Platform != "" { // oras finds no image by digest in a layout's index
			args = append(args, "--platform", want.Platform)
		}
		found := new(graphNode)
		m.runJSON(t, found, "oras", append(args, at.at(repository)+":v1")...)
		if got, refer := referrers(found), referrers(want); found.Digest != want.Digest || !slices.Equal(got, refer) {
			t.Errorf("oras: what refers to %s is %q, not %q to %s", found.Digest, got, refer, want.Digest)
		}
	}
}

// referrers returns the digests of what refers to a node, at every level,
// sorted. Their types are in their manifests; listings may have others.
func referrers(g *graphNode) []string {
	var all []string
	for _, r := range g.Referrers {
		all = append(append(all, r.Digest), referrers(r)...)
	}
	slices.Sort(all)
	return all
}
