package notation_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/notaryv2/notation/oci"
	"github.com/opencontainers/go-digest"
)

// tinyRegistry is just enough of the OCI distribution specification, with its
// referrers API, for an example: one repository in memory.
type tinyRegistry struct {
	mux  *http.ServeMux
	mu   sync.Mutex
	data map[string][]byte // manifests and blobs by digest, manifests by tag
	refs map[string][]oci.Descriptor
}

func newTinyRegistry(repository, tag, manifest string) *tinyRegistry {
	r := &tinyRegistry{mux: http.NewServeMux(), refs: map[string][]oci.Descriptor{}, data: map[string][]byte{
		tag: []byte(manifest), string(digest.FromString(manifest)): []byte(manifest),
	}}
	base := "/v2/" + repository
	r.mux.HandleFunc("GET "+base+"/manifests/{ref}", r.get)
	r.mux.HandleFunc("GET "+base+"/blobs/{ref}", r.get)
	r.mux.HandleFunc("PUT "+base+"/manifests/{ref}", r.putManifest)
	r.mux.HandleFunc("GET "+base+"/referrers/{ref}", r.referrers)
	r.mux.HandleFunc("POST "+base+"/blobs/uploads/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", base+"/upload")
		w.WriteHeader(http.StatusAccepted)
	})
	r.mux.HandleFunc("PUT "+base+"/upload", r.putBlob)
	return r
}

func (r *tinyRegistry) ServeHTTP(w http.ResponseWriter, q *http.Request) { r.mux.ServeHTTP(w, q) }

func (r *tinyRegistry) get(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	content, ok := r.data[q.PathValue("ref")]
	r.mu.Unlock()
	if !ok {
		http.NotFound(w, q)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	if strings.Contains(q.URL.Path, "/blobs/") {
		w.Header().Set("Content-Type", "application/octet-stream")
	}
	w.Header().Set("Docker-Content-Digest", string(digest.FromBytes(content)))
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	_, _ = w.Write(content)
}

// store keeps content of at most 1 MiB under its digest.
func (r *tinyRegistry) store(w http.ResponseWriter, q *http.Request) (content []byte, d digest.Digest) {
	content, err := io.ReadAll(http.MaxBytesReader(w, q.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil, ""
	}
	d = digest.FromBytes(content)
	r.data[string(d)] = content
	w.Header().Set("Docker-Content-Digest", string(d))
	return content, d
}

func (r *tinyRegistry) putBlob(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.store(w, q)
	w.WriteHeader(http.StatusCreated)
}

func (r *tinyRegistry) putManifest(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	content, d := r.store(w, q)
	if m, err := oci.ParseManifest(content); err == nil && m.Subject != nil {
		w.Header().Set("OCI-Subject", string(m.Subject.Digest))
		r.refs[string(m.Subject.Digest)] = append(r.refs[string(m.Subject.Digest)], oci.Descriptor{
			MediaType: m.MediaType, Digest: d, Size: int64(len(content)), ArtifactType: m.ArtifactType, Annotations: m.Annotations,
		})
	}
	w.WriteHeader(http.StatusCreated)
}

func (r *tinyRegistry) referrers(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
		"manifests": append([]oci.Descriptor{}, r.refs[q.PathValue("ref")]...),
	})
}
