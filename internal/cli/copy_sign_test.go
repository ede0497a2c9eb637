package cli_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// TestCopySigns adds the signature of the destination's own, of which its policy
// can demand that it is there.
func TestCopySigns(t *testing.T) {
	t.Parallel()
	c := newCopier(t)
	prod := c.newSigner("prod", testpki.Options{})
	schemas := loadSchemas(t)
	// Acme is trusted at the source, and only prod at the destination.
	c.ok("cert", "add", "--type", "ca", "--store", "acme", c.acme.root)
	c.ok("cert", "add", "--type", "ca", "--store", "prod", prod.root)
	c.ok("policy", "import", "--force", c.write("two.json", `{"version":"1.0","trustPolicies":[
		{"name":"dev","registryScopes":["dev.example/app"],"signatureVerification":{"level":"strict"},"trustStores":["ca:acme"],"trustedIdentities":["*"]},
		{"name":"prod","registryScopes":["prod.example/app"],"signatureVerification":{"level":"strict"},"trustStores":["ca:prod"],"trustedIdentities":["*"]}]}`))
	scopes := []string{"--from-scope", "dev.example/app", "--to-scope", "prod.example/app"}
	for _, name := range []string{"directory", "file.tar"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &copier{user: &user{t: t, home: c.home, vars: c.vars, env: c.env}, acme: c.acme, src: c.src, digest: c.digest}
			dst := filepath.Join(t.TempDir(), name)
			c.run(c.layouts(dst, scopes...)...).want(1)
			signed := append([]string{"--sign", "-k", "prod", "--sign-user-metadata", "stage=prod"}, scopes...)
			r := c.ok(c.layouts(dst, append(signed, "-o", "json")...)...)
			schemas.check(r)
			doc := r.json()
			if at(doc, "signature", "digest") == nil || at(doc, "envelope", "digest") == nil || at(doc, "destination", "verification") != "passed" || at(doc, "source", "verification") != "passed" {
				t.Error(r.stdout)
			}
			c.ok("verify", "--ca-cert", prod.root, "--oci-layout", dst+":v1", "-m", "stage=prod")
			c.ok("verify", "--ca-cert", c.acme.root, "--oci-layout", dst+":v1")
			c.ok(c.layouts(dst, signed...)...).want(0, "Successfully signed "+dst+"@"+c.digest+"\n  signature sha256:", "tag v1 names it now")
		})
	}
}

// TestCopySignsOnce adds one signature however often it is run, and asks nobody
// about revocation who is not to be asked.
func TestCopySignsOnce(t *testing.T) {
	t.Parallel()
	c := newCopier(t)
	prod := c.newChecked("prod")
	schemas := loadSchemas(t)
	dst := filepath.Join(t.TempDir(), "dst")
	args := c.layouts(dst, "--no-verify", "--sign", "--skip-if-signed", "-k", "prod")
	first := at(c.ok(append(args, "-o", "json")...).json(), "signature", "digest")
	r := c.ok(append(args, "-o", "json")...)
	schemas.check(r)
	if doc := r.json(); at(doc, "signature", "digest") != first || at(doc, "alreadySigned") != true || at(doc, "copied", "manifests") != 0.0 {
		t.Error(r.stdout)
	}
	c.ok(args...).want(0, "Already signed "+dst+"@"+c.digest, "tag v1 names it now")

	// Offline the answer from before does, and without it nobody can tell.
	offline := append(c.layouts(dst, "--offline", "--sign", "--skip-if-signed", "-k", "prod", "--from-scope", "x.example/app", "--to-scope", "x.example/app"), c.policy("x.example/app")...)
	asked := prod.asked.Load()
	c.ok(offline...).want(0, "Already signed")
	c.vars["NOTATION_CACHE"] = t.TempDir()
	c.run(offline...).want(3, "could not be signed there", "nobody may be asked", "the tag 'v1' was not moved")
	if n := prod.asked.Load(); n != asked {
		t.Errorf("offline, and asked %d times", n-asked)
	}

	// Another one is added where it is not as good.
	c.ok(append(args, "--sign-user-metadata", "stage=prod")...).want(0, "Successfully signed")
	prod.revoked.Store(true)
	c.vars["NOTATION_CACHE"] = t.TempDir()
	c.ok(args...).want(0, "Successfully signed")
	c.run(c.layouts(dst, "--skip-if-signed")...).wantError(2, "--skip-if-signed needs --sign")
}

