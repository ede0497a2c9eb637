//go:build !unix

package atomicfile

const nonBlocking = 0

// syncDir does nothing: elsewhere than on Unix a directory cannot be synced,
// and renames are journaled by the file system.
func syncDir(string) error { return nil }
