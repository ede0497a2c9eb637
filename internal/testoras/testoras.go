// Package testoras makes of a registry one of the ORAS artifacts-spec, the
// predecessor of the referrers API, for tests: it stands in front of a registry
// without that API, takes note of the artifact manifests that are stored there,
// and lists those with a subject at the endpoints of that specification. The
// registry behind it has to take manifests of any media type.
//
// As with the registries of that time, image manifests with a subject are not
// listed. No product code imports this package.
package testoras

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// MediaType is that of the artifact manifest. It is written out, so that a
// change of the product's constant is noticed.
const MediaType = "application/vnd.cncf.oras.artifact.manifest.v1+json"

// maxManifest bounds a manifest, in bytes.
const maxManifest = 4 << 20

// Handler is the registry. Its fields are not changed while it serves.
type Handler struct {
	Next http.Handler // the registry behind it

	// Current and Older are the endpoints that it has: that of the
	// specification's last version, and that of the first.
	Current, Older bool
	Page           int  // entries of one page; 0: all
	Filters        bool // heeds artifactType
	// Bend, if set, changes the entries of a listing.
	Bend func([]ocispec.Descriptor) []ocispec.Descriptor
	// Asked, if set, is told of each request for a listing.
	Asked func(*http.Request)

	mu   sync.Mutex
	kept []artifact
}

// artifact is an artifact manifest with a subject.
type artifact struct {
	repository string
	subject    digest.Digest
	descriptor ocispec.Descriptor
}

// ServeHTTP answers requests for listings, and leaves all others to the registry
// behind it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if repository, subject, ok := h.asksForListing(r); ok {
		if h.Asked != nil {
			h.Asked(r)
		}
		h.list(w, r, repository, subject)
		return
	}
	repository, name, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
	switch {
	case ok && r.Method == http.MethodPut && r.Header.Get("Content-Type") == MediaType:
		body, err := io.ReadAll(io.LimitReader(r.Body, maxManifest))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if h.passOn(w, r) {
			h.Add(repository, body)
		}
	case ok && r.Method == http.MethodDelete:
		if h.passOn(w, r) {
			h.forget(repository, digest.Digest(name))
		}
	default:
		h.Next.ServeHTTP(w, r)
	}
}

// asksForListing reads the repository and the subject of a request for a
// listing, at an endpoint that there is.
func (h *Handler) asksForListing(r *http.Request) (repository string, subject digest.Digest, ok bool) {
	if rest, ok := strings.CutPrefix(r.URL.Path, "/oras/artifacts/v1/"); ok {
		repository, of, ok := strings.Cut(strings.TrimSuffix(rest, "/referrers"), "/manifests/")
		return repository, digest.Digest(of), ok && h.Older
	}
	repository, ok = strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/v2/"), "/_oras/artifacts/referrers")
	return repository, digest.Digest(r.URL.Query().Get("digest")), ok && h.Current
}

// passOn has the registry answer, and reports whether it did what was asked.
func (h *Handler) passOn(w http.ResponseWriter, r *http.Request) bool {
	s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	h.Next.ServeHTTP(s, r)
	return s.status >= 200 && s.status < 300
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

// Add takes note of an artifact manifest of a repository, if it has a subject.
func (h *Handler) Add(repository string, manifest []byte) {
	var m struct {
		ArtifactType string              `json:"artifactType"`
		Subject      *ocispec.Descriptor `json:"subject"`
	}
	if json.Unmarshal(manifest, &m) != nil || m.Subject == nil {
		return
	}
	a := artifact{repository, m.Subject.Digest, ocispec.Descriptor{
		MediaType: MediaType, Digest: digest.FromBytes(manifest), Size: int64(len(manifest)), ArtifactType: m.ArtifactType,
	}}
	h.forget(repository, a.descriptor.Digest) // each once
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept = append(h.kept, a)
}

func (h *Handler) forget(repository string, d digest.Digest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept = slices.DeleteFunc(h.kept, func(a artifact) bool { return a.repository == repository && a.descriptor.Digest == d })
}

// list answers with what refers to a subject, in the order of the digests.
func (h *Handler) list(w http.ResponseWriter, r *http.Request, repository string, subject digest.Digest) {
	w.Header().Set("Content-Type", "application/json")
	if subject.Validate() != nil {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"errors":[{"code":"DIGEST_INVALID","message":"no"}]}`)
		return
	}
	query := r.URL.Query()
	wanted := query.Get("artifactType")
	list := []ocispec.Descriptor{}
	h.mu.Lock()
	for _, a := range h.kept {
		if a.repository == repository && a.subject == subject && (!h.Filters || wanted == "" || a.descriptor.ArtifactType == wanted) {
			list = append(list, a.descriptor)
		}
	}
	h.mu.Unlock()
	slices.SortFunc(list, func(a, b ocispec.Descriptor) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	if h.Bend != nil {
		list = h.Bend(list)
	}
	start, _ := strconv.Atoi(query.Get("nextToken"))
	start = min(max(start, 0), len(list))
	end := len(list)
	if h.Page > 0 && start+h.Page < len(list) {
		end = start + h.Page
		query.Set("nextToken", strconv.Itoa(end))
		w.Header().Set("Link", "<"+r.URL.Path+"?"+query.Encode()+`>; rel="next"`)
	}
	w.Header().Set("ORAS-Api-Version", "oras/1.0")
	// An encoding error means that the client has gone.
	_ = json.NewEncoder(w).Encode(map[string]any{"referrers": list[start:end]})
}
