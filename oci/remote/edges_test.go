package remote

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// TestTagNotWritten checks that a referrers tag is not written over what could
// not be read, or is something else.
//
// attack: REG-08
// attack: REG-03
func TestTagNotWritten(t *testing.T) {
	t.Parallel()
	fault := reason.Errorf(reason.RegistryDenied, "denied")
	for name, tt := range map[string]struct {
		read   *tagState
		later  http.HandlerFunc // answers the second reading
		writes int
	}{
		"cannot be read":          {&tagState{err: fault}, nil, 0},
		"something else":          {&tagState{absent: true, foreign: fault}, nil, 0},
		"cannot be read again":    {&tagState{absent: true, asked: time.Now()}, fails(http.StatusForbidden), 1},
		"old, and cannot be read": {&tagState{absent: true, asked: time.Now().Add(-2 * time.Hour)}, fails(http.StatusForbidden), 0},
		"something else by then":  {&tagState{absent: true, asked: time.Now()}, says(ocispec.MediaTypeImageManifest, `{"schemaVersion":2}`), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			image := f.putImage("v1", "1")
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/manifests/"+referrersTag(image.Digest)) || tt.later == nil {
					return false
				}
				tt.later(w, r)
				return true
			}
			r := open(t, f, Options{})
			r.client.timing.readAge = time.Hour
			lock := r.client.tags.hold("x")
			w, err := newTagWriter(r, lock, image.Digest, descriptorOf("mine", ""))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = w.run(t.Context(), tt.read); reason.Of(err) == "" {
				t.Errorf("no error: %v", err)
			}
			if n := f.count("PUT"); n != tt.writes {
				t.Errorf("%d writes, want %d", n, tt.writes)
			}
		})
	}
}

// TestNotAtRest checks that a writer whose entry is there goes on looking while
// others write: one of them may have read the tag before that.
//
// attack: REG-08
func TestNotAtRest(t *testing.T) {
	t.Parallel()
	f := newFake()
	image := f.putImage("v1", "1")
	mine := descriptorOf("mine", "")
	lists := [][]ocispec.Descriptor{
		{mine, descriptorOf("second", "")}, // written after ours
		{descriptorOf("third", "")},        // by one who knows nothing of ours
	}
	var mu sync.Mutex
	written := false
	f.intercept = func(_ http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/manifests/"+referrersTag(image.Digest)) {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodGet && written && len(lists) > 0 {
			f.put("app", referrersTag(image.Digest), ocispec.MediaTypeImageIndex, indexOf(lists[0]...))
			lists = lists[1:]
		}
		written = written || r.Method == http.MethodPut
		return false
	}
	r := open(t, f, Options{})
	r.client.timing.readAge = time.Hour
	w, err := newTagWriter(r, r.client.tags.hold("x"), image.Digest, mine)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.run(t.Context(), &tagState{absent: true, asked: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if got := f.tagIndex(t, image.Digest); !slices.Contains(got, mine.Digest) || len(got) != 3 {
		t.Errorf("listed %v", got)
	}
}

// TestForeignHostsAreMarked checks that the dialer learns which hosts the
// registry leads to, so that it can look at what their names turn out to be.
//
// attack: REG-06
func TestForeignHostsAreMarked(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	marked := map[string]any{}
	network := roundTripper(func(req *http.Request) (*http.Response, error) {
		mu.Lock()
		marked[req.URL.Host] = req.Context().Value(foreignKey{})
		mu.Unlock()
		return direct{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Host == "127.0.0.1:5000" {
				http.Redirect(w, r, "http://127.0.0.2:5001/store", http.StatusTemporaryRedirect)
				return
			}
			_, _ = w.Write([]byte(content))
		})}.RoundTrip(req)
	})
	r := openAt(t, "127.0.0.1:5000", Options{Transport: network})
	if _, err := r.Fetch(t.Context(), blobOf(content), 100); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(marked) != 2 || marked["127.0.0.1:5000"] != nil || marked["127.0.0.2:5001"] != "127.0.0.2:5001" {
		t.Errorf("got %v", marked)
	}
}

