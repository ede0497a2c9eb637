package promote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/promote"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// places are the kinds of stores, and for each how to make an empty one and how
// to finish what was copied into it.
func places() map[string]func(t *testing.T) (oci.Store, func() oci.Source) {
	same := func(s oci.Store) (oci.Store, func() oci.Source) { return s, func() oci.Source { return s } }
	return map[string]func(t *testing.T) (oci.Store, func() oci.Source){
		"api":       func(t *testing.T) (oci.Store, func() oci.Source) { return same(newRepo(t, true)) },
		"tags":      func(t *testing.T) (oci.Store, func() oci.Source) { return same(newRepo(t, false)) },
		"directory": func(t *testing.T) (oci.Store, func() oci.Source) { return same(newDir(t)) },
		"tarball": func(t *testing.T) (oci.Store, func() oci.Source) {
			path := filepath.Join(t.TempDir(), "layout.tar")
			s, err := layout.Stage(t.Context(), path, layout.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return s, func() oci.Source {
				if err := errors.Join(s.Commit(t.Context()), s.Close()); err != nil {
					t.Fatal(err)
				}
				r, err := layout.Open(path, layout.Options{})
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
		},
	}
}

// checkGraph checks that the whole sample is at a place.
func checkGraph(t *testing.T, at oci.Source, x sample) {
	t.Helper()
	g, err := promote.Walk(t.Context(), at, x.index, promote.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := digests(g.Manifests, func(m *promote.Manifest) digest.Digest { return m.Descriptor.Digest })
	if !slices.Equal(got, x.all()) {
		t.Errorf("got %v, want %v", got, x.all())
	}
	for _, b := range g.Blobs {
		content, err := at.Open(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, content); err != nil {
			t.Error(err)
		}
		_ = content.Close()
	}
}

func resolve(t *testing.T, at oci.Repository, tag string) digest.Digest {
	t.Helper()
	name := at.Name()
	if name == "" {
		name = "any.example/name"
	}
	ref, err := oci.ParseReference(name + ":" + tag)
	if err != nil {
		t.Fatal(err)
	}
	d, err := at.Resolve(t.Context(), ref)
	if reason.Of(err) == reason.OCINotFound {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return d.Digest
}

func TestCopyEveryPair(t *testing.T) {
	t.Parallel()
	for from, newSource := range places() {
		for to, newDestination := range places() {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				s, finish := newSource(t)
				x := newSample(t, s)
				if err := s.Tag(t.Context(), x.index, ""); err != nil {
					t.Fatal(err)
				}
				src := finish()
				dst, finish := newDestination(t)
				report, err := promote.Copy(t.Context(), src, dst, x.index, promote.CopyOptions{Tag: "v1"})
				if err != nil {
					t.Fatal(err)
				}
				got := digests(report.Manifests, func(i promote.Item) digest.Digest { return i.Descriptor.Digest })
				if !slices.Equal(got, x.all()) {
					t.Errorf("reported %v, want %v", got, x.all())
				}
				if report.Tag != "v1" || report.Root.Digest != x.index.Digest || report.SourceVerified || report.DestinationVerified {
					t.Errorf("report %+v", report)
				}
				again, err := promote.Copy(t.Context(), src, dst, x.index, promote.CopyOptions{Tag: "v1"})
				if err != nil {
					t.Fatal(err)
				}
				if n := again.Totals(promote.Copied); n != (promote.Totals{}) {
					t.Errorf("sent again: %+v", n)
				}
				if n := again.Totals(promote.Skipped); n.Manifests != len(x.all()) || n.Blobs != len(report.Blobs) || n.Bytes == 0 {
					t.Errorf("skipped %+v", n)
				}
				at := finish()
				checkGraph(t, at, x)
				if d := resolve(t, at, "v1"); d != x.index.Digest {
					t.Errorf("tag names %q", d)
				}
			})
		}
	}
}

func TestCopyChooses(t *testing.T) {
	t.Parallel()
	src := newDir(t)
	x := newSample(t, src)
	for _, c := range []struct {
		name    string
		options promote.Options
		want    []oci.Descriptor
	}{
		{"no referrers", promote.Options{NoReferrers: true}, []oci.Descriptor{x.index, x.amd, x.arm}},
		{"SBOMs, with their signatures", promote.Options{ArtifactTypes: []string{typeSBOM}}, []oci.Descriptor{x.index, x.amd, x.arm, x.sbom, x.sbomSignature}},
		{"signatures", promote.Options{ArtifactTypes: []string{typeSignature}}, []oci.Descriptor{x.index, x.amd, x.arm, x.signature, x.armSignature}},
		{"both", promote.Options{ArtifactTypes: []string{typeSignature, typeSBOM}},
			[]oci.Descriptor{x.index, x.amd, x.arm, x.signature, x.armSignature, x.sbom, x.sbomSignature}},
		{"none of these", promote.Options{ArtifactTypes: []string{"other/type", "and/another"}}, []oci.Descriptor{x.index, x.amd, x.arm}},
		{"platform", promote.Options{Platform: "linux/arm64"}, []oci.Descriptor{x.arm, x.armSignature}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dst := newRepo(t, true)
			report, err := promote.Copy(t.Context(), src, dst, x.index, promote.CopyOptions{Options: c.options, Tag: "v1"})
			if err != nil {
				t.Fatal(err)
			}
			got := digests(report.Manifests, func(i promote.Item) digest.Digest { return i.Descriptor.Digest })
			want := digests(c.want, func(d oci.Descriptor) digest.Digest { return d.Digest })
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if d := resolve(t, dst, "v1"); d != c.want[0].Digest {
				t.Errorf("tag names %s", d)
			}
		})
	}
}

func TestCopyMounts(t *testing.T) {
	t.Parallel()
	for _, mount := range []bool{true, false} {
		t.Run(fmt.Sprint(mount), func(t *testing.T) {
			t.Parallel()
			f := newRegistry(true)
			f.mount = mount
			host := serve(t, f)
			src, dst := open(t, host, "dev/app"), open(t, host, "prod/app")
			x := newSample(t, src)
			f.forget()
			report, err := promote.Copy(t.Context(), src, dst, x.index, promote.CopyOptions{Tag: "v1", Parallel: 1})
			if err != nil {
				t.Fatal(err)
			}
			checkGraph(t, dst, x)
			mounted, copied := report.Totals(promote.Mounted), report.Totals(promote.Copied)
			if mount && (mounted.Blobs != len(report.Blobs) || copied.Blobs != 0) {
				t.Errorf("mounted %+v, copied %+v", mounted, copied)
			}
			if asked := f.count("mount="); !mount && (mounted.Blobs != 0 || asked != 1) {
				t.Errorf("mounted %+v, asked %d times", mounted, asked)
			}
		})
	}
}

// attack: REG-01
func TestCopyVerifies(t *testing.T) {
	t.Parallel()
	no := errors.New("not signed by anybody we know")
	src := newDir(t)
	x := newSample(t, src)

	t.Run("in order", func(t *testing.T) {
		t.Parallel()
		f := newRegistry(false)
		dst := open(t, serve(t, f), "app")
		var asked []string
		verify := func(what string) promote.VerifyFunc {
			return func(ctx context.Context, repo oci.Repository, d digest.Digest) error {
				l, err := repo.Referrers(ctx, d, oci.ReferrersOptions{ArtifactType: typeSignature})
				asked = append(asked, fmt.Sprint(what, " ", d == x.index.Digest, " ", len(l.Referrers), " ", f.tag("app", "v1")))
				return err
			}
		}
		report, err := promote.Copy(t.Context(), src, dst, x.index, promote.CopyOptions{
			Tag: "v1", VerifySource: verify("source"), VerifyDestination: verify("destination"),
		})
		if err != nil || !report.SourceVerified || !report.DestinationVerified {
			t.Fatal(report, err)
		}
		if want := []string{"source true 1 ", "destination true 1 "}; !slices.Equal(asked, want) {
			t.Errorf("got %q, want %q", asked, want)
		}
	})
	t.Run("source rejected", func(t *testing.T) {
		t.Parallel()
		f := newRegistry(true)
		report, err := promote.Copy(t.Context(), src, open(t, serve(t, f), "app"), x.index, promote.CopyOptions{
			VerifySource: func(context.Context, oci.Repository, digest.Digest) error { return no },
		})
		wantCode(t, err, reason.PromoteSourceRejected)
		if !errors.Is(err, no) || report.SourceVerified || f.count("") > 0 {
			t.Error(report, err)
		}
	})
	t.Run("destination rejected", func(t *testing.T) {
		t.Parallel()
		f := newRegistry(true)
		dst := open(t, serve(t, f), "app")
		report, err := promote.Copy(t.Context(), src, dst, x.index, promote.CopyOptions{
			Tag: "v1", VerifyDestination: func(context.Context, oci.Repository, digest.Digest) error { return no },
		})
		wantCode(t, err, reason.PromoteDestinationRejected)
		if !errors.Is(err, no) || report.Tag != "" || len(report.Manifests) != len(x.all()) || f.tag("app", "v1") != "" {
			t.Error(report, err)
		}
		if !strings.Contains(err.Error(), "the tag v1 was not moved") {
			t.Error(err)
		}
		checkGraph(t, dst, x)
	})
	t.Run("tag refused", func(t *testing.T) {
		t.Parallel()
		dst := &faulty{Store: newDir(t), tag: func(context.Context, oci.Descriptor, string) error { return no }}
		report, err := promote.Copy(t.Context(), src, dst, x.index, promote.CopyOptions{Tag: "v1"})
		wantCode(t, err, reason.PromoteTag)
		if report.Tag != "" {
			t.Error(report)
		}
	})
	t.Run("bad tag", func(t *testing.T) {
		t.Parallel()
		for _, tag := range []string{"-v1\n", strings.Replace(string(x.index.Digest), ":", "-", 1)} {
			_, err := promote.Copy(t.Context(), src, newDir(t), x.index, promote.CopyOptions{Tag: tag})
			wantCode(t, err, reason.OCIReference)
		}
	})
}

func TestProgress(t *testing.T) {
	t.Parallel()
	src, dst := newDir(t), newRepo(t, true)
	root := image(t, src, strings.Repeat("large", 1<<20), "small")
	attach(t, src, root, typeSignature, "signed")
	var events []promote.Event
	_, err := promote.Copy(t.Context(), src, dst, root, promote.CopyOptions{Progress: func(e promote.Event) { events = append(events, e) }})
	if err != nil {
		t.Fatal(err)
	}
	started, finished, most := 0, 0, int64(0)
	for _, e := range events {
		switch e.Kind {
		case promote.Started:
			started++
		case promote.Finished:
			finished++
			if e.Action != promote.Copied || e.Done != e.Descriptor.Size {
				t.Errorf("%+v", e)
			}
		case promote.Advanced:
			most = max(most, e.Done)
		}
	}
	if last := events[len(events)-1]; started != 7 || finished != 7 || most < 4<<20 || last.There != last.All || last.All.Bytes < 5<<20 {
		t.Error(started, finished, most, last)
	}
}
