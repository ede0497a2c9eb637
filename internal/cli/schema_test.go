package cli_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
)

// schemas are the files of specs that documents are checked against, and the
// commands of which one was seen.
type schemas struct {
	files map[string]map[string]any
	seen  map[string]bool
}

func loadSchemas(t *testing.T) *schemas {
	t.Helper()
	s := &schemas{files: map[string]map[string]any{}, seen: map[string]bool{}}
	for _, name := range []string{"cli.schema.json", "verdict.schema.json"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "specs", name))
		if err != nil {
			t.Fatal(err)
		}
		var schema map[string]any
		if err := json.Unmarshal(data, &schema); err != nil {
			t.Fatal(err)
		}
		s.files[name] = schema
	}
	return s
}

// check validates the document of a run, strictly: beyond what the schema
// says, no member may be unknown to it.
func (s *schemas) check(r result) {
	r.t.Helper()
	doc := r.json()
	v := validation{schemas: s, known: map[string]map[string]bool{}}
	v.validate("cli.schema.json", s.files["cli.schema.json"], doc, "")
	v.unknown(doc, "")
	for _, e := range v.errs {
		r.t.Errorf("notation %s: %s\n%s", strings.Join(r.args, " "), e, r.stdout)
	}
	if doc["error"] == nil {
		s.seen[doc["command"].(string)] = true
	}
}

// validation implements what the schemas use of JSON Schema 2020-12.
type validation struct {
	*schemas
	errs  []string
	known map[string]map[string]bool // documented members by path of their object
}

func (v *validation) validate(file string, schema map[string]any, value any, path string) {
	for keyword, arg := range schema {
		switch keyword {
		case "$schema", "$id", "title", "description", "$defs", "format", "then":
		case "$ref":
			f, target := v.resolve(file, arg.(string))
			v.validate(f, target, value, path)
		case "allOf":
			for _, each := range arg.([]any) {
				v.validate(file, each.(map[string]any), value, path)
			}
		case "if":
			if v.holds(file, arg.(map[string]any), value) {
				v.validate(file, schema["then"].(map[string]any), value, path)
			}
		case "not":
			if v.holds(file, arg.(map[string]any), value) {
				v.fail(path, "must not match")
			}
		default:
			v.keyword(file, keyword, arg, value, path)
		}
	}
	if schema["format"] == "date-time" {
		if _, err := time.Parse(time.RFC3339, fmt.Sprint(value)); err != nil {
			v.fail(path, "%v", err)
		}
	}
}

func (v *validation) keyword(file, keyword string, arg, value any, path string) {
	object, _ := value.(map[string]any)
	switch keyword {
	case "type":
		number, isNumber := value.(float64)
		kinds := map[string]bool{
			"object": object != nil, "array": reflect.ValueOf(value).Kind() == reflect.Slice, "string": reflect.ValueOf(value).Kind() == reflect.String,
			"boolean": reflect.ValueOf(value).Kind() == reflect.Bool, "integer": isNumber && number == float64(int64(number)),
		}
		if !kinds[arg.(string)] {
			v.fail(path, "%v is no %s", value, arg)
		}
	case "required":
		for _, name := range arg.([]any) {
			if _, ok := object[name.(string)]; !ok {
				v.fail(path, "%s is missing", name)
			}
		}
	case "properties":
		v.properties(file, arg.(map[string]any), object, path)
	case "additionalProperties":
		for name, member := range object {
			v.know(path, name)
			v.validate(file, arg.(map[string]any), member, path+"/"+name)
		}
	case "items":
		list, _ := value.([]any)
		for i, item := range list {
			v.validate(file, arg.(map[string]any), item, fmt.Sprintf("%s/%d", path, i))
		}
	case "enum":
		if !slices.Contains(arg.([]any), value) {
			v.fail(path, "%v is none of %v", value, arg)
		}
	case "const":
		if value != arg {
			v.fail(path, "%v is not %v", value, arg)
		}
	case "pattern":
		if s, ok := value.(string); ok && !regexp.MustCompile(arg.(string)).MatchString(s) {
			v.fail(path, "%q does not match %s", s, arg)
		}
	case "minimum":
		if n, ok := value.(float64); ok && n < arg.(float64) {
			v.fail(path, "%v is below %v", value, arg)
		}
	default:
		v.fail(path, "the schema has the keyword %s, which this test does not know", keyword)
	}
}

