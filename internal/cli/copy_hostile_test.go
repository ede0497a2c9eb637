package cli_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// hostile is a registry with an image of one layer, which answers some requests
// in a way of its own.
type hostile struct {
	*registry
	src           string // reference of the image
	digest, layer string
}

const layerText = "the one layer of the image"

// newHostile starts the registry. size is what the manifest says of the layer;
// 0: what it is.
func newHostile(t *testing.T, size int64, answer func(h *hostile, w http.ResponseWriter, r *http.Request) bool) *hostile {
	t.Helper()
	h := &hostile{registry: newRegistry(t), layer: digestOf([]byte(layerText))}
	if size == 0 {
		size = int64(len(layerText))
	}
	image := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
		`"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":%q,"size":2},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":%d}]}`, digestOf([]byte("{}")), h.layer, size)
	h.digest = digestOf(image)
	h.blobs[h.layer], h.blobs[digestOf([]byte("{}"))] = []byte(layerText), []byte("{}")
	m := manifest{"application/vnd.oci.image.manifest.v1+json", image}
	h.manifests["v1"], h.manifests[h.digest] = m, m
	front := newFront(t, h.registry, func(w http.ResponseWriter, r *http.Request) bool { return answer != nil && answer(h, w, r) })
	h.src = front + "/app:v1"
	return h
}

// refer adds a small referrer of a subject and returns its digest.
func (h *hostile) refer(subject, text string) string {
	raw := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"a/b",`+
		`"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":%q,"size":2},"layers":[],`+
		`"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":1},"annotations":{"text":%q}}`, digestOf([]byte("{}")), subject, text)
	d := digestOf(raw)
	h.manifests[d] = manifest{"application/vnd.oci.image.manifest.v1+json", raw}
	h.list(subject, d)
	return d
}

// list has the registry claim that something refers to a subject.
func (h *hostile) list(subject, d string) {
	h.referrers[subject] = append(h.referrers[subject], fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":%d,"artifactType":"a/b"}`, d, len(h.manifests[d].content)))
}

// count counts what a registry holds: manifests, each tag as one more, and blobs.
func (r *registry) count() (manifests, blobs int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.manifests), len(r.blobs)
}

func (r *registry) has(blob string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.blobs[blob] != nil
}

// blobAnswer answers requests for the layer.
func blobAnswer(answer func(w http.ResponseWriter, r *http.Request)) func(*hostile, http.ResponseWriter, *http.Request) bool {
	return func(h *hostile, w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/blobs/"+h.layer) {
			return false
		}
		answer(w, r)
		return true
	}
}

// hostileSources are what a source can do, and the code and a word of what is
// said of it. Nothing is written at the destination unless begun.
var hostileSources = map[string]struct {
	size   int64
	answer func(*hostile, http.ResponseWriter, *http.Request) bool
	hangs  bool // until --timeout is up
	code   string
	text   string
	begun  bool
}{
	// attack: REG-03
	"a listing without end": {answer: func(_ *hostile, w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/referrers/") {
			return false
		}
		w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
		w.Header().Set("Link", fmt.Sprintf(`<%s?page=%sx>; rel="next"`, r.URL.Path, r.URL.Query().Get("page")))
		fmt.Fprint(w, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[`)
		for i := range 100 {
			if i > 0 {
				fmt.Fprint(w, ",")
			}
			fmt.Fprintf(w, `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":9}`, digestOf(fmt.Append(nil, r.URL.RawQuery, i)))
		}
		fmt.Fprint(w, "]}")
		return true
	}, code: "promote.too-many", text: "more referrers than can be listed"},
	// attack: REG-02
	"a size of 2^62":                  {size: 1 << 62, code: "oci.too-large"},
	"a size that is too small":        {size: 5, code: "promote.incomplete", text: "0 of 1 manifests", begun: true},
	"a size that is too large":        {size: 50, code: "promote.incomplete", text: "0 of 1 manifests", begun: true},
	"content that is something else":  {answer: blobAnswer(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.ToUpper(layerText)) }), code: "promote.incomplete", text: "0 of 1 manifests", begun: true},
	"a manifest that is another's":    {answer: otherManifest, code: "oci.digest-mismatch"},
	"a layer of a terabyte and a bit": {size: 1<<40 + 1, code: "oci.too-large"},
	// attack: REG-06
	"content without end": {answer: blobAnswer(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}), code: "promote.incomplete", text: "0 of 1 manifests", begun: true},
	"content that does not come": {answer: blobAnswer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(layerText)))
		fmt.Fprint(w, layerText[:5])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}), hangs: true, code: "promote.incomplete", begun: true},
	"a source that dies": {answer: blobAnswer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(layerText)))
		fmt.Fprint(w, layerText[:5])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}), code: "promote.incomplete", text: "0 of 1 manifests", begun: true},
	// attack: REG-09
	"a listing that fails": {answer: func(_ *hostile, w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/referrers/") {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	}, code: "registry.denied", text: "cannot be listed"},
}

// otherManifest answers a request by digest with another manifest of that size.
func otherManifest(h *hostile, w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/manifests/"+h.digest) {
		return false
	}
	w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	fmt.Fprint(w, strings.Replace(string(h.manifests["v1"].content), "layer.v1.tar", "layer.v1.taR", 1))
	return true
}

