package cli_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/notaryv2/notation/bundle"
	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/promote"
	"github.com/notaryv2/notation/revocation"
)

// carrier is a user with an artifact in a layout, signed by somebody whose
// certificate names a responder.
type carrier struct {
	*user
	acme         checked
	dir, digest  string
	policy, keep string // a policy file, and the directory of its trust stores
}

func newCarrier(t *testing.T) *carrier {
	t.Helper()
	c := &carrier{user: newUser(t)}
	c.acme = c.newChecked("acme")
	c.dir, c.digest = c.layout("carried")
	c.signed(c.dir, "acme")
	c.policy, c.keep = c.user.policy("strict", "*", "ca:acme", "*"), c.stores(c.acme.signer)
	return c
}

func (c *carrier) trust(args ...string) []string {
	return append(args, "--policy", c.policy, "--trust-store", c.keep)
}

// export makes a bundle of the artifact, and returns its path.
func (c *carrier) export(args ...string) (string, result) {
	c.t.Helper()
	path := filepath.Join(c.t.TempDir(), "x.tar")
	return path, c.run(append([]string{"bundle", "export", "-o", path, "--oci-layout", "--scope", "r.example/team/app", c.dir + ":v1"}, args...)...)
}

// isolate has nobody answer, and nothing known from before.
func (c *carrier) isolate() {
	c.t.Helper()
	c.vars["NOTATION_CACHE"] = c.t.TempDir()
}

func TestBundle(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	path, r := c.export(c.trust("--with-revocation", "--with-trust")...)
	r.want(0, "Successfully verified signature for", "Wrote "+path, "r.example/team/app:v1", "OCSP", "http://", "suffice for less than a day",
		"can be verified without network until", "not used by itself", "ca:acme")
	asked := c.acme.asked.Load()
	c.isolate()
	c.ok("bundle", "show", path).want(0, "v1", "r.example/team/app:v1", c.digest, "CN=", "ca:acme")
	doc := c.ok("bundle", "show", "-o", "json", path).json()
	if at(doc, "artifacts", 0, "origin") != "r.example/team/app" || at(doc, "revocation", 0, "method") != "OCSP" || at(doc, "verifiableUntil") != nil {
		t.Errorf("%v", doc)
	}
	c.ok(c.trust("verify", "--offline", "--oci-layout", path+":v1")...).want(0, "OCSP (carried), as of ", ", until ")
	c.run(c.trust("verify", "--offline", "--oci-layout", c.dir+":v1")...).want(3, "nobody may be asked")
	c.ok(c.trust("verify", "-d", "--offline", "--revocation-evidence", path, "--oci-layout", c.dir+":v1")...).want(0, "carried=true", "answers about revocation in the layout")

	// Out of the bundle into a registry.
	reg := newRegistry(t)
	c.ok(c.trust("bundle", "import", "--offline", path, reg.host+"/mirror")...).want(0, "to "+reg.host+"/mirror/team/app@"+c.digest, "tag v1 names it now", "(carried)")
	c.ok(c.trust("copy", "--offline", "--from-oci-layout", path+":v1", reg.host+"/other:v9")...)
	// A destination is judged by what lay at the source, even if nobody was
	// asked about that.
	scoped := c.user.policy("strict", reg.host+"/scoped", "ca:acme", "*")
	c.ok("copy", "--offline", "--policy", scoped, "--trust-store", c.keep, "--from-oci-layout", "--from-scope", reg.host+"/scoped", path+":v1", reg.host+"/scoped:v1")
	if n := c.acme.asked.Load(); n != asked {
		t.Errorf("the responder was asked %d times from the isolated side", n-asked)
	}

	// The answers end.
	c.env.Now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	c.run(c.trust("verify", "--offline", "--oci-layout", path+":v1")...).want(1, "expired") // and the certificates
	c.ok("bundle", "show", path).want(0, ", over")
}

