//go:build !unix

package cache

import "io/fs"

const nonBlocking = 0

// owned leaves it to the permissions of the system's cache directory whose the
// files in it are.
func owned(fs.FileInfo) bool { return true }
