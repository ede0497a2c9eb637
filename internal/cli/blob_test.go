package cli_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/testpki"
)

// blobPolicy writes a trust policy for files, of one statement.
func (u *user) blobPolicy(level, store, identity string, global bool) string {
	return u.write("policy.json", fmt.Sprintf(`{"version":"1.0","trustPolicies":[{"name":"mine","globalPolicy":%v,
		"signatureVerification":{"level":%q},"trustStores":[%q],"trustedIdentities":[%q]}]}`, global, level, store, identity))
}

// TestBlobWalkthrough is a first use, from nothing to a verified file.
func TestBlobWalkthrough(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	file := u.write("release.tar.gz", "content")
	u.ok("cert", "generate-test", "--default", "wabbit-networks.io")
	signed := u.ok("blob", "sign", file)
	if want := "Successfully signed " + file + "\n  signature " + file + ".jws.sig\n"; signed.stdout != want || signed.stderr != "" {
		t.Errorf("sign: %q, %q", signed.stdout, signed.stderr)
	}
	u.run("blob", "verify", file).wantError(2, "no trust policy", "notation blob policy init --global")
	u.ok("cert", "add", "--name", "wabbit-networks.io", u.path("certificate", "wabbit-networks.io.crt"))
	u.ok("blob", "policy", "init", "--global", "--trust-store", "ca:wabbit-networks.io", "--trusted-identity", "*").
		want(0, "Wrote the trust policy "+u.path("trustpolicy.blob.json")+" with statement default.")
	verified := u.ok("blob", "verify", file)
	if !strings.HasPrefix(verified.stdout, "Successfully verified signature for "+file+"\n") || verified.stderr != "" {
		t.Errorf("verify: %q, %q", verified.stdout, verified.stderr)
	}
	verified.want(0, "file application/octet-stream, 7 bytes, sha256:", "signature sha256:", file+".jws.sig")
	u.ok("blob", "inspect", file+".jws.sig").want(0, "Not verified against any trust policy.", "integrity: passed", "size: 7")
	t.Log(verified.stdout)
}

