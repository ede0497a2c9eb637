//go:build unix

package atomicfile

import (
	"errors"
	"os"
	"syscall"
)

// nonBlocking keeps an open from waiting for the other end of a FIFO that
// took a file's place.
const nonBlocking = syscall.O_NONBLOCK

// syncDir makes a rename in dir durable. File systems that cannot sync a
// directory say so; there is nothing more to do there.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}
