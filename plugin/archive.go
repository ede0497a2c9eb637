package plugin

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/notaryv2/notation/reason"
)

// sourceFile is a file that may be an archive.
type sourceFile interface {
	io.Reader
	io.ReaderAt
	io.Seeker
}

// unpack puts the program that file is, or holds, into dir as a host finds it,
// and returns the plugin's name. What file is, its first bytes say.
func unpack(file sourceFile, fileName, dir string) (name string, err error) {
	var magic [4]byte
	if _, err := file.ReadAt(magic[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return "", writeFault(err)
	}
	t := &target{dir: dir}
	switch {
	case bytes.HasPrefix(magic[:], []byte{0x1f, 0x8b}): // RFC 1952 section 2.3.1
		err = unpackTar(file, t)
	case bytes.Equal(magic[:], []byte("PK\x03\x04")), bytes.Equal(magic[:], []byte("PK\x05\x06")): // APPNOTE sections 4.3.7, 4.3.16
		err = unpackZip(file, t)
	default:
		err = t.single(file, fileName)
	}
	if err != nil {
		return "", err
	}
	if t.name == "" {
		return "", badArchive("holds no file notation-<name>").WithHint("Check that it is the archive of a plugin for this system.")
	}
	return t.name, nil
}

func badArchive(format string, args ...any) *reason.Error {
	return reason.Errorf(reason.PluginArchive, "the archive "+format, args...).
		WithHint("Do not unpack it; get the archive from the maker of the plugin.")
}

// entry is what both kinds of archives say about a file.
type entry struct {
	name string
	mode fs.FileMode
	size uint64
}

// target takes in the entries of an archive, one after another.
type target struct {
	dir   string
	name  string          // of the plugin, once it was found
	seen  map[string]bool // names in lower case, as some file systems see them
	total uint64          // bytes announced
}

// single takes a file that is the program itself.
func (t *target) single(file io.Reader, fileName string) error {
	name, ok := nameOf(fileName)
	for _, suffix := range []string{".gz", ".tgz", ".tar", ".zip"} {
		ok = ok && !strings.HasSuffix(strings.ToLower(name), suffix)
	}
	if !ok {
		return badSource("%s is neither an archive nor named like a plugin", quote(fileName)).
			WithHint("Give an archive (.tar.gz or .zip), or a program with the name notation-NAME.")
	}
	return t.write(name, file)
}

// admit holds an entry against the rules and reports whether it is the program.
// Nothing else of an archive is installed, but every entry is looked at: who
// makes an archive with a bad one has no good in mind.
func (t *target) admit(e entry) (program bool, err error) {
	if t.seen == nil {
		t.seen = map[string]bool{}
	}
	if e.mode.IsDir() && (e.name == "./" || e.name == ".") {
		return false, nil
	}
	name := strings.TrimPrefix(e.name, "./")
	lower := strings.ToLower(name)
	t.total += e.size
	switch {
	case len(t.seen) == maxEntries:
		return false, badArchive("has more than %d entries", maxEntries)
	case !plainName(name):
		return false, badArchive("has an entry %s, which is no plain file name", quote(e.name))
	case t.seen[lower]:
		return false, badArchive("has the entry %s twice", quote(e.name))
	case !e.mode.IsRegular():
		return false, badArchive("has an entry %s, which is no regular file", quote(e.name))
	case e.mode&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0:
		return false, badArchive("has an entry %s with special rights", quote(e.name))
	case e.size > maxUnpacked || t.total > maxUnpacked:
		return false, badArchive("has more than %d MiB unpacked", maxUnpacked>>20)
	}
	t.seen[lower] = true
	if !strings.HasPrefix(lower, prefix) {
		return false, nil
	}
	plugin, ok := nameOf(name)
	switch {
	case !ok:
		return false, badArchive("has an entry %s, which is no name of a plugin", quote(e.name))
	case t.name != "":
		return false, badArchive("holds more than one plugin")
	}
	t.name = plugin
	return true, nil
}

// plainName reports whether a name is one element of a path on every system.
func plainName(name string) bool {
	if name == "" || len(name) > maxName+len(prefix)+len(".exe") || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") {
		return false
	}
	return printable(name) && !strings.ContainsAny(name, `/\:*?"<>|`) && !isDevice(name)
}

