//go:build unix

package config_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

var acme = trust.StoreRef{Type: trust.CA, Name: "acme"}

// root returns a root certificate of its own name.
func root(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	return testpki.New(t, testpki.Options{Name: name}).Root()
}

// tree lists all files and directories but for locks.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && !strings.HasSuffix(path, ".lock") {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestReadPolicy(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	_, err := d.ReadPolicy()
	wantCode(t, "none", err, reason.ConfigNoPolicy)
	older := put(t, d, "trustpolicy.json", "older")
	p, err := d.ReadPolicy()
	if err != nil || string(p.Data) != "older" || p.Path != older || len(p.Warnings) != 0 {
		t.Errorf("older name: %+v, %v", p, err)
	}
	newer := put(t, d, "trustpolicy.oci.json", "newer")
	p, err = d.ReadPolicy()
	if err != nil || string(p.Data) != "newer" || p.Path != newer || len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], older) {
		t.Errorf("both names: %+v, %v", p, err)
	}
}

// attack: FS-03
func TestPolicyOthersMayWrite(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	path := put(t, d, "trustpolicy.oci.json", "{}")
	for _, tt := range []struct {
		file, dir fs.FileMode
		warnings  int
	}{
		{0o600, 0o700, 0}, {0o644, 0o755, 0}, {0o660, 0o700, 1}, {0o602, 0o700, 1},
		{0o600, 0o770, 1}, {0o666, 0o777, 2}, {0o600, 0o777 | fs.ModeSticky, 0},
	} {
		if err := errors.Join(os.Chmod(path, tt.file), os.Chmod(d.Config, tt.dir)); err != nil {
			t.Fatal(err)
		}
		p, err := d.ReadPolicy()
		if err != nil || len(p.Warnings) != tt.warnings {
			t.Errorf("file %o in directory %o: %q, %v", tt.file, tt.dir, p.Warnings, err)
		}
	}
	if w := config.ReadableByOthers(path); w != "" {
		t.Errorf("secret: %s", w)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if w := config.ReadableByOthers(path); w == "" {
		t.Error("no warning about a key that others may read")
	}
}

// attack: FS-01
func TestSpecialFiles(t *testing.T) {
	t.Parallel()
	target := put(t, newDirs(t), "target", "{}")
	for name, plant := range map[string]func(string) error{
		"symbolic link": func(p string) error { return os.Symlink(target, p) },
		"directory":     func(p string) error { return os.Mkdir(p, 0o700) },
		"FIFO":          func(p string) error { return syscall.Mkfifo(p, 0o600) },
		"device":        func(p string) error { return os.Symlink(os.DevNull, p) },
	} {
		d := newDirs(t)
		if err := os.Mkdir(d.Config, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{d.PolicyFile(), d.SettingsFile(), d.SigningKeysFile()} {
			if err := plant(path); err != nil {
				t.Fatal(err)
			}
		}
		var w atomicfile.Writer
		_, policyErr := d.ReadPolicy()
		_, settingsErr := d.Settings()
		_, keysErr := d.SigningKeys()
		_, starterErr := d.TrustInStarter(t.Context(), w, acme)
		for what, err := range map[string]error{
			"policy": policyErr, "settings": settingsErr, "keys": keysErr, "starter": starterErr,
			"write policy": d.WritePolicy(t.Context(), w, trust.OCIPolicy, []byte("x"), true),
			"edit keys":    d.EditSigningKeys(t.Context(), w, func(*config.SigningKeys) error { return nil }),
		} {
			wantCode(t, what+" is a "+name, err, reason.ConfigNotRegular)
		}
		_, err := config.ReadPolicyAt(d.PolicyFile())
		if name == "symbolic link" {
			wantCode(t, "named policy is a "+name, err, "")
		} else {
			wantCode(t, "named policy is a "+name, err, reason.ConfigNotRegular)
		}
	}
	if read(t, target) != "{}" {
		t.Error("a link was written through")
	}
}

func TestWritePolicy(t *testing.T) {
	t.Parallel()
	var w atomicfile.Writer
	for _, name := range []string{"trustpolicy.oci.json", "trustpolicy.json"} {
		d := newDirs(t)
		old := put(t, d, name, "old")
		wantCode(t, name, d.WritePolicy(t.Context(), w, trust.OCIPolicy, []byte("new"), false), reason.ConfigPolicyExists)
		if read(t, old) != "old" {
			t.Errorf("%s: replaced without force", name)
		}
		wantCode(t, name, d.WritePolicy(t.Context(), w, trust.OCIPolicy, []byte("new"), true), "")
		if read(t, d.PolicyFile()) != "new" {
			t.Errorf("%s: not replaced", name)
		}
	}
	d := newDirs(t)
	wantCode(t, "fresh", d.WritePolicy(t.Context(), w, trust.OCIPolicy, []byte("new"), false), "")
}

func TestStarterPolicy(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	var w atomicfile.Writer
	trustIn := func(want config.Starter, name string) {
		t.Helper()
		got, err := d.TrustInStarter(t.Context(), w, trust.StoreRef{Type: trust.CA, Name: name})
		if err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", name, got, err, want)
		}
	}
	trustIn(config.StarterWritten, "a")
	trustIn(config.StarterNames, "a")
	trustIn(config.StarterExtended, "b")
	policy, err := trust.ParsePolicy("p", []byte(read(t, d.PolicyFile())))
	if err != nil {
		t.Fatal(err)
	}
	s := policy.Statements()[0]
	if len(policy.Statements()) != 1 || s.Name() != "starter" || s.Level() != trust.Strict || len(s.Stores()) != 2 ||
		!slices.Equal(s.Scopes(), []string{"*"}) || !s.Identities()[0].IsAny() {
		t.Errorf("starter: %s", read(t, d.PolicyFile()))
	}

	starter := read(t, d.PolicyFile())
	for name, content := range map[string]string{
		"other level":      strings.Replace(starter, "strict", "audit", 1),
		"other name":       strings.Replace(starter, "starter", "mine", 1),
		"reformatted":      strings.Replace(starter, "  ", "    ", 1),
		"other identity":   strings.Replace(starter, `"*"`+"\n      ],\n      \"sig", `"r.io/x"`+"\n      ],\n      \"sig", 1),
		"further member":   strings.Replace(starter, `"name"`, `"note": "", "name"`, 1),
		"a user's, broken": `{`,
		"empty":            ``,
	} {
		put(t, d, "trustpolicy.oci.json", content)
		if content == starter {
			t.Fatalf("%s: the same", name)
		}
		trustIn(config.StarterForeign, "c")
		if read(t, d.PolicyFile()) != content {
			t.Errorf("%s: a user's policy was changed", name)
		}
	}
	d = newDirs(t)
	put(t, d, "trustpolicy.json", "a user's, under the older name")
	trustIn(config.StarterForeign, "a")
	if _, err := os.Lstat(d.PolicyFile()); err == nil {
		t.Error("a starter policy now hides a user's")
	}
}

func TestAddCertificates(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	var w atomicfile.Writer
	one, two, three := root(t, "one"), root(t, "two"), root(t, "three")
	add := func(files ...config.CertificateFile) []config.AddedFile {
		t.Helper()
		added, err := d.AddCertificates(w, acme, files)
		if err != nil {
			t.Fatal(err)
		}
		return added
	}
	file := func(path string, certs ...*x509.Certificate) config.CertificateFile {
		return config.CertificateFile{Path: path, Certs: certs}
	}
	added := add(file("/x/root.crt", one), file("/y/ROOT.crt", two, one))
	if added[0].New != 1 || added[1].New != 1 || added[1].Had != 1 || strings.EqualFold(added[0].Path, added[1].Path) {
		t.Errorf("%+v", added)
	}
	if again := add(file("other.pem", one, two)); again[0].New != 0 || again[0].Had != 2 || again[0].Path != "" {
		t.Errorf("again: %+v", again)
	}
	odd := add(file("/x/..nasty name!.txt", three))
	if base := filepath.Base(odd[0].Path); base != "certificate.pem" {
		t.Errorf("odd name became %q", base)
	}
	certs, warnings, err := trust.NewStores(os.DirFS(d.TrustStore())).Load(acme)
	if err != nil || len(certs) != 3 || len(warnings) != 0 {
		t.Errorf("the store holds %d certificates, %v, %v", len(certs), warnings, err)
	}
	names, err := d.StoreFiles(acme)
	if err != nil || len(names) != 3 {
		t.Errorf("%v, %v", names, err)
	}
	for _, bad := range []string{"../acme/root.crt", "missing.crt", ""} {
		wantCode(t, bad, d.RemoveCertificates(w, acme, []string{names[0], bad}), reason.ConfigRead)
	}
	if left, _ := d.StoreFiles(acme); len(left) != 3 {
		t.Error("a refused removal removed something")
	}
	wantCode(t, "remove all", d.RemoveCertificates(w, acme, names), "")
	if _, err := os.Stat(d.Store(acme)); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the empty store stays")
	}
}

