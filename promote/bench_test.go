package promote_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/promote"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// pattern is a reader of size bytes, held nowhere.
type pattern struct {
	block []byte
	left  int64
}

func (p *pattern) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(int64(len(b)), p.left)], p.block[-p.left&int64(len(p.block)-1):])
	p.left -= int64(n)
	return n, nil
}

// bigImage makes a registry serve an image with layers of so many bytes each,
// and take what is uploaded without keeping it.
func bigImage(t testing.TB, f *registry, repo oci.Store, layers int, size int64) oci.Descriptor {
	t.Helper()
	m := wire{MediaType: ocispec.MediaTypeImageManifest}
	config := put(t, repo, ocispec.MediaTypeImageConfig, []byte(`{"os":"linux"}`))
	m.Config = &config
	blocks := map[string][]byte{}
	for i := range layers {
		block := make([]byte, 64<<10)
		r := rand.NewChaCha8([32]byte{byte(i)})
		_, _ = r.Read(block)
		d, err := digest.SHA256.FromReader(&pattern{block, size})
		if err != nil {
			t.Fatal(err)
		}
		blocks[string(d)] = block
		layer := oci.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: d, Size: size}
		f.blobs["team/app@"+string(d)] = nil // so that the manifest is accepted
		m.Layers = append(m.Layers, layer)
	}
	root := manifest(t, repo, m)
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		for d, block := range blocks {
			if r.URL.Path == "/v2/team/app/blobs/"+d {
				w.Header().Set("Content-Length", fmt.Sprint(size))
				if r.Method == http.MethodGet {
					_, _ = io.Copy(w, &pattern{block, size})
				}
				return true
			}
		}
		return false
	}
	return root
}

// sink is a registry that keeps only the digests of large blobs.
func sink(small *registry) {
	small.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || r.ContentLength < 1<<20 {
			return false
		}
		d := digest.Digest(r.URL.Query().Get("digest"))
		got, err := digest.SHA256.FromReader(r.Body)
		if err != nil || got != d {
			refuse(w, http.StatusBadRequest, "DIGEST_INVALID")
			return true
		}
		small.mu.Lock()
		small.blobs["team/app@"+string(d)] = nil
		small.mu.Unlock()
		w.WriteHeader(http.StatusCreated)
		return true
	}
}

// TestCopyMemory copies an image of 384 MiB and looks how much memory is in use
// meanwhile, both registries included.
func TestCopyMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("copies 384 MiB")
	}
	from, to := newRegistry(true), newRegistry(true)
	src, dst := open(t, serve(t, from), "team/app"), open(t, serve(t, to), "team/app")
	root := bigImage(t, from, src, 6, 64<<20)
	sink(to)
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	most := uint64(0)
	var last time.Time
	_, err := promote.Copy(t.Context(), src, dst, root, promote.CopyOptions{Progress: func(promote.Event) {
		if time.Since(last) < 20*time.Millisecond {
			return
		}
		last = time.Now()
		runtime.ReadMemStats(&now)
		most = max(most, now.HeapAlloc)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if used := int64(most) - int64(before.HeapAlloc); used > 32<<20 {
		t.Errorf("%d MiB were in use", used>>20)
	} else {
		t.Logf("%d KiB were in use", used>>10)
	}
}

// BenchmarkCopy copies an image of 64 MiB between two registries.
func BenchmarkCopy(b *testing.B) {
	from := newRegistry(true)
	src := open(b, serve(b, from), "team/app")
	root := bigImage(b, from, src, 4, 16<<20)
	b.SetBytes(64 << 20)
	b.ReportAllocs()
	for b.Loop() {
		to := newRegistry(true)
		sink(to)
		if _, err := promote.Copy(b.Context(), src, open(b, serve(b, to), "team/app"), root, promote.CopyOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRaw is the same amount of content through two plain requests, which
// is what copying cannot be faster than.
func BenchmarkRaw(b *testing.B) {
	from, to := newRegistry(true), newRegistry(true)
	at, goal := serve(b, from), serve(b, to)
	sink(to)
	root := bigImage(b, from, open(b, at, "team/app"), 4, 16<<20)
	g, err := promote.Walk(b.Context(), open(b, at, "team/app"), root, promote.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(64 << 20)
	b.ReportAllocs()
	for b.Loop() {
		var wg sync.WaitGroup
		for _, d := range g.Blobs[1:] {
			wg.Go(func() {
				if err := pipe(b.Context(), at, goal, d); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

func pipe(ctx context.Context, from, to string, d oci.Descriptor) error {
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+from+"/v2/team/app/blobs/"+string(d.Digest), http.NoBody)
	if err != nil {
		return err
	}
	got, err := http.DefaultClient.Do(get)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	put, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+to+"/v2/team/app/blobs/uploads/1?digest="+string(d.Digest), got.Body)
	if err != nil {
		return err
	}
	put.ContentLength = d.Size
	done, err := http.DefaultClient.Do(put)
	if err != nil {
		return err
	}
	return done.Body.Close()
}

// BenchmarkWalk reads an artifact with a hundred signatures.
func BenchmarkWalk(b *testing.B) {
	s := newRepo(b, true)
	root := image(b, s, "layer")
	for i := range 100 {
		attach(b, s, root, typeSignature, fmt.Sprint(i))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := promote.Walk(b.Context(), s, root, promote.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
