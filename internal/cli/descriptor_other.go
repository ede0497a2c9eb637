//go:build !unix

package cli

import "os"

// ownDescriptor returns the file of a descriptor. Descriptors that were not
// opened for this program have no such numbers here.
func ownDescriptor(fd uintptr, name string) (*os.File, error) {
	f := os.NewFile(fd, name)
	if f == nil {
		return nil, os.ErrInvalid
	}
	return f, nil
}

// closeOnExec keeps a descriptor from programs that are run, which get none here
// but those that are named for them.
func closeOnExec(uintptr) {}