// TestBundleTrust takes the policy out for review, and nowhere else.
//
// attack: FS-01
func TestBundleTrust(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	path, r := c.export(c.trust("--with-trust")...)
	r.want(0, "not used by itself")
	without, r := c.export(c.trust()...)
	r.want(0, "No trust policy", "No answers about revocation")
	dir := filepath.Join(t.TempDir(), "reviewed")
	c.ok("bundle", "trust", path, "-o", dir).want(0, "Compare these fingerprints", "--trust-store "+filepath.Join(dir, "truststore"), "ca:acme")
	c.ok("verify", "--policy", filepath.Join(dir, "trustpolicy.oci.json"), "--trust-store", filepath.Join(dir, "truststore"), "--oci-layout", path+":v1")

	c.run("bundle", "trust", path).wantError(2, "is not said")
	c.run("bundle", "trust", path, "-o", dir).wantError(2, "already")
	c.run("bundle", "trust", path, "-o", filepath.Join(c.policy, "below")).wantError(2)
	c.run("bundle", "trust", path, "-o", filepath.Join(t.TempDir(), "none", "new")).wantError(2, "could not be written")
	c.run("bundle", "trust", path, "-o", c.path("new")).wantError(2, "in the configuration directory")
	c.run("bundle", "trust", path, "-o", c.path()+"-beside").want(0)
	c.run("bundle", "trust", without, "-o", filepath.Join(t.TempDir(), "new")).wantError(2, "holds no trust policy")
	c.run("bundle", "trust", c.dir, "-o", filepath.Join(t.TempDir(), "new")).wantError(2, "no bundle")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(c.path(), link); err != nil {
		t.Fatal(err)
	}
	c.run("bundle", "trust", path, "-o", filepath.Join(link, "deep", "new")).wantError(2, "in the configuration directory")
	delete(c.vars, "HOME")
	c.ok("bundle", "trust", path, "-o", filepath.Join(t.TempDir(), "homeless"))
}

