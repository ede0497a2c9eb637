package cache

import (
	"bytes"
	"sync"

	"github.com/opencontainers/go-digest"
)

// memory keeps content in two generations. When the recent one is half of what
// is allowed, the earlier one is dropped, with what nobody has asked for since.
type memory struct {
	max int64

	mu      sync.Mutex
	recent  map[digest.Digest][]byte
	size    int64 // of recent
	earlier map[digest.Digest][]byte
}

func (m *memory) get(d digest.Digest, good func([]byte) bool) []byte {
	content := m.find(d)
	if content == nil || good(content) {
		return content
	}
	m.drop(d)
	return nil
}

func (m *memory) find(d digest.Digest) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	content, ok := m.recent[d]
	if !ok {
		if content, ok = m.earlier[d]; ok {
			m.add(d, content)
		}
	}
	return bytes.Clone(content) // who gets it may change it
}

func (m *memory) close() {}

func (m *memory) put(d digest.Digest, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.recent[d]; !there {
		m.add(d, bytes.Clone(content))
	}
}

// add puts new content into the recent generation. m.mu is held.
func (m *memory) add(d digest.Digest, content []byte) {
	takes := int64(len(content) + recordBytes)
	if m.size += takes; m.recent == nil || m.size > m.max/2 {
		m.earlier, m.recent, m.size = m.recent, map[digest.Digest][]byte{}, takes
	}
	m.recent[d] = content
}

func (m *memory) drop(d digest.Digest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if content, ok := m.recent[d]; ok {
		m.size -= int64(len(content) + recordBytes)
	}
	delete(m.recent, d)
	delete(m.earlier, d)
}
