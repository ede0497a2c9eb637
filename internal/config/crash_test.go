//go:build unix

package config_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/internal/crashtest"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// A change is something that a command does to the configuration.
type change struct {
	// before makes what is there; nil: nothing is.
	before func(d config.Dirs, certs []*x509.Certificate) error
	// do makes the change. It works again after a crash, or its error says that
	// it was done.
	do    func(ctx context.Context, d config.Dirs, w atomicfile.Writer, certs []*x509.Certificate) error
	steps int // there are at least
	// together says that after an error, not only after a crash, either all of
	// it is there or nothing.
	together bool
}

const noKeys = "{\n  \"keys\": []\n}\n" // signingkeys.json when the last key is gone

const tester = "tester" // the name of a test key

func addKey(ctx context.Context, d config.Dirs, w atomicfile.Writer, name string) error {
	return d.EditSigningKeys(ctx, w, func(k *config.SigningKeys) error {
		if _, err := k.Find(name); err == nil {
			return nil
		}
		return k.Add(config.Key{Name: name, KeyPath: d.Config + "/" + name, CertPath: d.Config + "/" + name})
	})
}

func certificateFiles(certs []*x509.Certificate) []config.CertificateFile {
	return []config.CertificateFile{{Path: "a.crt", Certs: certs[:1]}, {Path: "b.crt", Certs: certs[1:2]}}
}

// addTestKey makes a test key after it has removed what a crash has left of one.
func addTestKey(ctx context.Context, d config.Dirs, w atomicfile.Writer, certs []*x509.Certificate) error {
	if keys, err := d.SigningKeys(); err != nil {
		return err
	} else if _, err := keys.Find(tester); err == nil {
		return nil
	}
	if _, err := d.RemoveTestKey(ctx, w, tester); err != nil && reason.Of(err) != reason.ConfigKeyUnknown {
		return err
	}
	return d.AddTestKey(ctx, w, config.TestKey{Name: tester, KeyPEM: []byte("key"), Cert: certs[0], Default: true})
}

// addFileKey lists a key with its chain, and its private key if it is imported,
// after it has moved away what a crash has left of that.
func addFileKey(imported bool) func(context.Context, config.Dirs, atomicfile.Writer, []*x509.Certificate) error {
	return func(ctx context.Context, d config.Dirs, w atomicfile.Writer, certs []*x509.Certificate) error {
		k := config.NewKey{Name: tester, KeyPath: d.Config + "/elsewhere.key", Chain: certs[:1], Default: true}
		if imported {
			k.KeyPath, k.KeyPEM = "", []byte("key")
		}
		if keys, err := d.SigningKeys(); err != nil {
			return err
		} else if _, err := keys.Find(tester); err == nil {
			return nil
		}
		_, err := d.AddKey(ctx, w, k)
		if reason.Of(err) == reason.ConfigNameTaken {
			if err := os.Remove(d.GeneratedKey(tester)); err != nil {
				return err
			}
			_, err = d.AddKey(ctx, w, k)
		}
		return err
	}
}