// TestCopyFromHostileSources leaves the destination as it was, or says exactly
// what is there: no tag, and no tarball, comes to be.
func TestCopyFromHostileSources(t *testing.T) {
	t.Parallel()
	schemas := loadSchemas(t)
	for name, c := range hostileSources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			h := newHostile(t, c.size, c.answer)
			copyTo := func(dst string, flags ...string) result {
				return u.run(append([]string{"copy", "--no-verify", "-o", "json", h.src, dst}, flags...)...)
			}
			reg := newRegistry(t)
			var r result
			if c.hangs {
				inTime(t, func(timeout time.Duration) bool {
					r = copyTo(reg.host+"/app:v1", "--timeout", timeout.String()).want(3, timeIsUp(timeout))
					return at(r.json(), "error", "code") == c.code // or it was up before anything was copied
				})
			} else {
				r = copyTo(reg.host+"/app:v1").want(3, c.text)
			}
			schemas.check(r)
			doc := r.json()
			manifests, blobs := reg.count()
			if at(doc, "error", "code") != c.code || at(doc, "tag") != nil || manifests > 0 || reg.has(h.layer) {
				t.Errorf("%d manifests and %d blobs are there: %s", manifests, blobs, r.stdout)
			}
			// What was under way when it ended may have arrived all the same.
			if there, _ := at(doc, "blobs").([]any); len(there) > blobs || !c.begun && blobs > 0 {
				t.Errorf("%d blobs are there: %s", blobs, r.stdout)
			}
			if c.hangs {
				return // once is enough of what takes time
			}
			dir := t.TempDir()
			tarball := filepath.Join(dir, "x.tar")
			copyTo(tarball+":v1", "--to-oci-layout").want(3, "x.tar was left as it was")
			copyTo(filepath.Join(dir, "new")+":v1", "--to-oci-layout").want(3)
			left, err := os.ReadDir(dir)
			if err != nil || len(left) > 0 && !c.begun {
				t.Errorf("%v is left: %v", left, err)
			}
			if c.begun {
				u.run("tree", "--oci-layout", filepath.Join(dir, "new")+":v1").want(3)
			}
		})
	}
}

// TestCopyOfCircles copies from a source that says that two things refer to each
// other, and that the image refers to both. What they say themselves counts.
//
// attack: REG-03
func TestCopyOfCircles(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	h := newHostile(t, 0, nil)
	a := h.refer(h.digest, "a")
	b := h.refer(a, "b")
	h.list(b, a)
	h.list(b, h.digest)
	h.list(a, a)
	h.list(a, h.digest)
	reg := newRegistry(t)
	doc := u.ok("copy", "--no-verify", "-o", "json", h.src, reg.host+"/app:v1").json()
	if at(doc, "copied", "manifests") != 3.0 || at(doc, "tag") != "v1" {
		t.Errorf("%v", doc)
	}
	// An index that lists itself cannot be made; one that claims to does not have its digest.
	h = newHostile(t, 0, nil)
	index := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":%q,"size":200}]}`, digestOf([]byte("itself")))
	h.manifests["v1"] = manifest{"application/vnd.oci.image.index.v1+json", []byte(index)}
	h.manifests[digestOf([]byte(index))] = h.manifests["v1"]
	h.manifests[digestOf([]byte("itself"))] = h.manifests["v1"]
	reg = newRegistry(t)
	u.run("copy", "--no-verify", h.src, reg.host+"/app:v1").wantError(3, "Manifest "+digestOf([]byte("itself"))+" cannot be used")
	if manifests, blobs := reg.count(); manifests+blobs > 0 {
		t.Error("something was written")
	}
}

// TestCopyIntoRefusal has a destination that refuses, for a while or for good,
// once some of it is there.
//
// attack: REG-06
func TestCopyIntoRefusal(t *testing.T) {
	t.Parallel()
	status := func(code int, retryAfter string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			w.WriteHeader(code)
		}
	}
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter)
		times  int64
		code   string
	}{
		"403":                     {status(403, ""), 1000, "registry.denied"},
		"500 for ever":            {status(500, ""), 1000, "registry.unavailable"},
		"500 twice":               {status(500, ""), 2, ""},
		"429, Retry-After 0":      {status(429, "0"), 2, ""},
		"429, Retry-After a year": {status(429, "31536000"), 1000, "registry.unavailable"},
		"507":                     {status(507, ""), 1000, "registry.unavailable"},
		"413":                     {status(413, ""), 1000, "registry.push-refused"},
		"resets":                  {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 1000, "registry.unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			h := newHostile(t, 0, nil)
			h.refer(h.digest, "one")
			reg := newRegistry(t)
			var seen atomic.Int64
			dst := newFront(t, reg, func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") {
					return false
				}
				if n := seen.Add(1); n == 1 || n > 1+c.times {
					return false
				}
				c.answer(w)
				return true
			})
			r := u.run("copy", "--no-verify", "-o", "json", h.src, dst+"/app:v1")
			if c.code == "" {
				if r.want(0); at(r.json(), "tag") != "v1" {
					t.Error(r.stdout)
				}
				return
			}
			r.want(3, "is incomplete at "+dst+"/app: 1 of 2 manifests and 2 of 2 blobs are there, and the tag v1 was not moved")
			doc := r.json()
			items, _ := at(doc, "manifests").([]any)
			if manifests, _ := reg.count(); at(doc, "error", "code") != "promote.incomplete" || len(items) != 1 || manifests != 1 {
				t.Errorf("%d manifests are there: %s", manifests, r.stdout)
			}
		})
	}
}
