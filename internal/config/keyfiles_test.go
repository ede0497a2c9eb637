package config_test

import (
	"context"
	"crypto/x509"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/reason"
)

// TestKeyFiles adds and renews keys whose chains are kept.
func TestKeyFiles(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	var w atomicfile.Writer
	first, second := []*x509.Certificate{root(t, "a")}, []*x509.Certificate{root(t, "b")}
	key, err := d.AddKey(t.Context(), w, config.NewKey{Name: "release", KeyPEM: []byte("key"), Chain: first, Default: true})
	if err != nil {
		t.Fatal(err)
	}
	if key.KeyPath != d.GeneratedKey("release") || read(t, key.KeyPath) != "key" || read(t, key.CertPath) != string(config.EncodeCertificates(first)) {
		t.Errorf("%+v", key)
	}
	for name, k := range map[string]config.NewKey{
		"name":            {Name: "release", KeyPath: "/x", Chain: first},
		"name, imported":  {Name: "Release", KeyPEM: []byte("key"), Chain: first},
		"no name":         {Name: "", KeyPath: "/x", Chain: first},
		"no name, renews": {Name: "none", Chain: first},
	} {
		do := d.AddKey
		if strings.Contains(name, "renews") {
			do = d.RenewKey
		}
		_, err := do(t.Context(), w, k)
		if err == nil || reason.Hint(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	renewed, err := d.RenewKey(t.Context(), w, config.NewKey{Name: "release", Chain: second})
	if err != nil {
		t.Fatal(err)
	}
	if renewed.KeyPath != key.KeyPath || renewed.CertPath == key.CertPath || read(t, key.CertPath) != string(config.EncodeCertificates(first)) {
		t.Errorf("%+v", renewed)
	}
	// The same once more, and back: files are named after what is in them.
	back, err := d.RenewKey(t.Context(), w, config.NewKey{Name: "release", KeyPath: "/other.key", Chain: first, Default: true})
	if err != nil || back.CertPath != key.CertPath || back.KeyPath != "/other.key" {
		t.Errorf("%+v, %v", back, err)
	}
	keys, err := d.SigningKeys()
	if err != nil || keys.DefaultName() != "release" || len(keys.All()) != 1 {
		t.Errorf("%v, %v", keys.All(), err)
	}
	if err := keys.Replace(config.Key{Name: "none"}); reason.Of(err) != reason.ConfigKeyUnknown {
		t.Error(err)
	}
}

// TestWriteKey never replaces a private key.
func TestWriteKey(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	var w atomicfile.Writer
	path, err := d.WriteKey(w, "release", []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	for _, name := range []string{"release", "RELEASE"} {
		if _, err := d.WriteKey(w, name, []byte("other")); reason.Of(err) != reason.ConfigNameTaken || reason.Hint(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.WriteKey(w, "../release", nil); reason.Of(err) != reason.ConfigName {
		t.Error(err)
	}
	put(t, d, "signingkeys.json", "{")
	if _, err := d.WriteKey(w, "other", nil); reason.Of(err) != reason.ConfigSigningKeys {
		t.Error(err)
	}
	for _, do := range []func(context.Context, atomicfile.Writer, config.NewKey) (config.Key, error){d.AddKey, d.RenewKey} {
		if _, err := do(t.Context(), w, config.NewKey{Name: "other"}); reason.Of(err) != reason.ConfigSigningKeys {
			t.Error(err)
		}
	}
	if read(t, path) != "key" {
		t.Error("the key was replaced")
	}
}
