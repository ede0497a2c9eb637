//go:build !linux

package registries

import "syscall"

// dieWithParent asks for nothing where the kernel cannot do it.
func dieWithParent() *syscall.SysProcAttr { return nil }