func changes() map[string]change {
	var plain atomicfile.Writer
	background := context.Background()
	old := func(d config.Dirs, certs []*x509.Certificate) error {
		_, added := d.AddCertificates(plain, acme, []config.CertificateFile{{Path: "old.crt", Certs: certs[2:3]}})
		_, starter := d.TrustInStarter(background, plain, trust.StoreRef{Type: trust.CA, Name: "old"})
		return errors.Join(added, starter, addKey(background, d, plain, "old"),
			d.WritePolicy(background, plain, trust.BlobPolicy, []byte("{}"), false))
	}
	write := func(kind trust.Kind) func(context.Context, config.Dirs, atomicfile.Writer, []*x509.Certificate) error {
		return func(ctx context.Context, d config.Dirs, w atomicfile.Writer, _ []*x509.Certificate) error {
			data, err := trust.Starter(kind, acme).Encode(kind)
			if err != nil {
				return err
			}
			return d.WritePolicy(ctx, w, kind, data, true)
		}
	}
	add := func(ctx context.Context, d config.Dirs, w atomicfile.Writer, _ []*x509.Certificate) error {
		return addKey(ctx, d, w, "new")
	}
	certificates := func(_ context.Context, d config.Dirs, w atomicfile.Writer, certs []*x509.Certificate) error {
		_, err := d.AddCertificates(w, acme, certificateFiles(certs))
		return err
	}
	return map[string]change{
		"first key":       {do: add, steps: 8},
		"another key":     {before: old, do: add, steps: 7},
		"first policy":    {do: write(trust.OCIPolicy), steps: 8},
		"another policy":  {before: old, do: write(trust.OCIPolicy), steps: 7},
		"blob policy":     {do: write(trust.BlobPolicy), steps: 8},
		"new blob policy": {before: old, do: write(trust.BlobPolicy), steps: 7},
		"starter policy": {before: old, steps: 7, do: func(ctx context.Context, d config.Dirs, w atomicfile.Writer, _ []*x509.Certificate) error {
			_, err := d.TrustInStarter(ctx, w, acme)
			return err
		}},
		"first certificates": {do: certificates, steps: 16, together: true},
		"more certificates":  {before: old, do: certificates, steps: 12, together: true},
		"no certificates": {before: old, steps: 1, do: func(_ context.Context, d config.Dirs, w atomicfile.Writer, _ []*x509.Certificate) error {
			names, err := d.StoreFiles(acme)
			if err != nil {
				return err
			}
			return d.RemoveCertificates(w, acme, names)
		}},
		"test key":         {do: addTestKey, steps: 30, together: true},
		"another test key": {before: old, do: addTestKey, steps: 28, together: true},
		"key in a file":    {do: addFileKey(false), steps: 16, together: true},
		"imported key":     {before: old, do: addFileKey(true), steps: 20, together: true},
		"renewed key": {
			before: func(d config.Dirs, certs []*x509.Certificate) error {
				return addFileKey(true)(background, d, plain, certs)
			},
			do: func(ctx context.Context, d config.Dirs, w atomicfile.Writer, certs []*x509.Certificate) error {
				_, err := d.RenewKey(ctx, w, config.NewKey{Name: tester, KeyPath: d.Config + "/other.key", Chain: certs[1:2]})
				return err
			}, steps: 13, together: true,
		},
		"no test key": {
			before: func(d config.Dirs, certs []*x509.Certificate) error { return addTestKey(background, d, plain, certs) },
			do: func(ctx context.Context, d config.Dirs, w atomicfile.Writer, _ []*x509.Certificate) error {
				_, err := d.RemoveTestKey(ctx, w, tester)
				if reason.Of(err) == reason.ConfigKeyUnknown {
					return nil
				}
				return err
			}, steps: 10,
		},
	}
}

// on makes the change in dir, below which the configuration is, with the
// certificates of the file that prepare has put there.
func (c change) on(dir string, w atomicfile.Writer) error {
	data, err := os.ReadFile(filepath.Join(dir, "certs.pem"))
	if err != nil {
		return err
	}
	certs, err := trust.ParseCertificates(data)
	if err != nil {
		return err
	}
	return c.do(context.Background(), dirsIn(dir), w, certs)
}

func dirsIn(dir string) config.Dirs { return config.Dirs{Config: filepath.Join(dir, "notation")} }

func (c change) prepare(t *testing.T, dir string, certs []*x509.Certificate) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "certs.pem"), config.EncodeCertificates(certs), 0o600); err != nil {
		t.Fatal(err)
	}
	if c.before != nil {
		if err := c.before(dirsIn(dir), certs); err != nil {
			t.Fatal(err)
		}
	}
}

// content returns the files below the configuration in dir but those whose
// names begin with a dot, which are locks and what a crash has left, and a list
// of no keys, which is as good as none. Paths in them are written as if dir was
// empty.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, path := range tree(t, filepath.Join(dir, "notation")) {
		if info, err := os.Lstat(path); err != nil || info.IsDir() || strings.HasPrefix(info.Name(), ".") {
			continue
		}
		if text := strings.ReplaceAll(read(t, path), dir, ""); text != noKeys {
			files[strings.TrimPrefix(path, dir)] = text
		}
	}
	return files
}

