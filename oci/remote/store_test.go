package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func textBlob(text string) oci.Descriptor {
	return oci.Descriptor{MediaType: "text/plain", Digest: digest.FromString(text), Size: int64(len(text))}
}

func from(text string) opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
}

// referrerOf is a manifest with the subject.
func referrerOf(subject oci.Descriptor, text string) (oci.Descriptor, []byte) {
	raw := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"artifactType":"sbom/example","config":{"mediaType":%q,"digest":%q,"size":2},"layers":[],"subject":{"mediaType":%q,"digest":%q,"size":%d},"annotations":{"text":%q}}`,
		ocispec.MediaTypeImageManifest, ocispec.MediaTypeEmptyJSON, digest.FromString("{}"), subject.MediaType, subject.Digest, subject.Size, text)
	return oci.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(raw), Size: int64(len(raw))}, raw
}

func TestHas(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.blobs["app@"+string(digest.FromString("text"))] = []byte("text")
	image := f.putImage("v1", "")
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, string(digest.FromString("denied"))) {
			refuse(w, http.StatusForbidden, "DENIED")
			return true
		}
		return false
	}
	r := open(t, f, Options{})
	longer, larger := textBlob("text"), image
	longer.Size++
	larger.Size++
	for _, c := range []struct {
		name string
		d    oci.Descriptor
		want bool
		code reason.Code
	}{
		{"blob", textBlob("text"), true, ""},
		{"no blob", textBlob("other"), false, ""},
		{"manifest", image, true, ""},
		{"no manifest", oci.Descriptor{MediaType: image.MediaType, Digest: digest.FromString("x"), Size: 1}, false, ""},
		{"blob of another size", longer, false, ""},
		{"manifest of another size", larger, false, ""},
		{"denied", textBlob("denied"), false, reason.RegistryDenied},
		{"bad digest", oci.Descriptor{MediaType: "a/b", Digest: "sha256:../x"}, false, reason.OCIDescriptor},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := r.Has(t.Context(), c.d)
			if wantCode(t, err, c.code); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Has(ctx, textBlob("text"))
	wantCode(t, err, reason.RegistryInterrupted)
}

func TestMount(t *testing.T) {
	t.Parallel()
	d := textBlob("text")
	status := func(n int, code string) func(w http.ResponseWriter, r *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Get("mount") == "" {
				return false
			}
			if n == http.StatusCreated {
				w.Header().Set("Docker-Content-Digest", code)
				w.WriteHeader(n)
				return true
			}
			refuse(w, n, code)
			return true
		}
	}
	for _, c := range []struct {
		name, from string
		intercept  func(w http.ResponseWriter, r *http.Request) bool
		want       bool
		code       reason.Code
		calls      int // about mounting
	}{
		{"mounted", "HOST/dev/app", status(201, string(d.Digest)), true, "", 1},
		{"mounted as something else", "HOST/dev/app", status(201, "sha256:00"), true, reason.OCIDigestMismatch, 1},
		{"upload instead", "HOST/dev/app", nil, false, "", 1},
		{"denied", "HOST/dev/app", status(403, "DENIED"), false, "", 1},
		{"unsupported", "HOST/dev/app", status(405, "UNSUPPORTED"), false, "", 1},
		{"other registry", "registry.example/app", nil, false, "", 0},
		{"the same repository", "HOST/app", nil, false, "", 0},
		{"no repository", "a layout", nil, false, "", 0},
		{"nothing", "", nil, false, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.intercept = c.intercept
			r := open(t, f, Options{})
			got, err := r.Mount(t.Context(), d, strings.ReplaceAll(c.from, "HOST", r.host))
			if wantCode(t, err, c.code); got != c.want || f.count("mount=") != c.calls {
				t.Errorf("got %v after %d calls", got, f.count("mount="))
			}
			if c.name == "upload instead" && (f.count("DELETE") != 1 || len(f.uploads) != 0) {
				t.Error("an upload session was left behind")
			}
		})
	}
	f := newFake()
	f.auth = "basic"
	r := open(t, f, Options{})
	if got, err := r.Mount(t.Context(), d, r.host+"/dev/app"); got || err != nil {
		t.Error(got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Mount(ctx, d, r.host+"/dev/app")
	wantCode(t, err, reason.RegistryInterrupted)
	_, err = r.Mount(t.Context(), oci.Descriptor{}, "")
	wantCode(t, err, reason.OCIDescriptor)
}

// TestMountScope asks for a token that allows reading the other repository.
func TestMountScope(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.auth = "bearer"
	r := open(t, f, Options{Credentials: alice()})
	if _, err := r.Mount(t.Context(), textBlob("text"), r.host+"/dev/app"); err != nil {
		t.Fatal(err)
	}
	if f.count("GET /token?") == 0 || f.count(url.QueryEscape("repository:dev/app:pull")) == 0 {
		t.Error(f.log())
	}
}

func TestPutManifest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		api, noHeader  bool
		force, listing bool
	}{{name: "tags"}, {name: "api", api: true}, {name: "api without header", api: true, noHeader: true}, {name: "both", api: true, force: true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.api, f.noHeader = c.api, c.noHeader
			r := open(t, f, Options{ForceReferrersTag: c.force})
			subject := f.putImage("v1", "")
			d, raw := referrerOf(subject, "one")
			for range 2 {
				if err := r.PutManifest(t.Context(), d, raw); err != nil {
					t.Fatal(err)
				}
			}
			l, err := r.Referrers(t.Context(), subject.Digest, oci.ReferrersOptions{})
			if err != nil || len(l.Referrers) != 1 || l.Referrers[0].Digest != d.Digest || l.Referrers[0].ArtifactType != "sbom/example" {
				t.Error(l, err)
			}
			if got := f.tags["app:"+referrersTag(subject.Digest)] != ""; got == (c.api && !c.noHeader && !c.force) {
				t.Errorf("referrers tag: %v", got)
			}
		})
	}
}

func TestPutManifestAsItIs(t *testing.T) {
	t.Parallel()
	f := newFake()
	r := open(t, f, Options{})
	child := f.putImage("", "")
	raw := indexOf(child)
	d := oci.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	if err := r.PutManifest(t.Context(), d, raw); err != nil {
		t.Fatal(err)
	}
	if m := f.manifests["app@"+string(d.Digest)]; m.mediaType != d.MediaType || !bytes.Equal(m.body, raw) {
		t.Error(m)
	}
	other := d
	other.MediaType = ocispec.MediaTypeImageManifest
	noManifest := d
	noManifest.MediaType = "text/plain"
	subject := []byte(`{"subject":{"mediaType":"a/b","digest":"sha256:..","size":1}}`)
	for name, c := range map[string]struct {
		d    oci.Descriptor
		raw  []byte
		code reason.Code
	}{
		"other bytes":   {d, append(raw[:len(raw):len(raw)], ' '), reason.OCISizeMismatch},
		"other content": {d, bytes.ToUpper(raw), reason.OCIDigestMismatch},
		"other type":    {other, raw, reason.OCIManifest},
		"no manifest":   {noManifest, raw, reason.OCIManifest},
		"bad size":      {oci.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: -1}, raw, reason.OCIDescriptor},
		"malformed":     {oci.Descriptor{MediaType: d.MediaType, Digest: digest.FromString("{"), Size: 1}, []byte("{"), reason.OCIManifest},
		"bad subject":   {oci.Descriptor{MediaType: d.MediaType, Digest: digest.FromBytes(subject), Size: int64(len(subject))}, subject, reason.OCIManifest},
	} {
		wantCode(t, r.PutManifest(t.Context(), c.d, c.raw), c.code)
		if f.count("PUT") != 1 {
			t.Error(name)
		}
	}
}

// TestManyReferrers copies referrers to a registry without API from many
// clients at once. Time is simulated: on a machine that holds one of them up for
// long enough, nothing keeps it from overwriting the others.
//
// attack: REG-08
func TestManyReferrers(t *testing.T) {
	t.Parallel()
	f := newFake()
	subject := f.putImage("v1", "")
	var want []digest.Digest
	errs := make([]error, 30)
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		for i := range errs {
			d, raw := referrerOf(subject, fmt.Sprint(i))
			want = append(want, d.Digest)
			wg.Go(func() {
				c := NewClient(Options{Transport: direct{f, between(100*time.Microsecond, 10*time.Millisecond)}})
				r, err := c.Repository(parseRef(t, "localhost:5000/app"))
				if err == nil {
					err = r.PutManifest(t.Context(), d, raw)
				}
				errs[i] = err
			})
		}
		wg.Wait()
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	got := f.tagIndex(t, subject.Digest)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d of %d are listed", len(got), len(want))
	}
}

func TestTag(t *testing.T) {
	t.Parallel()
	f := newFake()
	r := open(t, f, Options{})
	one, two := f.putImage("v1", "one"), f.putImage("v2", "two")
	if err := r.Tag(t.Context(), two, "v1"); err != nil {
		t.Fatal(err)
	}
	if err := r.Tag(t.Context(), one, ""); err != nil {
		t.Fatal(err)
	}
	if f.tags["app:v1"] != two.Digest || len(f.tags) != 2 || f.manifests["app@"+string(two.Digest)].mediaType != two.MediaType {
		t.Error(f.tags)
	}
	wantCode(t, r.Tag(t.Context(), one, "no tag"), reason.OCIReference)
	wantCode(t, r.Tag(t.Context(), oci.Descriptor{MediaType: one.MediaType, Digest: digest.FromString("x"), Size: 1}, "v1"), reason.OCINotFound)
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			refuse(w, http.StatusConflict, "TAG_IMMUTABLE")
		}
		return r.Method == http.MethodPut
	}
	wantCode(t, r.Tag(t.Context(), one, "v1"), reason.RegistryPushRefused)
	ctx, cancel := context.WithCancel(t.Context())
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			_, _ = io.Copy(io.Discard, r.Body) // or else the end is not seen
			cancel()
			<-r.Context().Done()
		}
		return r.Method == http.MethodPut
	}
	wantCode(t, r.Tag(ctx, one, "v1"), reason.RegistryInterrupted)
}
