package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
)

// listing is what came of reading a whole listing.
type listing struct {
	names   []string
	refused []string // names left out, as they are told
	err     error    // that ended it
}

func collect[T any](names iter.Seq2[T, error], text func(T) string) (l listing) {
	for name, err := range names {
		switch {
		case l.err != nil:
			l.err = fmt.Errorf("it went on after %w", l.err)
		case err == nil:
			l.names = append(l.names, text(name))
		case reason.Of(err) == reason.RegistryListingEntry:
			l.refused = append(l.refused, err.Error())
		default:
			l.err = err
		}
	}
	return l
}

// catalogOf lists the catalog of a handler.
func catalogOf(t testing.TB, h http.HandlerFunc, prefix string, o Options) listing {
	t.Helper()
	host := serve(t, h)
	c := quick(NewClient(o))
	t.Cleanup(c.CloseIdleConnections)
	return collect(c.Repositories(t.Context(), host, prefix), func(r oci.Reference) string {
		if r.Registry() != host {
			t.Errorf("%s is not of %s", r, host)
		}
		return r.Repository()
	})
}

func tagsOf(t testing.TB, h http.HandlerFunc) listing {
	t.Helper()
	return collect(open(t, h, Options{}).Tags(t.Context()), func(s string) string { return s })
}

// pageOf answers a listing in pages of a size, of which the next is named by
// the last name.
func pageOf(member string, size int, names ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		rest := names
		if last := r.URL.Query().Get("last"); last != "" {
			rest = rest[slices.Index(rest, last)+1:]
		}
		if len(rest) > size {
			rest = rest[:size]
			w.Header().Set("Link", fmt.Sprintf(`<%s?n=%d&last=%s>; rel="next"`, r.URL.Path, size, rest[size-1]))
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{member: rest})
	}
}

func TestRepositories(t *testing.T) {
	t.Parallel()
	all := []string{"app", "team", "team/a", "team/a/b", "teams/x", "z"}
	for name, tt := range map[string]struct {
		h      http.HandlerFunc
		prefix string
		names  []string
		code   reason.Code
	}{
		"one page":            {pageOf("repositories", 10, all...), "", all, ""},
		"many pages":          {pageOf("repositories", 1, all...), "", all, ""},
		"prefix":              {pageOf("repositories", 2, all...), "team", []string{"team", "team/a", "team/a/b"}, ""},
		"deeper prefix":       {pageOf("repositories", 2, all...), "team/a", []string{"team/a", "team/a/b"}, ""},
		"none":                {says("application/json", `{"repositories":[]}`), "", nil, ""},
		"null":                {says("application/json", `{"repositories":null}`), "", nil, ""},
		"no member":           {says("application/json", `{"name":"x"}`), "", nil, reason.RegistryListing},
		"no JSON":             {says("application/json", `<html>`), "", nil, reason.RegistryListing},
		"numbers":             {says("application/json", `{"repositories":[1]}`), "", nil, reason.RegistryListing},
		"null member":         {says("application/json", `{"repositories":[null]}`), "", nil, reason.RegistryListing},
		"twice":               {says("application/json", `{"repositories":["a"],"repositories":["b"]}`), "", nil, reason.RegistryListing},
		"not there":           {http.NotFound, "", nil, reason.RegistryNoCatalog},
		"method":              {fails(http.StatusMethodNotAllowed), "", nil, reason.RegistryNoCatalog},
		"no operation":        {fails(http.StatusNotImplemented), "", nil, reason.RegistryNoCatalog},
		"denied":              {fails(http.StatusForbidden), "", nil, reason.RegistryNoCatalog},
		"login":               {fails(http.StatusUnauthorized), "", nil, reason.RegistryNoCatalog},
		"down":                {fails(http.StatusInternalServerError), "", nil, reason.RegistryUnavailable},
		"teapot":              {fails(http.StatusTeapot), "", nil, reason.RegistryResponse},
		"the same name again": {says("application/json", `{"repositories":["a","a","b","b"]}`), "", []string{"a", "b"}, ""},
		"encoded":             {encoded("br", "application/json", "x"), "", nil, reason.RegistryListing},
		"hostile prefix":      {pageOf("repositories", 2, all...), "../x", nil, reason.OCIRepositoryName},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := catalogOf(t, tt.h, tt.prefix, Options{})
			if l.err == nil != (tt.code == "") || l.err != nil && reason.Of(l.err) != tt.code {
				t.Fatalf("error %v (%s), want %q", l.err, reason.Of(l.err), tt.code)
			}
			if l.err != nil {
				wantCode(t, l.err, tt.code)
			}
			if !slices.Equal(l.names, tt.names) || len(l.refused) > 0 {
				t.Errorf("%q, left out %q; want %q", l.names, l.refused, tt.names)
			}
			if tt.code == reason.RegistryNoCatalog && !strings.Contains(reason.Hint(l.err), "in a list") {
				t.Errorf("hint: %s", reason.Hint(l.err))
			}
		})
	}
}

