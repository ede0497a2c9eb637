package layout

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Create opens the layout directory at path, as [Open] does, and makes an empty
// one where there is nothing, or an empty directory. It removes what copying
// left there more than an hour ago when it was killed. Errors have the codes of
// Open, oci.layout-write and oci.layout-lock.
func Create(ctx context.Context, path string, o Options) (*Repository, error) {
	if err := os.MkdirAll(path, dirMode); err != nil {
		return nil, reason.Wrap(reason.OCILayoutWrite, cause(err), "cannot make the directory %s", quote(path)).
			WithHint("check the path and who may write there")
	}
	if err := initialise(ctx, path); err != nil {
		return nil, err
	}
	r, err := Open(path, o)
	if err != nil {
		return nil, err
	}
	r.sweepParts()
	return r, nil
}

// Discard removes the layout directory, if nothing has been put into it since
// [Create] has made it: for who has made one and then has nothing to put there.
// Otherwise it does nothing. It reports whether the layout is gone.
func (r *Repository) Discard(ctx context.Context) (bool, error) {
	unlock, err := r.lock(ctx)
	if err != nil {
		return false, r.fault(err)
	}
	empty, err := r.removeEmpty()
	unlock() // which removes a file as well
	if err != nil || !empty {
		return false, r.fault(err)
	}
	return os.Remove(r.path) == nil, nil
}

// removeEmpty removes the files of an empty layout. The lock must be held.
func (r *Repository) removeEmpty() (bool, error) {
	root, err := os.OpenRoot(r.path)
	if err != nil {
		return false, writeError(quote(r.path), err)
	}
	defer root.Close()
	index, err := readFile(dirFiles{root}, ocispec.ImageIndexFile, maxIndexSize)
	if err != nil {
		return false, err
	}
	entries, err := parseIndex(index)
	if err != nil || len(entries) > 0 {
		return false, err
	}
	if _, err := root.Lstat(ocispec.ImageBlobsDir); !errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	for _, name := range []string{ocispec.ImageLayoutFile, ocispec.ImageIndexFile} {
		if err := root.Remove(name); err != nil {
			return false, writeError(name, err)
		}
	}
	return true, nil
}

// initialise makes an empty directory a layout without manifests. The file that
// makes it a layout is written last.
func initialise(ctx context.Context, path string) error {
	resolved, err := filepath.EvalSymlinks(path)
	if err == nil {
		resolved, err = filepath.Abs(resolved)
	}
	if err != nil {
		return writeError(quote(path), err)
	}
	if _, err := os.Lstat(filepath.Join(resolved, ocispec.ImageLayoutFile)); err == nil {
		return nil // Open will say what it is
	}
	r := &Repository{path: resolved, given: path, writing: make(chan struct{}, 1)}
	if empty, err := isEmpty(resolved); err != nil || !empty {
		return r.fault(cmp.Or(err, error(reason.Errorf(reason.OCILayout, "the directory holds other files and no image layout").
			WithHint("name an empty directory, one that does not exist, or an image layout"))))
	}
	unlock, err := r.lock(ctx)
	if err != nil {
		return r.fault(err)
	}
	defer unlock()
	root, err := os.OpenRoot(resolved)
	if err != nil {
		return r.fault(writeError(quote(path), err))
	}
	defer root.Close()
	if _, err := root.Lstat(ocispec.ImageLayoutFile); err == nil {
		return nil // another program was faster
	}
	w := dirWriter{r: r, root: root}
	for _, f := range [][2]string{
		{ocispec.ImageIndexFile, `{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageIndex + `","manifests":[]}`},
		{ocispec.ImageLayoutFile, `{"imageLayoutVersion":"` + ocispec.ImageLayoutVersion + `"}`},
	} {
		if _, err := w.replace(f[0], []byte(f[1]), nil); err != nil {
			return r.fault(err)
		}
	}
	return nil
}

// isEmpty reports whether a directory holds nothing but temporary files, and
// an index that a killed Create has left.
func isEmpty(dir string) (bool, error) {
	f, err := os.Open(dir)
	if err != nil {
		return false, writeError(quote(dir), err)
	}
	defer f.Close()
	const some = 64
	entries, err := f.ReadDir(some)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, writeError(quote(dir), err)
	}
	for _, e := range entries {
		info, err := e.Info()
		leftIndex := err == nil && e.Name() == ocispec.ImageIndexFile && info.Size() < 128
		if !strings.HasPrefix(e.Name(), tempPrefix) && !leftIndex {
			return false, nil
		}
	}
	return len(entries) < some, nil
}

