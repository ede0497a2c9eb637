//go:build unix

package layout

import "syscall"

// nonBlocking keeps an open from waiting for the other end of a FIFO that took
// a file's place.
const nonBlocking = syscall.O_NONBLOCK

// isNoFile reports whether an open failed because of what is in the path, and
// not for want of rights or a healthy disk.
func isNoFile(e syscall.Errno) bool {
	return e == syscall.ENOTDIR || e == syscall.ELOOP || e == syscall.ENXIO || e == syscall.EISDIR
}

// cannotSync reports whether a directory cannot be synced on its file system,
// where there is nothing more to do.
func cannotSync(e syscall.Errno) bool {
	return e == syscall.EINVAL || e == syscall.ENOTSUP
}
