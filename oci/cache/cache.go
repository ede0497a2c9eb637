package cache

import (
	"sync"

	"github.com/notaryv2/notation/oci"
	"github.com/opencontainers/go-digest"
)

// Options say where a cache is and how large it may get.
type Options struct {
	// Dir is the directory, which is made when there is something to keep. "":
	// the cache is in memory.
	Dir string
	// MaxBytes is how much is kept, not to the byte; 0: [DefaultDiskBytes] or
	// [DefaultMemoryBytes].
	MaxBytes int64
}

// Cache keeps content by its digest. It is safe for concurrent use. Nil keeps
// nothing.
type Cache struct {
	store store

	mu     sync.RWMutex // held for reading while something is written
	closed bool
}

// store keeps bytes. What it gives need not be what was put.
type store interface {
	get(d digest.Digest) []byte
	put(d digest.Digest, content []byte)
	drop(d digest.Digest)
}

// New returns a cache. Nothing is read or written yet.
func New(o Options) *Cache {
	if o.Dir == "" {
		if o.MaxBytes <= 0 {
			o.MaxBytes = DefaultMemoryBytes
		}
		return &Cache{store: &memory{max: o.MaxBytes}}
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultDiskBytes
	}
	return &Cache{store: &disk{dir: o.Dir, max: o.MaxBytes, written: map[string]int64{}}}
}

// get returns the content of a digest, or nil. d is a usable digest.
func (c *Cache) get(d digest.Digest) []byte {
	if c == nil {
		return nil
	}
	content := c.store.get(d)
	if content == nil {
		return nil
	}
	if oci.VerifyContent(content, oci.Descriptor{Digest: d, Size: int64(len(content))}) != nil {
		c.store.drop(d)
		return nil
	}
	return content
}

// put keeps content whose digest was checked.
func (c *Cache) put(d digest.Digest, content []byte) {
	if c == nil || len(content) == 0 || len(content) > maxEntry {
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.closed {
		c.store.put(d, content)
	}
}

// Close waits until nothing is being written, and has nothing written any more:
// a verification that has found what it wants may leave requests behind. What is
// in the cache can still be read. It may be called more than once.
func (c *Cache) Close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}
