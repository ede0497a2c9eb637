package config

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
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

// CertificateFile is a file of certificates on its way into a trust store.
type CertificateFile struct {
	Path  string // where it came from; its last part names the file in the store
	Certs []*x509.Certificate
}

// AddedFile says what became of a [CertificateFile].
type AddedFile struct {
	Path string // of the file in the store; "" if every certificate was there
	New  int    // certificates that were added
	Had  int    // certificates that were there already
}

// AddCertificates puts certificates into a trust store: all of them or, after
// an error, none. Certificates that the store holds already are left out.
// Every one is checked to be an anchor of that type, so that the store can
// still be loaded afterwards.
//
// Several programs may add at the same time: where another one takes the name
// of a file first, the store is read again.
func (d Dirs) AddCertificates(w atomicfile.Writer, ref trust.StoreRef, files []CertificateFile) (added []AddedFile, err error) {
	for range addTries {
		added, err = d.addCertificates(w, ref, files)
		if reason.Of(err) != reason.ConfigExists {
			break
		}
	}
	return added, err
}

func (d Dirs) addCertificates(w atomicfile.Writer, ref trust.StoreRef, files []CertificateFile) ([]AddedFile, error) {
	if err := d.checkStoreDir(ref); err != nil {
		return nil, err
	}
	known, names, err := d.storeContent(ref)
	if err != nil {
		return nil, err
	}
	changes := journal{w: w}
	dir := d.Store(ref)
	added := make([]AddedFile, len(files))
	for i, f := range files {
		var news []*x509.Certificate
		for _, c := range f.Certs {
			if err := trust.CheckAnchor(ref.Type, c); err != nil {
				changes.rollback()
				return nil, InFile(f.Path, err)
			}
			if sum := sha256.Sum256(c.Raw); !known[sum] {
				known[sum] = true
				news = append(news, c)
			}
		}
		added[i] = AddedFile{New: len(news), Had: len(f.Certs) - len(news)}
		if len(news) == 0 {
			continue
		}
		name := freeName(filepath.Base(f.Path), news[0], names)
		names = append(names, name)
		added[i].Path = filepath.Join(dir, name)
		err := changes.mkdirAll(dir)
		if err == nil {
			err = changes.create(added[i].Path, EncodeCertificates(news), atomicfile.ModePublic)
		}
		if err != nil {
			changes.rollback()
			return nil, err
		}
	}
	return added, nil
}

// checkStoreDir refuses a store whose directory is no directory or would, on
// some file systems, be that of another store.
func (d Dirs) checkStoreDir(ref trust.StoreRef) error {
	if err := trust.CheckStoreName(ref.Name); err != nil {
		return err
	}
	dir := d.Store(ref)
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return reason.Wrap(reason.ConfigRead, err, "trust stores in %q cannot be listed", filepath.Dir(dir)).WithHint("check who may read it")
	}
	for _, e := range entries {
		switch {
		case e.Name() == ref.Name && !e.IsDir():
			return reason.Errorf(reason.ConfigNotRegular, "%q is not a directory", dir).WithHint("replace it by a directory, or choose another store")
		case e.Name() != ref.Name && strings.EqualFold(e.Name(), ref.Name):
			return reason.Errorf(reason.ConfigNameTaken, "there is a trust store %q, whose name differs only in case", e.Name()).
				WithHint("use that store, or choose another name")
		}
	}
	return nil
}

