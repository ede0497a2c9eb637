package promote_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/promote"
	"github.com/notaryv2/notation/reason"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// withReferrers is an image with n small referrers.
func withReferrers(t testing.TB, s oci.Store, n int) oci.Descriptor {
	t.Helper()
	root := image(t, s, "layer")
	config := put(t, s, ocispec.MediaTypeEmptyJSON, []byte("{}"))
	for i := range n {
		manifest(t, s, wire{
			MediaType: ocispec.MediaTypeImageManifest, ArtifactType: "a/b", Config: &config, Subject: &root,
			Annotations: map[string]string{"number": fmt.Sprint(i)},
		})
	}
	return root
}

// TestReferrersTogether counts what it takes to list many referrers: a list that
// is written as a whole is not written for each.
func TestReferrersTogether(t *testing.T) {
	t.Parallel()
	src := newRepo(t, true)
	const n = 300
	root := withReferrers(t, src, n)
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprint("api ", api), func(t *testing.T) {
			t.Parallel()
			f := newRegistry(api)
			dst := open(t, serve(t, f), "app")
			report, err := promote.Copy(t.Context(), src, dst, root, promote.CopyOptions{Tag: "v1"})
			if err != nil || len(report.Manifests) != n+1 {
				t.Fatal(err, len(report.Manifests))
			}
			l, err := dst.Referrers(t.Context(), root.Digest, oci.ReferrersOptions{})
			if err != nil || len(l.Referrers) != n {
				t.Errorf("%d are listed: %v", len(l.Referrers), err)
			}
			writes := f.count("PUT /v2/app/manifests/sha256-")
			if lists := f.count("/referrers/"); lists > 20 || api && writes > 0 || !api && writes > 4 {
				t.Errorf("%d lists were read, %d written", lists, writes)
			}
			again, err := promote.Copy(t.Context(), src, dst, root, promote.CopyOptions{Tag: "v1"})
			if err != nil || again.Totals(promote.Skipped).Manifests != n+1 {
				t.Errorf("%v: %+v", err, again.Totals(promote.Skipped))
			}
		})
	}
}

// TestReferrersLostAndFound copies to a registry that loses a referrer whose
// sibling comes at the same time: each second one, until it comes again.
func TestReferrersLostAndFound(t *testing.T) {
	t.Parallel()
	src := newRepo(t, true)
	root := withReferrers(t, src, 12)
	f := newRegistry(true)
	var mu sync.Mutex
	seen := map[string]int{}
	f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/sha256:") || strings.HasSuffix(r.URL.Path, string(root.Digest)) {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		if seen[r.URL.Path]++; seen[r.URL.Path] > 1 || len(seen)%2 == 0 {
			return false
		}
		w.Header().Set("OCI-Subject", string(root.Digest))
		w.WriteHeader(http.StatusCreated)
		return true
	}
	dst := open(t, serve(t, f), "app")
	report, err := promote.Copy(t.Context(), src, dst, root, promote.CopyOptions{Tag: "v1"})
	if err != nil || len(report.Manifests) != 13 {
		t.Fatal(err, len(report.Manifests))
	}
	if l, err := dst.Referrers(t.Context(), root.Digest, oci.ReferrersOptions{}); err != nil || len(l.Referrers) != 12 {
		t.Errorf("%d are listed: %v", len(l.Referrers), err)
	}
}

// TestReferrersRefused says exactly what is there after a registry has refused
// one of many referrers.
func TestReferrersRefused(t *testing.T) {
	t.Parallel()
	src := newRepo(t, true)
	root := withReferrers(t, src, 40)
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprint("api ", api), func(t *testing.T) {
			t.Parallel()
			f := newRegistry(api)
			var mu sync.Mutex
			left := 20
			f.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/sha256:") {
					return false
				}
				mu.Lock()
				defer mu.Unlock()
				if left--; left >= 0 {
					return false
				}
				refuse(w, http.StatusForbidden, "DENIED")
				return true
			}
			dst := open(t, serve(t, f), "app")
			report, err := promote.Copy(t.Context(), src, dst, root, promote.CopyOptions{Tag: "v1"})
			wantCode(t, err, reason.PromoteIncomplete)
			if !hasCode(err, reason.RegistryDenied) {
				t.Error(err)
			}
			l, err := dst.Referrers(t.Context(), root.Digest, oci.ReferrersOptions{})
			if err != nil || len(l.Referrers) != len(report.Manifests)-1 || len(l.Referrers) != 19 {
				t.Errorf("%d are listed and %d reported: %v", len(l.Referrers), len(report.Manifests)-1, err)
			}
			if f.tag("app", "v1") != "" {
				t.Error("tagged")
			}
		})
	}
}
