package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// depthOf runs do against f in simulated time in which every round trip takes
// one second and nothing else takes any, and returns the number of round
// trips one after another.
func depthOf(t *testing.T, f *fakeRegistry, o Options, do func(ctx context.Context, r *Repository) error) (depth int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.Transport = direct{f, func() time.Duration { return time.Second / 2 }}
		c := NewClient(o)
		c.timing.settleMinLoopback, c.timing.settleMax, c.timing.readAge = 0, 0, time.Hour
		r, err := c.Repository(parseRef(t, "localhost:5000/app"))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := do(t.Context(), r); err != nil {
			t.Error(err)
		}
		depth = int(time.Since(start) / time.Second)
	})
	return depth
}

// repeated returns requests that were made twice, but for the retry of one
// that was answered 401 and for a tag that was written in between.
func repeated(f *fakeRegistry) []string {
	seen := map[string]bool{}
	var twice []string
	for _, c := range f.log() {
		key := c.method + " " + c.uri
		if c.method == http.MethodPut && strings.Contains(c.uri, "/manifests/sha256-") {
			delete(seen, "GET "+c.uri)
		}
		if c.status == http.StatusUnauthorized || c.method == http.MethodPost {
			continue
		}
		if seen[key] {
			twice = append(twice, key)
		}
		seen[key] = true
	}
	return twice
}

// TestDepth counts round trips one after another, and requests made twice.
func TestDepth(t *testing.T) {
	t.Parallel()
	read := func(image oci.Descriptor) func(context.Context, *Repository) error {
		return func(ctx context.Context, r *Repository) error {
			failed := make(chan error, 1)
			go func() {
				_, err := r.Resolve(ctx, refOf(t, r, ":v1@"+string(image.Digest)))
				failed <- err
			}()
			l, err := r.Referrers(ctx, image.Digest, oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature})
			if err := errors.Join(err, <-failed); err != nil {
				return err
			}
			if len(l.Referrers) != 1 {
				return fmt.Errorf("%d referrers", len(l.Referrers))
			}
			_, err = r.Fetch(ctx, l.Referrers[0], oci.MaxManifestSize)
			return err
		}
	}
	for _, tt := range []struct {
		name        string
		api         bool
		auth        string
		force       bool
		readDepth   int
		attachDepth int
		requests    int // of Attach
	}{
		{"API", true, "", false, 2, 4, 8},
		{"tag schema", false, "", false, 2, 5, 10},
		{"API, Basic", true, "basic", false, 3, 5, 11},
		{"tag schema, Basic", false, "basic", false, 3, 6, 13},
		{"API, Bearer", true, "bearer", false, 4, 6, 12},
		{"tag schema, Bearer", false, "bearer", false, 4, 7, 14},
		{"API and tag", true, "", true, 2, 5, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.api, f.auth = tt.api, tt.auth
			image := f.putImage("v1", "1")
			o := Options{Credentials: alice(), ForceReferrersTag: tt.force}
			depth := depthOf(t, f, o, func(ctx context.Context, r *Repository) error {
				_, err := r.Attach(ctx, refOf(t, r, ":v1"), signatureOf("s"))
				return err
			})
			if depth != tt.attachDepth || len(f.log()) != tt.requests || len(repeated(f)) != 0 {
				t.Errorf("Attach: depth %d, %d requests, twice %q\n%v", depth, len(f.log()), repeated(f), f.log())
			}
			f.calls = nil
			if depth := depthOf(t, f, o, read(image)); depth != tt.readDepth || len(repeated(f)) != 0 {
				t.Errorf("reading: depth %d, twice %q\n%v", depth, repeated(f), f.log())
			}
			if n := f.count("/token"); tt.auth == "bearer" && n != 1 {
				t.Errorf("%d token requests", n)
			}
		})
	}
}

