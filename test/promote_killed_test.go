package test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/test/fixture"
	"github.com/notaryv2/notation/test/registries"
	"oras.land/oras-go/v2/errdef"
)

// gallows is what stands in front of a registry and kills a program at one of
// the requests that count.
type gallows struct {
	counts func(r *http.Request) bool

	mu   sync.Mutex
	seen int
	at   int    // the request at which it kills, from 1; 0: none
	last string // the path of that request, once it was there
	kill context.CancelFunc
}

// wrap is a registries.Options.Wrap. Every other request that kills is answered
// all the same, and the rest breaks off: a registry may have stored what the dead
// program never heard of.
func (g *gallows) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		fatal := false
		if g.counts(r) {
			g.seen++
			if fatal = g.seen == g.at; fatal {
				g.last = r.URL.Path
			}
		}
		kill, answered := g.kill, g.at%2 == 0
		g.mu.Unlock()
		if !fatal {
			next.ServeHTTP(w, r)
			return
		}
		if answered {
			next.ServeHTTP(&half{ResponseWriter: w, kill: kill}, r)
		}
		kill()
		if !answered {
			panic(http.ErrAbortHandler)
		}
	})
}

// half lets the first part of an answer through, and then kills.
type half struct {
	http.ResponseWriter
	kill context.CancelFunc
}

func (h *half) Write(b []byte) (int, error) {
	if len(b) < 2 {
		return h.ResponseWriter.Write(b)
	}
	n, err := h.ResponseWriter.Write(b[:len(b)/2])
	if err != nil {
		return n, err
	}
	_ = http.NewResponseController(h.ResponseWriter).Flush()
	h.kill()
	m, err := h.ResponseWriter.Write(b[len(b)/2:])
	return n + m, err
}

// run runs the command and kills it at a request, 0 for none. It returns how many
// requests counted, and the path of the one at which it was killed: "" if there
// were not so many.
func (g *gallows) run(t *testing.T, h *home, at int, args ...string) (n int, last string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	g.mu.Lock()
	g.seen, g.at, g.last, g.kill = 0, at, "", cancel
	g.mu.Unlock()
	_, err := h.try(ctx, "notation", args...)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at = 0
	if err != nil && g.last == "" {
		t.Error(err)
	}
	return g.seen, g.last
}

// points are some of the numbers from 1 to n, with the last ones.
func points(n int) []int {
	var list []int
	for i := 1; i < n-2; i += max(n/6, 1) {
		list = append(list, i)
	}
	return append(list, n-2, n-1, n)
}

// promoted is an artifact with signed files attached to it.
type promoted struct {
	*home
	source  *registries.Registry
	reads   *gallows
	ref     string // by tag
	digest  string
	members []string // digests of what is attached
}

func newPromoted(t *testing.T) *promoted {
	t.Helper()
	p := &promoted{home: newHome(t), reads: &gallows{counts: func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/")
	}}}
	p.source = registries.New(t, registries.GGCR, registries.Options{Wrap: p.reads.wrap})
	p.ref = p.source.Host() + "/dev/app:v1"
	p.digest = push(t, p.ref, "new")
	p.run(t, "notation", "sign", p.ref)
	for i := range 3 {
		content := make([]byte, 1<<20)
		_, _ = rand.Read(content)
		file := filepath.Join(t.TempDir(), "sbom"+strconv.Itoa(i))
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		var attached struct {
			Artifact struct {
				Digest string `json:"digest"`
			} `json:"artifact"`
		}
		p.runJSON(t, &attached, "notation", "attach", "-o", "json", "--sign", "--artifact-type", "sbom/example", p.ref, file)
		p.members = append(p.members, attached.Artifact.Digest)
	}
	return p
}