// attack: FS-02
// attack: CRT-05
func TestAddCertificatesRefuses(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	good := config.CertificateFile{Path: "good.crt", Certs: chain.Certs[2:]}
	for name, tt := range map[string]struct {
		ref   trust.StoreRef
		files []config.CertificateFile
		code  reason.Code
	}{
		"intermediate": {acme, []config.CertificateFile{good, {Path: "bad.crt", Certs: chain.Certs[1:2]}}, reason.StoreAnchor},
		"leaf":         {acme, []config.CertificateFile{good, {Path: "bad.crt", Certs: chain.Certs[:1]}}, reason.StoreAnchor},
		"dots":         {trust.StoreRef{Type: trust.CA, Name: ".."}, []config.CertificateFile{good}, reason.StoreName},
		"separator":    {trust.StoreRef{Type: trust.CA, Name: "a/b"}, []config.CertificateFile{good}, reason.StoreName},
		"NUL":          {trust.StoreRef{Type: trust.CA, Name: "a\x00"}, []config.CertificateFile{good}, reason.StoreName},
		"reserved":     {trust.StoreRef{Type: trust.CA, Name: "nul"}, []config.CertificateFile{good}, reason.StoreName},
	} {
		d := newDirs(t)
		_, err := d.AddCertificates(atomicfile.Writer{}, tt.ref, tt.files)
		wantCode(t, name, err, tt.code)
		if left := tree(t, d.Config); len(left) != 0 {
			t.Errorf("%s leaves %v", name, left)
		}
	}
}

