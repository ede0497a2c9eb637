package promote_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/oci/remote"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// registry is a small registry. It accepts a manifest only if all that it names
// is there, as distribution does.
type registry struct {
	api   bool // has the referrers API
	mount bool
	// intercept, if not nil, may answer in the registry's place.
	intercept func(w http.ResponseWriter, r *http.Request) bool

	mu        sync.Mutex
	manifests map[string]stored // by repository@digest
	tags      map[string]digest.Digest
	blobs     map[string][]byte
	uploads   int
	calls     []string
}

type stored struct {
	mediaType string
	body      []byte
}

func newRegistry(api bool) *registry {
	return &registry{api: api, manifests: map[string]stored{}, tags: map[string]digest.Digest{}, blobs: map[string][]byte{}}
}

func (f *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.calls = append(f.calls, r.Method+" "+r.URL.RequestURI())
	f.mu.Unlock()
	if f.intercept != nil && f.intercept(w, r) {
		return
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v2/"), "/")
	n := len(parts)
	switch {
	case n >= 3 && parts[n-2] == "manifests":
		f.manifest(w, r, strings.Join(parts[:n-2], "/"), parts[n-1])
	case n >= 3 && parts[n-2] == "referrers" && f.api:
		f.referrers(w, strings.Join(parts[:n-2], "/"), digest.Digest(parts[n-1]))
	case n >= 4 && parts[n-2] == "uploads":
		f.upload(w, r, strings.Join(parts[:n-3], "/"))
	case n >= 3 && parts[n-2] == "blobs":
		f.blob(w, strings.Join(parts[:n-2], "/")+"@"+parts[n-1])
	default:
		http.NotFound(w, r)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"no"}]}`, code)
}

func (f *registry) manifest(w http.ResponseWriter, r *http.Request, repo, name string) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	d := digest.Digest(name)
	if !strings.Contains(name, ":") {
		d = f.tags[repo+":"+name]
	}
	key := repo + "@" + string(d)
	m, ok := f.manifests[key]
	switch {
	case r.Method == http.MethodPut:
		f.putManifest(w, r, repo, name, body)
	case !ok:
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
	default:
		w.Header().Set("Content-Type", m.mediaType)
		w.Header().Set("Docker-Content-Digest", string(d))
		w.Header().Set("Content-Length", strconv.Itoa(len(m.body)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(m.body)
		}
	}
}

// wire is a manifest of any kind.
type wire struct {
	SchemaVersion int                  `json:"schemaVersion,omitempty"`
	MediaType     string               `json:"mediaType,omitempty"`
	ArtifactType  string               `json:"artifactType,omitempty"`
	Config        *ocispec.Descriptor  `json:"config,omitempty"`
	Layers        []ocispec.Descriptor `json:"layers,omitempty"`
	Blobs         []ocispec.Descriptor `json:"blobs,omitempty"`
	Manifests     []ocispec.Descriptor `json:"manifests,omitempty"`
	Subject       *ocispec.Descriptor  `json:"subject,omitempty"`
	Annotations   map[string]string    `json:"annotations,omitempty"`
}

func (f *registry) putManifest(w http.ResponseWriter, r *http.Request, repo, name string, body []byte) {
	var m wire
	if err := json.Unmarshal(body, &m); err != nil {
		refuse(w, http.StatusBadRequest, "MANIFEST_INVALID")
		return
	}
	blobs := slices.Concat(m.Layers, m.Blobs)
	if m.Config != nil {
		blobs = append(blobs, *m.Config)
	}
	for _, b := range blobs {
		if _, ok := f.blobs[repo+"@"+string(b.Digest)]; !ok && len(b.URLs) == 0 {
			refuse(w, http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN")
			return
		}
	}
	for _, c := range m.Manifests {
		_, blob := f.blobs[repo+"@"+string(c.Digest)]
		if _, ok := f.manifests[repo+"@"+string(c.Digest)]; !ok && !blob {
			refuse(w, http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN")
			return
		}
	}
	d := digest.FromBytes(body)
	f.manifests[repo+"@"+string(d)] = stored{r.Header.Get("Content-Type"), body}
	if !strings.Contains(name, ":") {
		f.tags[repo+":"+name] = d
	}
	if m.Subject != nil && f.api {
		w.Header().Set("OCI-Subject", string(m.Subject.Digest))
	}
	w.Header().Set("Docker-Content-Digest", string(d))
	w.WriteHeader(http.StatusCreated)
}

func (f *registry) referrers(w http.ResponseWriter, repo string, subject digest.Digest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{}}
	x.SchemaVersion = 2
	for key, s := range f.manifests {
		in, d, _ := strings.Cut(key, "@")
		var m wire
		if in != repo || json.Unmarshal(s.body, &m) != nil || m.Subject == nil || m.Subject.Digest != subject {
			continue
		}
		x.Manifests = append(x.Manifests, ocispec.Descriptor{
			MediaType: s.mediaType, Digest: digest.Digest(d), Size: int64(len(s.body)), ArtifactType: m.ArtifactType,
		})
	}
	w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
	_ = json.NewEncoder(w).Encode(x)
}

func (f *registry) upload(w http.ResponseWriter, r *http.Request, repo string) {
	q := r.URL.Query()
	switch r.Method {
	case http.MethodPost:
		f.mu.Lock()
		defer f.mu.Unlock()
		if b, ok := f.blobs[q.Get("from")+"@"+q.Get("mount")]; ok && f.mount {
			f.blobs[repo+"@"+q.Get("mount")] = b
			w.WriteHeader(http.StatusCreated)
			return
		}
		f.uploads++
		w.Header().Set("Location", fmt.Sprintf("/v2/%s/blobs/uploads/%d", repo, f.uploads))
		w.WriteHeader(http.StatusAccepted)
	case http.MethodPut:
		body := make([]byte, 0, max(r.ContentLength, 0))
		b := bytes.NewBuffer(body)
		_, err := io.Copy(b, r.Body)
		d := digest.Digest(q.Get("digest"))
		if err != nil || d.Algorithm().FromBytes(b.Bytes()) != d {
			refuse(w, http.StatusBadRequest, "DIGEST_INVALID")
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.blobs[repo+"@"+string(d)] = b.Bytes()
		w.WriteHeader(http.StatusCreated)
	case http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (f *registry) blob(w http.ResponseWriter, key string) {
	f.mu.Lock()
	b, ok := f.blobs[key]
	f.mu.Unlock()
	if !ok {
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN")
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b)
}

// tag returns what a tag names.
func (f *registry) tag(repo, tag string) digest.Digest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tags[repo+":"+tag]
}

// count counts calls whose "METHOD URI" holds part.
func (f *registry) count(part string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.calls {
		if strings.Contains(c, part) {
			n++
		}
	}
	return n
}

func (f *registry) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = nil
}

// serve starts a registry and returns host:port.
func serve(t testing.TB, f http.Handler) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// open returns a repository of a registry.
func open(t testing.TB, host, repo string) *remote.Repository {
	t.Helper()
	name, err := oci.ParseRepository(host + "/" + repo)
	if err != nil {
		t.Fatal(err)
	}
	c := remote.NewClient(remote.Options{})
	t.Cleanup(c.CloseIdleConnections)
	r, err := c.Repository(name)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newRepo(t testing.TB, api bool) *remote.Repository {
	t.Helper()
	return open(t, serve(t, newRegistry(api)), "team/app")
}

func newDir(t testing.TB) *layout.Repository {
	t.Helper()
	r, err := layout.Create(t.Context(), filepath.Join(t.TempDir(), "layout"), layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// put stores content as a blob.
func put(t testing.TB, s oci.Store, mediaType string, content []byte) oci.Descriptor {
	t.Helper()
	d := oci.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content))}
	err := s.PutBlob(t.Context(), d, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// manifest stores a manifest.
func manifest(t testing.TB, s oci.Store, m wire) oci.Descriptor {
	t.Helper()
	m.SchemaVersion = 2
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	d := oci.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	if err := s.PutManifest(t.Context(), d, raw); err != nil {
		t.Fatal(err)
	}
	return d
}

func image(t testing.TB, s oci.Store, layers ...string) oci.Descriptor {
	t.Helper()
	m := wire{MediaType: ocispec.MediaTypeImageManifest}
	config := put(t, s, ocispec.MediaTypeImageConfig, []byte(`{"os":"linux"}`))
	m.Config = &config
	for _, l := range layers {
		m.Layers = append(m.Layers, put(t, s, ocispec.MediaTypeImageLayerGzip, []byte(l)))
	}
	return manifest(t, s, m)
}

// attach stores a referrer of subject.
func attach(t testing.TB, s oci.Store, subject oci.Descriptor, artifactType, text string) oci.Descriptor {
	t.Helper()
	config := put(t, s, ocispec.MediaTypeEmptyJSON, []byte("{}"))
	return manifest(t, s, wire{
		MediaType: ocispec.MediaTypeImageManifest, ArtifactType: artifactType, Config: &config, Subject: &subject,
		Layers: []ocispec.Descriptor{put(t, s, "text/plain", []byte(text))},
	})
}

// sample is an index of two images with referrers on all levels.
type sample struct {
	index, amd, arm, sbom, signature, sbomSignature, armSignature oci.Descriptor
}

const (
	typeSBOM      = "sbom/example"
	typeSignature = oci.ArtifactTypeSignature
)

func newSample(t testing.TB, s oci.Store) sample {
	t.Helper()
	var x sample
	x.amd = image(t, s, "shared layer", "amd layer")
	x.arm = image(t, s, "shared layer", "arm layer", "")
	amd, arm := x.amd, x.arm
	amd.Platform = &ocispec.Platform{OS: "linux", Architecture: "amd64"}
	arm.Platform = &ocispec.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}
	x.index = manifest(t, s, wire{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{amd, arm}})
	x.sbom = attach(t, s, x.index, typeSBOM, "the parts")
	x.signature = attach(t, s, x.index, typeSignature, "signature of the index")
	x.sbomSignature = attach(t, s, x.sbom, typeSignature, "signature of the SBOM")
	x.armSignature = attach(t, s, x.arm, typeSignature, "signature of the image for arm")
	return x
}

func (x sample) all() []digest.Digest {
	var list []digest.Digest
	for _, d := range []oci.Descriptor{x.index, x.amd, x.arm, x.sbom, x.signature, x.sbomSignature, x.armSignature} {
		list = append(list, d.Digest)
	}
	slices.Sort(list)
	return list
}

func digests[T any](list []T, of func(T) digest.Digest) []digest.Digest {
	var out []digest.Digest
	for _, x := range list {
		out = append(out, of(x))
	}
	slices.Sort(out)
	return out
}

func wantCode(t testing.TB, err error, code reason.Code) {
	t.Helper()
	if got := reason.Of(err); got != code || err == nil {
		t.Fatalf("error %v has code %q, want %q", err, got, code)
	}
	for _, text := range []string{err.Error(), reason.Hint(err)} {
		if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("not safe to print: %q", text)
		}
	}
}

// hasCode reports whether an error of that code is in err's chain.
func hasCode(err error, code reason.Code) bool {
	for err != nil {
		if e, ok := err.(*reason.Error); ok && e.Code == code {
			return true
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return false
		}
		err = u.Unwrap()
	}
	return false
}

// faulty is a store with some methods replaced.
type faulty struct {
	oci.Store
	fetch     func(ctx context.Context, d oci.Descriptor, limit int64) ([]byte, error)
	referrers func(ctx context.Context, subject digest.Digest, o oci.ReferrersOptions) (oci.Listing, error)
	open      func(ctx context.Context, d oci.Descriptor) (io.ReadCloser, error)
	has       func(ctx context.Context, d oci.Descriptor) (bool, error)
	mount     func(ctx context.Context, d oci.Descriptor, from string) (bool, error)
	tag       func(ctx context.Context, d oci.Descriptor, tag string) error
	putManif  func(ctx context.Context, d oci.Descriptor, raw []byte) error
	name      string
}

func (f *faulty) Name() string {
	if f.name != "" {
		return f.name
	}
	return f.Store.Name()
}

func (f *faulty) Fetch(ctx context.Context, d oci.Descriptor, limit int64) ([]byte, error) {
	if f.fetch != nil {
		return f.fetch(ctx, d, limit)
	}
	return f.Store.Fetch(ctx, d, limit)
}

func (f *faulty) Referrers(ctx context.Context, s digest.Digest, o oci.ReferrersOptions) (oci.Listing, error) {
	if f.referrers != nil {
		return f.referrers(ctx, s, o)
	}
	return f.Store.Referrers(ctx, s, o)
}

func (f *faulty) Open(ctx context.Context, d oci.Descriptor) (io.ReadCloser, error) {
	if f.open != nil {
		return f.open(ctx, d)
	}
	return f.Store.Open(ctx, d)
}

func (f *faulty) Has(ctx context.Context, d oci.Descriptor) (bool, error) {
	if f.has != nil {
		return f.has(ctx, d)
	}
	return f.Store.Has(ctx, d)
}

func (f *faulty) Mount(ctx context.Context, d oci.Descriptor, from string) (bool, error) {
	if f.mount != nil {
		return f.mount(ctx, d, from)
	}
	return f.Store.Mount(ctx, d, from)
}

func (f *faulty) Tag(ctx context.Context, d oci.Descriptor, tag string) error {
	if f.tag != nil {
		return f.tag(ctx, d, tag)
	}
	return f.Store.Tag(ctx, d, tag)
}

func (f *faulty) PutManifest(ctx context.Context, d oci.Descriptor, raw []byte) error {
	if f.putManif != nil {
		return f.putManif(ctx, d, raw)
	}
	return f.Store.PutManifest(ctx, d, raw)
}
