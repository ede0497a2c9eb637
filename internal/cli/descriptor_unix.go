//go:build unix

package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// ownDescriptor returns a file of its own for a descriptor that somebody else has
// opened. To close the other's would close whatever gets that number next.
func ownDescriptor(fd uintptr, name string) (*os.File, error) {
	own, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "dup", Path: name, Err: err}
	}
	return os.NewFile(uintptr(own), name), nil
}