func TestAttach(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(f *fakeRegistry)
		legacy bool
		tagged bool
	}{
		{"API", func(f *fakeRegistry) { f.api = true }, false, false},
		{"API that does not say so", func(f *fakeRegistry) { f.api, f.noHeader = true, true }, false, true},
		{"tag schema", func(*fakeRegistry) {}, false, true},
		{"tag schema with ETag", func(f *fakeRegistry) { f.etags = true }, false, true},
		{"artifactType refused 400", func(f *fakeRegistry) { f.refuseType = 400 }, true, true},
		{"artifactType refused 404", func(f *fakeRegistry) { f.refuseType = 404 }, true, true},
		{"artifactType refused 415", func(f *fakeRegistry) { f.refuseType = 415 }, true, true},
		{"upload sessions lost", func(f *fakeRegistry) {
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				f.mu.Lock()
				defer f.mu.Unlock()
				if r.Method == http.MethodPut && f.next == speculativePosts {
					clear(f.uploads)
				}
				return false
			}
		}, false, true},
		{"blobs known a moment late", func(f *fakeRegistry) {
			late := 2
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/sha256:") || late == 0 {
					return false
				}
				late--
				refuse(w, http.StatusBadRequest, "DIGEST_INVALID")
				return true
			}
		}, false, true},
		{"uploads located by the wrong scheme", func(f *fakeRegistry) { f.locationHost = "https://HOST" }, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			tt.change(f)
			image := f.putImage("v1", "1")
			host := serve(t, f)
			f.locationHost = strings.ReplaceAll(f.locationHost, "HOST", host)
			r := openAt(t, host, Options{})
			for i, text := range []string{"one", "two"} {
				got, err := r.Attach(t.Context(), refOf(t, r, ":v1"), signatureOf(text))
				if err != nil {
					t.Fatal(err)
				}
				if got.Subject.Digest != image.Digest || got.Subject.Size != image.Size || got.Subject.MediaType != image.MediaType {
					t.Errorf("subject %v", got.Subject)
				}
				raw, err := r.Fetch(t.Context(), got.Manifest, oci.MaxManifestSize)
				if err != nil {
					t.Fatal(err)
				}
				m, err := oci.ParseSignatureManifest(raw, image.Digest)
				if err != nil {
					t.Fatal(err)
				}
				if legacy := !strings.Contains(string(raw), "artifactType"); legacy != tt.legacy {
					t.Errorf("legacy %v: %s", legacy, raw)
				}
				if blob, err := r.Fetch(t.Context(), m.Envelope, 100); err != nil || string(blob) != text {
					t.Errorf("envelope %q, %v", blob, err)
				}
				l, err := r.Referrers(t.Context(), image.Digest, oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature})
				if err != nil || len(l.Referrers) != i+1 {
					t.Errorf("%d referrers, %v", len(l.Referrers), err)
				}
			}
			if len(f.uploads) != 0 {
				t.Errorf("%d upload sessions left", len(f.uploads))
			}
			if _, tagged := f.tags["app:"+referrersTag(image.Digest)]; tagged != tt.tagged {
				t.Errorf("referrers tag written: %v", tagged)
			}
			if f.count("DELETE") != 0 {
				t.Errorf("something was deleted: %v", f.log())
			}
		})
	}
}

