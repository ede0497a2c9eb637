//go:build !linux

package crashtest

import "testing"

// Mounts skips the test: mounts of a process of its own are a thing of Linux.
func Mounts(t *testing.T) bool {
	t.Helper()
	t.Skip("needs mounts of its own")
	return false
}

// Disk is never reached.
func Disk(*testing.T, string, int) {}

// Bind is never reached.
func Bind(*testing.T, string, string) {}

// Fill is never reached.
func Fill(*testing.T, string, int) {}