// TestBlobVerdicts shows each outcome with its exit code, in both formats.
func TestBlobVerdicts(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme, other := u.newSigner("acme", testpki.Options{}), u.newSigner("other", testpki.Options{})
	good, bare, changed, both := u.write("good", "good"), u.write("bare", "bare"), u.write("changed", "before"), u.write("both", "both")
	u.ok("blob", "sign", "-k", "acme", "-m", "build=7", "--media-type", "text/plain", good)
	u.ok("blob", "sign", "-k", "acme", changed)
	if err := os.WriteFile(changed, []byte("after!"), 0o600); err != nil {
		t.Fatal(err)
	}
	u.ok("blob", "sign", "-k", "acme", "--signature-format", "cose", both)
	u.ok("blob", "sign", "-k", "other", "--signature-format", "jws", both)
	noEnvelope := u.write("no.jws.sig", "none")
	stores := u.stores(acme)
	with := func(policy string, more ...string) []string {
		return append([]string{"blob", "verify", "--policy", policy, "--trust-store", stores}, more...)
	}
	strict, named := u.blobPolicy("strict", "ca:acme", "*", true), u.blobPolicy("strict", "ca:acme", "*", false)
	skip := u.write("skip.json", `{"version":"1.0","trustPolicies":[{"name":"lenient","signatureVerification":{"level":"skip"}}]}`)
	for name, tt := range map[string]struct {
		args    []string
		code    int
		outcome string
		texts   []string
	}{
		"passed": {with(strict, good), 0, "passed", []string{"Successfully verified signature for " + good + "\n",
			`statement "mine" (strict), trust store ca:acme; signed metadata build=7`, "file text/plain, 4 bytes, sha256:"}},
		"metadata":                   {with(strict, "-m", "build=7", good), 0, "passed", []string{"METADATA"}},
		"other metadata":             {with(strict, "-m", "build=8", good), 1, "rejected", []string{"Rejected " + good, "[verify.metadata]"}},
		"media type":                 {with(strict, "--media-type", "text/plain", good), 0, "passed", nil},
		"other media type":           {with(strict, "--media-type", "text/html", good), 1, "rejected", nil},
		"changed":                    {with(strict, changed), 1, "rejected", []string{"integrity"}},
		"unsigned":                   {with(strict, bare), 4, "unsigned", []string{"Unsigned " + bare, bare + ".jws.sig", bare + ".cose.sig"}},
		"untrusted root":             {[]string{"blob", "verify", "--ca-cert", other.root, good}, 1, "rejected", []string{"[verify.root-untrusted]"}},
		"identity":                   {[]string{"blob", "verify", "--ca-cert", acme.root, "--identity", "C=US, ST=WA, O=acme", good}, 0, "passed", []string{"identity "}},
		"other identity":             {[]string{"blob", "verify", "--ca-cert", acme.root, "--identity", "C=US, ST=WA, O=x", good}, 1, "rejected", []string{"[verify.identity-untrusted]"}},
		"by name":                    {with(named, "--policy-name", "mine", good), 0, "passed", nil},
		"other name":                 {with(named, "--policy-name", "yours", good), 2, "", []string{"no statement of that name", "such as 'mine'"}},
		"none is global":             {with(named, good), 1, "rejected", []string{"[policy.no-statement]", "--policy-name"}},
		"no statement, no signature": {with(named, bare), 1, "rejected", []string{"[policy.no-statement]"}},
		"skip":                       {with(skip, "--policy-name", "lenient", good), 0, "skipped", []string{good + ` not verified: policy statement "lenient" says skip`}},
		"skip, no signature":         {with(skip, "--policy-name", "lenient", bare), 0, "skipped", []string{"was not verified"}},
		"audit":                      {with(u.blobPolicy("audit", "ca:acme", "x509.subject: C=US, ST=WA, O=x", true), good), 0, "passed", []string{"logged", "nobody vouches for the signer"}},
		"one of two is good":         {with(strict, both), 0, "passed", []string{"[verify.root-untrusted]", both + ".jws.sig", both + ".cose.sig"}},
		"the bad one alone":          {with(strict, "-s", both+".jws.sig", both), 1, "rejected", []string{"[verify.root-untrusted]"}},
		"the good one alone":         {with(strict, "--signature", both+".cose.sig", both), 0, "passed", nil},
		"another's signature":        {with(strict, "-s", good+".jws.sig", bare), 1, "rejected", []string{"integrity"}},
		"no envelope":                {with(strict, "-s", noEnvelope, good), 1, "rejected", nil},
		"neither":                    {with(strict, "-s", bare, good), 1, "rejected", []string{"neither"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := u.run(tt.args...).want(tt.code, tt.texts...)
			if success := strings.Contains(r.stdout, "Successfully"); success != (tt.outcome == "passed") {
				t.Errorf("success line: %v\n%s", success, r.stdout)
			}
			if said := strings.Count(r.stderr, "Error: "); said != min(tt.code, 1) {
				t.Errorf("%d errors: %s", said, r.stderr)
			}
			if tt.code != 0 && strings.Count(r.stderr, "Hint: ") != 1 {
				t.Errorf("hints: %s", r.stderr)
			}
			doc := u.run(append([]string{"--output", "json"}, tt.args...)...).want(tt.code).json()
			if tt.outcome == "" { // nothing was looked at
				if doc["verdicts"] != nil {
					t.Errorf("%v", doc)
				}
				return
			}
			if at(doc, "verdicts", 0, "verdict", "outcome") != tt.outcome || at(doc, "verdicts", 0, "exitCode") != float64(tt.code) {
				t.Errorf("%v", doc)
			}
			if failed := at(doc, "error", "code") != nil; failed != (tt.code != 0) {
				t.Errorf("error member: %v", doc)
			}
		})
	}
}

