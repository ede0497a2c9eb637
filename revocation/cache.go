package revocation

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"io"
	"sync"
	"time"
)

// kind is what a cached answer is.
type kind string

const (
	kindOCSP kind = "ocsp"
	kindCRL  kind = "crl"
)

// limit is the size in bytes of the largest answer of the kind.
func (k kind) limit() int64 {
	if k == kindCRL {
		return MaxCRLBytes
	}
	return MaxOCSPBytes
}

// store keeps answers. Nothing in it is trusted more than what comes from the
// network: a store that gives the wrong thing, or nothing, costs a request. It
// has no errors, since none would change what is done next.
type store interface {
	// load returns the answer of a key, or nil. The caller closes it.
	load(k kind, key string) *blob
	// save keeps an answer, with the index of a list or nil.
	save(k kind, key string, data, index []byte)
	// reindex keeps an index for a list that was loaded and had none of use.
	reindex(key string, b *blob, index []byte)
}

// blob is an answer in a store.
type blob struct {
	io.ReaderAt
	size     int64
	stored   time.Time
	index    io.ReaderAt // nil if there is none
	identity identity    // that the index must name
	certain  bool        // an index can be bound to the identity
	close    func()
}

// read returns the whole answer, or nil.
func (b *blob) read() []byte {
	data := make([]byte, b.size)
	if n, _ := b.ReadAt(data, 0); n != len(data) {
		return nil
	}
	return data
}

// cacheKey names what an address says about certificates of an issuer, or
// about one of them. Two issuers of one name, or two keys of one issuer, never
// share an answer.
func cacheKey(url string, issuer *x509.Certificate, serial []byte) string {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(url), issuer.Raw, serial} {
		_ = binary.Write(h, binary.BigEndian, uint32(len(part)))
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// identity is what a file system says about one version of one file. Its zero
// value is that of an answer in memory.
type identity struct{ device, inode, modified, changed uint64 }

const identityBytes = 4 * 8

func (i identity) put(b []byte) {
	for n, v := range []uint64{i.device, i.inode, i.modified, i.changed} {
		binary.BigEndian.PutUint64(b[8*n:], v)
	}
}

func identityFrom(b []byte) identity {
	at := func(n int) uint64 { return binary.BigEndian.Uint64(b[8*n:]) }
	return identity{at(0), at(1), at(2), at(3)}
}

// memory is the store of a checker without a directory. What was saved first
// goes first.
type memory struct {
	now   func() time.Time
	mu    sync.Mutex
	held  map[string]remembered
	order []string
	bytes int
}

type remembered struct {
	data, index []byte
	stored      time.Time
}

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, held: make(map[string]remembered)}
}

func (m *memory) load(k kind, key string) *blob {
	m.mu.Lock()
	r, ok := m.held[string(k)+key]
	m.mu.Unlock()
	if !ok {
		return nil
	}
	b := &blob{ReaderAt: bytes.NewReader(r.data), size: int64(len(r.data)), stored: r.stored, close: func() {}}
	if r.index != nil {
		b.index = bytes.NewReader(r.index)
	}
	return b
}

func (m *memory) save(k kind, key string, data, index []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(string(k) + key)
	for m.bytes+len(data)+len(index) > maxCachedMemory && len(m.order) > 0 {
		m.drop(m.order[0])
	}
	m.held[string(k)+key] = remembered{data, index, m.now()}
	m.order = append(m.order, string(k)+key)
	m.bytes += len(data) + len(index)
}

// reindex does nothing: in memory, nothing gets lost beside its list.
func (m *memory) reindex(string, *blob, []byte) {}

func (m *memory) drop(name string) {
	r, ok := m.held[name]
	if !ok {
		return
	}
	delete(m.held, name)
	m.bytes -= len(r.data) + len(r.index)
	for i, other := range m.order {
		if other == name {
			m.order = append(m.order[:i], m.order[i+1:]...)
			break
		}
	}
}
