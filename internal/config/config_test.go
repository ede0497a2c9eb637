package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/reason"
)

// newDirs returns the directories of a user who has nothing yet.
func newDirs(t *testing.T) config.Dirs {
	t.Helper()
	return config.Dirs{Config: filepath.Join(t.TempDir(), "notation")}
}

// put writes a file into the configuration directory.
func put(t *testing.T, d config.Dirs, name, content string) string {
	t.Helper()
	path := filepath.Join(d.Config, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// wantCode fails unless err has the code, and, with one, a hint.
func wantCode(t *testing.T, what string, err error, code reason.Code) {
	t.Helper()
	if reason.Of(err) != code || (err == nil) != (code == "") {
		t.Errorf("%s: %v (%s), want %q", what, err, reason.Of(err), code)
	}
	if err != nil && reason.Hint(err) == "" {
		t.Errorf("%s: no hint: %v", what, err)
	}
}

func TestLocate(t *testing.T) {
	t.Parallel()
	here, err := filepath.Abs("here")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		goos string
		env  map[string]string
		want config.Dirs
		code reason.Code
	}{
		"linux": {"linux", map[string]string{"HOME": "/h"},
			config.Dirs{Config: "/h/.config/notation", Cache: "/h/.cache/notation", Libexec: "/h/.config/notation"}, ""},
		"XDG": {"freebsd", map[string]string{"HOME": "/h", "XDG_CONFIG_HOME": "/x/c", "XDG_CACHE_HOME": "/x/k"},
			config.Dirs{Config: "/x/c/notation", Cache: "/x/k/notation", Libexec: "/x/c/notation"}, ""},
		"relative XDG is ignored": {"linux", map[string]string{"HOME": "/h", "XDG_CONFIG_HOME": "c", "XDG_CACHE_HOME": "k"},
			config.Dirs{Config: "/h/.config/notation", Cache: "/h/.cache/notation", Libexec: "/h/.config/notation"}, ""},
		"macOS": {"darwin", map[string]string{"HOME": "/h", "XDG_CONFIG_HOME": "/x"},
			config.Dirs{Config: "/h/Library/Application Support/notation", Cache: "/h/Library/Caches/notation", Libexec: "/h/Library/Application Support/notation"}, ""},
		"Windows": {"windows", map[string]string{"AppData": "/u/Roaming", "LocalAppData": "/u/Local", "HOME": "/h"},
			config.Dirs{Config: "/u/Roaming/notation", Cache: "/u/Local/notation", Libexec: "/u/Roaming/notation"}, ""},
		"variables": {"linux", map[string]string{"HOME": "/h", "NOTATION_CONFIG": "/a", "NOTATION_CACHE": "/b", "NOTATION_LIBEXEC": "/c"},
			config.Dirs{Config: "/a", Cache: "/b", Libexec: "/c"}, ""},
		"relative variable": {"linux", map[string]string{"NOTATION_CONFIG": "here"}, config.Dirs{Config: here}, ""},
		"no home":           {"linux", nil, config.Dirs{}, reason.ConfigHome},
		"no home, others known": {"linux", map[string]string{"NOTATION_CACHE": "/b", "NOTATION_LIBEXEC": "/c"},
			config.Dirs{Cache: "/b", Libexec: "/c"}, reason.ConfigHome},
		"no AppData": {"windows", map[string]string{"HOME": "/h"}, config.Dirs{}, reason.ConfigHome},
	} {
		got, err := config.Locate(tt.goos, func(k string) string { return tt.env[k] })
		wantCode(t, name, err, tt.code)
		if got != tt.want && runtime.GOOS != "windows" {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestPlugins(t *testing.T) {
	t.Parallel()
	if got := (config.Dirs{Config: "/c", Libexec: "/l"}).Plugins(); got != filepath.Join("/l", "plugins") {
		t.Errorf("%q", got)
	}
	if got := (config.Dirs{Config: "/c"}).Plugins(); got != "" {
		t.Errorf("%q", got)
	}
}

// attack: FS-02
func TestCheckName(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "wabbit-networks.io", "release_2026", "A.b-c", strings.Repeat("n", 200)} {
		wantCode(t, good, config.CheckName(good), "")
	}
	for _, bad := range []string{
		"", "..", ".", "/etc/passwd", "../x", "a/b", `a\b`, "a\x00b", "trailing.", ".hidden", "-flag",
		"NUL", "con", "Aux.io", "LPT1", "com9.key", "C:", "a b", "tab\t", "naïve", "a\u202eb", strings.Repeat("n", 201),
	} {
		wantCode(t, bad, config.CheckName(bad), reason.ConfigName)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	if s, err := d.Settings(); err != nil || s.SignatureFormat != "" {
		t.Errorf("missing: %+v, %v", s, err)
	}
	put(t, d, "config.json", `{"insecureRegistries":["r:5000"],"credsStore":"pass","credHelpers":{"r":"h"},"signatureFormat":"cose"}`)
	s, err := d.Settings()
	if err != nil || s.InsecureRegistries[0] != "r:5000" || s.CredentialsStore != "pass" || s.CredentialHelpers["r"] != "h" || s.SignatureFormat != "cose" {
		t.Errorf("%+v, %v", s, err)
	}
	put(t, d, "config.json", `{"timestampUrls":["http://a","http://b"],"timestampRootCerts":["tsa.pem","/etc/tsa.pem"]}`)
	s, err = d.Settings()
	if err != nil || !slices.Equal(s.TimestampURLs, []string{"http://a", "http://b"}) {
		t.Errorf("%+v, %v", s, err)
	}
	if want := []string{filepath.Join(d.Config, "tsa.pem"), "/etc/tsa.pem"}; runtime.GOOS != "windows" && !slices.Equal(s.TimestampRootCerts, want) {
		t.Errorf("%q, want %q", s.TimestampRootCerts, want)
	}
	for name, content := range map[string]string{
		"empty URL": `{"timestampUrls":["http://a",""]}`, "empty path": `{"timestampRootCerts":[""]}`, "one URL": `{"timestampUrls":"http://a"}`,
		"unknown member": `{"insecureRegistry":["r"]}`, "case variant": `{"CredsStore":"x"}`, "twice": `{"credsStore":"a","credsStore":"b"}`,
		"format": `{"signatureFormat":"pgp"}`, "type": `{"insecureRegistries":"r"}`, "trailing": `{} {}`, "empty": ``, "null": `null`,
	} {
		put(t, d, "config.json", content)
		_, err := d.Settings()
		wantCode(t, name, err, reason.ConfigSettings)
		if err != nil && !strings.Contains(err.Error(), d.SettingsFile()) {
			t.Errorf("%s: no file in %v", name, err)
		}
	}
	put(t, d, "config.json", strings.Repeat(" ", 1<<20+1))
	_, err = d.Settings()
	wantCode(t, "too large", err, reason.ConfigTooLarge)
}

func TestSigningKeys(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	var w atomicfile.Writer
	edit := func(do func(*config.SigningKeys) error) error { return d.EditSigningKeys(t.Context(), w, do) }
	keys, err := d.SigningKeys()
	if err != nil || len(keys.All()) != 0 {
		t.Fatalf("missing: %v", err)
	}
	_, err = keys.Default()
	wantCode(t, "no default", err, reason.ConfigNoDefaultKey)
	_, err = keys.Find("x")
	wantCode(t, "no keys", err, reason.ConfigKeyUnknown)
	err = edit(func(k *config.SigningKeys) error {
		if err := k.Add(config.Key{Name: "one", KeyPath: "/k", CertPath: "/c"}); err != nil {
			return err
		}
		if err := k.Add(config.Key{Name: "two", KeyPath: "/k2", CertPath: "/c2"}); err != nil {
			return err
		}
		return k.SetDefault("two")
	})
	wantCode(t, "add", err, "")
	wantCode(t, "same name in another case", edit(func(k *config.SigningKeys) error { return k.Add(config.Key{Name: "ONE"}) }), reason.ConfigNameTaken)
	wantCode(t, "bad name", edit(func(k *config.SigningKeys) error { return k.Add(config.Key{Name: "../x"}) }), reason.ConfigName)
	wantCode(t, "unknown default", edit(func(k *config.SigningKeys) error { return k.SetDefault("three") }), reason.ConfigKeyUnknown)
	wantCode(t, "unknown removal", edit(func(k *config.SigningKeys) error { return k.Remove("three") }), reason.ConfigKeyUnknown)
	keys, err = d.SigningKeys()
	if err != nil {
		t.Fatal(err)
	}
	if k, err := keys.Default(); err != nil || k.Name != "two" || !k.IsLocal() {
		t.Errorf("default: %+v, %v", k, err)
	}
	wantCode(t, "remove the default", edit(func(k *config.SigningKeys) error { return k.Remove("two") }), "")
	wantCode(t, "remove the last", edit(func(k *config.SigningKeys) error { return k.Remove("one") }), "")
	if got := read(t, d.SigningKeysFile()); strings.Join(strings.Fields(got), "") != `{"keys":[]}` {
		t.Errorf("empty list: %s", got)
	}
}

// TestSigningKeysKeepWhatOthersWrote edits a file with members of another
// program.
func TestSigningKeysKeepWhatOthersWrote(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	put(t, d, "signingkeys.json", `{"default":"kms","futureSetting":{"a":[1,2.50]},"keys":[
		{"name":"kms","id":"arn:x","pluginName":"aws","pluginConfig":{"k":"v"},"note":"hands off"}]}`)
	err := d.EditSigningKeys(t.Context(), atomicfile.Writer{}, func(k *config.SigningKeys) error {
		return k.Add(config.Key{Name: "local", KeyPath: "/k", CertPath: "/c"})
	})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(read(t, d.SigningKeysFile()))); err != nil {
		t.Fatal(err)
	}
	want := `{"default":"kms","keys":[{"name":"kms","id":"arn:x","pluginName":"aws","pluginConfig":{"k":"v"},"note":"hands off"},` +
		`{"name":"local","keyPath":"/k","certPath":"/c"}],"futureSetting":{"a":[1,2.50]}}`
	if b.String() != want {
		t.Errorf("got  %s\nwant %s", b.String(), want)
	}
	keys, err := d.SigningKeys()
	if err != nil {
		t.Fatal(err)
	}
	if k, _ := keys.Find("kms"); k.IsLocal() || k.PluginName != "aws" {
		t.Errorf("%+v", k)
	}
}

func TestSigningKeysMalformed(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	many := strings.Repeat(`{"name":"k"},`, 10_001)
	for name, content := range map[string]string{
		"syntax": `{"keys":[`, "twice": `{"keys":[],"keys":[]}`, "case": `{"Keys":[]}`, "nameless": `{"keys":[{}]}`,
		"same name": `{"keys":[{"name":"a"},{"name":"a"}]}`, "too many": `{"keys":[` + many[:len(many)-1] + `]}`,
	} {
		path := put(t, d, "signingkeys.json", content)
		_, err := d.SigningKeys()
		wantCode(t, name, err, reason.ConfigSigningKeys)
		err = d.EditSigningKeys(t.Context(), atomicfile.Writer{}, func(*config.SigningKeys) error { return nil })
		wantCode(t, name+", edit", err, reason.ConfigSigningKeys)
		if read(t, path) != content {
			t.Errorf("%s: the file was changed", name)
		}
	}
	put(t, d, "signingkeys.json", `{"keys":null}`)
	if _, err := d.SigningKeys(); err != nil {
		t.Errorf("null list: %v", err)
	}
	put(t, d, "signingkeys.json", `{"default":"gone","keys":[{"name":"a"}]}`)
	keys, err := d.SigningKeys()
	if err != nil {
		t.Fatal(err)
	}
	_, err = keys.Default()
	wantCode(t, "dangling default", err, reason.ConfigKeyUnknown)
}

// attack: FS-04
func TestConcurrentKeyEditors(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	const editors = 50
	errs := make(chan error, editors)
	var wg sync.WaitGroup
	for i := range editors {
		wg.Go(func() {
			errs <- d.EditSigningKeys(t.Context(), atomicfile.Writer{}, func(k *config.SigningKeys) error {
				return k.Add(config.Key{Name: fmt.Sprintf("key-%d", i)})
			})
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	keys, err := d.SigningKeys()
	if err != nil || len(keys.All()) != editors {
		t.Errorf("%d keys of %d, %v", len(keys.All()), editors, err)
	}
}

func FuzzSigningKeys(f *testing.F) {
	f.Add([]byte(`{"default":"a","keys":[{"name":"a","keyPath":"/k","certPath":"/c"}]}`))
	f.Add([]byte(`{"keys":null,"x":1}`))
	f.Add([]byte(`{"keys":[{"name":"p","id":"i","pluginName":"n","pluginConfig":{"a":"b"},"y":[null]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := config.Dirs{Config: t.TempDir()}
		if err := os.WriteFile(d.SigningKeysFile(), data, 0o600); err != nil {
			t.Fatal(err)
		}
		keys, err := d.SigningKeys()
		if err != nil {
			if reason.Of(err) == "" {
				t.Errorf("no code: %v", err)
			}
			return
		}
		// What was read can be edited, and is read the same again.
		err = d.EditSigningKeys(t.Context(), atomicfile.Writer{}, func(k *config.SigningKeys) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		again, err := d.SigningKeys()
		if err != nil || len(again.All()) != len(keys.All()) || again.DefaultName() != keys.DefaultName() {
			t.Errorf("%v: %+v became %+v", err, keys, again)
		}
	})
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte(`{"insecureRegistries":["r:5000"],"credsStore":"pass","credHelpers":{"r":"h"},"signatureFormat":"cose"}`))
	f.Add([]byte(`{"signatureFormat":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := config.Dirs{Config: t.TempDir()}
		if err := os.WriteFile(d.SettingsFile(), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Settings(); err != nil && reason.Of(err) != reason.ConfigSettings {
			t.Errorf("%v", err)
		}
	})
}
