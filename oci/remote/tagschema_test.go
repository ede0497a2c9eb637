package remote

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
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

// storm lets writers sign one artifact at once, each with a client of its own
// as separate processes have, over a network with the given one-way delays.
// Time is simulated. It returns how many signatures are missing in the end and
// how long it took.
func storm(t *testing.T, f *fakeRegistry, host string, writers int, stagger time.Duration, delay func(writer int) func() time.Duration) (lost int, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		image := f.putImage("v1", "storm")
		start := time.Now()
		var wg sync.WaitGroup
		var mu sync.Mutex
		pushed := map[digest.Digest]bool{}
		for i := range writers {
			wg.Go(func() {
				if stagger > 0 {
					time.Sleep(rand.N(stagger))
				}
				r, err := NewClient(Options{Transport: direct{f, delay(i)}}).Repository(parseRef(t, host+"/app"))
				if err != nil {
					t.Error(err)
					return
				}
				a, err := r.Attach(t.Context(), refOf(t, r, "@"+string(image.Digest)), signatureOf(fmt.Sprint("signer ", i)))
				if err != nil {
					t.Errorf("signer %d: %v", i, err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				pushed[a.Manifest.Digest] = true
			})
		}
		wg.Wait()
		took = time.Since(start)
		listed := f.tagIndex(t, image.Digest)
		for d := range pushed {
			if !slices.Contains(listed, d) {
				lost++
			}
		}
		if len(pushed) != writers || len(listed) != writers-lost {
			t.Errorf("%d of %d signers succeeded, %d entries listed", len(pushed), writers, len(listed))
		}
	})
	return lost, took
}

func between(low, high time.Duration) func() time.Duration {
	return func() time.Duration { return low + rand.N(high-low) }
}

// attack: REG-08
func TestHundredSigners(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		host    string
		etags   bool
		writers int
		stagger time.Duration
		delay   func(writer int) func() time.Duration
	}{
		{"loopback", "localhost:5000", false, 30, 0, func(int) func() time.Duration { return between(100*time.Microsecond, 10*time.Millisecond) }},
		{"near", "registry.example", false, 30, 0, func(int) func() time.Duration { return between(time.Millisecond, 20*time.Millisecond) }},
		{"far", "registry.example", false, 30, 0, func(int) func() time.Duration { return between(30*time.Millisecond, 120*time.Millisecond) }},
		{"near and far", "registry.example", false, 100, 0, func(i int) func() time.Duration {
			if i%2 == 0 {
				return between(time.Millisecond, 5*time.Millisecond)
			}
			return between(20*time.Millisecond, 100*time.Millisecond)
		}},
		{"arriving one by one", "registry.example", false, 30, 6 * time.Second, func(int) func() time.Duration { return between(time.Millisecond, 50*time.Millisecond) }},
		{"two", "registry.example", false, 2, 0, func(int) func() time.Duration { return between(time.Millisecond, 50*time.Millisecond) }},
		{"If-Match honoured", "registry.example", true, 30, 0, func(int) func() time.Duration { return between(time.Millisecond, 20*time.Millisecond) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.etags = tt.etags
			lost, took := storm(t, f, tt.host, tt.writers, tt.stagger, tt.delay)
			if lost != 0 {
				t.Errorf("%d signatures lost", lost)
			}
			writes := f.count("PUT /v2/app/manifests/" + "sha256-")
			t.Logf("%d signers took %v of simulated time, %d writes of the tag, %d requests", tt.writers, took.Round(time.Millisecond), writes, len(f.log()))
		})
	}
}

