package toolbox

import "syscall"

// DieWithParent has the kernel end a child process whose test binary was killed
// before it could.
func DieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
