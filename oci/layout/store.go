package layout

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

var _ oci.Store = (*Repository)(nil)

// partSuffix ends the name of a blob that is being received. Its writer holds no
// lock, so that signers need not wait for it, and whoever has the lock must let
// it be.
const partSuffix = ".part"

// Open implements [oci.Source]. Codes: oci.not-found, oci.size-mismatch,
// oci.layout-file, oci.descriptor, oci.too-large; of Read those of
// [oci.NewVerifiedReader].
func (r *Repository) Open(ctx context.Context, d oci.Descriptor) (io.ReadCloser, error) {
	if err := oci.CheckDescriptor(d, oci.MaxBlobSize); err != nil {
		return nil, err
	}
	f, err := r.files(ctx)
	if err != nil {
		return nil, r.fault(err)
	}
	s, err := openStream(ctx, f, d)
	if err != nil {
		f.close()
		return nil, r.fault(err)
	}
	s.layout = r
	return s, nil
}

func openStream(ctx context.Context, f files, d oci.Descriptor) (*stream, error) {
	content, size, err := openBlob(f, d.Digest)
	if err != nil {
		return nil, err
	}
	if size != d.Size {
		_ = content.Close()
		return nil, reason.Errorf(reason.OCISizeMismatch, "blob %s is %d bytes long, not %d", d.Digest, size, d.Size)
	}
	return &stream{d: d, files: f, content: content, checked: oci.NewVerifiedReader(&contextReader{ctx, content}, d)}, nil
}

// stream is an open blob.
type stream struct {
	d       oci.Descriptor
	layout  *Repository
	files   files
	content io.ReadCloser
	checked io.Reader
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.checked.Read(p)
	if err != nil && err != io.EOF {
		err = s.layout.fault(err)
	}
	return n, err
}

// Verifies implements [oci.VerifiedStream].
func (s *stream) Verifies() oci.Descriptor { return s.d }

func (s *stream) Close() error {
	err := s.content.Close()
	s.files.close()
	return err
}

// Has implements [oci.Store]. The content is read and compared: a file that is
// damaged does not count.
func (r *Repository) Has(ctx context.Context, d oci.Descriptor) (bool, error) {
	content, err := r.Open(ctx, d)
	if err == nil {
		_, err = io.Copy(io.Discard, content)
		_ = content.Close()
	}
	switch reason.Of(err) {
	case "":
		return err == nil, err
	case reason.OCINotFound, reason.OCISizeMismatch, reason.OCIDigestMismatch:
		return false, nil
	}
	return false, err
}

// Mount implements [oci.Store]. A layout shares its blobs with nobody.
func (r *Repository) Mount(context.Context, oci.Descriptor, string) (bool, error) { return false, nil }

// PutBlob implements [oci.Store]. The blob grows in a file of its own and gets
// its name once it is whole and on disk. A tarball takes no blobs; see [Stage].
// Codes: oci.layout-write, and those of open and what it returns.
func (r *Repository) PutBlob(ctx context.Context, d oci.Descriptor, open func() (io.ReadCloser, error)) error {
	if r.isTar {
		return r.fault(errPutTar())
	}
	if ok, err := r.Has(ctx, d); ok || err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := r.putBlob(ctx, d, open)
		s, ok := errors.AsType[*sourceError](err)
		if !ok {
			return r.fault(err)
		}
		if try == blobTries || !isCutShort(s.err) || ctx.Err() != nil {
			return s.err
		}
		select {
		case <-ctx.Done():
			return s.err
		case <-time.After(blobBackOff << (try - 1)):
		}
	}
}

func errPutTar() error {
	return reason.Errorf(reason.OCILayoutWrite, "a tarball is written as a whole, not blob by blob").
		WithHint("write into a layout directory, and pack that")
}

// sourceError says that what was to be stored could not be read.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// isCutShort reports whether reading again may go better.
func isCutShort(err error) bool {
	switch reason.Of(err) {
	case reason.RegistryUnreachable, reason.RegistryTimeout, reason.RegistryUnavailable:
		return true
	}
	return errors.Is(err, io.ErrUnexpectedEOF)
}