// TestCopyCannotSign leaves the tag where it is, or all as it was, and says so.
func TestCopyCannotSign(t *testing.T) {
	t.Parallel()
	c := newCopier(t)
	reg := newRegistry(t)
	dst := reg.host + "/app:v1"
	base := []string{"copy", "--no-verify", "--from-oci-layout", c.src + ":v1"}

	// A key that cannot be used is known before anything is asked.
	c.run(append(base, dst, "--sign", "-k", "nobody")...).wantError(2, "nobody")
	c.run(append(base, dst, "--sign", "-k", "acme", "--sign-plugin-config", "a=b")...).wantError(2, "--sign-plugin-config is for keys that a plugin holds")
	if n := reg.requests.Load(); n > 0 {
		t.Errorf("%d requests", n)
	}

	// What turns out late leaves a copy without a tag, or no tarball.
	late := []string{"--sign", "-k", "acme", "--timestamp-url", "http://127.0.0.1:1/", "--timestamp-root-cert", c.acme.root}
	schemas := loadSchemas(t)
	r := c.run(append(append(base, dst, "-o", "json"), late...)...).want(3, "Everything was copied, but it could not be signed there", "the tag 'v1' was not moved")
	schemas.check(r)
	if doc := r.json(); at(doc, "signature") != nil || at(doc, "tag") != nil || at(doc, "copied", "manifests") != 2.0 || at(doc, "destination", "verification") != "off" {
		t.Error(r.stdout)
	}
	c.run("verify", "--ca-cert", c.acme.root, dst).want(3)
	c.ok("verify", "--ca-cert", c.acme.root, reg.host+"/app@"+c.digest)
	tarball := filepath.Join(t.TempDir(), "x.tar")
	c.run(c.layouts(tarball, append(late, "--no-verify")...)...).wantError(3, "x.tar was left as it was", "could not be signed")
	c.wantAbsent(tarball)

	// The signature is there, and the destination does not pass all the same.
	stranger := c.newSignerElsewhere("stranger")
	c.ok("cert", "add", "--type", "ca", "--store", "acme", c.acme.root)
	c.ok("cert", "add", "--type", "ca", "--store", "stranger", stranger.root)
	policy := c.write("two.json", `{"version":"1.0","trustPolicies":[
		{"name":"dev","registryScopes":["dev.example/app"],"signatureVerification":{"level":"strict"},"trustStores":["ca:acme"],"trustedIdentities":["*"]},
		{"name":"prod","registryScopes":["*"],"signatureVerification":{"level":"strict"},"trustStores":["ca:stranger"],"trustedIdentities":["*"]}]}`)
	c.ok("policy", "import", "--force", policy)
	r = c.run("copy", "--from-scope", "dev.example/app", "--from-oci-layout", c.src+":v1", dst, "--sign", "-k", "acme").
		want(1, "Everything was copied, but it did not pass at the destination", "was added", "the tag 'v1' was not moved")
	if strings.Contains(r.stdout, "Successfully") {
		t.Error(r.stdout)
	}
	r = c.run("copy", "--from-scope", "dev.example/app", "--from-oci-layout", "--to-oci-layout", c.src+":v1", tarball+":v1", "--to-scope", "prod.example/app", "--sign", "-k", "acme", "-o", "json").want(1)
	if doc := r.json(); at(doc, "signature") != nil {
		t.Error(r.stdout)
	}
	c.wantAbsent(tarball)
}

// TestCopySignsWhereItIsRefused has a registry that takes no more signatures.
func TestCopySignsWhereItIsRefused(t *testing.T) {
	t.Parallel()
	c := newCopier(t)
	reg := newRegistry(t)
	var puts atomic.Int64
	front := newFront(t, reg, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") {
			return false
		}
		if puts.Add(1) <= 2 {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	r := c.run("copy", "--no-verify", "--from-oci-layout", c.src+":v1", front+"/app:v1", "--sign", "-k", "acme")
	r.want(3, "Everything was copied, but it could not be signed there", "the tag 'v1' was not moved", "Not finished")
	if n := puts.Load(); n != 3 {
		t.Errorf("%d manifests were put", n)
	}
}
