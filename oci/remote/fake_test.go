package remote

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// fakeRegistry is a small registry. It has no compare-and-swap unless etags is
// set, and no referrers API unless api is.
type fakeRegistry struct {
	api           bool
	noHeader      bool // with api: does not send OCI-Subject
	pageSize      int  // of the API; 0: one page
	etags         bool // sends ETag and honours If-Match
	strict        bool // refuses an index that names a manifest which is not there
	refuseType    int  // the status for manifests with artifactType; 0: accepted
	auth          string
	token         string // what Bearer asks for; changes make old tokens expire
	user, pass    string
	locationHost  string // put before upload locations
	created       bool   // answers POST with 201
	intercept     func(w http.ResponseWriter, r *http.Request) bool
	afterManifest func() // called, unlocked, after a manifest was stored by digest

	mu        sync.Mutex
	manifests map[string]fakeManifest // by repository@digest
	tags      map[string]digest.Digest
	blobs     map[string][]byte
	uploads   map[string]bool
	next      int
	calls     []fakeCall
}

type fakeManifest struct {
	mediaType string
	body      []byte
}

type fakeCall struct {
	method, uri, authorization string
	status                     int
}

func newFake() *fakeRegistry {
	return &fakeRegistry{
		manifests: map[string]fakeManifest{}, tags: map[string]digest.Digest{}, blobs: map[string][]byte{}, uploads: map[string]bool{},
		token: "token-1", user: "alice", pass: "secret-word",
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (f *fakeRegistry) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := &statusWriter{rw, 200}
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.calls = append(f.calls, fakeCall{r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"), w.status})
	}()
	if f.intercept != nil && f.intercept(w, r) {
		return
	}
	if r.URL.Path == "/token" {
		f.serveToken(w, r)
		return
	}
	if !f.authorised(w, r) {
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/v2/")
	if path == "" {
		return
	}
	parts := strings.Split(path, "/")
	switch {
	case !ok || len(parts) < 3:
		http.NotFound(w, r)
	case parts[len(parts)-2] == "manifests":
		f.serveManifest(w, r, strings.Join(parts[:len(parts)-2], "/"), parts[len(parts)-1])
	case parts[len(parts)-2] == "referrers" && f.api:
		f.serveReferrers(w, r, strings.Join(parts[:len(parts)-2], "/"), digest.Digest(parts[len(parts)-1]))
	case parts[len(parts)-2] == "uploads":
		f.serveUpload(w, r, strings.Join(parts[:len(parts)-3], "/"), parts[len(parts)-1])
	case parts[len(parts)-2] == "blobs":
		f.serveBlob(w, r, strings.Join(parts[:len(parts)-2], "/"), parts[len(parts)-1])
	default:
		http.NotFound(w, r)
	}
}

func (f *fakeRegistry) authorised(w http.ResponseWriter, r *http.Request) bool {
	want := ""
	switch f.auth {
	case "basic":
		want = "Basic " + base64.StdEncoding.EncodeToString([]byte(f.user+":"+f.pass))
		w.Header().Set("WWW-Authenticate", `Basic realm="fake"`)
	case "bearer":
		f.mu.Lock()
		want = "Bearer " + f.token
		f.mu.Unlock()
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s",service="fake",scope="repository:app:pull"`, baseURL(r)+"/token"))
	default:
		return true
	}
	if r.Header.Get("Authorization") == want {
		w.Header().Del("WWW-Authenticate")
		return true
	}
	w.WriteHeader(http.StatusUnauthorized)
	return false
}

func baseURL(r *http.Request) string { return "http://" + r.Host }

func (f *fakeRegistry) serveToken(w http.ResponseWriter, r *http.Request) {
	if user, pass, ok := r.BasicAuth(); ok && (user != f.user || pass != f.pass) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintf(w, `{"token":%q}`, f.token)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":"no"}]}`, code)
}

func (f *fakeRegistry) serveManifest(w http.ResponseWriter, r *http.Request, repo, name string) {
	if r.Method == http.MethodPut {
		f.putManifest(w, r, repo, name)
		return
	}
	f.mu.Lock()
	d := digest.Digest(name)
	if !strings.Contains(name, ":") {
		d = f.tags[repo+":"+name]
	}
	m, ok := f.manifests[repo+"@"+string(d)]
	f.mu.Unlock()
	if !ok {
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN")
		return
	}
	w.Header().Set("Content-Type", m.mediaType)
	w.Header().Set("Docker-Content-Digest", string(d))
	w.Header().Set("Content-Length", strconv.Itoa(len(m.body)))
	if f.etags {
		w.Header().Set("ETag", `"`+string(d)+`"`)
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(m.body)
	}
}

func (f *fakeRegistry) putManifest(w http.ResponseWriter, r *http.Request, repo, name string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var m struct {
		ArtifactType string               `json:"artifactType"`
		Subject      *ocispec.Descriptor  `json:"subject"`
		Manifests    []ocispec.Descriptor `json:"manifests"`
	}
	_ = json.Unmarshal(body, &m)
	if m.ArtifactType != "" && f.refuseType != 0 {
		refuse(w, f.refuseType, "MANIFEST_INVALID")
		return
	}
	d := digest.FromBytes(body)
	f.mu.Lock()
	for _, e := range m.Manifests {
		if _, ok := f.manifests[repo+"@"+string(e.Digest)]; f.strict && !ok {
			f.mu.Unlock()
			refuse(w, http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN")
			return
		}
	}
	if strings.Contains(name, ":") && string(d) != name {
		f.mu.Unlock()
		refuse(w, http.StatusBadRequest, "MANIFEST_INVALID")
		return
	}
	if match := r.Header.Get("If-Match"); f.etags && match != "" && match != `"`+string(f.tags[repo+":"+name])+`"` {
		f.mu.Unlock()
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	}
	f.manifests[repo+"@"+string(d)] = fakeManifest{r.Header.Get("Content-Type"), body}
	if !strings.Contains(name, ":") {
		f.tags[repo+":"+name] = d
	}
	f.mu.Unlock()
	if strings.Contains(name, ":") && f.afterManifest != nil {
		f.afterManifest()
	}
	if m.Subject != nil && f.api && !f.noHeader {
		w.Header().Set("OCI-Subject", string(m.Subject.Digest))
	}
	w.Header().Set("Docker-Content-Digest", string(d))
	w.WriteHeader(http.StatusCreated)
}

func (f *fakeRegistry) serveReferrers(w http.ResponseWriter, r *http.Request, repo string, subject digest.Digest) {
	list := f.referrers(repo, subject)
	start, _ := strconv.Atoi(r.URL.Query().Get("start"))
	if f.pageSize > 0 && start+f.pageSize < len(list) {
		w.Header().Set("Link", fmt.Sprintf(`<%s?start=%d>; rel="next"`, r.URL.Path, start+f.pageSize))
		list = list[:start+f.pageSize]
	}
	writeIndex(w, list[start:])
}

func (f *fakeRegistry) referrers(repo string, subject digest.Digest) []ocispec.Descriptor {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []ocispec.Descriptor{}
	for key, m := range f.manifests {
		in, d, _ := strings.Cut(key, "@")
		var w struct {
			ArtifactType string              `json:"artifactType"`
			Subject      *ocispec.Descriptor `json:"subject"`
		}
		if in != repo || json.Unmarshal(m.body, &w) != nil || w.Subject == nil || w.Subject.Digest != subject {
			continue
		}
		list = append(list, ocispec.Descriptor{MediaType: m.mediaType, Digest: digest.Digest(d), Size: int64(len(m.body)), ArtifactType: w.ArtifactType})
	}
	slices.SortFunc(list, func(a, b ocispec.Descriptor) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	return list
}

func writeIndex(w http.ResponseWriter, list []ocispec.Descriptor) {
	w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
	_, _ = w.Write(indexOf(list...))
}

// indexOf is an image index.
func indexOf(list ...ocispec.Descriptor) []byte {
	raw, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageIndex, "manifests": list})
	if err != nil {
		panic(err)
	}
	return raw
}

func (f *fakeRegistry) serveUpload(w http.ResponseWriter, r *http.Request, repo, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.Method {
	case http.MethodPost:
		if f.created {
			w.WriteHeader(http.StatusCreated)
			return
		}
		f.next++
		id = strconv.Itoa(f.next)
		f.uploads[id] = true
		w.Header().Set("Location", f.locationHost+"/v2/"+repo+"/blobs/uploads/"+id+"?_state=a%2Bb")
		w.WriteHeader(http.StatusAccepted)
	case http.MethodPut:
		body, err := io.ReadAll(r.Body)
		d := digest.Digest(r.URL.Query().Get("digest"))
		switch {
		case !f.uploads[id]:
			refuse(w, http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN")
		case err != nil || digest.FromBytes(body) != d || r.URL.Query().Get("_state") != "a+b":
			refuse(w, http.StatusBadRequest, "DIGEST_INVALID")
		default:
			delete(f.uploads, id)
			f.blobs[repo+"@"+string(d)] = body
			w.Header().Set("Docker-Content-Digest", string(d))
			w.WriteHeader(http.StatusCreated)
		}
	case http.MethodDelete:
		delete(f.uploads, id)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (f *fakeRegistry) serveBlob(w http.ResponseWriter, r *http.Request, repo, name string) {
	f.mu.Lock()
	b, ok := f.blobs[repo+"@"+name]
	f.mu.Unlock()
	if !ok {
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN")
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b)
}

// put stores a manifest and returns its descriptor; tag may be "".
func (f *fakeRegistry) put(repo, tag, mediaType string, body []byte) oci.Descriptor {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := digest.FromBytes(body)
	f.manifests[repo+"@"+string(d)] = fakeManifest{mediaType, body}
	if tag != "" {
		f.tags[repo+":"+tag] = d
	}
	return oci.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(body))}
}

// putImage stores a small image.
func (f *fakeRegistry) putImage(tag, salt string) oci.Descriptor {
	return f.put("app", tag, ocispec.MediaTypeImageManifest, fmt.Appendf(nil,
		`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":2},"layers":[],"annotations":{"salt":%q}}`,
		ocispec.MediaTypeImageManifest, digest.FromString("{}"), salt))
}

func (f *fakeRegistry) log() []fakeCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// count counts calls whose "METHOD URI" holds part.
func (f *fakeRegistry) count(part string) int {
	n := 0
	for _, c := range f.log() {
		if strings.Contains(c.method+" "+c.uri, part) {
			n++
		}
	}
	return n
}

// tagIndex returns the digests in the referrers tag of a subject in app.
func (f *fakeRegistry) tagIndex(t testing.TB, subject digest.Digest) []digest.Digest {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var x ocispec.Index
	if err := json.Unmarshal(f.manifests["app@"+string(f.tags["app:"+referrersTag(subject)])].body, &x); err != nil {
		t.Fatal(err)
	}
	var list []digest.Digest
	for _, m := range x.Manifests {
		list = append(list, m.Digest)
	}
	return list
}

// direct is a transport that calls a handler, with a wait on the way there and
// on the way back.
type direct struct {
	handler http.Handler
	delay   func() time.Duration
}

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	wait := func() error {
		if d.delay == nil {
			return req.Context().Err()
		}
		return sleep(req.Context(), d.delay())
	}
	if err := wait(); err != nil {
		return nil, err
	}
	in := req.Clone(context.WithoutCancel(req.Context()))
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RequestURI = req.URL.RequestURI()
	in.Host = req.URL.Host
	rec := httptest.NewRecorder()
	d.handler.ServeHTTP(rec, in)
	if err := wait(); err != nil {
		return nil, err
	}
	resp := rec.Result()
	resp.Request = req
	if req.Method != http.MethodHead {
		resp.ContentLength = int64(rec.Body.Len())
		resp.Body = io.NopCloser(bytes.NewReader(rec.Body.Bytes()))
	}
	return resp, nil
}

// serve starts the fake on a loopback port and returns host:port.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// quick shortens all waits and does not wait between retries. However slow the
// machine is, no reading of a tag gets too old and no list comes too late.
func quick(c *Client) *Client {
	c.timing.settleMin, c.timing.settleMinLoopback = time.Millisecond, time.Millisecond
	c.timing.settleMax, c.timing.readAge = time.Hour, time.Hour
	c.timing.readBack = time.Microsecond
	c.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return c
}

// open returns the repository app of a handler, served for real.
func open(t testing.TB, h http.Handler, o Options) *Repository {
	t.Helper()
	return openAt(t, serve(t, h), o)
}

func openAt(t testing.TB, host string, o Options) *Repository {
	t.Helper()
	c := quick(NewClient(o))
	t.Cleanup(c.CloseIdleConnections)
	r, err := c.Repository(parseRef(t, host+"/app"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// timesOut runs what is to run out of time, and again with twice the time if that
// came too early on a slow machine: before what is looked at had begun.
func timesOut(t *testing.T, least time.Duration, run func(within time.Duration) (begun bool)) {
	t.Helper()
	for within := least; !run(within); within *= 2 {
		if within > time.Minute {
			t.Fatalf("it had not begun within %v", within)
		}
	}
}

func parseRef(t testing.TB, s string) oci.Reference {
	t.Helper()
	ref, err := oci.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// refOf is a reference into r: ":tag", "@digest" or both.
func refOf(t testing.TB, r *Repository, suffix string) oci.Reference {
	t.Helper()
	return parseRef(t, r.Name()+suffix)
}

func wantCode(t testing.TB, err error, code reason.Code) {
	t.Helper()
	if got := reason.Of(err); got != code {
		t.Fatalf("error %v has code %q, want %q", err, got, code)
	}
	if err == nil {
		return
	}
	for _, text := range []string{err.Error(), reason.Hint(err)} {
		if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' && c != '\n' || c > '~' }) {
			t.Errorf("not safe to print: %q", text)
		}
		if strings.Contains(text, "secret-word") || strings.Contains(text, "token-1") {
			t.Errorf("holds a secret: %q", text)
		}
	}
}

func alice() CredentialFunc {
	return func(context.Context, string) (Credential, error) {
		return Credential{Username: "alice", Password: "secret-word", Source: "the test"}, nil
	}
}

// signatureOf builds a signature of subject whose envelope is text.
func signatureOf(text string) func(oci.Descriptor) (oci.Attachment, error) {
	return func(subject oci.Descriptor) (oci.Attachment, error) {
		return oci.NewSignatureAttachment(subject, "application/jose+json", []byte(text), map[string]string{"text": text})
	}
}
