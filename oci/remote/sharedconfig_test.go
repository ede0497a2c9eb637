package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/notaryv2/notation/reason"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// configUploads counts the uploads of the config of signatures.
func configUploads(f *fakeRegistry) int {
	n := 0
	for _, c := range f.log() {
		if c.method == http.MethodPut && strings.Contains(c.uri, ocispec.DescriptorEmptyJSON.Digest.Encoded()) {
			n++
		}
	}
	return n
}

// TestAttachMany signs many artifacts of two repositories at the same time, in a
// registry with the referrers API and in one without. The config is pushed once
// to each repository.
func TestAttachMany(t *testing.T) {
	t.Parallel()
	const each = 40
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprint("api ", api), func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.api = api
			first := open(t, f, Options{})
			other, err := first.client.Repository(parseRef(t, first.name.Registry()+"/other"))
			if err != nil {
				t.Fatal(err)
			}
			image := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%064x","size":2},"layers":[]}`)
			var group sync.WaitGroup
			for i := range each {
				for _, r := range []*Repository{first, other} {
					d := f.put(r.name.Repository(), "", ocispec.MediaTypeImageManifest, fmt.Appendf(nil, string(image), i))
					group.Go(func() {
						a, err := r.Attach(t.Context(), r.name.WithDigest(d.Digest), signatureOf(fmt.Sprint(i)))
						if err != nil || a.Subject.Digest != d.Digest {
							t.Errorf("%v, %v", a, err)
						}
					})
				}
			}
			group.Wait()
			if n := configUploads(f); n != 2 {
				t.Errorf("%d uploads of the config", n)
			}
			if len(f.uploads) != 0 {
				t.Errorf("%d upload sessions left", len(f.uploads))
			}
		})
	}
}

// TestAttachOneSubject pushes signatures of one artifact one after another: some
// registries lose one of two that come together.
//
// attack: REG-08
func TestAttachOneSubject(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.api = true
	d := f.putImage("v1", "1")
	var under, most atomic.Int64
	f.intercept = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
			n := under.Add(1)
			most.Store(max(n, most.Load()))
		}
		return false
	}
	f.afterManifest = func() { under.Add(-1) }
	r := open(t, f, Options{})
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if _, err := r.Attach(t.Context(), r.name.WithDigest(d.Digest), signatureOf(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if most.Load() != 1 {
		t.Errorf("%d manifests at a time", most.Load())
	}
}

// TestAttachConfigRemoved pushes the config again where the registry has removed
// it since, as one that collects garbage may.
func TestAttachConfigRemoved(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.api = true
	f.putImage("v1", "1")
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		f.mu.Lock()
		_, there := f.blobs[ocispec.DescriptorEmptyJSON.Digest.String()]
		if !there {
			_, there = f.blobs["app@"+ocispec.DescriptorEmptyJSON.Digest.String()]
		}
		f.mu.Unlock()
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") || there {
			return false
		}
		refuse(w, http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN")
		return true
	}
	r := open(t, f, Options{})
	for i := range 3 {
		if _, err := r.Attach(t.Context(), refOf(t, r, ":v1"), signatureOf(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		if n := configUploads(f); n != 1+(i+1)/2 {
			t.Errorf("%d uploads of the config after %d signatures", n, i+1)
		}
		if i == 0 {
			f.mu.Lock()
			clear(f.blobs)
			f.mu.Unlock()
		}
	}
}

// TestAttachConfigCollision pushes a config that somebody else pushes at the same
// moment, for which distribution refuses it.
func TestAttachConfigCollision(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		refused int64 // uploads
		there   bool  // because of the other's
		want    reason.Code
	}{
		{"the other's is there", 100, true, ""},
		{"it works at last", maxSessions, false, ""},
		{"it never works", 100, false, reason.RegistryPushRefused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.api = true
			f.putImage("v1", "1")
			var refused atomic.Int64
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				config := strings.Contains(r.URL.String(), ocispec.DescriptorEmptyJSON.Digest.Encoded())
				switch {
				case config && r.Method == http.MethodPut && refused.Add(1) <= tc.refused:
					refuse(w, http.StatusBadRequest, "DIGEST_INVALID")
					return true
				case config && r.Method == http.MethodHead && tc.there:
					w.WriteHeader(http.StatusOK)
					return true
				}
				return false
			}
			r := open(t, f, Options{})
			_, err := r.Attach(t.Context(), refOf(t, r, ":v1"), signatureOf("1"))
			if reason.Of(err) != tc.want {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestSharedConfig has several need the config while one pushes it.
func TestSharedConfig(t *testing.T) {
	t.Parallel()
	s := newSharedConfigs()
	if !s.claim("r/a") || s.claim("r/a") || !s.claim("r/b") {
		t.Error("claimed twice, or not at all")
	}
	// Whoever pushes gives up: another one does it.
	ctx, cancel := context.WithCancel(t.Context())
	begun, waits := make(chan struct{}), make(chan error, 1)
	go func() {
		<-begun
		_, err := s.once(t.Context(), "r/a", func() error { return nil })
		waits <- err
	}()
	done, err := s.once(ctx, "r/a", func() error {
		close(begun)
		cancel()
		return ctx.Err()
	})
	if !done || !errors.Is(err, context.Canceled) {
		t.Error(done, err)
	}
	if err := <-waits; err != nil {
		t.Error(err)
	}
	if done, err := s.once(t.Context(), "r/a", nil); done || err != nil {
		t.Error("pushed again", err)
	}
	// It fails: whoever waits is told, and who comes later tries anew.
	s.forget("r/a")
	synctest.Test(t, func(t *testing.T) {
		failed := errors.New("refused")
		p, _ := s.get("r/a")
		p.begun = true
		told := make(chan error, 1)
		go func() {
			_, err := s.once(t.Context(), "r/a", nil)
			told <- err
		}()
		cancelled, stop := context.WithCancel(t.Context())
		stop()
		if _, err := s.once(cancelled, "r/a", nil); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		synctest.Wait() // or the other may still be on its way, and then pushes itself
		s.end(t.Context(), "r/a", p, failed)
		if err := <-told; !errors.Is(err, failed) {
			t.Error(err)
		}
	})
	if done, err := s.once(t.Context(), "r/a", func() error { return nil }); !done || err != nil {
		t.Error(done, err)
	}
	for i := range maxSharedConfigs + 1 {
		s.claim(fmt.Sprint(i))
	}
	if len(s.repos) > maxSharedConfigs {
		t.Errorf("%d repositories", len(s.repos))
	}
}
