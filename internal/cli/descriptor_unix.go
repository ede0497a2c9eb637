//go:build unix

package cli

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// errNotHanded says that a descriptor was not opened for this program.
var errNotHanded = errors.New("it was not opened for this program")

// ownDescriptor returns a file of its own for a descriptor that somebody else has
// opened. To close the other's would close whatever gets that number next.
//
// What this program has opened itself, as its run-time system has a few files,
// is closed when another program is run, and what was handed to it cannot have
// been. So a number that nobody has opened is not read, which may never end.
func ownDescriptor(fd uintptr, name string) (*os.File, error) {
	flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0)
	if err == nil && flags&unix.FD_CLOEXEC != 0 {
		err = errNotHanded
	}
	var own int
	if err == nil {
		own, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	}
	if err != nil {
		return nil, &os.PathError{Op: "dup", Path: name, Err: err}
	}
	return os.NewFile(uintptr(own), name), nil
}

// closeOnExec keeps a descriptor from programs that are run.
func closeOnExec(fd uintptr) { unix.CloseOnExec(int(fd)) }
