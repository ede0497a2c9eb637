package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// copier is a user with a signed artifact in a layout.
type copier struct {
	*user
	acme        signer
	src, digest string
}

func newCopier(t *testing.T) *copier {
	t.Helper()
	u := newUser(t)
	c := &copier{user: u, acme: u.newSigner("acme", testpki.Options{})}
	dir, digest := u.layout("image")
	c.src, c.digest = dir, digest
	u.ok("sign", "-k", "acme", "--oci-layout", dir+":v1")
	return c
}

// layouts returns the arguments of a copy from the layout to another.
func (c *copier) layouts(dst string, flags ...string) []string {
	return append([]string{"copy", "--from-oci-layout", "--to-oci-layout", c.src + ":v1", dst + ":v1"}, flags...)
}

// policy writes a policy with one statement, and the trust store it names.
func (c *copier) policy(scope string) []string {
	c.t.Helper()
	store := c.t.TempDir()
	if err := os.MkdirAll(filepath.Join(store, "ca", "acme"), 0o700); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(store, "ca", "acme", "root.crt"), []byte(c.read(c.acme.root)), 0o600); err != nil {
		c.t.Fatal(err)
	}
	file := c.write("policy.json", fmt.Sprintf(`{"version":"1.0","trustPolicies":[{"name":"s","registryScopes":[%q],
		"signatureVerification":{"level":"strict"},"trustStores":["ca:acme"],"trustedIdentities":["*"]}]}`, scope))
	return []string{"--policy", file, "--trust-store", store}
}

func (c *copier) wantAbsent(path string) {
	c.t.Helper()
	if _, err := os.Stat(path); err == nil {
		c.t.Errorf("%s is there", path)
	}
}

