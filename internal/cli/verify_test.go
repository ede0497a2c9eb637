package cli_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// signer is a key with its chain in files, of an organisation.
type signer struct{ name, key, chain, root string }

// newSigner writes a key and a chain of three for an organisation and lists
// the key under the name.
func (u *user) newSigner(name string, o testpki.Options) signer {
	u.t.Helper()
	o.Name = name
	c := testpki.New(u.t, o)
	rootChain := &testpki.Chain{Certs: c.Certs[len(c.Certs)-1:]}
	s := signer{name: name, key: u.write(name+".key", string(c.KeyPEM())), chain: u.write(name+".crt", string(c.CertPEM())),
		root: u.write(name+"-root.crt", string(rootChain.CertPEM()))}
	u.ok("key", "add", "--name", name, s.key, s.chain)
	return s
}

// policy writes a trust policy file of one statement.
func (u *user) policy(level, scope, store, identity string) string {
	return u.write("policy.json", fmt.Sprintf(`{"version":"1.0","trustPolicies":[{"name":"mine","registryScopes":[%q],
		"signatureVerification":{"level":%q},"trustStores":[%q],"trustedIdentities":[%q]}]}`, scope, level, store, identity))
}

// stores makes a trust store directory that holds a root as ca:NAME.
func (u *user) stores(s signer, sub ...string) string {
	u.t.Helper()
	dir := u.t.TempDir()
	store := filepath.Join(append(append([]string{dir}, sub...), "ca", s.name)...)
	if err := os.MkdirAll(store, 0o700); err != nil {
		u.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(store, "root.crt"), []byte(u.read(s.root)), 0o600); err != nil {
		u.t.Fatal(err)
	}
	return dir
}

// TestVerdicts shows each outcome with its exit code, in both formats.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	acme, other := u.newSigner("acme", testpki.Options{}), u.newSigner("other", testpki.Options{})
	good, bare := reg.host+"/app@"+reg.push("v1", "good"), reg.host+"/app@"+reg.push("bare", "bare")
	u.ok("sign", "--key", "acme", "--user-metadata", "build=7", good)
	stores := u.stores(acme)
	with := func(policy string) []string { return []string{"verify", "--policy", policy, "--trust-store", stores} }
	strict := with(u.policy("strict", "*", "ca:acme", "*"))
	skip := u.write("skip.json", fmt.Sprintf(`{"version":"1.0","trustPolicies":[{"name":"lenient","registryScopes":[%q],"signatureVerification":{"level":"skip"}}]}`, reg.host+"/app"))
	for name, tt := range map[string]struct {
		args    []string
		code    int
		outcome string
		texts   []string
	}{
		"passed":           {append(strict, good), 0, "passed", []string{"Successfully verified signature for " + good + "\n", `statement "mine" (strict), trust store ca:acme; signed metadata build=7`}},
		"metadata":         {append(strict, "-m", "build=7", good), 0, "passed", []string{"METADATA"}},
		"other metadata":   {append(strict, "-m", "build=8", good), 1, "rejected", []string{"Rejected " + good, "[verify.metadata]"}},
		"unsigned":         {append(strict, bare), 4, "unsigned", []string{"Unsigned " + bare}},
		"untrusted root":   {[]string{"verify", "--ca-cert", other.root, good}, 1, "rejected", []string{"authenticity: ", "[verify.root-untrusted]", "failed"}},
		"other identity":   {[]string{"verify", "--ca-cert", acme.root, "--identity", "C=US, ST=WA, O=somebody", good}, 1, "rejected", []string{"[verify.identity-untrusted]"}},
		"identity":         {[]string{"verify", "--ca-cert", acme.root, "--identity", "x509.subject: C=US, ST=WA, O=acme", good}, 0, "passed", []string{"identity "}},
		"skip":             {append(with(skip), good), 0, "skipped", []string{good + ` not verified: policy statement "lenient" says skip` + "\n"}},
		"no statement":     {append(with(u.policy("strict", "r.example/x", "ca:acme", "*")), good), 1, "rejected", []string{"[policy.no-statement]"}},
		"audit":            {append(with(u.policy("audit", "*", "ca:acme", "x509.subject: C=US, ST=WA, O=somebody")), good), 0, "passed", []string{"logged", "nobody vouches for the signer"}},
		"no such tag":      {append(strict, reg.host+"/app:none"), 3, "undecided", []string{"Undecided "}},
		"missing artifact": {append(strict, reg.host+"/app@"+digestOf([]byte("x"))), 3, "undecided", nil},
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
			j := u.run(append([]string{"--output", "json"}, tt.args...)...).want(tt.code)
			doc := j.json()
			if at(doc, "verdicts", 0, "verdict", "outcome") != tt.outcome || at(doc, "verdicts", 0, "exitCode") != float64(tt.code) {
				t.Errorf("%s", j.stdout)
			}
			if failed := at(doc, "error", "code") != nil; failed != (tt.code != 0) {
				t.Errorf("error member: %s", j.stdout)
			}
		})
	}
}