// attack: FS-01
// attack: FS-02
func TestAddCertificatesToOddStores(t *testing.T) {
	t.Parallel()
	file := []config.CertificateFile{{Path: "r.crt", Certs: []*x509.Certificate{root(t, "r")}}}
	for name, tt := range map[string]struct {
		plant func(dir string) error
		code  reason.Code
	}{
		"other case": {func(dir string) error { return os.Mkdir(filepath.Join(filepath.Dir(dir), "ACME"), 0o700) }, reason.ConfigNameTaken},
		"link":       {func(dir string) error { return os.Symlink(t.TempDir(), dir) }, reason.ConfigNotRegular},
		"file":       {func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, reason.ConfigNotRegular},
		"linked file": {func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Symlink("/etc/hosts", dir+"/x.pem"))
		}, reason.StoreNotRegular},
		"FIFO": {func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), syscall.Mkfifo(dir+"/x.pem", 0o600)) }, reason.StoreNotRegular},
		"broken file": {func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(dir+"/x.pem", []byte("x"), 0o600))
		}, reason.StoreCertificate},
	} {
		d := newDirs(t)
		dir := d.Store(acme)
		if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := tt.plant(dir); err != nil {
			t.Fatal(err)
		}
		before := tree(t, d.Config)
		_, err := d.AddCertificates(atomicfile.Writer{}, acme, file)
		wantCode(t, name, err, tt.code)
		if after := tree(t, d.Config); !slices.Equal(before, after) {
			t.Errorf("%s: %v became %v", name, before, after)
		}
	}
}

// faultAt fails the nth step that it sees.
func faultAt(n int) (w atomicfile.Writer, failed *bool) {
	failed = new(bool)
	return atomicfile.Writer{Before: func(atomicfile.Op, string) error {
		if n--; n == -1 {
			*failed = true
			return syscall.ENOSPC
		}
		return nil
	}}, failed
}

