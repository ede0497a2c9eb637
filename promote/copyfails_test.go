package promote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/promote"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestCopyInterrupted stops a copy at each write in turn. No tag is ever there
// before the end, and the next try completes it.
func TestCopyInterrupted(t *testing.T) {
	t.Parallel()
	src := newDir(t)
	x := newSample(t, src)
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprint("api ", api), func(t *testing.T) {
			t.Parallel()
			f := newRegistry(api)
			var mu sync.Mutex
			writes, limit := 0, 0
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				if r.Method != http.MethodPut {
					return false
				}
				if writes++; writes > limit {
					refuse(w, http.StatusForbidden, "DENIED")
					return true
				}
				return false
			}
			dst := open(t, serve(t, f), "app")
			for ; ; limit += 2 {
				mu.Lock()
				writes = 0
				mu.Unlock()
				report, err := promote.Copy(t.Context(), src, dst, x.index, promote.CopyOptions{Tag: "v1", Parallel: 1})
				if err == nil {
					break
				}
				if reason.Of(err) != reason.PromoteTag {
					wantCode(t, err, reason.PromoteIncomplete)
					want := fmt.Sprintf("%d of 7 manifests and %d of 10 blobs are there, and the tag v1 was not moved", len(report.Manifests), len(report.Blobs))
					if !strings.Contains(err.Error(), want) || !hasCode(err, reason.RegistryDenied) {
						t.Errorf("got %v, want %q", err, want)
					}
				}
				if limit > 100 {
					t.Fatal(err)
				}
				if d := f.tag("app", "v1"); d != "" {
					t.Fatalf("tag names %s after %v", d, err)
				}
			}
			checkGraph(t, dst, x)
			if f.tag("app", "v1") != x.index.Digest {
				t.Error("no tag")
			}
		})
	}
}