// TestBlobSeveral signs and verifies several files in one run.
func TestBlobSeveral(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{Algorithm: "ec-384"})
	one, two, three := u.write("one", "1"), u.write("two", "2"), u.write("three", "3")
	out := filepath.Join(t.TempDir(), "made", "here")
	u.ok("blob", "sign", "-k", "acme", "--signature-directory", out, "--signature-format", "cose", one, two).
		want(0, "Successfully signed "+one+"\n", "Successfully signed "+two+"\n", filepath.Join(out, "two.cose.sig"))
	u.ok("blob", "sign", "-k", "acme", one, two)
	doc := u.run("blob", "verify", "-ojson", "--ca-cert", acme.root, one, three, two).want(4).json()
	for i, want := range []string{"passed", "unsigned", "passed"} {
		if at(doc, "verdicts", i, "verdict", "outcome") != want {
			t.Errorf("%d: %v", i, at(doc, "verdicts", i))
		}
	}
	if digest, _ := at(doc, "verdicts", 0, "verdict", "artifact", "digest").(string); !strings.HasPrefix(digest, "sha384:") {
		t.Errorf("digest %s", digest)
	}
	if at(doc, "verdicts", 0, "signatureFiles", 0, "digest") != at(doc, "verdicts", 0, "verdict", "signatures", 0, "digest") {
		t.Errorf("%v", at(doc, "verdicts", 0))
	}
	u.run("blob", "verify", "--ca-cert", acme.root, one, filepath.Join(out, "nothing"), two).
		want(2, "Successfully verified signature for "+one, "Successfully verified signature for "+two, "No verdict on ")
	// The same name in two directories would be the same signature.
	again := u.write("one", "another")
	u.run("blob", "sign", "-k", "acme", "--force", "--signature-directory", out, one, again).wantError(2, "would be the same file")
	u.run("blob", "sign", "-k", "acme", "--force", one, one).wantError(2, "would be the same file")
}

// TestBlobSignKeeps replaces nothing without --force, and never a file that is
// to be signed.
func TestBlobSignKeeps(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	file := u.write("file", "content")
	u.ok("blob", "sign", "-k", "acme", file)
	before := u.read(file + ".jws.sig")
	u.run("blob", "sign", "-k", "acme", file).wantError(2, "is there already", "--force")
	u.run("blob", "sign", "-k", "acme", "--signature", file, "--force", file).wantError(2, "would replace it")
	if u.read(file+".jws.sig") != before || u.read(file) != "content" {
		t.Error("replaced without --force")
	}
	u.ok("blob", "sign", "-k", "acme", "--force", file)
	if u.read(file+".jws.sig") == before {
		t.Error("not replaced with --force")
	}
	info, err := os.Stat(file + ".jws.sig")
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := os.Symlink(file, file+".cose.sig"); err != nil {
		t.Fatal(err)
	}
	u.run("blob", "sign", "-k", "acme", "--signature-format", "cose", "--force", file).wantError(2)
	if u.read(file) != "content" {
		t.Error("a link led to the file itself")
	}
	u.run("blob", "sign", "-k", "acme", "--signature-directory", file, file).wantError(2, "is not a directory")
	u.run("blob", "sign", "-k", "acme", "--signature", "x.cose.sig", file).wantError(2, "the signature is in jws")
}

