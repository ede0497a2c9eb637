package atomicfile

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
	"github.com/notaryv2/notation/reason"
)

// Op is one step of a change on disk, as [Writer.Before] sees it.
type Op string

// The steps in the order in which a change makes them.
const (
	OpMkdir   Op = "mkdir"
	OpLock    Op = "lock"
	OpCreate  Op = "create"
	OpWrite   Op = "write"
	OpChmod   Op = "chmod"
	OpSync    Op = "sync"
	OpClose   Op = "close"
	OpRename  Op = "rename"
	OpSyncDir Op = "sync directory"
	OpRemove  Op = "remove"
)

// Writer changes files. Its zero value is ready to use.
type Writer struct {
	// Before, if not nil, is called before each step with the path it works
	// on; its error is the step's. A failing OpWrite has written half. Tests
	// use it to fill disks and to die at any point.
	Before func(op Op, path string) error
}

func (w Writer) before(op Op, path string) error {
	if w.Before == nil {
		return nil
	}
	return w.Before(op, path)
}

// Write replaces the file at path by data with the given mode. The directory
// must exist. A path that is a symbolic link or no regular file is refused.
func (w Writer) Write(path string, data []byte, mode fs.FileMode) error {
	if err := checkTarget(path); err != nil {
		return err
	}
	_, err := w.put(path, content(data), mode, func(temp string) error { return os.Rename(temp, path) })
	return err
}

// Stream is [Writer.Write] for content that is too long to hold: fill writes it.
// An error of fill that has a reason is returned as it is.
func (w Writer) Stream(path string, mode fs.FileMode, fill func(io.Writer) error) error {
	if err := checkTarget(path); err != nil {
		return err
	}
	buffered := func(f io.Writer, fault error) error {
		b := bufio.NewWriter(f)
		if err := fill(b); err != nil {
			return err
		}
		if fault != nil {
			return fault
		}
		return b.Flush()
	}
	_, err := w.put(path, buffered, mode, func(temp string) error { return os.Rename(temp, path) })
	return err
}

// filler writes a file. With a fault it writes a part and returns that.
type filler func(f io.Writer, fault error) error

func content(data []byte) filler {
	return func(f io.Writer, fault error) error {
		if fault != nil {
			_, _ = f.Write(data[:len(data)/2])
			return fault
		}
		_, err := f.Write(data)
		return err
	}
}

// Create is [Writer.Write] for a file that must not exist yet; if it does, the
// error has the code config.exists. After any error there is no new file.
func (w Writer) Create(path string, data []byte, mode fs.FileMode) error {
	if _, err := os.Lstat(path); err == nil {
		return existsError(path)
	}
	published, err := w.put(path, content(data), mode, func(temp string) error {
		err := os.Link(temp, path)
		if err == nil {
			_ = os.Remove(temp) // a second name of the finished file; harmless if it stays
			return nil
		}
		if errors.Is(err, fs.ErrExist) {
			return existsError(path)
		}
		// A file system without hard links.
		if _, statErr := os.Lstat(path); statErr == nil {
			return existsError(path)
		}
		return os.Rename(temp, path)
	})
	if err != nil && published {
		_ = os.Remove(path)
	}
	return err
}

func existsError(path string) error {
	return reason.Errorf(reason.ConfigExists, "file %q exists", path).WithHint("choose another name, or remove the file")
}

// put writes a temporary file beside path and has publish give it its name. It
// reports whether that was done, which may be so with an error, too.
func (w Writer) put(path string, fill filler, mode fs.FileMode, publish func(temp string) error) (published bool, err error) {
	temp, err := w.writeTemp(path, fill, mode)
	if err == nil {
		err = w.before(OpRename, path)
	}
	if err == nil {
		err = publish(temp)
	}
	if err != nil {
		if temp != "" {
			_ = os.Remove(temp)
		}
		if reason.Of(err) != "" {
			return false, err
		}
		return false, writeError(path, err)
	}
	dir := filepath.Dir(path)
	if err = w.before(OpSyncDir, dir); err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return true, writeError(path, err)
	}
	return true, nil
}

