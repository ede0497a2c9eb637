package remote

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// descriptorOf is a listing's entry for a manifest with the given content.
func descriptorOf(content, artifactType string) ocispec.Descriptor {
	return ocispec.Descriptor{
		MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString(content), Size: int64(len(content)), ArtifactType: artifactType,
	}
}

var subjectDigest = digest.FromString("the subject") // only read

func names(l oci.Listing, known ...string) string {
	var s []string
	for _, d := range l.Referrers {
		name := string(d.Digest)
		for _, k := range known {
			if digest.FromString(k) == d.Digest {
				name = k
			}
		}
		s = append(s, name)
	}
	return strings.Join(s, " ")
}

// places is a registry of which only the listing endpoints exist. A nil
// handler is a place that does not.
type places struct{ api, tag, current, older http.HandlerFunc }

func (p places) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := http.HandlerFunc(nil)
	switch {
	case strings.Contains(r.URL.Path, "/v2/app/_oras/artifacts/referrers"):
		h = p.current
	case strings.HasPrefix(r.URL.Path, "/oras/artifacts/v1/app/manifests/"):
		h = p.older
	case strings.Contains(r.URL.Path, "/app/referrers/"):
		h = p.api
	case strings.Contains(r.URL.Path, "/app/manifests/"):
		h = p.tag
	}
	if h == nil {
		http.NotFound(w, r)
		return
	}
	h(w, r)
}

func says(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write([]byte(body))
	}
}

func fails(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// entries is the text of an index with these entries.
func entries(list string) string {
	return `{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageIndex + `","manifests":[` + list + `]}`
}

func encoded(encoding, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", encoding)
		says(contentType, body)(w, r)
	}
}

func lists3(list ...ocispec.Descriptor) http.HandlerFunc {
	return says(ocispec.MediaTypeImageIndex, string(indexOf(list...)))
}

func hangsUp(w http.ResponseWriter, _ *http.Request) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = c.Close()
	}
}