// TestBlobStandardInput pipes what is signed and verified.
func TestBlobStandardInput(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	out := filepath.Join(t.TempDir(), "signature") // whose name does not tell the format
	for _, format := range []string{"jws", "cose"} {
		u.runWith(t.Context(), "hello", "blob", "sign", "-k", "acme", "--signature-format", format, "--force", "-s", out, "-").
			want(0, "Successfully signed standard input\n", out)
		u.runWith(t.Context(), "hello", "blob", "verify", "--ca-cert", acme.root, "-s", out, "-").
			want(0, "Successfully verified signature for standard input\n", "5 bytes")
		u.runWith(t.Context(), "hellO", "blob", "verify", "--ca-cert", acme.root, "-s", out, "-").want(1)
		u.ok("blob", "inspect", out).want(0, "integrity: passed")
	}
	u.run("blob", "sign", "-k", "acme", "-").wantError(2, "--signature")
	u.run("blob", "sign", "-k", "acme", "--signature-directory", t.TempDir(), "-").wantError(2, "--signature")
	u.run("blob", "verify", "--ca-cert", acme.root, "-").wantError(2, "--signature")

	broken := *u
	broken.env.Stdin = brokenReader{}
	unsaid := filepath.Join(t.TempDir(), "unsaid")
	broken.run("blob", "sign", "-k", "acme", "-s", unsaid, "-").wantError(2, "tandard input could not be read")
	broken.run("blob", "verify", "--ca-cert", acme.root, "-s", out, "-").want(3, "could not be read")

	// An interrupt ends the wait for the other end of a pipe.
	waiting := *u
	r, w := io.Pipe()
	defer w.Close()
	waiting.env.Stdin = r
	ctx, cancel := context.WithCancel(t.Context())
	waiting.env.Notify = func(context.Context) (context.Context, context.CancelFunc) {
		cancel()
		return ctx, cancel
	}
	waiting.run("blob", "sign", "-k", "acme", "-s", unsaid, "-").want(3, "nterrupted")
	if _, err := os.Lstat(unsaid); err == nil {
		t.Error("a signature was written")
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the pipe burst") }

// TestBlobTimestamp signs with a time stamp, and verifies once the signature
// needs it.
func TestBlobTimestamp(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	tsa := u.newAuthority(testpki.Options{})
	acme := u.newSigner("acme", testpki.Options{})
	for _, format := range []string{"jws", "cose"} {
		file := u.write("file", "content")
		u.ok("blob", "sign", "-k", "acme", "--signature-format", format, "--timestamp-url", tsa.url, "--timestamp-root-cert", tsa.root, file).
			want(0, "\n  time stamp ", " by CN=clock")
		stores := u.stores(acme)
		dir := filepath.Join(stores, "tsa", "clock")
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "root.crt"), []byte(u.read(tsa.root)), 0o600)); err != nil {
			t.Fatal(err)
		}
		policy := u.write("policy.json", `{"version":"1.0","trustPolicies":[{"name":"mine","globalPolicy":true,"signatureVerification":{"level":"strict"},
			"trustStores":["ca:acme","tsa:clock"],"trustedIdentities":["*"]}]}`)
		u.ok("blob", "verify", "--policy", policy, "--trust-store", stores, file).want(0, "time stamp: ", "tsa:clock")
		u.ok("blob", "inspect", file+"."+format+".sig").want(0, "timestamp signature: ", "not verified")
	}
}

// TestBlobPlugin signs with a key that a plugin holds. The first version of the
// plugin makes bare signatures, the second whole envelopes of artifacts only.
func TestBlobPlugin(t *testing.T) {
	t.Parallel()
	for version := 1; version <= 2; version++ {
		u := newUser(t)
		u.ok("plugin", "install", examplePlugin(t, version))
		acme := u.newSigner("acme", testpki.Options{})
		file := u.write("file", "content")
		held := append([]string{"blob", "sign", file, "--plugin", "example-plugin", "--id", "x"}, acme.pluginConfig()...)
		if version == 2 {
			u.run(held...).wantError(2, "envelopes for artifacts", "ENVELOPE_FOR_BLOB")
			u.run("blob", "verify", "--ca-cert", acme.root, file).want(4)
			continue
		}
		u.ok(held...)
		u.ok("blob", "verify", "--ca-cert", acme.root, "--plugin-config", "a=b", file)
	}
}

