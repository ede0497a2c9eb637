//go:build !unix

package remote

import "os/exec"

const nonBlocking = 0

// ownGroup does nothing: ending the process is the default, and there are no
// groups.
func ownGroup(*exec.Cmd) {}

func endGroup(*exec.Cmd) {}