// write makes the program's directory and file.
func (t *target) write(name string, content io.Reader) error {
	t.name = name
	dir := filepath.Join(t.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return writeFault(err)
	}
	for _, d := range []string{t.dir, dir} { // whatever the umask
		if err := os.Chmod(d, 0o755); err != nil {
			return writeFault(err)
		}
	}
	file, err := os.OpenFile(filepath.Join(dir, fileName(name)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return writeFault(err)
	}
	source := &remember{from: io.LimitReader(content, maxUnpacked+1)}
	n, err := io.Copy(file, source)
	if err == nil {
		err = errors.Join(file.Chmod(0o755), file.Sync())
	}
	err = errors.Join(err, file.Close())
	switch {
	case source.err != nil:
		return reason.Wrap(reason.PluginArchive, source.err, "the archive is broken").WithHint("Get it again.")
	case err != nil:
		return writeFault(err)
	case n > maxUnpacked:
		return badArchive("has more than %d MiB unpacked", maxUnpacked>>20)
	}
	return nil
}

// remember keeps the error of a reader, to tell it from that of the writer.
type remember struct {
	from io.Reader
	err  error
}

func (r *remember) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

func broken(err error) error {
	return reason.Wrap(reason.PluginArchive, err, "the archive is broken").WithHint("Get it again.")
}

func unpackTar(file io.Reader, t *target) error {
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return broken(err)
	}
	// The entries, their headers and the padding together.
	limited := &io.LimitedReader{R: unzipped, N: maxUnpacked + maxDirectory}
	archive := tar.NewReader(limited)
	for {
		header, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && limited.N <= 0:
			return badArchive("has more than %d MiB unpacked", maxUnpacked>>20)
		case err != nil:
			return broken(err)
		}
		if err := sparse(header); err != nil {
			return err
		}
		program, err := t.admit(entry{name: header.Name, mode: tarMode(header), size: uint64(max(header.Size, 0))})
		if err == nil && program {
			err = t.write(t.name, archive)
		}
		if err != nil {
			return err
		}
	}
}

// sparse refuses files that are longer than what the archive holds of them.
func sparse(h *tar.Header) error {
	bad := h.Typeflag == tar.TypeGNUSparse
	for key := range h.PAXRecords {
		bad = bad || strings.HasPrefix(key, "GNU.sparse.")
	}
	if bad {
		return badArchive("has a sparse entry %s", quote(h.Name))
	}
	return nil
}

// tarMode returns the mode of an entry. Hard links and whatever else is no file
// of its own are taken for irregular, which the permission bits do not show.
func tarMode(h *tar.Header) fs.FileMode {
	mode := h.FileInfo().Mode()
	if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir {
		mode |= fs.ModeIrregular
	}
	return mode
}

func unpackZip(file sourceFile, t *target) error {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return writeFault(err)
	}
	// The list of entries is read as a whole. Its length is bounded by what may
	// be read for it, since what the archive says of it need not be true.
	budget := &budgeted{from: file, left: maxDirectory}
	archive, err := zip.NewReader(budget, size)
	if err != nil {
		return broken(err)
	}
	budget.left = maxUnpacked
	for _, f := range archive.File {
		program, err := t.admit(entry{name: f.Name, mode: f.Mode(), size: f.UncompressedSize64})
		if err == nil && program {
			err = writeZipped(f, t)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func writeZipped(f *zip.File, t *target) error {
	const encrypted = 1 // APPNOTE section 4.4.4
	if f.Flags&encrypted != 0 {
		return badArchive("is encrypted")
	}
	content, err := f.Open()
	if err != nil {
		return broken(err)
	}
	defer content.Close()
	return t.write(t.name, content)
}

// errBudget ends the reading of a list of entries that is too long.
var errBudget = errors.New("the list of its entries is too long")

type budgeted struct {
	from io.ReaderAt
	left int64
}

func (b *budgeted) ReadAt(p []byte, off int64) (int, error) {
	if int64(len(p)) > b.left {
		return 0, errBudget
	}
	n, err := b.from.ReadAt(p, off)
	b.left -= int64(n)
	return n, err
}