// TestRegistryNameOfCatalog refuses what is no host before anything is sent.
func TestRegistryNameOfCatalog(t *testing.T) {
	t.Parallel()
	c := NewClient(Options{})
	for _, name := range []string{"", "https://r.example", "r.example/app", "a b"} {
		wantCode(t, collect(c.Repositories(t.Context(), name, ""), oneNameOf).err, reason.OCIReference)
	}
}

func oneNameOf(r oci.Reference) string { return r.Repository() }

// TestHostileNames leaves out what is no name of a repository or tag, and says
// so, safe to print.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	// attack: REG-03
	hostile := []string{"../../etc/passwd", "a/../b", "/a", "a//b", "A", "a b", "\x1b[2Jx", "a:b", "a@sha256:" + strings.Repeat("a", 64), "", ".", strings.Repeat("a", 300), "\u202egpj", "a\nb"}
	repos := append(slices.Clone(hostile), "good")
	l := catalogOf(t, pageOf("repositories", 100, repos...), "", Options{})
	if l.err != nil || !slices.Equal(l.names, []string{"good"}) || len(l.refused) != len(hostile) {
		t.Errorf("%+v", l)
	}
	tags := append(slices.Clone(hostile), "-x", ".x", "a/b")
	tags = slices.DeleteFunc(tags, func(s string) bool { return s == "A" })
	tl := tagsOf(t, pageOf("tags", 100, append(tags, "v1")...))
	if tl.err != nil || !slices.Equal(tl.names, []string{"v1"}) || len(tl.refused) != len(tags) {
		t.Errorf("%+v", tl)
	}
	for _, said := range append(l.refused, tl.refused...) {
		if strings.ContainsFunc(said, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("not safe to print: %q", said)
		}
	}
	// Too many of them end the listing.
	var many []string
	for i := range 3000 {
		many = append(many, "A"+strconv.Itoa(i))
	}
	l = catalogOf(t, pageOf("repositories", 10_000, many...), "", Options{})
	if len(l.refused) != maxUnusable {
		t.Errorf("%d were told", len(l.refused))
	}
	wantCode(t, l.err, reason.RegistryListing)
	wantCode(t, tagsOf(t, pageOf("tags", 10_000, func() (bad []string) {
		for i := range 3000 {
			bad = append(bad, "/"+strconv.Itoa(i))
		}
		return bad
	}()...)).err, reason.RegistryListing)
}

func TestTags(t *testing.T) {
	t.Parallel()
	subject := "sha256-" + strings.Repeat("0", 64)
	for name, tt := range map[string]struct {
		h     http.HandlerFunc
		names []string
		code  reason.Code
	}{
		"pages":          {pageOf("tags", 2, "v1", "v2", "v3"), []string{"v1", "v2", "v3"}, ""},
		"null":           {says("application/json", `{"name":"app","tags":null}`), nil, ""},
		"referrers tags": {pageOf("tags", 2, "v1", subject), []string{"v1", subject}, ""},
		"not there":      {http.NotFound, nil, reason.OCINotFound},
		"denied":         {fails(http.StatusForbidden), nil, reason.RegistryDenied},
		"malformed":      {says("application/json", `["v1"]`), nil, reason.RegistryListing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := tagsOf(t, tt.h)
			if reason.Of(l.err) != tt.code || !slices.Equal(l.names, tt.names) {
				t.Errorf("%+v, want %q and %q", l, tt.names, tt.code)
			}
		})
	}
}

// TestPageSizeRefused asks again without a size.
func TestPageSizeRefused(t *testing.T) {
	t.Parallel()
	l := catalogOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("n") != "" {
			refuse(w, http.StatusBadRequest, "PAGINATION_NUMBER_INVALID")
			return
		}
		says("application/json", `{"repositories":["a"]}`)(w, r)
	}, "", Options{})
	if l.err != nil || !slices.Equal(l.names, []string{"a"}) {
		t.Errorf("%+v", l)
	}
	l = catalogOf(t, fails(http.StatusBadRequest), "", Options{})
	wantCode(t, l.err, reason.RegistryResponse)
}

