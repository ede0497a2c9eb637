package layout

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// commitDir writes the blobs of a change and then the index. If it fails
// before the index is there, it removes what it has added.
func (r *Repository) commitDir(ctx context.Context, c change) (err error) {
	root, err := os.OpenRoot(r.path)
	if err != nil {
		return writeError(quote(r.path), err)
	}
	defer root.Close()
	index, changed, err := newIndex(dirFiles{root}, c)
	if err != nil {
		return err
	}
	w := dirWriter{r: r, root: root}
	if err := w.writeAll(ctx, c, index, changed); err != nil {
		w.undo()
		return err
	}
	return nil
}

// dirWriter writes into a layout directory.
type dirWriter struct {
	r     *Repository
	root  *os.Root
	added []string // files and directories to remove if the change fails
}

func (w *dirWriter) undo() {
	for i := len(w.added) - 1; i >= 0; i-- {
		_ = w.root.Remove(w.added[i])
	}
}

func (w *dirWriter) writeAll(ctx context.Context, c change, index []byte, changed bool) error {
	for _, b := range c.blobs {
		if err := ctx.Err(); err != nil {
			return reason.Wrap(reason.OCILayoutWrite, err, "writing the image layout was given up")
		}
		if err := w.writeBlob(b); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	info, err := w.root.Lstat(ocispec.ImageIndexFile)
	if err != nil {
		return writeError(ocispec.ImageIndexFile, err)
	}
	committed, err := w.replace(ocispec.ImageIndexFile, index, info)
	if committed {
		w.added = nil
	}
	return err
}

// writeBlob adds a blob that is not there yet. One that is there with other
// content than its digest says is replaced.
func (w *dirWriter) writeBlob(b oci.Blob) error {
	name := blobPath(b.Descriptor.Digest)
	_, err := readBlob(dirFiles{w.root}, b.Descriptor, b.Descriptor.Size)
	switch reason.Of(err) {
	case "":
		return nil
	case reason.OCINotFound:
		if err := w.mkdir(ocispec.ImageBlobsDir); err != nil {
			return err
		}
		if err := w.mkdir(path.Dir(name)); err != nil {
			return err
		}
		committed, err := w.replace(name, b.Content, nil)
		if committed {
			w.added = append(w.added, name)
		}
		return err
	case reason.OCIDigestMismatch, reason.OCISizeMismatch:
		_, err := w.replace(name, b.Content, nil)
		return err
	}
	return err
}

// Modes of what is new, which the umask narrows.
const (
	blobMode fs.FileMode = 0o644
	dirMode  fs.FileMode = 0o755
)

func (w *dirWriter) mkdir(name string) error {
	if info, err := w.root.Stat(name); err == nil && info.IsDir() {
		return nil
	}
	err := w.r.step(stepMkdir, name)
	if err == nil {
		err = w.root.Mkdir(name, dirMode)
	}
	if errors.Is(err, fs.ErrExist) {
		if info, statErr := w.root.Stat(name); statErr == nil && info.IsDir() {
			return nil // another program was faster
		}
		return reason.Errorf(reason.OCILayoutFile, "%s is not a directory inside the layout", name)
	}
	if err != nil {
		return writeError(name, err)
	}
	w.added = append(w.added, name)
	return nil
}

// replace puts content at name: into a temporary file beside it, which is
// synced and renamed. The file has the mode of like, if that is not nil. It
// reports whether the new file has its name, which may be so with an error,
// too.
func (w *dirWriter) replace(name string, content []byte, like fs.FileInfo) (committed bool, err error) {
	temp, err := w.writeTemp(name, content, like)
	if err == nil {
		err = w.r.step(stepRename, name)
	}
	if err == nil {
		err = w.root.Rename(temp, name)
	}
	if err != nil {
		if temp != "" {
			_ = w.root.Remove(temp)
		}
		return false, writeError(name, err)
	}
	dir := path.Dir(name)
	if err = w.r.step(stepSyncDir, dir); err == nil {
		err = w.syncDir(dir)
	}
	if err != nil {
		return true, writeError(name, err)
	}
	return true, nil
}

// writeTemp returns the name of a finished, synced file beside name. On an
// error the name, if not empty, is to be removed.
func (w *dirWriter) writeTemp(name string, content []byte, like fs.FileInfo) (temp string, err error) {
	if err := w.r.step(stepCreate, name); err != nil {
		return "", err
	}
	w.sweep(path.Dir(name))
	f, temp, err := w.createTemp(path.Dir(name))
	if err != nil {
		return "", err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := w.r.step(stepWrite, name); err != nil {
		_, _ = f.Write(content[:len(content)/2])
		return temp, err
	}
	if _, err := f.Write(content); err != nil {
		return temp, err
	}
	if like != nil {
		err := w.r.step(stepChmod, name)
		if err == nil {
			err = f.Chmod(like.Mode().Perm())
		}
		if err != nil {
			return temp, err
		}
	}
	if err := w.r.step(stepSync, name); err != nil {
		return temp, err
	}
	if err := f.Sync(); err != nil {
		return temp, err
	}
	return temp, w.r.step(stepClose, name)
}

func (w *dirWriter) createTemp(dir string) (*os.File, string, error) {
	for range tempTries {
		name := path.Join(dir, tempName())
		f, err := w.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, blobMode)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return f, name, err
		}
	}
	return nil, "", fs.ErrExist
}

// sweep removes from a directory what others left when they died. The lock must
// be held.
func (w *dirWriter) sweep(dir string) {
	f, err := w.root.Open(dir)
	if err != nil {
		return
	}
	defer f.Close()
	entries, _ := f.ReadDir(maxSwept)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) && strings.HasSuffix(e.Name(), tempSuffix) {
			_ = w.root.Remove(path.Join(dir, e.Name()))
		}
	}
}

func tempName() string { return tempPrefix + rand.Text()[:12] + tempSuffix }

// syncDir makes a rename in dir durable, where the file system can.
func (w *dirWriter) syncDir(dir string) error {
	f, err := w.root.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return syncDirFile(f)
}

func syncDirFile(f *os.File) error {
	err := f.Sync()
	if errno, ok := errors.AsType[syscall.Errno](err); ok && cannotSync(errno) {
		return nil
	}
	return err
}
