package cli_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/keyfile"
	"github.com/notaryv2/notation/internal/testpki"
)

const phrase = "correct horse"

// typist types one line after the other.
type typist struct {
	lines []string
	err   error
}

func (t *typist) Reads() bool { return true }
func (t *typist) Shows() bool { return false }
func (t *typist) Password(context.Context) (string, error) {
	if len(t.lines) == 0 {
		return "", errors.Join(t.err, errors.New("nothing was typed"))
	}
	line := t.lines[0]
	t.lines = t.lines[1:]
	return line, nil
}

// TestKeyPrompt asks a person for pass phrases, and shows none.
func TestKeyPrompt(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	types := func(lines ...string) { u.env.Terminal = &typist{lines: lines} }
	generate := []string{"key", "generate", "release", "--algorithm", "ec-256", "--encrypt"}
	types(phrase, "another")
	u.run(generate...).want(2, "differ")
	types("")
	u.run(generate...).want(2, "empty")
	types(phrase)
	u.run(generate...).want(2, "could not be read")
	if _, err := os.Stat(u.path("localkeys")); err == nil {
		t.Error("something was written")
	}
	types(phrase, phrase)
	r := u.run(generate...).want(0, "Pass phrase of the new key 'release'", "once more", "encrypted with the pass phrase")
	types(phrase)
	r2 := u.run("key", "csr", "release", "--subject", "C=US, ST=WA, O=x").want(0, "Pass phrase of the private key", "BEGIN CERTIFICATE REQUEST")
	types("wrong")
	u.run("key", "csr", "release", "--subject", "C=US, ST=WA, O=x").want(2, "does not open")
	for _, r := range []result{r, r2} {
		if strings.Contains(r.stdout+r.stderr, phrase) {
			t.Errorf("the pass phrase is shown: %s%s", r.stdout, r.stderr)
		}
	}
}

// sealed is a key under the pass phrase with its chain.
func (u *user) sealed(chain *testpki.Chain) (key, certs string) {
	u.t.Helper()
	text, err := keyfile.Encode(chain.Key, []byte(phrase))
	if err != nil {
		u.t.Fatal(err)
	}
	return u.write("sealed.key", string(text)), u.write("chain.crt", string(chain.CertPEM()))
}

// TestPromptIsNoRequest waits for a person for longer than --timeout allows all
// requests.
func TestPromptIsNoRequest(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	key, certs := u.sealed(testpki.New(t, testpki.Options{NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)})) // a bubble begins in 2000
	dir, digest := u.layout("app")
	synctest.Test(t, func(t *testing.T) {
		u.env.Terminal = slowTypist{&typist{lines: []string{phrase}}}
		u.runWith(t.Context(), "", "sign", "--timeout", "1m", "--key-file", key, "--cert-file", certs, "--oci-layout", dir+"@"+digest).want(0, "Pass phrase", "Successfully signed")
	})
}

// slowTypist takes an hour.
type slowTypist struct{ *typist }

