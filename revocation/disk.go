package revocation

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/cachedir"
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
	room := cachedir.Dir{
		Path: dir, Kind: kindOfName, Names: maxCacheFiles,
		Orphan: orphanAge, Now: d.now(), Remove: d.w.Remove,
	}
	room.Trim(room.Files(), bound, bound)
}

// kindOfName knows files by their names. What somebody else has put into the
// directory, or into the one that it links to, stays.
func kindOfName(name string) cachedir.Kind {
	key, rest, _ := strings.Cut(strings.TrimSuffix(name, indexSuffix), ".")
	switch {
	case strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".tmp"):
		return cachedir.Unfinished
	case (rest == string(kindOCSP) || rest == string(kindCRL)) && len(key) == hex.EncodedLen(sha256.Size) && strings.Trim(key, "0123456789abcdef") == "":
		return cachedir.Finished
	}
	return cachedir.Foreign
}
