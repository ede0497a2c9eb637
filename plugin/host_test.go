package plugin

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/reason"
)

// attack: PLG-01
func TestNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "com.amazonaws.signer.plugin", "azure-kv", "A_1", "9", "console", "com10", strings.Repeat("n", 128)} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	h := answering(t, map[Command]said{})
	for _, name := range []string{
		"", ".", "..", "../test", "/test", "a/b", `a\b`, "a..b", "a.", ".a", "-a", "_a", "a b", "a\x00", "a\nb", "test/", "C:", "a:b",
		"NUL", "con", "Aux.io", "LPT1", "com9.x", "naïve", "a\u202eb", "a\x1b[2J", strings.Repeat("n", 129), "*", "~",
	} {
		_, err := h.Get(t.Context(), name)
		refuses(t, err, reason.PluginName)
		refuses(t, h.Uninstall(t.Context(), name), reason.PluginName)
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	record := filepath.Join(t.TempDir(), "record")
	h := answering(t, map[Command]said{}, "EXAMPLE_RECORD="+record,
		"NOTATION_USERNAME=u", "NOTATION_PASSWORD=p", "NOTATION_KEY_PASSPHRASE=p", "DOCKER_AUTH_CONFIG={}", "DOCKER_CONFIG=/d", "GITHUB_TOKEN=g",
		"CI_REGISTRY_PASSWORD=p", "REGISTRY_AUTH_FILE=/a", "notation_password=p",
		"AWS_SECRET_ACCESS_KEY=kept", "AZURE_CLIENT_SECRET=kept", "VAULT_TOKEN=kept", "NOTATION_CONFIG=kept", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=kept", "nonsense")
	p := get(t, h)
	if m := p.Metadata(); p.Name() != "test" || m.Name != "test" || m.Version != "1.2.3" || len(m.Capabilities) != 5 {
		t.Errorf("%+v", m)
	}
	m := p.Metadata()
	m.Capabilities[0], m.SupportedContractVersions[0] = "", ""
	if !p.Can(CapabilityRaw) || p.Metadata().SupportedContractVersions[0] != ContractVersion {
		t.Error("the metadata can be changed from outside")
	}
	request, err := os.ReadFile(record + "." + string(CommandMetadata))
	must(t, err)
	if string(request) != "{}" {
		t.Errorf("the request is %s", request)
	}
	env, err := os.ReadFile(record + ".env")
	must(t, err)
	got := map[string]string{}
	for line := range strings.Lines(string(env)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		got[name] = value
	}
	for _, name := range []string{"NOTATION_USERNAME", "NOTATION_PASSWORD", "NOTATION_KEY_PASSPHRASE", "DOCKER_AUTH_CONFIG", "DOCKER_CONFIG", "GITHUB_TOKEN", "CI_REGISTRY_PASSWORD", "REGISTRY_AUTH_FILE", "notation_password"} {
		if _, ok := got[name]; ok {
			t.Errorf("the plugin sees %s", name)
		}
	}
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "AZURE_CLIENT_SECRET", "VAULT_TOKEN", "NOTATION_CONFIG", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"} {
		if got[name] != "kept" {
			t.Errorf("the plugin does not see %s", name)
		}
	}
	if got["PATH"] == "" {
		t.Error("the plugin has no PATH")
	}
}

// The PIN of a token goes to the plugin that talks to it, and to no other.
func TestPINVariable(t *testing.T) {
	t.Parallel()
	env := []string{"NOTATION_PKCS11_PIN=1234", "notation_pkcs11_pin=5678", "NOTATION_PKCS11_MODULE=/m"}
	if got := environment(env, "pkcs11"); !slices.Equal(got, env) {
		t.Errorf("pkcs11 sees %v", got)
	}
	if got := environment(env, "other"); !slices.Equal(got, env[2:]) {
		t.Errorf("another plugin sees %v", got)
	}
}

