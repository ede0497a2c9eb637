package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testoras"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// orasRegistry is a registry of the ORAS artifacts-spec: it has no referrers
// API, knows artifact manifests, and lists those with a subject at its own
// endpoints.
type orasRegistry struct {
	*fakeRegistry
	oras *testoras.Handler
}

// newORAS returns one with the current endpoint. Listings are in the fake's log.
func newORAS() *orasRegistry {
	f := newFake()
	return &orasRegistry{f, &testoras.Handler{Next: f, Current: true, Asked: func(r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.calls = append(f.calls, fakeCall{r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"), http.StatusOK})
	}}}
}

func (o *orasRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) { o.oras.ServeHTTP(w, r) }

// orasManifest is the text of an artifact manifest.
func orasManifest(artifactType string, subject oci.Descriptor, blobs ...ocispec.Descriptor) map[string]any {
	return map[string]any{
		"mediaType": oci.MediaTypeORASManifest, "artifactType": artifactType, "blobs": blobs,
		"subject":     map[string]any{"mediaType": subject.MediaType, "digest": subject.Digest, "size": subject.Size},
		"annotations": map[string]string{"org.example.build": "7"},
	}
}

// putArtifact stores an artifact manifest.
func (o *orasRegistry) putArtifact(t testing.TB, m map[string]any) oci.Descriptor {
	t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	d := o.put("app", "", oci.MediaTypeORASManifest, raw)
	o.oras.Add("app", raw)
	d.ArtifactType, _ = m["artifactType"].(string)
	return d
}

// putBlob stores a blob.
func (f *fakeRegistry) putBlob(mediaType string, content []byte) ocispec.Descriptor {
	d := digest.FromBytes(content)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blobs["app@"+string(d)] = content
	return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(content))}
}

// TestPredecessorLists checks that a registry of the ORAS artifacts-spec is
// understood, at either endpoint and page by page.
func TestPredecessorLists(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                    string
		current, older, filters bool
		page                    int
	}{
		{"current", true, false, false, 0},
		{"current, filter", true, false, true, 0},
		{"older", false, true, false, 0},
		{"older, filter, pages", false, true, true, 1},
		{"both", true, true, false, 0},
		{"both, pages", true, true, true, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newORAS()
			f.oras.Current, f.oras.Older, f.oras.Filters, f.oras.Page = tt.current, tt.older, tt.filters, tt.page
			image, other := f.putImage("v1", "1"), f.putImage("v2", "2")
			want := map[digest.Digest]string{}
			for i := range 5 {
				kind := []string{"sbom/example", "scan/example"}[i%2]
				blob := f.putBlob("text/plain", fmt.Append(nil, "content ", i))
				want[f.putArtifact(t, orasManifest(kind, image, blob)).Digest] = kind
			}
			f.putArtifact(t, orasManifest("sbom/example", other))

			r := open(t, f, Options{})
			for kind, count := range map[string]int{"": 5, "sbom/example": 3, "scan/example": 2, "none/example": 0} {
				l, err := r.Referrers(t.Context(), image.Digest, oci.ReferrersOptions{ArtifactType: kind})
				if err != nil || len(l.Referrers) != count || l.Truncated || len(l.Warnings) != 0 {
					t.Fatalf("%q: %d of %d listed, %+v, %v", kind, len(l.Referrers), count, l, err)
				}
				for _, d := range l.Referrers {
					if want[d.Digest] != d.ArtifactType || d.MediaType != oci.MediaTypeORASManifest {
						t.Errorf("%q: listed %+v", kind, d)
					}
					raw, err := r.Fetch(t.Context(), d, oci.MaxManifestSize)
					m, perr := oci.ParseManifest(raw)
					if err := errors.Join(err, perr); err != nil || m.ArtifactType != d.ArtifactType || m.Subject.Digest != image.Digest || m.Annotations["org.example.build"] != "7" {
						t.Errorf("fetched %+v, %v", m, err)
					}
				}
			}
		})
	}
}

