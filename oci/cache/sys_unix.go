//go:build unix

package cache

import (
	"io/fs"
	"os"
	"syscall"
)

// nonBlocking keeps an open from waiting for the other end of a FIFO that took a
// file's place.
const nonBlocking = syscall.O_NONBLOCK

// owned reports whether a file is the user's.
func owned(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(st.Uid) == int64(os.Geteuid())
}