// TestAttachSameTwice checks that a repetition changes nothing.
func TestAttachSameTwice(t *testing.T) {
	t.Parallel()
	f := newFake()
	image := f.putImage("v1", "1")
	r := open(t, f, Options{})
	for range 2 {
		if _, err := r.Attach(t.Context(), refOf(t, r, ":v1@"+string(image.Digest)), signatureOf("same")); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(f.tagIndex(t, image.Digest)); n != 1 {
		t.Errorf("%d entries", n)
	}
}

// TestTagEntry checks what is written into the referrers tag: what stood there
// stays byte for byte, and the new entry says all that a listing should.
func TestTagEntry(t *testing.T) {
	t.Parallel()
	f := newFake()
	image := f.putImage("v1", "1")
	known := `{"mediaType":"` + imageType + `","digest":"` + aDigest + `","size":5,"future":{"a":[1,2.50]},"annotations":{"z":"1","a":"2"}}`
	broken := `{"digest":"md5:00","note":"not ours to judge"}`
	f.put("app", referrersTag(image.Digest), ocispec.MediaTypeImageIndex,
		[]byte(`{"schemaVersion":2,"mediaType":"`+ocispec.MediaTypeImageIndex+`","manifests":[`+known+`,`+broken+`],"annotations":{"keep":"me"},"x-future":true}`))
	r := open(t, f, Options{})
	got, err := r.Attach(t.Context(), refOf(t, r, ":v1"), signatureOf("text"))
	if err != nil {
		t.Fatal(err)
	}
	m := f.manifests["app@"+string(f.tags["app:"+referrersTag(image.Digest)])]
	if m.mediaType != ocispec.MediaTypeImageIndex {
		t.Errorf("media type %s", m.mediaType)
	}
	for _, part := range []string{known, broken, `"annotations":{"keep":"me"}`, `"x-future":true`} {
		if !strings.Contains(string(m.body), part) {
			t.Errorf("lost %s in %s", part, m.body)
		}
	}
	var x ocispec.Index
	if err := json.Unmarshal(m.body, &x); err != nil {
		t.Fatal(err)
	}
	e := x.Manifests[len(x.Manifests)-1]
	if e.Digest != got.Manifest.Digest || e.ArtifactType != oci.ArtifactTypeSignature || e.Annotations["text"] != "text" || e.Size != got.Manifest.Size {
		t.Errorf("entry %+v", e)
	}
}

// TestAttachRefusals checks that what cannot be done is refused with a reason,
// that no key is used in vain, and that no upload session stays open.
func TestAttachRefusals(t *testing.T) {
	t.Parallel()
	on := func(match string, h http.HandlerFunc) func(f *fakeRegistry) {
		return func(f *fakeRegistry) {
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.Method+" "+r.URL.RequestURI(), match) {
					return false
				}
				h(w, r)
				return true
			}
		}
	}
	lies := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Docker-Content-Digest", aDigest)
		w.WriteHeader(201)
	}
	const nowhere = reason.RegistryNotFoundAfterPush
	for _, tt := range []struct {
		name   string
		ref    string
		change func(f *fakeRegistry)
		build  func(oci.Descriptor) (oci.Attachment, error)
		code   reason.Code
		built  bool
	}{
		{"no such tag", ":v9", nil, nil, reason.OCINotFound, false},
		{"tag and digest differ", ":v1@" + aDigest, nil, nil, reason.OCINotFound, false},
		{"may not push", ":v1", on("POST", fails(403)), nil, reason.RegistryDenied, false},
		{"login needed to push", ":v1", on("POST", fails(401)), nil, reason.RegistryUnauthorized, false},
		{"read only", ":v1", on("POST", fails(405)), nil, reason.RegistryResponse, false},
		{"no upload location", ":v1", on("POST", fails(202)), nil, reason.RegistryResponse, false},
		{"upload location elsewhere in plain HTTP", ":v1", func(f *fakeRegistry) { f.locationHost = "http://evil.example" }, nil, reason.RegistryResponse, false},
		{"upload location with user name", ":v1", func(f *fakeRegistry) { f.locationHost = "http://u:p@127.0.0.1" }, nil, reason.RegistryResponse, false},
		{"upload said to be needless", ":v1", func(f *fakeRegistry) { f.created = true }, nil, reason.OCINotFound, true},
		{"build fails", ":v1", nil, func(oci.Descriptor) (oci.Attachment, error) { return oci.Attachment{}, errBuild }, "", true},
		{"other subject", ":v1", nil, func(s oci.Descriptor) (oci.Attachment, error) { s.Digest = aDigest; return signatureOf("x")(s) }, reason.OCIAttachment, true},
		{"no manifest", ":v1", nil, func(oci.Descriptor) (oci.Attachment, error) { return oci.Attachment{Manifest: []byte("x")}, nil }, reason.OCIManifest, true},
		{"bad legacy manifest", ":v1", nil, func(s oci.Descriptor) (oci.Attachment, error) {
			a, err := signatureOf("x")(s)
			a.Legacy = []byte("{}")
			return a, err
		}, reason.OCIAttachment, true},
		{"blob is not its descriptor", ":v1", nil, func(s oci.Descriptor) (oci.Attachment, error) {
			a, err := signatureOf("x")(s)
			a.Blobs[0].Content = []byte("y")
			return a, err
		}, reason.OCIAttachment, true},
		{"blob refused", ":v1", on("PUT /v2/app/blobs", fails(413)), nil, reason.RegistryPushRefused, true},
		{"blob only accepted", ":v1", on("PUT /v2/app/blobs", fails(202)), nil, reason.RegistryPushRefused, true},
		{"blob denied", ":v1", on("PUT /v2/app/blobs", fails(403)), nil, reason.RegistryDenied, true},
		{"blob redirected", ":v1", on("PUT /v2/app/blobs", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}), nil, reason.RegistryRedirect, true},
		{"blob stored as another", ":v1", on("PUT /v2/app/blobs", lies), nil, reason.OCIDigestMismatch, true},
		{"blob storage down", ":v1", on("PUT /v2/app/blobs", fails(500)), nil, reason.RegistryUnavailable, true},
		{"blob storage resets", ":v1", on("PUT /v2/app/blobs", hangsUp), nil, reason.RegistryUnreachable, true},
		{"manifest refused in both forms", ":v1", on("PUT /v2/app/manifests/sha256:", fails(400)), nil, reason.RegistryPushRefused, true},
		{"blobs never known", ":v1", on("PUT /v2/app/manifests/sha256:", func(w http.ResponseWriter, _ *http.Request) { refuse(w, 404, "MANIFEST_BLOB_UNKNOWN") }), nil, reason.RegistryPushRefused, true},
		{"tag refused for what it names", ":v1", on("PUT /v2/app/manifests/sha256-", func(w http.ResponseWriter, _ *http.Request) { refuse(w, 404, "MANIFEST_BLOB_UNKNOWN") }), nil, nowhere, true},
		{"manifest denied", ":v1", on("PUT /v2/app/manifests/sha256:", fails(403)), nil, reason.RegistryDenied, true},
		{"manifest stored as another", ":v1", on("PUT /v2/app/manifests/sha256:", lies), nil, reason.OCIDigestMismatch, true},
		{"manifest storage down", ":v1", on("PUT /v2/app/manifests/sha256:", fails(503)), nil, reason.RegistryUnavailable, true},
		{"tag refused", ":v1", on("PUT /v2/app/manifests/sha256-", fails(400)), nil, nowhere, true},
		{"tag denied", ":v1", on("PUT /v2/app/manifests/sha256-", fails(403)), nil, nowhere, true},
		{"tag never written", ":v1", on("PUT /v2/app/manifests/sha256-", fails(201)), nil, nowhere, true},
		{"tag storage down", ":v1", on("PUT /v2/app/manifests/sha256-", fails(500)), nil, nowhere, true},
		{"tag resets", ":v1", on("PUT /v2/app/manifests/sha256-", hangsUp), nil, nowhere, true},
		{"If-Match always fails", ":v1", on("PUT /v2/app/manifests/sha256-", fails(412)), nil, nowhere, true},
		{"tag unreadable", ":v1", on("GET /v2/app/manifests/sha256-", fails(500)), nil, nowhere, true},
		{"tag malformed", ":v1", on("GET /v2/app/manifests/sha256-", says(ocispec.MediaTypeImageIndex, `{"manifests":`)), nil, nowhere, true},
		{"tag holds an image", ":v1", on("GET /v2/app/manifests/sha256-", says(imageType, `{"schemaVersion":2}`)), nil, nowhere, true},
		{"API hides it", ":v1", func(f *fakeRegistry) {
			f.api = true
			on("/referrers/", lists3())(f)
		}, nil, nowhere, true},
		{"API down when read back", ":v1", func(f *fakeRegistry) {
			f.api = true
			on("/referrers/", fails(500))(f)
		}, nil, nowhere, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.putImage("v1", "1")
			if tt.change != nil {
				tt.change(f)
			}
			r := open(t, f, Options{})
			built := false
			build := tt.build
			if build == nil {
				build = signatureOf("x")
			}
			_, err := r.Attach(t.Context(), refOf(t, r, tt.ref), func(s oci.Descriptor) (oci.Attachment, error) {
				built = true
				return build(s)
			})
			if tt.code == "" && err != errBuild { // unchanged means equal
				t.Errorf("got %v", err)
			}
			if tt.code != "" {
				wantCode(t, err, tt.code)
			}
			if built != tt.built {
				t.Errorf("build called: %v", built)
			}
			if tt.code == nowhere && (!strings.Contains(err.Error(), "was pushed") || !strings.Contains(err.Error(), "sha256:")) {
				t.Errorf("does not say what was pushed: %v", err)
			}
			// Those at an unusable place cannot be ended.
			if len(f.uploads) != 0 && f.locationHost == "" && f.count("PUT /v2/app/blobs") == 0 {
				t.Errorf("%d upload sessions left", len(f.uploads))
			}
		})
	}
}

