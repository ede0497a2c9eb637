//go:build unix

package cli

import (
	"testing"

	"golang.org/x/sys/unix"
)

// hand makes a descriptor look as one that a shell has opened for this program.
func hand(t *testing.T, fd uintptr) {
	t.Helper()
	if _, err := unix.FcntlInt(fd, unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
}