// attack: REG-08
//
// TestConcurrentSigners lets clients of their own, and goroutines of one
// client, sign over real connections. What clients of their own can promise where
// no ETag is honoured depends on how long each is held up, and so TestHundredSigners
// looks at that in simulated time.
func TestConcurrentSigners(t *testing.T) {
	t.Parallel()
	for name, shared := range map[string]bool{"separate clients": false, "one client": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const signers = 12
			f := newFake()
			image := f.putImage("v1", "1")
			first := 0 // entries from before: a tag that is not there has no ETag
			if !shared {
				f.etags, first = true, 1
				f.put("app", referrersTag(image.Digest), ocispec.MediaTypeImageIndex, indexOf(descriptorOf("first", "")))
			}
			host := serve(t, f)
			client := NewClient(Options{})
			var wg sync.WaitGroup
			for i := range signers {
				wg.Go(func() {
					c := client
					if !shared {
						c = NewClient(Options{})
						c.timing.settleMax = 100 * time.Millisecond // nobody is overwritten
					}
					defer c.CloseIdleConnections()
					r, err := c.Repository(parseRef(t, host+"/app"))
					if err == nil {
						_, err = r.Attach(t.Context(), refOf(t, r, ":v1"), signatureOf(fmt.Sprint(i)))
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := len(f.tagIndex(t, image.Digest)) - first; n != signers {
				t.Errorf("%d of %d signatures listed", n, signers)
			}
			if len(client.tags.locks) != 0 {
				t.Errorf("%d locks left", len(client.tags.locks))
			}
		})
	}
}

// TestSharedClientStorm is a hundred signers in one process: none of them may
// overwrite another even once.
func TestSharedClientStorm(t *testing.T) {
	t.Parallel()
	f := newFake()
	image := f.putImage("v1", "1")
	synctest.Test(t, func(t *testing.T) {
		c := NewClient(Options{Transport: direct{f, between(time.Millisecond, 20*time.Millisecond)}})
		r, err := c.Repository(parseRef(t, "registry.example/app"))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				if _, err := r.Attach(t.Context(), refOf(t, r, ":v1"), signatureOf(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
	if n := len(f.tagIndex(t, image.Digest)); n != 100 {
		t.Errorf("%d signatures listed", n)
	}
	if n := f.count("PUT /v2/app/manifests/sha256-"); n != 100 {
		t.Errorf("the tag was written %d times", n)
	}
}

// attack: REG-08
//
// TestOverwritten checks a writer that is overwritten by one that knows
// nothing of it, once and for ever.
func TestOverwritten(t *testing.T) {
	t.Parallel()
	other := descriptorOf("other", "type/other")
	for _, tt := range []struct {
		name  string
		times int
		code  reason.Code
	}{
		{"once", 1, ""},
		{"often", maxTagTries - 1, ""},
		{"for ever", 1 << 30, reason.RegistryNotFoundAfterPush},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			image := f.putImage("v1", "1")
			times := tt.times
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/sha256-") || times == 0 {
					return false
				}
				times--
				f.put("app", referrersTag(image.Digest), ocispec.MediaTypeImageIndex, indexOf(other))
				w.WriteHeader(http.StatusCreated) // ours is gone as soon as it is written
				return true
			}
			r := open(t, f, Options{})
			got, err := r.Attach(t.Context(), refOf(t, r, ":v1"), signatureOf("x"))
			wantCode(t, err, tt.code)
			if err != nil {
				if n := f.count("PUT /v2/app/manifests/sha256-"); n != maxTagTries {
					t.Errorf("%d writes", n)
				}
				return
			}
			if listed := f.tagIndex(t, image.Digest); len(listed) != 2 || !slices.Contains(listed, got.Manifest.Digest) || !slices.Contains(listed, other.Digest) {
				t.Errorf("listed %v", listed)
			}
		})
	}
}

// TestRestores checks that an entry of somebody else that was seen once and
// has been overwritten is put back.
func TestRestores(t *testing.T) {
	t.Parallel()
	f := newFake()
	image := f.putImage("v1", "1")
	known, late := descriptorOf("known", ""), descriptorOf("late", "")
	f.put("app", referrersTag(image.Digest), ocispec.MediaTypeImageIndex, indexOf(known))
	once := true
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/sha256-") && once {
			once = false
			f.put("app", referrersTag(image.Digest), ocispec.MediaTypeImageIndex, indexOf(late))
			w.WriteHeader(http.StatusCreated)
			return true
		}
		return false
	}
	r := open(t, f, Options{})
	got, err := r.Attach(t.Context(), refOf(t, r, ":v1"), signatureOf("x"))
	if err != nil {
		t.Fatal(err)
	}
	listed := f.tagIndex(t, image.Digest)
	for _, d := range []digest.Digest{known.Digest, late.Digest, got.Manifest.Digest} {
		if !slices.Contains(listed, d) {
			t.Errorf("%s is not listed in %v", d, listed)
		}
	}
}

// TestBrokenIfMatch checks a registry that sends an ETag and then refuses it.
func TestBrokenIfMatch(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.etags = true
	image := f.putImage("v1", "1")
	f.put("app", referrersTag(image.Digest), ocispec.MediaTypeImageIndex, indexOf())
	refused := 0
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("If-Match") != "" {
			refused++
			w.WriteHeader(http.StatusPreconditionFailed)
			return true
		}
		return false
	}
	r := open(t, f, Options{})
	if _, err := r.Attach(t.Context(), refOf(t, r, ":v1"), signatureOf("x")); err != nil {
		t.Fatal(err)
	}
	if refused != 2 {
		t.Errorf("If-Match sent %d times", refused)
	}
}