// TestFullDisk makes each step in turn fail: an error, and nothing half.
//
// attack: FS-04
func TestFullDisk(t *testing.T) {
	t.Parallel()
	files := []config.CertificateFile{{Path: "a.crt", Certs: []*x509.Certificate{root(t, "a")}}, {Path: "b.crt", Certs: []*x509.Certificate{root(t, "b")}}}
	key := config.TestKey{Name: "acme", KeyPEM: []byte("key"), Cert: root(t, "acme"), Default: true}
	for name, do := range map[string]func(d config.Dirs, w atomicfile.Writer) error{
		"add certificates": func(d config.Dirs, w atomicfile.Writer) error {
			_, err := d.AddCertificates(w, acme, files)
			return err
		},
		"add test key": func(d config.Dirs, w atomicfile.Writer) error { return d.AddTestKey(context.Background(), w, key) },
	} {
		for step := 0; ; step++ {
			d := newDirs(t)
			w, failed := faultAt(step)
			err := do(d, w)
			if !*failed {
				if err != nil || step < 10 {
					t.Errorf("%s: %v after %d steps", name, err, step)
				}
				break
			}
			if !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("%s, step %d: %v", name, step, err)
			}
			for _, path := range tree(t, d.Config) {
				if info, err := os.Lstat(path); err != nil || !info.IsDir() && path != d.SigningKeysFile() {
					t.Errorf("%s, step %d leaves %s", name, step, path)
				}
			}
			if keys, err := d.SigningKeys(); err != nil || len(keys.All()) != 0 {
				t.Errorf("%s, step %d leaves keys, %v", name, step, err)
			}
			// With space again, the same works.
			if err := do(d, atomicfile.Writer{}); err != nil {
				t.Errorf("%s, after step %d: %v", name, step, err)
			}
		}
	}
}

func TestTestKey(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	var w atomicfile.Writer
	key := config.TestKey{Name: "acme", KeyPEM: []byte("key"), Cert: root(t, "acme"), Default: true}
	if err := d.AddTestKey(t.Context(), w, key); err != nil {
		t.Fatal(err)
	}
	files := d.TestKeyFiles("acme")
	for path, mode := range map[string]fs.FileMode{files.Key: 0o600, files.Cert: 0o644, files.Copy: 0o644, files.Stored: 0o644, d.SigningKeysFile(): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	for _, name := range []string{"acme", "ACME"} {
		key.Name = name
		wantCode(t, name, d.AddTestKey(t.Context(), w, key), reason.ConfigNameTaken)
	}
	removed, err := d.RemoveTestKey(t.Context(), w, "acme")
	if err != nil || len(removed) != 5 {
		t.Errorf("%v, %v", removed, err)
	}
	_, err = d.RemoveTestKey(t.Context(), w, "acme")
	wantCode(t, "again", err, reason.ConfigKeyUnknown)
	_, err = d.RemoveTestKey(t.Context(), w, "../acme")
	wantCode(t, "path", err, reason.ConfigName)
}

// TestRemoveTestKeySparesOthers keeps what generate-test did not make.
func TestRemoveTestKeySparesOthers(t *testing.T) {
	t.Parallel()
	var w atomicfile.Writer
	d := newDirs(t)
	err := d.EditSigningKeys(t.Context(), w, func(k *config.SigningKeys) error {
		return k.Add(config.Key{Name: "real", KeyPath: "/somewhere/real.key", CertPath: "/somewhere/real.crt"})
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.RemoveTestKey(t.Context(), w, "real")
	wantCode(t, "a key that was added", err, reason.ConfigKeyUnknown)

	anchor := put(t, d, "truststore/x509/ca/acme/acme.crt", "a real anchor")
	_, err = d.RemoveTestKey(t.Context(), w, "acme")
	wantCode(t, "a store of that name", err, reason.ConfigKeyUnknown)
	put(t, d, "localkeys/acme.crt", "left by a crash")
	removed, err := d.RemoveTestKey(t.Context(), w, "acme")
	if err != nil || len(removed) != 1 || read(t, anchor) != "a real anchor" {
		t.Errorf("%v, %v", removed, err)
	}
	wantCode(t, "name of a store", d.CheckTestKeyName("ACME"), reason.ConfigNameTaken)
	wantCode(t, "name of a key", d.CheckTestKeyName("Real"), reason.ConfigNameTaken)
}