// push pushes an index of two images and returns its digest.
func push(t *testing.T, ref, text string) string {
	t.Helper()
	repo, err := fixture.Repository(ref, "", "")
	if err != nil {
		t.Fatal(err)
	}
	index, err := fixture.PushIndex(t.Context(), repo, repo.Reference.Reference, text, "linux/amd64", "linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	return string(index.Digest)
}

// tagged returns the digest that a tag names, or "".
func tagged(t *testing.T, ref string) string {
	t.Helper()
	repo, err := fixture.Repository(ref, "", "")
	if err != nil {
		t.Fatal(err)
	}
	d, err := repo.Resolve(t.Context(), repo.Reference.Reference)
	if err != nil && !errors.Is(err, errdef.ErrNotFound) {
		t.Fatal(err)
	}
	return string(d.Digest)
}

// complete checks that all is there and passes, by running the copy again and
// looking at what it finds.
func (p *promoted) complete(t *testing.T, dst string, flags ...string) {
	t.Helper()
	var last struct {
		Tag    string
		Copied struct{ Manifests, Blobs int }
	}
	p.runJSON(t, &last, "notation", append([]string{"copy", "-o", "json", p.ref, dst}, flags...)...)
	if last.Tag != "v1" || last.Copied.Manifests+last.Copied.Blobs > 0 {
		t.Errorf("something was missing: %+v", last)
	}
	base, _ := strings.CutSuffix(dst, ":v1")
	var layout []string
	if len(flags) > 0 {
		layout = []string{"--oci-layout"}
	}
	for _, name := range append([]string{dst}, p.members...) {
		if name != dst {
			name = base + "@" + name
		}
		p.run(t, "notation", append([]string{"verify", name}, layout...)...)
	}
}

// TestCopyKilledIntoRegistries kills the program at its writes. Whoever pulls by
// tag sees what was there before, until all is there.
func TestCopyKilledIntoRegistries(t *testing.T) {
	t.Parallel()
	for _, kind := range []registries.Kind{registries.GGCRTagSchema, registries.Olareg} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			p := newPromoted(t)
			writes := &gallows{counts: func(r *http.Request) bool { return r.Method == http.MethodPut || r.Method == http.MethodPost }}
			fresh := func() string {
				return registries.New(t, kind, registries.Options{Wrap: writes.wrap}).Host() + "/app:v1"
			}
			n, _ := writes.run(t, p.home, 0, "copy", p.ref, fresh())
			for _, at := range points(n) {
				ref, before := fresh(), ""
				if at%3 > 0 {
					before = push(t, ref, "old")
				}
				_, last := writes.run(t, p.home, at, "copy", p.ref, ref)
				atTag := last == "" || strings.HasSuffix(last, "/manifests/v1")
				if now := tagged(t, ref); now != before && !(atTag && now == p.digest) {
					t.Errorf("killed at write %d of %d, %s: the tag names %q, want %q", at, n, last, now, before)
				}
				p.run(t, "notation", "copy", p.ref, ref)
				if now := tagged(t, ref); now != p.digest {
					t.Errorf("completed: the tag names %q, want %q", now, p.digest)
				}
				p.complete(t, ref)
			}
		})
	}
}

// TestCopyKilledIntoLayouts kills the program while it reads its source.
func TestCopyKilledIntoLayouts(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{"", ".tar"} {
		t.Run("layout"+suffix, func(t *testing.T) {
			t.Parallel()
			p := newPromoted(t)
			other := p.source.Host() + "/dev/other:v1"
			push(t, other, "old")
			dir := t.TempDir()
			to := func(name string) string { return filepath.Join(dir, name+suffix) + ":v1" }
			n, _ := p.reads.run(t, p.home, 0, "copy", "--to-oci-layout", p.ref, to("whole"))
			for _, at := range points(n) {
				dst := to(strconv.Itoa(at))
				path, _ := strings.CutSuffix(dst, ":v1")
				if at%3 > 0 {
					p.run(t, "notation", "copy", "--no-verify", "--to-oci-layout", other, dst)
				}
				before := stateOf(t, path)
				_, last := p.reads.run(t, p.home, at, "copy", "--to-oci-layout", p.ref, dst)
				if now := stateOf(t, path); last != "" && !bytes.Equal(before, now) {
					t.Errorf("killed at read %d of %d: what is seen has changed:\n%.200s\nbefore:\n%.200s", at, n, now, before)
				}
				p.run(t, "notation", "copy", "--to-oci-layout", p.ref, dst)
				p.complete(t, dst, "--to-oci-layout")
			}
		})
	}
}

// stateOf is what others see of a layout: the tarball, or the list of a
// directory. An empty one is as good as none.
func stateOf(t *testing.T, path string) []byte {
	t.Helper()
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "index.json")
	}
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if bytes.Contains(content, []byte(`"manifests":[]`)) {
		return nil
	}
	return content
}
