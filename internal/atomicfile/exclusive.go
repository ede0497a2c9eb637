package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// ErrInUse is the error of [OpenExclusive] for a file that another program, or
// another part of this one, has opened so.
const ErrInUse = inUse("it is in use by another run")

type inUse string

func (e inUse) Error() string { return string(e) }

// OpenExclusive opens the regular file at path for reading and writing, and makes
// an empty one with that mode if there is none. Until release is called, nobody
// else can open it so; the lock is an empty file beside path, which stays. Files
// that are written in place are not for the other functions of this package:
// what a crash leaves of them is the caller's to judge.
func OpenExclusive(path string, mode fs.FileMode) (f *os.File, release func(), err error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock")
	for _, p := range []string{path, name} {
		if err := checkTarget(p); err != nil {
			return nil, nil, err
		}
	}
	l := flock.New(name, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(ModeSecret))
	switch locked, err := l.TryLock(); {
	case err != nil:
		return nil, nil, lockError(path, err)
	case !locked:
		return nil, nil, ErrInUse
	}
	_, err = os.Lstat(path)
	made := errors.Is(err, fs.ErrNotExist)
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|nonBlocking, mode)
	if err == nil {
		var info fs.FileInfo
		if info, err = f.Stat(); err == nil {
			err = checkRegular(path, info)
		}
		if err == nil && made { // under any umask
			err = f.Chmod(mode)
		}
		if err != nil {
			_ = f.Close()
		}
	}
	if err != nil {
		_ = l.Unlock()
		return nil, nil, writeError(path, err)
	}
	return f, func() { _ = f.Close(); _ = l.Unlock() }, nil
}
