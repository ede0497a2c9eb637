//go:build !(linux || darwin || freebsd)

package revocation

import (
	"io/fs"
	"os"
)

// ownDirectory leaves it to the permissions of the system's cache directory
// who may write there.
func ownDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// openOwn opens a regular file, or returns nil. No version of a file can be
// told from another here, so lists are read whole.
func openOwn(path string) (f *os.File, info fs.FileInfo, id identity, certain bool) {
	before, err := os.Lstat(path)
	if err != nil || !before.Mode().IsRegular() {
		return nil, nil, id, false
	}
	if f, err = os.Open(path); err != nil {
		return nil, nil, id, false
	}
	if info, err = f.Stat(); err != nil || !os.SameFile(before, info) {
		_ = f.Close()
		return nil, nil, id, false
	}
	return f, info, id, false
}