func TestBundleExportRefuses(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	bare, _ := c.layout("bare")
	off := c.write("off.json", `{"version":"1.0","trustPolicies":[{"name":"off","registryScopes":["r.example/team/app"],"signatureVerification":{"level":"skip"}}]}`)
	ref := c.dir + ":v1"
	scope := []string{"--oci-layout", "--scope", "r.example/team/app"}
	for name, tt := range map[string]struct {
		args []string
		code int
		text string
	}{
		"no file":              {[]string{ref}, 2, "Where to write"},
		"a file that is":       {append(scope, "-o", off, ref), 2, "already"},
		"no reference":         {[]string{"-o", "x.tar"}, 2, "needs a reference"},
		"no scope":             {[]string{"-o", "x.tar", "--oci-layout", ref}, 2, "Say it with --scope"},
		"no policy":            {append(scope, "-o", "x.tar", "--with-revocation", ref), 2, "no trust policy"},
		"no policy to carry":   {append(scope, "-o", "x.tar", "--with-trust", ref), 2, "There is no trust policy"},
		"both ways":            {append(scope, "-o", "x.tar", "--verify", "--no-verify", ref), 2, "cannot be mixed"},
		"flags of one":         {append(scope, "-o", "x.tar", "--no-verify", "--offline", ref), 2, "cannot be mixed"},
		"nobody to trust":      {append(scope, "-o", "x.tar", "--no-verify", "--with-revocation", ref), 2, "--no-verify leaves open"},
		"afresh":               {append(scope, "-o", "x.tar", "--with-revocation", "--offline", ref), 2, "afresh"},
		"evidence":             {append(scope, "-o", "x.tar", "--with-revocation", "--revocation-evidence", off, ref), 2, "afresh"},
		"chosen of nothing":    {append(scope, "-o", "x.tar", "--only-revocation", "--artifact-type", "a/b", ref), 2, "nothing to choose"},
		"roots for a policy":   {append(scope, "-o", "x.tar", "--with-trust", "--ca-cert", c.acme.root, ref), 2, "needs one"},
		"bad scope":            {[]string{"-o", "x.tar", "--oci-layout", "--scope", "x", ref}, 2, "--scope"},
		"skipped":              {append(scope, "-o", "x.tar", "--with-revocation", "--policy", off, "--trust-store", c.keep, ref), 2, "policy says skip"},
		"unsigned":             {append(scope, "-o", "x.tar", "--ca-cert", c.acme.root, bare+":v1"), 4, "No bundle was written"},
		"not there":            {append(scope, "-o", "x.tar", "--ca-cert", c.acme.root, c.dir+":none"), 3, "No bundle was written"},
		"no layout":            {append(scope, "-o", "x.tar", "--ca-cert", c.acme.root, filepath.Join(c.keep, "ca")+":v1"), 2, "No bundle was written"},
		"no trust store":       {append(scope, "-o", "x.tar", "--policy", c.policy, "--trust-store", c.keep+"/none", ref), 2, "could not be opened"},
		"without signatures":   {append(c.trust(scope...), "-o", "x.tar", "--with-revocation", "--artifact-type", "a/b", ref), 4, "Add --artifact-type"},
		"twice":                {append(scope, "-o", "x.tar", "--no-verify", ref, ref), 2, "twice"},
		"somewhere else":       {append(scope, "-o", filepath.Join(off, "x.tar"), ref), 2, "cannot be seen"},
		"a store not there":    {append(scope, "-o", "x.tar", "--no-verify", "--with-trust", ref), 2, "There is no trust policy"},
		"too short a platform": {append(scope, "-o", "x.tar", "--no-verify", "--platform", "linux/none", ref), 3, "platform"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"bundle", "export"}, tt.args...)
			at := filepath.Join(t.TempDir(), "x.tar")
			for i := range args {
				if args[i] == "x.tar" {
					args[i] = at
				}
			}
			c.run(args...).want(tt.code, tt.text)
			entries, err := os.ReadDir(filepath.Dir(at))
			if err != nil || len(entries) > 0 {
				t.Errorf("%v is left, %v", entries, err)
			}
		})
	}
	// Policy without its store.
	policy := c.user.policy("strict", "*", "ca:none", "*")
	_, r := c.export("--no-verify", "--with-trust")
	r.want(2, "There is no trust policy")
	c.ok("policy", "import", "--force", policy)
	_, r = c.export("--no-verify", "--with-trust")
	r.want(2, "ca:none")
	// The responder says no.
	c.acme.revoked.Store(true)
	_, r = c.export(c.trust("--with-revocation")...)
	r.want(1, "[revocation.revoked]", "No bundle was written")
}

// TestBundleAnswersOnly carries new answers; with warnings where they are few or
// short.
func TestBundleAnswersOnly(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	path, r := c.export(c.trust("--only-revocation")...)
	r.want(0, "No artifacts", "until")
	c.isolate()
	c.ok(c.trust("verify", "--offline", "--revocation-evidence", path, "--oci-layout", c.dir+":v1")...).want(0, "(carried)")
	c.run("bundle", "import", path, "r.example").wantError(2, "holds no artifacts")

	// Of a policy that skips the check, and a signer who names nobody.
	plain := c.newSigner("plain", testpki.Options{KeySet: 1})
	c.dir, _ = c.layout("plain")
	c.signed(c.dir, "plain")
	path, r = c.export("--with-revocation", "--ca-cert", plain.root)
	r.want(0, "There are no answers about revocation to carry")
	c.ok("verify", "--ca-cert", plain.root, "--revocation-evidence", path, "--oci-layout", c.dir+":v1").want(0, "holds no answers about revocation")
	c.run("verify", "--ca-cert", plain.root, "--revocation-evidence", c.write("x.tar", strings.Repeat("\x00", 257)+"ustar"), "--oci-layout", c.dir+":v1").want(2)
}