// TestCopyChoosesWhatToVerify copies between layouts under all kinds of policy.
func TestCopyChoosesWhatToVerify(t *testing.T) {
	t.Parallel()
	c := newCopier(t)
	dst := func() string { return filepath.Join(t.TempDir(), "dst") }
	schemas := loadSchemas(t)
	sides := func(r result, source, destination string) {
		t.Helper()
		schemas.check(r)
		doc := r.json()
		if at(doc, "source", "verification") != source || at(doc, "destination", "verification") != destination {
			t.Errorf("notation %s: want %s and %s: %s", strings.Join(r.args, " "), source, destination, r.stdout)
		}
	}
	// There is no policy at all.
	c.ok(c.layouts(dst())...).want(0, "was not verified: there is no trust policy", "not verified: there is no trust policy", "tag v1 names it now")
	sides(c.ok(c.layouts(dst(), "-o", "json")...), "noPolicy", "noPolicy")
	to := dst()
	c.run(c.layouts(to, "--verify")...).wantError(2, "There is no trust policy")
	c.wantAbsent(to)

	// The user's own has a statement for one scope.
	c.ok("cert", "add", "--name", "acme", c.acme.root)
	own := c.write("own.json", `{"version":"1.0","trustPolicies":[{"name":"s","registryScopes":["r.example/app"],
		"signatureVerification":{"level":"strict"},"trustStores":["ca:acme"],"trustedIdentities":["*"]}]}`)
	c.ok("policy", "import", "--force", own)
	c.ok(c.layouts(dst())...).want(0, "was not verified: no statement of the trust policy applies to it")
	sides(c.ok(c.layouts(dst(), "-o", "json")...), "noStatement", "noStatement")
	sides(c.ok(c.layouts(dst(), "-o", "json", "--from-scope", "r.example/app")...), "passed", "noStatement")
	sides(c.ok(c.layouts(dst(), "-o", "json", "--to-scope", "r.example/app")...), "noStatement", "passed")
	sides(c.ok(c.layouts(dst(), "-o", "json", "--no-verify", "--from-scope", "r.example/app")...), "off", "off")
	to = dst()
	c.run(c.layouts(to, "--verify")...).want(1, "Nothing was copied")
	sides(c.run(c.layouts(to, "--verify", "-o", "json")...), "failed", "notReached")
	c.wantAbsent(to)

	// What the command line names has to apply, and covers both ends.
	c.run(c.layouts(to, c.policy("r.example/other")...)...).want(1, "Nothing was copied")
	sides(c.ok(c.layouts(dst(), append(c.policy("*"), "-o", "json")...)...), "passed", "passed")
	skip := c.write("skip.json", `{"version":"1.0","trustPolicies":[{"name":"off","registryScopes":["r.example/app"],"signatureVerification":{"level":"skip"}}]}`)
	sides(c.ok(c.layouts(dst(), "-o", "json", "--policy", skip, "--from-scope", "r.example/app", "--to-scope", "r.example/app")...), "skipped", "skipped")

	// A policy that cannot be read is never taken for none.
	to = dst()
	if err := os.WriteFile(c.path("trustpolicy.oci.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.run(c.layouts(to)...).wantError(2)
	c.wantAbsent(to)

	// Nor does a program without a home directory need one.
	delete(c.vars, "HOME")
	c.ok(c.layouts(dst())...).want(0, "there is no trust policy")
}

// TestCopyIntoTarballs makes tarballs, adds to them, and leaves them as they were
// when something fails.
func TestCopyIntoTarballs(t *testing.T) {
	t.Parallel()
	c := newCopier(t)
	tarball := filepath.Join(t.TempDir(), "x.tar")
	trust := []string{"--ca-cert", c.acme.root}

	c.run(c.layouts(tarball, append(trust, "--no-referrers")...)...).want(4, "x.tar was left as it was", "is not signed", "Leave --no-referrers out")
	c.run(c.layouts(tarball, append(trust, "--artifact-type", "a/b")...)...).want(4, "Add --artifact-type application/vnd.cncf.notary.signature")
	c.wantAbsent(tarball)
	c.ok(c.layouts(tarball, append(trust, "--artifact-type", "application/vnd.cncf.notary.signature")...)...).want(0, "copied  2 manifests", "Successfully verified signature for "+tarball+"@"+c.digest)
	doc := c.ok(c.layouts(tarball, append(trust, "-o", "json")...)...).json()
	if at(doc, "copied", "manifests") != 0.0 || at(doc, "skipped", "manifests") != 2.0 || at(doc, "manifests", 0, "action") != "skipped" || at(doc, "tag") != "v1" {
		t.Errorf("%v", doc)
	}
	c.ok("verify", "--ca-cert", c.acme.root, "--oci-layout", tarball+":v1")

	before := c.read(tarball)
	other, _ := c.layout("other")
	config := filepath.Join(other, "blobs", "sha256", strings.TrimPrefix(digestOf([]byte("{}")), "sha256:"))
	if err := os.WriteFile(config, []byte("[]"), 0o600); err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(t.TempDir(), "fresh.tar")
	c.run("copy", "--no-verify", "--from-oci-layout", "--to-oci-layout", other+":v1", fresh+":v1").wantError(3, "fresh.tar was left as it was")
	c.wantAbsent(fresh)
	dir := filepath.Join(t.TempDir(), "dir")
	c.run("copy", "--no-verify", "--from-oci-layout", "--to-oci-layout", other+":v1", dir+":v1").wantError(3, "0 of 1 manifests", "the tag v1 was not moved")
	c.run("tree", "--oci-layout", dir+":v1").wantError(3)
	if c.read(tarball) != before {
		t.Error("the tarball was changed")
	}
}

// TestCopyToRegistries says what is there after a verification failed.
func TestCopyToRegistries(t *testing.T) {
	t.Parallel()
	c := newCopier(t)
	reg := newRegistry(t)
	c.ok("copy", "--ca-cert", c.acme.root, "--from-oci-layout", c.src+":v1", reg.host+"/app").want(0, "no tag was moved", reg.host+"/app@"+c.digest)
	reg = newRegistry(t)
	dst := reg.host + "/app:v1"
	r := c.run("copy", "-o", "json", "--ca-cert", c.acme.root, "--no-referrers", "--from-oci-layout", c.src+":v1", dst).want(4, "Everything was copied", "the tag 'v1' was not moved")
	if doc := r.json(); at(doc, "destination", "verification") != "failed" || at(doc, "tag") != nil || at(doc, "copied", "manifests") != 1.0 || at(doc, "artifact", "digest") != c.digest {
		t.Error(r.stdout)
	}
	c.run("copy", "--ca-cert", c.acme.root, "--no-referrers", "--from-oci-layout", c.src+":v1", dst).want(4, "Not finished "+reg.host+"/app@"+c.digest, "tag v1 was not moved", "skipped  1 manifest")
	c.ok("copy", "--ca-cert", c.acme.root, "--from-oci-layout", c.src+":v1", dst).want(0, "tag v1 names it now")
	c.ok("copy", "--ca-cert", c.acme.root, dst, newRegistry(t).host+"/app:v2").want(0, "tag v2 names it now")
	c.run("copy", "--platform", "linux/arm64", "--no-verify", dst, reg.host+"/arm:v1").want(3, "platform")
}

// TestCopyRefusesItsArguments sends nothing anywhere.
func TestCopyRefusesItsArguments(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	dir, digest := u.layout("image")
	const src, dst = "r.example/a:v1", "r.example/b:v1"
	for _, tt := range []struct {
		text string
		args []string
	}{
		{"needs SRC and DST", []string{src}},
		{"--verify and --no-verify", []string{"--verify", "--no-verify", src, dst}},
		{"flags about verification", []string{"--no-verify", "--offline", src, dst}},
		{"--no-referrers and --artifact-type", []string{"--no-referrers", "--artifact-type", "a/b", src, dst}},
		{"--max-signatures", []string{"--max-signatures", "0", src, dst}},
		{"--from-scope needs --from-oci-layout", []string{"--from-scope", "r.example/a", src, dst}},
		{"--to-scope needs --to-oci-layout", []string{"--to-scope", "r.example/a", src, dst}},
		{"'--to-scope' cannot be 'x:y:z'", []string{"--to-oci-layout", "--to-scope", "x:y:z", src, dir + ":v2"}},
		{"has a digest", []string{src, "r.example/b@" + digest}},
		{"has a digest", []string{"--to-oci-layout", src, dir + "@" + digest}},
		{"add --from-oci-layout", []string{dir + ":v1", dst}},
		{"add --to-oci-layout", []string{src, dir + ":v1"}},
		{"Error", []string{"--to-oci-layout", src, dir}},
		{"Error", []string{"r.example/a", dst}},
		{"two registries", []string{"--no-verify", "-u", "a", "--password-stdin", src, "s.example/b:v1"}},
	} {
		r := u.runWith(t.Context(), secret, append([]string{"copy"}, tt.args...)...)
		if !strings.Contains(strings.ToLower(r.stderr), strings.ToLower(tt.text)) {
			t.Errorf("%v: %q is missing: %s", tt.args, tt.text, r.stderr)
		}
		r.wantError(2)
	}
}