// putBlob receives a blob once. An error of its source is a *sourceError.
func (r *Repository) putBlob(ctx context.Context, d oci.Descriptor, open func() (io.ReadCloser, error)) error {
	root, err := os.OpenRoot(r.path)
	if err != nil {
		return writeError(quote(r.path), err)
	}
	defer root.Close()
	w := dirWriter{r: r, root: root}
	name := blobPath(d.Digest)
	for _, dir := range []string{ocispec.ImageBlobsDir, path.Dir(name)} {
		if err := w.mkdir(dir); err != nil {
			return err
		}
	}
	content, err := open()
	if err != nil {
		return &sourceError{err}
	}
	defer content.Close()
	part, err := w.receive(ctx, name, oci.CheckStream(content, d))
	if err == nil {
		if err = r.step(stepRename, name); err == nil {
			err = root.Rename(part, name)
		}
	}
	if err != nil {
		if part != "" {
			_ = root.Remove(part)
		}
		if errors.As(err, new(*sourceError)) {
			return err
		}
		return writeError(name, err)
	}
	if err := r.step(stepSyncDir, path.Dir(name)); err != nil {
		return writeError(name, err)
	}
	if err := w.syncDir(path.Dir(name)); err != nil {
		return writeError(name, err)
	}
	return nil
}

// receive writes content into a new, synced file beside name. On an error the
// file's name, if not empty, is to be removed.
func (w *dirWriter) receive(ctx context.Context, name string, content io.Reader) (part string, err error) {
	if err := w.r.step(stepCreate, name); err != nil {
		return "", err
	}
	part = path.Join(path.Dir(name), tempName()+partSuffix)
	f, err := w.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, blobMode)
	if err != nil {
		return "", err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := w.r.step(stepWrite, name); err != nil {
		return part, err
	}
	source := &noted{r: &contextReader{ctx, content}}
	// In larger pieces than a file would take them by itself.
	if _, err := io.CopyBuffer(struct{ io.Writer }{f}, source, make([]byte, copyBuffer)); err != nil {
		if source.err != nil {
			return part, &sourceError{source.err}
		}
		return part, err
	}
	if err := w.r.step(stepSync, name); err != nil {
		return part, err
	}
	if err := f.Sync(); err != nil {
		return part, err
	}
	return part, w.r.step(stepClose, name)
}

// noted remembers the error of a reader, to tell it from that of a writer.
type noted struct {
	r   io.Reader
	err error
}

func (n *noted) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	if err != nil && err != io.EOF {
		if reason.Of(err) == "" {
			err = givenUp(err, "reading")
		}
		n.err = err
	}
	return k, err
}

// PutManifest implements [oci.Store]. One with a subject gets an entry in
// index.json without a tag, whatever its annotations say; others can be found
// by their digest, and by whoever lists them. Codes: those of
// [oci.CheckManifest], oci.layout-lock, oci.layout-write, oci.layout-index.
func (r *Repository) PutManifest(ctx context.Context, d oci.Descriptor, raw []byte) error {
	m, err := oci.CheckManifest(d, raw)
	if err != nil {
		return err
	}
	return r.fault(r.edit(ctx, edit{
		blobs: []oci.Blob{{Descriptor: d, Content: raw}},
		index: func(_ files, index []byte) ([]byte, []oci.Blob, error) {
			if m.Subject == nil {
				return index, nil, nil
			}
			entry, err := plainEntry(d, m.ArtifactType)
			if err != nil {
				return nil, nil, err
			}
			changed, err := addEntry(index, entry, d.Digest)
			return changed, nil, err
		},
	}))
}