// TestBundleEvidence puts answers into a bundle that a liar would: they do not
// help, and do not keep good ones from helping.
//
// attack: REV-01
// attack: REV-02
func TestBundleEvidence(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	chain := testpki.New(t, testpki.Options{Name: "acme", Length: 2})
	block, _ := pem.Decode([]byte(c.read(c.acme.chain)))
	leaf := testpki.Parse(t, block.Bytes)
	now := time.Now()
	answer := func(change func(*testpki.OCSP), key int) []byte {
		o := testpki.NewOCSP(leaf, chain.Certs[1], now.Add(-time.Minute))
		if change != nil {
			change(&o)
		}
		return o.Sign(t, chain.Keys[key])
	}
	good := answer(nil, 1)
	revoked := answer(func(o *testpki.OCSP) { o.Singles[0].Status = testpki.OCSPRevoked(now.Add(-time.Hour), 1) }, 1)
	stale := answer(func(o *testpki.OCSP) {
		o.Singles[0].ThisUpdate, o.Singles[0].NextUpdate = now.Add(-48*time.Hour), now.Add(-24*time.Hour)
	}, 1)
	foreign := testpki.NewOCSP(chain.Certs[1], chain.Certs[1], now).Sign(t, chain.Keys[1])
	for name, tt := range map[string]struct {
		answers [][]byte
		code    int
		text    string
	}{
		"good":            {[][]byte{good}, 0, "(carried)"},
		"forged":          {[][]byte{answer(nil, 0)}, 3, "[revocation.unavailable]"},
		"stale":           {[][]byte{stale}, 3, "carried along does not count"},
		"foreign":         {[][]byte{foreign}, 3, "[revocation.unavailable]"},
		"revoked":         {[][]byte{revoked}, 1, "[revocation.revoked]"},
		"good among them": {[][]byte{foreign, stale, answer(nil, 0), good}, 0, "(carried)"},
		"no is no":        {[][]byte{good, revoked}, 1, "[revocation.revoked]"},
		"none":            {nil, 3, "nobody may be asked"},
	} {
		path := c.bundle(tt.answers)
		c.isolate()
		c.run(c.trust("verify", "--offline", "--oci-layout", path+":v1")...).want(tt.code, tt.text)
		reg := newRegistry(t)
		c.run(c.trust("bundle", "import", "--offline", path, reg.host)...).want(tt.code, tt.text)
		if _, there := reg.manifests["v1"]; there != (tt.code == 0) {
			t.Errorf("%s: tagged %t", name, there)
		}
	}
}