// TestPredecessorStatus checks which refusals of the predecessor's endpoints mean
// that they do not exist.
//
// attack: REG-09
func TestPredecessorStatus(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]reason.Code{
		400: "", 401: "", 404: "", 405: "", 410: "", 501: "",
		429: reason.RegistryUnavailable, 500: reason.RegistryUnavailable, 505: reason.RegistryResponse,
	} {
		r := open(t, places{current: fails(status)}, Options{})
		_, err := r.Referrers(t.Context(), subjectDigest, oci.ReferrersOptions{})
		if reason.Of(err) != code {
			t.Errorf("%d: %v, want %q", status, err, code)
		}
	}
}

// TestWhatIsAttached checks that nothing is pushed that is no image manifest with
// the subject resolved.
func TestWhatIsAttached(t *testing.T) {
	t.Parallel()
	subject := descriptorOf("subject", "")
	raw := func(mediaType, subject string) []byte {
		return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{},"layers":[]%s}`, mediaType, subject)
	}
	ours := fmt.Sprintf(`,"subject":{"mediaType":"a/b","digest":%q,"size":7}`, subject.Digest)
	for name, tt := range map[string]struct {
		manifest, legacy []byte
		code             reason.Code
	}{
		"image":                {raw(ocispec.MediaTypeImageManifest, ours), nil, ""},
		"index":                {raw(ocispec.MediaTypeImageIndex, ours), nil, reason.OCIAttachment},
		"no media type":        {raw("", ours), nil, reason.OCIAttachment},
		"no subject":           {raw(ocispec.MediaTypeImageManifest, ""), nil, reason.OCIAttachment},
		"legacy is an index":   {raw(ocispec.MediaTypeImageManifest, ours), raw(ocispec.MediaTypeImageIndex, ours), reason.OCIAttachment},
		"legacy has no object": {raw(ocispec.MediaTypeImageManifest, ours), []byte("[]"), reason.OCIManifest},
		"only legacy is right": {raw(ocispec.MediaTypeImageIndex, ours), raw(ocispec.MediaTypeImageManifest, ours), reason.OCIAttachment},
	} {
		_, err := checkAttachment(oci.Attachment{Manifest: tt.manifest, Legacy: tt.legacy}, subject)
		if reason.Of(err) != tt.code {
			t.Errorf("%s: %v, want %q", name, err, tt.code)
		}
	}
}

// TestRedirectOverTLS checks that a redirect from HTTPS to HTTPS is followed,
// also for a request without content.
func TestRedirectOverTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/moved" {
			http.Redirect(w, r, "/moved", http.StatusTemporaryRedirect)
			return
		}
		w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
		w.Header().Set("Docker-Content-Digest", aDigest)
		w.Header().Set("Content-Length", "7")
	}))
	t.Cleanup(s.Close)
	r := openAt(t, strings.TrimPrefix(s.URL, "https://"), Options{TLS: tlsFor(s)})
	if d, err := r.Resolve(t.Context(), refOf(t, r, ":v1")); err != nil || d.Digest != aDigest {
		t.Errorf("got %v, %v", d, err)
	}
}

// TestReadBackInterrupted checks that a signature which nobody has seen listed
// is not called attached because somebody has lost patience, nor because the
// listing says nothing of it.
//
// attack: REG-09
func TestReadBackInterrupted(t *testing.T) {
	t.Parallel()
	for _, interrupted := range []bool{true, false} {
		f := newFake()
		f.api = true
		f.putImage("v1", "1")
		f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/referrers/") {
				return false
			}
			writeIndex(w, nil)
			return true
		}
		r := open(t, f, Options{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r.client.sleep = func(ctx context.Context, _ time.Duration) error {
			if interrupted {
				cancel()
			}
			return context.Cause(ctx)
		}
		_, err := r.Attach(ctx, refOf(t, r, ":v1"), signatureOf("x"))
		wantCode(t, err, reason.RegistryNotFoundAfterPush)
	}
	// What has just been read does not hold it.
	r := open(t, newFake(), Options{})
	subject, mine := descriptorOf("subject", ""), descriptorOf("mine", "")
	for name, api := range map[string]*source{"no API": nil, "empty": {}, "failed": {err: reason.Errorf(reason.RegistryDenied, "denied")}} {
		if err := r.confirm(subject.Digest, mine, api, &tagState{absent: true}); reason.Of(err) != reason.RegistryNotFoundAfterPush {
			t.Errorf("%s: %v", name, err)
		}
	}
}
