package promote_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/promote"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// verifier passes some digests, and counts.
type verifier struct {
	pass []digest.Digest
	fail error

	mu    sync.Mutex
	asked []digest.Digest
}

func (v *verifier) verify(_ context.Context, _ oci.Repository, d digest.Digest) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = append(v.asked, d)
	if slices.Contains(v.pass, d) {
		return nil
	}
	return v.fail
}

func TestRequire(t *testing.T) {
	t.Parallel()
	untrusted := errors.New("signed by a stranger")
	src := newRepo(t, true)
	x := newSample(t, src)
	armSBOM := attach(t, src, x.arm, "other/sbom", "the parts for arm")
	amdSBOM := attach(t, src, x.amd, "other/sbom", "the parts for amd")
	both := []digest.Digest{armSBOM.Digest, amdSBOM.Digest}
	require := func(artifactType string, v *verifier) []promote.Requirement {
		v.fail = untrusted
		return []promote.Requirement{{ArtifactType: artifactType, Verify: v.verify}}
	}
	for _, c := range []struct {
		name     string
		root     oci.Descriptor
		options  promote.Options
		kind     string
		pass     []digest.Digest
		want     []digest.Digest // what meets it
		text     string
		mayAsk   bool
		wantRoot oci.Descriptor
	}{
		{name: "attached to the index", root: x.index, kind: typeSBOM, pass: []digest.Digest{x.sbom.Digest}, want: []digest.Digest{x.sbom.Digest}},
		{name: "not trusted", root: x.index, kind: typeSBOM, text: "signed by a stranger"},
		{name: "none", root: x.arm, kind: typeSBOM, text: "none is attached to " + string(x.arm.Digest)},
		{name: "none of any image", root: x.index, kind: "no/such", text: "nor to each image in it"},
		{name: "on every image", root: x.index, kind: "other/sbom", pass: both, want: both},
		{name: "on one image only", root: x.index, kind: "other/sbom", pass: both[:1], text: "nor to each image in it"},
		{name: "of the platform", root: x.index, options: promote.Options{Platform: "linux/arm64"}, kind: "other/sbom", pass: both, want: both[:1]},
		{name: "of the index, which stays behind", root: x.index, options: promote.Options{Platform: "linux/arm64"}, kind: typeSBOM, pass: []digest.Digest{x.sbom.Digest}, text: "none is attached"},
		{name: "of another type than is copied", root: x.index, options: promote.Options{ArtifactTypes: []string{typeSignature}}, kind: typeSBOM, pass: []digest.Digest{x.sbom.Digest}, want: []digest.Digest{x.sbom.Digest}},
		{name: "not to be copied", root: x.index, options: promote.Options{NoReferrers: true}, kind: typeSBOM, pass: []digest.Digest{x.sbom.Digest}, text: "is not to be copied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newRegistry(true)
			dst := open(t, serve(t, f), "app")
			report, err := promote.Copy(t.Context(), src, dst, c.root, promote.CopyOptions{
				Options: c.options, Tag: "v1", Require: require(c.kind, &verifier{pass: c.pass}),
			})
			if c.text != "" {
				wantCode(t, err, reason.PromoteRequired)
				if !strings.Contains(err.Error(), c.text) || f.count("PUT") > 0 || len(report.Required) > 0 {
					t.Error(err, report)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := digests(report.Required, func(m promote.Met) digest.Digest { return m.Artifact.Digest })
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("met by %v, want %v", got, c.want)
			}
			for _, m := range report.Required {
				if m.ArtifactType != c.kind || m.Subject.Digest == "" {
					t.Errorf("%+v", m)
				}
				if there, err := dst.Has(t.Context(), m.Artifact); !there || err != nil {
					t.Errorf("%s was not copied: %v", m.Artifact.Digest, err)
				}
			}
		})
	}
	t.Run("nobody decides", func(t *testing.T) {
		t.Parallel()
		_, err := promote.Copy(t.Context(), src, newDir(t), x.index, promote.CopyOptions{Require: []promote.Requirement{{ArtifactType: typeSBOM}}})
		wantCode(t, err, reason.PromoteRequired)
	})
	t.Run("the cause can be told", func(t *testing.T) {
		t.Parallel()
		_, err := promote.Copy(t.Context(), src, newDir(t), x.index, promote.CopyOptions{Require: require(typeSBOM, &verifier{})})
		if wantCode(t, err, reason.PromoteRequired); !errors.Is(err, untrusted) {
			t.Error(err)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		_, err := promote.Copy(ctx, src, newDir(t), x.index, promote.CopyOptions{Require: []promote.Requirement{{
			ArtifactType: "other/sbom", Verify: func(ctx context.Context, _ oci.Repository, _ digest.Digest) error { cancel(); return ctx.Err() },
		}}})
		if wantCode(t, err, reason.PromoteRequired); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// TestRequireOfHiddenImage lists an image deep in the index, and has it found
// before as something that is attached.
func TestRequireOfHiddenImage(t *testing.T) {
	t.Parallel()
	src := newDir(t)
	index := func(entries ...oci.Descriptor) oci.Descriptor {
		return manifest(t, src, wire{MediaType: ocispec.MediaTypeImageIndex, Manifests: entries})
	}
	seen := image(t, src, "layer")
	sbom := attach(t, src, seen, typeSBOM, "the parts")
	hidden := attach(t, src, seen, "other/type", "an image")
	root := index(seen, index(index(hidden)))
	v := &verifier{pass: []digest.Digest{sbom.Digest}}
	require := []promote.Requirement{{ArtifactType: typeSBOM, Verify: v.verify}}
	_, err := promote.Copy(t.Context(), src, newDir(t), root, promote.CopyOptions{Require: require})
	if wantCode(t, err, reason.PromoteRequired); !strings.Contains(err.Error(), "none is attached to "+string(hidden.Digest)) {
		t.Error(err)
	}
	v.pass = append(v.pass, attach(t, src, hidden, typeSBOM, "its parts").Digest)
	if _, err := promote.Copy(t.Context(), src, newDir(t), root, promote.CopyOptions{Require: require}); err != nil {
		t.Error(err)
	}
}

// TestRequireAmongMany has a source bury the one that passes.
// attack: REG-03
func TestRequireAmongMany(t *testing.T) {
	t.Parallel()
	for _, n := range []int{20, 60} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			src := newRepo(t, true)
			root := image(t, src, "layer")
			for i := range n {
				attach(t, src, root, typeSBOM, fmt.Sprint("false ", i))
			}
			good := attach(t, src, root, typeSBOM, "good")
			attach(t, src, good, typeSignature, "signature")
			v := &verifier{pass: []digest.Digest{good.Digest}, fail: errors.New("not signed")}
			report, err := promote.Copy(t.Context(), src, newRepo(t, true), root, promote.CopyOptions{Require: []promote.Requirement{{ArtifactType: typeSBOM, Verify: v.verify}}})
			if err != nil || len(v.asked) != 1 || report.Required[0].Artifact.Digest != good.Digest {
				t.Errorf("%v: asked about %d, met by %+v", err, len(v.asked), report.Required)
			}
			v = &verifier{fail: errors.New("not trusted")}
			_, err = promote.Copy(t.Context(), src, newRepo(t, true), root, promote.CopyOptions{Require: []promote.Requirement{{ArtifactType: typeSBOM, Verify: v.verify}}})
			want := reason.PromoteRequired
			if n > 32 {
				want = reason.PromoteTooMany // one of those that were not looked at may pass
			}
			wantCode(t, err, want)
			if len(v.asked) > 32 {
				t.Errorf("asked about %d", len(v.asked))
			}
		})
	}
}

// TestFinish adds a signature of the destination's own before the destination is
// verified.
func TestFinish(t *testing.T) {
	t.Parallel()
	src := newRepo(t, true)
	root := image(t, src, "layer")
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprint("api ", api), func(t *testing.T) {
			t.Parallel()
			f := newRegistry(api)
			dst := open(t, serve(t, f), "app")
			var steps []string
			options := promote.CopyOptions{
				Tag: "v1",
				Finish: func(_ context.Context, s oci.Store, artifact digest.Digest) error {
					steps = append(steps, "finish "+string(f.tag("app", "v1")))
					attach(t, s, oci.Descriptor{MediaType: root.MediaType, Digest: artifact, Size: root.Size}, typeSignature, "of this place")
					return nil
				},
				VerifyDestination: func(ctx context.Context, repo oci.Repository, artifact digest.Digest) error {
					l, err := repo.Referrers(ctx, artifact, oci.ReferrersOptions{ArtifactType: typeSignature})
					steps = append(steps, fmt.Sprint("verify ", len(l.Referrers), f.tag("app", "v1")))
					return err
				},
			}
			if _, err := promote.Copy(t.Context(), src, dst, root, options); err != nil {
				t.Fatal(err)
			}
			if want := []string{"finish ", "verify 1"}; !slices.Equal(steps, want) || f.tag("app", "v1") != root.Digest {
				t.Errorf("%q, want %q", steps, want)
			}
		})
	}
	t.Run("fails", func(t *testing.T) {
		t.Parallel()
		f := newRegistry(true)
		no := errors.New("the key is locked")
		report, err := promote.Copy(t.Context(), src, open(t, serve(t, f), "app"), root, promote.CopyOptions{
			Tag:               "v1",
			Finish:            func(context.Context, oci.Store, digest.Digest) error { return no },
			VerifyDestination: func(context.Context, oci.Repository, digest.Digest) error { t.Error("verified"); return nil },
		})
		wantCode(t, err, reason.PromoteFinish)
		if !errors.Is(err, no) || !strings.Contains(err.Error(), "the tag v1 was not moved") || f.tag("app", "v1") != "" || report.Tag != "" || len(report.Manifests) != 1 {
			t.Error(err, report)
		}
	})
}
