package cache

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
)

// mergeName is the name of the unfinished pack that small ones are merged into:
// one process at a time does that.
const mergeName = beginning + "merge"

// Steps of writing.
const (
	stepCreate = "create"
	stepWrite  = "write"
	stepEnd    = "end"
	stepClose  = "close"
	stepRename = "rename"
	stepRemove = "remove"
)

// step is called before each step of writing.
func (p *packs) step(name string) error {
	if p.before == nil {
		return nil
	}
	return p.before(name)
}

// unfinished is a pack that is being written. Until it has its end and its name,
// nobody else reads it.
type unfinished struct {
	file  *os.File
	path  string
	made  fs.FileInfo // of file
	began time.Time
	size  int64
	index map[key]span
}

// fits reports whether so many entries of so many bytes can be added to a pack
// with so much content.
func (u *unfinished) fits(entries int, size, bound int64) bool {
	return len(u.index)+entries <= maxPackEntries && u.size+size <= bound
}

// get returns what was put for a digest, or nil.
func (u *unfinished) get(k key) []byte {
	s, ok := u.index[k]
	if !ok {
		return nil
	}
	content := make([]byte, s.length)
	if _, err := u.file.ReadAt(content, int64(s.offset)); err != nil {
		return nil
	}
	return content
}

// packBytes bounds the content of one pack.
func (p *packs) packBytes() int64 { return min(maxPackBytes, p.max/packsFit) }

// put appends content to the pack that this process is writing, and reports
// whether it is a size that packs are for. What cannot be written is not kept.
func (p *packs) put(k key, content []byte) bool {
	size := int64(len(content))
	if size > p.packBytes() {
		return false
	}
	p.writing.Lock()
	defer p.writing.Unlock()
	switch {
	case p.own == nil:
	case time.Since(p.own.began) > finishAge:
		p.settle()
	case !p.own.fits(1, size, p.packBytes()):
		p.finish()
	}
	if !p.failed.IsZero() && time.Since(p.failed) < retryAge {
		return true
	}
	if p.own == nil {
		own, err := p.begin(beginning + rand.Text())
		if err != nil {
			p.failed = time.Now()
			return true
		}
		p.mu.Lock()
		p.own = own
		p.mu.Unlock()
	}
	if p.add(p.own, k, content) != nil {
		p.failed = time.Now()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.own.abandon()
		p.own = nil
	}
	return true
}

// begin makes a file for a pack.
func (p *packs) begin(name string) (*unfinished, error) {
	err := p.step(stepCreate)
	if err == nil {
		err = os.MkdirAll(p.dir, atomicfile.ModeDir)
	}
	if err == nil && !isDirectory(p.dir) {
		err = fs.ErrInvalid
	}
	if err != nil {
		return nil, err
	}
	path := filepath.Join(p.dir, name)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, atomicfile.ModeSecret)
	if err != nil {
		return nil, err
	}
	made, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &unfinished{file: f, path: path, made: made, began: time.Now(), index: map[key]span{}}, nil
}

