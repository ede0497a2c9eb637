package cache

import (
	"cmp"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/opencontainers/go-digest"
)

// disk keeps each content in a file of its own, algorithm/X/digest, where X
// is the first digit. A file gets its name when it is whole. It is not
// synced: what a crash leaves is compared with its digest like anything else.
type disk struct {
	dir string
	max int64

	mu      sync.Mutex
	written map[string]int64 // bytes since a shard was tidied, by its directory
}

// beginning is what the name of a file that is being written begins with.
const beginning = ".new-"

// minNameDigits is how long the name of an entry is at least: that of a SHA-256.
const minNameDigits = 64

// isEntry reports whether a file of that name was made here. What somebody else
// has put into the directory stays.
func isEntry(name string) bool {
	return len(name) >= minNameDigits && strings.Trim(name, "0123456789abcdef") == ""
}

// onDisk is what a file of so many bytes takes.
func onDisk(size int64) int64 { return (size + blockBytes - 1) / blockBytes * blockBytes }

func (s *disk) path(d digest.Digest) string {
	hex := d.Encoded()
	return filepath.Join(s.dir, string(d.Algorithm()), hex[:1], hex)
}

func (s *disk) get(d digest.Digest) []byte {
	path := s.path(d)
	content, err := atomicfile.Read(path, maxEntry)
	if err != nil {
		return nil
	}
	if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > touchAge {
		now := time.Now()
		_ = os.Chtimes(path, now, now) // so that tidy sees it was of use
	}
	return content
}

func (s *disk) put(d digest.Digest, content []byte) {
	path := s.path(d)
	if _, err := os.Lstat(path); err == nil {
		return
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, atomicfile.ModeDir); err != nil { // nor are directories synced
		return
	}
	if !write(dir, path, content) {
		return
	}
	s.mu.Lock()
	before, known := s.written[dir]
	s.written[dir] = before + onDisk(int64(len(content)))
	due := s.written[dir] > tidyStep || !known && rand.IntN(tidyOnce) == 0
	if due {
		s.written[dir] = 0
	}
	s.mu.Unlock()
	if due {
		tidy(dir, s.max/shards)
	}
}

// write makes a file. os.CreateTemp gives it mode 0600.
func write(dir, path string, content []byte) bool {
	f, err := os.CreateTemp(dir, beginning)
	if err != nil {
		return false
	}
	_, err = f.Write(content)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return false
	}
	return true
}

func (s *disk) drop(d digest.Digest) { _ = os.Remove(s.path(d)) }

// tidy removes from a shard the files that were of use longest ago until the
// rest is within the bound, and what writers that died have left.
func tidy(dir string, bound int64) {
	f, err := os.Open(dir)
	if err != nil {
		return
	}
	entries, _ := f.ReadDir(maxShardEntries)
	_ = f.Close()
	var files []fs.FileInfo
	total := int64(0)
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil || !info.Mode().IsRegular():
		case isEntry(e.Name()):
			files = append(files, info)
			total += onDisk(info.Size())
		case strings.HasPrefix(e.Name(), beginning) && time.Since(info.ModTime()) > orphanAge:
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	if total <= bound {
		return
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	for _, info := range files {
		if total <= bound/2 { // and not again for the very next one
			break
		}
		_ = os.Remove(filepath.Join(dir, info.Name()))
		total -= onDisk(info.Size())
	}
}