// TestBlobInspect shows a signature without judging it.
func TestBlobInspect(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	file := u.write("file", "content")
	u.ok("blob", "sign", "-k", "acme", "-m", "build=7", "-e", "1d", file)
	text := u.ok("blob", "inspect", file+".jws.sig").want(0, "build: 7", "signature envelope type: application/jose+json")
	if tree := u.ok("blob", "inspect", "-o", "tree", file+".jws.sig"); tree.stdout != text.stdout {
		t.Errorf("%s", tree.stdout)
	}
	doc := u.ok("blob", "inspect", "-ojson", file+".jws.sig").json()
	if at(doc, "mediaType") != "application/jose+json" || at(doc, "verified") != false || at(doc, "signatures", 0, "integrity", "outcome") != "passed" ||
		at(doc, "signatures", 0, "signedArtifact", "size") != float64(7) || at(doc, "signatures", 0, "signedAttributes", "expiry") == nil {
		t.Errorf("%v", doc)
	}
	u.run("blob", "inspect", file).wantError(2, "is no signature", ".jws.sig")
	u.run("blob", "inspect", file+".none").wantError(2, "could not be read")
	signature := u.read(file + ".jws.sig")
	broken := u.write("broken.jws.sig", strings.Replace(signature, `"signature":"`, `"signature":"AAAA`, 1))
	u.run("blob", "inspect", broken).want(0, "integrity: failed")
	u.run("blob", "inspect", u.write("cut.jws.sig", signature[:len(signature)/2])).wantError(2, "is no signature")
}

// attack: FS-01
func TestBlobSpecialFiles(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	file := u.write("file", "content")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	u.ok("blob", "sign", "-k", "acme", link).want(0, "Successfully signed "+link, link+".jws.sig")
	u.ok("blob", "verify", "--ca-cert", acme.root, link)
	dir := t.TempDir()
	u.run("blob", "sign", "-k", "acme", dir).wantError(2, "is a directory")
	u.run("blob", "verify", "--ca-cert", acme.root, dir).want(2, "is a directory")
	for name, plant := range specialFiles() {
		here := t.TempDir()
		path, signature := filepath.Join(here, "special"), filepath.Join(here, "file")
		if err := errors.Join(plant(path), os.WriteFile(signature, []byte("content"), 0o600), plant(signature+".jws.sig")); err != nil {
			t.Fatal(err)
		}
		before := snapshot(t, here)
		u.run("blob", "sign", "-k", "acme", path).wantError(2, path)
		u.run("blob", "sign", "-k", "acme", signature).wantError(2, signature+".jws.sig")
		u.run("blob", "sign", "-k", "acme", "--force", signature).wantError(2, signature+".jws.sig")
		u.run("blob", "verify", "--ca-cert", acme.root, path).want(2, path)
		u.run("blob", "verify", "--ca-cert", acme.root, signature).want(2, signature+".jws.sig") // certainly not "unsigned"
		u.run("blob", "verify", "--ca-cert", acme.root, "-s", path, file).want(2, path)
		u.run("blob", "inspect", path).wantError(2, path)
		if after := snapshot(t, here); after != before {
			t.Errorf("%s:\n%s\nwas:\n%s", name, after, before)
		}
	}
}

// attack: FS-04
func TestBlobSignDies(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	for _, op := range []atomicfile.Op{atomicfile.OpCreate, atomicfile.OpWrite, atomicfile.OpChmod, atomicfile.OpSync, atomicfile.OpClose, atomicfile.OpRename} {
		for _, force := range []bool{false, true} {
			file := u.write("file", "content")
			args := []string{"blob", "sign", "-k", "acme", file}
			if force {
				u.ok(args...)
				args = append(args, "--force")
			}
			before := snapshot(t, filepath.Dir(file))
			failing := *u
			failing.env.Files = atomicfile.Writer{Before: func(at atomicfile.Op, path string) error {
				if at == op && strings.HasSuffix(path, ".sig") {
					return errors.New("no space left")
				}
				return nil
			}}
			failing.run(args...).wantError(2, "no space left")
			if after := snapshot(t, filepath.Dir(file)); after != before {
				t.Errorf("%s, force %v:\n%s\nwas:\n%s", op, force, after, before)
			}
		}
	}
}

