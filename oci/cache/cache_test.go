package cache

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// repo holds content and counts what is asked for.
type repo struct {
	content map[digest.Digest][]byte
	types   map[digest.Digest]string // as the registry calls them
	listed  []oci.Descriptor

	mu    sync.Mutex
	asked []string
}

func newRepo(contents ...string) *repo {
	r := &repo{content: map[digest.Digest][]byte{}, types: map[digest.Digest]string{}}
	for _, c := range contents {
		d := digest.FromString(c)
		r.content[d], r.types[d] = []byte(c), ocispec.MediaTypeImageManifest
	}
	return r
}

func (r *repo) ask(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, fmt.Sprintf(format, args...))
}

// requests returns what was asked for since it was last called.
func (r *repo) requests() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := strings.Join(r.asked, " ")
	r.asked = nil
	return all
}

var errGone = errors.New("gone")

func (r *repo) Name() string { return "registry.example/app" }
func (r *repo) Referrers(context.Context, digest.Digest, oci.ReferrersOptions) (oci.Listing, error) {
	r.ask("list")
	return oci.Listing{Referrers: r.listed}, nil
}
func (r *repo) Attach(context.Context, oci.Reference, func(oci.Descriptor) (oci.Attachment, error)) (oci.Attached, error) {
	r.ask("attach")
	return oci.Attached{}, nil
}
func (r *repo) Fetch(_ context.Context, d oci.Descriptor, _ int64) ([]byte, error) {
	r.ask("fetch")
	if c, ok := r.content[d.Digest]; ok {
		return c, nil
	}
	return nil, errGone
}
func (r *repo) Resolve(_ context.Context, ref oci.Reference) (oci.Descriptor, error) {
	r.ask("resolve")
	return r.describe(ref)
}

func (r *repo) describe(ref oci.Reference) (oci.Descriptor, error) {
	for d, c := range r.content {
		if ref.Digest() == "" || ref.Digest() == d {
			return oci.Descriptor{MediaType: r.types[d], Digest: d, Size: int64(len(c))}, nil
		}
	}
	return oci.Descriptor{}, errGone
}

// resolver is a repo that is a Resolver.
type resolver struct{ *repo }

func (r resolver) ResolveContent(_ context.Context, ref oci.Reference) (oci.Descriptor, []byte, error) {
	r.ask("content")
	d, err := r.describe(ref)
	return d, r.content[d.Digest], err
}

func describe(content string) oci.Descriptor {
	return oci.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString(content), Size: int64(len(content))}
}