// A plugin beside the host is found by its name alone, and one that was
// installed goes first.
// attack: PLG-01
func TestBeside(t *testing.T) {
	t.Parallel()
	elsewhere := newHost(t, "answer")
	program := put(t, elsewhere, "pkcs11")
	answers := map[Command]said{CommandMetadata: {Out: toJSON(t, goodMetadata("pkcs11", all()...))}}
	h := answering(t, map[Command]said{})
	h.Env = append(h.Env, "EXAMPLE_ANSWERS="+toJSON(t, answers))
	_, err := h.Get(t.Context(), "pkcs11")
	refuses(t, err, reason.PluginNotFound)

	h.Beside = map[string]string{"pkcs11": program, "gone": program + "-gone"}
	if p, err := h.Get(t.Context(), "pkcs11"); err != nil || p.Name() != "pkcs11" {
		t.Errorf("%v", err)
	}
	_, err = h.Get(t.Context(), "gone")
	refuses(t, err, reason.PluginNotFound)
	listed, err := h.List(t.Context())
	must(t, err)
	if len(listed) != 2 || listed[0].Name != "pkcs11" || listed[0].Err != nil || listed[1].Name != "test" {
		t.Errorf("%+v", listed)
	}
	refuses(t, h.Uninstall(t.Context(), "pkcs11"), reason.PluginNotFound)

	link := program + "-link"
	must(t, os.Symlink(program, link))
	h.Beside = map[string]string{"pkcs11": link}
	_, err = h.Get(t.Context(), "pkcs11")
	refuses(t, err, reason.PluginUnsafe)

	installed := put(t, h, "pkcs11")
	if got, err := h.locate("pkcs11"); err != nil || got != installed {
		t.Errorf("%s, %v", got, err)
	}
}

// With no Env, the environment is that of the process.
func TestOwnEnvironment(t *testing.T) {
	t.Parallel()
	h := newHost(t, "answer")
	h.Env = nil
	cmd, err := h.start(t.Context(), process{program: filepath.Join(h.Dir, "none")}, nil, nil)
	if err == nil || !slices.ContainsFunc(cmd.Env, func(s string) bool { return strings.HasPrefix(s, "PATH=") }) {
		t.Errorf("%v, %v", cmd.Env, err)
	}
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	empty := newHost(t, "answer")
	must(t, os.Remove(filepath.Join(empty.Dir, "test", fileName("test"))))
	for name, h := range map[string]*Host{
		"no directory": {}, "missing directory": NewHost(filepath.Join(t.TempDir(), "none")), "empty directory": NewHost(newDir(t)), "no program": empty,
	} {
		_, err := h.Get(t.Context(), "test")
		refuses(t, err, reason.PluginNotFound)
		if listed, err := h.List(t.Context()); err != nil || name != "no program" && len(listed) > 0 {
			t.Errorf("%s: %v, %v", name, listed, err)
		}
	}
	_, err := NewHost(file).List(t.Context())
	refuses(t, err, reason.PluginDirectory)
	_, err = NewHost("a\x00b").List(t.Context())
	refuses(t, err, reason.PluginDirectory)
	_, err = (&Plugin{}).run(t.Context(), CommandMetadata, nil)
	refuses(t, err, reason.PluginNotFound)
	_, err = (&Plugin{}).DescribeKey(t.Context(), "k", nil)
	refuses(t, err, reason.PluginCapability)
}

func TestList(t *testing.T) {
	t.Parallel()
	h := answering(t, map[Command]said{})
	put(t, h, "another") // says that it is "test"
	mkdir(t, filepath.Join(h.Dir, "hollow"))
	mkdir(t, filepath.Join(h.Dir, "wrong name"))
	mkdir(t, filepath.Join(h.Dir, ".hidden"))
	must(t, os.WriteFile(filepath.Join(h.Dir, "README"), nil, 0o644))
	listed, err := h.List(t.Context())
	must(t, err)
	want := []struct {
		name string
		code reason.Code
	}{{"another", reason.PluginMetadata}, {"hollow", reason.PluginNotFound}, {"test", ""}, {"wrong name", reason.PluginName}}
	if len(listed) != len(want) {
		t.Fatalf("%+v", listed)
	}
	for i, w := range want {
		if listed[i].Name != w.name || reason.Of(listed[i].Err) != w.code || (w.code == "") != (listed[i].Metadata.Name != "") {
			t.Errorf("%+v, want %v", listed[i], w)
		}
	}
	crowded := NewHost(newDir(t))
	for i := range maxPlugins + 1 {
		must(t, os.Mkdir(filepath.Join(crowded.Dir, "p"+strings.Repeat("x", i%100)+string(rune('a'+i/100))), 0o755))
	}
	_, err = crowded.List(t.Context())
	refuses(t, err, reason.PluginDirectory)
}

