package config

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// TestKey is a key for tests with its self-signed certificate.
type TestKey struct {
	Name    string
	KeyPEM  []byte
	Cert    *x509.Certificate
	Default bool // make it the default key
}

// TestKeyFiles says where the parts of a test key lie.
type TestKeyFiles struct {
	Key, Cert string // in localkeys
	Copy      string // of the certificate, in certificate
	Stored    string // the certificate in the trust store
	Store     trust.StoreRef
}

// TestKeyFiles returns the files of the test key of that name.
func (d Dirs) TestKeyFiles(name string) TestKeyFiles {
	store := trust.StoreRef{Type: trust.CA, Name: name}
	f := TestKeyFiles{Copy: d.TestCertificate(name), Store: store, Stored: filepath.Join(d.Store(store), name+".crt")}
	f.Key, f.Cert = d.LocalKey(name)
	return f
}

// all returns the paths in the order in which they are written: the key first,
// trust in it last.
func (f TestKeyFiles) all() []string { return []string{f.Key, f.Cert, f.Copy, f.Stored} }

// AddTestKey writes a test key and its certificate, trusts the certificate in
// a store of its own and, last, registers the key. No name that is in use, in
// any case, is taken. After an error nothing is left; after a crash, files of
// a key that is not registered may be, which [Dirs.RemoveTestKey] removes.
func (d Dirs) AddTestKey(ctx context.Context, w atomicfile.Writer, k TestKey) error {
	if err := d.CheckTestKeyName(k.Name); err != nil {
		return err
	}
	files := d.TestKeyFiles(k.Name)
	cert := EncodeCertificates([]*x509.Certificate{k.Cert})
	changes := journal{w: w}
	err := func() error {
		for _, path := range files.all() {
			data, mode := cert, atomicfile.ModePublic
			if path == files.Key {
				data, mode = k.KeyPEM, atomicfile.ModeSecret
			}
			if err := changes.mkdirAll(filepath.Dir(path)); err != nil {
				return err
			}
			if err := changes.create(path, data, mode); err != nil {
				return err
			}
		}
		return d.EditSigningKeys(ctx, w, func(keys *SigningKeys) error {
			if err := keys.Add(Key{Name: k.Name, KeyPath: files.Key, CertPath: files.Cert}); err != nil {
				return err
			}
			if k.Default {
				return keys.SetDefault(k.Name)
			}
			return nil
		})
	}()
	if err != nil {
		d.unregister(k.Name, files.Key)
		changes.rollback()
	}
	return err
}

// unregister takes back a registration whose writing has failed at the very
// end, when the new file was in place already.
func (d Dirs) unregister(name, keyPath string) {
	keys, err := d.SigningKeys()
	if err != nil {
		return
	}
	if k, err := keys.Find(name); err != nil || k.KeyPath != keyPath {
		return
	}
	_ = d.EditSigningKeys(context.Background(), atomicfile.Writer{}, func(keys *SigningKeys) error { return keys.Remove(name) })
}

// CheckTestKeyName reports a name that no test key may have, because it is
// malformed or in use.
func (d Dirs) CheckTestKeyName(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	keys, err := d.SigningKeys()
	if err != nil {
		return err
	}
	for _, k := range keys.All() {
		if strings.EqualFold(k.Name, name) {
			return nameTaken("key", k.Name, name)
		}
	}
	files := d.TestKeyFiles(name)
	for _, path := range append(files.all(), d.Store(files.Store)) {
		if other := sameName(path); other != "" {
			return nameTaken("file", other, name)
		}
	}
	return nil
}

func nameTaken(what, other, name string) error {
	return reason.Errorf(reason.ConfigNameTaken, "there is a %s %q already", what, other).
		WithHint("choose another name, or remove the test key with 'notation cert cleanup-test %s'", name)
}

// sameName returns the path of what has path's name, in any case, or "".
func sameName(path string) string {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return ""
	}
	base := filepath.Base(path)
	i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return strings.EqualFold(e.Name(), base) })
	if i < 0 {
		return ""
	}
	return filepath.Join(filepath.Dir(path), entries[i].Name())
}

// RemoveTestKey removes what is there of a test key: its registration first,
// then its files, then the certificate from its store. It returns what it
// removed. A registered key whose files are elsewhere is no test key and is
// refused.
func (d Dirs) RemoveTestKey(ctx context.Context, w atomicfile.Writer, name string) (removed []string, err error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	files := d.TestKeyFiles(name)
	keys, err := d.SigningKeys()
	if err != nil {
		return nil, err
	}
	if k, err := keys.Find(name); err == nil {
		if k.KeyPath != files.Key {
			return nil, reason.Errorf(reason.ConfigKeyUnknown, "key %q was not made by 'notation cert generate-test'", name).
				WithHint("remove it with 'notation key delete %s'", name)
		}
		if err := d.EditSigningKeys(ctx, w, func(keys *SigningKeys) error { return keys.Remove(name) }); err != nil {
			return nil, err
		}
		removed = append(removed, "key "+name)
	}
	for _, path := range slices.Backward(files.all()) {
		w.Sweep(path)
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) || path == files.Stored && !sameContent(path, files.Cert) {
			continue
		}
		if err := w.Remove(path); err != nil {
			return removed, err
		}
		removed = append(removed, path)
	}
	_ = os.Remove(d.Store(files.Store)) // fails as long as something is in it
	if len(removed) == 0 {
		return nil, reason.Errorf(reason.ConfigKeyUnknown, "there is no test key named %q", name).
			WithHint("see the keys with 'notation key list'")
	}
	return removed, nil
}

// sameContent reports whether two files of certificates are the same. A store
// may hold another certificate under a test key's name.
func sameContent(a, b string) bool {
	one, err := atomicfile.Read(a, MaxCertificateFileBytes)
	if err != nil {
		return false
	}
	other, err := atomicfile.Read(b, MaxCertificateFileBytes)
	return err == nil && bytes.Equal(one, other)
}