// attack: REG-03
// attack: REG-09
func TestReferrersSources(t *testing.T) {
	t.Parallel()
	a, b, c := descriptorOf("a", ""), descriptorOf("b", "type/b"), descriptorOf("c", "type/c")
	wrong := a
	wrong.Size++
	self := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: subjectDigest, Size: 11}
	old := `{"referrers":[{"mediaType":"application/vnd.cncf.oras.artifact.manifest.v1+json","digest":"` + string(c.Digest) + `","size":1,"artifactType":"type/c"}]}`
	index := ocispec.MediaTypeImageIndex
	plain := `{"schemaVersion":2,"manifests":[{"mediaType":"x/y","digest":"` + string(a.Digest) + `","size":1,"annotations":null,"future":{"x":[1]}}]}`
	for _, tt := range []struct {
		name     string
		places   places
		filter   string
		max      int
		want     string
		code     reason.Code
		more     bool
		warnings int
	}{
		{"nothing anywhere", places{}, "", 0, "", "", false, 0},
		{"API only", places{api: lists3(a, b)}, "", 0, "a b", "", false, 0},
		{"tag only", places{tag: lists3(a, b)}, "", 0, "a b", "", false, 0},
		{"both, merged once each", places{api: lists3(a, b, a), tag: lists3(b, c, c)}, "", 0, "a b c", "", false, 0},
		{"a wrong size first", places{api: lists3(wrong, a, wrong), tag: lists3(a)}, "", 0, "a a", "", false, 0},
		{"empty API, tag kept from before", places{api: lists3(), tag: lists3(c)}, "", 0, "c", "", false, 0},
		{"list as null", places{api: says(index, `{"schemaVersion":2,"mediaType":"`+index+`","manifests":null}`)}, "", 0, "", "", false, 0},
		{"index sent as JSON without type", places{api: says("application/json", plain)}, "", 0, "a", "", false, 0},
		{"filter not honoured", places{api: lists3(a, b, c)}, "type/b", 0, "a b", "", false, 0},
		{"config's type in place of artifactType", places{api: lists3(descriptorOf("a", ocispec.MediaTypeEmptyJSON), c)}, "type/b", 0, "a", "", false, 0},
		{"artifactType missing in the tag", places{tag: lists3(a, c)}, "type/b", 0, "a", "", false, 0},
		{"the subject itself", places{api: lists3(self, a), tag: lists3(self)}, "", 0, "a", "", false, 0},
		{"index within index", places{api: lists3(ocispec.Descriptor{MediaType: index, Digest: a.Digest, Size: 1})}, "", 0, "a", "", false, 0},
		{"at the limit", places{api: lists3(a, b)}, "", 2, "a b", "", false, 0},
		{"over the limit", places{api: lists3(a, b), tag: lists3(c)}, "", 2, "a b", "", true, 0},

		{"API answers HTML", places{api: says("text/html", "<html>"), tag: lists3(a)}, "", 0, "a", "", false, 1},
		{"API answers other JSON", places{api: says("application/json", `{"ok":true}`), tag: lists3(a)}, "", 0, "a", "", false, 1},
		{"API answers an image", places{api: says("application/json", `{"schemaVersion":2,"mediaType":"`+ocispec.MediaTypeImageManifest+`"}`), tag: lists3(a)}, "", 0, "a", "", false, 1},
		{"API answers HTML as index", places{api: says(index, "<html>"), tag: lists3(a)}, "", 0, "a", reason.RegistryListing, false, 0},
		{"API answers HTML, nothing else", places{api: says("text/html", "<html>")}, "", 0, "", reason.RegistryNoListing, false, 0},
		{"API answers nothing, nothing else", places{api: says("text/plain", "")}, "", 0, "", reason.RegistryNoListing, false, 0},
		{"API answers other JSON, nothing else", places{api: says("application/json", `{"ok":true}`)}, "", 0, "", reason.RegistryNoListing, false, 0},
		{"API answers HTML, tag is the subject", places{api: says("text/html", "<html>"), tag: says(ocispec.MediaTypeImageManifest, "the subject")}, "", 0, "", reason.RegistryNoListing, false, 1},
		{"API answers HTML, tag is empty", places{api: says("text/html", "<html>"), tag: lists3()}, "", 0, "", "", false, 1},
		{"API answers HTML, predecessor lists", places{api: says("text/html", "<html>"), current: says("application/json", old)}, "", 0, "c", "", false, 1},
		{"HTML for everything", places{says("text/html", "<html>"), says("text/html", "<html>"), says("text/html", "<html>"), says("text/html", "<html>")}, "", 0, "", reason.RegistryNoListing, false, 1},
		{"API deep without an object", places{api: says(index, strings.Repeat("[", 100))}, "", 0, "", reason.RegistryListing, false, 0},
		{"API empty, sent as index", places{api: says(index, "")}, "", 0, "", reason.RegistryListing, false, 0},
		{"API list, sent as index", places{api: says(index, "[]")}, "", 0, "", reason.RegistryListing, false, 0},
		{"API object, sent as index", places{api: says(index, "{}")}, "", 0, "", reason.RegistryListing, false, 0},
		{"API index without list", places{api: says("application/json", `{"schemaVersion":2,"mediaType":"`+index+`"}`)}, "", 0, "", reason.RegistryListing, false, 0},
		{"API cut, sent as JSON", places{api: says("application/json", `{"schemaVersion":2,"manifests":[`)}, "", 0, "", reason.RegistryListing, false, 0},
		{"API cut, sent as other JSON", places{api: says("application/problem+json", `[`)}, "", 0, "", reason.RegistryListing, false, 0},
		{"API cut, sent as nothing", places{api: says("application/octet-stream", ` {"schemaVersion":2,`)}, "", 0, "", reason.RegistryListing, false, 0},
		{"API compressed", places{api: encoded("gzip", index, "\x1f\x8b\x08")}, "", 0, "", reason.RegistryListing, false, 0},
		{"API compressed, type unknown", places{api: encoded("br", "x/y", "\x0b\x02")}, "", 0, "", reason.RegistryListing, false, 0},
		{"API with the encoding of none", places{api: encoded("identity", index, string(indexOf(a)))}, "", 0, "a", "", false, 0},
		{"tag compressed", places{tag: encoded("gzip", index, "\x1f\x8b\x08")}, "", 0, "", reason.RegistryListing, false, 0},
		{"tag not JSON, sent as index", places{tag: says(index, "<html>")}, "", 0, "", reason.RegistryListing, false, 0},
		{"API not allowed", places{api: fails(405), tag: lists3(a)}, "", 0, "a", "", false, 0},
		{"API unsupported", places{api: func(w http.ResponseWriter, _ *http.Request) { refuse(w, 400, "UNSUPPORTED") }, tag: lists3(a)}, "", 0, "a", "", false, 0},
		{"tag is the subject", places{tag: says(ocispec.MediaTypeImageManifest, "the subject")}, "", 0, "", "", false, 1},
		{"tag is an image", places{api: lists3(a), tag: says(ocispec.MediaTypeImageManifest, `{"schemaVersion":2}`)}, "", 0, "a", "", false, 1},
		{"tag is HTML", places{tag: says("text/html", "<html>")}, "", 0, "", reason.RegistryNoListing, false, 0},
		{"bad entries beside a good one", places{api: says(index, `{"schemaVersion":2,"manifests":[
			{"mediaType":"x/y","digest":"sha256:../..","size":1},{"mediaType":"x/y","digest":"md5:00","size":1},
			{"mediaType":"x/y","digest":"`+string(b.Digest)+`","size":-1},{"digest":"`+string(b.Digest)+`","size":4611686018427387904},
			{"digest":"`+string(b.Digest)+`","size":1e400},{"digest":5},7,
			{"mediaType":"`+ocispec.MediaTypeImageManifest+`","digest":"`+string(a.Digest)+`","size":1}]}`)}, "", 0, "a", reason.RegistryListingEntry, false, 0},
		{"bad entry of the type asked for", places{api: says(index, entries(`{"digest":"`+string(b.Digest)+`","size":4611686018427387904,"artifactType":"type/b"}`))}, "type/b", 0, "", reason.RegistryListingEntry, false, 0},
		{"bad entry of another type", places{api: says(index, entries(`{"digest":"`+string(b.Digest)+`","size":4611686018427387904,"artifactType":"type/c"}`))}, "type/b", 0, "", "", false, 1},
		{"bad entry of the empty type", places{api: says(index, entries(`{"digest":"x","artifactType":"`+ocispec.MediaTypeEmptyJSON+`"}`))}, "type/b", 0, "", reason.RegistryListingEntry, false, 0},
		{"bad entry of two types", places{api: says(index, entries(`{"digest":"x","artifactType":7}`))}, "type/b", 0, "", reason.RegistryListingEntry, false, 0},
		{"bad entry for the subject itself", places{api: says(index, entries(`{"digest":"`+string(subjectDigest)+`","size":-1}`))}, "type/b", 0, "", "", false, 1},
		{"bad entry in the tag", places{api: lists3(b), tag: says(index, entries(`{"digest":"md5:00","size":1,"artifactType":"type/b"}`))}, "type/b", 0, "b", reason.RegistryListingEntry, false, 0},
		{"bad entry of the predecessor", places{current: says("application/json", `{"referrers":[{"digest":"md5:00","artifactType":"type/b"}]}`)}, "type/b", 0, "", reason.RegistryListingEntry, false, 0},
		{"bad entries without end", places{api: says(index, entries(strings.Repeat(`{"digest":"x","artifactType":"type/c"},`, maxUnusable)+`{"digest":"x","artifactType":"type/c"}`))}, "type/b", 0, "", reason.RegistryListingEntry, false, maxWarnings},

		{"predecessor", places{current: says("application/json", old)}, "", 0, "c", "", false, 0},
		{"older predecessor", places{older: says("application/json", old)}, "", 0, "c", "", false, 0},
		{"predecessor, empty as null", places{current: says("application/json", `{"referrers":null}`)}, "", 0, "", "", false, 0},
		{"predecessor is HTML", places{current: says("text/html", "<html>"), older: says("text/html", "<html>")}, "", 0, "", "", false, 0},
		{"predecessor forbidden", places{current: fails(403), older: fails(401)}, "", 0, "", "", false, 0},
		{"predecessor malformed", places{current: says("application/json", `{"referrers":[`)}, "", 0, "", reason.RegistryListing, false, 0},
		{"predecessor knows nothing", places{current: says("application/json", `{"ok":true}`)}, "", 0, "", "", false, 0},
		{"predecessor not a list", places{current: says("application/json", `{"referrers":{}}`)}, "", 0, "", reason.RegistryListing, false, 0},
		{"predecessor down", places{current: fails(503)}, "", 0, "", reason.RegistryUnavailable, false, 0},

		{"API down, tag found", places{api: fails(500), tag: lists3(a)}, "", 0, "a", reason.RegistryUnavailable, false, 0},
		{"API down, tag absent", places{api: fails(502)}, "", 0, "", reason.RegistryUnavailable, false, 0},
		{"API found, tag down", places{api: lists3(a), tag: fails(500)}, "", 0, "a", reason.RegistryUnavailable, false, 0},
		{"both down", places{api: fails(500), tag: fails(500)}, "", 0, "", reason.RegistryUnavailable, false, 0},
		{"API forbidden", places{api: fails(403)}, "", 0, "", reason.RegistryDenied, false, 0},
		{"tag unauthorised", places{tag: fails(401)}, "", 0, "", reason.RegistryUnauthorized, false, 0},
		{"API hangs up", places{api: hangsUp, tag: lists3(a)}, "", 0, "a", reason.RegistryUnreachable, false, 0},
		{"API bad request", places{api: fails(400), tag: lists3(a)}, "", 0, "a", reason.RegistryResponse, false, 0},
		{"API truncated", places{api: says(index, `{"schemaVersion":2,"manifests":[`), tag: lists3(a)}, "", 0, "a", reason.RegistryListing, false, 0},
		{"API with a member twice", places{api: says(index, `{"schemaVersion":2,"manifests":[],"manifests":[]}`)}, "", 0, "", reason.RegistryListing, false, 0},
		{"API deep", places{api: says(index, `{"manifests":`+strings.Repeat("[", 100_000))}, "", 0, "", reason.RegistryListing, false, 0},
		{"API list is an object", places{api: says(index, `{"schemaVersion":2,"manifests":{}}`)}, "", 0, "", reason.RegistryListing, false, 0},
		{"API one byte too long", places{api: says(index, strings.Repeat(" ", maxIndex+1)), tag: lists3(a)}, "", 0, "a", reason.OCITooLarge, false, 0},
		{"tag truncated", places{tag: says(index, `{"schemaVersion":2,`)}, "", 0, "", reason.RegistryListing, false, 0},
		{"tag too long", places{api: lists3(a), tag: says(index, strings.Repeat(" ", maxIndex+1))}, "", 0, "a", reason.OCITooLarge, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := open(t, tt.places, Options{})
			l, err := r.Referrers(t.Context(), subjectDigest, oci.ReferrersOptions{ArtifactType: tt.filter, Max: tt.max})
			wantCode(t, err, tt.code)
			if got := names(l, "a", "b", "c"); got != tt.want {
				t.Errorf("listed %q, want %q", got, tt.want)
			}
			if l.Truncated != tt.more || len(l.Warnings) != tt.warnings {
				t.Errorf("truncated %v, warnings %v", l.Truncated, l.Warnings)
			}
			if err != nil && reason.Hint(err) == "" && tt.code != reason.OCITooLarge {
				t.Errorf("%v has no hint", err)
			}
			for _, w := range l.Warnings {
				wantCode(t, w, reason.Of(w))
				if reason.Of(w) == "" {
					t.Errorf("warning %v has no code", w)
				}
			}
		})
	}
}

