// Package doctest runs the commands that the documentation shows.
//
// A fenced block whose info string is "sh" belongs to its page's one script,
// which runs from top to bottom. A second word makes the block a script of its
// own kind: "sh sign" and "sh verify" run one by one with the variables that
// the page speaks of; "sh make" is run by the Makefile's own targets; "sh person"
// is run at a terminal where somebody types a PIN; "sh
// scenario NAME" shows commands of a script that runs elsewhere. Of a YAML block,
// the commands of "run" and "script" members are run.
package doctest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/test/authority"
	"github.com/notaryv2/notation/test/fixture"
	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/test/toolbox"
	"go.yaml.in/yaml/v3"
)

// The hosts that the documentation uses, replaced by those of the test.
const (
	openHost = "localhost:5000"
	authHost = "registry.example.com"
)

// scriptTimeout ends a script that hangs.
const scriptTimeout = 5 * time.Minute

func TestMain(m *testing.M) { toolbox.Main(m) }

var fence = regexp.MustCompile("(?ms)^```([^\\n`]*)\\n(.*?)^```$")

type block struct{ info, text string }

func blocks(t *testing.T, page string) []block {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(toolbox.Root(), page))
	if err != nil {
		t.Fatal(err)
	}
	var bs []block
	for _, m := range fence.FindAllStringSubmatch(string(raw), -1) {
		bs = append(bs, block{strings.TrimSpace(m[1]), m[2]})
	}
	return bs
}

// TestPages runs each page's script against every kind of registry.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"README.md", "docs/getting-started.md"} {
		var script strings.Builder
		for _, b := range blocks(t, page) {
			if b.info == "sh" {
				script.WriteString(b.text)
			}
		}
		for _, kind := range registries.All() {
			t.Run(page+"/"+kind.String(), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, kind)
				w.run(t, script.String())
			})
		}
	}
}

// TestMorePages runs the scripts of pages for which it does not matter what kind
// of registry there is.
func TestMorePages(t *testing.T) {
	t.Parallel()
	for page, prepare := range map[string]func(*testing.T, *world){
		"docs/airgap.md":          isolatedRegistry,
		"docs/audit.md":           func(*testing.T, *world) {},
		"docs/blobs.md":           func(*testing.T, *world) {},
		"docs/housekeeping.md":    func(*testing.T, *world) {},
		"docs/keys.md":            goBuild,
		"docs/offline-signing.md": func(*testing.T, *world) {},
		"docs/lasting.md":         timeStamping,
		"docs/plugins.md":         goBuild,
		"docs/pkcs11.md":          tokens,
		"docs/scale.md":           func(*testing.T, *world) {},
	} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			var script strings.Builder
			for _, b := range blocks(t, page) {
				switch b.info {
				case "sh":
					script.WriteString(b.text)
				case "sh person": // types a PIN
					fmt.Fprintf(&script, "echo 123456 | script -qec '%s' /dev/null\n", strings.TrimSpace(b.text))
				case "json": // a configuration file
					fmt.Fprintf(&script, "cat >~/.config/notation/config.json <<'CONFIG'\n%sCONFIG\n", b.text)
				}
			}
			w := newWorld(t, registries.GGCR)
			prepare(t, w)
			w.run(t, script.String())
		})
	}
}

// tokens has what docs/pkcs11.md takes for granted: the plugin as make builds it,
// and SoftHSM.
func tokens(t *testing.T, w *world) {
	t.Helper()
	toolbox.Need(t, "openssl")
	module, _ := toolbox.SoftHSM(t, t.TempDir())
	program, err := toolbox.PKCS11Plugin()
	if err != nil {
		t.Fatal(err)
	}
	w.env = append(w.env, "NOTATION_CACHE="+t.TempDir())
	w.replace = append(w.replace, "bin/notation-pkcs11", program, "/usr/lib/softhsm/libsofthsm2.so", module,
		"notation-pkcs11 list", program+" list", "notation-pkcs11 login", program+" login")
}

// timeStamping starts the authority that docs/lasting.md speaks of.
func timeStamping(t *testing.T, w *world) {
	t.Helper()
	toolbox.Need(t, "openssl")
	dir := t.TempDir()
	ca, err := authority.New(filepath.Join(dir, "ca"), authority.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ca.Close() })
	if err := ca.Issue("tsa", authority.Certificate{TimeStamping: true}); err != nil {
		t.Fatal(err)
	}
	tsa, err := authority.NewTSA(filepath.Join(dir, "tsa"), ca, "tsa")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tsa.Close() })
	root, err := os.ReadFile(ca.RootFile())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "tsa-root.crt"), root, 0o600); err != nil {
		t.Fatal(err)
	}
	w.replace = append(w.replace, "http://timestamp.example.com", tsa.URL())
}

