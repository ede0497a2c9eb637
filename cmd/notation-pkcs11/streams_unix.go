//go:build unix

package main

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// protocolStreams returns standard output and error for the plugin protocol and
// points the descriptors that a module knows elsewhere: a library that prints
// something would spoil the one document that each of them carries. With chatty,
// what it prints goes to standard error, to find a fault in the module.
func protocolStreams(chatty bool) (stdout, stderr io.Writer) {
	out, err := duplicate(1, "stdout")
	if err != nil {
		return os.Stdout, os.Stderr
	}
	fault, err := duplicate(2, "stderr")
	if err != nil {
		return os.Stdout, os.Stderr
	}
	to := 2
	if !chatty {
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			return out, fault
		}
		to = int(null.Fd())
		_ = unix.Dup2(to, 2)
	}
	_ = unix.Dup2(to, 1)
	return out, fault
}

func duplicate(fd int, name string) (*os.File, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(n), name), nil
}
