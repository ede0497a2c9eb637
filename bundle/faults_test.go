package bundle_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/notaryv2/notation/bundle"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
	"github.com/opencontainers/go-digest"
)

const (
	someDigest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
	goodEntry  = `{"repository":"a.example/app","tag":"v1","name":"v1","mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + someDigest + `","size":2,"manifests":1,"blobs":0,"bytes":2}`
)

func contents(entries ...string) string {
	return `{"bundleVersion":"1.0","created":"2026-01-02T03:04:05Z","artifacts":[` + strings.Join(entries, ",") + `]}`
}

func TestParseContents(t *testing.T) {
	t.Parallel()
	c, err := bundle.ParseContents([]byte(contents(goodEntry)))
	if err != nil || c.Artifacts[0].Origin.String() != "a.example/app:v1@"+someDigest {
		t.Fatal(c, err)
	}
	raw, err := c.MarshalJSON()
	if err != nil || string(raw) != contents(goodEntry) {
		t.Errorf("%s %v", raw, err)
	}
	if c, err := bundle.ParseContents([]byte(contents())); err != nil || len(c.Artifacts) != 0 {
		t.Error(c, err)
	}
	change := func(old, new string) string { return contents(strings.Replace(goodEntry, old, new, 1)) }
	var many []string
	for i := range bundle.MaxArtifacts + 1 {
		many = append(many, strings.NewReplacer(`"tag":"v1","name":"v1"`, fmt.Sprintf(`"tag":"v%d","name":"v%d"`, i, i)).Replace(goodEntry))
	}
	// attack: FS-05
	for name, doc := range map[string]string{
		"nothing":               "",
		"no JSON":               "x",
		"another version":       strings.Replace(contents(), "1.0", "1.1", 1),
		"an unknown member":     strings.Replace(contents(), `"created"`, `"more":1,"created"`, 1),
		"a member twice":        strings.Replace(contents(), `"created"`, `"created":"","created"`, 1),
		"a time zone":           strings.Replace(contents(), "05Z", "05+01:00", 1),
		"a fraction":            strings.Replace(contents(), "05Z", "05.5Z", 1),
		"no time":               strings.Replace(contents(), "2026", "x", 1),
		"twice":                 contents(goodEntry, goodEntry),
		"a list of referrers":   change(`"tag":"v1"`, `"tag":"sha256-`+strings.Repeat("a", 64)+`"`),
		"named as such a list":  change(`"name":"v1"`, `"name":"sha256-`+strings.Repeat("a", 64)+`"`),
		"a name twice":          contents(goodEntry, strings.Replace(goodEntry, "a.example", "b.example", 1)),
		"a tag for two digests": contents(goodEntry, strings.NewReplacer(`"name":"v1"`, `"name":"v2"`, "44136", "44137").Replace(goodEntry)),
		"a digest twice":        contents(strings.Replace(goodEntry, `"tag":"v1",`, "", 1), strings.NewReplacer(`"tag":"v1",`, "", `"name":"v1"`, `"name":"v2"`).Replace(goodEntry)),
		"too many":              contents(many...),
		"too long":              contents(goodEntry) + strings.Repeat(" ", bundle.MaxContentsBytes),
		"a path for a name":     change(`"name":"v1"`, `"name":"../v1"`),
		"a name of ours":        change(`"name":"v1"`, `"name":"`+bundle.TagTrust+`"`),
		"no name":               change(`"name":"v1"`, `"name":""`),
		"a bad tag":             change(`"tag":"v1"`, `"tag":"a/b"`),
		"a short repository":    change("a.example/app", "app"),
		"a repository upwards":  change("a.example/app", "a.example/../app"),
		"a tag in it":           change("a.example/app", "a.example/app:v2"),
		"a bad digest":          change("sha256:44", "md5:44"),
		"a blob":                change("vnd.oci.image.manifest.v1+json", "octet-stream"),
		"a negative size":       change(`"size":2`, `"size":-2`),
		"no manifests":          change(`"manifests":1`, `"manifests":0`),
		"negative bytes":        change(`"bytes":2`, `"bytes":-2`),
		"too many blobs":        change(`"blobs":0`, `"blobs":1e30`),
	} {
		if c, err := bundle.ParseContents([]byte(doc)); reason.Of(err) != reason.BundleContents || reason.Hint(err) == "" {
			t.Errorf("%s: %v %v", name, c, err)
		}
	}
}

