//go:build unix

package remote

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// nonBlocking keeps an open from waiting for the other end of a FIFO that took
// a file's place.
const nonBlocking = syscall.O_NONBLOCK

// ownGroup puts a process in a group of its own, so that it can be ended with
// its children. Ending it begins with asking.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}

// endGroup kills what is left of the group of a process that has ended.
func endGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
