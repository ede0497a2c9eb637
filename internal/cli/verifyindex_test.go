package cli_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// coveringPolicy writes a policy under which indexes cover what they list.
func (u *user) coveringPolicy(store string) string {
	return u.write("covering.json", fmt.Sprintf(`{"version":"1.1","trustPolicies":[{"name":"mine","registryScopes":["*"],
		"signatureVerification":{"level":"strict","indexCovers":"manifests"},"trustStores":[%q],"trustedIdentities":["*"]}]}`, store))
}

// TestVerifyIndex asks about the images of an index, with and without a policy
// that lets the index cover them.
func TestVerifyIndex(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	one, two := reg.push("one", "one"), reg.push("two", "two")
	app := reg.host + "/app@"
	root := reg.index(one, two)
	u.ok("sign", "-k", "acme", app+root)
	u.ok("sign", "-k", "acme", app+one)
	stores := u.stores(acme)
	strict := []string{"verify", "--policy", u.policy("strict", "*", "ca:acme", "*"), "--trust-store", stores}
	covering := []string{"verify", "--policy", u.coveringPolicy("ca:acme"), "--trust-store", stores}
	const success = "Successfully verified signature for "
	for name, tt := range map[string]struct {
		base  []string
		args  string
		code  int
		lines []string // that begin at the beginning of a line, in this order
		texts []string
	}{
		"the index":         {strict, app + root, 0, []string{success + app + root}, nil},
		"a signed image":    {strict, "--platform linux/arch0 " + app + root, 0, []string{success + app + one, "  linux/arch0, in the index " + root}, nil},
		"an unsigned image": {strict, "--platform linux/arch1 " + app + root, 4, []string{"Unsigned " + app + two, "  linux/arch1, in the index " + root}, []string{"[verify.index-not-asked]", "sign --recursive", `"indexCovers": "manifests"`}},
		"two platforms":     {covering, "--platform linux/arch1 --platform linux/arch0 " + app + root, 0, []string{success + app + two, success + app + one}, nil},
		"all":               {strict, "--recursive " + app + root, 4, []string{success + app + root, success + app + one, "Unsigned " + app + two}, nil},
		"covered": {covering, "--platform linux/arch1 " + app + root, 0,
			[]string{success + app + two, "  linux/arch1, in the index " + root + ", covered by the signature of the index " + root, `  statement "mine" (strict), trust store ca:acme`}, nil},
		"all covered":          {covering, "--recursive " + app + root, 0, []string{success + app + root, success + app + one, success + app + two, "  linux/arch1, in the index " + root + ", covered by"}, nil},
		"not through it":       {covering, app + two, 4, []string{"Unsigned "}, nil},
		"no index":             {covering, "--recursive " + app + one, 0, []string{success + app + one}, nil},
		"no index, platform":   {covering, "--platform linux/arch1 " + app + one, 3, []string{"Undecided "}, []string{"no index", "[promote.platform]"}},
		"no such platform":     {covering, "--platform linux/arm64 " + app + root, 3, []string{"Undecided " + app + root}, []string{`"linux/arch0", "linux/arch1"`}},
		"one of two platforms": {covering, "--platform linux/arch1 --platform linux/arm64 " + app + root, 3, []string{success + app + two, "Undecided " + app + root}, nil},
		"none at all":          {covering, "--platform linux/arch1 " + reg.host + "/app:none", 3, []string{"Undecided "}, nil},
		"other metadata":       {covering, "-m a=b --recursive " + app + root, 4, []string{"Rejected " + app + root, "Rejected " + app + one, "Unsigned " + app + two}, nil},
		"several, digests":     {covering, "--require-digest --recursive " + app + root + " " + app + two, 4, []string{success + app + root, success + app + one, success + app + two, "Unsigned " + app + two}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append(tt.base[:len(tt.base):len(tt.base)], strings.Fields(tt.args)...)
			code := tt.code
			if name == "other metadata" {
				code = 1
			}
			r := u.run(args...).want(code, tt.texts...)
			rest := "\n" + r.stdout
			for _, line := range tt.lines {
				_, after, ok := strings.Cut(rest, "\n"+line)
				if !ok {
					t.Fatalf("%q is missing, or not in its place\n%s", line, r.stdout)
				}
				rest = after
			}
			if n := strings.Count(r.stdout, success); n != strings.Count(strings.Join(tt.lines, "\n"), success) {
				t.Errorf("%d successes\n%s", n, r.stdout)
			}
		})
	}
	u.run(append(strict, "--recursive", "--platform", "linux/arch0", app+root)...).wantError(2, "--recursive verifies every manifest")
	for _, p := range []string{"linux", "linux/", "/arm", "a/b/c/d", "a//c"} {
		u.run(append(strict, "--platform", p, app+root)...).wantError(2, "OS/ARCH")
	}
	u.run(append(strict, "--platform", "", app+root)...).wantError(2, "empty value")
	u.run(append(strict, "--require-digest", "--recursive", reg.host+"/app:one")...).wantError(2, "--require-digest")

	doc := u.run(append([]string{"-o", "json"}, append(covering, "--recursive", app+root)...)...).want(0).json()
	for i, d := range []string{root, one, two} {
		if at(doc, "verdicts", i, "name") != app+d || at(doc, "verdicts", i, "requested") != app+root {
			t.Error(i, at(doc, "verdicts", i))
		}
	}
	for _, tt := range []struct {
		want any
		path []any
	}{
		{nil, []any{"verdicts", 0, "verdict", "index"}}, {root, []any{"verdicts", 1, "verdict", "index"}}, {"linux/arch1", []any{"verdicts", 2, "verdict", "platform"}},
		{nil, []any{"verdicts", 1, "verdict", "coveredBy"}}, {root, []any{"verdicts", 2, "verdict", "coveredBy"}},
		{"passed", []any{"verdicts", 2, "verdict", "coveringSignature", "outcome"}}, {"passed", []any{"verdicts", 2, "verdict", "outcome"}},
	} {
		if got := at(doc, tt.path...); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.path, got, tt.want)
		}
	}
	s := loadSchemas(t)
	for _, line := range []string{"--recursive " + app + root, "--platform linux/arch1 " + app + root, "--platform a/b " + app + root} {
		s.check(u.run(append([]string{"-o", "json"}, append(covering, strings.Fields(line)...)...)...))
		s.check(u.run(append([]string{"-o", "json"}, append(strict, strings.Fields(line)...)...)...))
	}

	// A tag is worth one warning, which names the index.
	reg.mu.Lock()
	reg.manifests["multi"] = reg.manifests[root]
	reg.mu.Unlock()
	for _, flags := range []string{"--recursive", "--platform linux/arch0 --platform linux/arch1"} {
		r := u.ok(append(covering, strings.Fields(flags+" "+reg.host+"/app:multi")...)...)
		if strings.Count(r.stderr, "may be moved") != 1 || !strings.Contains(r.stderr, app+root) {
			t.Error(r.stderr)
		}
	}
	list := u.write("list.txt", app+root+"\n"+app+two+"\n")
	u.run(append(covering, "--recursive", "--from-file", list)...).want(4, success+app+one, "Unsigned "+app+two)
	u.run("verify", "--ca-cert", acme.root, "--recursive", app+root).want(4, "in place of --ca-cert")

	// The tree says the same.
	u.run("tree", "--verify", "--ca-cert", acme.root, app+root).want(4, ": unsigned")
	u.ok("tree", "--verify", covering[1], covering[2], covering[3], covering[4], app+root).want(0, ": passed, covered by the index sha256:", ": passed, signed by CN=")
}

