package trust

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/notaryv2/notation/reason"
)

// readStore reads the store TYPE/NAME of fsys. It opens regular files only:
// a link might lead out of the store, a FIFO would never end. It reports every
// bad file, not just the first.
func readStore(fsys fs.FS, ref StoreRef) (anchors []Anchor, warnings []error, err error) {
	entries, err := openStore(fsys, ref)
	if err != nil {
		return nil, nil, err
	}
	dir := path.Join(ref.Type.String(), ref.Name)
	if info, err := fs.Lstat(fsys, dir); err == nil && othersWrite(info) {
		warnings = append(warnings, writable(dir))
	}
	var bad []error
	for _, e := range entries {
		if len(bad) == maxProblems {
			return nil, warnings, joinCapped(bad, true)
		}
		name := path.Join(dir, e.Name())
		switch {
		case e.IsDir():
			warnings = append(warnings, ignored(name, "it is a directory"))
			continue
		case strings.HasPrefix(e.Name(), "."):
			warnings = append(warnings, ignored(name, "its name begins with a dot"))
			continue
		case !isCertificateName(name):
			warnings = append(warnings, ignored(name, "it does not end in .pem, .crt or .cer"))
			continue
		}
		found, info, err := readAnchors(fsys, ref.Type, name)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		if othersWrite(info) {
			warnings = append(warnings, writable(name))
		}
		if anchors = append(anchors, found...); len(anchors) > maxCertificatesPerStore {
			return nil, nil, errTooMany(ref)
		}
	}
	if len(bad) > 0 {
		return nil, warnings, joinCapped(bad, false)
	}
	if len(anchors) == 0 {
		return nil, warnings, errEmpty(ref)
	}
	return anchors, warnings, nil
}

// openStore lists the directory of a store.
func openStore(fsys fs.FS, ref StoreRef) ([]fs.DirEntry, error) {
	stores, err := readTypeDir(fsys, ref.Type)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNotFound(ref)
	}
	if err != nil {
		return nil, err
	}
	// Looking the name up in the listing, not in the file system, keeps Acme
	// and acme apart where the file system would not.
	i := slices.IndexFunc(stores, func(e fs.DirEntry) bool { return e.Name() == ref.Name })
	if i < 0 {
		return nil, errNotFound(ref)
	}
	dir := path.Join(ref.Type.String(), ref.Name)
	if !stores[i].IsDir() {
		return nil, notDirectory(dir, stores[i].Type())
	}
	return readDir(fsys, dir)
}

// readTypeDir lists the stores of a type. The error is fs.ErrNotExist if there
// is no directory for it.
func readTypeDir(fsys fs.FS, t StoreType) ([]fs.DirEntry, error) {
	dir := t.String()
	info, err := fs.Lstat(fsys, dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fs.ErrNotExist
	case err != nil:
		return nil, unreadable(dir, err)
	case !info.IsDir():
		return nil, notDirectory(dir, info.Mode().Type())
	}
	return readDir(fsys, dir)
}

// readDir lists a directory within bounds, ordered by name.
func readDir(fsys fs.FS, dir string) ([]fs.DirEntry, error) {
	f, err := fsys.Open(dir)
	if err != nil {
		return nil, unreadable(dir, err)
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil, unreadable(dir, fs.ErrInvalid)
	}
	entries, err := d.ReadDir(maxStoreEntries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, unreadable(dir, err)
	}
	if len(entries) > maxStoreEntries {
		return nil, reason.Errorf(reason.StoreTooLarge, "%s has more than %d entries", plain(dir), maxStoreEntries).
			WithHint("remove what does not belong there")
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// readAnchors reads the anchors of one file.
func readAnchors(fsys fs.FS, t StoreType, name string) ([]Anchor, fs.FileInfo, error) {
	data, info, err := readRegular(fsys, name)
	if err != nil {
		return nil, nil, err
	}
	certs, err := ParseCertificates(data)
	if err != nil {
		return nil, nil, inFile(name, err)
	}
	anchors := make([]Anchor, len(certs))
	for i, cert := range certs {
		if err := checkAnchor(t, cert); err != nil {
			return nil, nil, inFile(name, err)
		}
		anchors[i] = Anchor{Certificate: cert, File: name}
	}
	return anchors, info, nil
}

// readRegular reads a regular file within bounds. It looks before it opens, and
// once more at what it has opened.
func readRegular(fsys fs.FS, name string) ([]byte, fs.FileInfo, error) {
	info, err := fs.Lstat(fsys, name)
	if err != nil {
		return nil, nil, unreadable(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, notRegular(name, info.Mode().Type())
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, nil, unreadable(name, err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, nil, unreadable(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, notRegular(name, info.Mode().Type())
	}
	data, err := io.ReadAll(io.LimitReader(f, maxCertificateFileBytes+1))
	if err != nil {
		return nil, nil, unreadable(name, err)
	}
	return data, info, nil // ParseCertificates refuses the one byte too many
}

func isCertificateName(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".pem", ".crt", ".cer":
		return true
	}
	return false
}

// othersWrite reports whether users other than the owner may change a file or
// directory. Windows keeps no such bits; Go invents them there.
func othersWrite(info fs.FileInfo) bool {
	return runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0
}

func writable(name string) error {
	return reason.Errorf(reason.StoreWritable, "%s can be written by others than its owner", plain(name)).
		WithHint("take the permission away: chmod go-w %s", plain(name))
}

func ignored(name, why string) error {
	return reason.Errorf(reason.StoreIgnored, "%s is ignored: %s", plain(name), why).
		WithHint("remove it from the trust store")
}

func unreadable(name string, err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err // the path has been named
	}
	return reason.Wrap(reason.StoreUnreadable, err, "%s cannot be read", plain(name)).
		WithHint("check that the file is there and that you may read it")
}

func notRegular(name string, mode fs.FileMode) error {
	return reason.Errorf(reason.StoreNotRegular, "%s is a %s, not a regular file", plain(name), typeName(mode)).
		WithHint("put the certificate file itself in its place; %s", volumes)
}

func notDirectory(name string, mode fs.FileMode) error {
	return reason.Errorf(reason.StoreNotRegular, "%s is a %s, not a directory", plain(name), typeName(mode)).
		WithHint("put the directory itself in its place, with copies of the files; %s", volumes)
}

// volumes says why a store may consist of links without anybody's intent.
const volumes = "the volumes of Kubernetes hold links, so mount each certificate by itself with subPath, or copy them with an init container"

func typeName(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "symbolic link"
	case mode&fs.ModeDir != 0:
		return "directory"
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&(fs.ModeDevice|fs.ModeCharDevice) != 0:
		return "device"
	case mode&fs.ModeIrregular != 0:
		return "special file"
	default:
		return "regular file"
	}
}

// inFile names the file that an error is about.
func inFile(name string, err error) error {
	e, ok := errors.AsType[*reason.Error](err)
	if !ok {
		return err
	}
	c := *e
	c.Message = plain(name) + ": " + c.Message
	return &c
}
