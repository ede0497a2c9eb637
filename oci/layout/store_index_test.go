package layout

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestSetTag(t *testing.T) {
	t.Parallel()
	const a = digest.Digest("sha256:aa")
	entry := []byte(`{"digest":"sha256:aa","size":1}`)
	with := func(d, annotations string) string {
		return `{"digest":"` + d + `","x":[ 1 ],"annotations":` + annotations + `}`
	}
	const ref = ocispec.AnnotationRefName
	for _, c := range []struct{ name, entries, want string }{
		{"empty", ``, `{"digest":"sha256:aa","size":1,"annotations":{"` + ref + `":"v1"}}`},
		{"there", with("sha256:aa", `{"`+ref+`":"v1"}`), with("sha256:aa", `{"`+ref+`":"v1"}`)},
		{"without a tag", with("sha256:aa", `{"k":"v"}`), with("sha256:aa", `{"k":"v","`+ref+`":"v1"}`)},
		{"null", with("sha256:aa", `null`), with("sha256:aa", `{"`+ref+`":"v1"}`)},
		{"another tag", with("sha256:aa", `{"`+ref+`":"v0"}`), with("sha256:aa", `{"`+ref+`":"v0"}`) + `,{"digest":"sha256:aa","size":1,"annotations":{"` + ref + `":"v1"}}`},
		{"moved", with("sha256:bb", `{"`+ref+`":"v1"}`) + `,` + with("sha256:aa", `{}`),
			`{"digest":"sha256:bb","x":[ 1 ]},` + with("sha256:aa", `{"`+ref+`":"v1"}`)},
		{"escaped name", with("sha256:bb", `{"k":"v","org.opencontainers.image.ref\u002ename":"v1"}`) + `,` + with("sha256:aa", `{"`+ref+`":"v1"}`),
			with("sha256:bb", `{"k":"v"}`) + `,` + with("sha256:aa", `{"`+ref+`":"v1"}`)},
		{"the tagged one of two", with("sha256:aa", `{}`) + `,` + with("sha256:aa", `{"`+ref+`":"v1"}`), with("sha256:aa", `{}`) + `,` + with("sha256:aa", `{"`+ref+`":"v1"}`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := setTag([]byte(`{"schemaVersion":2,"y":{ },"manifests":[`+c.entries+`]}`), entry, a, "v1")
			if want := `{"schemaVersion":2,"y":{ },"manifests":[` + c.want + `]}`; err != nil || string(got) != want {
				t.Errorf("got %s, %v\nwant %s", got, err, want)
			}
		})
	}
	got, err := setTag([]byte(`{"schemaVersion":2}`), entry, a, "v1")
	if err != nil || !strings.Contains(string(got), `"v1"`) {
		t.Error(string(got), err)
	}
	for _, bad := range []string{``, `{}`, `{"schemaVersion":2,"manifests":{}}`} {
		if _, err := setTag([]byte(bad), entry, a, "v1"); err == nil {
			t.Error(bad)
		}
		if _, err := mapEntries([]byte(bad), nil, none); err == nil {
			t.Error(bad)
		}
	}
}

func TestStoreDelete(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			s := newSketch()
			child := s.image("child")
			image := s.index(child)
			one, two := s.referrer(image, "sbom/example", "one"), s.referrer(image, "sbom/example", "two")
			s.tag(image, "v1")
			s.list(one)
			// As it comes from a registry without referrers API.
			s.tag(s.index(one, two), referrersTag(image.Digest))
			r := mustOpen(t, s.form(t, form))
			count := func(want int) {
				t.Helper()
				l, err := r.Referrers(t.Context(), image.Digest, oci.ReferrersOptions{})
				if err != nil || len(l.Referrers) != want || len(l.Warnings) > 0 {
					t.Error(l, err)
				}
			}
			count(2)
			if err := r.Delete(t.Context(), one.Digest, image.Digest); err != nil {
				t.Fatal(err)
			}
			count(1)
			if has, err := r.Has(t.Context(), one); has || err != nil {
				t.Error(has, err)
			}
			wantCode(t, r.Delete(t.Context(), one.Digest, ""), reason.OCINotFound)
			if err := r.Delete(t.Context(), two.Digest, ""); err != nil {
				t.Fatal(err)
			}
			count(0)
			wantCode(t, r.Delete(t.Context(), child.Digest, ""), reason.OCIInUse)
			if err := r.Delete(t.Context(), image.Digest, ""); err != nil {
				t.Fatal(err)
			}
			if err := r.Delete(t.Context(), child.Digest, ""); err != nil {
				t.Fatal(err)
			}
			if got := resolveTag(t, r, "v1"); got != "" {
				t.Error(got)
			}
			wantCode(t, r.Delete(t.Context(), "sha256:../x", ""), reason.OCIDescriptor)
		})
	}
}

