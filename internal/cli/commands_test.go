package cli_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	other := newUser(t).newSigner("other", testpki.Options{Algorithm: "ec-384"})
	chain := testpki.New(t, testpki.Options{Name: "acme"})
	key, certs := u.write("release.key", string(chain.KeyPEM())), u.write("release.crt", string(chain.CertPEM()))
	u.ok("key", "list").want(0, "No keys.")
	u.ok("key", "add", key, certs).want(0, `Added key "release".`)
	u.ok("key", "add", "--default", "--name", "second", key, certs).want(0, `Added key "second", the default key.`)
	u.ok("key", "ls").want(0, "  release  "+key, "* second   "+key)
	doc := u.ok("key", "list", "-ojson").json()
	if at(doc, "keys", 1, "default") != true || at(doc, "keys", 0, "certPath") != certs {
		t.Errorf("%v", doc)
	}
	u.run("key", "add", "--name", "Release", key, certs).wantError(2, "already")
	u.run("key", "add", "--name", "mixed", key, other.chain).wantError(2, "does not belong")
	u.run("key", "add", "--name", "swapped", certs, key).wantError(2, "no private key")
	u.run("key", "add", "--name", "leafless", key, other.root).wantError(2)
	u.ok("key", "update", "--default", "release").want(0, `Key "release" is the default key.`)
	u.ok("key", "set", "second", "--default")
	u.run("key", "delete", "release", "nobody").wantError(2, "nobody")
	u.ok("key", "list").want(0, "release")
	u.ok("key", "delete", "release", "second").want(0, `Deleted key "second" from the list.`, "Files were not deleted.")
	u.read(key)
	u.run("key", "delete", "").wantError(2)
	u.run("sign", "localhost:1/a:v1").wantError(2, "no default key")

	// Paths are recorded so that they hold from everywhere.
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "k.key"), chain.KeyPEM(), 0o600), os.WriteFile(filepath.Join(dir, "k.crt"), chain.CertPEM(), 0o600)); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(here, dir)
	if err != nil {
		t.Fatal(err)
	}
	doc = u.ok("key", "add", "-ojson", filepath.Join(relative, "k.key"), filepath.Join(relative, "k.crt")).json()
	if at(doc, "keys", 0, "keyPath") != filepath.Join(dir, "k.key") {
		t.Errorf("%v", doc)
	}
}

