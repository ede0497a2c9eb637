//go:build unix

package revocation

import (
	"os"
	"syscall"
)

// device returns the number of the file system that a path is on, or 0.
func device(path string) uint64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev)
	}
	return 0
}