// TestBlobSignFails leaves nothing behind when what comes before the writing
// fails.
func TestBlobSignFails(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	file := u.write("file", "content")
	out := filepath.Join(filepath.Dir(file), "out")
	before := snapshot(t, filepath.Dir(file))
	for _, args := range [][]string{
		{"-k", "nobody"}, {"-k", "acme", "--media-type", "no type"}, {"-k", "acme", "-m", "io.cncf.notary.x=1"},
		{"-k", "acme", "--timestamp-url", "http://127.0.0.1:1", "--timestamp-root-cert", acme.root},
		{"-k", "acme", "--timestamp-url", "http://127.0.0.1:1", "--timestamp-root-cert", acme.root, "--signature-directory", out},
	} {
		if r := u.run(append([]string{"blob", "sign", file}, args...)...); r.code == 0 || r.stdout != "" {
			t.Errorf("%v: exit %d\n%s", args, r.code, r.stdout)
		}
	}
	if after := snapshot(t, filepath.Dir(file)); after != before {
		t.Errorf("left:\n%s", after)
	}
}

// TestBlobPolicyCommands does with the policy for files what
// TestPolicyCommands does with that for artifacts.
func TestBlobPolicyCommands(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	u.run("blob", "policy", "show").wantError(2, "no trust policy for files")
	init := []string{"blob", "policy", "init", "--trust-store", "ca:acme", "--trusted-identity", "*"}
	u.ok(append(init, "--name", "one")...).want(0, "with statement one.", "Warning: ", "--policy-name", "ca:acme")
	u.run(append(init, "--global")...).wantError(2, "already", "notation blob policy show")
	u.ok(append(init, "--global", "--force")...).want(0, "with statement default.")
	if text := u.ok("blob", "policy", "show").stdout; !strings.Contains(text, `"globalPolicy": true`) || strings.Contains(text, "registryScopes") {
		t.Errorf("%s", text)
	}
	if _, err := os.Lstat(u.path("trustpolicy.oci.json")); err == nil {
		t.Error("the other policy was written")
	}
	u.run("blob", "policy", "lint").want(2, "ca:acme", "Files of trust stores are in "+u.path("truststore", "x509")+".")
	u.ok("cert", "add", "--name", "acme", acme.root)
	u.ok("blob", "policy", "lint")
	u.ok("blob", "policy", "explain").want(0, `Statement "default" applies to files: it is the global statement`)
	two := u.write("two.json", `{"version":"1.0","trustPolicies":[
		{"name":"a","globalPolicy":true,"signatureVerification":{"level":"audit"},"trustStores":["ca:acme"],"trustedIdentities":["*"]},
		{"name":"off","signatureVerification":{"level":"skip"}}]}`)
	u.ok("blob", "policy", "import", "--force", two).want(0, "statements a, off")
	u.ok("blob", "policy", "explain", "off").want(0, `Statement "off" applies to files: it was asked for by name`, `Statement "a" does not apply`)
	u.run("blob", "policy", "explain", "of").want(1, "Error: ", "off")
	u.run("policy", "import", "--force", two).wantError(2, "globalPolicy")
	u.run("blob", "verify", "--policy", u.policy("strict", "*", "ca:acme", "*"), "--trust-store", u.stores(acme), two).wantError(2, "registryScopes")

	// For artifacts --global is what is written anyway.
	u.ok("policy", "init", "--force", "--global", "--trust-store", "ca:acme", "--trusted-identity", "*")
	if text := u.ok("policy", "show").stdout; !strings.Contains(text, `"*"`) || strings.Contains(text, "globalPolicy") {
		t.Errorf("%s", text)
	}
}

