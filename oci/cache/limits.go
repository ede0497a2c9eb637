package cache

import "time"

const (
	// DefaultDiskBytes bounds a cache in a directory, DefaultMemoryBytes one in
	// memory, where [Options] set nothing.
	DefaultDiskBytes   = 256 << 20
	DefaultMemoryBytes = 32 << 20

	// maxEntry bounds one entry. Most are of one to eight kibibytes.
	maxEntry = 512 << 10

	// blockBytes is what the smallest file takes on most disks, and recordBytes
	// more than what an entry in memory takes beside its content: of small entries
	// there would be thousands of times as many else.
	blockBytes  = 4 << 10
	recordBytes = 256

	// shards is the number of directories of one algorithm: a digest begins with
	// one of 256 bytes.
	shards = 256
	// maxShardEntries bounds the entries of a shard that are looked at.
	maxShardEntries = 10_000
	// tidyStep is how much is written into a shard before it is tidied again.
	// The first time is when a process first writes into it.
	tidyStep = 256 << 10
	// touchAge is how old the time of an entry may be before a use renews it.
	touchAge = time.Hour
	// orphanAge is how old a file must be that a writer has begun and not
	// finished before it is removed.
	orphanAge = time.Hour
)
