package testoras_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testoras"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const current, older = "/v2/app/_oras/artifacts/referrers?digest=%s", "/oras/artifacts/v1/app/manifests/%s/referrers"

// listing asks for the referrers of a subject, page by page, and returns their
// artifact types.
func listing(t *testing.T, h http.Handler, endpoint string, subject digest.Digest, query string) string {
	t.Helper()
	var types []string
	next := fmt.Sprintf(endpoint, subject)
	if query != "" && strings.Contains(next, "?") {
		query = "&" + query
	} else if query != "" {
		query = "?" + query
	}
	for next += query; next != ""; {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, next, nil))
		var page struct {
			Referrers []ocispec.Descriptor `json:"referrers"`
		}
		if w.Code != http.StatusOK || json.Unmarshal(w.Body.Bytes(), &page) != nil || page.Referrers == nil {
			return fmt.Sprint(w.Code)
		}
		for _, d := range page.Referrers {
			types = append(types, d.ArtifactType)
		}
		next, _, _ = strings.Cut(strings.TrimPrefix(w.Header().Get("Link"), "<"), ">")
	}
	return strings.Join(types, " ")
}

func TestHandler(t *testing.T) {
	t.Parallel()
	status := http.StatusCreated
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
	})
	asked := 0
	h := &testoras.Handler{Next: next, Current: true, Older: true, Page: 1, Filters: true, Asked: func(*http.Request) { asked++ }}
	subject := digest.FromString("subject")
	manifest := func(artifactType string) string {
		return fmt.Sprintf(`{"mediaType":%q,"artifactType":%q,"subject":{"digest":%q}}`, testoras.MediaType, artifactType, subject)
	}
	do := func(method, mediaType, body string) {
		r := httptest.NewRequest(method, "/v2/app/manifests/"+string(digest.FromString(body)), strings.NewReader(body))
		r.Header.Set("Content-Type", mediaType)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	for _, artifactType := range []string{"a", "b", "c", "a"} {
		do(http.MethodPut, testoras.MediaType, manifest(artifactType))
	}
	do(http.MethodPut, ocispec.MediaTypeImageManifest, manifest("image"))
	do(http.MethodPut, testoras.MediaType, `{}`)
	do(http.MethodPut, testoras.MediaType, `{`)
	status = http.StatusBadRequest
	do(http.MethodPut, testoras.MediaType, manifest("refused"))
	do(http.MethodDelete, "", manifest("a"))

	for _, endpoint := range []string{current, older} {
		if got := listing(t, h, endpoint, subject, ""); len(got) != len("a b c") || !strings.Contains(got, "a") {
			t.Errorf("listed %q", got)
		}
		if got := listing(t, h, endpoint, subject, "artifactType=b"); got != "b" {
			t.Errorf("listed %q", got)
		}
		if got := listing(t, h, endpoint, subject, "nextToken=-5"); len(got) != len("a b c") {
			t.Errorf("listed %q", got)
		}
		if got := listing(t, h, endpoint, digest.FromString("x"), ""); got != "" {
			t.Errorf("listed %q", got)
		}
		if got := listing(t, h, endpoint, "x", ""); got != "400" {
			t.Errorf("no digest: %q", got)
		}
	}
	if asked == 0 {
		t.Error("nobody was told")
	}
	status = http.StatusAccepted
	do(http.MethodDelete, "", manifest("a"))
	h.Bend = func(list []ocispec.Descriptor) []ocispec.Descriptor { return append(list, list...) }
	if got := listing(t, h, current, subject, "artifactType=a"); got != "" {
		t.Errorf("listed %q", got)
	}
	if got := listing(t, h, current, subject, "artifactType=b"); got != "b b" {
		t.Errorf("listed %q", got)
	}
	h.Current, h.Older, status = false, false, http.StatusTeapot
	for _, endpoint := range []string{current, older} {
		if got := listing(t, h, endpoint, subject, ""); got != "418" {
			t.Errorf("there is no such endpoint: %q", got)
		}
	}
	r := httptest.NewRequest(http.MethodPut, "/v2/app/manifests/x", broken{})
	r.Header.Set("Content-Type", testoras.MediaType)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusBadRequest {
		t.Errorf("a body that breaks off: %d", w.Code)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