// TestCopyListsAgain begins with a destination that has a referrer and does not
// list it, as a copy leaves it that was killed between the two.
func TestCopyListsAgain(t *testing.T) {
	t.Parallel()
	src := newDir(t)
	x := newSample(t, src)
	f := newRegistry(false)
	dst := open(t, serve(t, f), "app")
	if _, err := promote.Copy(t.Context(), src, dst, x.index, promote.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	clear(f.tags)
	f.mu.Unlock()
	report, err := promote.Copy(t.Context(), src, dst, x.index, promote.CopyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n := report.Totals(promote.Copied); n.Manifests != 4 || n.Blobs != 0 {
		t.Errorf("copied %+v", n)
	}
	checkGraph(t, dst, x)
}

// attack: REG-02
// attack: REG-06
func TestCopySourceFails(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(content []byte) (io.Reader, error){
		"other content": func(content []byte) (io.Reader, error) { return bytes.NewReader(bytes.ToUpper(content)), nil },
		"too short":     func(content []byte) (io.Reader, error) { return bytes.NewReader(content[1:]), nil },
		"too long":      func(content []byte) (io.Reader, error) { return bytes.NewReader(append(content, 'x')), nil },
		"cannot open":   func([]byte) (io.Reader, error) { return nil, errors.New("no such disk") },
		"breaks off": func(content []byte) (io.Reader, error) {
			return io.MultiReader(bytes.NewReader(content[1:]), errReader{}), nil
		},
	} {
		for to, newDestination := range places() {
			t.Run(name+" to "+to, func(t *testing.T) {
				t.Parallel()
				good := newDir(t)
				root := image(t, good, "the layer")
				src := &faulty{Store: good}
				src.open = func(ctx context.Context, d oci.Descriptor) (io.ReadCloser, error) {
					if d.MediaType == ocispec.MediaTypeImageConfig {
						return good.Open(ctx, d)
					}
					content, err := good.Fetch(ctx, d, 100)
					if err != nil {
						return nil, err
					}
					r, err := open(content)
					if err != nil {
						return nil, err
					}
					return io.NopCloser(r), nil
				}
				dst, _ := newDestination(t)
				report, err := promote.Copy(t.Context(), src, dst, root, promote.CopyOptions{Tag: "v1"})
				if err == nil || reason.Of(err) != reason.PromoteIncomplete {
					t.Fatal(err)
				}
				if len(report.Manifests) != 0 || resolve(t, dst, "v1") != "" {
					t.Error(report)
				}
				layer := oci.Descriptor{MediaType: "text/plain", Digest: digest.FromString("the layer"), Size: 9}
				if there, err := dst.Has(t.Context(), layer); there || err != nil {
					t.Error(there, err)
				}
			})
		}
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

// TestCopyDestinationFails lets each method of the destination fail.
func TestCopyDestinationFails(t *testing.T) {
	t.Parallel()
	no := errors.New("full")
	src := newDir(t)
	x := newSample(t, src)
	isManifest := func(d oci.Descriptor) bool { return oci.IsManifest(d.MediaType) }
	for name, f := range map[string]*faulty{
		"has blob": {has: func(_ context.Context, d oci.Descriptor) (bool, error) { return false, no }},
		"has manifest": {has: func(_ context.Context, d oci.Descriptor) (bool, error) {
			if isManifest(d) {
				return false, no
			}
			return true, nil
		}},
		"mount":        {name: "a.example/b", mount: func(context.Context, oci.Descriptor, string) (bool, error) { return false, no }},
		"put manifest": {putManif: func(context.Context, oci.Descriptor, []byte) error { return no }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.Store = newDir(t)
			_, err := promote.Copy(t.Context(), &faulty{Store: src, name: "c.example/d"}, f, x.index, promote.CopyOptions{})
			wantCode(t, err, reason.PromoteIncomplete)
			if !errors.Is(err, no) || !strings.Contains(err.Error(), "no tag was to be moved") {
				t.Error(err)
			}
		})
	}
}

// TestCopyReadsAgain copies manifests that are too large together to be kept,
// from a source that then loses one.
func TestCopyReadsAgain(t *testing.T) {
	t.Parallel()
	src := newDir(t)
	root := image(t, src, "layer")
	for i := range 3 {
		config := put(t, src, ocispec.MediaTypeEmptyJSON, []byte("{}"))
		manifest(t, src, wire{
			MediaType: ocispec.MediaTypeImageManifest, ArtifactType: "large/thing", Config: &config, Subject: &root,
			Annotations: map[string]string{"large": strings.Repeat(fmt.Sprint(i), 3<<20)},
		})
	}
	report, err := promote.Copy(t.Context(), src, newDir(t), root, promote.CopyOptions{})
	if err != nil || len(report.Manifests) != 4 {
		t.Fatal(report, err)
	}
	lossy := &faulty{Store: src}
	var mu sync.Mutex
	seen := map[digest.Digest]bool{}
	lossy.fetch = func(ctx context.Context, d oci.Descriptor, limit int64) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		if seen[d.Digest] {
			return nil, reason.Errorf(reason.OCINotFound, "gone")
		}
		seen[d.Digest] = true
		return src.Fetch(ctx, d, limit)
	}
	_, err = promote.Copy(t.Context(), lossy, newDir(t), root, promote.CopyOptions{})
	wantCode(t, err, reason.PromoteIncomplete)
	if !hasCode(err, reason.OCINotFound) {
		t.Error(err)
	}
}

func TestCopyEnds(t *testing.T) {
	t.Parallel()
	src := newDir(t)
	x := newSample(t, src)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	_, err := promote.Copy(ctx, src, newDir(t), x.index, promote.CopyOptions{
		Parallel: 1000,
		Progress: func(e promote.Event) {
			if e.Kind == promote.Finished && e.There.Blobs == 2 {
				cancel(stop)
			}
		},
	})
	wantCode(t, err, reason.PromoteIncomplete)
}
