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

	// touchAge is how old the time of a file may be before a use renews it.
	touchAge = time.Hour
	// orphanAge is how old a file must be that a writer has begun and not
	// finished before it is removed.
	orphanAge = time.Hour
)

// Bounds of the files of one entry each.
const (
	// maxLoose is how many entries of a process become files of their own, which
	// other processes find at once: more than a single verification needs. To make
	// a file costs as much as to append fifty entries to one.
	maxLoose = 16

	// shards is the number of directories of one algorithm: a digest begins with
	// one of 16 digits. File systems are slow to begin many directories.
	shards = 16
	// maxShardEntries bounds the entries of a shard that are looked at.
	maxShardEntries = 50_000
	// tidyStep is how much all processes write into a shard, in the mean, between
	// two times that one of them tidies it.
	tidyStep = 1 << 20
)

// Bounds of packs.
const (
	// packShare is what part of the cache packs may take, in quarters. The other
	// files may take the rest, and what packs leave of theirs.
	packShare = 3
	// maxPackBytes bounds the content of a pack, and packsFit is how many packs of
	// the largest size there is room for: whole ones are removed.
	maxPackBytes = 24 << 20
	packsFit     = 8
	// maxPackEntries bounds the entries of a pack. A process holds the index of
	// the one it writes in memory.
	maxPackEntries = 32 << 10
	// maxPacks bounds the packs that there are, and that a process has open, and
	// packsAtRest those that it leaves without merging small ones.
	maxPacks    = 32
	packsAtRest = 16
	// maxPackNames bounds the entries of the directory that are looked at.
	maxPackNames = 1000

	// listAge is how long a process goes without looking for the packs of others.
	listAge = time.Minute
	// finishAge is how long a pack is written to before others get to see it.
	finishAge = orphanAge / 4
	// retryAge is how long no pack is written after one could not be.
	retryAge = 10 * time.Minute
)