// attack: POL-01
func TestBlobPolicyIsStrict(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	statement := `{"name":"x","globalPolicy":true,"signatureVerification":{"level":"strict"},"trustStores":["ca:a"],"trustedIdentities":["*"]}`
	good := `{"version":"1.0","trustPolicies":[` + statement + `]}`
	for name, bad := range map[string]string{
		"two global":    strings.Replace(good, statement, statement+","+strings.Replace(statement, `"x"`, `"y"`, 1), 1),
		"global skip":   strings.Replace(good, `"strict"`, `"skip"`, 1),
		"case variant":  strings.Replace(good, "globalPolicy", "GlobalPolicy", 1),
		"twice":         strings.Replace(good, `"globalPolicy":true`, `"globalPolicy":true,"globalPolicy":true`, 1),
		"with scopes":   strings.Replace(good, `"name"`, `"registryScopes":["*"],"name"`, 1),
		"no statements": `{"version":"1.0","trustPolicies":[]}`,
	} {
		file := u.write("p.json", bad)
		if bad == good {
			t.Errorf("%s: no change", name)
		}
		u.run("blob", "policy", "import", file).wantError(2, "p.json:1")
		u.run("blob", "verify", "--policy", file, "--trust-store", t.TempDir(), file).wantError(2)
	}
	if got := snapshot(t, u.home); strings.Count(got, "\n") != 1 {
		t.Errorf("left:\n%s", got)
	}
}

// TestBlobFlagsContradict refuses what cannot be meant.
func TestBlobFlagsContradict(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	file := u.write("file", "content")
	for _, tt := range []struct{ line, cause string }{
		{"blob", "needs a sub-command"}, {"blob sing", "'sign'"}, {"blob policy", "needs a sub-command"}, {"blob sign", "needs FILE"}, {"blob verify", "needs FILE"},
		{"blob inspect", "needs SIGFILE"}, {"blob sign --signature a --signature-directory b FILE", "one or the other"}, {"blob sign --signature - FILE", "'-'"},
		{"blob sign --signature a FILE FILE", "several"}, {"blob sign --media-type= FILE", "'--media-type' has an empty value"}, {"blob sign --media-type text FILE", "'text': it is no media type"},
		{"blob sign --media-type text/ FILE", "TYPE/SUBTYPE"}, {"blob verify --media-type text FILE", "TYPE/SUBTYPE"}, {"blob sign FILE", "no default key"},
		{"blob verify --signature a FILE FILE", "several"}, {"blob verify --policy-name x --ca-cert y FILE", "--policy-name"}, {"blob verify -m x FILE", "KEY=VALUE"},
		{"blob verify --identity x FILE", "needs --ca-cert"}, {"blob sign --output tree FILE", "'inspect' only"}, {"blob policy init", "'notation blob policy init' needs --trust-store"},
		{"blob policy init --trust-store ca:a", "needs --trusted-identity"}, {"blob policy init --trust-store ca:a --trusted-identity * --name=", "'--name' has an empty value"},
		{"blob policy explain a b", "does not know"},
	} {
		args := strings.Fields(strings.ReplaceAll(tt.line, "FILE", file))
		u.run(args...).wantError(2, tt.cause)
	}
}

// TestBlobInterop verifies what another implementation has signed, where that
// is at hand.
func TestBlobInterop(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "..", "..", "shared", "interop")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the interop cases are missing: %v", err)
		}
		t.Skip(err)
	}
	u := newUser(t)
	roots, err := filepath.Glob(filepath.Join(dir, "roots", "*.crt"))
	if err != nil || len(roots) == 0 {
		t.Fatal(roots, err)
	}
	args := []string{"blob", "verify"}
	for _, root := range roots {
		args = append(args, "--ca-cert", root)
	}
	for _, name := range []string{"blob-jws", "blob-cose"} {
		file := filepath.Join(dir, name, "blob.txt")
		u.ok(append(args, file)...).want(0, "Successfully verified signature for "+file)
		u.ok("blob", "inspect", file+"."+strings.TrimPrefix(name, "blob-")+".sig").want(0, "integrity: passed")
	}
}