// Tag implements [oci.Store]. Codes: oci.not-found, oci.reference,
// oci.layout-lock, oci.layout-write, oci.layout-index.
func (r *Repository) Tag(ctx context.Context, d oci.Descriptor, tag string) error {
	if tag != "" {
		if err := oci.CheckTag(tag); err != nil {
			return err
		}
	}
	raw, err := r.Fetch(ctx, d, oci.MaxManifestSize)
	if err != nil {
		return err
	}
	m, err := oci.CheckManifest(d, raw)
	if err != nil {
		return r.fault(err)
	}
	entry, err := plainEntry(d, m.ArtifactType)
	if err != nil {
		return err
	}
	return r.fault(r.edit(ctx, edit{index: func(_ files, index []byte) ([]byte, []oci.Blob, error) {
		if tag == "" {
			changed, err := addEntry(index, entry, d.Digest)
			return changed, nil, err
		}
		changed, err := setTag(index, entry, d.Digest, tag)
		return changed, nil, err
	}}))
}

// Delete implements [oci.Store]. The manifest's file goes last. An image index
// that names the manifest keeps it from being deleted: oci.in-use. Further
// codes: oci.not-found, oci.layout-lock, oci.layout-write, oci.layout-index.
func (r *Repository) Delete(ctx context.Context, manifest, subject digest.Digest) error {
	if _, err := oci.ParseDigest(string(manifest)); err != nil {
		return err
	}
	u := unlisting{manifest: manifest, subject: subject}
	err := r.edit(ctx, edit{index: u.index, remove: func() []string { return u.files }})
	return r.fault(err)
}

// edit is one change of a layout, made under its lock.
type edit struct {
	blobs []oci.Blob
	// index returns the new index.json, and blobs that it names besides.
	index func(f files, index []byte) ([]byte, []oci.Blob, error)
	// remove returns the files to remove at the end, which nothing names.
	remove func() []string
}

// edit makes a change: blobs, then index.json, then what is to be removed.
func (r *Repository) edit(ctx context.Context, e edit) error {
	unlock, err := r.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if r.isTar {
		return r.editTar(ctx, e)
	}
	root, err := os.OpenRoot(r.path)
	if err != nil {
		return writeError(quote(r.path), err)
	}
	defer root.Close()
	index, changed, more, err := e.newIndex(dirFiles{root})
	if err != nil {
		return err
	}
	w := dirWriter{r: r, root: root}
	if err := w.writeAll(ctx, change{blobs: append(e.blobs, more...)}, index, changed); err != nil {
		w.undo()
		return err
	}
	if e.remove == nil {
		return nil
	}
	for _, name := range e.remove() {
		if err := root.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return writeError(name, err)
		}
	}
	return nil
}

func (e *edit) newIndex(f files) (index []byte, changed bool, more []oci.Blob, err error) {
	old, err := readFile(f, ocispec.ImageIndexFile, maxIndexSize)
	if err != nil {
		return nil, false, nil, err
	}
	index, more, err = e.index(f, old)
	if err == nil && len(index) > maxIndexSize {
		err = reason.Errorf(reason.OCITooLarge, "index would be %d bytes long, more than the limit of %d", len(index), maxIndexSize)
	}
	return index, !bytes.Equal(index, old), more, err
}

// editTar makes a change by writing the tarball anew.
func (r *Repository) editTar(ctx context.Context, e edit) error {
	old, err := r.tarFiles(ctx)
	if err != nil {
		return err
	}
	defer old.close()
	index, changed, more, err := e.newIndex(old)
	if err != nil {
		return err
	}
	n := tarRewrite{old: old, drop: map[string]bool{}}
	if changed {
		n.put(ocispec.ImageIndexFile, index)
	}
	for _, b := range append(e.blobs, more...) {
		if _, err := readBlob(old, b.Descriptor, b.Descriptor.Size); err != nil {
			n.put(blobPath(b.Descriptor.Digest), b.Content)
		}
	}
	if e.remove != nil {
		for _, name := range e.remove() {
			n.drop[name] = true
		}
	}
	if len(n.drop) == 0 {
		return nil
	}
	return r.replaceTar(ctx, n)
}