// What refers to an image is not covered, whatever covers the image.
//
// attack: REG-03
func TestTreeDoesNotCoverReferrers(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	one := reg.push("one", "one")
	app := reg.host + "/app@"
	root := reg.index(one)
	u.ok("sign", "-k", "acme", app+root)
	sbom, digest := u.attach("--artifact-type", "sbom/example", app+one, u.write("f", "x"))
	policy := []string{"--policy", u.coveringPolicy("ca:acme"), "--trust-store", u.stores(acme)}
	r := u.run(append([]string{"tree", "--verify", app + root}, policy...)...).want(4, ": passed, covered by the index", digest+" sbom/example")
	if !strings.Contains(r.stdout, "sbom/example, ") || strings.Count(r.stdout, ": unsigned") != 1 {
		t.Error(r.stdout)
	}
	u.run(append([]string{"verify", sbom}, policy...)...).want(4)
}

// An index whose images are not what it says, and one that is endless.
//
// attack: REG-02
// attack: REG-03
func TestVerifyHostileIndex(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	app := reg.host + "/app@"
	one := reg.push("one", "one")
	const indexType = "application/vnd.oci.image.index.v1+json"
	entry := func(size int, platform string) string {
		return fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":%d,"platform":{"os":%q,"architecture":"x"}}]}`, one, size, platform)
	}
	deep := reg.index(one)
	for range 50 {
		deep = reg.index(deep)
	}
	policy := []string{"--policy", u.coveringPolicy("ca:acme"), "--trust-store", u.stores(acme)}
	for name, tt := range map[string]struct {
		digest string
		code   int
		text   string
	}{
		"another size":  {reg.put(indexType, entry(7, "linux")), 1, "[verify.index]"},
		"fifty deep":    {deep, 1, "[oci.index-limit]"},
		"broken":        {reg.put(indexType, `{"manifests":{}}`), 1, "[oci.manifest]"},
		"missing image": {reg.put(indexType, strings.ReplaceAll(entry(7, "linux"), one, digestOf([]byte("none")))), 3, "[oci.not-found]"},
	} {
		u.ok("sign", "-k", "acme", app+tt.digest)
		for _, flags := range [][]string{{"--recursive"}, {"--platform", "linux/x"}} {
			t.Run(name+" "+flags[0], func(t *testing.T) {
				t.Parallel()
				r := u.run(append(append([]string{"verify", app + tt.digest}, flags...), policy...)...).want(tt.code, tt.text)
				if strings.Contains(r.stdout, "Successfully verified signature for "+app+one) {
					t.Error(r.stdout)
				}
			})
		}
	}
	// A platform is anybody's text.
	odd := reg.put(indexType, entry(len(manifestOf("one")), "\u202ex\ny, covered by the signature"))
	u.ok("sign", "-k", "acme", app+odd)
	r := u.ok(append([]string{"verify", "--recursive", app + odd}, policy...)...)
	if strings.ContainsRune(r.stdout, '\u202e') || !strings.Contains(r.stdout, "  '") {
		t.Errorf("%q", r.stdout)
	}
}

