//go:build unix

package cli_test

import (
	"os"
	"syscall"
)

// specialFiles plant at a path what is no regular file of its own.
func specialFiles() map[string]func(path string) error {
	return map[string]func(path string) error{
		"dangling link":  func(p string) error { return os.Symlink(p+".nowhere", p) },
		"link to device": func(p string) error { return os.Symlink(os.DevNull, p) },
		"FIFO":           func(p string) error { return syscall.Mkfifo(p, 0o600) },
	}
}
