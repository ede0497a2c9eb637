package cache

import (
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// pack is one that somebody has finished. It is opened when it is first asked,
// and then stays open, so it can be read also after somebody has removed it.
type pack struct {
	path   string
	listed fs.FileInfo // what stood there when its directory was read

	once  sync.Once
	file  *os.File // nil: there is nothing to read
	table *table
	fault error

	used atomic.Int64 // when its time was renewed, in nanoseconds as of [time.Time.UnixNano]
}

func newPack(path string, info fs.FileInfo) *pack {
	p := &pack{path: path, listed: info}
	p.used.Store(info.ModTime().UnixNano())
	return p
}

// open opens the regular file that was listed, and nothing that took its place.
func (p *pack) open() error {
	p.once.Do(func() {
		f, err := os.OpenFile(p.path, os.O_RDONLY|nonBlocking, 0)
		if err != nil {
			p.fault = err
			return
		}
		info, err := f.Stat()
		if err == nil && !(info.Mode().IsRegular() && os.SameFile(p.listed, info)) {
			err = fs.ErrNotExist
		}
		if err == nil {
			p.table, err = newTable(f, info.Size())
		}
		if p.fault = err; err != nil {
			_ = f.Close()
			return
		}
		p.file = f
	})
	return p.fault
}

// get returns what the pack has for a digest, or nil. The error is errBroken if
// the pack is of no use to anybody.
func (p *pack) get(k key) ([]byte, error) {
	if err := p.open(); err != nil {
		return nil, err
	}
	return p.table.get(k)
}

// close has the pack not read any more.
func (p *pack) close() {
	p.once.Do(func() { p.fault = fs.ErrClosed })
	if p.file != nil {
		_ = p.file.Close()
	}
}

// touch renews the time of the file, so that who makes room sees it was of use.
func (p *pack) touch() {
	now, used := time.Now(), p.used.Load()
	if now.Sub(time.Unix(0, used)) > touchAge && p.used.CompareAndSwap(used, now.UnixNano()) && p.there() {
		_ = os.Chtimes(p.path, now, now)
	}
}

// there reports whether the file still stands where it was listed.
func (p *pack) there() bool {
	info, err := os.Lstat(p.path)
	return err == nil && os.SameFile(p.listed, info)
}

// remove removes the file if it is the user's.
func (p *pack) remove() {
	if owned(p.listed) && p.there() {
		_ = os.Remove(p.path)
	}
}
