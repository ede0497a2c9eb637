package layout

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/notaryv2/notation/reason"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// commitTar writes the tarball anew, with the index replaced and the blobs
// added at its end, into a file beside it and renames that. What is kept is
// copied byte by byte, headers and all.
func (r *Repository) commitTar(ctx context.Context, c change) error {
	old, err := r.tarFiles(ctx)
	if err != nil {
		return err
	}
	defer old.close()
	index, changed, err := newIndex(old, c)
	if err != nil {
		return err
	}
	n := tarRewrite{old: old, drop: map[string]bool{}}
	if changed {
		n.put(ocispec.ImageIndexFile, index)
	}
	for _, b := range c.blobs {
		_, err := readBlob(old, b.Descriptor, b.Descriptor.Size)
		switch reason.Of(err) {
		case "":
		case reason.OCINotFound, reason.OCIDigestMismatch, reason.OCISizeMismatch:
			n.put(blobPath(b.Descriptor.Digest), b.Content)
		default:
			return err
		}
	}
	if len(n.added) == 0 {
		return nil
	}
	return r.replaceTar(ctx, n)
}

// tarRewrite is a new tarball: the old without the entries of some names, and
// with some added.
type tarRewrite struct {
	old   tarFiles
	drop  map[string]bool
	added []tarAdded
}

type tarAdded struct {
	name    string
	content []byte
}

func (n *tarRewrite) put(name string, content []byte) {
	if n.drop[name] {
		return
	}
	n.drop[name] = true
	n.added = append(n.added, tarAdded{name, content})
}

// writeTo writes the new tarball.
func (n *tarRewrite) writeTo(ctx context.Context, w io.Writer) error {
	// Entries that stand side by side are copied in one go.
	var from, to int64
	flush := func() error {
		_, err := io.Copy(w, &contextReader{ctx, io.NewSectionReader(n.old.file, from, to-from)})
		return err
	}
	padding := int64(0)
	for _, e := range n.old.order {
		if n.drop[e.name] {
			continue
		}
		if e.start != to {
			if err := flush(); err != nil {
				return err
			}
			from = e.start
		}
		to = e.end
		padding = (tarBlock - (e.end-e.start)%tarBlock) % tarBlock
	}
	if err := flush(); err != nil {
		return err
	}
	// The last entry may lack its padding if the old tarball was cut there.
	if _, err := w.Write(make([]byte, padding)); err != nil {
		return err
	}
	t := tar.NewWriter(w)
	for _, a := range n.added {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: a.name, Size: int64(len(a.content)), Mode: int64(blobMode)}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(a.content); err != nil {
			return err
		}
	}
	return t.Close()
}

// contextReader stops reading when its context is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// replaceTar puts a new tarball in place of the old.
func (r *Repository) replaceTar(ctx context.Context, n tarRewrite) error {
	name := quote(filepath.Base(r.path))
	temp, err := r.writeTempTar(ctx, n)
	if err == nil {
		err = r.step(stepRename, r.path)
	}
	if err == nil {
		err = os.Rename(temp, r.path)
	}
	if err != nil {
		if temp != "" {
			_ = os.Remove(temp)
		}
		return writeError(name, err)
	}
	dir := filepath.Dir(r.path)
	if err = r.step(stepSyncDir, dir); err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return writeError(name, err)
	}
	return nil
}

// writeTempTar returns the path of the finished, synced new tarball, with the
// mode of the old. On an error the path, if not empty, is to be removed.
func (r *Repository) writeTempTar(ctx context.Context, n tarRewrite) (temp string, err error) {
	if err := r.step(stepCreate, r.path); err != nil {
		return "", err
	}
	r.sweepTar()
	f, err := r.createTempTar()
	if err != nil {
		return "", err
	}
	temp = f.Name()
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := r.step(stepWrite, r.path); err != nil {
		_, _ = f.Write([]byte("half"))
		return temp, err
	}
	if err := n.writeTo(ctx, f); err != nil {
		return temp, err
	}
	if err := r.step(stepChmod, r.path); err != nil {
		return temp, err
	}
	if err := f.Chmod(n.old.info.Mode().Perm()); err != nil {
		return temp, err
	}
	if err := r.step(stepSync, r.path); err != nil {
		return temp, err
	}
	if err := f.Sync(); err != nil {
		return temp, err
	}
	return temp, r.step(stepClose, r.path)
}

func (r *Repository) createTempTar() (*os.File, error) {
	for range tempTries {
		f, err := os.OpenFile(filepath.Join(filepath.Dir(r.path), r.tarPrefix()+tempName()), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, fs.ErrExist
}

// tarPrefix begins the names of temporary files for this tarball and for no
// other in its directory. It is short however long the tarball's name is.
func (r *Repository) tarPrefix() string {
	sum := sha256.Sum256([]byte(filepath.Base(r.path)))
	return tempPrefix + hex.EncodeToString(sum[:8])
}

// sweepTar removes new tarballs that others left when they died, which may be
// large. The lock must be held.
func (r *Repository) sweepTar() {
	dir, err := os.Open(filepath.Dir(r.path))
	if err != nil {
		return
	}
	defer dir.Close()
	entries, _ := dir.ReadDir(maxSwept)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), r.tarPrefix()+tempPrefix) && strings.HasSuffix(e.Name(), tempSuffix) {
			_ = os.Remove(filepath.Join(filepath.Dir(r.path), e.Name()))
		}
	}
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return syncDirFile(f)
}
