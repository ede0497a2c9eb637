package cli_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// attachSBOM attaches a file to an artifact of a layout, and returns its digest.
func (c *copier) attachSBOM(ref, text string, flags ...string) string {
	c.t.Helper()
	file := c.write("sbom.json", text)
	r := c.ok(append([]string{"attach", "-o", "json", "--oci-layout", "--artifact-type", "sbom/example", ref, file}, flags...)...)
	digest, _ := at(r.json(), "artifact", "digest").(string)
	return digest
}

func TestCopyRequires(t *testing.T) {
	t.Parallel()
	c := newCopier(t)
	trust := []string{"--ca-cert", c.acme.root}
	require := append(trust, "--require-artifact-type", "sbom/example")
	schemas := loadSchemas(t)
	dst := filepath.Join(t.TempDir(), "dst")

	c.run(c.layouts(dst, require...)...).want(1, "Nothing was copied: nothing of type", "none is attached")
	unsigned := c.attachSBOM(c.src+":v1", "unsigned")
	c.run(c.layouts(dst, require...)...).want(1, "Nothing was copied", "is not signed", "Unsigned "+c.src+"@"+unsigned)
	c.newSigner("stranger", testpki.Options{})
	c.attachSBOM(c.src+":v1", "of a stranger", "--sign", "-k", "stranger")
	r := c.run(c.layouts(dst, append(require, "-o", "json")...)...).want(1)
	schemas.check(r)
	if doc := r.json(); at(doc, "error", "code") != "promote.required" || len(at(doc, "required").([]any)) != 2 || at(doc, "required", 0, "verification") != "failed" || at(doc, "destination", "verification") != "notReached" {
		t.Error(r.stdout)
	}
	c.wantAbsent(dst)

	signed := c.attachSBOM(c.src+":v1", "good", "--sign", "-k", "acme")
	c.ok(c.layouts(dst, require...)...).want(0, "Successfully verified signature for "+c.src+"@"+signed, "tag v1 names it now")
	r = c.ok(c.layouts(filepath.Join(t.TempDir(), "dst"), append(require, "-o", "json", "--artifact-type", "application/vnd.cncf.notary.signature")...)...)
	schemas.check(r)
	found := false
	for _, s := range at(r.json(), "required").([]any) {
		name, _ := at(s, "name").(string)
		found = found || strings.HasSuffix(name, signed) && at(s, "verification") == "passed" && at(s, "artifactType") == "sbom/example"
	}
	if !found || !strings.Contains(r.stdout, `"artifactType": "sbom/example"`) {
		t.Errorf("the SBOM was not copied: %s", r.stdout)
	}
	// Two kinds, of which one is missing.
	c.run(c.layouts(filepath.Join(t.TempDir(), "dst"), append(require, "--require-artifact-type", "scan/example")...)...).want(1, `"scan/example"`)
}

// TestCopyRequiresUndecided cannot read what would decide.
//
// attack: REG-09
func TestCopyRequiresUndecided(t *testing.T) {
	t.Parallel()
	c := newCopier(t)
	signed := c.attachSBOM(c.src+":v1", "good", "--sign", "-k", "acme")
	c.attachSBOM(c.src+":v1", "unsigned")
	// The envelope of the SBOM's signature is gone; the manifest holds a copy, so that goes, too.
	list := c.ok("discover", "-o", "json", "--oci-layout", c.src+"@"+signed).json()
	signature, _ := at(list, "manifests", 0, "digest").(string)
	if signature == "" {
		t.Fatalf("%v", list)
	}
	blob := filepath.Join(c.src, "blobs", "sha256", strings.TrimPrefix(signature, "sha256:"))
	if err := os.WriteFile(blob, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(t.TempDir(), "dst")
	c.run(c.layouts(dst, "--ca-cert", c.acme.root, "--require-artifact-type", "sbom/example")...).want(3)
	c.wantAbsent(dst)
}

// TestCopyRequiresUnanswered has a registry that lists the signatures of the SBOM
// once, and not again for the one who decides about it. A second one, which
// nobody has signed, does not make it a no.
//
// attack: REG-09
func TestCopyRequiresUnanswered(t *testing.T) {
	t.Parallel()
	c := newCopier(t)
	signed := c.attachSBOM(c.src+":v1", "good", "--sign", "-k", "acme")
	c.attachSBOM(c.src+":v1", "unsigned")
	reg, dst := newRegistry(t), newRegistry(t)
	c.ok("copy", "--no-verify", "--from-oci-layout", c.src+":v1", reg.host+"/app:v1")
	var asked atomic.Int64
	front := newFront(t, reg, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/referrers/"+signed) || asked.Add(1) == 1 {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	c.changes = true // the front answers the first time
	r := c.run("copy", "-o", "json", "--ca-cert", c.acme.root, "--require-artifact-type", "sbom/example", front+"/app:v1", dst.host+"/app:v1").want(3, "Nothing was copied")
	if doc := r.json(); at(doc, "error", "code") != "promote.required" || len(at(doc, "required").([]any)) != 2 {
		t.Error(r.stdout)
	}
	if n := dst.requests.Load(); n > 0 {
		t.Errorf("%d requests to the destination", n)
	}
}

func TestCopyRequiresNoSkip(t *testing.T) {
	t.Parallel()
	c := newCopier(t)
	c.attachSBOM(c.src+":v1", "good", "--sign", "-k", "acme")
	skip := c.write("skip.json", `{"version":"1.0","trustPolicies":[{"name":"off","registryScopes":["r.example/app"],"signatureVerification":{"level":"skip"}}]}`)
	dst := filepath.Join(t.TempDir(), "dst")
	c.run(c.layouts(dst, "--policy", skip, "--from-scope", "r.example/app", "--require-artifact-type", "sbom/example")...).want(2, `statement "off" of the trust policy says skip`)
	c.wantAbsent(dst)
	// Without a policy there is nobody who could decide.
	c.run(c.layouts(dst, "--require-artifact-type", "sbom/example")...).wantError(2, "There is no trust policy")
	c.wantAbsent(dst)
}

func TestCopyRefusesRequirements(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	const src, dst = "r.example/a:v1", "r.example/b:v1"
	for _, tt := range []struct {
		text string
		args []string
	}{
		{"--no-verify and --require-artifact-type", []string{"--no-verify", "--require-artifact-type", "a/b", src, dst}},
		{"--no-referrers and --require-artifact-type", []string{"--no-referrers", "--require-artifact-type", "a/b", src, dst}},
		{"'--require-artifact-type' cannot be 'sbom'", []string{"--require-artifact-type", "sbom", src, dst}},
		{"--key needs --sign", []string{"-k", "acme", src, dst}},
		{"--expiry needs --sign", []string{"--expiry", "1h", src, dst}},
		{"--sign-user-metadata needs --sign", []string{"--sign-user-metadata", "a=b", src, dst}},
		{"'--sign-user-metadata' has a value", []string{"--sign", "--sign-user-metadata", "a", src, dst}},
	} {
		u.run(append([]string{"copy"}, tt.args...)...).wantError(2, tt.text)
	}
}