// attack: PLG-03
func TestNonsense(t *testing.T) {
	t.Parallel()
	good := toJSON(t, goodMetadata("test", CapabilityRaw))
	fault := `{"errorCode":"ERROR","errorMessage":"m"}`
	for name, tt := range map[string]struct {
		said said
		code reason.Code
	}{
		"nothing":                {said{}, reason.PluginAnswer},
		"no JSON":                {said{Out: "hello"}, reason.PluginAnswer},
		"null":                   {said{Out: "null"}, reason.PluginAnswer},
		"an array":               {said{Out: "[null]"}, reason.PluginAnswer},
		"two documents":          {said{Out: good + good}, reason.PluginAnswer},
		"a document and a log":   {said{Out: "starting\n" + good}, reason.PluginAnswer},
		"half a document":        {said{Out: good[:len(good)-1]}, reason.PluginAnswer},
		"a member twice":         {said{Out: `{"name":"test",` + good[1:]}, reason.PluginAnswer},
		"a member in other case": {said{Out: `{"Name":"other",` + good[1:]}, reason.PluginAnswer},
		"null and a duplicate":   {said{Out: `{"name":null,` + good[1:]}, reason.PluginAnswer},
		"exit 0 with an error":   {said{Out: fault}, reason.PluginAnswer},
		"exit 0, both":           {said{Out: `{"errorCode":"ERROR",` + good[1:]}, reason.PluginAnswer},
		"exit 1 with a result":   {said{Out: good, Exit: 1}, reason.PluginFailed},
		"exit 1, error on wrong": {said{Out: fault, Exit: 1}, reason.PluginFailed},
		"exit 1 with nothing":    {said{Exit: 1}, reason.PluginFailed},
		"exit 1 with a log":      {said{Err: "bad\x1b[31m \u202e", Exit: 1}, reason.PluginFailed},
		"exit 1, two errors":     {said{Err: fault + fault, Exit: 1}, reason.PluginFailed},
		"exit 1, no code":        {said{Err: `{"errorMessage":"m"}`, Exit: 1}, reason.PluginFailed},
		"exit 1, long log":       {said{Err: strings.Repeat("x", 5000), Exit: 1}, reason.PluginFailed},
		"exit 3 with an error":   {said{Err: fault, Exit: 3}, reason.PluginRefused},
		"error and result":       {said{Out: good, Err: fault, Exit: 1}, reason.PluginRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := answering(t, map[Command]said{CommandMetadata: tt.said}).Get(t.Context(), "test")
			refuses(t, err, tt.code)
		})
	}
}

// A plugin may log, and may have members that we do not know.
func TestTolerated(t *testing.T) {
	t.Parallel()
	out := `{"more":null,"deep":{"a":null,"b":[null]},"x":1,` + toJSON(t, goodMetadata("test", CapabilityRaw))[1:] + "\n"
	if _, err := answering(t, map[Command]said{CommandMetadata: {Out: out, Err: strings.Repeat("x", maxStderr+1000)}}).Get(t.Context(), "test"); err != nil {
		t.Error(err)
	}
}

func TestOwnErrors(t *testing.T) {
	t.Parallel()
	h := answering(t, map[Command]said{CommandDescribeKey: {
		Err: `{"errorCode":"THROTTLED","errorMessage":"slow \u001b[2J\u202edown","errorMetadata":{"a":"b"}}`, Exit: 1,
	}})
	_, err := get(t, h).DescribeKey(t.Context(), "k", nil)
	refuses(t, err, reason.PluginRefused)
	fault, ok := errors.AsType[*Error](err)
	if !ok || fault.Code != CodeThrottled || fault.Message != "slow \x1b[2J\u202edown" || fault.Metadata["a"] != "b" {
		t.Fatalf("%+v", fault)
	}
	if got := fault.Error(); got != `THROTTLED: slow \x1b[2J\u202edown` {
		t.Errorf("%q", got)
	}
	if got := (&Error{Code: "X"}).Error(); got != "X" {
		t.Errorf("%q", got)
	}
	if got := shown(strings.Repeat("é", maxShown)); len(got) > maxShown+3 || !strings.HasSuffix(got, "...") || !printable(got) {
		t.Errorf("%q", got)
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	for c, want := range map[Command]bool{CommandMetadata: true, CommandDescribeKey: true, CommandGenerateSignature: true, CommandGenerateEnvelope: true, CommandVerifySignature: true} {
		if (c.timeout() > 0) != want {
			t.Errorf("%s has no timeout", c)
		}
	}
	if CommandMetadata.timeout() >= CommandGenerateSignature.timeout() {
		t.Error("metadata may take as long as a signature")
	}
}