// TestSeveralReferences gives one verdict each, in order, and the worst
// decides.
func TestSeveralReferences(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	acme := u.newSigner("acme", testpki.Options{})
	u.newSigner("other", testpki.Options{})
	good, bare, foreign := reg.host+"/app@"+reg.push("v1", "good"), reg.host+"/app@"+reg.push("v2", "bare"), reg.host+"/app@"+reg.push("v3", "foreign")
	gone := reg.host + "/app@" + digestOf([]byte("gone"))
	u.ok("sign", "-k", "acme", good)
	u.ok("sign", "-k", "other", foreign)
	trust := []string{"verify", "--ca-cert", acme.root}
	for _, tt := range []struct {
		refs []string
		code int
	}{
		{[]string{good, good}, 0}, {[]string{good, gone}, 3}, {[]string{gone, bare, good}, 4},
		{[]string{bare, foreign, gone, good}, 1}, {[]string{foreign, bare}, 1},
	} {
		r := u.run(append(append([]string{"-ojson"}, trust...), tt.refs...)...).want(tt.code)
		doc := r.json()
		for i, ref := range tt.refs {
			if at(doc, "verdicts", i, "requested") != ref {
				t.Errorf("%v: verdict %d is about %v", tt.refs, i, at(doc, "verdicts", i, "requested"))
			}
		}
		text := u.run(append(trust, tt.refs...)...).want(tt.code)
		if tt.code != 0 && strings.Count(text.stdout, "Successfully") != strings.Count(strings.Join(tt.refs, " "), good) {
			t.Errorf("%v: %s", tt.refs, text.stdout)
		}
	}

	list := u.write("refs.txt", "# images\n\n"+good+"\n  "+bare+"\r\n")
	doc := u.run("verify", "-ojson", "--ca-cert", acme.root, "--from-file", list, foreign).want(1).json()
	for i, ref := range []string{foreign, good, bare} {
		if at(doc, "verdicts", i, "requested") != ref {
			t.Errorf("--from-file: %d is %v", i, at(doc, "verdicts", i))
		}
	}
	u.runWith(t.Context(), good+"\n", "verify", "--ca-cert", acme.root, "--from-file", "-").want(0, "Successfully")
	u.runWith(t.Context(), "# nothing\n", "verify", "--ca-cert", acme.root, "--from-file", "-").wantError(2, "holds no reference")
	u.runWith(t.Context(), strings.Repeat("x", 70_000), "verify", "--from-file", "-").wantError(2, "no list of references")
	u.runWith(t.Context(), strings.Repeat("r/a:1\n", 10_001), "verify", "--recursive", "--from-file", "-").wantError(2, "more than 10000")
	u.run("verify", "--from-file", filepath.Join(t.TempDir(), "none"), good).wantError(2)
	// One bad reference: nothing is sent for the others.
	before := reg.requests.Load()
	u.run("verify", "--ca-cert", acme.root, good, "UPPER/case:v1").wantError(2)
	u.run("verify", "--ca-cert", acme.root, "--require-digest", good, reg.host+"/app:v1").wantError(2, "--require-digest")
	u.run("sign", "-k", "acme", "--require-digest", reg.host+"/app:v1").wantError(2, "--require-digest")
	if after := reg.requests.Load(); after != before {
		t.Errorf("%d requests were sent", after-before)
	}
	// Signing several: each is told, the worst decides.
	signed := u.run("sign", "-k", "acme", "-ojson", good, gone, bare).want(3)
	doc = signed.json()
	if at(doc, "signed", 0, "artifact", "digest") == nil || at(doc, "signed", 1, "error", "code") == nil || at(doc, "signed", 2, "signature", "digest") == nil {
		t.Errorf("%s", signed.stdout)
	}
	u.run("sign", "-k", "acme", good, gone).want(3, "Successfully signed "+good+"\n", "Error: "+gone)
}

