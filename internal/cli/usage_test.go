package cli_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/cli"
)

// TestMistypes types every command wrong: exit code 2, one sentence of cause,
// one of remedy, nothing on standard output, and nothing written.
func TestMistypes(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	for _, tt := range []struct {
		line, cause, hint string
	}{
		{"sgin", "no command 'notation sgin'", "'sign'"},
		{"sgin -k x ref", "no command 'notation sgin'", "'sign'"},
		{"verfy", "no command", "'verify'"},
		{"qwertz", "no command", "'notation --help'"},
		{"--nonsense", "has no flag '--nonsense'", "--help"},
		{"help nonsense", "no command 'notation nonsense'", ""},
		{"help cert nonsense", "no command 'notation cert nonsense'", ""},
		{"plugin", "needs a sub-command", "install, list, uninstall"},
		{"plugin install", "needs SOURCE", "'notation plugin install SOURCE"},
		{"plugin install --file --url x", "--file and --url", "one or the other"},
		{"plugin install ./none", `"./none" could not be read`, "check the path"},
		{"plugin install https://example.com/x.zip", "only with its checksum", "SHA-256 checksum"},
		{"plugin install --sha256sum 0 https://example.com/x.zip", "no SHA-256 checksum", ""},
		{"plugin install --sha256sum 9d3c3c7b0e5d28a7a8aee0df0a71c4d3f6b2f9c8e1a5b7d6c4f3e2d1c0b9a8f7 http://example.com/x.zip", "by https only", "https://"},
		{"plugin uninstall", "needs NAME", ""},
		{"plugin uninstall none", "no plugin named 'none'", "notation plugin list"},
		{"plugin uninstall ../none", "../none", ""},
		{"sign", "needs a reference", "registry/repository@digest"},
		{"sign --kye x r/a:v1", "has no flag '--kye'", "'--key'"},
		{"sign --key", "flag '--key' needs a value", "sign --help"},
		{"sign -Z r/a:v1", "has no flag '-Z'", "sign --help"},
		{"sign --signature-format pgp r/a:v1", "'pgp': it is one of jws, cose", ""},
		{"sign --expiry 12 r/a:v1", "not a duration such as", ""},
		{"sign --expiry 1.5s r/a:v1", "whole number of seconds", ""},
		{"sign --expiry -1h r/a:v1", "not a duration", ""},
		{"sign -m novalue r/a:v1", "KEY=VALUE", ""},
		{"sign r/a", "neither tag nor digest", ""},
		{"sign localhost:1/a:v1", "no default key", "notation cert generate-test --default NAME"},
		{"sign --key nobody localhost:1/a:v1", `no key named "nobody"`, "notation key add"},
		{"sign --plugin aws --id x r/a:v1", `plugin "aws" is not installed`, "notation plugin install"},
		{"sign --plugin ../aws --id x r/a:v1", "../aws", "letters"},
		{"sign --plugin aws r/a:v1", "--plugin needs --id", ""},
		{"sign --plugin aws --id= r/a:v1", "'--id' has an empty value", ""},
		{"sign --plugin= --id x r/a:v1", "'--plugin' has an empty value", ""},
		{"key add --plugin= --id x name", "'--plugin' has an empty value", ""},
		{"sign --id x r/a:v1", "--id needs --plugin", ""},
		{"sign --plugin aws --id x --key y r/a:v1", "both were given", "one or the other"},
		{"sign --plugin aws --id x --plugin-config a r/a:v1", "KEY=VALUE", ""},
		{"sign --timestamp-url http://tsa r/a:v1", "no root certificate is known", "--timestamp-root-cert"},
		{"sign --timestamp-url http://tsa --timestamp-root-cert none r/a:v1", `file "none" could not be read`, ""},
		{"sign --timestamp-root-cert x r/a:v1", "--timestamp-root-cert needs --timestamp-url", ""},
		{"sign --timestamp-url http://tsa --timestamp-url= r/a:v1", "asks for no time stamp", "one or the other"},
		{"sign --timestamp-url http://tsa --signing-authority r/a:v1", "two ways to vouch", "one or the other"},
		{"sign --revocation-timeout 0 r/a:v1", "'0': it is not a duration", ""},
		{"list --output yaml r/a:v1", "'yaml': it is one of text, json", ""},
		{"list --output tree r/a:v1", "--output tree is known to 'inspect' only", "--output text"},
		{"sign --output yaml r/a:v1", "it is one of text and json, or a path; write ./yaml", ""},
		{"sign --timeout soon r/a:v1", "flag '--timeout'", ""},
		{"verify", "needs a reference", ""},
		{"verify --ca-cert x --revocation-timeout soon r/a:v1", "flag '--revocation-timeout'", ""},
		{"verify localhost:1/a:v1", "no trust policy", "notation cert add --name"},
		{"verify --from-file - --password-stdin", "cannot hold both", ""},
		{"verify --max-signatures many r/a:v1", "flag '--max-signatures'", ""},
		{"verify r/a@sha256:abc", "digest", ""},
		{"verify .", "is a path", "--oci-layout"},
		{"list --password x --password-stdin localhost:1/a:v1", "cannot be mixed", ""},
		{"inspect", "needs REF", "'notation inspect REF"},
		{"inspect a b", "does not know what to do with 'b'", ""},
		{"inspect --max-signatures 0 r/a:v1", "at least 1", ""},
		{"inspect r/a", "neither tag nor digest", ""},
		{"list --username alice localhost:1/a:v1", "belong together", "--password-stdin"},
		{"list --cert-file x localhost:1/a:v1", "belong together", ""},
		{"list --insecure-registry --ca-file x localhost:1/a:v1", "plain HTTP", "--insecure-skip-tls-verify"},
		{"list --ca-file nowhere localhost:1/a:v1", "could not be read", ""},
		{"list --password-stdin --username a localhost:1/a:v1", "holds no password", ""},
		{"list --oci-layout nowhere:v1", "cannot open", ""},
		{"cert", "needs a sub-command", "add"},
		{"cert ad", "no command 'notation cert ad'", "'add'"},
		{"cert --nonsense", "has no flag", ""},
		{"certificate ad", "no command 'notation cert ad'", ""},
		{"cert add", "needs FILE", "FILE..."},
		{"cert add x.crt", "needs the name of a trust store", "--name"},
		{"cert add --name a --type ca x.crt", "cannot be mixed", ""},
		{"cert add --type ca x.crt", "needs the name of a trust store", ""},
		{"cert add --type root --store a x.crt", `unknown type of trust store "root"`, "signingAuthority"},
		{"cert add --name ../a x.crt", "no name of a trust store", ""},
		{"cert add --name a nowhere.crt", "could not be read", ""},
		{"cert list extra", "takes no argument, but got 'extra'", ""},
		{"cert list --type root", "unknown type", ""},
		{"cert show --name a", "needs FILE", ""},
		{"cert show x.crt", "needs the name", ""},
		{"cert show --name a x.crt", "ca:a", ""},
		{"cert lint", "needs FILE", "FILE..."},
		{"cert lint nowhere.crt", "could not be read", ""},
		{"cert lint --for tls x.crt", "'tls': it is one of signing, timestamping, anchor", ""},
		{"cert delete --name a", "needs FILE or --all", ""},
		{"cert delete --name a --all x.crt", "--all deletes every file", ""},
		{"cert delete --all", "needs the name of a trust store", ""},
		{"cert delete --name a --all --yes", "no trust store ca:a", ""},
		{"cert delete --name a --yes x.crt", "no file", "notation cert list"},
		{"cert delete --name a x.crt", "must be confirmed", "--yes"},
		{"cert generate-test", "needs NAME", ""},
		{"cert generate-test ../x", "no name for a key", ""},
		{"cert generate-test --bits 1024 x", "'1024': it is one of 2048, 3072, 4096", ""},
		{"cert generate-test --algorithm ed25519 x", "ec-256", ""},
		{"cert generate-test --algorithm ec-256 --bits 2048 x", "cannot be mixed", ""},
		{"cert generate-test --valid-for 1ms x", "whole number", ""},
		{"cert generate-test " + strings.Repeat("n", 65), "64 characters", ""},
		{"cert cleanup-test", "needs NAME", ""},
		{"cert cleanup-test x", "must be confirmed", "--yes"},
		{"cert cleanup-test --yes x", "no test key", ""},
		{"cert cleanup-test --yes ../x", "no name for a key", ""},
		{"key", "needs a sub-command", "add, csr, delete, generate, lint, list, update"},
		{"key add", "needs KEYFILE", "'notation key add KEYFILE CERTFILE | NAME [--key FILE] --cert CHAIN"},
		{"key add name", "needs KEYFILE and CERTFILE", "--name NAME"},
		{"key add a b c", "does not know what to do with 'c'", ""},
		{"key add --plugin aws --id x name", `plugin "aws" is not installed`, "notation plugin install"},
		{"key add --plugin aws --id x key.pem cert.pem", "has no files", "NAME --plugin PLUGIN --id ID"},
		{"key add --plugin aws --id x --name one other", "two names", ""},
		{"key add --plugin aws --id x ../up", "no name for a key", ""},
		{"key add --plugin aws --id x --plugin-config a name", "KEY=VALUE", ""},
		{"key add --plugin aws name", "--plugin needs --id", ""},
		{"key add --id x name", "--id needs --plugin", ""},
		{"key add --plugin-config a=b k c", "--plugin-config needs --plugin", ""},
		{"key add nowhere.key nowhere.crt", "could not be read", ""},
		{"key add --name .. nowhere.key nowhere.crt", "no name for a key", ""},
		{"key list extra", "takes no argument", ""},
		{"key update x", "needs --cert, --pkcs12 or --default", "key update x --default"},
		{"key update --default x", "no key named", ""},
		{"key update", "needs NAME", ""},
		{"key lint", "no default key", ""},
		{"key lint a b", "does not know what to do with 'b'", ""},
		{"key lint x", "no key named", ""},
		{"doctor a b", "does not know what to do with 'b'", ""},
		{"key delete", "needs NAME", ""},
		{"key delete x", "no key named", ""},
		{"policy", "needs a sub-command", "explain"},
		{"policy init", "needs --trust-store", ""},
		{"policy init --trust-store ca:a", "needs --trusted-identity", ""},
		{"policy init --trust-store a --trusted-identity *", "trust store \"a\" has no type", "TYPE:NAME"},
		{"policy init --trust-store ca:a --trusted-identity CN=x", "CN=x", "x509.subject"},
		{"policy init --name= --trust-store ca:a --trusted-identity *", "", ""},
		{"policy import", "needs FILE", ""},
		{"policy import nowhere.json", "could not be read", ""},
		{"policy show", "no trust policy", ""},
		{"policy explain", "needs REF", ""},
		{"policy explain UPPER/x", "", ""},
		{"policy explain r.example/x", "no trust policy", ""},
		{"policy lint", "no trust policy", ""},
		{"policy lint --policy nowhere.json", "could not be read", ""},
		{"login", "needs HOST", ""},
		{"login a b", "does not know", ""},
		{"login localhost:1", "no terminal", "--password-stdin"},
		{"login --password-stdin localhost:1", "no terminal", ""},
		{"logout", "needs HOST", ""},
		{"logout r/x", "is no registry", ""},
		{"version extra", "takes no argument", ""},
		{"completion", "needs SHELL", ""},
		{"completion tcsh", "no completion for 'tcsh'", "bash"},
		{"man", "needs DIR", ""},
	} {
		args := strings.Fields(tt.line)
		r := u.run(args...).wantError(2)
		cause, hint, _ := strings.Cut(r.stderr, "Hint: ")
		if !strings.Contains(strings.ToLower(cause), strings.ToLower(tt.cause)) || !strings.Contains(strings.ToLower(hint), strings.ToLower(tt.hint)) {
			t.Errorf("notation %s: want %q, %q\n%s", tt.line, tt.cause, tt.hint, r.stderr)
		}
		doc := u.run(append([]string{"-o", "json"}, args...)...)
		if strings.Contains(tt.line, "--output") {
			continue
		}
		if doc.code != 2 || at(doc.json(), "error", "code") == "" || at(doc.json(), "error", "hint") == "" {
			t.Errorf("notation %s: %s", tt.line, doc.stdout)
		}
	}
	if got := snapshot(t, u.home); strings.Count(got, "\n") != 1 {
		t.Errorf("something was written:\n%s", got)
	}
}