// TestStoreDeleteGone removes an entry whose manifest somebody has removed.
func TestStoreDeleteGone(t *testing.T) {
	t.Parallel()
	s := newSketch()
	image := s.image("x")
	gone := s.referrer(image, "a/b", "gone")
	delete(s.files, blobPath(gone.Digest))
	broken := s.index()
	s.files[blobPath(broken.Digest)] = []byte("x")
	malformed := s.blob(ocispec.MediaTypeImageIndex, []byte("{"))
	s.tag(image, "v1")
	for _, d := range []oci.Descriptor{gone, broken, malformed} {
		s.list(d)
	}
	r := mustOpen(t, s.dir(t))
	if err := r.Delete(t.Context(), gone.Digest, image.Digest); err != nil {
		t.Fatal(err)
	}
	wantCode(t, r.Delete(t.Context(), gone.Digest, image.Digest), reason.OCINotFound)
}

func TestReferrersTagNames(t *testing.T) {
	t.Parallel()
	d := digest.FromString("x")
	long := digest.SHA512.FromString("x")
	for tag, want := range map[string]bool{
		referrersTag(d): true, referrersTag(long): true, "v1": false, "sha256-": false, "md5-" + d.Encoded(): false, "": false, strings.ToUpper(referrersTag(d)): false,
	} {
		if got := (&unlisting{}).isReferrersTag(tag); got != want {
			t.Errorf("%q: %v", tag, got)
		}
	}
	if u := (&unlisting{subject: d}); u.isReferrersTag(referrersTag(long)) || !u.isReferrersTag(referrersTag(d)) {
		t.Error("another subject's")
	}
}

// FuzzEditIndex changes tags in any index: the result is an index with the tag
// on one manifest, and nothing else is lost.
func FuzzEditIndex(f *testing.F) {
	const ref = ocispec.AnnotationRefName
	for _, seed := range []string{
		`{"schemaVersion":2,"manifests":[]}`, `{"schemaVersion":2,"manifests":null}`, `{"schemaVersion":2}`,
		`{"schemaVersion":2,"manifests":[{"mediaType":"a","digest":"sha256:bb","size":1,"annotations":{"` + ref + `":"v1","k":"v"}}],"x":1.50}`,
		`{"schemaVersion":2,"manifests":[{"digest":"sha256:aa","annotations":null},{"digest":"sha256:aa","annotations":{"` + ref + `":"v1"}}]}`,
	} {
		f.Add([]byte(seed))
	}
	entry := []byte(`{"mediaType":"a","digest":"sha256:aa","size":1}`)
	f.Fuzz(func(t *testing.T, index []byte) {
		before, err := parseIndex(index)
		if err != nil {
			return
		}
		got, err := setTag(index, entry, "sha256:aa", "v1")
		if reason.Of(err) == reason.OCILayoutIndex {
			return // it would not be an index any more: see indexOf
		}
		if err != nil {
			t.Fatalf("%v for %q", err, index)
		}
		after, err := parseIndex(got)
		if err != nil {
			t.Fatalf("%v for %q", err, got)
		}
		if n := len(after) - len(before); n < 0 || n > 1 {
			t.Errorf("%d entries more", n)
		}
		tagged := slices.DeleteFunc(slices.Clone(after), func(e indexEntry) bool { return e.tag() != "v1" })
		for _, e := range tagged {
			if e.Digest != "sha256:aa" {
				t.Errorf("the tag is on %q", e.Digest)
			}
		}
		if len(tagged) == 0 {
			t.Error("no tag")
		}
		again, err := setTag(got, entry, "sha256:aa", "v1")
		if err != nil || !bytes.Equal(again, got) && len(tagged) == 1 {
			t.Errorf("a second time gives %q, %v", again, err)
		}
	})
}