func (v *validation) properties(file string, properties, object map[string]any, path string) {
	for name, schema := range properties {
		v.know(path, name)
		if member, ok := object[name]; ok {
			v.validate(file, schema.(map[string]any), member, path+"/"+name)
		}
	}
}

func (v *validation) know(path, name string) {
	if v.known[path] == nil {
		v.known[path] = map[string]bool{}
	}
	v.known[path][name] = true
}

func (v *validation) fail(path, format string, args ...any) {
	v.errs = append(v.errs, path+": "+fmt.Sprintf(format, args...))
}

// holds reports whether a value matches a schema.
func (v *validation) holds(file string, schema map[string]any, value any) bool {
	trial := validation{schemas: v.schemas, known: map[string]map[string]bool{}}
	trial.validate(file, schema, value, "")
	return len(trial.errs) == 0
}

func (v *validation) resolve(file, ref string) (string, map[string]any) {
	name, fragment, _ := strings.Cut(ref, "#")
	if name == "" {
		name = file
	}
	target := v.files[name]
	for part := range strings.SplitSeq(strings.Trim(fragment, "/"), "/") {
		if part != "" {
			target = target[part].(map[string]any)
		}
	}
	return name, target
}

// unknown reports members that the schema does not name, but in objects whose
// members are anybody's.
func (v *validation) unknown(value any, path string) {
	switch value := value.(type) {
	case map[string]any:
		open := strings.HasSuffix(path, "/signedAttributes") || strings.HasPrefix(path, "/policy")
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if !open && !v.known[path][name] {
				v.fail(path, "member %s is not in the schema", name)
			}
			v.unknown(value[name], path+"/"+name)
		}
	case []any:
		for i, item := range value {
			v.unknown(item, fmt.Sprintf("%s/%d", path, i))
		}
	}
}