// TestHelp shows help for every command, in whatever way it is asked for.
func TestHelp(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.ok().want(0, "Usage:", "Exit codes:", "notation verify localhost:5000/net-monitor:v1")
	u.ok("--output", "json").want(0, "Usage:")
	for _, line := range []string{
		"sign", "verify", "inspect", "list", "ls", "cert", "certificate", "cert add", "cert list", "cert show", "cert lint", "doctor", "key lint", "cert delete", "cert generate-test",
		"cert cleanup-test", "key", "key add", "key list", "key update", "key delete", "plugin", "plugin install", "plugin list", "plugin uninstall", "policy", "policy init", "policy import", "policy show",
		"policy explain", "policy lint", "login", "logout", "version", "completion", "help",
	} {
		words := strings.Fields(line)
		one := u.ok(append(words, "--help")...)
		two := u.ok(append([]string{"help"}, words...)...)
		three := u.ok(append(words, "-h")...)
		if one.stdout != two.stdout || one.stdout != three.stdout || !strings.Contains(one.stdout, "Usage:") || one.stderr != "" {
			t.Errorf("%s: help differs or is missing: %q", line, one.stdout)
		}
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		script := u.ok("completion", shell).stdout
		doc := u.ok("completion", "--output", "json", shell).json()
		if !strings.Contains(script, "notation") || doc["script"] != script || doc["shell"] != shell {
			t.Errorf("%s: %d bytes", shell, len(script))
		}
	}
	if got := u.ok("__complete", "sign", "--key", "").stdout; !strings.HasPrefix(got, ":") {
		t.Errorf("no keys: %q", got)
	}
	u.ok("cert", "generate-test", "--algorithm", "ec-256", "acme")
	for _, args := range [][]string{{"sign", "--key", ""}, {"key", "delete", ""}, {"key", "update", ""}, {"cert", "cleanup-test", ""}} {
		if got := u.ok(append([]string{"__complete"}, args...)...).stdout; !strings.HasPrefix(got, "acme\n") {
			t.Errorf("%v: %q", args, got)
		}
	}
	if got := u.ok("__complete", "cert", "add", "--type", "").stdout; !strings.Contains(got, "signingAuthority") {
		t.Errorf("types: %q", got)
	}
	u.vars = nil
	u.ok("__complete", "sign", "--key", "")
}

