package cli_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/bundle"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/promote"
)

// TestBundleImportFinishesSome tells of each artifact what became of it.
func TestBundleImportFinishesSome(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	other, _ := c.layout("other")
	path := filepath.Join(t.TempDir(), "two.tar")
	w, err := bundle.Create(t.Context(), path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, a := range [][2]string{{c.dir, "good"}, {other, "refused"}} {
		dir, tag := a[0], a[1]
		src, err := layout.Open(dir, layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, ref, _ := oci.ParseLayoutReference("x:v1")
		root, err := src.Resolve(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		origin, err := oci.ParseReference("r.example/" + tag + ":" + tag)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Add(t.Context(), src, root, origin, promote.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	reg := newRegistry(t)
	host := newFront(t, reg, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifests/refused") {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	})
	c.run("bundle", "import", "--no-verify", path, host).want(3, "tag good names it now", "tag refused was not moved")
}