// TestSpecification reads the example of specs/bundle.md.
func TestSpecification(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../specs/bundle.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(page), "```json contents\n")
	example, _, ok := strings.Cut(example, "```\n")
	c, err := bundle.ParseContents([]byte(example))
	if !ok || err != nil || len(c.Artifacts) != 1 {
		t.Fatal(c, err)
	}
	for _, name := range []string{
		bundle.TagContents, bundle.TagEvidence, bundle.TagTrust, bundle.ArtifactTypeContents, bundle.ArtifactTypeEvidence, bundle.ArtifactTypeTrust,
		bundle.MediaTypeContents, bundle.MediaTypeOCSP, bundle.MediaTypeCRL, bundle.MediaTypeCertificate, bundle.MediaTypePolicy, bundle.PolicyFile, bundle.StoreDir,
	} {
		if !strings.Contains(string(page), "`"+name) {
			t.Errorf("%s is not described", name)
		}
	}
}

// tagged is a layout in which something stands under a tag.
func tagged(t testing.TB, tag string, raw []byte, blobs ...[]byte) *layout.Repository {
	t.Helper()
	l := place(t, "")
	if err := l.Tag(t.Context(), put(t, l, raw, blobs...), tag); err != nil {
		t.Fatal(err)
	}
	return l
}