// add appends content to a pack. p.writing is held.
func (p *packs) add(u *unfinished, k key, content []byte) error {
	if _, there := u.index[k]; there {
		return nil
	}
	err := p.step(stepWrite)
	if err == nil {
		_, err = u.file.WriteAt(content, u.size)
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	u.index[k] = span{offset: uint32(u.size), length: uint32(len(content))}
	u.size += int64(len(content))
	return nil
}

// end writes what comes behind the content of a pack. p.writing is held.
func (p *packs) end(u *unfinished) error {
	if err := p.step(stepEnd); err != nil {
		return err
	}
	_, err := u.file.WriteAt(tailOf(u.index), u.size)
	return err
}

// publish gives a pack that has its end the name by which others find it, unless
// err says that it has not. It is not synced: what a crash leaves of it is damaged
// or whole.
func (p *packs) publish(u *unfinished, err error) bool {
	if err == nil {
		err = p.step(stepClose)
	}
	if err == nil && !u.there() {
		err = fs.ErrNotExist
	}
	if err == nil {
		err = u.file.Close() // which some systems have fail for what was written before
	}
	if err == nil {
		err = p.step(stepRename)
	}
	if err == nil {
		err = os.Rename(u.path, filepath.Join(p.dir, rand.Text()+packSuffix))
	}
	if err != nil {
		u.abandon()
	}
	return err == nil
}

// there reports whether the file still stands where it was made. A process that
// has slept for long may find that others took it for dead.
func (u *unfinished) there() bool {
	info, err := os.Lstat(u.path)
	return err == nil && os.SameFile(u.made, info)
}

// abandon removes an unfinished pack.
func (u *unfinished) abandon() {
	_ = u.file.Close()
	if u.there() {
		_ = os.Remove(u.path)
	}
}

// finish has others find the pack that this process is writing, if there is one,
// and makes room. p.writing is held.
func (p *packs) finish() {
	own := p.own
	if own == nil {
		return
	}
	err := p.end(own)
	p.mu.Lock() // until what was found in the one is found in the other
	defer p.mu.Unlock()
	p.own = nil
	if p.publish(own, err) {
		p.wrote = true
		room, files := p.look()
		p.refresh(room.Trim(files, p.max, p.max))
	}
}

// settle finishes the pack that this process is writing and merges small ones, if
// anything was finished since that was last done. p.writing is held.
func (p *packs) settle() {
	p.finish()
	if p.wrote {
		p.wrote = false
		p.merge()
	}
}

// merge makes one pack of small ones where there are more than packsAtRest. It
// writes no more than the largest pack takes. Where another process is doing the
// same, it does nothing. p.writing is held.
func (p *packs) merge() {
	known := p.lookAgain()
	if len(known) <= packsAtRest {
		return
	}
	into, err := p.begin(mergeName)
	if err != nil {
		return
	}
	merged, err := p.copySmallest(into, known)
	if err != nil || len(merged) < 2 {
		into.abandon()
		return
	}
	err = p.end(into)
	if err == nil { // it is of no more use than they were
		used := slices.MaxFunc(merged, func(a, b *pack) int { return cmp.Compare(a.used.Load(), b.used.Load()) }).used.Load()
		err = os.Chtimes(into.path, time.Time{}, time.Unix(0, used))
	}
	if !p.publish(into, err) {
		return
	}
	p.lookAgain() // it is found before they are gone
	for _, k := range merged {
		if p.step(stepRemove) == nil {
			k.close() // not every system removes what is open
			k.remove()
		}
	}
	p.lookAgain()
}

// lookAgain returns the packs that there are now.
func (p *packs) lookAgain() []*pack {
	_, files := p.look()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refresh(files)
	return slices.Clone(p.known)
}

// copySmallest copies packs, from the smallest on, until half of packsAtRest are
// left or the next one does not fit, and returns those it has copied. What is
// damaged is not copied.
func (p *packs) copySmallest(into *unfinished, known []*pack) (merged []*pack, err error) {
	slices.SortStableFunc(known, func(a, b *pack) int { return cmp.Compare(a.listed.Size(), b.listed.Size()) })
	for _, k := range known {
		if len(known)-len(merged) < packsAtRest/2 {
			break
		}
		if k.open() != nil || !owned(k.listed) { // what could not be removed would be copied again and again
			continue
		}
		if !into.fits(k.table.count, k.table.end, p.packBytes()) {
			break
		}
		switch err := p.copyEntries(into, k.table); {
		case err == nil:
			merged = append(merged, k)
		case errors.Is(err, errBroken):
			p.discard(k)
		default:
			return nil, err
		}
	}
	return merged, nil
}

// copyEntries copies what is what its digest says.
func (p *packs) copyEntries(into *unfinished, from *table) error {
	return from.all(func(k key, s span) error {
		content, err := from.read(s)
		if err != nil || sha256.Sum256(content) != k {
			return err
		}
		return p.add(into, k, content)
	})
}
