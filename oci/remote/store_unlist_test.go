package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// withDeletion lets a fake delete manifests.
func withDeletion(f *fakeRegistry) *fakeRegistry {
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		i := strings.Index(r.URL.Path, "/manifests/")
		if r.Method != http.MethodDelete || i < 0 {
			return false
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		key := strings.TrimPrefix(r.URL.Path[:i], "/v2/") + "@" + r.URL.Path[i+len("/manifests/"):]
		if _, ok := f.manifests[key]; !ok {
			refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
			return true
		}
		delete(f.manifests, key)
		w.WriteHeader(http.StatusAccepted)
		return true
	}
	return f
}

func TestDelete(t *testing.T) {
	t.Parallel()
	for _, api := range []bool{true, false} {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintf("api %v, subject known %v", api, known), func(t *testing.T) {
				t.Parallel()
				f := withDeletion(newFake())
				f.api = api
				r := open(t, f, Options{ForceReferrersTag: api && known})
				subject := f.putImage("v1", "")
				var all []oci.Descriptor
				for i := range 3 {
					d, raw := referrerOf(subject, fmt.Sprint(i))
					if err := r.PutManifest(t.Context(), d, raw); err != nil {
						t.Fatal(err)
					}
					all = append(all, d)
				}
				of := digest.Digest("")
				if known {
					of = subject.Digest
				}
				for i, d := range all {
					if err := r.Delete(t.Context(), d.Digest, of); err != nil {
						t.Fatal(err)
					}
					l, err := r.Referrers(t.Context(), subject.Digest, oci.ReferrersOptions{})
					if err != nil || len(l.Referrers) != len(all)-i-1 {
						t.Error(l, err)
					}
					wantCode(t, r.Delete(t.Context(), d.Digest, of), reason.OCINotFound)
				}
				if err := r.Delete(t.Context(), subject.Digest, ""); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestDeleteFails(t *testing.T) {
	t.Parallel()
	var status int
	var code, method string
	f := newFake()
	deletes := withDeletion(f).intercept
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == method && (method == http.MethodDelete || strings.Contains(r.URL.Path, "/sha256-")) {
			refuse(w, status, code)
			return true
		}
		return deletes(w, r)
	}
	r := open(t, f, Options{})
	subject := f.putImage("v1", "")
	d, raw := referrerOf(subject, "one")
	if err := r.PutManifest(t.Context(), d, raw); err != nil {
		t.Fatal(err)
	}
	method = http.MethodDelete
	for _, c := range []struct {
		status int
		code   string
		want   reason.Code
	}{
		{405, "UNSUPPORTED", reason.RegistryDeleteRefused},
		{400, "UNSUPPORTED", reason.RegistryDeleteRefused},
		{403, "IMMUTABLE", reason.RegistryDeleteRefused},
		{409, "", reason.RegistryDeleteRefused},
		{403, "DENIED", reason.RegistryDenied},
		{401, "", reason.RegistryUnauthorized},
		{503, "", reason.RegistryUnavailable},
	} {
		status, code = c.status, c.code
		wantCode(t, r.Delete(t.Context(), d.Digest, ""), c.want)
		if got := f.tagIndex(t, subject.Digest); len(got) != 1 {
			t.Fatal("it is not listed any more")
		}
	}
	// The list cannot be written: the error says so, and the next try does it.
	method, status, code = http.MethodPut, 403, "DENIED"
	err := r.Delete(t.Context(), d.Digest, subject.Digest)
	wantCode(t, err, reason.RegistryDenied)
	if !strings.Contains(err.Error(), "still listed") {
		t.Error(err)
	}
	method = http.MethodGet
	wantCode(t, r.Delete(t.Context(), d.Digest, subject.Digest), reason.RegistryDenied)
	method = ""
	if err := r.Delete(t.Context(), d.Digest, subject.Digest); err != nil {
		t.Error(err)
	}
	if got := f.tagIndex(t, subject.Digest); len(got) != 0 {
		t.Error(got)
	}
	for _, bad := range [][2]digest.Digest{{"", ""}, {"x", ""}, {d.Digest, "x"}} {
		wantCode(t, r.Delete(t.Context(), bad[0], bad[1]), reason.OCIDescriptor)
	}
}

// TestSubjectOf reads manifests of which nothing can be told.
func TestSubjectOf(t *testing.T) {
	t.Parallel()
	f := withDeletion(newFake())
	r := open(t, f, Options{})
	for _, body := range []string{`{`, `{}`, `{"subject":{"digest":"x"}}`, `{"a":"` + strings.Repeat("x", oci.MaxManifestSize) + `"}`} {
		d := f.put("app", "", ocispec.MediaTypeImageManifest, []byte(body))
		if err := r.Delete(t.Context(), d.Digest, ""); err != nil {
			t.Error(err)
		}
	}
	d := f.putImage("", "")
	f.manifests["app@"+string(d.Digest)] = fakeManifest{d.MediaType, []byte("{}")}
	wantCode(t, r.Delete(t.Context(), d.Digest, ""), reason.OCIDigestMismatch)
}

// TestUnlistStorm removes entries while others are added, on registries with
// and without ETags.
func TestUnlistStorm(t *testing.T) {
	t.Parallel()
	for _, etags := range []bool{true, false} {
		t.Run(fmt.Sprint("etags ", etags), func(t *testing.T) {
			t.Parallel()
			f := withDeletion(newFake())
			f.etags = etags
			host := serve(t, f)
			subject := f.putImage("v1", "")
			r := openAt(t, host, Options{})
			var old []oci.Descriptor
			for i := range 4 {
				d, raw := referrerOf(subject, fmt.Sprint("old ", i))
				if err := r.PutManifest(t.Context(), d, raw); err != nil {
					t.Fatal(err)
				}
				old = append(old, d)
			}
			var wg sync.WaitGroup
			errs := make([]error, 8)
			var want []digest.Digest
			for i := range errs {
				d, raw := referrerOf(subject, fmt.Sprint("new ", i))
				if i >= len(old) {
					want = append(want, d.Digest)
				}
				wg.Go(func() {
					if i < len(old) {
						errs[i] = r.Delete(t.Context(), old[i].Digest, subject.Digest)
						return
					}
					errs[i] = r.PutManifest(t.Context(), d, raw)
				})
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			got := f.tagIndex(t, subject.Digest)
			for _, d := range want {
				if !slices.Contains(got, d) {
					t.Errorf("%s is lost", d)
				}
			}
		})
	}
}

// TestUnlistIsFought has somebody who puts the entry back each time.
func TestUnlistIsFought(t *testing.T) {
	t.Parallel()
	f := newFake()
	r := open(t, f, Options{})
	subject := f.putImage("v1", "")
	d, raw := referrerOf(subject, "one")
	if err := r.PutManifest(t.Context(), d, raw); err != nil {
		t.Fatal(err)
	}
	index := f.tags["app:"+referrersTag(subject.Digest)]
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		if r.Method == http.MethodGet {
			f.tags["app:"+referrersTag(subject.Digest)] = index
		}
		return false
	}
	was, err := r.unlist(t.Context(), subject.Digest, d.Digest)
	if wantCode(t, err, reason.RegistryLostUpdate); !was {
		t.Error("it was listed")
	}
}

// TestUnlistOddities lets single steps fail.
func TestUnlistOddities(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer func(n int, w http.ResponseWriter) bool // to the nth PUT
		strict bool
		code   reason.Code
	}{
		{"unavailable once", func(n int, w http.ResponseWriter) bool {
			if n == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return n == 1
		}, false, ""},
		{"ETag refused for ever", func(n int, w http.ResponseWriter) bool {
			if n < 3 {
				w.WriteHeader(http.StatusPreconditionFailed)
			}
			return n < 3
		}, false, ""},
		{"misses what is gone", func(int, http.ResponseWriter) bool { return false }, true, ""},
		{"misses what is gone, in other words", func(n int, w http.ResponseWriter) bool {
			if n == 1 {
				refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
			}
			return n == 1
		}, true, ""},
		{"refused", func(_ int, w http.ResponseWriter) bool {
			refuse(w, http.StatusBadRequest, "MANIFEST_INVALID")
			return true
		}, false, reason.RegistryPushRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.etags = true
			r := open(t, f, Options{})
			subject := f.putImage("v1", "")
			var all []oci.Descriptor
			for i := range 3 {
				d, raw := referrerOf(subject, fmt.Sprint(i))
				if err := r.PutManifest(t.Context(), d, raw); err != nil {
					t.Fatal(err)
				}
				all = append(all, d)
			}
			if c.strict {
				f.strict = true
				delete(f.manifests, "app@"+string(all[1].Digest)) // somebody deleted it without a word
			}
			n := 0
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut {
					return false
				}
				n++
				return c.answer(n, w)
			}
			_, err := r.unlist(t.Context(), subject.Digest, all[0].Digest)
			wantCode(t, err, c.code)
			if err == nil && slices.Contains(f.tagIndex(t, subject.Digest), all[0].Digest) {
				t.Error("still listed")
			}
		})
	}
}

func TestUnlistEnds(t *testing.T) {
	t.Parallel()
	f := newFake()
	r := open(t, f, Options{})
	subject := f.putImage("v1", "")
	d, raw := referrerOf(subject, "one")
	if err := r.PutManifest(t.Context(), d, raw); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.client.sleep = func(ctx context.Context, _ time.Duration) error { cancel(); return context.Cause(ctx) }
	_, err := r.unlist(ctx, subject.Digest, d.Digest)
	wantCode(t, err, reason.RegistryInterrupted)
	// Another holds the lock.
	lock := r.client.tags.hold(r.tagKey(subject.Digest))
	<-lock.turn
	w := &tagWriter{r: r, lock: lock, subject: subject.Digest}
	_, err = w.writeWithout(ctx, &tagState{}, d.Digest, 1)
	wantCode(t, err, reason.RegistryInterrupted)
	lock.release()
	// What was read is old, and the entry gone meanwhile.
	w = &tagWriter{r: r, lock: lock, subject: digest.FromString("another")}
	wait, err := w.writeWithout(t.Context(), &tagState{}, d.Digest, 1)
	if wait != 0 || err != nil {
		t.Error(wait, err)
	}
}
