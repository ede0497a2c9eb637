//go:build unix

package plugin

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
)

// ownedByUs reports whether a file belongs to root or to the user that this
// process acts for.
func ownedByUs(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && (stat.Uid == 0 || int64(stat.Uid) == int64(os.Geteuid()))
}

// ownGroup puts a process in a group of its own, so that it can be ended with
// its children; ending it begins with asking. The group is also why Ctrl-C does
// not reach it except through the context.
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

// endGroup kills what is left of the group of a process that has ended. While
// anything is left the group keeps its number.
func endGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

func isBusy(err error) bool { return errors.Is(err, syscall.ETXTBSY) }

// syncDir makes a rename in dir durable, where the file system can.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}