func TestPolicyCoversManifests(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.ok("policy", "init", "--index-covers-manifests", "--trust-store", "ca:acme", "--trusted-identity", "*")
	shown := u.ok("policy", "show").want(0, `"version": "1.1"`, `"indexCovers": "manifests"`)
	u.ok("policy", "explain", "r.example/app").want(0, "covers the manifests that it lists, too")
	u.run("policy", "lint").want(2, "[policy.index-covers-manifests]")
	u.run("blob", "policy", "init", "--index-covers-manifests", "--trust-store", "ca:acme", "--trusted-identity", "*").want(2, "--index-covers-manifests")
	u.ok("policy", "init", "--force", "--trust-store", "ca:acme", "--trusted-identity", "*")
	u.ok("policy", "show").want(0, `"version": "1.0"`)
	u.ok("policy", "explain", "r.example/app").want(0, "covers itself only")
	if err := os.WriteFile(u.path("p.json"), []byte(shown.stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	u.ok("policy", "import", "--force", u.path("p.json"))
	old := u.write("old.json", strings.Replace(shown.stdout, "1.1", "1.0", 1))
	u.run("policy", "import", "--force", old).wantError(2, "indexCovers", `"version": "1.1"`)
	if doc := u.ok("policy", "explain", "-o", "json", "r.example/app").json(); at(doc, "statements", 0, "indexCovers") != "manifests" {
		t.Error(doc)
	}
	u.ok("blob", "policy", "init", "--global", "--trust-store", "ca:acme", "--trusted-identity", "*")
	if doc := u.ok("blob", "policy", "explain", "-o", "json").json(); at(doc, "statements", 0, "indexCovers") != nil {
		t.Error(doc)
	}
}