// TestDeletedReferrer checks that an entry whose manifest has been deleted does
// not keep others from signing, where the registry refuses such an index, and
// stays where it does not.
func TestDeletedReferrer(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{true, false} {
		f := newFake()
		f.strict = strict
		image := f.putImage("v1", "1")
		deleted, kept := descriptorOf("deleted", ""), f.putImage("", "kept")
		f.put("app", referrersTag(image.Digest), ocispec.MediaTypeImageIndex, indexOf(deleted, kept))
		r := open(t, f, Options{})
		got, err := r.Attach(t.Context(), refOf(t, r, ":v1"), signatureOf("x"))
		if err != nil {
			t.Fatal(err)
		}
		want := []digest.Digest{kept.Digest, got.Manifest.Digest}
		if !strict {
			want = append([]digest.Digest{deleted.Digest}, want...)
		}
		if listed := f.tagIndex(t, image.Digest); !slices.Equal(listed, want) {
			t.Errorf("strict %v: listed %v, want %v", strict, listed, want)
		}
	}
}

// TestFullIndex checks that an index is not written that registries would not
// take.
func TestFullIndex(t *testing.T) {
	t.Parallel()
	f := newFake()
	image := f.putImage("v1", "1")
	d := descriptorOf("large", "")
	d.Annotations = map[string]string{"x": ""}
	d.Annotations["x"] = strings.Repeat("x", maxIndex-len(indexOf(d)))
	f.put("app", referrersTag(image.Digest), ocispec.MediaTypeImageIndex, indexOf(d))
	r := open(t, f, Options{})
	_, err := r.Attach(t.Context(), refOf(t, r, ":v1"), signatureOf("x"))
	wantCode(t, err, reason.RegistryNotFoundAfterPush)
	if !strings.Contains(err.Error(), "more than the limit") {
		t.Errorf("got %v", err)
	}
}

// TestTagWriteEnds checks that writing ends with the context, in each wait.
func TestTagWriteEnds(t *testing.T) {
	t.Parallel()
	f := newFake()
	image := f.putImage("v1", "1")
	r := open(t, f, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	r.client.sleep = func(ctx context.Context, _ time.Duration) error {
		cancel()
		return context.Cause(ctx)
	}
	_, err := r.Attach(ctx, refOf(t, r, ":v1"), signatureOf("x"))
	wantCode(t, err, reason.RegistryNotFoundAfterPush)

	lock := r.client.tags.hold("x")
	if err := lock.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	w, err := newTagWriter(r, lock, image.Digest, oci.Descriptor{MediaType: imageType, Digest: aDigest, Size: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.run(ctx, &tagState{absent: true}); err == nil {
		t.Error("waited for the lock without end")
	}
}

// TestStaleReading checks that a reading that has become old is not written
// back.
func TestStaleReading(t *testing.T) {
	t.Parallel()
	f := newFake()
	image := f.putImage("v1", "1")
	r := open(t, f, Options{})
	lock := r.client.tags.hold("x")
	other := descriptorOf("other", "")
	f.put("app", referrersTag(image.Digest), ocispec.MediaTypeImageIndex, indexOf(other))
	w, err := newTagWriter(r, lock, image.Digest, descriptorOf("mine", ""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.run(t.Context(), &tagState{absent: true, asked: time.Now().Add(-2 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if listed := f.tagIndex(t, image.Digest); !slices.Contains(listed, other.Digest) || len(listed) != 2 || f.count("PUT") != 1 {
		t.Errorf("listed %v after %d writes", listed, f.count("PUT"))
	}
}

// TestStormStatistics measures how often a signature is lost under delays that
// differ widely, for docs/decisions/referrers-tag-writes.md.
func TestStormStatistics(t *testing.T) {
	if os.Getenv("NOTATION_STORM") == "" {
		t.Skip("set NOTATION_STORM=1 to measure")
	}
	for _, writers := range []int{2, 8} {
		for _, far := range []time.Duration{50, 100, 200, 300, 500} {
			far *= time.Millisecond
			bad, rounds := 0, 500
			for range rounds {
				lost, _ := storm(t, newFake(), "registry.example", writers, far*6, func(i int) func() time.Duration {
					if i%2 == 0 {
						return between(time.Millisecond, 3*time.Millisecond)
					}
					return between(far/2, far)
				})
				if lost > 0 {
					bad++
				}
			}
			t.Logf("%d writers, half with a one-way delay up to %v and half up to 3ms: %d of %d rounds lost something", writers, far, bad, rounds)
		}
	}
}
