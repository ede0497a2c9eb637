//go:build linux || darwin || freebsd

package revocation

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// othersMayWrite are the permissions that nobody but the owner may have on what
// the cache reads.
const othersMayWrite fs.FileMode = 0o022

// ownDirectory reports whether a directory is the user's and only the user may
// put files into it.
func ownDirectory(path string) bool {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return false
	}
	return st.Mode&unix.S_IFMT == unix.S_IFDIR && own(&st)
}

func own(st *unix.Stat_t) bool {
	return int64(st.Uid) == int64(os.Geteuid()) && fs.FileMode(st.Mode)&othersMayWrite == 0
}

// openOwn opens a regular file, not a link, that is the user's and that only
// the user may write, or returns nil. certain says that the identity tells
// this version of the file from any other: the time of change cannot be set.
func openOwn(path string) (f *os.File, info fs.FileInfo, id identity, certain bool) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, id, false
	}
	var st unix.Stat_t
	if info, err = f.Stat(); err == nil {
		err = unix.Fstat(int(f.Fd()), &st)
	}
	if err != nil || !info.Mode().IsRegular() || !own(&st) {
		_ = f.Close()
		return nil, nil, id, false
	}
	return f, info, identity{
		device: uint64(st.Dev), inode: st.Ino,
		modified: uint64(st.Mtim.Nano()), changed: uint64(st.Ctim.Nano()),
	}, true
}
