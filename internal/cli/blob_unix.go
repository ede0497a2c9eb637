//go:build unix

package cli

import "syscall"

// nonBlocking keeps an open from waiting for the other end of a FIFO that took
// a file's place.
const nonBlocking = syscall.O_NONBLOCK