// TestBothFailuresReported checks that two different failures are both there.
func TestBothFailuresReported(t *testing.T) {
	t.Parallel()
	r := open(t, places{api: fails(403), tag: fails(500)}, Options{})
	_, err := r.Referrers(t.Context(), subjectDigest, oci.ReferrersOptions{})
	var codes []reason.Code
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			codes = append(codes, reason.Of(e))
		}
	}
	if fmt.Sprint(codes) != fmt.Sprint([]reason.Code{reason.RegistryDenied, reason.RegistryUnavailable}) {
		t.Errorf("got %v", err)
	}
	_, err = r.Referrers(t.Context(), "md5:00", oci.ReferrersOptions{})
	wantCode(t, err, reason.OCIDigestAlgorithm)
}

// attack: REG-03
func TestReferrersPages(t *testing.T) {
	t.Parallel()
	page := func(link func(n int, r *http.Request) string, size int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			n := 0
			_, _ = fmt.Sscan(r.URL.Query().Get("n"), &n)
			if l := link(n, r); l != "" {
				w.Header().Set("Link", l)
			}
			var list []ocispec.Descriptor
			for i := range size {
				list = append(list, descriptorOf(fmt.Sprint(n, " ", i), "type/a"))
			}
			writeIndex(w, list)
		}
	}
	next := func(n int, _ *http.Request) string { return fmt.Sprintf(`<?n=%d>; rel="next"`, n+1) }
	until := func(last int) func(int, *http.Request) string {
		return func(n int, r *http.Request) string {
			if n == last {
				return ""
			}
			return next(n, r)
		}
	}
	fixed := func(l string) func(int, *http.Request) string { return func(int, *http.Request) string { return l } }
	for _, tt := range []struct {
		name  string
		api   http.HandlerFunc
		max   int
		count int
		code  reason.Code
		more  bool
	}{
		{"three pages", page(until(2), 5), 0, 15, "", false},
		{"as many as asked for", page(until(2), 5), 15, 15, "", false},
		{"more than asked for", page(until(2), 5), 7, 7, "", true},
		{"absolute link", page(func(n int, r *http.Request) string {
			if n == 1 {
				return ""
			}
			return "<" + baseURL(r) + r.URL.Path + "?n=1>; rel=next"
		}, 5), 0, 10, "", false},
		{"endless, empty", page(next, 0), 0, 0, reason.RegistryListing, false},
		{"endless, full", page(next, 1000), 0, oci.MaxReferrers, "", true},
		{"a million entries on large pages", page(until(99), 10_000), 0, oci.MaxReferrers, "", true},
		{"circle of one", page(fixed(`<?n=0>; rel="next"`), 5), 0, 5, reason.RegistryListing, false},
		{"circle of two", page(func(n int, _ *http.Request) string { return fmt.Sprintf(`<?n=%d>; rel="next"`, 1-n) }, 5), 0, 10, reason.RegistryListing, false},
		{"other host", page(fixed(`<http://evil.example/v2/app/referrers/x>; rel="next"`), 5), 0, 5, reason.RegistryListing, false},
		{"other port", page(fixed(`<http://127.0.0.1:1/v2/app/referrers/x>; rel="next"`), 5), 0, 5, reason.RegistryListing, false},
		{"other scheme", page(func(_ int, r *http.Request) string { return "<https://" + r.Host + "/x>; rel=next" }, 5), 0, 5, reason.RegistryListing, false},
		{"scheme-relative", page(fixed(`<//evil.example/x>; rel="next"`), 5), 0, 5, reason.RegistryListing, false},
		{"file", page(fixed(`<file:///etc/passwd>; rel="next"`), 5), 0, 5, reason.RegistryListing, false},
		{"user name", page(func(_ int, r *http.Request) string { return "<http://u:p@" + r.Host + "/x>; rel=next" }, 5), 0, 5, reason.RegistryListing, false},
		{"not an address", page(fixed(`<http://[::1/>; rel="next"`), 5), 0, 5, reason.RegistryListing, false},
		{"very long", page(fixed("<?n=1&"+strings.Repeat("x", maxLink)+`>; rel="next"`), 5), 0, 5, reason.RegistryListing, false},
		{"no relation", page(fixed(`<?n=1>`), 5), 0, 5, "", false},
		{"second page fails", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("n") != "" {
				w.WriteHeader(404)
				return
			}
			page(next, 5)(w, r)
		}, 0, 5, reason.OCINotFound, false},
		{"second page is HTML", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("n") != "" {
				says("text/html", "<html>")(w, r)
				return
			}
			page(next, 5)(w, r)
		}, 0, 5, reason.RegistryListing, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := open(t, places{api: tt.api}, Options{})
			l, err := r.Referrers(t.Context(), subjectDigest, oci.ReferrersOptions{ArtifactType: "type/a", Max: tt.max})
			wantCode(t, err, tt.code)
			if len(l.Referrers) != tt.count || l.Truncated != tt.more {
				t.Errorf("%d entries, truncated %v", len(l.Referrers), l.Truncated)
			}
		})
	}
}

