// Package cachedir bounds directories of files any of which may go at any time,
// as nothing but a request is lost with it: those of caches.
//
// Such a directory has no lock and no list of what is in it. Any number of
// processes add files, each under a name of its own until it is finished, and
// each of them may look around and remove what was of use longest ago. The time
// of a file says when it was; whoever uses a file renews it now and then.
package cachedir

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxSize is what a file counts for at most, in bytes. One that is a hole can be
// of any size, and sums must not overflow.
const maxSize = 1 << 40

// Kind says whose a file is and whether it is finished.
type Kind int

// The kinds of files.
const (
	Foreign    Kind = iota // not the cache's; it stays
	Finished               // one of the cache's files
	Unfinished             // one that somebody writes, or has died over
)

// Dir is a directory of a cache's files.
type Dir struct {
	Path string
	// Kind tells files by their names. Only regular files are asked about.
	Kind func(name string) Kind
	// Names bounds the names of the directory that are looked at.
	Names int
	// Most bounds the number of files in Trim; 0: it is not bounded.
	Most int
	// Block is what sizes are rounded up to, in bytes; 0: they are not.
	Block int64
	// Orphan is how long ago an unfinished file must have been written to for
	// its writer to be dead, as seen at Now.
	Orphan time.Duration
	Now    time.Time
	// Remove removes a file; nil: os.Remove.
	Remove func(path string) error
}

// Files returns the finished files, those that were of use longest ago first,
// and removes those whose writers have died. What cannot be looked at is left
// out.
func (d Dir) Files() []fs.FileInfo {
	f, err := os.Open(d.Path)
	if err != nil {
		return nil
	}
	entries, _ := f.ReadDir(d.Names)
	_ = f.Close()
	var files []fs.FileInfo
	for _, e := range entries {
		kind := d.Kind(e.Name())
		if kind == Foreign || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		switch {
		case err != nil || !info.Mode().IsRegular():
		case kind == Finished:
			files = append(files, info)
		case d.Now.Sub(info.ModTime()) > d.Orphan:
			d.remove(info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	return files
}

// Size returns what files take, in bytes.
func (d Dir) Size(files []fs.FileInfo) int64 {
	total := int64(0)
	for _, info := range files {
		total += d.size(info)
	}
	return total
}

func (d Dir) size(info fs.FileInfo) int64 {
	block := max(d.Block, 1)
	return (min(info.Size(), maxSize) + block - 1) / block * block
}

// Trim removes from the files, which are in the order of [Dir.Files], the first
// ones if all take more than bound bytes, until the others take at most goal
// bytes; and until there are no more than Most. It returns the others.
func (d Dir) Trim(files []fs.FileInfo, bound, goal int64) []fs.FileInfo {
	total := d.Size(files)
	if total <= bound {
		goal = bound
	}
	for len(files) > 0 && (total > goal || d.Most > 0 && len(files) > d.Most) {
		d.remove(files[0])
		total -= d.size(files[0])
		files = files[1:]
	}
	return files
}

func (d Dir) remove(info fs.FileInfo) {
	remove := d.Remove
	if remove == nil {
		remove = os.Remove
	}
	_ = remove(filepath.Join(d.Path, info.Name()))
}
