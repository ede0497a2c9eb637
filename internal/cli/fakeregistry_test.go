package cli_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// registry is an OCI registry in memory with the referrers API, as small as
// the commands allow. Real registries are tried by the scripts of the module
// test.
type registry struct {
	host     string
	requests atomic.Int64
	user     string // with password; "": anonymous
	password string
	hang     chan struct{} // not nil: manifests are answered when it is closed
	arrived  chan struct{} // told of each request that hangs

	mu        sync.Mutex
	blobs     map[string][]byte
	manifests map[string]manifest // by tag and by digest
	referrers map[string][]string // subject to descriptors
}

type manifest struct {
	mediaType string
	content   []byte
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	r := &registry{blobs: map[string][]byte{}, manifests: map[string]manifest{}, referrers: map[string][]string{}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.host = strings.TrimPrefix(server.URL, "http://")
	return r
}

// push stores an artifact under a tag and returns its digest.
func (r *registry) push(tag, text string) string {
	content := manifestOf(text)
	r.mu.Lock()
	defer r.mu.Unlock()
	m := manifest{"application/vnd.oci.image.manifest.v1+json", content}
	r.manifests[tag], r.manifests[digestOf(content)] = m, m
	return digestOf(content)
}

// drain forgets the requests that hang.
func (r *registry) drain() {
	for {
		select {
		case <-r.arrived:
		default:
			return
		}
	}
}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.requests.Add(1)
	if r.user != "" {
		if user, password, _ := req.BasicAuth(); user != r.user || password != r.password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, "", http.StatusUnauthorized)
			return
		}
	}
	_, path, _ := strings.Cut(req.URL.Path, "/v2/")
	kind, name := "", ""
	for _, k := range []string{"/blobs/uploads/", "/blobs/", "/manifests/", "/referrers/"} {
		if _, after, ok := strings.Cut(path, k); ok {
			kind, name = k, after
			break
		}
	}
	if r.hang != nil && kind == "/manifests/" {
		select {
		case r.arrived <- struct{}{}:
		case <-req.Context().Done():
			return
		}
		select {
		case <-r.hang:
		case <-req.Context().Done():
			return
		}
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch kind {
	case "":
		w.WriteHeader(http.StatusOK)
	case "/blobs/uploads/":
		r.upload(w, req, body)
	case "/blobs/":
		r.serve(w, req, manifest{"application/octet-stream", r.blobs[name]})
	case "/manifests/":
		if req.Method == http.MethodPut {
			r.putManifest(w, req, name, body)
			return
		}
		r.serve(w, req, r.manifests[name])
	case "/referrers/":
		w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		fmt.Fprintf(w, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s]}`, strings.Join(r.referrers[name], ","))
	}
}

func (r *registry) upload(w http.ResponseWriter, req *http.Request, body []byte) {
	switch req.Method {
	case http.MethodPost:
		w.Header().Set("Location", req.URL.Path+"session")
		w.WriteHeader(http.StatusAccepted)
	case http.MethodPut:
		r.blobs[req.URL.Query().Get("digest")] = body
		w.WriteHeader(http.StatusCreated)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (r *registry) putManifest(w http.ResponseWriter, req *http.Request, name string, body []byte) {
	m := manifest{req.Header.Get("Content-Type"), body}
	digest := digestOf(body)
	r.manifests[name], r.manifests[digest] = m, m
	if _, after, ok := strings.Cut(string(body), `"subject":{`); ok {
		_, after, _ = strings.Cut(after, `"digest":"`)
		subject, _, _ := strings.Cut(after, `"`)
		_, artifactType, _ := strings.Cut(string(body), `"artifactType":"`)
		artifactType, _, _ = strings.Cut(artifactType, `"`)
		r.referrers[subject] = append(r.referrers[subject], fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d,"artifactType":%q}`,
			m.mediaType, digest, len(body), artifactType))
		w.Header().Set("OCI-Subject", subject)
	}
	w.Header().Set("Docker-Content-Digest", digest)
	w.WriteHeader(http.StatusCreated)
}

func (r *registry) serve(w http.ResponseWriter, req *http.Request, m manifest) {
	if m.content == nil {
		http.Error(w, `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", m.mediaType)
	w.Header().Set("Docker-Content-Digest", digestOf(m.content))
	w.Header().Set("Content-Length", fmt.Sprint(len(m.content)))
	if req.Method == http.MethodGet {
		_, _ = w.Write(m.content)
	}
}