func byDigest(t *testing.T, content string) oci.Reference {
	t.Helper()
	ref, err := oci.ParseReference("registry.example/app@" + string(digest.FromString(content)))
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

const manifest = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}`

// caches returns one cache of each kind.
func caches(t *testing.T, max int64) map[string]*Cache {
	t.Helper()
	return map[string]*Cache{
		"disk":   New(Options{Dir: filepath.Join(t.TempDir(), "cache"), MaxBytes: max}),
		"memory": New(Options{MaxBytes: max}),
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	for name, c := range caches(t, 0) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo("some content", "")
			cached := c.Repository(r)
			fetch := func(d oci.Descriptor, limit int64) (string, error) {
				content, err := cached.Fetch(t.Context(), d, limit)
				return string(content), err
			}
			for i, want := range []string{"fetch", "", ""} {
				got, err := fetch(describe("some content"), 100)
				if got != "some content" || err != nil || r.requests() != want {
					t.Errorf("fetch %d: %q, %v", i, got, err)
				}
			}
			// A copy is given away, not the cache's own.
			content, _ := cached.Fetch(t.Context(), describe("some content"), 100)
			content[0] = 'X'
			if got, _ := fetch(describe("some content"), 100); got != "some content" {
				t.Errorf("the cache holds %q", got)
			}
			if _, err := fetch(describe("some content"), 3); err == nil {
				t.Error("the limit does not hold")
			}
			longer := describe("some content")
			longer.Size++
			if _, _ = fetch(longer, 100); r.requests() != "fetch" {
				t.Error("another size is answered from the cache")
			}
			if _, err := fetch(describe("not there"), 100); !errors.Is(err, errGone) || r.requests() != "fetch" {
				t.Errorf("missing: %v", err)
			}
			if _, err := fetch(describe(""), 100); err != nil || r.requests() != "fetch" {
				t.Errorf("empty: %v", err)
			}
		})
	}
}

// TestLargeContent is not kept.
func TestLargeContent(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", maxEntry+1)
	for name, c := range caches(t, 0) {
		r := newRepo(large)
		for range 2 {
			if _, err := c.Repository(r).Fetch(t.Context(), describe(large), maxEntry*2); err != nil || r.requests() != "fetch" {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	untyped := `{"schemaVersion":2}`
	for name, c := range caches(t, 0) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(manifest)
			cached := c.Repository(resolver{r})
			for i, want := range []string{"content", "", ""} {
				d, err := cached.Resolve(t.Context(), byDigest(t, manifest))
				if d.Digest != digest.FromString(manifest) || d.MediaType != ocispec.MediaTypeImageManifest || d.Size != int64(len(manifest)) || err != nil || r.requests() != want {
					t.Errorf("resolve %d: %v, %v", i, d, err)
				}
			}
			tagged, err := oci.ParseReference("registry.example/app:v1")
			if err != nil {
				t.Fatal(err)
			}
			both, err := oci.ParseReference("registry.example/app:v1@" + string(digest.FromString(manifest)))
			if err != nil {
				t.Fatal(err)
			}
			for _, ref := range []oci.Reference{tagged, both} {
				if _, err := cached.Resolve(t.Context(), ref); err != nil || r.requests() != "resolve" {
					t.Errorf("%s: %v", ref, err)
				}
			}
			elsewhere, err := oci.ParseReference("registry.example/other@" + string(digest.FromString(manifest)))
			if err != nil {
				t.Fatal(err)
			}
			if _, _ = cached.Resolve(t.Context(), elsewhere); r.requests() != "content" {
				t.Error("another repository is answered from the cache")
			}
			if l, err := cached.Referrers(t.Context(), digest.FromString("other"), oci.ReferrersOptions{}); err != nil || len(l.Referrers) != 0 || r.requests() != "list" {
				t.Error("a listing is not asked for")
			}
			// That it is empty says nothing if the subject is gone.
			if _, err := cached.Referrers(t.Context(), digest.FromString(manifest), oci.ReferrersOptions{}); err != nil || r.requests() != "list resolve" {
				t.Errorf("an empty listing: %v", err)
			}
			gone := newRepo()
			if _, err := c.Repository(resolver{gone}).Referrers(t.Context(), digest.FromString(manifest), oci.ReferrersOptions{}); !errors.Is(err, errGone) {
				t.Errorf("the listing of what is gone: %v", err)
			}
			gone.listed = []oci.Descriptor{describe("x")}
			gone.requests()
			if _, err := c.Repository(resolver{gone}).Referrers(t.Context(), digest.FromString(manifest), oci.ReferrersOptions{}); err != nil || gone.requests() != "list" {
				t.Errorf("a listing: %v", err)
			}
			if _, err := cached.Resolve(t.Context(), byDigest(t, "not there")); !errors.Is(err, errGone) || r.requests() != "content" {
				t.Errorf("missing: %v", err)
			}
			// What does not say what it is, is always asked about.
			other := newRepo(untyped)
			for range 2 {
				if d, err := c.Repository(resolver{other}).Resolve(t.Context(), byDigest(t, untyped)); d.Size != int64(len(untyped)) || err != nil || !strings.HasSuffix("x"+other.requests(), "content") {
					t.Errorf("untyped: %v", err)
				}
			}
			// What the registry calls by another name, too.
			lied := strings.Replace(manifest, "2", "2 ", 1)
			liar := newRepo(lied)
			liar.types[digest.FromString(lied)] = ocispec.MediaTypeImageIndex
			for range 2 {
				if d, err := c.Repository(resolver{liar}).Resolve(t.Context(), byDigest(t, lied)); d.MediaType != ocispec.MediaTypeImageIndex || err != nil || liar.requests() != "content" {
					t.Errorf("lied: %v, %v", d, err)
				}
			}
			// Without ResolveContent things are as ever.
			if _, err := c.Repository(r).Resolve(t.Context(), byDigest(t, manifest)); err != nil || r.requests() != "resolve" {
				t.Errorf("plain: %v", err)
			}
		})
	}
}

// TestLyingRepository: what is not the content of its digest is not kept.
func TestLyingRepository(t *testing.T) {
	t.Parallel()
	for name, c := range caches(t, 0) {
		r := newRepo()
		d := describe("wanted")
		r.content[d.Digest] = []byte("poison")
		_, _ = c.Repository(r).Fetch(t.Context(), d, 100)
		r.content[d.Digest] = []byte("wanted")
		r.requests()
		if got, err := c.Repository(r).Fetch(t.Context(), d, 100); string(got) != "wanted" || err != nil || r.requests() != "fetch" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestNoCache(t *testing.T) {
	t.Parallel()
	var c *Cache
	r := newRepo("x")
	if c.Repository(r) != oci.Repository(r) {
		t.Error("nil is not nothing")
	}
	c.put(digest.FromString("x"), []byte("x"))
	if c.get(digest.FromString("x")) != nil {
		t.Error("nil keeps something")
	}
	// A directory that cannot be made.
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cached := New(Options{Dir: file}).Repository(r)
	for range 2 {
		if got, err := cached.Fetch(t.Context(), describe("x"), 10); string(got) != "x" || err != nil || r.requests() != "fetch" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// TestDamage: entries that are not what they should be cost a request.
func TestDamage(t *testing.T) {
	t.Parallel()
	const content = "some content"
	for name, damage := range map[string]func(path string) error{
		"other bytes": func(p string) error { return os.WriteFile(p, []byte("same length!"), 0o600) },
		"truncated":   func(p string) error { return os.Truncate(p, 3) },
		"empty":       func(p string) error { return os.Truncate(p, 0) },
		"huge":        func(p string) error { return os.Truncate(p, 1<<30) },
		"directory":   func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) },
		"link":        func(p string) error { return errors.Join(os.Remove(p), os.Symlink("/dev/zero", p)) },
		"gone":        os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c := New(Options{Dir: dir})
			r := newRepo(content)
			if _, err := c.Repository(r).Fetch(t.Context(), describe(content), 100); err != nil {
				t.Fatal(err)
			}
			path := c.store.(*disk).path(digest.FromString(content))
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("%v, %v", info, err)
			}
			if err := damage(path); err != nil {
				t.Fatal(err)
			}
			r.requests()
			if got, err := c.Repository(r).Fetch(t.Context(), describe(content), 100); string(got) != content || err != nil || r.requests() != "fetch" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// TestBound: the cache keeps what was of use lately, within its bound.
func TestBound(t *testing.T) {
	t.Parallel()
	entry := strings.Repeat("x", 1000)
	for name, c := range caches(t, 256<<10) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if s, ok := c.store.(*disk); ok {
				s.loose.Store(math.MinInt64) // no packs
			}
			for i := range 2000 {
				content := fmt.Appendf(nil, "%d %s", i, entry)
				c.put(digest.FromBytes(content), content)
			}
			if m, ok := c.store.(*memory); ok {
				if m.size > m.max/2 || len(m.earlier) == 0 {
					t.Errorf("%d bytes", m.size)
				}
				return
			}
			s := c.store.(*disk)
			old := time.Now().Add(-2 * orphanAge)
			shard := filepath.Join(s.dir, "sha256", "0")
			for _, name := range []string{beginning + "1", beginning + "2"} {
				if err := os.WriteFile(filepath.Join(shard, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chtimes(filepath.Join(shard, beginning+"1"), old, old); err != nil {
				t.Fatal(err)
			}
			for i := range shards {
				tidy(filepath.Join(s.dir, "sha256", fmt.Sprintf("%x", i)), s.max/shards)
			}
			total, _ := filepath.Glob(filepath.Join(s.dir, "sha256", "*", "*"))
			if len(total) > 256 {
				t.Errorf("%d entries", len(total))
			}
			if _, err := os.Stat(filepath.Join(shard, beginning+"1")); err == nil {
				t.Error("an orphan is left")
			}
			if _, err := os.Stat(filepath.Join(shard, beginning+"2")); err != nil {
				t.Error("a file that is being written was removed")
			}
		})
	}
}

// TestSmallEntries: what an entry takes beside its content counts, too.
func TestSmallEntries(t *testing.T) {
	t.Parallel()
	const room = 40
	m := &memory{max: 2 * room * recordBytes}
	dir := t.TempDir()
	for i := range 10 * room {
		d := digest.FromString(fmt.Sprint(i))
		m.put(d, []byte{byte(i)})
		m.drop("sha256:not there")
		if n := len(m.recent) + len(m.earlier); n > 2*room {
			t.Fatalf("%d entries", n)
		}
		if err := os.WriteFile(filepath.Join(dir, d.Encoded()), []byte{byte(i)}, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tidy(dir, room*blockBytes)
	if files, err := os.ReadDir(dir); err != nil || len(files) == 0 || len(files) > room {
		t.Errorf("%d files, %v", len(files), err)
	}
}

// TestTidySparesOthers: a directory may hold what was never a cache's.
func TestTidySparesOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"notes.txt", "salt", strings.Repeat("g", 64), strings.Repeat("a", 63)} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, 100), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tidy(dir, 0)
	if files, err := os.ReadDir(dir); err != nil || len(files) != 4 {
		t.Errorf("%v, %v", files, err)
	}
}

// TestTouch: what was of use is kept longer than what was not.
func TestTouch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newDisk(dir, 1<<20)
	d := digest.Digest("sha256:" + strings.Repeat("ab", 32))
	s.put(d, []byte("content"))
	old := time.Now().Add(-2 * touchAge)
	if err := os.Chtimes(s.path(d), old, old); err != nil {
		t.Fatal(err)
	}
	if s.get(d, always) == nil {
		t.Fatal("gone")
	}
	if info, err := os.Stat(s.path(d)); err != nil || !info.ModTime().After(old) {
		t.Error("not touched")
	}
}

func always([]byte) bool { return true }

func TestConcurrently(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var group sync.WaitGroup
	for i := range 8 {
		c := New(Options{Dir: dir, MaxBytes: 64 << 10})
		if i%2 == 0 {
			c = New(Options{MaxBytes: 16 << 10})
		}
		group.Go(func() {
			for j := range 200 {
				content := strings.Repeat("y", 500) + fmt.Sprint(j%40)
				r := newRepo(content)
				if got, err := c.Repository(r).Fetch(t.Context(), describe(content), 1000); string(got) != content || err != nil {
					t.Errorf("%v", err)
				}
			}
		})
	}
	group.Wait()
}

func TestClose(t *testing.T) {
	t.Parallel()
	for name, c := range caches(t, 0) {
		before, after := digest.FromString("before"), digest.FromString("after")
		c.put(before, []byte("before"))
		c.Close()
		c.Close()
		c.put(after, []byte("after"))
		if c.get(before) == nil || c.get(after) != nil {
			t.Errorf("%s: %s and %s", name, c.get(before), c.get(after))
		}
	}
	(*Cache)(nil).Close()
}