// sweepParts removes blobs that were being received when their writer died.
func (r *Repository) sweepParts() {
	root, err := os.OpenRoot(r.path)
	if err != nil {
		return
	}
	defer root.Close()
	parts, _ := fs.Glob(root.FS(), path.Join(ocispec.ImageBlobsDir, "*", tempPrefix+"*"+partSuffix))
	for _, part := range parts[:min(len(parts), maxSwept)] {
		if info, err := root.Lstat(part); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > partAge {
			_ = root.Remove(part)
		}
	}
}

// Staging is a layout directory that is to become a tarball. It is an
// [oci.Store] like any other until [Staging.Commit].
type Staging struct {
	*Repository
	target string
	before fs.FileInfo  // of the tarball that was there; nil: none
	alive  *flock.Flock // held as long as somebody works here
}

// stageSuffix ends the name of a directory in which a tarball is staged, and
// stageLock is the file in it that its writer holds: with it, others tell one
// that is being worked in from one whose writer was killed.
const (
	stageSuffix = ".stage"
	stageLock   = tempPrefix + "stage.lock"
)

// Stage makes a directory beside path, in which what the tarball at path holds
// is spread out, or which is empty if there is none. Whoever stages needs room
// for both. It removes such directories of those who were killed more than an
// hour ago. Errors have the codes of [Open], oci.layout-write and
// oci.layout-lock.
func Stage(ctx context.Context, path string, o Options) (*Staging, error) {
	s := &Staging{target: path}
	var old *Repository
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return nil, reason.Errorf(reason.OCILayout, "%s is a directory, not a tarball", quote(path)).WithHint("name a file")
	case err == nil:
		if old, err = Open(path, o); err != nil {
			return nil, err
		}
		s.target, s.before = old.path, info
	case !errors.Is(err, fs.ErrNotExist):
		return nil, writeError(quote(path), err)
	}
	sweepStages(filepath.Dir(s.target))
	dir, err := os.MkdirTemp(filepath.Dir(s.target), tempPrefix+"*"+stageSuffix)
	if err != nil {
		return nil, writeError(quote(filepath.Dir(path)), err)
	}
	s.alive = flock.New(filepath.Join(dir, stageLock), flock.SetPermissions(0o600))
	if _, err = s.alive.TryLock(); err != nil {
		err = writeError(quote(path), err)
	}
	if err == nil && old != nil {
		err = old.unpack(ctx, dir)
	}
	if err == nil {
		s.Repository, err = Create(ctx, dir, o)
	}
	if err != nil {
		_ = s.alive.Close()
		_ = os.RemoveAll(dir)
		return nil, err
	}
	s.given = path
	return s, nil
}

// sweepStages removes the directories of those who were killed while they staged
// a tarball in parent. One that is younger than partAge may not be locked yet.
func sweepStages(parent string) {
	f, err := os.Open(parent)
	if err != nil {
		return
	}
	defer f.Close()
	entries, _ := f.ReadDir(maxSwept)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) || !strings.HasSuffix(e.Name(), stageSuffix) {
			continue
		}
		dir := filepath.Join(parent, e.Name())
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < partAge {
			continue
		}
		lock := filepath.Join(dir, stageLock)
		if checkLockFile(lock) != nil {
			continue
		}
		l := flock.New(lock, flock.SetFlag(os.O_RDWR|nonBlocking))
		if dead, err := l.TryLock(); !dead && !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		_ = l.Close()
		_ = os.RemoveAll(dir)
	}
}

// unpack writes the files of a tarball into a directory.
func (r *Repository) unpack(ctx context.Context, dir string) error {
	t, err := r.tarFiles(ctx)
	if err != nil {
		return r.fault(err)
	}
	defer t.close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return r.fault(writeError(quote(dir), err))
	}
	defer root.Close()
	for _, e := range t.order {
		if e.regular {
			if err := unpackFile(ctx, root, t, e.name); err != nil {
				return r.fault(writeError(e.name, err))
			}
		}
	}
	return nil
}

