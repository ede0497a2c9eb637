package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// family is an image with things that refer to it.
type family struct {
	image    oci.Descriptor
	children []oci.Descriptor
	raw      map[digest.Digest][]byte
}

func newFamily(f *fakeRegistry, n int) family {
	x := family{image: f.putImage("v1", ""), raw: map[digest.Digest][]byte{}}
	for i := range n {
		d, raw := referrerOf(x.image, fmt.Sprint(i))
		x.children, x.raw[d.Digest] = append(x.children, d), raw
	}
	return x
}

func (x family) content(_ context.Context, d oci.Descriptor) ([]byte, error) {
	return x.raw[d.Digest], nil
}

func TestPutReferrers(t *testing.T) {
	t.Parallel()
	const n = 30
	for name, shape := range map[string]func(f *fakeRegistry, o *Options){
		"api":              func(f *fakeRegistry, _ *Options) { f.api = true },
		"tag":              func(*fakeRegistry, *Options) {},
		"tag with ETag":    func(f *fakeRegistry, _ *Options) { f.etags = true },
		"api, not told of": func(f *fakeRegistry, _ *Options) { f.api, f.noHeader = true, true },
		"api, tag forced":  func(f *fakeRegistry, o *Options) { f.api, o.ForceReferrersTag = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			var o Options
			shape(f, &o)
			x := newFamily(f, n)
			f.blobs["app@"+string(digest.FromString("{}"))] = []byte("{}")
			r := open(t, f, o)
			// One is there already, as of a signer who was earlier.
			if err := r.PutManifest(t.Context(), x.children[0], x.raw[x.children[0].Digest]); err != nil {
				t.Fatal(err)
			}
			before := f.count("PUT /v2/app/manifests/sha256-")
			there, err := r.PutReferrers(t.Context(), x.image.Digest, x.children, x.content)
			if err != nil || len(there) != n {
				t.Fatalf("%d are there: %v", len(there), err)
			}
			l, err := r.Referrers(t.Context(), x.image.Digest, oci.ReferrersOptions{})
			if err != nil || len(l.Referrers) != n {
				t.Errorf("%d are listed: %v", len(l.Referrers), err)
			}
			writes := f.count("PUT /v2/app/manifests/sha256-") - before
			if wantTag := !f.api || f.noHeader || o.ForceReferrersTag; wantTag && (writes != 1 || len(f.tagIndex(t, x.image.Digest)) != n) || !wantTag && writes != 0 {
				t.Errorf("the tag was written %d times", writes)
			}
		})
	}
}

func TestPutReferrersRefuses(t *testing.T) {
	t.Parallel()
	f := newFake()
	x := newFamily(f, 2)
	f.blobs["app@"+string(digest.FromString("{}"))] = []byte("{}")
	r := open(t, f, Options{})
	other, otherRaw := referrerOf(oci.Descriptor{MediaType: "a/b", Digest: digest.FromString("other"), Size: 5}, "stranger")
	x.raw[other.Digest] = otherRaw
	gone := errors.New("gone")
	for _, c := range []struct {
		name    string
		subject digest.Digest
		list    []oci.Descriptor
		content oci.ContentFunc
		code    reason.Code
	}{
		{"bad subject", "sha256:x", x.children, x.content, reason.OCIDescriptor},
		{"of another subject", x.image.Digest, []oci.Descriptor{other}, x.content, reason.OCIManifest},
		{"other content", x.image.Digest, x.children, func(context.Context, oci.Descriptor) ([]byte, error) { return []byte("{}"), nil }, reason.OCISizeMismatch},
		{"no content", x.image.Digest, x.children, func(context.Context, oci.Descriptor) ([]byte, error) { return nil, gone }, ""},
	} {
		there, err := r.PutReferrers(t.Context(), c.subject, c.list, c.content)
		if err == nil || len(there) > 0 || c.code != "" && reason.Of(err) != c.code || c.code == "" && !errors.Is(err, gone) {
			t.Errorf("%s: %d are there: %v", c.name, len(there), err)
		}
	}
	if there, err := r.PutReferrers(t.Context(), x.image.Digest, nil, x.content); err != nil || len(there) > 0 {
		t.Error(there, err)
	}
	if n := f.count("PUT"); n > 0 {
		t.Errorf("%d writes", n)
	}
}

// forgetful is a registry that says that it has recorded a referrer and does not
// list it: of each the first few times.
func forgetful(f *fakeRegistry, times int) {
	f.api = true
	var mu sync.Mutex
	seen := map[string]int{}
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		_, name, ok := strings.Cut(r.URL.Path, "/manifests/")
		if !ok || r.Method != http.MethodPut {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		if seen[name]++; seen[name] > times {
			return false
		}
		w.Header().Set("OCI-Subject", string(digest.FromBytes([]byte("x"))))
		f.mu.Lock()
		for key := range f.manifests {
			_, d, _ := strings.Cut(key, "@")
			w.Header().Set("OCI-Subject", d) // there is one, the image
			break
		}
		f.mu.Unlock()
		w.WriteHeader(http.StatusCreated)
		return true
	}
}

func TestPutReferrersThatGetLost(t *testing.T) {
	t.Parallel()
	for _, times := range []int{1, 100} {
		t.Run(fmt.Sprint(times), func(t *testing.T) {
			t.Parallel()
			f := newFake()
			x := newFamily(f, 1)
			f.blobs["app@"+string(digest.FromString("{}"))] = []byte("{}")
			forgetful(f, times)
			r := open(t, f, Options{})
			there, err := r.PutReferrers(t.Context(), x.image.Digest, x.children, x.content)
			if times > 1 {
				wantCode(t, err, reason.RegistryNotFoundAfterPush)
				if len(there) > 0 {
					t.Error(there)
				}
				return
			}
			if err != nil || len(there) != 1 || !r.losesReferrers.Load() {
				t.Errorf("%d are there: %v", len(there), err)
			}
		})
	}
	t.Run("then refused", func(t *testing.T) {
		t.Parallel()
		f := newFake()
		x := newFamily(f, 3)
		f.blobs["app@"+string(digest.FromString("{}"))] = []byte("{}")
		forgetful(f, 1)
		forget := f.intercept
		var mu sync.Mutex
		puts := 0
		f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut {
				return false
			}
			mu.Lock()
			puts++
			n := puts
			mu.Unlock()
			if n > 4 {
				refuse(w, http.StatusForbidden, "DENIED")
				return true
			}
			return forget(w, r)
		}
		there, err := open(t, f, Options{}).PutReferrers(t.Context(), x.image.Digest, x.children, x.content)
		wantCode(t, err, reason.RegistryDenied)
		if len(there) != 1 {
			t.Errorf("%d are there", len(there))
		}
	})
}

// TestPutReferrersOverwritten has somebody else empty the tag for ever.
//
// attack: REG-08
func TestPutReferrersOverwritten(t *testing.T) {
	t.Parallel()
	f := newFake()
	x := newFamily(f, 3)
	f.blobs["app@"+string(digest.FromString("{}"))] = []byte("{}")
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/sha256-") {
			w.WriteHeader(http.StatusCreated)
			return true
		}
		return false
	}
	there, err := open(t, f, Options{}).PutReferrers(t.Context(), x.image.Digest, x.children, x.content)
	wantCode(t, err, reason.RegistryNotFoundAfterPush)
	if len(there) > 0 {
		t.Error(there)
	}
}
