//go:build unix

package crashtest

import "syscall"

const canLimit = true

// limitFiles has writes beyond n bytes of a file fail, with EFBIG, after what
// fits was written. The runtime ignores the signal that comes with it.
func limitFiles(n int) error {
	limit := syscall.Rlimit{Cur: uint64(n), Max: uint64(n)}
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
}
