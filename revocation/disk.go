package revocation

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
)

// disk is a store in a directory that many processes may share: one file for
// each answer, replaced whole, and for a long list its index beside it.
//
// Only files and directories that belong to the user and that nobody else may
// write are read; see docs/decisions/revocation-cache.md for what the index
// rests on.
type disk struct {
	dir string
	now func() time.Time
	w   atomicfile.Writer
}

const indexSuffix = ".idx"

func (d *disk) path(k kind, key string) string {
	return filepath.Join(d.dir, string(k), key+"."+string(k))
}

func (d *disk) load(k kind, key string) *blob {
	path := d.path(k, key)
	if !ownDirectory(filepath.Dir(path)) {
		return nil
	}
	f, info, id, certain := openOwn(path)
	if f == nil {
		return nil
	}
	if info.Size() > k.limit() {
		_ = f.Close()
		return nil
	}
	b := &blob{ReaderAt: f, size: info.Size(), stored: info.ModTime(), identity: id, certain: certain}
	b.close = func() { _ = f.Close() }
	if k != kindCRL || !certain {
		return b
	}
	if x, _, _, _ := openOwn(path + indexSuffix); x != nil {
		b.index = x
		b.close = func() { _, _ = f.Close(), x.Close() }
	}
	return b
}

func (d *disk) save(k kind, key string, data, index []byte) {
	path := d.path(k, key)
	dir := filepath.Dir(path)
	if err := d.w.MkdirAll(dir); err != nil || !ownDirectory(dir) {
		return
	}
	if err := d.w.Write(path, data, atomicfile.ModeSecret); err != nil {
		return
	}
	if index != nil {
		// If another process has replaced the list meanwhile, the index is
		// bound to that one and does not fit its size, its frame or its
		// signature.
		if b := d.load(k, key); b != nil {
			d.reindex(key, b, index)
			b.close()
		}
	}
	bound := int64(maxCachedOCSP)
	if k == kindCRL {
		bound = maxCachedCRLs
	}
	d.makeRoom(dir, bound)
}

func (d *disk) reindex(key string, b *blob, index []byte) {
	if b.certain {
		sealIndex(index, b.identity)
		_ = d.w.Write(d.path(kindCRL, key)+indexSuffix, index, atomicfile.ModeSecret)
	}
}

// makeRoom removes the files that were written longest ago until the rest is
// within the bound, and what writers that died have left.
func (d *disk) makeRoom(dir string, bound int64) {
	f, err := os.Open(dir)
	if err != nil {
		return
	}
	entries, _ := f.ReadDir(maxCacheFiles)
	_ = f.Close()
	var files []fs.FileInfo
	total := int64(0)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if strings.HasSuffix(e.Name(), ".tmp") {
			if d.now().Sub(info.ModTime()) > orphanAge {
				_ = d.w.Remove(filepath.Join(dir, e.Name()))
			}
			continue
		}
		files = append(files, info)
		total += info.Size()
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	for _, info := range files {
		if total <= bound {
			break
		}
		_ = d.w.Remove(filepath.Join(dir, info.Name()))
		total -= info.Size()
	}
}
