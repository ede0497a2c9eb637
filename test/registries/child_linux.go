package registries

import "syscall"

// dieWithParent has the kernel end a registry whose test binary was killed
// before it could.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