// TestPredecessorIsAskedLast counts round trips and requests: nobody waits for
// the predecessor's endpoints, or asks them, who has found something or speaks to
// a registry with the referrers API.
func TestPredecessorIsAskedLast(t *testing.T) {
	t.Parallel()
	signature, sbom := descriptorOf("a", oci.ArtifactTypeSignature), descriptorOf("b", "sbom/example")
	for _, tt := range []struct {
		name            string
		api             bool
		tag             []ocispec.Descriptor
		broken          bool // the tag cannot be read
		depth, requests int
	}{
		{"API, unsigned", true, nil, false, 1, 2},
		{"API, nothing in the tag", true, []ocispec.Descriptor{}, false, 1, 2},
		{"API, something else in the tag", true, []ocispec.Descriptor{sbom}, false, 1, 2},
		{"tag with a signature", false, []ocispec.Descriptor{sbom, signature}, false, 1, 2},
		{"tag with what says no type", false, []ocispec.Descriptor{descriptorOf("c", "")}, false, 1, 2},
		{"tag with something else", false, []ocispec.Descriptor{sbom}, false, 2, 4},
		{"tag empty", false, []ocispec.Descriptor{}, false, 2, 4},
		{"nothing", false, nil, false, 2, 4},
		{"tag broken", false, nil, true, 1, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.api = tt.api
			image := f.putImage("v1", "1")
			if tt.tag != nil {
				f.put("app", referrersTag(image.Digest), ocispec.MediaTypeImageIndex, indexOf(tt.tag...))
			}
			if tt.broken {
				f.put("app", referrersTag(image.Digest), ocispec.MediaTypeImageIndex, []byte("{"))
			}
			depth := depthOf(t, f, Options{}, func(ctx context.Context, r *Repository) error {
				_, err := r.Referrers(ctx, image.Digest, oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature})
				if tt.broken == (err != nil) {
					return nil
				}
				return fmt.Errorf("broken %v, error %w", tt.broken, err)
			})
			if depth != tt.depth || len(f.log()) != tt.requests || len(repeated(f)) != 0 {
				t.Errorf("%d round trips, want %d; twice %q\n%v", depth, tt.depth, repeated(f), f.log())
			}
		})
	}
}

// TestPredecessorBesideTag checks that a tag which lists other things does not
// hide what the predecessor lists.
func TestPredecessorBesideTag(t *testing.T) {
	t.Parallel()
	f := newORAS()
	image := f.putImage("v1", "1")
	sbom := descriptorOf("an SBOM", "sbom/example")
	f.put("app", referrersTag(image.Digest), ocispec.MediaTypeImageIndex, indexOf(sbom))
	old := f.putArtifact(t, orasManifest(oci.ArtifactTypeSignature, image))
	l, err := open(t, f, Options{}).Referrers(t.Context(), image.Digest, oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature})
	if err != nil || len(l.Referrers) != 1 || l.Referrers[0].Digest != old.Digest {
		t.Errorf("listed %v, %v", l.Referrers, err)
	}
}