// TestNamePages follows no page that leads elsewhere or never ends.
func TestNamePages(t *testing.T) {
	t.Parallel()
	// attack: REG-03
	link := func(format string, args ...any) http.HandlerFunc {
		var n atomic.Int64
		return func(w http.ResponseWriter, _ *http.Request) {
			i := n.Add(1)
			w.Header().Set("Link", fmt.Sprintf("<"+format+">; rel=\"next\"", args...))
			fmt.Fprintf(w, `{"repositories":["a%d"]}`, i)
		}
	}
	var served atomic.Int64
	endless := func(body func(i int64) string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			i := served.Add(1)
			w.Header().Set("Link", fmt.Sprintf(`</v2/_catalog?last=%d>; rel="next"`, i))
			_, _ = w.Write([]byte(body(i)))
		}
	}
	for name, tt := range map[string]struct {
		h     http.HandlerFunc
		pages int // at most
		told  string
	}{
		"other host":          {link("http://r.example/v2/_catalog?last=a"), 1, "elsewhere"},
		"other port":          {link("http://127.0.0.1:1/v2/_catalog"), 1, "elsewhere"},
		"other scheme":        {link("https://localhost/v2/_catalog"), 1, "elsewhere"},
		"no address":          {link("http://[::1"), 1, "unusable address"},
		"circle of one":       {link("/v2/_catalog?last=a"), 10, "circle"},
		"endless, empty":      {endless(func(int64) string { return `{"repositories":[]}` }), 200, "without a new name"},
		"endless, one name":   {endless(func(int64) string { return `{"repositories":["a"]}` }), 10, "circle"},
		"endless, two pages":  {endless(func(i int64) string { return fmt.Sprintf(`{"repositories":["a%d"]}`, i%2) }), 20, "circle"},
		"endless, nine pages": {endless(func(i int64) string { return fmt.Sprintf(`{"repositories":["a%d"]}`, i%9) }), 50, "circle"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := catalogOf(t, tt.h, "", Options{})
			wantCode(t, l.err, reason.RegistryListing)
			if !strings.Contains(l.err.Error(), tt.told) || len(l.names) > tt.pages {
				t.Errorf("%d names, %v", len(l.names), l.err)
			}
		})
	}
}

// TestEndlessNames ends at the bound on pages.
func TestEndlessNames(t *testing.T) {
	t.Parallel()
	// attack: REG-03
	n := nameListing{repository: &Repository{name: parseRef(t, "r.example/app")}, what: "the catalog", pages: maxNamePages}
	h := http.Header{"Link": {`</v2/_catalog?last=b>; rel="next"`}}
	q := request{url: n.repository.url("/v2/_catalog")}
	q.url.Scheme, q.url.Host = "https", "r.example"
	_, err := n.next(&response{header: h}, &q, false, true)
	wantCode(t, err, reason.RegistryListing)
	n.pages, n.names = 1, maxNames
	_, err = n.next(&response{header: h}, &q, false, true)
	wantCode(t, err, reason.RegistryListing)
}

// TestManyNames reads a long listing in the memory of a page. It runs alone: what
// others hold would count.
func TestManyNames(t *testing.T) { //nolint:paralleltest // see above
	const pages, per = 1000, 1000
	transport := direct{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		if page+1 < pages {
			w.Header().Set("Link", fmt.Sprintf(`</v2/_catalog?page=%d>; rel="next"`, page+1))
		}
		w.Header().Set("Content-Type", "application/json")
		var b strings.Builder
		b.WriteString(`{"repositories":[`)
		for i := range per {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `"team-%d/app-%d"`, page, i)
		}
		b.WriteString(`]}`)
		_, _ = w.Write([]byte(b.String()))
	})}
	c := quick(NewClient(Options{Transport: transport}))
	var m runtime.MemStats
	n, most := 0, uint64(0)
	for _, err := range c.Repositories(t.Context(), "r.example", "") {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%100_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	if n != pages*per {
		t.Errorf("%d names", n)
	}
	if most > 64<<20 {
		t.Errorf("%d bytes in use", most)
	}
}