func TestLinkTarget(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		field, want string
		ok          bool
	}{
		{`</a>; rel="next"`, "/a", true},
		{`</a>;rel=next`, "/a", true},
		{`</a>; REL="Next"`, "/a", true},
		{`</a>; rel="prev", </b>; rel="next"`, "/b", true},
		{`</a>; title="x, <y>; rel=next"; rel="prev", </b>; rel="last next"`, "/b", true},
		{`</a>; title="\", rel=next"; rel=prev`, "", false},
		{`</a,b>; rel=next`, "/a,b", true},
		{`</a>`, "", false},
		{`</a`, "", false},
		{`</a>; rel`, "", false},
		{`</a>; nrel=next`, "", false},
		{``, "", false},
		{`rel=next`, "", false},
	} {
		if got, ok := linkTarget(tt.field, "next"); got != tt.want || ok != tt.ok {
			t.Errorf("%s: got %q, %v", tt.field, got, ok)
		}
	}
	u := &url.URL{Scheme: "https", Host: "reg.example", Path: "/v2/app/referrers/x"}
	if next, err := nextPage(http.Header{"Link": {`<a>; rel=prev`, `<https://REG.example:443/y#f>; rel=next`}}, u); err != nil || next.String() != "https://REG.example:443/y" {
		t.Errorf("got %v, %v", next, err)
	}
}

