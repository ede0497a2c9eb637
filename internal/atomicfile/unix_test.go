//go:build unix

package atomicfile_test

import (
	"net"
	"syscall"
)

func setUmask(mask int) { syscall.Umask(mask) }

func makeFIFO(path string) error { return syscall.Mkfifo(path, 0o600) }

// makeSocket leaves a socket file behind.
func makeSocket(path string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	return l.Close()
}