// bundle makes a bundle of the artifact with these answers.
func (c *carrier) bundle(answers [][]byte) string {
	t := c.t
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.tar")
	w, err := bundle.Create(t.Context(), path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	src, err := layout.Open(c.dir, layout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, ref, _ := oci.ParseLayoutReference("x:v1")
	root, err := src.Resolve(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	origin, err := oci.ParseReference("r.example/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Add(t.Context(), src, root, origin, promote.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	var recorded []revocation.Recorded
	for _, der := range answers {
		a, err := revocation.ParseAnswer(der)
		if err != nil {
			t.Fatal(err)
		}
		recorded = append(recorded, revocation.Recorded{Answer: a, DER: der})
	}
	if err := w.AddEvidence(t.Context(), recorded); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBundleImportRefuses(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	path, r := c.export(c.trust("--with-revocation")...)
	r.want(0)
	other, _ := c.layout("other")
	several := filepath.Join(t.TempDir(), "several.tar")
	c.ok("bundle", "export", "-o", several, "--no-verify", "--oci-layout", "--scope", "r.example/team/app", c.dir+":v1", other+"@"+digestOf(manifestOf("other")))
	reg := newRegistry(t)
	for name, tt := range map[string]struct {
		args []string
		code int
		text string
	}{
		"a digest":        {[]string{path, reg.host + "/x@" + c.digest}, 2, "has a digest"},
		"upper case":      {[]string{path, reg.host + "/UP"}, 2, "destination cannot be"},
		"a short name":    {[]string{path, "team"}, 2, "spelled"},
		"a bad full name": {[]string{path, reg.host + "/UP:v1"}, 2, "destination cannot be"},
		"two for one":     {[]string{several, reg.host + "/x:v1"}, 2, "several artifacts"},
		"no bundle":       {[]string{c.dir, reg.host}, 2, "no bundle"},
		"both ways":       {[]string{"--verify", "--no-verify", path, reg.host}, 2, "cannot be mixed"},
		"not demanded":    {[]string{"--verify", path, reg.host}, 2, "There is no trust policy"},
		"stranger":        {[]string{"--offline", "--ca-cert", c.newSigner("stranger", testpki.Options{KeySet: 2}).root, path, reg.host}, 1, "Nothing was imported"},
		"one of two":      {c.trust("--offline", "--max-signatures", "9", several, reg.host), 4, "Nothing was imported"},
		"credentials":     {[]string{"--no-verify", "-u", "x", path, reg.host}, 2, "belong together"},
	} {
		c.isolate()
		c.run(append([]string{"bundle", "import"}, tt.args...)...).want(tt.code, tt.text)
		if len(reg.manifests) > 0 {
			t.Fatalf("%s: something was sent", name)
		}
	}
	c.ok("bundle", "import", "--no-verify", several, reg.host).want(0, "--no-verify was given", "no tag was moved, as none was given")
	c.ok(c.trust("bundle", "import", path, reg.host+"/a/b:v2")...).want(0, "tag v2 names it now")
}

// TestBundleImportStops has the registry lose the signatures, and refuse, in the
// middle.
func TestBundleImportStops(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	path, r := c.export(c.trust("--with-revocation")...)
	r.want(0)
	reg := newRegistry(t)
	front := func(spoil func(http.ResponseWriter, *http.Request) bool) string {
		proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: reg.host})
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !spoil(w, r) {
				proxy.ServeHTTP(w, r)
			}
		}))
		t.Cleanup(s.Close)
		return strings.TrimPrefix(s.URL, "http://")
	}
	full := front(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifests/v1") {
			http.Error(w, "", http.StatusForbidden)
			return true
		}
		return false
	})
	c.run(c.trust("bundle", "import", "--offline", path, full)...).want(3, "the tag \"v1\" could not be moved", "Not finished", "tag v1 was not moved")
	broken := front(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/blobs/uploads/") {
			http.Error(w, "", http.StatusForbidden)
			return true
		}
		return false
	})
	clear(reg.blobs)
	clear(reg.manifests)
	c.run(c.trust("bundle", "import", "--offline", path, broken)...).want(3, "is incomplete at", "no tag was to be moved")
	if _, there := reg.manifests["v1"]; there {
		t.Error("a tag was moved")
	}
	// What arrives cannot be verified: the answers are gone by then.
	var late atomic.Bool
	c.env.Now = func() time.Time {
		if late.Load() {
			return time.Now().Add(2 * time.Hour)
		}
		return time.Now()
	}
	slow := front(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			late.Store(true)
		}
		return false
	})
	c.isolate()
	c.run(c.trust("bundle", "import", "--offline", path, slow)...).want(3, "did not pass at the destination, so no tag was moved")
	if _, there := reg.manifests["v1"]; there {
		t.Error("a tag was moved")
	}
}

// TestBundleOrigin proposes the repository that the bundle names, and does not
// go by it.
func TestBundleOrigin(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	path, r := c.export(c.trust("--with-revocation")...)
	r.want(0)
	policy := c.user.policy("strict", "r.example/team/app", "ca:acme", "*")
	verify := func(ref string) result {
		return c.run("verify", "--policy", policy, "--trust-store", c.keep, "--oci-layout", ref)
	}
	for _, ref := range []string{path + ":v1", path + "@" + c.digest} {
		verify(ref).want(1, "the bundle says that it was in r.example/team/app, which is for you to believe")
	}
	for _, ref := range []string{path + ":notation.bundle", c.dir + ":v1"} {
		if r := verify(ref).want(1, "Say with --scope"); strings.Contains(r.stderr, "the bundle says") {
			t.Error(r.stderr)
		}
	}
	// Two artifacts of one name, from two registries.
	other, _ := c.layout("other")
	one, two := newRegistry(t), newRegistry(t)
	c.ok("copy", "--no-verify", "--from-oci-layout", c.dir+":v1", one.host+"/app:v1")
	c.ok("copy", "--no-verify", "--from-oci-layout", other+":v1", two.host+"/app:v1")
	both := filepath.Join(t.TempDir(), "both.tar")
	c.ok("bundle", "export", "--no-verify", "-o", both, one.host+"/app:v1", two.host+"/app:v1")
	c.run("bundle", "import", "--no-verify", both, newRegistry(t).host).wantError(2, "would both be")
	c.run("verify", "--policy", policy, "--trust-store", c.keep, "--oci-layout", both+":none").want(1)
}