var errBuild = errors.New("the key is not at hand") // only read

// TestAttachCancelled checks that upload sessions are ended also if the
// operation is.
func TestAttachCancelled(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.putImage("v1", "1")
	r := open(t, f, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := r.Attach(ctx, refOf(t, r, ":v1"), func(oci.Descriptor) (oci.Attachment, error) {
		cancel()
		return oci.Attachment{}, ctx.Err()
	})
	if err != context.Canceled { // unchanged means equal
		t.Errorf("got %v", err)
	}
	if len(f.uploads) != 0 || f.count("DELETE") != speculativePosts {
		t.Errorf("%d upload sessions left", len(f.uploads))
	}
}

// TestAttachUploadElsewhere checks that an upload to another origin carries no
// credentials.
func TestAttachUploadElsewhere(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.auth, f.api = "basic", true
	f.putImage("v1", "1")
	var elsewhere []string
	network := roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.URL.Host == "store.example" {
			f.mu.Lock()
			elsewhere = append(elsewhere, req.URL.Scheme+" "+req.Method+" "+req.Header.Get("Authorization")+" "+req.Header.Get("User-Agent"))
			f.mu.Unlock()
			req = req.Clone(req.Context())
			req.URL.Host = "localhost:5000"
			req.SetBasicAuth(f.user, f.pass)
		}
		return direct{handler: f}.RoundTrip(req)
	})
	f.locationHost = "https://store.example"
	c := quick(NewClient(Options{Credentials: alice(), Transport: network, UserAgent: "ua"}))
	r, err := c.Repository(parseRef(t, "localhost:5000/app"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Attach(t.Context(), refOf(t, r, ":v1"), signatureOf("x")); err != nil {
		t.Fatal(err)
	}
	if want := []string{"https PUT  ua", "https PUT  ua"}; !slices.Equal(elsewhere, want) {
		t.Errorf("got %q", elsewhere)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestAttachMoreBlobs checks an attachment with more blobs than sessions, and
// one with none.
func TestAttachMoreBlobs(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 5} {
		f := newFake()
		f.putImage("v1", "1")
		r := open(t, f, Options{})
		_, err := r.Attach(t.Context(), refOf(t, r, ":v1"), func(s oci.Descriptor) (oci.Attachment, error) {
			a, err := signatureOf("x")(s)
			a.Blobs = nil
			for i := range n {
				a.Blobs = append(a.Blobs, oci.Blob{Descriptor: blobOf(fmt.Sprint(i)), Content: []byte(fmt.Sprint(i))})
			}
			return a, err
		})
		if err != nil || len(f.blobs) != n || len(f.uploads) != 0 {
			t.Errorf("%d blobs: %v, %d stored, %d sessions left", n, err, len(f.blobs), len(f.uploads))
		}
	}
}

// TestLateListing checks that a referrers API may lag behind.
func TestLateListing(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.api = true
	image := f.putImage("v1", "1")
	late := 3
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		if strings.Contains(r.URL.Path, "/referrers/") && late > 0 {
			late--
			writeIndex(w, nil)
			return true
		}
		return false
	}
	r := open(t, f, Options{})
	if _, err := r.Attach(t.Context(), refOf(t, r, "@"+string(image.Digest)), signatureOf("x")); err != nil {
		t.Fatal(err)
	}
	if late != 0 {
		t.Error("not asked again")
	}
}