// TestStateless verifies without any home directory.
func TestStateless(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	dir, digest := u.layout("app")
	u.ok("sign", "-k", "acme", "--oci-layout", dir+"@"+digest)
	ref := dir + "@" + digest
	policy := u.policy("strict", "r.example/app", "ca:acme", "*")
	u.vars = map[string]string{}
	for name, args := range map[string][]string{
		"policy and store":        {"--policy", policy, "--trust-store", u.stores(acme), "--scope", "r.example/app"},
		"a truststore directory":  {"--policy", policy, "--trust-store", u.stores(acme, "x509"), "--scope", "r.example/app"},
		"certificate":             {"--ca-cert", acme.root},
		"certificate and subject": {"--ca-cert", acme.root, "--identity", "C=US,ST=WA,O=acme"},
		"two certificates":        {"--ca-cert", u.newSignerElsewhere("x").root, "--ca-cert", acme.root},
	} {
		u.run(append([]string{"verify", "--oci-layout", ref}, args...)...).want(0, "Successfully verified signature for "+ref+"\n")
		_ = name
	}
	u.run("list", "--oci-layout", ref).want(0)
	u.run("inspect", "--oci-layout", ref).want(0, "Not verified against any trust policy.")
	u.run("verify", "--oci-layout", ref).wantError(2, "home directory is not known", "$NOTATION_CONFIG")
	u.run("verify", "--oci-layout", "--policy", policy, ref).wantError(2, "home directory is not known")
	u.run("verify", "--oci-layout", "--policy", policy, "--trust-store", u.stores(acme), "--scope", "r.example/ap", ref).want(1)
}

// newSignerElsewhere makes a signer of another user.
func (u *user) newSignerElsewhere(name string) signer {
	return newUser(u.t).newSigner(name, testpki.Options{})
}

func TestTrustOptionsContradict(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSignerElsewhere("acme")
	policy, stores := u.policy("strict", "*", "ca:acme", "*"), u.stores(acme)
	for name, tt := range map[string]struct {
		args []string
		text string
	}{
		"certificate and policy": {[]string{"--ca-cert", acme.root, "--policy", policy}, "cannot be mixed"},
		"certificate and store":  {[]string{"--ca-cert", acme.root, "--trust-store", stores}, "cannot be mixed"},
		"identity alone":         {[]string{"--identity", "C=US,ST=WA,O=acme"}, "needs --ca-cert"},
		"incomplete identity":    {[]string{"--ca-cert", acme.root, "--identity", "O=acme"}, "C, ST and O"},
		"overlapping identities": {[]string{"--ca-cert", acme.root, "--identity", "C=US,ST=WA,O=acme", "--identity", "C=US,ST=WA,O=acme,CN=x"}, "--identity"},
		"intermediate":           {[]string{"--ca-cert", acme.chain}, "is no root"},
		"key":                    {[]string{"--ca-cert", acme.key}, "private key"},
		"no certificate":         {[]string{"--ca-cert", policy}, "no certificate"},
		"no policy":              {[]string{"--policy", stores + "/none", "--trust-store", stores}, "could not be read"},
		"broken policy":          {[]string{"--policy", acme.root, "--trust-store", stores}, "acme-root.crt:1: "},
		"no store":               {[]string{"--policy", policy, "--trust-store", stores + "/none"}, "could not be opened"},
		"scope without layout":   {[]string{"--ca-cert", acme.root, "--scope", "r/x"}, "--scope needs --oci-layout"},
		"no signatures":          {[]string{"--ca-cert", acme.root, "--max-signatures", "0"}, "at least 1"},
		"metadata":               {[]string{"--ca-cert", acme.root, "-m", "novalue"}, "KEY=VALUE"},
		"metadata twice":         {[]string{"--ca-cert", acme.root, "-m", "a=1", "-m", "a=2"}, "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u.run(append([]string{"verify", "localhost:1/a:v1"}, tt.args...)...).wantError(2, tt.text)
		})
	}
}