func (t slowTypist) Password(ctx context.Context) (string, error) {
	select {
	case <-time.After(time.Hour):
		return t.typist.Password(ctx)
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// TestSignsWithSources reads key, chain and pass phrase from wherever they may
// be.
func TestSignsWithSources(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	chain := testpki.New(t, testpki.Options{})
	key, certs := u.sealed(chain)
	clear := u.write("clear.key", string(chain.KeyPEM()))
	dir, digest := u.layout("app")
	u.vars["KEY"], u.vars["CERTS"], u.vars["PHRASE"] = u.read(key), u.read(certs), phrase+"\nmore"
	u.vars["LONG"] = strings.Repeat("x", 2<<20)
	sign := func(args ...string) result {
		return u.run(append([]string{"sign", "--oci-layout", dir + "@" + digest}, args...)...)
	}
	sign("--key-file", "env://KEY", "--cert-file", "env://CERTS", "--key-passphrase-file", "env://PHRASE").want(0)
	u.runWith(t.Context(), u.read(clear), "sign", "--oci-layout", dir+"@"+digest, "--key-file", "fd://0", "--cert-file", certs).want(0)
	for name, tt := range map[string]struct {
		args []string
		text string
	}{
		"no variable":      {[]string{"--key-file", "env://NONE", "--cert-file", certs}, "not set or empty"},
		"long variable":    {[]string{"--key-file", "env://LONG", "--cert-file", certs}, "longer than"},
		"no descriptor":    {[]string{"--key-file", "fd://4000", "--cert-file", certs}, "cannot be read"},
		"standard output":  {[]string{"--key-file", "fd://1", "--cert-file", certs}, "no descriptor"},
		"no number":        {[]string{"--key-file", "fd://-3", "--cert-file", certs}, "no descriptor"},
		"no key":           {[]string{"--key-file", certs, "--cert-file", certs}, "no private key"},
		"no file":          {[]string{"--key-file", key + "x", "--cert-file", certs}, "could not be read"},
		"no chain":         {[]string{"--key-file", clear, "--cert-file", certs + "x"}, "could not be read"},
		"no certificates":  {[]string{"--key-file", clear, "--cert-file", clear}, "no certificate"},
		"variable's chain": {[]string{"--key-file", clear, "--cert-file", "env://PHRASE"}, "'env://PHRASE'"},
		"no pass phrase":   {[]string{"--key-file", key, "--cert-file", certs}, "no pass phrase"},
		"empty":            {[]string{"--key-file", key, "--cert-file", certs, "--key-passphrase-file", u.write("empty", "\n")}, "empty"},
		"key twice":        {[]string{"--key-file", "fd://3", "--cert-file", "fd://3"}, "read once"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sign(tt.args...).wantError(2, tt.text)
		})
	}
}

// TestSourcesShowNoSecret has the shell put a secret where the name of its
// variable belongs, which ends in the log of a pipeline if it is repeated.
//
// attack: KEY-06
func TestSourcesShowNoSecret(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	chain := testpki.New(t, testpki.Options{})
	key, certs := u.sealed(chain)
	text := string(chain.KeyPEM())
	dir, digest := u.layout("app")
	for _, tt := range []struct{ secret, key, certs, phrase string }{
		{phrase, key, certs, "env://" + phrase},
		{phrase, key, certs, "fd://" + phrase},
		{"hunter2", key, certs, "env://hunter2"},
		{text, "env://" + text, certs, ""},
		{text, "fd://" + text, certs, ""},
		{text, "fd://" + text, "fd://" + text, ""},
		{text, "env://" + text, "env://" + text, ""},
	} {
		args := []string{"sign", "--oci-layout", dir + "@" + digest, "--key-file", tt.key, "--cert-file", tt.certs, "--debug"}
		if tt.phrase != "" {
			args = append(args, "--key-passphrase-file", tt.phrase)
		}
		for _, format := range []string{"text", "json"} {
			r := u.run(append(args, "--output", format)...)
			for line := range strings.Lines(tt.secret) {
				if strings.Contains(r.stdout+r.stderr, strings.TrimSpace(line)) {
					t.Errorf("%s is shown:\n%s%s", line, r.stdout, r.stderr)
				}
			}
			if r.code != 2 {
				t.Errorf("exit %d", r.code)
			}
		}
	}
}

// TestPKCS12UpdateLeavesNothing has the list fail to be written when a key was
// imported: its file goes again, and the next attempt can do it.
//
// attack: FS-04
func TestPKCS12UpdateLeavesNothing(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	file := filepath.Join("testdata", "acme.p12")
	u.vars["NOTATION_KEY_PASSPHRASE"] = phrase
	u.ok("key", "add", "acme", "--pkcs12", file)
	files := func() string {
		names, err := filepath.Glob(u.path("localkeys", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(names, "\n")
	}
	before := files()
	good := u.env.Files
	full := errors.New("no space left on device")
	u.env.Files = atomicfile.Writer{Before: func(op atomicfile.Op, path string) error {
		if op == atomicfile.OpWrite && filepath.Base(path) == "signingkeys.json" {
			return full
		}
		return nil
	}}
	u.run("key", "update", "acme", "--pkcs12", file).wantError(2, "no space left")
	if after := files(); after != before {
		t.Errorf("there are\n%s\nwant\n%s", after, before)
	}
	u.env.Files = atomicfile.Writer{Before: func(op atomicfile.Op, path string) error {
		if op == atomicfile.OpWrite && filepath.Base(path) == "signingkeys.json" || op == atomicfile.OpRemove && strings.HasSuffix(path, ".key") {
			return full
		}
		return nil
	}}
	u.run("key", "update", "acme", "--pkcs12", file).want(2, "could not be removed")
	u.env.Files = good
	names, err := filepath.Glob(u.path("localkeys", "acme-*.key"))
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	if err := os.Remove(names[0]); err != nil {
		t.Fatal(err)
	}
	u.ok("key", "update", "acme", "--pkcs12", file)
}

// TestPKCS12 imports a key, keeps it under the same pass phrase, and renews it
// from another file.
func TestPKCS12(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	// openssl has made it, with a certificate for a hundred years from 2026.
	file := filepath.Join("testdata", "acme.p12")
	u.vars["NOTATION_KEY_PASSPHRASE"] = phrase
	u.run("key", "add", "acme", "--pkcs12", file, "--default").want(0, "the default key", "certificate 1 of 1")
	if text := u.read(u.path("localkeys", "acme.key")); !strings.Contains(text, "ENCRYPTED") {
		t.Error("the key is kept in the clear")
	}
	blob := u.write("blob", "x")
	u.ok("blob", "sign", blob)
	u.run("key", "update", "acme", "--pkcs12", file).want(0, "the default key, signs with this certificate")
	u.run("key", "update", "acme", "--pkcs12", file).wantError(2, "already") // the key is never replaced
	u.ok("blob", "sign", "--force", blob)
	u.run("key", "add", "other", "--pkcs12", blob).wantError(2, "no PKCS#12 file")
	u.run("key", "add", "other", "--pkcs12", blob+"x").wantError(2, "could not be read")
	u.run("key", "add", "other", "other", "--pkcs12", file).wantError(2, "one argument")
	u.run("key", "add", "other", "-n", "another", "--pkcs12", file).wantError(2, "two names")
	u.run("key", "add", "../other", "--pkcs12", file).wantError(2, "no name")
	u.run("key", "add", "acme", "--pkcs12", file).wantError(2, "already")
}

// TestKeyMaterial says what keeps a key in files from being listed or renewed.
func TestKeyMaterial(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	old := testpki.New(t, testpki.Options{Name: "old", NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour)})
	oldKey, oldCerts := u.write("old.key", string(old.KeyPEM())), u.write("old.crt", string(old.CertPEM()))
	u.run("key", "add", "old", "--key", oldKey, "--cert", oldCerts).want(0, "Nothing can be signed now")
	both := u.write("both.pem", u.read(acme.key)+u.read(acme.chain))
	u.run("key", "add", "both", "--key", both, "--cert", both).want(0)
	u.run("key", "add", "x", "--key", acme.key, "--cert", acme.chain, "--root", acme.key).wantError(2, "private key")
	u.run("key", "add", "x", "--key", acme.key, "--cert", acme.chain, "--intermediate", acme.key+"x").wantError(2, "could not be read")
	u.run("key", "add", "x", "--key", acme.chain, "--cert", acme.chain).wantError(2, "no private key")
	u.run("key", "add", "x", "--key", acme.key, "--cert", acme.chain+"x").wantError(2, "could not be read")
	if err := os.Remove(both); err != nil {
		t.Fatal(err)
	}
	u.run("key", "update", "both", "--cert", acme.chain, "--key", acme.key).want(0)
	args := append([]string{"key", "add", "held", "--plugin", "example-plugin", "--id", "x"}, acme.pluginConfig()...)
	u.ok("plugin", "install", examplePlugin(t, 1))
	u.ok(args...)
	u.run("key", "update", "held", "--cert", acme.chain).wantError(2, "held by a plugin")
	u.run("key", "csr", "held", "--subject", "C=US, O=x").wantError(2, "alone can use it")
	u.run("cert", "expiring", "--within", "1s", "-ojson").want(1, "held")
	u.run("key", "delete", "old").want(0)
	u.run("cert", "expiring", "--within", "1s").want(0, "None of 6 certificates")
	u.run("cert", "expiring", "--within", "90d").want(1, "key acme", "IN")
	if err := os.WriteFile(acme.chain, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	u.run("cert", "expiring", "--within", "1s").want(2, "'acme': ", "that could be looked at")
	if err := os.WriteFile(u.path("signingkeys.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range [][]string{
		{"cert", "expiring"}, {"key", "generate", "x", "--algorithm", "ec-256"}, {"key", "csr", "x", "--subject", "O=x"},
		{"key", "update", "x", "--cert", acme.chain}, {"key", "update", "x", "--default"}, {"key", "add", "x", "--key", acme.key, "--cert", oldCerts},
	} {
		u.run(line...).want(2)
	}
}

// TestListedKeysStay lists no key that could not be found again: the list would
// name a file that is none.
func TestListedKeysStay(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	u.vars["KEY"] = u.read(acme.key)
	linked := u.path("linked.key")
	if err := os.Symlink(acme.key, linked); err != nil {
		t.Fatal(err)
	}
	u.ok("key", "add", "linked", "--key", linked, "--cert", acme.chain)
	before := u.read(u.path("signingkeys.json"))
	for _, key := range []string{"env://KEY", "fd://0", "/dev/fd/0", "/proc/self/fd/0", t.TempDir()} {
		u.runWith(t.Context(), u.read(acme.key), "key", "add", "x", "--key", key, "--cert", acme.chain).wantError(2, "files that stay")
		u.runWith(t.Context(), u.read(acme.key), "key", "update", "linked", "--key", key, "--cert", acme.chain).wantError(2, "files that stay")
		u.runWith(t.Context(), u.read(acme.key), "key", "add", "--name", "x", key, acme.chain).wantError(2, "")
	}
	if after := u.read(u.path("signingkeys.json")); after != before {
		t.Errorf("the list changed: %s", after)
	}
	// A request names no file, and takes the key from wherever it is.
	u.run("key", "csr", "x", "--key", "env://KEY", "--subject", "C=US, ST=WA, O=x").want(0, "BEGIN CERTIFICATE REQUEST")
}

// TestKeysWithoutHome need a directory only where something is kept in it.
func TestKeysWithoutHome(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	delete(u.vars, "HOME")
	path := filepath.Join(t.TempDir(), "x.key")
	u.run("key", "generate", "x", "--algorithm", "ec-256", "-o", path).want(0, "--key "+path)
	u.run("key", "generate", "x", "--algorithm", "ec-256", "-o", path).wantError(2, "already")
	u.run("key", "generate", "x", "--algorithm", "ec-256").wantError(2, "home directory")
	u.run("key", "csr", "x", "--key", path, "--subject", "C=US, O=x").want(0)
	u.run("key", "csr", "x", "--subject", "C=US, O=x").wantError(2, "home directory")
	u.run("key", "add", "x", "--key", acme.key, "--cert", acme.chain).wantError(2, "home directory")
	u.run("key", "update", "x", "--cert", acme.chain).wantError(2, "home directory")
	u.run("cert", "expiring").wantError(2, "home directory")
	dir, digest := u.layout("app")
	u.run("sign", "--key-file", acme.key, "--cert-file", acme.chain, "--oci-layout", dir+"@"+digest).want(0)
	u.run("policy", "explain", "--policy", u.policy("strict", "*", "ca:acme", "*"), "--trust-store", u.stores(acme), "--cert", acme.chain, "r.example/x").want(0, "ca:acme")
	u.run("policy", "explain", "--policy", u.policy("strict", "*", "ca:acme", "*"), "--cert", acme.chain, "r.example/x").want(2, "home directory")
	u.run("policy", "explain", "--policy", u.policy("strict", "*", "ca:none", "*"), "--trust-store", u.stores(acme), "--cert", acme.chain, "r.example/x").want(2, "none")
}

// TestKeyFlagsContradict refuses what says two things at once.
func TestKeyFlagsContradict(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	for line, text := range map[string]string{
		"key generate x": "--algorithm is missing",
		"key generate x --algorithm ec-256 --key-passphrase-file f":            "needs --encrypt",
		"key generate x --algorithm rsa-1024":                                  "cannot be",
		"key generate -x --algorithm ec-256":                                   "",
		"key csr x":                                                            "--subject is missing",
		"key csr x --subject O=x -o none/x.csr":                                "no directory",
		"key csr ../x --subject O=x":                                           "no name",
		"key csr x --subject O=x --key none":                                   "could not be read",
		"key add x --pkcs12 a --cert b":                                        "one of them was given",
		"key add x --pkcs12 a --key b":                                         "one of them was given",
		"key add x --root a":                                                   "--root needs --cert",
		"key add x --intermediate a":                                           "--intermediate needs --cert",
		"key add x --cert a":                                                   "--key is missing",
		"key add x --cert a --id b":                                            "from the plugin",
		"key add a b --cert c":                                                 "one argument",
		"key update x":                                                         "needs --cert",
		"key update x --root a --default":                                      "--root needs --cert",
		"cert expiring x":                                                      "no argument",
		"cert expiring --within -1h":                                           "cannot be",
		"policy explain --trust-store d r.example/x":                           "",
		"sign --key-file a localhost:1/x:v1":                                   "belong together",
		"sign --cert-file a localhost:1/x:v1":                                  "belong together",
		"sign --key-file a --cert-file b --key c localhost:1/x:v1":             "another was named",
		"sign --key-file a --cert-file b --plugin c --id d localhost:1/x:v1":   "another was named",
		"sign --key-file a --cert-file b --plugin-config c=d localhost:1/x:v1": "a plugin holds",
		"attach --artifact-type a/b --key-file c localhost:1/x:v1 f":           "needs --sign",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			r := u.run(strings.Fields(line)...)
			if r.code != 2 || !strings.Contains(r.stderr, text) {
				t.Errorf("exit %d, %s", r.code, r.stderr)
			}
		})
	}
}

// TestExplainSigner says by which root and identity a statement trusts a signer.
func TestExplainSigner(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme, other := u.newSigner("acme", testpki.Options{}), u.newSigner("other", testpki.Options{KeySet: 1})
	stores := u.stores(acme)
	explain := func(level, identity, cert string) result {
		return u.run("policy", "explain", "--policy", u.policy(level, "*", "ca:acme", identity), "--trust-store", stores, "--cert", cert, "r.example/x")
	}
	explain("strict", "x509.subject: C=US, ST=WA, O=acme", acme.chain).want(0, "trust store  ca:acme", "identity     x509.subject: C=US,ST=WA,O=acme")
	explain("strict", "x509.subject: C=US, ST=WA, O=zebra", acme.chain).want(1, "none matches", "none of the trusted identities")
	explain("strict", "*", other.chain).want(1, "in no trust store of the statement", "in no trust store that")
	explain("strict", "*", acme.root).want(2, "acme-root.crt")
	explain("strict", "*", acme.key).want(2, "")
	explain("strict", "*", acme.key+"x").want(2, "could not be read")
	skip := u.write("skip.json", `{"version":"1.0","trustPolicies":[{"name":"off","registryScopes":["r.example/x"],"signatureVerification":{"level":"skip"}}]}`)
	u.run("policy", "explain", "--policy", skip, "--cert", acme.chain, "r.example/x").want(0, "verifies nothing")
	u.run("policy", "explain", "--policy", skip, "--cert", acme.chain, "r.example/y").want(1, "does not apply")
	blobs := u.write("blobs.json", `{"version":"1.0","trustPolicies":[{"name":"app","globalPolicy":true,"signatureVerification":{"level":"strict"},"trustStores":["signingAuthority:acme"],"trustedIdentities":["*"]}]}`)
	u.run("blob", "policy", "explain", "--policy", blobs, "--trust-store", stores, "--cert", acme.chain).want(2, "signingAuthority:acme")
}

// TestRenewalWarns says what verifiers will have to change.
func TestRenewalWarns(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	short := testpki.New(t, testpki.Options{Name: "new", NotAfter: time.Now().Add(time.Hour)})
	key, certs := u.write("short.key", string(short.KeyPEM())), u.write("short.crt", string(short.CertPEM()))
	u.run("key", "update", "acme", "--key", key, "--cert", certs, "--default").want(0, "The root is another one", "The subject is no longer", "before the old one")
	if r := u.run("cert", "add", "--name", "x", certs); r.code != 2 || !strings.Contains(r.stderr, "--roots-only") {
		t.Errorf("%s", r.stderr)
	}
	u.run("cert", "add", "--name", "x", "--roots-only", certs).want(0, "2 certificates of", "are not self-signed")
	leaf := &testpki.Chain{Certs: short.Certs[:1]}
	u.run("cert", "add", "--name", "x", "--roots-only", u.write("leaf.crt", string(leaf.CertPEM()))).wantError(2, "no self-signed certificate")
}
