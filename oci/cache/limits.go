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
	// one of 16 digits. File systems are slow to begin many directories.
	shards = 16
	// maxShardEntries bounds the entries of a shard that are looked at.
	maxShardEntries = 50_000
	// tidyStep is how much a process writes into a shard before it tidies it
	// again, and tidyOnce one in how many processes tidies it at its first write:
	// most write one entry and end.
	tidyStep = 2 << 20
	tidyOnce = 64
	// touchAge is how old the time of an entry may be before a use renews it.
	touchAge = time.Hour
	// orphanAge is how old a file must be that a writer has begun and not
	// finished before it is removed.
	orphanAge = time.Hour
)