// TestHostilePredecessor checks that a listing of the predecessor is believed no
// more than others, and that one which fails is never an empty one.
//
// attack: REG-03
// attack: REG-09
func TestHostilePredecessor(t *testing.T) {
	t.Parallel()
	const plain = "application/json"
	a := descriptorOf("a", "type/a")
	entry := `{"mediaType":"` + oci.MediaTypeORASManifest + `","digest":"` + string(a.Digest) + `","size":1,"artifactType":"type/a"}`
	list := func(entries string) string { return `{"referrers":[` + entries + `]}` }
	linked := func(link, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "<"+link+`>; rel="next"`)
			says(plain, body)(w, r)
		}
	}
	second := func(then http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("page") == "2" {
				then(w, r)
				return
			}
			linked("?page=2", list(entry))(w, r)
		}
	}
	endless := func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("page"))
		linked("?page="+strconv.Itoa(n+1), list(""))(w, r)
	}
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
		code    reason.Code
	}{
		{"a list, no object", says(plain, "["+entry+"]"), "", reason.RegistryListing},
		{"a text, no object", says(plain, `"referrers"`), "", reason.RegistryListing},
		{"nothing, sent as JSON", says(plain, ""), "", reason.RegistryListing},
		{"an object, no list", says(plain, `{"referrers":{"a":1}}`), "", reason.RegistryListing},
		{"cut short", says(plain, `{"referrers":[`+entry), "", reason.RegistryListing},
		{"cut short, type unknown", says("x/y", `{"referrers":[`+entry), "", reason.RegistryListing},
		{"two lists", says(plain, `{"referrers":[],"referrers":[`+entry+`]}`), "", reason.RegistryListing},
		{"something behind", says(plain, list(entry)+list("")), "", reason.RegistryListing},
		{"deep", says(plain, `{"referrers":`+strings.Repeat("[", 100_000)), "", reason.RegistryListing},
		{"compressed", encoded("gzip", plain, "\x1f\x8b"), "", reason.RegistryListing},
		{"one byte too long", says(plain, strings.Repeat(" ", maxIndex+1)), "", reason.OCITooLarge},
		{"down", fails(http.StatusBadGateway), "", reason.RegistryUnavailable},
		{"too many requests", fails(http.StatusTooManyRequests), "", reason.RegistryUnavailable},
		{"hangs up", hangsUp, "", reason.RegistryUnreachable},
		{"twice the same", says(plain, list(entry+","+entry)), "a", ""},
		{"no size", says(plain, list(`{"digest":"`+string(a.Digest)+`","artifactType":"type/a","size":-1}`)), "", reason.RegistryListingEntry},
		{"a path for a digest", says(plain, list(entry+`,{"digest":"sha256:../../x","size":1}`)), "a", reason.RegistryListingEntry},
		{"the subject itself", says(plain, list(`{"digest":"`+string(subjectDigest)+`","size":1}`)), "", ""},
		{"another type", says(plain, list(strings.ReplaceAll(entry, "type/a", "type/b"))), "", ""},
		{"other case", says(plain, `{"Referrers":[`+entry+`]}`), "", reason.RegistryListing},

		{"page elsewhere", linked("http://evil.example/v2/x", list(entry)), "a", reason.RegistryListing},
		{"page at another port", linked("http://127.0.0.1:1/v2/x", list(entry)), "a", reason.RegistryListing},
		{"page without scheme", linked("//evil.example/x", list(entry)), "a", reason.RegistryListing},
		{"page in a circle", linked("?page=2", list(entry)), "a", reason.RegistryListing},
		{"pages without end", endless, "", reason.RegistryListing},
		{"second page gone", second(http.NotFound), "a", reason.OCINotFound},
		{"second page forbidden", second(fails(http.StatusForbidden)), "a", reason.RegistryDenied},
		{"second page is HTML", second(says("text/html", "<html>")), "a", reason.RegistryListing},
		{"second page is other JSON", second(says(plain, `{"ok":true}`)), "a", reason.RegistryListing},
	} {
		for place, p := range map[string]places{
			"current": {current: tt.handler}, "older": {older: tt.handler}, "both": {current: tt.handler, older: tt.handler},
		} {
			t.Run(tt.name+", "+place, func(t *testing.T) {
				t.Parallel()
				r := open(t, p, Options{})
				l, err := r.Referrers(t.Context(), subjectDigest, oci.ReferrersOptions{ArtifactType: "type/a"})
				wantCode(t, err, tt.code)
				if got := names(l, "a"); got != tt.want || l.Truncated {
					t.Errorf("listed %q, want %q; truncated %v", got, tt.want, l.Truncated)
				}
			})
		}
	}
}

// TestFloodedPredecessor checks the bound on entries.
//
// attack: REG-03
func TestFloodedPredecessor(t *testing.T) {
	t.Parallel()
	f := newORAS()
	f.oras.Page = 1000
	f.oras.Bend = func([]ocispec.Descriptor) []ocispec.Descriptor {
		var list []ocispec.Descriptor
		for i := range 3000 {
			list = append(list, descriptorOf(fmt.Sprint(i), "type/a"))
		}
		return list
	}
	l, err := open(t, f, Options{}).Referrers(t.Context(), subjectDigest, oci.ReferrersOptions{Max: 1500})
	if err != nil || len(l.Referrers) != 1500 || !l.Truncated || f.count("nextToken") != 1 {
		t.Errorf("%d listed, truncated %v, %v, %d more pages", len(l.Referrers), l.Truncated, err, f.count("nextToken"))
	}
}