func writeError(path string, err error) error {
	fault := reason.Wrap(reason.ConfigWrite, err, "file %q could not be written", path)
	if errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV) { // of the rename
		return fault.WithHint("it seems to be a mount of its own, as in a container; mount its directory instead")
	}
	return fault.WithHint("check permissions and free space of %q", filepath.Dir(path))
}

// writeTemp returns the path of a finished, synced file beside path. On an
// error the path, if not empty, is to be removed.
func (w Writer) writeTemp(path string, fill filler, mode fs.FileMode) (temp string, err error) {
	if err := w.before(OpCreate, path); err != nil {
		return "", err
	}
	f, err := createTemp(path)
	if err != nil {
		return "", err
	}
	temp = f.Name()
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := fill(f, w.before(OpWrite, path)); err != nil {
		return temp, err
	}
	if err := w.before(OpChmod, path); err != nil {
		return temp, err
	}
	if err := f.Chmod(mode); err != nil {
		return temp, err
	}
	if err := w.before(OpSync, path); err != nil {
		return temp, err
	}
	if err := f.Sync(); err != nil {
		return temp, err
	}
	return temp, w.before(OpClose, path)
}

// createTemp opens a new file beside path, for nobody else to read. Its name
// starts with a dot and ends in .tmp, which no reader of a directory of ours
// takes for one of its files.
func createTemp(path string) (*os.File, error) {
	prefix := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".")
	for try := 1; ; try++ {
		f, err := os.OpenFile(prefix+rand.Text()[:tempRandom]+tempSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, ModeSecret)
		if !errors.Is(err, fs.ErrExist) || try == tempTries {
			return f, err
		}
	}
}

// Update replaces the file at path by what edit makes of it, holding a lock
// against every other Update of it, of this process or another. edit gets nil
// for a file that does not exist; if it returns nil, or what it was given,
// nothing is written. The directory must exist. The lock is an empty file
// beside path, which stays; what editors that died have left goes.
func (w Writer) Update(ctx context.Context, path string, mode fs.FileMode, edit func(old []byte) ([]byte, error)) error {
	unlock, err := w.lock(ctx, path)
	if err != nil {
		return err
	}
	defer unlock()
	old, err := Read(path, maxUpdate)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := edit(old)
	if err != nil {
		return err
	}
	if data == nil || old != nil && bytes.Equal(old, data) {
		return nil
	}
	w.Sweep(path)
	return w.Write(path, data, mode)
}

// lock takes the advisory lock of path and returns how to release it.
func (w Writer) lock(ctx context.Context, path string) (unlock func(), err error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock")
	err = w.before(OpLock, name)
	if err == nil {
		err = checkTarget(name)
	}
	if err != nil {
		return nil, lockError(path, err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	l := flock.New(name, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(ModeSecret))
	if _, err := l.TryLockContext(ctx, lockRetry); err != nil {
		return nil, lockError(path, err)
	}
	_ = os.Chmod(name, ModeSecret) // against a umask that took the owner's own rights
	return func() { _ = l.Unlock() }, nil
}

func lockError(path string, err error) error {
	return reason.Wrap(reason.ConfigLock, err, "file %q could not be locked", path).
		WithHint("wait until the other program that edits it has ended, and check permissions of %q", filepath.Dir(path))
}

// MkdirAll makes the directory and those of its parents that do not exist,
// each with [ModeDir]. What exists keeps its mode.
func (w Writer) MkdirAll(dir string) error {
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return notDirectory(dir)
		}
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := w.MkdirAll(parent); err != nil {
			return err
		}
	}
	err := w.before(OpMkdir, dir)
	if err == nil {
		err = os.Mkdir(dir, ModeDir)
	}
	if errors.Is(err, fs.ErrExist) {
		return w.mkdirRaced(dir)
	}
	if err == nil {
		err = os.Chmod(dir, ModeDir)
	}
	if err != nil {
		return reason.Wrap(reason.ConfigWrite, err, "directory %q could not be made", dir).
			WithHint("check permissions and free space of %q", filepath.Dir(dir))
	}
	return nil
}