// TestKeysOfOthers keeps what another program wrote, and says which key it is
// that cannot be used.
func TestKeysOfOthers(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	if err := os.MkdirAll(u.path(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(u.path("signingkeys.json"), []byte(`{"default":"kms","keys":[{"name":"kms","id":"arn","pluginName":"aws"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	u.ok("key", "list").want(0, "* kms", "plugin aws, id arn")
	u.run("sign", "localhost:1/a:v1").wantError(2, `Key "kms" is held by a plugin: the plugin "aws" is not installed`, "notation plugin install")
	u.newSigner("local", testpki.Options{})
	if text := u.read(u.path("signingkeys.json")); !strings.Contains(text, `"pluginName": "aws"`) {
		t.Errorf("%s", text)
	}
}

// attack: FS-01
// attack: FS-03
func TestKeyFiles(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	dir, digest := u.layout("app")
	ref := dir + "@" + digest
	acme := u.newSigner("acme", testpki.Options{})
	if err := os.Chmod(acme.key, 0o644); err != nil {
		t.Fatal(err)
	}
	u.ok("sign", "-k", "acme", "--oci-layout", ref).want(0, "Warning: ", "may be read by other users (mode 0644)")
	for name, plant := range specialFiles() {
		if err := os.Remove(acme.key); err != nil {
			t.Fatal(err)
		}
		if err := plant(acme.key); err != nil {
			t.Fatal(err)
		}
		u.run("sign", "-k", "acme", "--oci-layout", ref).wantError(2, acme.key)
		_ = name
	}
}

func TestSign(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	u.newSigner("acme", testpki.Options{})
	tagged := reg.host + "/app:v1"
	digest := reg.push("v1", "app")
	named := reg.host + "/app@" + digest
	u.ok("sign", "-k", "acme", tagged).want(0, "Warning: ", "ag 'v1' may be moved", named)
	plain := u.ok("sign", "-k", "acme", named)
	if !strings.HasPrefix(plain.stdout, "Successfully signed "+named+"\n") || plain.stderr != "" {
		t.Errorf("%q, %q", plain.stdout, plain.stderr)
	}
	u.ok("sign", "-k", "acme", "--force-referrers-tag", named)
	if _, ok := reg.manifests["sha256-"+strings.TrimPrefix(digest, "sha256:")]; !ok {
		t.Error("--force-referrers-tag wrote no tag")
	}
	u.ok("sign", "-k", "acme", "-e", "12h", "-m", "build=7", "-m", "by=a=b", "--signature-format", "cose", named)
	u.run("sign", "-k", "acme", "-m", "io.cncf.notary.x=1", named).wantError(2, "reserved")
	u.run("sign", "-k", "acme", reg.host+"/app:none").want(3)

	doc := u.ok("inspect", "-ojson", named).json()
	signatures := at(doc, "signatures").([]any)
	last := signatures[len(signatures)-1]
	for path, want := range map[string]any{
		"signatureEnvelopeType": "application/cose", "signatureAlgorithm": "ECDSA-SHA-256",
	} {
		if at(last, path) != want {
			t.Errorf("%s: %v", path, at(last, path))
		}
	}
	if at(last, "userDefinedAttributes", "build") != "7" || at(last, "userDefinedAttributes", "by") != "a=b" ||
		at(last, "signedArtifact", "digest") != digest || at(last, "integrity", "outcome") != "passed" || at(doc, "verified") != false ||
		len(at(last, "certificates").([]any)) != 3 || at(last, "certificates", 0, "SHA256Fingerprint") == nil {
		t.Errorf("%v", last)
	}
	signing, err1 := time.Parse(time.RFC3339, at(last, "signedAttributes", "signingTime").(string))
	expiry, err2 := time.Parse(time.RFC3339, at(last, "signedAttributes", "expiry").(string))
	if errors.Join(err1, err2) != nil || expiry.Sub(signing) != 12*time.Hour {
		t.Errorf("%s, %s", signing, expiry)
	}
	tree := u.ok("inspect", "-o", "tree", named)
	if text := u.ok("inspect", named); tree.stdout != text.stdout || !strings.Contains(text.stdout, "Not verified against any trust policy.") ||
		!strings.Contains(text.stdout, "build: 7") {
		t.Errorf("%s", text.stdout)
	}
	u.ok("list", tagged).want(0, "── sha256:")
	bare := reg.host + "/app@" + reg.push("v2", "bare")
	u.ok("list", bare).want(0, "no signature is attached")
	u.ok("inspect", bare).want(0, "no signature is attached")
	u.run("list", reg.host+"/app:none").wantError(3)
	u.run("inspect", reg.host+"/app:none").wantError(3)
}

// TestSignatureFormat follows config.json, and the flag before it.
func TestSignatureFormat(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	dir, digest := u.layout("app")
	ref := dir + "@" + digest
	if err := os.WriteFile(u.path("config.json"), []byte(`{"signatureFormat":"cose"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	u.ok("sign", "-k", "acme", "--oci-layout", ref)
	u.ok("sign", "-k", "acme", "--signature-format", "jws", "--oci-layout", ref)
	doc := u.ok("inspect", "-ojson", "--oci-layout", ref).json()
	kinds := map[any]bool{at(doc, "signatures", 0, "signatureEnvelopeType"): true, at(doc, "signatures", 1, "signatureEnvelopeType"): true}
	if !kinds["application/cose"] || !kinds["application/jose+json"] {
		t.Errorf("%v", kinds)
	}
	if err := os.WriteFile(u.path("config.json"), []byte(`{"signatureFormats":"cose"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	u.run("sign", "-k", "acme", "--oci-layout", ref).wantError(2, "signatureFormats", "config.json")
	u.run("list", "localhost:1/a:v1").wantError(2, "config.json")
}

// TestInspectBroken shows what can be shown of a signature that is not intact.
func TestInspectBroken(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	u.newSigner("acme", testpki.Options{})
	digest := reg.push("v1", "app")
	ref := reg.host + "/app@" + digest
	u.ok("sign", "-k", "acme", ref)
	// A listing may hold strangers, what was deleted, and other artifacts' signatures.
	foreign := reg.push("x", "stranger")
	reg.referrers[digest] = append(reg.referrers[digest],
		`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"`+digestOf([]byte("gone"))+`","size":4,"artifactType":"application/vnd.cncf.notary.signature"}`,
		`{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"`+foreign+`","size":`+sizeOf(reg.manifests[foreign].content)+`,"artifactType":"application/vnd.cncf.notary.signature"}`,
	)
	u.run("list", ref).want(3, "── sha256:", "Warning: ", digestOf([]byte("gone")))
	doc := u.run("inspect", "-ojson", ref).want(3).json()
	if at(doc, "signatures", 0, "integrity", "outcome") != "passed" {
		t.Errorf("%v", doc)
	}
	u.run("inspect", ref).want(3, "integrity: passed", "integrity: undecided")
}

func sizeOf(data []byte) string {
	text, _ := json.Marshal(len(data))
	return string(text)
}

func TestPolicyCommands(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSignerElsewhere("acme")
	u.ok("cert", "add", "-t", "signingAuthority", "-s", "sa", acme.root)
	u.run("policy", "init", "--trust-store", "ca:acme", "--trusted-identity", "*").wantError(2, "already", "--force")
	u.ok("policy", "init", "--force", "-n", "prod", "--trust-store", "ca:acme", "--trusted-identity", "x509.subject: C=US, ST=WA, O=acme", "--trusted-identity", "x509.subject: C=US, ST=WA, O=acme2").
		want(0, "Wrote the trust policy "+u.path("trustpolicy.oci.json")+" with statement prod.")
	u.ok("policy", "show").want(0, `"prod"`)
	doc := u.ok("policy", "show", "-ojson").json()
	if at(doc, "policy", "trustPolicies", 0, "name") != "prod" || at(doc, "path") != u.path("trustpolicy.oci.json") {
		t.Errorf("%v", doc)
	}
	u.run("policy", "lint").want(2, "error", "ca:acme")
	u.ok("cert", "add", "--name", "acme", acme.root)
	u.ok("policy", "lint")

	two := u.write("two.json", `{"version":"1.0","trustPolicies":[
		{"name":"app","registryScopes":["r.example/app"],"signatureVerification":{"level":"audit"},"trustStores":["ca:acme"],"trustedIdentities":["*"]},
		{"name":"off","registryScopes":["r.example/off"],"signatureVerification":{"level":"skip"}}]}`)
	bad := u.write("bad.json", `{"version":"1.0","trustPolicies":[{"name":"x","Name":"x"}]}`)
	before := u.read(u.path("trustpolicy.oci.json"))
	u.run("policy", "import", two).wantError(2, "--force")
	u.run("policy", "import", "--force", bad).wantError(2, "bad.json:1")
	if u.read(u.path("trustpolicy.oci.json")) != before {
		t.Error("a refused import changed the policy")
	}
	u.ok("policy", "import", "--force", two).want(0, "statements app, off")
	if u.read(u.path("trustpolicy.oci.json")) != u.read(two) {
		t.Error("the import is no copy")
	}
	u.ok("policy", "explain", "r.example/app:v1").want(0, `Statement "app" applies`, "authenticity        log", `Statement "off" does not apply`)
	u.run("policy", "explain", "r.example/ap").want(1, `Statement "app" does not apply`, "Error: ", "Hint: ")
	doc = u.ok("policy", "explain", "-ojson", "--policy", two, "r.example/off@"+digestOf(nil)).json()
	if at(doc, "statements", 1, "applies") != true || at(doc, "scope") != "r.example/off" || at(doc, "statements", 1, "checks", "integrity") != "skip" {
		t.Errorf("%v", doc)
	}
	u.ok("policy", "lint", "--policy", two).want(0, "warning", "[policy.logs-only]")
	doc = u.ok("policy", "lint", "-ojson", "--policy", two, "--trust-store", u.stores(acme)).json()
	if at(doc, "issues", 0, "severity") == nil {
		t.Errorf("%v", doc)
	}
	u.run("policy", "show", "--policy", bad).want(2, `"Name":"x"`, "Error: ")
	u.run("policy", "show", "-ojson", "--policy", u.write("text.json", "hello")).want(2).json()
	u.run("policy", "show", "--policy", u.write("text.json", "hello")).want(2, "hello\n")
}

// attack: POL-02
func TestPolicyScopes(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	policy := u.write("p.json", `{"version":"1.0","trustPolicies":[
		{"name":"hub","registryScopes":["docker.io/library/alpine"],"signatureVerification":{"level":"strict"},"trustStores":["ca:a"],"trustedIdentities":["*"]},
		{"name":"a","registryScopes":["reg.example/a"],"signatureVerification":{"level":"strict"},"trustStores":["ca:a"],"trustedIdentities":["*"]},
		{"name":"port","registryScopes":["reg.example:443/a"],"signatureVerification":{"level":"strict"},"trustStores":["ca:a"],"trustedIdentities":["*"]},
		{"name":"six","registryScopes":["[::1]:5000/a"],"signatureVerification":{"level":"strict"},"trustStores":["ca:a"],"trustedIdentities":["*"]}]}`)
	for ref, want := range map[string]string{
		"alpine:3": "hub", "docker.io/alpine:3": "hub", "index.docker.io/library/alpine:3": "hub", "docker.io/library/alpine@" + digestOf(nil): "hub",
		"reg.example/a:v1": "a", "REG.example/a:v1": "a", "reg.example/ab:v1": "", "reg.example/a/b:v1": "", "reg.example:443/a:v1": "port",
		"[0:0::1]:5000/a:v1": "six", "reg.example:5000/a:v1": "", "reg.example.com/a:v1": "",
	} {
		r := u.run("policy", "explain", "-ojson", "--policy", policy, ref)
		got := ""
		for _, s := range at(r.json(), "statements").([]any) {
			if at(s, "applies") == true {
				got = at(s, "name").(string)
			}
		}
		if got != want || (r.code == 0) != (want != "") {
			t.Errorf("%s: %q, want %q (exit %d)", ref, got, want, r.code)
		}
	}
	for _, ref := range []string{"reg.example./a:v1", "rég.example/a:v1", "reg.example/A:v1", "https://reg.example/a:v1"} {
		u.run("policy", "explain", "--policy", policy, ref).wantError(2)
	}
}

// attack: POL-01
func TestPolicyIsStrict(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	good := `{"version":"1.0","trustPolicies":[{"name":"x","registryScopes":["*"],"signatureVerification":{"level":"strict"},"trustStores":["ca:a"],"trustedIdentities":["*"]}]}`
	for name, change := range map[string][2]string{
		"duplicate member": {`"name":"x"`, `"name":"x","name":"y"`}, "case variant": {`"name"`, `"Name"`}, "unknown member": {`"name":"x"`, `"name":"x","nmae":"y"`},
		"version": {`"1.0"`, `"2.0"`}, "star beside others": {`["*"],"sig`, `["*","r/a"],"sig`}, "skip on star": {`"strict"`, `"skip"`},
		"override of integrity": {`"strict"`, `"strict","override":{"integrity":"log"}`}, "empty stores": {`["ca:a"]`, `[]`},
		"overlapping identities": {`["*"]}`, `["x509.subject: C=US,ST=WA,O=a","x509.subject: C=US,ST=WA,O=a,CN=b"]}`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		file := u.write("p.json", bad)
		u.run("policy", "import", file).wantError(2, "p.json:1")
		u.run("policy", "lint", "--policy", file).wantError(2)
		u.run("verify", "--policy", file, "--trust-store", t.TempDir(), "localhost:1/a:v1").wantError(2)
		if bad == good {
			t.Errorf("%s: no change", name)
		}
	}
	if got := snapshot(t, u.home); strings.Count(got, "\n") != 1 {
		t.Errorf("left:\n%s", got)
	}
}

// attack: FS-03
func TestPolicyOthersMayWrite(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	dir, digest := u.layout("app")
	acme := u.newSigner("acme", testpki.Options{})
	u.ok("sign", "-k", "acme", "--oci-layout", dir+"@"+digest)
	u.ok("cert", "add", "--name", "acme", acme.root)
	if r := u.ok("verify", "--oci-layout", dir+"@"+digest); r.stderr != "" {
		t.Errorf("%s", r.stderr)
	}
	store := u.path("truststore", "x509", "ca", "acme", "acme-root.crt")
	if err := errors.Join(os.Chmod(u.path("trustpolicy.oci.json"), 0o666), os.Chmod(store, 0o666)); err != nil {
		t.Fatal(err)
	}
	doc := u.ok("verify", "-ojson", "--oci-layout", dir+"@"+digest).want(0, "Warning: ", "may be written by other users (mode 0666)", "Warning: Trust store: ").json()
	if len(at(doc, "warnings").([]any)) != 2 {
		t.Errorf("%v", at(doc, "warnings"))
	}
	if err := os.WriteFile(u.path("trustpolicy.json"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	u.ok("policy", "show").want(0, "trustpolicy.json\" is not used")
}

// attack: FS-01
func TestSpecialConfigurationFiles(t *testing.T) {
	t.Parallel()
	for name, plant := range specialFiles() {
		for _, file := range []string{"trustpolicy.oci.json", "config.json", "signingkeys.json"} {
			u := newUser(t)
			if err := os.MkdirAll(u.path(), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := plant(u.path(file)); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, u.home)
			for _, args := range [][]string{
				{"verify", "localhost:1/a:v1"}, {"sign", "localhost:1/a:v1"}, {"policy", "show"}, {"key", "list"}, {"key", "delete", "x"}, {"list", "localhost:1/a:v1"},
				{"policy", "init", "--force", "--trust-store", "ca:a", "--trusted-identity", "*"},
			} {
				if r := u.run(args...); r.code == 0 && strings.Contains(r.stdout, file) {
					t.Errorf("%v with %s as %s: exit %d\n%s", args, name, file, r.code, r.stdout)
				}
				if file == "trustpolicy.oci.json" && args[0] == "policy" {
					u.run(args...).wantError(2, file)
				}
			}
			after := snapshot(t, u.home)
			if file != "trustpolicy.oci.json" {
				continue
			}
			if strings.ReplaceAll(after, u.path(".trustpolicy.oci.json.lock"), "") == "" || !strings.Contains(after, strings.Split(before, "\n")[3]) {
				t.Errorf("%s was replaced", name)
			}
		}
	}
}
