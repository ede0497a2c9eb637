package bundle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/bundle"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/promote"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
	"github.com/notaryv2/notation/trust"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// made is when the bundles of these tests were made.
func made() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC) }

// place makes an empty layout that stands for a repository.
func place(t testing.TB, name string) *layout.Repository {
	t.Helper()
	l, err := layout.Create(t.Context(), filepath.Join(t.TempDir(), "layout"), layout.Options{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// put stores a manifest, with its blobs.
func put(t testing.TB, s oci.Store, raw []byte, blobs ...[]byte) oci.Descriptor {
	t.Helper()
	for _, b := range append(blobs, []byte("{}")) {
		d := oci.Descriptor{MediaType: "application/octet-stream", Digest: digest.FromBytes(b), Size: int64(len(b))}
		if err := s.PutBlob(t.Context(), d, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }); err != nil {
			t.Fatal(err)
		}
	}
	d := oci.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
	if err := s.PutManifest(t.Context(), d, raw); err != nil {
		t.Fatal(err)
	}
	return d
}

// manifest returns a manifest of an artifact type with one layer, and with a
// subject if there is one.
func manifest(artifactType, mediaType string, content []byte, title string, subject *oci.Descriptor) []byte {
	about := ""
	if subject != nil {
		about = fmt.Sprintf(`,"subject":{"mediaType":%q,"digest":%q,"size":%d}`, subject.MediaType, subject.Digest, subject.Size)
	}
	return fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"artifactType":%q,"config":{"mediaType":%q,"digest":%q,"size":2},`+
		`"layers":[{"mediaType":%q,"digest":%q,"size":%d,"annotations":{"org.opencontainers.image.title":%q}}]%s}`,
		ocispec.MediaTypeImageManifest, artifactType, ocispec.MediaTypeEmptyJSON, digest.FromString("{}"), mediaType, digest.FromBytes(content), len(content), title, about)
}

// artifact stores an artifact with something attached to it.
func artifact(t testing.TB, s oci.Store, text string) oci.Descriptor {
	t.Helper()
	root := put(t, s, manifest("app/example", "text/plain", []byte(text), "app", nil), []byte(text))
	put(t, s, manifest("sbom/example", "text/plain", []byte("sbom of "+text), "sbom", &root), []byte("sbom of "+text))
	return root
}

func reference(t testing.TB, s string) oci.Reference {
	t.Helper()
	ref, err := oci.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// answers returns an OCSP response and a revocation list of a chain.
func answers(t testing.TB, chain *testpki.Chain) []revocation.Recorded {
	t.Helper()
	var all []revocation.Recorded
	for _, der := range [][]byte{
		testpki.NewOCSP(chain.Certs[0], chain.Certs[1], made()).Sign(t, chain.Keys[1]),
		testpki.NewCRL(chain.Certs[1], 1, made()).Sign(t, chain.Keys[1]),
	} {
		a, err := revocation.ParseAnswer(der)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, revocation.Recorded{Answer: a, DER: der, Source: "http://ca.example/" + string(a.Method)})
	}
	all[1].Source = ""
	return all
}

func trusted(chain *testpki.Chain) *bundle.Trust {
	store := func(typ trust.StoreType, name string) bundle.TrustedCertificate {
		return bundle.TrustedCertificate{Store: trust.StoreRef{Type: typ, Name: name}, Certificate: chain.Root()}
	}
	return &bundle.Trust{
		Policy: []byte(`{"version":"1.0","trustPolicies":[{"name":"all","registryScopes":["*"],"signatureVerification":{"level":"strict"},` +
			`"trustStores":["ca:wabbit"],"trustedIdentities":["*"]}]}`),
		Stores: []bundle.TrustedCertificate{store(trust.CA, "wabbit"), store(trust.CA, "another")},
	}
}

// fill makes a bundle: two artifacts of one tag, one of them under two more
// names, evidence and trust.
func fill(t testing.TB, chain *testpki.Chain) (path string, roots []oci.Descriptor) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "bundle.tar")
	w, err := bundle.Create(t.Context(), path, made())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	src := place(t, "")
	roots = []oci.Descriptor{artifact(t, src, "one"), artifact(t, src, "two")}
	for _, a := range []struct {
		root   oci.Descriptor
		origin string
	}{{roots[0], "a.example/team/app:v1"}, {roots[1], "a.example/team/tool:v1"}, {roots[0], "a.example/team/app:v2"}, {roots[1], "b.example/tool"}} {
		if _, err := w.Add(t.Context(), src, a.root, reference(t, a.origin), promote.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.AddEvidence(t.Context(), answers(t, chain)); err != nil {
		t.Fatal(err)
	}
	if err := w.AddTrust(t.Context(), trusted(chain)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return path, roots
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	path, roots := fill(t, chain)
	b, err := bundle.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if !b.Contents.Created.Equal(made().Truncate(time.Second)) {
		t.Error(b.Contents.Created)
	}
	var got []string
	for _, a := range b.Contents.Artifacts {
		got = append(got, fmt.Sprintf("%s %s %d %d %t", a.Name, strings.SplitN(a.Origin.String(), "@", 2)[0], a.Manifests, a.Blobs, a.Bytes > 0))
	}
	short := roots[1].Digest.Encoded()[:12]
	want := []string{"app-v1 a.example/team/app:v1 2 3 true", "tool-v1 a.example/team/tool:v1 2 3 true", "v2 a.example/team/app:v2 2 3 true", short + " b.example/tool 2 3 true"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\n%q", got, want)
	}
	e, err := b.Evidence(t.Context())
	if err != nil || len(e.Warnings) > 0 || len(e.For().OCSP) != 1 || len(e.For().CRLs) != 1 || e.Answers[0].Source != "http://ca.example/OCSP" {
		t.Errorf("%v %+v", err, e)
	}
	tr, err := b.Trust(t.Context())
	if err != nil || len(tr.Stores) != 2 || !bytes.Equal(tr.Policy, trusted(chain).Policy) {
		t.Fatalf("%v %+v", err, tr)
	}
	files := tr.Files()
	if len(files) != 3 || files[bundle.PolicyFile] == nil || files["truststore/x509/ca/wabbit/"+tr.Stores[1].Fingerprint()+".crt"] == nil {
		t.Errorf("%v", files)
	}
	// The same for a layout that was unpacked, and other tools find each artifact
	// by its name.
	l, err := layout.Open(path, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, ref, _ := oci.ParseLayoutReference("x:tool-v1")
	if d, err := l.Resolve(t.Context(), ref); err != nil || d.Digest != roots[1].Digest {
		t.Error(d, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bundle.tar")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.Create(t.Context(), path, made()); reason.Of(err) != reason.BundleExists {
		t.Error(err)
	}
	if _, err := bundle.Create(t.Context(), filepath.Join(path, "below"), made()); err == nil {
		t.Error("below a file")
	}
	if _, err := bundle.Create(t.Context(), filepath.Join(t.TempDir(), "none", "x.tar"), made()); reason.Of(err) != reason.OCILayoutWrite {
		t.Error(err)
	}
	w, err := bundle.Create(t.Context(), filepath.Join(t.TempDir(), "x.tar"), made())
	if err != nil {
		t.Fatal(err)
	}
	src := place(t, "")
	root := artifact(t, src, "x")
	gone := oci.Descriptor{MediaType: root.MediaType, Digest: digest.FromString("gone"), Size: 4}
	if _, err := w.Add(t.Context(), src, gone, reference(t, "a.example/app:v1"), promote.CopyOptions{}); err == nil {
		t.Error("what is not there was added")
	}
	if _, err := w.Add(t.Context(), src, root, reference(t, "a.example/app:sha512-"+strings.Repeat("a", 64)), promote.CopyOptions{}); reason.Of(err) != reason.OCIReference {
		t.Error(err)
	}
	for _, origin := range []string{"a.example/app:v1", "a.example/app"} {
		if _, err := w.Add(t.Context(), src, root, reference(t, origin), promote.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Add(t.Context(), src, root, reference(t, origin), promote.CopyOptions{}); reason.Of(err) != reason.BundleTwice {
			t.Error(err)
		}
	}
	if _, err := w.Add(t.Context(), src, root, oci.Reference{}, promote.CopyOptions{}); err == nil {
		t.Error("an artifact of no origin")
	}
	bad := trusted(testpki.New(t, testpki.Options{}))
	bad.Policy = []byte("{}")
	if err := w.AddTrust(t.Context(), bad); reason.Of(err) != reason.BundleTrust {
		t.Error(err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Commit(done); err == nil {
		t.Error("committed after the end")
	}
	dir := filepath.Dir(filepath.Join(t.TempDir(), "x.tar"))
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Error(entries)
	}
}

// target makes a repository for each artifact of a bundle.
func targets(t testing.TB, b *bundle.Bundle, verify func(i int) promote.VerifyFunc) (all []bundle.Target, places []*layout.Repository) {
	t.Helper()
	for i, a := range b.Contents.Artifacts {
		l := place(t, "prod.example/"+a.Origin.Repository())
		places = append(places, l)
		all = append(all, bundle.Target{Artifact: a, Store: l, Tag: a.Origin.Tag(), Verify: verify(i)})
	}
	return all, places
}

// resolve reports whether a tag is there.
func resolve(t testing.TB, l *layout.Repository, tag string) bool {
	t.Helper()
	_, ref, err := oci.ParseLayoutReference("x:" + tag)
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Resolve(t.Context(), ref)
	return err == nil
}

func TestImport(t *testing.T) {
	t.Parallel()
	path, _ := fill(t, testpki.New(t, testpki.Options{}))
	b, err := bundle.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	all, places := targets(t, b, func(i int) promote.VerifyFunc {
		if i == 3 {
			return nil
		}
		return func(_ context.Context, repo oci.Repository, _ digest.Digest) error {
			asked = append(asked, fmt.Sprint(i, " ", repo.Name()))
			return nil
		}
	})
	events := 0
	done, err := b.Import(t.Context(), all, func(int, promote.Event) { events++ })
	if err != nil || events == 0 {
		t.Fatal(err, events)
	}
	app, tool := "prod.example/team/app", "prod.example/team/tool"
	if want := []string{"0 " + app, "1 " + tool, "2 " + app, "0 " + app, "1 " + tool, "2 " + app}; !slices.Equal(asked, want) {
		t.Errorf("%q", asked)
	}
	for i, d := range done {
		tag := all[i].Tag
		if d.Err != nil || d.Rejected || d.Tagged != (tag != "") || d.Report.Tag != tag || tag != "" && !resolve(t, places[i], tag) {
			t.Errorf("%d: %+v", i, d)
		}
		l, err := places[i].Referrers(t.Context(), all[i].Artifact.Descriptor.Digest, oci.ReferrersOptions{})
		if err != nil || len(l.Referrers) != 1 {
			t.Errorf("%d: %v %v", i, l, err)
		}
	}
}

// TestImportHidesNoReferrers moves no tag that is a list of referrers.
func TestImportHidesNoReferrers(t *testing.T) {
	t.Parallel()
	path, _ := fill(t, testpki.New(t, testpki.Options{}))
	b, err := bundle.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	all, places := targets(t, b, func(int) promote.VerifyFunc { return nil })
	all[len(all)-1].Tag = "sha256-" + strings.Repeat("a", 64)
	done, err := b.Import(t.Context(), all, nil)
	if reason.Of(err) != reason.OCIReference || done[len(all)-1].Err == nil || done[0].Report != nil || resolve(t, places[0], all[0].Tag) {
		t.Error(err)
	}
}

// brokenTag is a store that moves no tag.
type brokenTag struct{ oci.Store }

func (b brokenTag) Tag(ctx context.Context, d oci.Descriptor, tag string) error {
	if tag == "" {
		return b.Store.Tag(ctx, d, tag)
	}
	return errors.New("no tag today")
}

// Whatever goes wrong, no tag has moved that names something that was not
// verified, and what is there is said.
func TestImportFails(t *testing.T) {
	t.Parallel()
	path, _ := fill(t, testpki.New(t, testpki.Options{}))
	b, err := bundle.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	for name, tc := range map[string]struct {
		refuse   int // the how manyth question about the second artifact
		breakTag bool
		code     reason.Code
		begun    int
		tagged   int
	}{
		"in the bundle":      {1, false, reason.PromoteSourceRejected, 0, 0},
		"where it arrived":   {2, false, reason.PromoteDestinationRejected, 2, 0},
		"when it was tagged": {0, true, reason.PromoteTag, 4, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			count := 0
			all, places := targets(t, b, func(i int) promote.VerifyFunc {
				return func(context.Context, oci.Repository, digest.Digest) error {
					if i == 1 {
						count++
					}
					if i == 1 && count == tc.refuse {
						return no
					}
					return nil
				}
			})
			if tc.breakTag {
				all[1].Store = brokenTag{all[1].Store}
			}
			done, err := b.Import(t.Context(), all, nil)
			if reason.Of(err) != tc.code || tc.refuse > 0 && !errors.Is(err, no) {
				t.Fatal(err)
			}
			begun, tagged := 0, 0
			for i, d := range done {
				if d.Report != nil {
					begun++
				}
				if d.Tagged {
					tagged++
				}
				if there := all[i].Tag != "" && resolve(t, places[i], all[i].Tag); there != d.Tagged {
					t.Errorf("%d: tagged %t, %+v", i, there, d)
				}
				if (d.Err != nil) != (i == 1) || d.Rejected != (i == 1 && tc.refuse > 0) {
					t.Errorf("%d: %+v", i, d)
				}
			}
			if begun != tc.begun || tagged != tc.tagged {
				t.Errorf("%d begun, %d tagged", begun, tagged)
			}
		})
	}
}