// TestReadingWritesNothing runs every command that only reads.
func TestReadingWritesNothing(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	dir, digest := u.layout("app")
	ref := dir + "@" + digest
	commands := [][]string{
		{"verify", "--oci-layout", ref}, {"inspect", "--oci-layout", ref}, {"list", "--oci-layout", ref}, {"ls", "--oci-layout", ref},
		{"cert", "list"}, {"cert", "show", "--name", "acme", "acme.crt"}, {"key", "list"},
		{"policy", "show"}, {"policy", "explain", "r.example/app:v1"}, {"policy", "lint"}, {"version"}, {"completion", "bash"},
		{"help"}, {"--help"}, {"sign", "--oci-layout", dir + ":none"}, {"verify", "--oci-layout", dir + ":none"},
	}
	for _, args := range commands {
		u.run(args...)
	}
	if got := snapshot(t, u.home); strings.Count(got, "\n") != 1 {
		t.Errorf("an empty home holds\n%s", got)
	}
	u.ok("cert", "generate-test", "--algorithm", "ec-256", "--default", "acme")
	u.ok("sign", "--oci-layout", ref)
	u.ok("cert", "add", "--name", "acme", u.path("certificate", "acme.crt"))
	before := snapshot(t, u.home)
	for _, args := range commands[:len(commands)-2] {
		u.ok(args...)
	}
	if after := snapshot(t, u.home); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
}

// TestTimeoutAndInterrupt end a run that waits for a registry.
func TestTimeoutAndInterrupt(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	digest := reg.push("v1", "app")
	reg.hang, reg.arrived = make(chan struct{}), make(chan struct{})
	ref := reg.host + "/app@" + digest
	for _, args := range [][]string{{"verify", "--ca-cert", acme.root}, {"sign", "-k", "acme"}, {"inspect"}, {"list"}} {
		r := u.run(append(args, "--timeout", "50ms", ref)...).want(3, "Error: ", "Hint: ")
		reg.drain()
		if strings.Contains(r.stdout, "Successfully") {
			t.Errorf("%v: %s", args, r.stdout)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan result, 1)
		go func() { done <- u.runWith(ctx, "", append(args, ref)...) }()
		<-reg.arrived
		cancel()
		(<-done).want(3, "Error: ")
		reg.drain()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u.runWith(ctx, "", "verify", "--ca-cert", acme.root, ref, ref).want(3, "Error: ")
}

// TestLimitIsTold looks at fewer signatures than there are.
func TestLimitIsTold(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	u.newSigner("other", testpki.Options{})
	dir, digest := u.layout("app")
	ref := dir + "@" + digest
	for range 3 {
		u.ok("sign", "-k", "other", "--oci-layout", ref)
	}
	u.run("verify", "--ca-cert", acme.root, "--max-signatures", "2", "--oci-layout", ref).want(3)
	u.run("list", "--max-signatures", "2", "--oci-layout", ref).want(0, "nly 2 of the signatures", "--max-signatures")
	doc := u.run("list", "-ojson", "--max-signatures", "2", "--oci-layout", ref).want(0).json()
	if n := len(at(doc, "signatures").([]any)); n != 2 || at(doc, "warnings", 0) == nil {
		t.Errorf("%v", doc)
	}
}