// TestDocumentsFollowTheSchema runs every command with --output json.
func TestDocumentsFollowTheSchema(t *testing.T) {
	t.Parallel()
	s := loadSchemas(t)
	u := newUser(t)
	reg := newRegistry(t)
	reg.user, reg.password = "alice", secret
	acme := u.newSigner("acme", testpki.Options{})
	good, bare := reg.host+"/app@"+reg.push("v1", "good"), reg.host+"/app@"+reg.push("v2", "bare")
	u.runWith(t.Context(), secret, "login", "-u", "alice", "--password-stdin", reg.host).want(0)
	two := u.write("two.json", `{"version":"1.0","trustPolicies":[
		{"name":"app","registryScopes":["r.example/app"],"signatureVerification":{"level":"audit"},"trustStores":["ca:acme"],"trustedIdentities":["*"]},
		{"name":"off","registryScopes":["r.example/off"],"signatureVerification":{"level":"skip"}}]}`)
	blobs := u.write("blobs.json", `{"version":"1.0","trustPolicies":[
		{"name":"app","globalPolicy":true,"signatureVerification":{"level":"strict"},"trustStores":["ca:acme"],"trustedIdentities":["*"]}]}`)
	tsa := u.newAuthority(testpki.Options{KeySet: 1})
	stamped := u.write("stamped.json", `{"version":"1.0","trustPolicies":[{"name":"s","registryScopes":["*"],
		"signatureVerification":{"level":"strict"},"trustStores":["ca:acme","tsa:clock"],"trustedIdentities":["*"]}]}`)
	request := filepath.Join(t.TempDir(), "request")
	listed, records := u.write("listed", good+"\n"+bare+"\n"), filepath.Join(t.TempDir(), "records")
	filed := at(u.ok("attach", "-o", "json", "--artifact-type", "x/y", "--sign", "-k", "acme", bare, two).json(), "name").(string)
	held, _ := u.layout("held")
	carried := filepath.Join(t.TempDir(), "carried.tar")
	for _, line := range [][]string{
		{"version"}, {"completion", "fish"}, {"man", t.TempDir()}, {"no-such-command"}, {"cert"}, {"sign"}, {"--no-such-flag"}, {"help", "x"},
		{"login", "-u", "alice", "-p", secret, reg.host},
		{"key", "add", "--name", "second", acme.key, acme.chain}, {"key", "update", "second", "--default"}, {"key", "list"}, {"key", "delete", "second"},
		{"key", "generate", "made", "--algorithm", "ec-256"}, {"key", "csr", "made", "--subject", "C=US, ST=WA, O=x"}, {"key", "csr", "none", "--subject", "C=US"},
		{"key", "add", "third", "--key", acme.key, "--cert", acme.chain}, {"key", "update", "third", "--cert", acme.chain}, {"key", "add", "fourth", "--cert", acme.chain}, {"key", "delete", "third"},
		{"cert", "expiring"}, {"cert", "expiring", "--within", "1s"}, {"policy", "explain", "--cert", acme.chain, "r/x"},
		{"sign", "-k", "acme", "-m", "a=b", good}, {"sign", "-k", "acme", "-e", "1d", "--signature-format", "cose", reg.host + "/app:v1"},
		{"sign", "-k", "acme", reg.host + "/app:none", good}, {"sign", "-k", "none", good},
		{"list", good}, {"list", bare}, {"inspect", good}, {"inspect", bare}, {"inspect", reg.host + "/app:none"},
		{"cert", "add", "--name", "acme", acme.root}, {"cert", "add", "--name", "acme", acme.root}, {"cert", "add", "-t", "tsa", "-s", "t", acme.root},
		{"sign", "-k", "acme", "--timestamp-url", tsa.url, "--timestamp-root-cert", tsa.root, good}, {"sign", "--timestamp-url", tsa.url, good}, {"inspect", good},
		{"cert", "add", "-t", "tsa", "-s", "clock", tsa.root}, {"verify", "--policy", stamped, "--max-signatures", "9", good},
		{"key", "lint", "acme"}, {"key", "lint", "none"}, {"doctor"}, {"doctor", good}, {"doctor", "no reference"},
		{"plugin", "install", examplePlugin(t, 1)}, {"plugin", "install", examplePlugin(t, 1)}, {"plugin", "install", "--force", examplePlugin(t, 1)}, {"plugin", "list"},
		append([]string{"key", "add", "held", "--plugin", "example-plugin", "--id", "x"}, acme.pluginConfig()...), {"sign", "-k", "held", good},
		{"plugin", "uninstall", "-y", "example-plugin"}, {"plugin", "uninstall", "-y", "example-plugin"}, {"plugin"},
		{"cert", "list"}, {"cert", "show", "--name", "acme", "acme-root.crt"},
		{"cert", "lint", acme.root, acme.chain}, {"cert", "lint", acme.key}, {"cert", "lint", "--for", "timestamping", acme.chain},
		{"verify", good, bare, reg.host + "/app:none", reg.host + "/app:v1"}, {"verify", good}, {"verify", "-m", "a=c", good},
		{"cert", "generate-test", "--algorithm", "ec-256", "--default", "test"}, {"cert", "cleanup-test", "-y", "test"},
		{"cert", "delete", "-y", "-a", "-t", "tsa", "-s", "t"},
		{"policy", "show"}, {"policy", "explain", "r/x"}, {"policy", "explain", "--cert", acme.chain, "r/x"}, {"policy", "explain", "--cert", acme.key, "r/x"}, {"policy", "lint"}, {"policy", "show", "--policy", acme.key},
		{"policy", "init", "--force", "--trust-store", "ca:none", "--trusted-identity", "*"}, {"policy", "lint"},
		{"blob", "sign", "-k", "acme", two}, {"blob", "sign", "-k", "acme", two}, {"blob", "inspect", two + ".jws.sig"},
		{"blob", "policy", "init", "--global", "--trust-store", "ca:acme", "--trusted-identity", "*"}, {"blob", "policy", "show"}, {"blob", "policy", "explain"},
		{"blob", "policy", "explain", "default"}, {"blob", "policy", "lint"}, {"blob", "policy", "import", "--force", blobs}, {"blob", "policy"}, {"blob"},
		{"blob", "verify", two}, {"blob", "verify", "--media-type", "text/html", two}, {"blob", "verify", acme.key}, {"blob", "verify", acme.key, acme.key + "x"},
		{"policy", "import", "--force", two}, {"policy", "explain", "r.example/off"}, {"policy", "explain", "r.example/x"}, {"verify", good},
		{"sign", "--skip-if-signed", "-k", "acme", good}, {"sign", "--recursive", "-k", "acme", good},
		{"sign", "--prepare", "-m", "a=b", "-e", "1d", good, "-o", request}, {"sign", "--request", request, "-k", "acme", "-o", request + ".sig"},
		{"attach-signature", good, request + ".sig"}, {"attach-signature", good, request + ".sig"}, {"attach-signature", good, request},
		{"attach", "--artifact-type", "sbom/example", "--annotation", "a=b", "--sign", "-k", "acme", good, two + ":application/json"}, {"attach", good, two},
		{"discover", good}, {"discover", "--artifact-type", "sbom/example", good}, {"discover", reg.host + "/app:none"},
		{"tree", good}, {"tree", "--verify", "--ca-cert", acme.root, good}, {"tree", reg.host + "/app:none"},
		{"pull", "--ca-cert", acme.root, good}, {"pull", "--ca-cert", acme.root, bare}, {"pull", "-o", t.TempDir(), "--ca-cert", acme.root, filed},
		{"copy", "--ca-cert", acme.root, good, reg.host + "/b/app:v1"}, {"copy", "--ca-cert", acme.root, bare, reg.host + "/b/app:v2"}, {"copy", "--no-verify", "--to-oci-layout", good, filepath.Join(t.TempDir(), "x.tar") + ":v1"}, {"copy", good, reg.host + "/app@" + digestOf(nil)},
		{"bundle"}, {"bundle", "export", "-o", carried, "--with-revocation", "--with-trust", "--policy", stamped, good}, {"bundle", "export", "-o", carried, good}, {"bundle", "export", "-o", carried + "2", "--ca-cert", acme.root, bare},
		{"bundle", "show", carried}, {"bundle", "show", two}, {"bundle", "trust", carried, "-o", filepath.Join(t.TempDir(), "new")}, {"bundle", "trust", carried, "-o", t.TempDir()},
		{"bundle", "import", "--policy", stamped, carried, reg.host + "/imported"}, {"bundle", "import", "--policy", stamped, carried, reg.host + "/imported/x:v1"}, {"bundle", "import", "--ca-cert", acme.key, carried, reg.host},
		{"signature"}, {"signature", "delete", "-y", good, digestOf(nil)}, {"signature", "delete", "-y", "--oci-layout", held + ":v1", u.signed(held, "acme")},
		{"prune", "--dry-run", "--untrusted", "--keep", "1", "--ca-cert", acme.root, good}, {"prune", "--expired", good}, {"prune", "-y", "--keep", "1", "--ca-cert", acme.root, reg.host + "/app:none"},
		{"audit", "--ca-cert", acme.root, "--report", "jsonl=" + records, "--from-file", listed}, {"audit", "--merge", records}, {"audit"}, {"audit", "--shard", "0/1", "--ca-cert", acme.root, "--repositories", u.write("none", reg.host+"/none")}, {"audit", "--ca-cert", acme.root, "--from-file", u.write("good", good)},
		{"verify", "--ca-cert", acme.root, "--report", "jsonl=" + records, good},
		{"logout", reg.host}, {"logout", reg.host},
	} {
		s.check(u.run(append([]string{"--output", "json"}, line...)...))
	}
	for name := range s.files["cli.schema.json"]["$defs"].(map[string]any) {
		if command, ok := strings.CutPrefix(name, "command "); ok && !s.seen[command] {
			t.Errorf("no document of %q was seen", command)
		}
	}
}

// TestSpecificationNamesEverything compares specs/cli-json.md with the schema:
// every member of every document is described.
func TestSpecificationNamesEverything(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("..", "..", "specs", "cli-json.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name, def := range loadSchemas(t).files["cli.schema.json"]["$defs"].(map[string]any) {
		if command, ok := strings.CutPrefix(name, "command "); ok && !strings.Contains(string(data), "`"+command+"`") {
			t.Errorf("command %s is not described", command)
		}
		properties, _ := def.(map[string]any)["properties"].(map[string]any)
		for member := range properties {
			if !strings.Contains(string(data), "`"+member+"`") {
				t.Errorf("%s: member %s is not described", name, member)
			}
		}
	}
}
