package layout

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// files are the files of a layout as they are now.
type files interface {
	// open returns a regular file and its size. One that is not there gives
	// oci.not-found; anything else than a regular file, oci.layout-file.
	open(name string) (content io.ReadCloser, size int64, err error)
	close()
}

// blobPath returns where a blob stands. d must have passed oci.ParseDigest,
// which leaves nothing in it that could lead elsewhere.
func blobPath(d digest.Digest) string {
	return path.Join(ocispec.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

// readFile returns the whole of a file of at most limit bytes.
func readFile(f files, name string, limit int64) ([]byte, error) {
	r, size, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > limit {
		return nil, reason.Errorf(reason.OCITooLarge, "%s is %d bytes long, more than the limit of %d", name, size, limit)
	}
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, reason.Wrap(reason.OCIRead, cause(err), "cannot read %s", name)
	}
	if int64(len(content)) > limit {
		return nil, reason.Errorf(reason.OCITooLarge, "%s is longer than the limit of %d bytes", name, limit)
	}
	return content, nil
}

// readBlob returns the checked content of d, whose media type plays no part.
func readBlob(f files, d oci.Descriptor, limit int64) ([]byte, error) {
	r, size, err := openBlob(f, d.Digest)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if d.Size != size {
		return nil, reason.Errorf(reason.OCISizeMismatch, "blob %s is %d bytes long, not %d", d.Digest, size, d.Size)
	}
	return oci.ReadVerified(r, d, limit)
}

// blobSize returns the size of a blob that no descriptor describes.
func blobSize(f files, d digest.Digest) (int64, error) {
	r, size, err := openBlob(f, d)
	if err != nil {
		return 0, err
	}
	return size, r.Close()
}

func openBlob(f files, d digest.Digest) (io.ReadCloser, int64, error) {
	if _, err := oci.ParseDigest(string(d)); err != nil {
		return nil, 0, err
	}
	return f.open(blobPath(d))
}

// dirFiles are the files of a layout directory. The root keeps every path
// inside of it, whatever symbolic links there are.
type dirFiles struct{ root *os.Root }

func (d dirFiles) close() { _ = d.root.Close() }

func (d dirFiles) open(name string) (io.ReadCloser, int64, error) {
	f, info, err := openRegular(d.root, name)
	if err != nil {
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// openRegular opens the regular file of that name for reading. Its type is
// looked at before it is opened, because opening a device may do something. If
// something else stands there afterwards, most likely another program has
// renamed a new index over the old, so both are done again.
func openRegular(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	for range openTries {
		before, err := root.Lstat(name)
		if err == nil {
			err = checkRegular(name, before)
		}
		if err != nil {
			return nil, nil, openError(name, err)
		}
		f, err := root.OpenFile(name, os.O_RDONLY|nonBlocking, 0)
		if err != nil {
			return nil, nil, openError(name, err)
		}
		info, err := f.Stat()
		if err == nil && os.SameFile(before, info) {
			return f, info, nil
		}
		_ = f.Close()
		if err != nil {
			return nil, nil, openError(name, err)
		}
	}
	return nil, nil, reason.Errorf(reason.OCILayoutFile, "%s was replaced each time it was being opened", name)
}

func checkRegular(name string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return reason.Errorf(reason.OCILayoutFile, "%s is %s, not a regular file", name, atomicfile.Kind(info.Mode())).
		WithHint("copy the artifact into a new layout; do not use this one if you do not trust who made it")
}

// openError gives a failed open its code.
func openError(name string, err error) error {
	if reason.Of(err) != "" {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		return notFound(name)
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok && !isNoFile(errno) {
		return reason.Wrap(reason.OCIRead, cause(err), "cannot open %s", name).WithHint("check who may read it")
	}
	return reason.Wrap(reason.OCILayoutFile, cause(err), "%s is no file inside the layout", name).
		WithHint("copy the artifact into a new layout; do not use this one if you do not trust who made it")
}

func notFound(name string) error {
	return reason.Errorf(reason.OCINotFound, "the layout has no %s", name)
}

// cause drops the operation and the path, which the message already names.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}

// givenUp is the error for the end of a context.
func givenUp(err error, what string) error {
	e := reason.Wrap(reason.OCIRead, err, "%s was given up", what)
	if errors.Is(err, context.Canceled) {
		return e.WithHint("run it again")
	}
	return e.WithHint("allow more time; large layouts take long to read")
}

// fault names the layout in an error of one of its files, and adds what can be
// done about it.
func (r *Repository) fault(err error) error {
	e, ok := err.(*reason.Error)
	if !ok {
		return err
	}
	named := *e
	if name := quote(r.given); !strings.Contains(e.Message, name) {
		named.Message = "image layout " + name + ": " + e.Message
	}
	if reason.Hint(e) == "" {
		named.Hint = remedy(e.Code)
	}
	return &named
}

// remedy is the hint for a fault of a layout that has none of its own. All of
// them are on this machine: no network is involved, and trying again is no
// help.
func remedy(code reason.Code) string {
	switch code {
	case reason.OCINotFound:
		return "the layout is incomplete, or never held this; copy the artifact into it again"
	case reason.OCIDigestMismatch, reason.OCISizeMismatch:
		return "the layout is damaged or was tampered with; copy the artifact again from where it came from"
	case reason.OCILayoutIndex, reason.OCIDescriptor, reason.OCIManifest, reason.OCIManifestType:
		return "the layout is damaged, or the program that wrote it is faulty; copy the artifact into a new layout"
	case reason.OCILayoutVersion:
		return "write the layout again with a tool that follows the OCI image specification"
	case reason.OCITooLarge:
		return "check that this is the layout that was meant"
	case reason.OCIRead:
		return "check who may read it, and the disk"
	}
	return "copy the artifact into a new layout"
}

// quote returns hostile text for an error message, in ASCII and cut short.
func quote(s string) string {
	const limit = 160
	if len(s) > limit {
		return strconv.QuoteToASCII(s[:limit]) + "..."
	}
	return strconv.QuoteToASCII(s)
}
