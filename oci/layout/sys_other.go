//go:build !unix

package layout

import "syscall"

const nonBlocking = 0

func isNoFile(syscall.Errno) bool { return false }

// cannotSync is true: elsewhere than on Unix a directory cannot be synced.
func cannotSync(syscall.Errno) bool { return true }
