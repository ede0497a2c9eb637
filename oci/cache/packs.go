package cache

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/notaryv2/notation/internal/cachedir"
)

const (
	packsDir   = "packs"
	packSuffix = ".pack"
	// packDigits is the length of what comes before packSuffix, as [rand.Text]
	// makes it: nobody finds a pack under a name that is already taken.
	packDigits = 26
)

// packs are those in a directory, and the one that this process is writing.
//
// A finished pack is never changed. Each process looks for them now and then,
// has those open that it has read from, and removes whole ones to make room.
type packs struct {
	dir string
	max int64 // bytes of all packs

	// before, if not nil, is called before each step of writing; its error is the
	// step's. Tests use it.
	before func(step string) error

	writing sync.Mutex // held while something is written; taken before mu
	failed  time.Time  // when something could not be written
	wrote   bool       // a pack was finished that no merge has seen

	mu     sync.RWMutex
	own    *unfinished // changed with both locks held
	known  []*pack     // those that were of use lately first
	listed time.Time   // when they were looked for
	closed bool
}

// look returns the packs of the directory, those that were of use longest ago
// first, and the directory, to make room in it.
func (p *packs) look() (room cachedir.Dir, files []fs.FileInfo) {
	room = cachedir.Dir{
		Path: p.dir, Kind: kindOfPack, Names: maxPackNames, Most: maxPacks, Block: blockBytes,
		Orphan: orphanAge, Now: time.Now(),
		Remove: func(path string) error {
			if err := p.step(stepRemove); err != nil {
				return err
			}
			return os.Remove(path)
		},
	}
	if isDirectory(p.dir) {
		files = room.Files()
	}
	return room, files
}

// kindOfPack knows files by their names. What somebody else has put into the
// directory stays.
func kindOfPack(name string) cachedir.Kind {
	text, isPack := strings.CutSuffix(name, packSuffix)
	switch {
	case strings.HasPrefix(name, beginning):
		return cachedir.Unfinished
	case isPack && len(text) == packDigits && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == "":
		return cachedir.Finished
	}
	return cachedir.Foreign
}

// get returns the content of a digest, which is good, or nil. A pack that holds
// something else for it is done away with, as is a damaged one.
func (p *packs) get(k key, good func([]byte) bool) []byte {
	if content := p.written(k); content != nil && good(content) {
		return content
	}
	known, done := p.list()
	defer done()
	for _, pack := range known {
		content, err := pack.get(k)
		switch {
		case content != nil && good(content):
			pack.touch()
			return content
		case content != nil || errors.Is(err, errBroken):
			p.discard(pack)
		}
	}
	return nil
}

// written returns what this process has put for a digest into the pack that it
// has not finished yet, or nil.
func (p *packs) written(k key) []byte {
	p.mu.RLock()
	defer p.mu.RUnlock() // it is not finished meanwhile
	if p.own == nil {
		return nil
	}
	return p.own.get(k)
}

// list returns the finished packs, those that were of use lately first, and what
// to call when they are not needed any more.
func (p *packs) list() (known []*pack, done func()) {
	p.mu.RLock()
	known, fresh := p.known, p.fresh()
	p.mu.RUnlock()
	if fresh {
		return known, func() {}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.fresh() {
		_, files := p.look()
		p.refresh(files)
	}
	if !p.closed {
		return p.known, func() {}
	}
	known = p.known
	p.known = nil
	return known, func() { closeAll(known) }
}

// fresh reports whether the list may be used as it is. p.mu is held. Nothing
// stays open once the cache is closed.
func (p *packs) fresh() bool { return !p.closed && time.Since(p.listed) < listAge }

// refresh makes files, which are in the order of [cachedir.Dir.Files], the packs
// that are known. p.mu is held.
func (p *packs) refresh(files []fs.FileInfo) {
	before := map[string]*pack{}
	for _, k := range p.known {
		before[k.listed.Name()] = k
	}
	p.known = nil
	for _, info := range slices.Backward(files) {
		if len(p.known) == maxPacks {
			break
		}
		k := before[info.Name()]
		if k != nil && os.SameFile(k.listed, info) {
			delete(before, info.Name())
		} else {
			k = newPack(filepath.Join(p.dir, info.Name()), info)
		}
		p.known = append(p.known, k)
	}
	closeAll(slices.Collect(maps.Values(before)))
	p.listed = time.Now()
}

func closeAll(known []*pack) {
	for _, k := range known {
		k.close()
	}
}

// discard forgets a pack that is of no use to anybody.
func (p *packs) discard(bad *pack) {
	p.mu.Lock()
	p.known = slices.DeleteFunc(slices.Clone(p.known), func(k *pack) bool { return k == bad })
	p.mu.Unlock()
	bad.close()
	bad.remove()
}

// close finishes the pack that is being written, and closes the others. What is
// in them can still be read.
func (p *packs) close() {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.settle()
	p.mu.Lock()
	defer p.mu.Unlock()
	closeAll(p.known)
	p.known, p.closed = nil, true
}
