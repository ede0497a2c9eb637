package notation

import "github.com/notaryv2/notation/internal/certchain"

// cacheCertificates is how many bytes of memory certificates may take in a Cache,
// or rather twice that: some thousand of the usual size.
const cacheCertificates = 8 << 20

// Cache keeps between verifications what is true whoever asks: how the bytes of
// certificates parse, and which key has signed them. It holds no verdict, and
// nothing about trust, time, or revocation: these are judged each time. It may be
// shared by any number of Verifiers and goroutines, and takes some ten megabytes
// at most. The zero value, like nil, keeps nothing.
type Cache struct {
	certificates *certchain.Memo
}

// NewCache returns an empty Cache.
func NewCache() *Cache { return &Cache{certificates: certchain.NewMemo(cacheCertificates)} }

// facts returns what is known about certificates, in the cache and of the
// anchors of a statement.
func (j *judge) facts() certchain.Facts {
	k := certchain.Facts{Anchors: j.stores.Memo(j.anchorStores())}
	if j.cache != nil {
		k.Seen = j.cache.certificates
	}
	return k
}