// TestNoPageAhead asks for a page only when it is wanted.
func TestNoPageAhead(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	pages := pageOf("repositories", 1, "a", "b", "c")
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		pages(w, r)
	}))
	for range NewClient(Options{}).Repositories(t.Context(), host, "") {
		break
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// TestPageTooLong refuses more than a page may hold.
func TestPageTooLong(t *testing.T) {
	t.Parallel()
	l := catalogOf(t, says("", strings.Repeat(" ", maxNamesPage+1)), "", Options{})
	wantCode(t, l.err, reason.OCITooLarge)
}

// TestListingInterrupted ends with the context.
func TestListingInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	host := serve(t, pageOf("repositories", 1, "a", "b", "c"))
	var names int
	var last error
	for _, err := range quick(NewClient(Options{})).Repositories(ctx, host, "") {
		if last = err; err == nil {
			names++
			cancel()
		}
	}
	if names != 1 || reason.Of(last) != reason.RegistryInterrupted {
		t.Errorf("%d names, %v", names, last)
	}
}

// TestCatalogToken asks for a token that allows the catalog.
func TestCatalogToken(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.auth = "bearer"
	var scopes atomic.Value
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			scopes.Store(strings.Join(r.URL.Query()["scope"], " "))
			f.serveToken(w, r)
			return
		}
		if f.authorised(w, r) {
			says("application/json", `{"repositories":["a"]}`)(w, r)
		}
	})
	l := catalogOf(t, h.ServeHTTP, "", Options{Credentials: alice()})
	if l.err != nil || len(l.names) != 1 {
		t.Errorf("%+v", l)
	}
	if s, _ := scopes.Load().(string); !strings.Contains(s, "registry:catalog:*") {
		t.Errorf("scopes %q", s)
	}
}

// TestBusy is told of every answer that says so.
func TestBusy(t *testing.T) {
	t.Parallel()
	var told atomic.Int64
	var wait atomic.Int64
	var asked atomic.Int64
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked.Add(1) {
		case 1:
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 3:
			w.WriteHeader(http.StatusInternalServerError)
		default:
			says("application/json", `{"repositories":["a"]}`)(w, r)
		}
	}))
	c := quick(NewClient(Options{Busy: func(registry string, d time.Duration) {
		if registry != host {
			t.Errorf("registry %s", registry)
		}
		told.Add(1)
		wait.Add(int64(d))
	}}))
	l := collect(c.Repositories(t.Context(), host, ""), oneNameOf)
	if l.err != nil || told.Load() != 2 || time.Duration(wait.Load()) != 7*time.Second {
		t.Errorf("%+v, told %d times, wait %v", l, told.Load(), time.Duration(wait.Load()))
	}
	// A token service, too.
	f := newFake()
	f.auth = "bearer"
	told.Store(0)
	busy := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		f.authorised(w, r)
	}))
	c = quick(NewClient(Options{Credentials: alice(), Busy: func(string, time.Duration) { told.Add(1) }}))
	if l := collect(c.Repositories(t.Context(), busy, ""), oneNameOf); reason.Of(l.err) != reason.RegistryUnavailable || told.Load() != maxTries {
		t.Errorf("%v, told %d times", l.err, told.Load())
	}
}

func FuzzNamePage(f *testing.F) {
	for _, s := range []string{`{"repositories":["a","b/c"]}`, `{"name":"a","tags":["v1"]}`, `{"tags":null}`, `{"tags":[null]}`, `{"Tags":["x"]}`, `[]`, ``, `{"repositories":{"a":1}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for member, parse := range map[string]func([]byte) (iter.Seq[string], error){"repositories": parseCatalog, "tags": parseTags} {
			listed, err := parse(raw)
			if err != nil {
				if listed != nil {
					t.Error("names with an error")
				}
				continue
			}
			names := append([]string{}, slices.Collect(listed)...)
			again, err := json.Marshal(map[string]any{member: names})
			if err != nil {
				t.Fatal(err)
			}
			second, err := parse(again)
			if err != nil || !slices.Equal(names, slices.Collect(second)) {
				t.Errorf("%q: %q, and again something else, %v", raw, names, err)
			}
			for _, name := range names {
				if ref, err := repositoryOf("r.example", name); err == nil && ref.Name() != "r.example/"+name {
					t.Errorf("%q is %q", name, ref.Name())
				}
			}
		}
	})
}