// TestPredecessorCredentials checks that both endpoints, of which one lies beside
// the registry's API, get the login that the repository needs.
func TestPredecessorCredentials(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{"basic", "bearer"} {
		f := newORAS()
		f.oras.Older, f.auth = true, auth
		image := f.putImage("v1", "1")
		f.putArtifact(t, orasManifest("sbom/example", image))
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/token" && !f.authorised(w, r) {
				return
			}
			f.ServeHTTP(w, r)
		})
		l, err := open(t, handler, Options{Credentials: alice()}).Referrers(t.Context(), image.Digest, oci.ReferrersOptions{})
		if err != nil || len(l.Referrers) != 1 {
			t.Errorf("%s: listed %v, %v", auth, l.Referrers, err)
		}
	}
}

var orasExample = regexp.MustCompile("(?s)```http\nGET (/v2/[^\n]*)\n\n(.*?)```")

// TestPredecessorSpecification reads the example of specs/storage.md.
func TestPredecessorSpecification(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../specs/storage.md")
	if err != nil {
		t.Fatal(err)
	}
	example := orasExample.FindSubmatch(page)
	if example == nil {
		t.Fatal("the example is gone")
	}
	var asked string
	r := open(t, places{current: func(w http.ResponseWriter, r *http.Request) {
		asked = strings.Replace(r.URL.RequestURI(), "/v2/app/", "/v2/net-monitor/", 1)
		says("application/json", string(example[2]))(w, r)
	}}, Options{})
	const subject = "sha256:2897688afcd4378cbf5316e4ae12c96a62e217582fcf941bcf46a877b49fde4b"
	l, err := r.Referrers(t.Context(), subject, oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature})
	if err != nil || len(l.Referrers) != 1 || l.Referrers[0].MediaType != oci.MediaTypeORASManifest {
		t.Errorf("listed %+v, %v", l, err)
	}
	if asked != string(example[1]) {
		t.Errorf("asked for %s", asked)
	}
}

func FuzzPredecessorListing(f *testing.F) {
	d := descriptorOf("a", oci.ArtifactTypeSignature)
	d.MediaType = oci.MediaTypeORASManifest
	good, err := json.Marshal(map[string]any{"referrers": []ocispec.Descriptor{d, descriptorOf("b", "")}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, "application/json")
	f.Add(good[:len(good)/2], "application/json")
	f.Add([]byte(`{"referrers":null}`), "")
	f.Add([]byte(`{"referrers":[{"digest":"md5:00","artifactType":7},5,null]}`), "text/plain; charset=utf-8")
	f.Add([]byte(`{"referrers":[],"referrers":[]}`), "application/json")
	f.Add([]byte(`[]`), "application/json")
	f.Add([]byte(`<html>`), "text/html")
	f.Fuzz(func(t *testing.T, raw []byte, mediaType string) {
		x, err := parsePredecessor(raw, mediaType)
		if err != nil {
			if x != nil {
				t.Fatal("a listing and an error")
			}
			if errors.Is(err, errNoIndex) && mediaType == "application/json" && !json.Valid(raw) {
				t.Fatal("broken JSON is taken for no listing")
			}
			return
		}
		checkEntries(t, x)
		if !x.flooded && len(x.entries)+len(x.unusable) != len(x.all) {
			t.Fatalf("%d usable and %d unusable of %d", len(x.entries), len(x.unusable), len(x.all))
		}
		// Another reader sees the same.
		var w struct {
			Referrers []json.RawMessage `json:"referrers"`
		}
		if err := json.Unmarshal(raw, &w); err != nil || len(w.Referrers) != len(x.all) {
			t.Fatalf("another reader finds %d of %d entries: %v", len(w.Referrers), len(x.all), err)
		}
		c := collector{subject: subjectDigest, artifactType: oci.ArtifactTypeSignature, max: 3}
		s := &source{}
		s.add(c, x)
		l, err := c.merge([]*source{{absent: true}, {absent: true}, s})
		if len(l.Referrers) > c.max || err == nil != (s.lost == 0) {
			t.Fatalf("%d listed, %d lost, %v", len(l.Referrers), s.lost, err)
		}
	})
}