// storeContent returns the certificates of a store and the names in its
// directory. A store that is there but cannot be loaded is an error: what is
// added to it would not count.
func (d Dirs) storeContent(ref trust.StoreRef) (known map[[sha256.Size]byte]bool, names []string, err error) {
	known = map[[sha256.Size]byte]bool{}
	entries, err := os.ReadDir(d.Store(ref))
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil, nil
	}
	if err != nil {
		return nil, nil, reason.Wrap(reason.ConfigRead, err, "trust store %q cannot be listed", ref).WithHint("check who may read it")
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	root, err := os.OpenRoot(d.TrustStore())
	if err != nil {
		return nil, nil, reason.Wrap(reason.ConfigRead, err, "trust stores cannot be opened").WithHint("check who may read them")
	}
	defer root.Close()
	certs, _, err := trust.NewStores(root.FS()).Load(ref)
	if err != nil && reason.Of(err) != reason.StoreEmpty {
		return nil, nil, err
	}
	for _, c := range certs {
		known[sha256.Sum256(c.Raw)] = true
	}
	return known, names, nil
}

// freeName returns the name for a new file in a store: that of the file it
// came from where it is safe and free, else with part of the certificate's
// fingerprint.
func freeName(base string, cert *x509.Certificate, taken []string) string {
	ext := filepath.Ext(base)
	stem := strings.TrimSuffix(base, ext)
	switch strings.ToLower(ext) {
	case ".pem", ".crt", ".cer":
	default:
		stem, ext = base, ".pem"
	}
	if CheckName(stem) != nil {
		stem = "certificate"
	}
	free := func(name string) bool {
		return !slices.ContainsFunc(taken, func(t string) bool { return strings.EqualFold(t, name) })
	}
	if free(stem + ext) {
		return stem + ext
	}
	return stem + "-" + Fingerprint(cert)[:16] + ext
}

// Fingerprint returns the SHA-256 of a certificate in lower-case hex.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// EncodeCertificates returns certificates in PEM.
func EncodeCertificates(certs []*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, c := range certs {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // a Buffer takes everything
	}
	return b.Bytes()
}

// StoreFiles returns the names of the files in a store's directory, also of
// those that cannot be loaded. A store that does not exist has none.
func (d Dirs) StoreFiles(ref trust.StoreRef) ([]string, error) {
	if err := d.checkStoreDir(ref); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(d.Store(ref))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, reason.Wrap(reason.ConfigRead, err, "trust store %q cannot be listed", ref).WithHint("check who may read it")
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// RemoveCertificates removes files from a store, and the store when nothing is
// left in it. Each name must be one of [Dirs.StoreFiles].
func (d Dirs) RemoveCertificates(w atomicfile.Writer, ref trust.StoreRef, names []string) error {
	have, err := d.StoreFiles(ref)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.Contains(have, name) {
			return reason.Errorf(reason.ConfigRead, "trust store %q has no file %q", ref, name).
				WithHint("see its files with 'notation cert list --type %s --store %s'", ref.Type, ref.Name)
		}
	}
	for _, name := range names {
		if err := w.Remove(filepath.Join(d.Store(ref), name)); err != nil {
			return err
		}
	}
	_ = os.Remove(d.Store(ref)) // fails as long as something is in it
	return nil
}

// InFile names the file that an error is about and keeps its code and hint.
func InFile(path string, err error) error {
	return reason.Wrap(reason.Of(err), err, "file %q", path).WithHint("%s", reason.Hint(err))
}

// journal undoes what was created when a later step fails.
type journal struct {
	w       atomicfile.Writer
	created []string
}

// mkdirAll makes a directory and records which of its parents are new.
func (j *journal) mkdirAll(dir string) error {
	var missing []string
	for p := dir; ; p = filepath.Dir(p) {
		if _, err := os.Lstat(p); err == nil || p == filepath.Dir(p) {
			break
		}
		missing = append(missing, p)
	}
	slices.Reverse(missing)
	j.created = append(j.created, missing...)
	return j.w.MkdirAll(dir)
}

func (j *journal) create(path string, data []byte, mode fs.FileMode) error {
	if err := j.w.Create(path, data, mode); err != nil {
		return err
	}
	j.created = append(j.created, path)
	return nil
}

// rollback removes what was created, latest first. A directory that someone
// else has put something into meanwhile stays.
func (j *journal) rollback() {
	for _, path := range slices.Backward(j.created) {
		_ = os.Remove(path)
	}
}