// isolatedRegistry starts the second registry that docs/airgap.md speaks of, and
// signs the image of the first by an authority that can be asked.
func isolatedRegistry(t *testing.T, w *world) {
	t.Helper()
	toolbox.Need(t, "openssl")
	ca, err := authority.New(filepath.Join(t.TempDir(), "ca"), authority.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ca.Close() })
	if err := ca.Issue("signer", authority.Certificate{}); err != nil {
		t.Fatal(err)
	}
	w.replace = append(w.replace, "registry.internal:5000", registries.New(t, registries.Olareg, registries.Options{}).Host())
	w.run(t, fmt.Sprintf(`notation key add --name signer --default %q %q
notation cert add --name wabbit %q
notation policy init --force --trust-store ca:wabbit --trusted-identity "*"
notation sign localhost:5000/net-monitor:v1`, ca.KeyFile("signer"), ca.ChainFile("signer"), ca.RootFile()))
}

// goBuild lets a page build programs of this repository.
func goBuild(t *testing.T, w *world) {
	t.Helper()
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY"} {
		value, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		w.env = append(w.env, name+"="+strings.TrimSpace(string(value)))
	}
	w.replace = append(w.replace, "go build -o ", "go build -C '"+toolbox.Root()+"' -o $PWD/")
}

// makeTarget is a call of make in a block "sh make".
var makeTarget = regexp.MustCompile(`(?m)^make +([a-z0-9-]+)`)

// TestMakeTargetsExist looks for what the pages tell to make.
func TestMakeTargetsExist(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(toolbox.Root(), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range slices.Concat(blocks(t, "README.md"), blocks(t, "docs/plugins.md"), blocks(t, "docs/pkcs11.md")) {
		for _, m := range makeTarget.FindAllStringSubmatch(b.text, -1) {
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("the Makefile has no target %q", m[1])
			}
		}
	}
}

// TestEveryBlockIsKnown fails for a block that no test here would run, so that
// a command cannot be added to a page untested.
func TestEveryBlockIsKnown(t *testing.T) {
	t.Parallel()
	known := map[string][]string{
		"README.md":               {"sh", "sh make"},
		"docs/getting-started.md": {"sh"},
		"docs/ci.md":              {"sh sign", "sh verify", "yaml"},
		"docs/concepts.md":        {},
		"docs/airgap.md":          {"sh"},
		"docs/audit.md":           {"sh"},
		"docs/blobs.md":           {"sh"},
		"docs/scale.md":           {"sh"},
		"docs/housekeeping.md":    {"sh"},
		"docs/keys.md":            {"sh"},
		"docs/offline-signing.md": {"sh"},
		"docs/lasting.md":         {"sh", "json"},
		"docs/plugins.md":         {"sh", "sh make"},
		"docs/pkcs11.md":          {"sh", "sh make", "sh person"},
		"docs/library.md":         {"go", "sh library"},
	}
	for page, infos := range known {
		for _, b := range blocks(t, page) {
			if !strings.Contains(" "+strings.Join(infos, " | ")+" ", " "+b.info+" ") {
				t.Errorf("%s has a block %q, which no test runs", page, b.info)
			}
		}
	}
	pages, err := filepath.Glob(filepath.Join(toolbox.Root(), "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		rel, err := filepath.Rel(toolbox.Root(), page)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := known[filepath.ToSlash(rel)]; ok {
			continue
		}
		for _, b := range blocks(t, rel) {
			if rel == scenarioPage && strings.HasPrefix(b.info, scenarioInfo) {
				continue
			}
			if strings.HasPrefix(b.info, "sh") && b.info != "sh make" {
				t.Errorf("%s has a block %q, which no test runs", rel, b.info)
			}
		}
	}
}

// TestRecipes signs with each signing recipe of docs/ci.md, each in a
// repository of its own, and verifies with each verifying one.
func TestRecipes(t *testing.T) {
	t.Parallel()
	var signing, verifying []string
	for _, b := range blocks(t, "docs/ci.md") {
		switch b.info {
		case "sh sign":
			signing = append(signing, b.text)
		case "sh verify":
			verifying = append(verifying, b.text)
		case "yaml":
			signing = append(signing, yamlCommands(t, b.text)...)
		}
	}
	if len(signing) < 3 || len(verifying) < 3 {
		t.Fatalf("found %d recipes to sign and %d to verify", len(signing), len(verifying))
	}
	for i, recipe := range signing {
		t.Run(fmt.Sprintf("sign-%d", i), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, registries.GGCR)
			w.deployment(t)
			w.run(t, recipe)
			for _, v := range verifying {
				w.run(t, v)
			}
		})
	}
}