// Answers that cannot be read are warnings, and the others count.
func TestReadEvidence(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	ocsp, crl := answers(t, chain)[0].DER, answers(t, chain)[1].DER
	if e, err := bundle.ReadEvidence(t.Context(), place(t, "")); err != nil || len(e.Answers)+len(e.Warnings) > 0 {
		t.Error(e, err)
	}
	evidence := func(mediaType string, content []byte) []byte {
		return manifest(bundle.ArtifactTypeEvidence, mediaType, content, "x", nil)
	}
	layer := fmt.Sprintf(`{"mediaType":"x/y","digest":%q,"size":2}`, digest.FromString("{}"))
	for name, tc := range map[string]struct {
		raw, blob []byte
		good      bool
	}{
		"a response":             {evidence(bundle.MediaTypeOCSP, ocsp), ocsp, true},
		"a list":                 {evidence(bundle.MediaTypeCRL, crl), crl, true},
		"a list as a response":   {evidence(bundle.MediaTypeOCSP, crl), crl, false},
		"a response as a list":   {evidence(bundle.MediaTypeCRL, ocsp), ocsp, false},
		"neither":                {evidence(bundle.MediaTypeCRL, []byte("x")), []byte("x"), false},
		"another type":           {evidence("text/plain", ocsp), ocsp, false},
		"missing":                {evidence(bundle.MediaTypeOCSP, ocsp), crl, false},
		"too long":               {evidence(bundle.MediaTypeOCSP, make([]byte, 65<<10)), make([]byte, 65<<10), false},
		"another artifact type":  {manifest("sbom/example", bundle.MediaTypeOCSP, ocsp, "x", nil), ocsp, false},
		"layers that are none":   {[]byte(strings.Replace(string(evidence(bundle.MediaTypeOCSP, ocsp)), `"layers":[`, `"layers":[1,`, 1)), ocsp, false},
		"more layers than there": {[]byte(strings.Replace(string(evidence(bundle.MediaTypeOCSP, ocsp)), `"layers":[`, `"layers":[`+strings.Repeat(layer+",", bundle.MaxEvidence), 1)), ocsp, false},
	} {
		e, err := bundle.ReadEvidence(t.Context(), tagged(t, bundle.TagEvidence, tc.raw, tc.blob))
		if err != nil || len(e.Answers) == 1 != tc.good || len(e.Warnings) == 0 != tc.good {
			t.Errorf("%s: %v %+v", name, err, e)
		}
		for _, w := range e.Warnings {
			if reason.Of(w) != reason.BundleEvidence {
				t.Errorf("%s: %v", name, w)
			}
		}
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	l := tagged(t, bundle.TagEvidence, evidence(bundle.MediaTypeOCSP, ocsp), ocsp)
	if _, err := bundle.ReadEvidence(done, l); err == nil {
		t.Error("read after the end")
	}
	if _, err := bundle.ReadEvidence(done, &ending{Repository: l, cancel: func() {}}); err == nil {
		t.Error("read after the end")
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := bundle.ReadEvidence(ctx, &ending{Repository: l, cancel: cancel}); err == nil {
		t.Error("read after the end")
	}
}

// ending is a repository whose first blob is the last thing that is read.
type ending struct {
	oci.Repository
	cancel func()
}

func (e *ending) Fetch(ctx context.Context, d oci.Descriptor, limit int64) ([]byte, error) {
	raw, err := e.Repository.Fetch(ctx, d, limit)
	if !oci.IsManifest(d.MediaType) {
		e.cancel()
	}
	return raw, err
}

func TestReadTrust(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	if tr, err := bundle.ReadTrust(t.Context(), place(t, "")); tr != nil || err != nil {
		t.Error(tr, err)
	}
	good := trusted(chain)
	policy, root, leaf := good.Policy, chain.Root().Raw, chain.Leaf().Raw
	name := func(store string, c *bundle.TrustedCertificate) string {
		return bundle.StoreDir + "/" + store + "/" + c.Fingerprint() + ".crt"
	}
	rootName := name("ca/wabbit", &good.Stores[0])
	second := func(mediaType string, content []byte, title string) []byte {
		m := string(manifest(bundle.ArtifactTypeTrust, bundle.MediaTypePolicy, policy, bundle.PolicyFile, nil))
		l := fmt.Sprintf(`,{"mediaType":%q,"digest":%q,"size":%d,"annotations":{"org.opencontainers.image.title":%q}}]}`, mediaType, digest.FromBytes(content), len(content), title)
		return []byte(strings.TrimSuffix(m, "]}") + l)
	}
	one := second(bundle.MediaTypeCertificate, root, rootName)
	if tr, err := bundle.ReadTrust(t.Context(), tagged(t, bundle.TagTrust, one, policy, root)); err != nil || len(tr.Stores) != 1 {
		t.Error(tr, err)
	}
	double := append(append([]byte{}, root...), leaf...)
	// attack: FS-02
	for what, tc := range map[string]struct {
		raw   []byte
		extra []byte
	}{
		"another artifact type": {manifest("sbom/example", bundle.MediaTypePolicy, policy, bundle.PolicyFile, nil), nil},
		"no policy":             {manifest(bundle.ArtifactTypeTrust, "text/plain", policy, bundle.PolicyFile, nil), nil},
		"policy elsewhere":      {manifest(bundle.ArtifactTypeTrust, bundle.MediaTypePolicy, policy, "../policy", nil), nil},
		"policy is none":        {manifest(bundle.ArtifactTypeTrust, bundle.MediaTypePolicy, []byte("{}"), bundle.PolicyFile, nil), nil},
		"policy is missing":     {manifest(bundle.ArtifactTypeTrust, bundle.MediaTypePolicy, []byte("gone"), bundle.PolicyFile, nil), nil},
		"another type":          {second("text/plain", root, rootName), root},
		"upwards":               {second(bundle.MediaTypeCertificate, root, bundle.StoreDir+"/../../x.crt"), root},
		"outside":               {second(bundle.MediaTypeCertificate, root, "config.json"), root},
		"no store type":         {second(bundle.MediaTypeCertificate, root, name("xx/wabbit", &good.Stores[0])), root},
		"store upwards":         {second(bundle.MediaTypeCertificate, root, name("ca/..", &good.Stores[0])), root},
		"another fingerprint":   {second(bundle.MediaTypeCertificate, root, bundle.StoreDir+"/ca/wabbit/"+digest.FromString("").Encoded()+".crt"), root},
		"no certificate":        {second(bundle.MediaTypeCertificate, []byte("x"), rootName), []byte("x")},
		"two certificates":      {second(bundle.MediaTypeCertificate, double, rootName), double},
		"in PEM":                {second(bundle.MediaTypeCertificate, chain.CertPEM(), rootName), chain.CertPEM()},
		"missing":               {second(bundle.MediaTypeCertificate, root, rootName), nil},
		"a leaf":                {second(bundle.MediaTypeCertificate, leaf, name("ca/wabbit", &bundle.TrustedCertificate{Certificate: chain.Leaf()})), leaf},
		"twice":                 {[]byte(strings.TrimSuffix(string(one), "]}") + strings.TrimPrefix(string(one[strings.LastIndex(string(one), `,{"mediaType"`):]), "x")), root},
	} {
		blobs := [][]byte{policy, []byte("{}")}
		if tc.extra != nil {
			blobs = append(blobs, tc.extra)
		}
		if tr, err := bundle.ReadTrust(t.Context(), tagged(t, bundle.TagTrust, tc.raw, blobs...)); err == nil || reason.Of(err) == "" {
			t.Errorf("%s: %+v %v", what, tr, err)
		}
	}
}

// What could not be used is not carried either.
func TestTrustRefused(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	w, err := bundle.Create(t.Context(), filepath.Join(t.TempDir(), "x.tar"), made())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for name, change := range map[string]func(*bundle.Trust){
		"a long policy":   func(b *bundle.Trust) { b.Policy = make([]byte, bundle.MaxPolicyBytes+1) },
		"a bad store":     func(b *bundle.Trust) { b.Stores[0].Store.Name = "../x" },
		"a leaf":          func(b *bundle.Trust) { b.Stores[0].Certificate = chain.Leaf() },
		"twice":           func(b *bundle.Trust) { b.Stores[0] = b.Stores[1] },
		"far too many":    func(b *bundle.Trust) { b.Stores = make([]bundle.TrustedCertificate, bundle.MaxCertificates+1) },
		"no store at all": func(b *bundle.Trust) { b.Stores[0].Store = trust.StoreRef{} },
	} {
		b := trusted(chain)
		change(b)
		if err := w.AddTrust(t.Context(), b); reason.Of(err) != reason.BundleTrust {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	list := func(mediaType, doc string) []byte {
		return manifest(bundle.ArtifactTypeContents, mediaType, []byte(doc), "bundle.json", nil)
	}
	missing := contents(strings.Replace(goodEntry, "44136", "44137", 1))
	for name, tc := range map[string]struct {
		tag  string
		raw  []byte
		blob string
		code reason.Code
	}{
		"no bundle":                   {"v1", list(bundle.MediaTypeContents, contents()), contents(), reason.BundleNone},
		"another type of artifact":    {bundle.TagContents, manifest("sbom/example", bundle.MediaTypeContents, []byte(contents()), "x", nil), contents(), reason.BundleManifest},
		"another type of list":        {bundle.TagContents, list("text/plain", contents()), contents(), reason.BundleContents},
		"no list":                     {bundle.TagContents, list(bundle.MediaTypeContents, "x"), "x", reason.BundleContents},
		"list is missing":             {bundle.TagContents, list(bundle.MediaTypeContents, "x"), "y", reason.OCINotFound},
		"an artifact that is missing": {bundle.TagContents, list(bundle.MediaTypeContents, missing), missing, reason.BundleContents},
	} {
		dir := filepath.Join(t.TempDir(), "layout")
		l, err := layout.Create(t.Context(), dir, layout.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Tag(t.Context(), put(t, l, tc.raw, []byte(tc.blob)), tc.tag); err != nil {
			t.Fatal(err)
		}
		_, err = bundle.Open(t.Context(), dir)
		if reason.Of(err) != tc.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := bundle.Open(t.Context(), filepath.Join(t.TempDir(), "none")); reason.Of(err) != reason.OCILayout {
		t.Error(err)
	}
}
