package layout

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
	"github.com/notaryv2/notation/reason"
)

// lockPath returns where the lock of the layout is: in a directory, or beside
// a tarball.
func (r *Repository) lockPath() string {
	if r.isTar {
		return filepath.Join(filepath.Dir(r.path), tempPrefix+filepath.Base(r.path)+".lock")
	}
	return filepath.Join(r.path, tempPrefix+"lock")
}

// lock takes the layout's advisory lock and returns how to release it. The
// lock is a file, which whoever holds it removes at the end, so that nothing
// is left in a layout that goes elsewhere.
func (r *Repository) lock(ctx context.Context) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	// Those in this process queue up here and do not race for the file.
	select {
	case r.writing <- struct{}{}:
	case <-ctx.Done():
		return nil, lockError(ctx.Err())
	}
	defer func() {
		if err != nil {
			<-r.writing
		}
	}()
	if err := r.step(stepLock, r.lockPath()); err != nil {
		return nil, lockError(err)
	}
	for {
		l, err := tryLock(ctx, r.lockPath())
		if err != nil {
			return nil, lockError(err)
		}
		if l == nil {
			continue // whoever had the lock has removed the file since
		}
		return func() {
			_ = os.Remove(l.Path()) // before unlocking, so that it is still ours
			_ = l.Unlock()
			<-r.writing
		}, nil
	}
}

// tryLock waits for the lock file at path. It returns nil if the file that it
// has locked is no longer the one at path.
func tryLock(ctx context.Context, path string) (*flock.Flock, error) {
	if err := checkLockFile(path); err != nil {
		return nil, err
	}
	l := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR|nonBlocking), flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, lockRetry); err != nil {
		return nil, err
	}
	locked, err := l.Stat()
	if err == nil {
		var now fs.FileInfo
		if now, err = os.Lstat(path); err == nil && os.SameFile(locked, now) {
			return l, nil
		}
	}
	_ = l.Unlock()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return nil, nil
}

// checkLockFile refuses a lock file that is no regular file: opening it would
// touch something elsewhere.
func checkLockFile(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return checkRegular(filepath.Base(path), info)
}

func lockError(err error) error {
	if reason.Of(err) != "" {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return reason.Wrap(reason.OCILayoutLock, err, "interrupted while waiting for the lock").WithHint("run it again")
	}
	return reason.Wrap(reason.OCILayoutLock, cause(err), "cannot take the lock").
		WithHint("wait until the other program that writes it has ended, and check permissions")
}