func TestMan(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	dir := t.TempDir() + "/man1"
	doc := u.ok("man", "-ojson", dir).json()
	pages := at(doc, "pages").([]any)
	if len(pages) < 25 || !strings.Contains(u.read(dir+"/notation-cert-add.1"), "\\-\\-name NAME") {
		t.Errorf("%v", pages)
	}
	u.ok("man", dir).want(0, dir+"/notation.1\n")
	u.run("man", dir+"/notation.1").wantError(2)
	u.run("man", dir+"/notation.1/sub").wantError(2)
}

func TestVersion(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.ok("version").want(0, "version", "commit", "Go version")
	doc := u.ok("version", "-o", "json").json()
	for _, member := range []string{"version", "commit", "goVersion", "platform"} {
		if doc[member] == "" || doc[member] == nil {
			t.Errorf("no %s: %v", member, doc)
		}
	}
}

// fullDisk is a standard output on which nothing can be written.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestStandardOutputFails must not exit with 0: the caller has no answer.
func TestStandardOutputFails(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"version", "-ojson"}, {"completion", "bash"}} {
		var stderr strings.Builder
		code := cli.Run(t.Context(), args, cli.Env{Stdout: fullDisk{}, Stderr: &stderr})
		if code != 3 || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%v: exit %d, %s", args, code, stderr.String())
		}
	}
}
