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

// store keeps bytes.
type store interface {
	// get returns what was put for a digest and is good, or nil. What is not good
	// any more is dropped.
	get(d digest.Digest, good func(content []byte) bool) []byte
	// put is not called any more after close, nor while it runs.
	put(d digest.Digest, content []byte)
	close()
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
	return &Cache{store: newDisk(o.Dir, o.MaxBytes)}
}

// get returns the content of a digest, or nil. d is a usable digest.
func (c *Cache) get(d digest.Digest) []byte {
	if c == nil {
		return nil
	}
	return c.store.get(d, func(content []byte) bool { return matches(d, content) })
}

// matches reports whether content is what a digest names.
func matches(d digest.Digest, content []byte) bool {
	return oci.VerifyContent(content, oci.Descriptor{Digest: d, Size: int64(len(content))}) == nil
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
// a verification that has found what it wants may leave requests behind. Only
// then do other processes find all that was put. What is in the cache can still be
// read. It may be called more than once.
func (c *Cache) Close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		c.store.close()
	}
}
