package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
)

// findings returns the checks of a document as "outcome area code".
func findings(doc map[string]any) string {
	var b strings.Builder
	list, _ := doc["checks"].([]any)
	for _, c := range list {
		fmt.Fprintf(&b, "%v %v %v | %v | %v\n", at(c, "outcome"), at(c, "area"), at(c, "code"), at(c, "subject"), at(c, "message"))
	}
	return b.String()
}

// listKey writes signingkeys.json with one key, which need not be good.
func (u *user) listKey(entry string) {
	u.t.Helper()
	if err := os.MkdirAll(u.path(), 0o700); err != nil {
		u.t.Fatal(err)
	}
	if err := os.WriteFile(u.path("signingkeys.json"), []byte(`{"default":"k","keys":[{"name":"k",`+entry+`}]}`), 0o600); err != nil {
		u.t.Fatal(err)
	}
}

// TestKeyLint finds everything that is wrong with a key, not just the first.
func TestKeyLint(t *testing.T) {
	t.Parallel()
	good := testpki.New(t, testpki.Options{Name: "acme"})
	other := testpki.New(t, testpki.Options{Name: "other", Algorithm: "ec-384"})
	old := testpki.New(t, testpki.Options{Name: "old", NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour)})
	stamps := testpki.New(t, testpki.Options{Name: "stamps", TSA: true})
	for name, tt := range map[string]struct {
		key, certs string
		mode       os.FileMode
		code       int
		want       []string
	}{
		"good": {string(good.KeyPEM()), pemOf(good.Certs...), 0o600, 0, []string{"ok key", "signs with ECDSA-SHA-256", "ok certificate", "complete chain of 3 certificates", "warning certificate doctor.expires-soon",
			"warning certificate doctor.no-revocation-source"}},
		"one file":    {string(good.KeyPEM()) + pemOf(good.Certs...), "", 0o600, 0, []string{"signs with", "complete chain of 3"}},
		"readable":    {string(good.KeyPEM()), pemOf(good.Certs...), 0o644, 0, []string{"warning key doctor.mode", "may be read by other users (mode 0644)"}},
		"writable":    {string(good.KeyPEM()), pemOf(good.Certs...), 0o622, 0, []string{"warning key doctor.mode", "may be changed by other users (mode 0622)"}},
		"mismatch":    {string(good.KeyPEM()), pemOf(other.Certs...), 0o600, 2, []string{"problem key signer.key-mismatch"}},
		"garbage key": {"hello", pemOf(good.Certs...), 0o600, 2, []string{"problem key signer.key-missing"}},
		"order":       {string(good.KeyPEM()), pemOf(good.Certs[0], good.Certs[2], good.Certs[1]), 0o600, 2, []string{"problem certificate cert.chain-order", "(rule chain-order)"}},
		"no root":     {string(good.KeyPEM()), pemOf(good.Certs[:2]...), 0o600, 2, []string{"problem certificate cert.chain-incomplete"}},
		"expired":     {string(old.KeyPEM()), pemOf(old.Certs...), 0o600, 2, []string{"problem certificate cert.expired", "certificate 1 of 1"}},
		"stamping":    {string(stamps.KeyPEM()), pemOf(stamps.Certs...), 0o600, 2, []string{"problem certificate cert.leaf-extended-key-usage"}},
		"no certs":    {string(good.KeyPEM()), "hello", 0o600, 2, []string{"problem certificate store.certificate"}},
		"both bad":    {"hello", pemOf(old.Certs[:2]...), 0o600, 2, []string{"problem key signer.key-missing", "problem certificate cert.expired", "problem certificate cert.chain-incomplete"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			key := u.write("k.key", tt.key)
			certs := key
			if tt.certs != "" {
				certs = u.write("k.crt", tt.certs)
			}
			if err := os.Chmod(key, tt.mode); err != nil {
				t.Fatal(err)
			}
			u.listKey(fmt.Sprintf(`"keyPath":%q,"certPath":%q`, key, certs))
			before := snapshot(t, u.home)
			doc := u.run("key", "lint", "-ojson").want(tt.code).json()
			got := findings(doc)
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing in\n%s", want, got)
				}
			}
			text := u.run("key", "lint", "k").want(tt.code, `Key "k":`)
			for _, secret := range strings.Split(tt.key, "\n") {
				if len(secret) > 40 && strings.Contains(string(good.KeyPEM())+string(old.KeyPEM()), secret) && strings.Contains(text.stdout+text.stderr, secret) {
					t.Error("the key is shown")
				}
			}
			u.run("doctor").want(tt.code)
			if after := snapshot(t, u.home); after != before {
				t.Errorf("changed to\n%s", after)
			}
		})
	}
	u := newUser(t)
	u.listKey(`"keyPath":"/nowhere/k.key","certPath":"/nowhere/k.crt"`)
	doc := u.run("key", "lint", "-ojson").want(2).json()
	if got := findings(doc); strings.Count(got, "problem") != 2 {
		t.Errorf("%s", got)
	}
	crt := u.write("k.crt", pemOf(good.Certs...))
	if err := os.Chmod(crt, 0o666); err != nil {
		t.Fatal(err)
	}
	u.listKey(fmt.Sprintf(`"keyPath":"/nowhere/k.key","certPath":%q`, crt))
	u.run("key", "lint").want(2, "may be changed by other users")
	if err := os.WriteFile(u.path("signingkeys.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	u.run("key", "lint").wantError(2, "signingkeys.json")
	u.run("doctor").want(2, "signingkeys.json")
	u.vars = nil
	u.run("key", "lint").wantError(2, "home")
}

// plugin installs a shell script as a plugin with these capabilities.
func (u *user) plugin(name, capabilities, describe string) {
	u.t.Helper()
	dir := u.path("plugins", name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		u.t.Fatal(err)
	}
	script := fmt.Sprintf(`#!/bin/sh
cat >/dev/null
case "$1" in
get-plugin-metadata) echo '{"name":%q,"description":"d","version":"1.2.3","url":"https://example.com","supportedContractVersions":["1.0"],"capabilities":[%s]}' ;;
describe-key) %s ;;
esac
`, name, capabilities, describe)
	if err := os.WriteFile(filepath.Join(dir, "notation-"+name), []byte(script), 0o700); err != nil {
		u.t.Fatal(err)
	}
}

// TestKeyLintPlugin asks plugins about the keys that they hold.
func TestKeyLintPlugin(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("no shell")
	}
	const raw, whole, verifier = `"SIGNATURE_GENERATOR.RAW"`, `"SIGNATURE_GENERATOR.ENVELOPE"`, `"SIGNATURE_VERIFIER.TRUSTED_IDENTITY"`
	const entry = `"id":"one","pluginName":"p"`
	for name, tt := range map[string]struct {
		entry, capabilities, describe string
		code                          int
		want                          string
	}{
		"good":          {entry, raw, `echo '{"keyId":"one","keySpec":"EC-256"}'`, 0, "ok key <nil> | k | the plugin knows the key \"one\", which signs with ECDSA-SHA-256"},
		"whole":         {entry, whole, "exit 1", 0, "note key doctor.algorithm-unknown"},
		"unknown key":   {entry, raw, `echo '{"errorCode":"VALIDATION_ERROR","errorMessage":"no such key"}' >&2; exit 1`, 2, "no such key"},
		"lie":           {entry, raw, `echo '{"keyId":"two","keySpec":"EC-256"}'`, 2, "problem key plugin."},
		"verifier":      {entry, verifier, "exit 1", 2, "problem plugin plugin.capability"},
		"not installed": {`"id":"one","pluginName":"q"`, raw, "exit 1", 2, "problem plugin plugin.not-found"},
		"no id":         {`"pluginName":"p"`, raw, "exit 1", 2, "problem plugin config.signing-keys"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			u.plugin("p", tt.capabilities, tt.describe)
			u.listKey(tt.entry)
			before := snapshot(t, u.home)
			r := u.run("key", "lint", "-ojson")
			if strings.Contains(r.stdout, `"key": {`) { // the list itself is good
				if got := findings(r.want(tt.code).json()); !strings.Contains(got, tt.want) {
					t.Errorf("%q is missing in\n%s", tt.want, got)
				}
			} else {
				r.want(2, "signing")
			}
			u.run("doctor").want(tt.code, "version 1.2.3")
			if after := snapshot(t, u.home); after != before {
				t.Errorf("changed to\n%s", after)
			}
		})
	}
}