func unpackFile(ctx context.Context, root *os.Root, t tarFiles, name string) error {
	content, _, err := t.open(name)
	if err != nil {
		return err
	}
	if err := root.MkdirAll(path.Dir(name), dirMode); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, blobMode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, &contextReader{ctx, content})
	return errors.Join(err, f.Close())
}

// Commit writes the tarball: beside its place, synced, and then renamed to it,
// so that the old or the new is there, whole. It fails if another program has
// changed the tarball since [Stage]. The error has the code oci.layout-write or
// oci.layout-lock.
func (s *Staging) Commit(ctx context.Context) error {
	t := &Repository{path: s.target, given: s.target, isTar: true, writing: make(chan struct{}, 1), before: s.Repository.before}
	unlock, err := t.lock(ctx)
	if err != nil {
		return t.fault(err)
	}
	defer unlock()
	now, err := os.Stat(s.target)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return t.fault(writeError(quote(s.target), err))
	case (err == nil) != (s.before != nil), err == nil && !(&tarball{info: s.before}).isOf(now):
		return t.fault(reason.Errorf(reason.OCILayoutWrite, "another program has changed the tarball meanwhile").WithHint("run it again"))
	}
	temp, err := s.pack(ctx, t)
	if err == nil {
		err = t.step(stepRename, s.target)
	}
	if err == nil {
		err = os.Rename(temp, s.target)
	}
	if err != nil {
		if temp != "" {
			_ = os.Remove(temp)
		}
		return t.fault(writeError(filepath.Base(s.target), err))
	}
	if err := syncDir(filepath.Dir(s.target)); err != nil {
		return t.fault(writeError(filepath.Base(s.target), err))
	}
	return nil
}

// pack returns the path of the new tarball. On an error the path, if not empty,
// is to be removed.
func (s *Staging) pack(ctx context.Context, t *Repository) (temp string, err error) {
	t.sweepTar()
	f, err := t.createTempTar()
	if err != nil {
		return "", err
	}
	temp = f.Name()
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := s.writeTar(ctx, f); err != nil {
		return temp, err
	}
	mode := blobMode
	if s.before != nil {
		mode = s.before.Mode().Perm()
	} else if umask, err := os.Stat(filepath.Join(s.path, ocispec.ImageIndexFile)); err == nil {
		mode = umask.Mode().Perm() // the file was made with the umask at work
	}
	if err := f.Chmod(mode); err != nil {
		return temp, err
	}
	if err := t.step(stepSync, s.target); err != nil {
		return temp, err
	}
	return temp, f.Sync()
}

// writeTar writes the staged files: the marker and the index first, so that
// they can be read without skipping the blobs, and then by name. No time, user
// or mode of this machine gets into it: what is equal gives equal tarballs.
func (s *Staging) writeTar(ctx context.Context, out io.Writer) error {
	root, err := os.OpenRoot(s.path)
	if err != nil {
		return err
	}
	defer root.Close()
	var names []string
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(e.Name(), tempPrefix) || e.IsDir():
			return nil
		case !e.Type().IsRegular():
			return reason.Errorf(reason.OCILayoutFile, "%s is %s, not a regular file", quote(name), atomicfile.Kind(e.Type()))
		}
		names = append(names, name)
		return nil
	})
	if err != nil {
		return err
	}
	rank := func(name string) int {
		return -1 - slices.Index([]string{ocispec.ImageIndexFile, ocispec.ImageLayoutFile}, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b)) })
	w := tar.NewWriter(out)
	for _, name := range names {
		if err := packFile(ctx, w, root, name); err != nil {
			return err
		}
	}
	return w.Close()
}

func packFile(ctx context.Context, w *tar.Writer, root *os.Root, name string) error {
	f, info, err := openRegular(root, name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: int64(blobMode)}); err != nil {
		return err
	}
	_, err = io.Copy(w, &contextReader{ctx, f})
	return err
}

// Close removes the directory. What was not committed is gone.
func (s *Staging) Close() error {
	_ = s.alive.Close() // what cannot be closed is gone with the process
	if err := os.RemoveAll(s.path); err != nil {
		return writeError(quote(s.path), err)
	}
	return nil
}

var _ oci.Store = (*Staging)(nil)