// TestBundleOddities has what is attached not pass, answers that do not last,
// parts of a bundle that are broken, and a disk that is full.
func TestBundleOddities(t *testing.T) {
	t.Parallel()
	c := newCarrier(t)
	var chain *testpki.Chain
	server := httptest.NewServer(testpki.OCSPHandler(func(_, _ []byte) []byte {
		o := testpki.NewOCSP(chain.Certs[0], chain.Certs[1], time.Now().Add(-time.Minute))
		o.Singles[0].NextUpdate = time.Time{}
		return o.Sign(t, chain.Keys[1])
	}))
	t.Cleanup(server.Close)
	chain = testpki.New(t, testpki.Options{Name: "brief", Length: 2, Modify: func(position int, cert *x509.Certificate) {
		if position == 0 {
			cert.OCSPServer = []string{server.URL}
		}
	}})
	c.ok("key", "add", "--name", "brief", c.write("brief.key", string(chain.KeyPEM())), c.write("brief.crt", string(chain.CertPEM())))
	root := c.write("root.crt", string((&testpki.Chain{Certs: chain.Certs[1:]}).CertPEM()))
	stranger := c.newSigner("stranger", testpki.Options{KeySet: 2})
	c.dir, c.digest = c.layout("brief")
	c.signed(c.dir, "brief")
	c.ok("attach", "--oci-layout", "--artifact-type", "sbom/example", "--sign", "-k", "stranger", c.dir+":v1", stranger.chain)
	path, r := c.export("--with-revocation", "--ca-cert", root)
	r.want(0, "which belongs to "+c.dir+":v1, does not pass", "does not say until when it holds", "not said")
	c.isolate()
	c.ok("verify", "--offline", "--ca-cert", root, "--oci-layout", path+":v1", path+"@"+c.digest)

	// What cannot be read of a bundle is said, and the rest is shown.
	dir := filepath.Join(t.TempDir(), "unpacked")
	c.ok("copy", "--no-verify", "--from-oci-layout", "--to-oci-layout", path+":v1", dir+":v1")
	for _, tag := range []string{"notation.bundle", "notation.revocation"} {
		c.ok("copy", "--no-verify", "--from-oci-layout", "--to-oci-layout", path+":"+tag, dir+":"+tag)
	}
	c.ok("copy", "--no-verify", "--from-oci-layout", "--to-oci-layout", path+":notation.bundle", dir+":notation.trust")
	answer := at(c.ok("bundle", "show", "-o", "json", path).json(), "revocation", 0, "digest").(string)
	if err := os.WriteFile(filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(answer, "sha256:")), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.ok("bundle", "show", dir).want(0, "An answer about revocation in the layout is not used", "cannot be used", "No answers", "No trust policy")
	c.run("bundle", "trust", dir, "-o", filepath.Join(t.TempDir(), "new")).wantError(2)

	// A disk that is full leaves nothing.
	c.dir, _ = c.layout("again")
	c.signed(c.dir, "acme")
	path, r = c.export(c.trust("--with-trust")...)
	r.want(0)
	c.env.Files = atomicfile.Writer{Before: func(op atomicfile.Op, _ string) error {
		if op == atomicfile.OpWrite {
			return errors.New("no space left")
		}
		return nil
	}}
	parent := t.TempDir()
	c.run("bundle", "trust", path, "-o", filepath.Join(parent, "new")).wantError(2, "could not be written")
	if entries, err := os.ReadDir(parent); err != nil || len(entries) > 0 {
		t.Errorf("%v %v", entries, err)
	}
}
