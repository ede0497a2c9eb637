package layout

import (
	"bytes"
	"sync"

	"github.com/notaryv2/notation/oci"
	"github.com/opencontainers/go-digest"
)

// known is what earlier listings have learned, so that listing the referrers of
// each of many manifests does not read all of them for each. It holds no more
// than what digests make certain: what a manifest refers to does not change.
type known struct {
	mu       sync.Mutex
	index    []byte // index.json, when it was read last
	entries  []indexEntry
	subjects map[visited]digest.Digest // of manifests that are no index; "": none
}

// parse is parseIndex, unless the index is the one that was parsed last. Nobody
// changes what it returns.
func (k *known) parse(index []byte) ([]indexEntry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.index != nil && bytes.Equal(k.index, index) {
		return k.entries, nil
	}
	entries, err := parseIndex(index)
	if err == nil {
		k.index, k.entries = index, entries
	}
	return entries, err
}

// learn records what a manifest that was read refers to.
func (k *known) learn(v visited, subject *oci.Descriptor) {
	if oci.IsIndex(v.mediaType) {
		return // what is in it has to be looked at
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.subjects == nil {
		k.subjects = map[visited]digest.Digest{}
	}
	if len(k.subjects) >= maxManifests {
		return
	}
	d := digest.Digest("")
	if subject != nil {
		d = subject.Digest
	}
	k.subjects[v] = d
}

// isStranger reports whether a manifest is known to refer to something else, or
// to nothing. One that does refer to the subject is always read again.
func (k *known) isStranger(v visited, subject digest.Digest) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	d, ok := k.subjects[v]
	return ok && d != subject
}