// TestKilled makes every change to the configuration with every fate: killed
// before each step, an I/O error at each step, and a file system that takes no
// more in the middle of a file. Each file has the old content or the new, what
// is there can be used, and the change can be made again.
//
// attack: FS-04
func TestKilled(t *testing.T) {
	t.Parallel()
	for name, c := range changes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var certs []*x509.Certificate
			var old, want map[string]string
			longest := 0
			if !crashtest.Child() {
				certs = []*x509.Certificate{root(t, "a"), root(t, "b"), root(t, "c")}
				twin := t.TempDir()
				c.prepare(t, twin, certs)
				old = content(t, twin)
				if err := c.on(twin, atomicfile.Writer{}); err != nil {
					t.Fatal(err)
				}
				want = content(t, twin)
				for path, data := range want {
					if data != old[path] {
						longest = max(longest, len(data))
					}
				}
			}
			crashtest.Change{
				Prepare: func(t *testing.T, dir string) { c.prepare(t, dir, certs) },
				Do: func(dir string, step func() error) error {
					return c.on(dir, atomicfile.Writer{Before: func(atomicfile.Op, string) error { return step() }})
				},
				Check: func(t *testing.T, dir string, f crashtest.Fate) {
					c.check(t, dir, f, old, want)
				},
				MinSteps: c.steps,
				Longest:  longest,
			}.Test(t)
		})
	}
}

func (c change) check(t *testing.T, dir string, f crashtest.Fate, old, want map[string]string) {
	t.Helper()
	have := content(t, dir)
	paths := slices.Collect(maps.Keys(have))
	paths = slices.AppendSeq(paths, maps.Keys(old))
	for _, path := range paths {
		is, there := have[path]
		was, wasThere := old[path]
		will, willBe := want[path]
		if (there != wasThere || is != was) && (there != willBe || is != will) {
			t.Errorf("%s: %s is neither the old nor the new: %q", f.Name, path, is)
		}
	}
	switch {
	case f.Done && !maps.Equal(have, want):
		t.Errorf("%s: there is %q, want %q", f.Name, have, want)
	case !f.Done && !f.Killed && f.Code != reason.ConfigWrite && f.Code != reason.ConfigLock:
		t.Errorf("%s: the error has the code %q", f.Name, f.Code)
	case !f.Done && !f.Killed && c.together && !maps.Equal(have, old):
		t.Errorf("%s: a part of it is there: %q", f.Name, have)
	}
	checkUsable(t, dir, f)
	for _, path := range tree(t, filepath.Join(dir, "notation")) {
		if strings.HasSuffix(path, ".tmp") && !f.Killed {
			t.Errorf("%s: leaves %s", f.Name, path)
		}
		checkMode(t, path, f)
	}
	if err := c.on(dir, atomicfile.Writer{}); err != nil {
		t.Errorf("%s: it cannot be done again: %v", f.Name, err)
	}
	if again := content(t, dir); !maps.Equal(again, want) {
		t.Errorf("%s: done again, there is %q, want %q", f.Name, again, want)
	}
}

// checkUsable reads what is there as the commands do.
func checkUsable(t *testing.T, dir string, f crashtest.Fate) {
	t.Helper()
	d := dirsIn(dir)
	keys, err := d.SigningKeys()
	if err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	if k, err := keys.Find(tester); err == nil {
		paths := []string{k.KeyPath, k.CertPath, d.TestKeyFiles(tester).Stored}
		if _, cert := d.LocalKey(tester); k.CertPath != cert { // no test key
			paths = paths[1:2]
		}
		for _, path := range paths {
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: a key is registered without %v", f.Name, err)
			}
		}
	}
	if _, err := d.ReadPolicy(); err != nil && reason.Of(err) != reason.ConfigNoPolicy {
		t.Errorf("%s: %v", f.Name, err)
	}
	if _, err := os.Stat(d.TrustStore()); err != nil {
		return
	}
	_, warnings, err := trust.NewStores(os.DirFS(d.TrustStore())).Load(acme)
	if err != nil && reason.Of(err) != reason.StoreNotFound && reason.Of(err) != reason.StoreEmpty {
		t.Errorf("%s: the store cannot be loaded: %v", f.Name, err)
	}
	if len(warnings) > 0 && !f.Killed {
		t.Errorf("%s: %v", f.Name, warnings)
	}
}

