//go:build !linux

package toolbox

import "syscall"

// DieWithParent is of use on Linux only.
func DieWithParent() *syscall.SysProcAttr { return nil }
