package cli_test

import (
	"archive/zip"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// scratch holds what all tests share.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(withScratch(m))
}

func withScratch(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "cli-test"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(scratch)
	return m.Run()
}

// builds are the example plugin in versions 1 and 2.
var builds = [2]func() (string, error){
	sync.OnceValues(func() (string, error) { return build("1.0.0", "") }),
	sync.OnceValues(func() (string, error) {
		return build("2.0.0", "SIGNATURE_GENERATOR.RAW,SIGNATURE_GENERATOR.ENVELOPE_FOR_BLOB")
	}),
}

func build(version, without string) (string, error) {
	path := filepath.Join(scratch, version, "notation-example-plugin")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	flags := "-s -w -X main.version=" + version + " -X main.without=" + without
	out, err := exec.Command("go", "build", "-ldflags", flags, "-o", path, "../../examples/notation-example-plugin").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
}

// examplePlugin returns the program of a version of the example plugin. The
// second makes whole envelopes for artifacts only.
func examplePlugin(t *testing.T, version int) string {
	t.Helper()
	path, err := builds[version-1]()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// pluginConfig is what the example plugin wants to know of a key.
func (s signer) pluginConfig() []string {
	return []string{"--plugin-config", "keyFile=" + s.key, "--plugin-config", "certFile=" + s.chain}
}

// TestPluginCommands installs, lists and uninstalls.
func TestPluginCommands(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	one, two := examplePlugin(t, 1), examplePlugin(t, 2)
	u.ok("plugin", "list").want(0, "No plugins.")
	u.ok("plugin", "install", "--file", two).want(0, "Installed plugin example-plugin 2.0.0.\n", "SIGNATURE_GENERATOR.ENVELOPE")
	u.ok("plugin", "list").want(0, "example-plugin  2.0.0    SIGNATURE_GENERATOR.ENVELOPE, SIGNATURE_VERIFIER.TRUSTED_IDENTITY, SIGNATURE_VERIFIER.REVOCATION_CHECK\n")
	for _, program := range []string{two, one} {
		u.run("plugin", "install", program).wantError(2, "installed in version 2.0.0", "--force")
	}
	u.ok("plugin", "install", "--force", one).want(0, "Installed plugin example-plugin 1.0.0 in the place of 2.0.0.")
	if got := at(u.ok("-o", "json", "plugin", "install", two).json(), "previous"); got != "1.0.0" {
		t.Errorf("previous: %v", got)
	}
	u.ok("key", "add", "held", "--plugin", "example-plugin", "--id", "7")
	u.run("plugin", "uninstall", "example-plugin").wantError(2, "must be confirmed", "--yes")
	asked := *u
	asked.env.Terminal = &terminal{reads: true}
	asked.runWith(t.Context(), "n\n", "plugin", "uninstall", "example-plugin").want(2, "Uninstall plugin example-plugin? [y/N]", "nothing was changed")
	u.ok("plugin", "list").want(0, "2.0.0")
	asked.runWith(t.Context(), "y\n", "plugin", "uninstall", "example-plugin").
		want(0, "Uninstalled plugin example-plugin.", `Warning: Key "held" is held by plugin example-plugin`)
	u.ok("plugin", "list").want(0, "No plugins.")
	u.run("plugin", "uninstall", "-y", "example-plugin").wantError(2, "No plugin named 'example-plugin' is installed")
}

// TestPluginSources installs from an archive, and refuses what it should.
//
// attack: PLG-05
func TestPluginSources(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	program := []byte(u.read(examplePlugin(t, 1)))
	archive := filepath.Join(t.TempDir(), "plugin.zip")
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	h := &zip.FileHeader{Name: filepath.Base(examplePlugin(t, 1)), Method: zip.Store}
	h.SetMode(0o755)
	w, err := z.CreateHeader(h)
	if err == nil {
		_, err = w.Write(program)
	}
	if err != nil || z.Close() != nil || f.Close() != nil {
		t.Fatal(err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(u.read(archive))))
	other := strings.Repeat("0", 64)
	u.run("plugin", "install", "--sha256sum", other, archive).wantError(2, "checksum")
	u.run("plugin", "install", u.write("notation-broken.zip", "PK")).wantError(2, "")
	u.run("plugin", "install", "--sha256sum", other, "--url", "https://127.0.0.1:1/x.zip").wantError(3, "could not be downloaded")
	u.run("plugin", "install", "--sha256sum", other, "http://127.0.0.1:1/x.zip").wantError(2, "https")
	u.run("plugin", "install", "--file", "https://127.0.0.1:1/x.zip").wantError(2, "could not be read")
	u.ok("plugin", "list").want(0, "No plugins.")
	u.ok("plugin", "install", "--sha256sum", sum, archive).want(0, "example-plugin 1.0.0")
}

// TestBrokenPlugins are listed with the reason, and named nowhere else.
//
// attack: PLG-01
func TestBrokenPlugins(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("scripts are no programs there")
	}
	u := newUser(t)
	u.vars["NOTATION_LIBEXEC"] = filepath.Join(u.home, "libexec")
	u.ok("plugin", "install", examplePlugin(t, 1))
	ran := filepath.Join(u.home, "ran")
	plant := func(name, script string, mode os.FileMode) {
		dir := filepath.Join(u.home, "libexec", "plugins", name)
		path := filepath.Join(dir, "notation-"+name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	plant("writable", "touch "+ran+"\n", 0o777)
	plant("mute", "exit 0\n", 0o700)
	plant("liar", "cat <<X\n{\"name\":\"other\",\"description\":\"d\",\"version\":\"1.0.0\",\"url\":\"u\",\"supportedContractVersions\":[\"1.0\"],\"capabilities\":[\"SIGNATURE_GENERATOR.RAW\"]}\nX\n", 0o700)
	plant("loud", "echo '{\"errorCode\":\"ERROR\",\"errorMessage\":\"no\\u001b[31m\"}' >&2; exit 1\n", 0o700)
	r := u.ok("plugin", "list").want(0, "example-plugin  1.0.0", "writable        broken", "[plugin.unsafe]", "[plugin.metadata]", "[plugin.answer]", "[plugin.refused]")
	if strings.Contains(r.stdout, "\x1b") {
		t.Errorf("%q", r.stdout)
	}
	list := u.ok("-o", "json", "plugin", "list")
	loadSchemas(t).check(list)
	doc := list.json()
	codes := map[any]any{}
	for i := range 5 {
		codes[at(doc, "plugins", i, "name")] = at(doc, "plugins", i, "error", "code")
	}
	for name, code := range map[any]any{"example-plugin": nil, "liar": "plugin.metadata", "loud": "plugin.refused", "mute": "plugin.answer", "writable": "plugin.unsafe"} {
		if codes[name] != code {
			t.Errorf("%s: %v", name, codes[name])
		}
	}
	for name, code := range map[string]int{"writable": 2, "mute": 2, "liar": 2, "loud": 3} {
		u.run("sign", "--plugin", name, "--id", "x", "localhost:1/a:v1").wantError(code)
		u.run("key", "add", "k", "--plugin", name, "--id", "x").wantError(code)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("a plugin that others may write was run")
	}
	u.ok("plugin", "uninstall", "-y", "writable")
	u.ok("key", "list").want(0, "No keys.")
	if err := os.WriteFile(filepath.Join(u.home, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	u.vars["NOTATION_LIBEXEC"] = filepath.Join(u.home, "file")
	u.run("plugin", "list").wantError(2, "plugin directory")
	for _, vars := range []map[string]string{{}, {"NOTATION_CONFIG": u.home}} {
		u.vars = vars
		u.run("plugin", "list").wantError(2, "directory of the plugins is not known", "$NOTATION_LIBEXEC")
		u.run("plugin", "install", examplePlugin(t, 1)).wantError(2, "directory of the plugins is not known")
		u.run("key", "add", "k", "--plugin", "x", "--id", "y").wantError(2, "directory of the plugins is not known")
	}
	u.run("sign", "--plugin", "x", "--id", "y", "localhost:1/a:v1").wantError(2, "directory of the plugins is not known", "$NOTATION_LIBEXEC")
}

// TestSignWithPlugin signs with keys that a plugin holds, listed and not.
func TestSignWithPlugin(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.ok("plugin", "install", examplePlugin(t, 1))
	acme := u.newSigner("acme", testpki.Options{})
	dir, digest := u.layout("held")
	ref := dir + "@" + digest
	sign := func(args ...string) []string { return append(append([]string{"sign", "--oci-layout"}, args...), ref) }
	u.ok(sign(append([]string{"--plugin", "example-plugin", "--id", "x", "-m", "a=b"}, acme.pluginConfig()...)...)...)
	u.run(sign("--plugin", "example-plugin", "--id", "x")...).wantError(2, "VALIDATION_ERROR", "keyFile and certFile")
	u.run(sign("-k", "acme", "--plugin-config", "a=b")...).wantError(2, "key 'acme' is a file")

	u.run("key", "add", "held", "--plugin", "example-plugin", "--id", "x").wantError(2, "VALIDATION_ERROR")
	u.ok(append([]string{"key", "add", "held", "--plugin", "example-plugin", "--id", "x", "--default"}, acme.pluginConfig()...)...).
		want(0, `Added key "held", the default key.`)
	u.ok("key", "list").want(0, "* held  plugin example-plugin, id x")
	u.ok(sign()...)
	u.ok(sign("-k", "held", "--signature-format", "cose")...)
	u.run(sign("-k", "held", "--plugin-config", "keyFile=/nowhere")...).wantError(2, "/nowhere")
	u.ok("verify", "--oci-layout", "--ca-cert", acme.root, ref)
	u.ok("key", "add", "--name", "two", "--plugin", "example-plugin", "--id", "x", "two", acme.pluginConfig()[0], acme.pluginConfig()[1], acme.pluginConfig()[2], acme.pluginConfig()[3])
	if r := u.ok("key", "delete", "two"); strings.Contains(r.stdout, "Files") {
		t.Errorf("%s", r.stdout)
	}
	list := u.path("signingkeys.json")
	if err := os.WriteFile(list, []byte(`{"keys":[{"name":"half","id":"x"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	u.run(sign("-k", "half")...).wantError(2, "only one of id and pluginName", "notation key delete")
}

// TestEnvelopePlugin has a plugin that cannot tell what keys it has.
func TestEnvelopePlugin(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.ok("plugin", "install", examplePlugin(t, 2))
	acme := u.newSigner("acme", testpki.Options{})
	dir, digest := u.layout("held")
	ref := dir + "@" + digest
	u.ok(append([]string{"key", "add", "held", "--plugin", "example-plugin", "--id", "x"}, acme.pluginConfig()...)...).
		want(0, "Warning: Plugin example-plugin cannot tell whether it knows the key")
	u.ok("sign", "--oci-layout", "-k", "held", ref)
	u.ok("verify", "--oci-layout", "--ca-cert", acme.root, ref)
}

// TestVerificationPlugin verifies what demands a plugin: without it, with it,
// and where it says no.
//
// attack: PLG-02
func TestVerificationPlugin(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.ok("plugin", "install", examplePlugin(t, 2))
	acme, other := u.newSigner("acme", testpki.Options{}), u.newSigner("other", testpki.Options{KeySet: 1})
	dir, digest := u.layout("staged")
	ref := dir + "@" + digest
	u.ok(append(append([]string{"sign", "--oci-layout", "--plugin", "example-plugin", "--id", "x", "--plugin-config", "stage=prod"}, acme.pluginConfig()...), ref)...)
	verify := func(args ...string) []string { return append(append([]string{"verify", "--oci-layout"}, args...), ref) }
	u.ok(verify("--ca-cert", acme.root, "--plugin-config", "stage=prod")...).want(0, "identity accepted by plugin example-plugin 2.0.0")
	u.run(verify("--ca-cert", acme.root, "--plugin-config", "stage=test")...).want(1, "Rejected")
	u.run(verify("--ca-cert", acme.root, "--plugin-config", "stage")...).wantError(2, "KEY=VALUE")
	u.run(verify("--ca-cert", other.root, "--plugin-config", "stage=prod")...).want(1, "[verify.root-untrusted]")
	u.ok("plugin", "uninstall", "-y", "example-plugin")
	u.run(verify("--ca-cert", acme.root, "--plugin-config", "stage=prod")...).want(1, "[plugin.not-found]", "notation plugin install")
}