// checkMode finds a secret that others may read, also in what a crash has left.
//
// attack: FS-03
func checkMode(t *testing.T, path string, f crashtest.Fate) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	secret := info.IsDir() || strings.Contains(path, ".key") || strings.Contains(path, "signingkeys")
	if secret && info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%s: %s has mode %o", f.Name, path, info.Mode().Perm())
	}
}

// TestDiskFull makes the changes on a disk that has no room for them, of which
// the names and directories may take some.
//
// attack: FS-04
func TestDiskFull(t *testing.T) {
	t.Parallel()
	if !crashtest.Mounts(t) {
		return
	}
	certs := []*x509.Certificate{root(t, "a"), root(t, "b"), root(t, "c")}
	for name, c := range changes() {
		for _, free := range []int{0, 4 << 10, 8 << 10} {
			dir := filepath.Join(t.TempDir(), "disk")
			crashtest.Disk(t, dir, 256<<10)
			c.prepare(t, dir, certs)
			old := content(t, dir)
			crashtest.Fill(t, dir, free)
			f := crashtest.Fate{Name: fmt.Sprintf("%s, %d bytes free", name, free)}
			err := c.on(dir, atomicfile.Writer{})
			f.Done, f.Code = err == nil, reason.Of(err)
			have := content(t, dir)
			if !f.Done {
				if f.Code != reason.ConfigWrite && f.Code != reason.ConfigLock || reason.Hint(err) == "" {
					t.Errorf("%s: %v", f.Name, err)
				}
				if !maps.Equal(have, old) {
					t.Errorf("%s: there is %q, want %q", f.Name, have, old)
				}
			}
			checkUsable(t, dir, f)
			if err := os.Remove(filepath.Join(dir, ".ballast")); err != nil {
				t.Fatal(err)
			}
			if err := c.on(dir, atomicfile.Writer{}); err != nil {
				t.Errorf("%s: it cannot be done afterwards: %v", f.Name, err)
			}
		}
	}
}

// TestConcurrentEditors has fifty programs change everything at once: nothing
// is lost.
//
// attack: FS-04
func TestConcurrentEditors(t *testing.T) {
	t.Parallel()
	d := newDirs(t)
	var w atomicfile.Writer
	certs := []*x509.Certificate{root(t, "a"), root(t, "b"), root(t, "c")}
	const editors = 50
	var all sync.WaitGroup
	for i := range editors {
		all.Go(func() {
			name := fmt.Sprintf("e%d", i)
			_, starter := d.TrustInStarter(t.Context(), w, trust.StoreRef{Type: trust.CA, Name: name})
			_, added := d.AddCertificates(w, acme, []config.CertificateFile{{Path: name + ".crt", Certs: certs[i%3 : i%3+1]}})
			if err := errors.Join(starter, added, addKey(t.Context(), d, w, name)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	keys, err := d.SigningKeys()
	if err != nil || len(keys.All()) != editors {
		t.Errorf("%d keys: %v", len(keys.All()), err)
	}
	p, err := d.ReadPolicy()
	if err != nil {
		t.Fatal(err)
	}
	for i := range editors {
		if name := fmt.Sprintf(`"ca:e%d"`, i); !strings.Contains(read(t, p.Path), name) {
			t.Errorf("the policy lacks %s", name)
		}
	}
	anchors, _, err := trust.NewStores(os.DirFS(d.TrustStore())).Load(acme)
	if err != nil {
		t.Error(err)
	}
	for _, c := range certs {
		if !slices.ContainsFunc(anchors, c.Equal) {
			t.Error("a certificate is lost")
		}
	}
}