// mkdirRaced judges a directory that came to be while it was being made.
func (w Writer) mkdirRaced(dir string) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return notDirectory(dir)
	}
	return nil
}

func notDirectory(path string) error {
	return reason.Errorf(reason.ConfigNotRegular, "%q is not a directory", path).WithHint("move away what is there")
}

// Remove deletes a file or an empty directory. One that does not exist is no
// error.
func (w Writer) Remove(path string) error {
	err := w.before(OpRemove, path)
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return reason.Wrap(reason.ConfigWrite, err, "%q could not be removed", path).
			WithHint("check permissions of %q", filepath.Dir(path))
	}
	return nil
}

// Sweep removes what a program that died while writing path has left beside
// it. It must not be called while another one may be writing path.
func (w Writer) Sweep(path string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return
	}
	for _, e := range entries {
		random, ok := strings.CutPrefix(e.Name(), "."+filepath.Base(path)+".")
		if random, isTemp := strings.CutSuffix(random, tempSuffix); ok && isTemp && len(random) == tempRandom {
			_ = w.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
}

// checkTarget refuses to replace what is there and no regular file: a rename
// would silently turn a user's symbolic link into a file.
func checkTarget(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return writeError(path, err)
	}
	return checkRegular(path, info)
}

func checkRegular(path string, info fs.FileInfo) error {
	if info.Mode().IsRegular() {
		return nil
	}
	return reason.Errorf(reason.ConfigNotRegular, "%q is %s, not a regular file", path, Kind(info.Mode())).
		WithHint("replace it by a regular file")
}

// Kind says in words what a file of that mode is that is no regular file.
func Kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}

// Read returns the content of the regular file at path, which must not be a
// symbolic link nor longer than limit bytes. A file that does not exist gives
// an error that is fs.ErrNotExist.
func Read(path string, limit int64) ([]byte, error) {
	return readAgain(path, limit, os.Lstat)
}

// ReadLinked is [Read] for a path that the user named: symbolic links are
// followed, to a regular file.
func ReadLinked(path string, limit int64) ([]byte, error) {
	return readAgain(path, limit, os.Stat)
}

// readAgain reads a file, and tries again if it was replaced between two looks
// at it: by somebody who writes as this package does.
func readAgain(path string, limit int64, stat func(string) (fs.FileInfo, error)) ([]byte, error) {
	for try := 1; ; try++ {
		info, err := stat(path)
		if err != nil {
			return nil, readError(path, err)
		}
		data, err := read(path, limit, info)
		if !errors.Is(err, errReplaced) || try == readTries {
			return data, err
		}
	}
}

// errReplaced says that another file took the place of one that was looked at.
var errReplaced = errors.New("it was replaced while it was being opened")

// read opens what info describes and nothing that took its place meanwhile.
func read(path string, limit int64, info fs.FileInfo) ([]byte, error) {
	if err := checkRegular(path, info); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return nil, readError(path, err)
	}
	defer f.Close()
	opened, err := f.Stat()
	if err != nil {
		return nil, readError(path, err)
	}
	if !os.SameFile(info, opened) {
		return nil, reason.Wrap(reason.ConfigNotRegular, errReplaced, "%q could not be read", path).WithHint("try again")
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, readError(path, err)
	}
	return bounded(path, data, limit)
}

// bounded refuses what is longer than limit.
func bounded(path string, data []byte, limit int64) ([]byte, error) {
	if int64(len(data)) > limit {
		return nil, reason.Errorf(reason.ConfigTooLarge, "file %q is longer than %d bytes", path, limit).
			WithHint("check that the path names what was meant")
	}
	return data, nil
}

func readError(path string, err error) error {
	e := reason.Wrap(reason.ConfigRead, cause(err), "file %q could not be read", path)
	if errors.Is(err, fs.ErrNotExist) {
		return e.WithHint("check the path")
	}
	return e.WithHint("check who may read it")
}

// cause drops the operation and the path, which the message already names.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