// yamlCommands returns one script per job of a GitHub or GitLab file.
func yamlCommands(t *testing.T, text string) []string {
	t.Helper()
	var file map[string]any
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	jobs := file
	if j, ok := file["jobs"].(map[string]any); ok {
		jobs = j
	}
	var scripts []string
	for name, v := range jobs {
		job, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("job %s is no mapping", name)
		}
		var lines []string
		for _, line := range list(job["script"]) {
			lines = append(lines, line.(string))
		}
		for _, step := range list(job["steps"]) {
			if run, ok := step.(map[string]any)["run"].(string); ok {
				lines = append(lines, run)
			}
		}
		if len(lines) == 0 {
			t.Fatalf("job %s has no commands", name)
		}
		scripts = append(scripts, strings.Join(lines, "\n"))
	}
	return scripts
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// world is an empty home and working directory, an open registry and one that
// asks for credentials, both holding net-monitor:v1.
type world struct {
	dir, home  string
	open, auth string
	image      string // by digest, in the open registry
	env        []string
	replace    []string // what a page says, and what to run in its place
}

func newWorld(t *testing.T, kind registries.Kind) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), home: t.TempDir()}
	w.open = registries.New(t, kind, registries.Options{}).Host()
	w.auth = registries.New(t, kind, registries.Options{Auth: registries.Basic}).Host()
	for _, host := range []string{w.open, w.auth} {
		repo, err := fixture.Repository(host+"/net-monitor:v1", registries.Username, registries.Password)
		if err != nil {
			t.Fatal(err)
		}
		d, err := fixture.PushImage(context.Background(), repo, "net-monitor")
		if err != nil {
			t.Fatal(err)
		}
		w.image = w.open + "/net-monitor@" + d.Digest.String()
	}
	w.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.home, "TMPDIR=" + t.TempDir(), "LANG=C.UTF-8",
		"GORACE=atexit_sleep_ms=10", // else each program would wait for a second
		"CI_USER=" + registries.Username, "TOKEN=" + registries.Password,
	}
	return w
}

// run runs a script in the world's directory and fails the test with what it
// printed if a command of it fails.
func (w *world) run(t *testing.T, script string) {
	t.Helper()
	script = strings.NewReplacer(append(w.replace, openHost, w.open, authHost, w.auth)...).Replace(script)
	ctx, cancel := context.WithTimeout(t.Context(), scriptTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euxo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = w.dir, w.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// deployment provides what docs/ci.md takes for granted: a key, a policy with
// its trust store, and the variables.
func (w *world) deployment(t *testing.T) {
	t.Helper()
	w.run(t, `
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout ci.key -out ci.crt \
  -subj "/C=US/ST=WA/O=wabbit-networks.io/CN=ci" -addext "basicConstraints=critical,CA:FALSE" \
  -addext "keyUsage=critical,digitalSignature" -addext "extendedKeyUsage=codeSigning"
mkdir -p deploy/truststore/ca/wabbit
cp ci.crt deploy/truststore/ca/wabbit/
cat > deploy/policy.json <<'POLICY'
{"version":"1.0","trustPolicies":[{"name":"deploy","registryScopes":["*"],"signatureVerification":{"level":"strict"},
"trustStores":["ca:wabbit"],"trustedIdentities":["x509.subject: C=US, ST=WA, O=wabbit-networks.io"]}]}
POLICY
echo `+w.image+` > images.txt
`)
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(w.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	w.env = append(w.env, "IMAGE="+w.image, "COMMIT=0123abcd",
		"SIGNING_KEY="+filepath.Join(w.dir, "ci.key"), "SIGNING_CHAIN="+filepath.Join(w.dir, "ci.crt"),
		"SIGNING_KEY_PEM="+read("ci.key"), "SIGNING_CHAIN_PEM="+read("ci.crt"),
		"NOTATION_USERNAME="+registries.Username, "NOTATION_PASSWORD="+registries.Password)
}

// TestLibraryPage keeps docs/library.md equal to the example program, and runs
// the program.
func TestLibraryPage(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join(toolbox.Root(), "examples", "verify", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, b := range blocks(t, "docs/library.md") {
		found = found || b.info == "go" && b.text == string(source)
	}
	if !found {
		t.Error("docs/library.md does not show examples/verify/main.go as it is")
	}
	program := filepath.Join(t.TempDir(), "verify")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./examples/verify")
	build.Dir = toolbox.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w := newWorld(t, registries.GGCR)
	w.deployment(t)
	w.env = append(w.env, "VERIFY="+program)
	w.run(t, `
code=0
"$VERIFY" deploy/policy.json deploy/truststore localhost:5000/net-monitor:v1 || code=$?
test $code = 1
notation key add --default --name ci ci.key ci.crt
notation sign $IMAGE
"$VERIFY" deploy/policy.json deploy/truststore localhost:5000/net-monitor:v1 | grep "run it: $IMAGE"
`)
}