func TestReferrersTag(t *testing.T) {
	t.Parallel()
	long := digest.SHA512.FromString("x")
	for d, want := range map[digest.Digest]string{
		subjectDigest: "sha256-" + subjectDigest.Encoded(),
		long:          "sha512-" + long.Encoded()[:64],
	} {
		if got := referrersTag(d); got != want || len(got) > 128 {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func FuzzReferrersIndex(f *testing.F) {
	f.Add(indexOf(descriptorOf("a", ""), descriptorOf("b", "type/b")), ocispec.MediaTypeImageIndex)
	f.Add([]byte(`{"schemaVersion":2,"manifests":null,"x":1}`), "")
	f.Add([]byte(`{"referrers":[{"digest":"sha256:00"}]}`), "application/json")
	f.Add([]byte("<html>"), "text/html")
	f.Fuzz(func(t *testing.T, raw []byte, mediaType string) {
		if x, err := parsePredecessor(raw, mediaType); err == nil {
			checkEntries(t, x)
		}
		x, err := parseIndex(raw, mediaType)
		if err != nil {
			if _, again := parseListing(raw, mediaType); x != nil || again == nil || err.Error() != again.Error() {
				t.Fatalf("an index and an error, or another error when read to be listed: %v, %v", err, again)
			}
			return
		}
		checkEntries(t, x)
		checkSkimmed(t, x, raw, mediaType)
		e, err := newEntry(descriptorOf("new", "type/new"))
		if err != nil {
			t.Fatal(err)
		}
		out, err := x.with([]entry{e}, nil)
		if err != nil {
			t.Fatal(err)
		}
		y, err := parseIndex(out, ocispec.MediaTypeImageIndex)
		if err != nil {
			t.Fatalf("rewritten index: %v", err)
		}
		if len(y.all) != len(x.all)+1 || len(y.entries) != len(x.entries)+1 {
			t.Fatal("rewriting lost an entry")
		}
	})
}

// checkSkimmed fails if an index that is read to be listed says something else
// than y, which is the same, read to be rewritten.
func checkSkimmed(t *testing.T, y *index, raw []byte, mediaType string) *index {
	t.Helper()
	x, err := parseListing(raw, mediaType)
	if err != nil || len(y.entries) != len(x.entries) || len(y.unusable) != len(x.unusable) || y.flooded != x.flooded {
		t.Fatalf("read to be listed: %v", err)
	}
	for i := range y.entries {
		if !reflect.DeepEqual(y.entries[i].descriptor, x.entries[i].descriptor) {
			t.Fatalf("entry %d is %v, and %v when read to be listed", i, y.entries[i].descriptor, x.entries[i].descriptor)
		}
	}
	if _, err := x.with(nil, nil); x.skimmed != (err != nil) {
		t.Fatalf("skimmed %v, and rewriting it says %v", x.skimmed, err)
	}
	return x
}

// TestSkimmedIndex checks which indexes are read once only, and that the others
// are read as they were before.
func TestSkimmedIndex(t *testing.T) {
	t.Parallel()
	a, b := descriptorOf("a", oci.ArtifactTypeSignature), descriptorOf("b", "type/b")
	good := string(indexOf(a, b))
	one := string(indexOf(a))
	for _, c := range []struct {
		name, text, mediaType string
		skimmed, refused      bool
		entries, unusable     int
	}{
		{"plain", good, ocispec.MediaTypeImageIndex, true, false, 2, 0},
		{"sent as something else", good, "text/plain", true, false, 2, 0},
		{"no type", `{"schemaVersion":2,"manifests":[]}`, "", true, false, 0, 0},
		{"no list", `{"schemaVersion":2}`, "", false, true, 0, 0},
		{"an entry of another shape", strings.Replace(one, `"manifests":[`, `"manifests":[7,`, 1), ocispec.MediaTypeImageIndex, false, false, 1, 1},
		{"an entry that cannot be used", strings.Replace(one, `"manifests":[`, `"manifests":[{},`, 1), ocispec.MediaTypeImageIndex, false, false, 1, 1},
		{"an entry with a member twice", strings.Replace(good, `"digest":`, `"digest":"sha256:00","digest":`, 1), ocispec.MediaTypeImageIndex, false, true, 0, 0},
		{"an entry with a variant", strings.Replace(good, `"digest":`, `"Digest":"sha256:00","digest":`, 1), ocispec.MediaTypeImageIndex, false, false, 1, 1},
		{"an entry with null", strings.Replace(string(indexOf(descriptorOf("a", ""))), `"digest":`, `"artifactType":null,"digest":`, 1), ocispec.MediaTypeImageIndex, false, false, 0, 1},
		{"null for the list", `{"schemaVersion":2,"manifests":null}`, "", false, false, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x, err := parseIndex([]byte(c.text), c.mediaType)
			if c.refused {
				if _, again := parseListing([]byte(c.text), c.mediaType); err == nil || again == nil || err.Error() != again.Error() {
					t.Fatalf("got %v, and %v when read to be listed", err, again)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			x = checkSkimmed(t, x, []byte(c.text), c.mediaType)
			if x.skimmed != c.skimmed || len(x.entries) != c.entries || len(x.unusable) != c.unusable {
				t.Fatalf("skimmed %v, %d entries, %d unusable", x.skimmed, len(x.entries), len(x.unusable))
			}
		})
	}
}

func checkEntries(t *testing.T, x *index) {
	t.Helper()
	if len(x.unusable) > maxUnusable {
		t.Fatal("too many unusable entries")
	}
	for _, e := range x.entries {
		if err := oci.CheckDescriptor(e.descriptor, oci.MaxManifestSize); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzLinkHeader(f *testing.F) {
	f.Add(`</a>; rel="next"`)
	f.Add(`</a>; title="x, <y>"; rel="prev", </b>; rel="last next"`)
	f.Add(`<https://reg.example/v2/?n=1&last=x>;rel=next`)
	f.Add(`<//evil>;rel=next,<`)
	current := &url.URL{Scheme: "https", Host: "reg.example", Path: "/v2/app/referrers/x"}
	f.Fuzz(func(t *testing.T, field string) {
		next, err := nextPage(http.Header{"Link": {field}}, current)
		if err != nil {
			wantCode(t, err, reason.RegistryListing)
			return
		}
		if next != nil && (next.Scheme != "https" || !strings.EqualFold(next.Hostname(), "reg.example") || next.User != nil) {
			t.Fatalf("leads to %s", next)
		}
	})
}

func BenchmarkParseIndex(b *testing.B) {
	var list []ocispec.Descriptor
	for i := range 100 {
		d := descriptorOf(fmt.Sprint(i), oci.ArtifactTypeSignature)
		d.Annotations = map[string]string{oci.AnnotationThumbprints: `["` + d.Digest.Encoded() + `"]`}
		list = append(list, d)
	}
	raw := indexOf(list...)
	b.ReportAllocs()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if x, err := parseIndex(raw, ocispec.MediaTypeImageIndex); err != nil || len(x.entries) != 100 {
			b.Fatal(errors.Join(err, errNoIndex))
		}
	}
}

// TestEndlessPages checks that a listing without end is called by its name.
//
// attack: REG-03
func TestEndlessPages(t *testing.T) {
	t.Parallel()
	n := 0
	r := open(t, places{api: func(w http.ResponseWriter, _ *http.Request) {
		n++ // the pages are asked for one after another
		w.Header().Set("Link", fmt.Sprintf(`<?n=%d>; rel="next"`, n))
		writeIndex(w, nil)
	}}, Options{})
	_, err := r.Referrers(t.Context(), subjectDigest, oci.ReferrersOptions{})
	wantCode(t, err, reason.RegistryListing)
	if !strings.Contains(err.Error(), fmt.Sprintf("not ended after %d pages", maxPages)) || strings.Contains(err.Error(), fmt.Sprint(oci.MaxReferrers)) {
		t.Errorf("got %v", err)
	}
}
