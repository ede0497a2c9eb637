package layout

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/notaryv2/notation/reason"
)

// tarball says where the files of a tarball are, as it was when scanned.
type tarball struct {
	info    fs.FileInfo // of the file then
	entries map[string]tarEntry
	order   []tarEntry
}

// tarEntry is one entry: bytes start to end are its headers, content and
// padding, and data is where its size bytes of content begin.
type tarEntry struct {
	name             string
	start, data, end int64
	size             int64
	regular          bool
}

// isOf reports whether t still describes the file of that info.
func (t *tarball) isOf(info fs.FileInfo) bool {
	return t != nil && os.SameFile(t.info, info) && t.info.Size() == info.Size() && t.info.ModTime().Equal(info.ModTime())
}

// tarFiles are the files of an open tarball.
type tarFiles struct {
	*tarball
	file interface {
		io.ReaderAt
		io.Closer
	}
}

func (t tarFiles) close() { _ = t.file.Close() }

func (t tarFiles) open(name string) (io.ReadCloser, int64, error) {
	e, ok := t.entries[name]
	switch {
	case !ok:
		return nil, 0, notFound(name)
	case !e.regular:
		return nil, 0, reason.Errorf(reason.OCILayoutFile, "%s is a directory, not a regular file", name)
	}
	return io.NopCloser(io.NewSectionReader(t.file, e.data, e.size)), e.size, nil
}

// scanTar reads the headers of a tarball. Only plain files and directories
// with plain relative names are accepted, and no name twice: which of two
// entries counts is where readers differ.
func scanTar(ctx context.Context, file io.ReaderAt, size int64) (*tarball, error) {
	if size > maxTarSize {
		return nil, reason.Errorf(reason.OCITooLarge, "tarball is %d bytes long, more than the limit of %d", size, int64(maxTarSize))
	}
	if err := checkCompression(file); err != nil {
		return nil, err
	}
	section := io.NewSectionReader(file, 0, size)
	t := &tarball{entries: map[string]tarEntry{}}
	r := tar.NewReader(section)
	end := int64(0)
	for {
		if err := ctx.Err(); err != nil {
			return nil, givenUp(err, "reading the tarball")
		}
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, malformedTar(err, len(t.order))
		}
		// The reader takes exactly the headers, so it stands at the content.
		data, err := section.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, reason.Wrap(reason.OCIRead, err, "cannot read the tarball")
		}
		e := tarEntry{start: end, data: data, size: h.Size}
		if e.name, err = entryName(h); err != nil {
			return nil, err
		}
		e.regular = h.Typeflag == tar.TypeReg
		if h.Size > size-data {
			return nil, reason.Errorf(reason.OCILayoutTar, "tarball ends inside its entry %s", quote(h.Name)).WithHint(hintCut)
		}
		e.end = min(data+(h.Size+tarBlock-1)/tarBlock*tarBlock, size)
		end = e.end
		if err := t.add(e); err != nil {
			return nil, err
		}
	}
}

// hintCut is for a tarball that is shorter than it says.
const hintCut = "the tarball was cut short; copy or write it again"

// malformedTar is the error for what the reader of tarballs does not accept
// after some entries.
func malformedTar(err error, entries int) error {
	switch {
	case errors.Is(err, fs.ErrPermission), errors.As(err, new(*fs.PathError)):
		return reason.Wrap(reason.OCIRead, cause(err), "cannot read the tarball")
	case entries == 0:
		return reason.Errorf(reason.OCILayout, "the file is no tarball").
			WithHint("name a layout directory, or a .tar of one")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return reason.Errorf(reason.OCILayoutTar, "tarball ends after entry %d", entries).WithHint(hintCut)
	}
	return reason.Wrap(reason.OCILayoutTar, err, "tarball is malformed after entry %d", entries).
		WithHint("copy the tarball again, or write it anew: tar -C DIR -cf FILE .")
}

// add records an entry. Directories may be given more than once.
func (t *tarball) add(e tarEntry) error {
	if len(t.order) >= maxTarEntries {
		return reason.Errorf(reason.OCITooLarge, "tarball has more than %d entries", maxTarEntries)
	}
	if old, ok := t.entries[e.name]; ok && (old.regular || e.regular) {
		return reason.Errorf(reason.OCILayoutTar, "tarball holds %s twice", quote(e.name)).
			WithHint("write the tarball again instead of appending to it")
	}
	t.entries[e.name] = e
	t.order = append(t.order, e)
	return nil
}

// entryName checks the kind and the name of an entry and returns the name
// without a leading "./".
func entryName(h *tar.Header) (string, error) {
	refuse := func(what string) (string, error) {
		return "", reason.Errorf(reason.OCILayoutTar, "tarball holds %s, %s", quote(h.Name), what).
			WithHint("write the tarball again with plain files only: tar -C DIR -cf FILE .")
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeDir:
	case tar.TypeSymlink, tar.TypeLink:
		return refuse("which is a link")
	default:
		return refuse("which is no plain file")
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return refuse("which is a sparse file")
		}
	}
	if h.Typeflag == tar.TypeDir && h.Size != 0 {
		return refuse("a directory with content")
	}
	name := strings.TrimPrefix(h.Name, "./")
	if h.Typeflag == tar.TypeDir {
		if h.Name == "./" || h.Name == "." {
			return ".", nil // the top, as "tar -C DIR -cf FILE ." writes it
		}
		name = strings.TrimSuffix(name, "/")
	}
	switch {
	case len(name) > maxTarNameLength:
		return refuse("whose name is too long")
	case strings.ContainsAny(name, "\\\x00"):
		return refuse("whose name is not portable")
	case name == "" || name == "." || path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") || path.Clean(name) != name:
		return refuse("whose name is no plain relative path")
	}
	return name, nil
}

// checkCompression tells a compressed tarball from a broken one.
func checkCompression(r io.ReaderAt) error {
	var magic [6]byte
	n, _ := r.ReadAt(magic[:], 0)
	for _, c := range []struct{ magic, name string }{
		{"\x1f\x8b", "gzip"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"BZh", "bzip2"}, {"\xfd7zXZ", "xz"},
	} {
		if strings.HasPrefix(string(magic[:n]), c.magic) {
			return reason.Errorf(reason.OCILayout, "the file is compressed with %s", c.name).
				WithHint("decompress it first; the blobs in it are compressed already")
		}
	}
	return nil
}
