package config

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"path/filepath"
	"strings"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/reason"
)

// NewKey is a key in a file on its way into the list.
type NewKey struct {
	Name string
	// KeyPath is where the private key is, absolute; it stays there. If it is "",
	// KeyPEM is written among the local keys.
	KeyPath string
	KeyPEM  []byte
	// Chain is kept in a file of its own among the local keys.
	Chain   []*x509.Certificate
	Default bool // make it the default key
}

// GeneratedKey returns the path of a private key that this program has made, or
// imported, under a name.
func (d Dirs) GeneratedKey(name string) string {
	key, _ := d.LocalKey(name)
	return key
}

// CheckNewKey reports, with code config.name-taken, that a key of that name
// cannot be made: one is listed, or a file is there, in any case.
func (d Dirs) CheckNewKey(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	keys, err := d.SigningKeys()
	if err != nil {
		return err
	}
	if err := keys.Add(Key{Name: name}); err != nil {
		return err
	}
	if other := sameName(d.GeneratedKey(name)); other != "" {
		return reason.Errorf(reason.ConfigNameTaken, "there is a private key %q already", other).
			WithHint("choose another name, or move the file away")
	}
	return nil
}

// WriteKey writes a private key of that name among the local keys and returns
// its path. None that is there is replaced.
func (d Dirs) WriteKey(w atomicfile.Writer, name string, keyPEM []byte) (path string, err error) {
	if err := d.CheckNewKey(name); err != nil {
		return "", err
	}
	path = d.GeneratedKey(name)
	if err := w.MkdirAll(filepath.Dir(path)); err != nil {
		return "", err
	}
	return path, w.Create(path, keyPEM, atomicfile.ModeSecret)
}

// AddKey lists a key and keeps its chain: all or, after an error, nothing.
func (d Dirs) AddKey(ctx context.Context, w atomicfile.Writer, k NewKey) (Key, error) {
	key := Key{Name: k.Name, KeyPath: k.KeyPath}
	trial, err := d.SigningKeys()
	if err == nil {
		err = trial.Add(key)
	}
	if err == nil && k.KeyPath == "" {
		err = d.CheckNewKey(k.Name)
	}
	if err != nil {
		return Key{}, err
	}
	changes := journal{w: w}
	if k.KeyPath == "" {
		key.KeyPath = d.GeneratedKey(k.Name)
		if err = changes.mkdirAll(filepath.Dir(key.KeyPath)); err == nil {
			err = changes.create(key.KeyPath, k.KeyPEM, atomicfile.ModeSecret)
		}
	}
	if err == nil {
		key.CertPath, err = d.keepChain(&changes, k.Name, k.Chain)
	}
	if err == nil {
		err = d.putKey(ctx, w, key, k.Default, (*SigningKeys).Add)
	}
	if err != nil {
		changes.rollback()
		return Key{}, err
	}
	return key, nil
}

// RenewKey gives a listed key in a file another chain and, if k.KeyPath is not
// "", another private key. Whoever signs meanwhile finds the old pair or the new
// one, whole: the list changes in one step, and the files that it named stay.
func (d Dirs) RenewKey(ctx context.Context, w atomicfile.Writer, k NewKey) (Key, error) {
	keys, err := d.SigningKeys()
	if err != nil {
		return Key{}, err
	}
	key, err := keys.Find(k.Name)
	if err != nil {
		return Key{}, err
	}
	if k.KeyPath != "" {
		key.KeyPath = k.KeyPath
	}
	changes := journal{w: w}
	if key.CertPath, err = d.keepChain(&changes, k.Name, k.Chain); err == nil {
		err = d.putKey(ctx, w, key, k.Default, (*SigningKeys).Replace)
	}
	if err != nil {
		changes.rollback()
		return Key{}, err
	}
	return key, nil
}

// putKey puts a key into the list. Where that fails at the very end, when the new
// list is in place already, the old one is put back, as the files of the key are
// about to go.
func (d Dirs) putKey(ctx context.Context, w atomicfile.Writer, key Key, makeDefault bool, put func(*SigningKeys, Key) error) error {
	var old keysFile
	written := false
	err := d.EditSigningKeys(ctx, w, func(keys *SigningKeys) error {
		old = keys.keys
		if err := put(keys, key); err != nil {
			return err
		}
		written = true
		if makeDefault {
			return keys.SetDefault(key.Name)
		}
		return nil
	})
	if err == nil || !written {
		return err
	}
	keys, readErr := d.SigningKeys()
	if readErr != nil {
		return err
	}
	if now, findErr := keys.Find(key.Name); findErr != nil || now.KeyPath != key.KeyPath || now.CertPath != key.CertPath {
		return err
	}
	_ = d.EditSigningKeys(context.WithoutCancel(ctx), atomicfile.Writer{}, func(keys *SigningKeys) error { // err is what matters
		before := SigningKeys{keys: old}
		was, findErr := before.Find(key.Name)
		if findErr != nil {
			findErr = keys.Remove(key.Name)
		} else {
			findErr = keys.Replace(was)
		}
		keys.keys.Default = old.Default
		return findErr
	})
	return err
}

// keepChain writes a chain among the local keys. The file is named after what is
// in it, so that it never changes.
func (d Dirs) keepChain(changes *journal, name string, chain []*x509.Certificate) (path string, err error) {
	data := EncodeCertificates(chain)
	sum := sha256.Sum256(data)
	path = strings.TrimSuffix(d.GeneratedKey(name), ".key") + "-" + hex.EncodeToString(sum[:8]) + ".crt"
	if err := changes.mkdirAll(filepath.Dir(path)); err != nil {
		return "", err
	}
	if there, err := atomicfile.Read(path, MaxCertificateFileBytes); err == nil && string(there) == string(data) {
		return path, nil
	}
	return path, changes.create(path, data, atomicfile.ModePublic)
}
