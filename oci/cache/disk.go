package cache

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/cachedir"
	"github.com/opencontainers/go-digest"
)

// disk keeps the first few contents that a process puts in files of their own,
// algorithm/X/digest, where X is the first digit, and the others in packs. A file
// gets its name when it is whole. It is not synced: what a crash leaves is compared
// with its digest like anything else.
type disk struct {
	dir   string
	max   int64
	loose atomic.Int64 // contents that were put
	packs packs
}

// newDisk returns a store of max bytes in a directory.
func newDisk(dir string, max int64) *disk {
	return &disk{dir: dir, max: max, packs: packs{dir: filepath.Join(dir, packsDir), max: max / 4 * packShare}}
}

// beginning is what the name of a file that is being written begins with.
const beginning = ".new-"

// minNameDigits is how long the name of an entry is at least: that of a SHA-256.
const minNameDigits = 64

func (s *disk) path(d digest.Digest) string {
	hex := d.Encoded()
	return filepath.Join(s.dir, string(d.Algorithm()), hex[:1], hex)
}

func (s *disk) get(d digest.Digest, good func([]byte) bool) []byte {
	path := s.path(d)
	if content, err := atomicfile.Read(path, maxEntry); err == nil {
		if good(content) {
			touch(path)
			return content
		}
		if isDirectory(filepath.Dir(path)) {
			_ = os.Remove(path)
		}
	}
	if k, ok := keyOf(d); ok {
		return s.packs.get(k, good)
	}
	return nil
}

// isDirectory reports whether a directory is the cache's own and not a link to
// another: the blobs of an image layout have the names that entries have, and must
// not be taken for them and removed.
func isDirectory(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

// touch renews the time of a file, so that tidy sees it was of use.
func touch(path string) {
	if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) > touchAge {
		now := time.Now()
		_ = os.Chtimes(path, now, now)
	}
}

func (s *disk) put(d digest.Digest, content []byte) {
	if k, ok := keyOf(d); ok && s.loose.Add(1) > maxLoose && s.packs.put(k, content) {
		return
	}
	path := s.path(d)
	if _, err := os.Lstat(path); err == nil {
		return
	}
	dir := filepath.Dir(path)
	if os.MkdirAll(dir, atomicfile.ModeDir) != nil || !isDirectory(dir) || !write(dir, path, content) {
		return
	}
	if rand.IntN(tidyStep) < max(len(content), blockBytes) {
		tidy(dir, s.looseBound()/shards)
	}
}

// looseBound returns what the files of one entry each may take: what packs leave.
func (s *disk) looseBound() int64 {
	room, files := s.packs.look()
	return s.max - min(room.Size(files), s.packs.max)
}

func (s *disk) close() { s.packs.close() }

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

// tidy removes from a shard the files that were of use longest ago until the
// rest is within the bound, and what writers that died have left.
func tidy(dir string, bound int64) {
	shard := cachedir.Dir{
		Path: dir, Kind: kindOfEntry, Names: maxShardEntries, Block: blockBytes,
		Orphan: orphanAge, Now: time.Now(),
	}
	if isDirectory(dir) {
		shard.Trim(shard.Files(), bound, bound/2) // and not again for the very next one
	}
}

// kindOfEntry knows files by their names. What somebody else has put into the
// directory stays.
func kindOfEntry(name string) cachedir.Kind {
	switch {
	case strings.HasPrefix(name, beginning):
		return cachedir.Unfinished
	case len(name) >= minNameDigits && strings.Trim(name, "0123456789abcdef") == "":
		return cachedir.Finished
	}
	return cachedir.Foreign
}
