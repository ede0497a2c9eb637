package audit

import "time"

// Bounds on an audit. What there is to look at comes from a registry that is not
// trusted, and what was found out may come from files of other machines.
const (
	// DefaultConcurrency is how many requests one registry has to serve at the
	// same time unless [NewPace] is told otherwise. An audit waits for answers
	// most of the time, so that there are more of them than processors.
	DefaultConcurrency = 64
	// DefaultSigning is the same for signing. It takes twice as many requests, one
	// after another, as verifying does, so that each waits twice as long: at 20 ms,
	// 64 at a time reached 66 % of what two processors allow, and 128 reach 89 %.
	DefaultSigning = 128
	// MaxConcurrency bounds what NewPace may be told.
	MaxConcurrency = 1024

	// MaxRecords bounds the artifacts of one [Archive], of which it holds some
	// hundred bytes each in memory. More are for several shards.
	MaxRecords = 2_000_000
	// MaxRecordBytes bounds the JSON form of a [Record].
	MaxRecordBytes = 1 << 20
	// MaxSignatures bounds the signatures in a Record.
	MaxSignatures = 100
	// MaxTags bounds the tags in a Record.
	MaxTags = 1000
	// MaxShards bounds the number of shards.
	MaxShards = 1_000_000
	// MaxMerged bounds the files that are merged at a time: each is open.
	MaxMerged = 1000
	// MaxCoverage bounds the parts of audits that files of records say they are
	// about.
	MaxCoverage = 100_000
	// MaxSubjectBytes bounds the name of what was audited in a file of records.
	MaxSubjectBytes = 300
	// MaxPatternBytes bounds the pattern for tags.
	MaxPatternBytes = 1000

	// DefaultTimeout bounds what is asked about one artifact, and how long a
	// listing may go without a new name, unless [Options] say otherwise.
	DefaultTimeout = 2 * time.Minute
	// DefaultMaxAge is for how long what a state file says is not found out anew.
	DefaultMaxAge = 24 * time.Hour
)

// Bounds within a run.
const (
	listedAhead   = 20_000  // repositories that are listed before they are looked at
	tagsAtOnce    = 200_000 // tags in memory, of all repositories together
	tagsOfOne     = 25_000  // and of one
	foldedLines   = 1000    // references of a list, one after another to one repository, that are folded
	maxSpread     = 64      // shards among which one repository is divided, each of which lists its tags
	slotsPerList  = 4       // requests that may be under way for each list of tags that is being read: each is a page in memory
	tasksPerSlot  = 4       // that wait for their turn, for each request that may be under way
	maxToldErrors = 20      // names left out that are told apart
	maxMissing    = 5       // shards that are missing and are told apart
)

// Bounds on how a run adapts to a registry.
const (
	firstLimit  = 32               // requests at a time before anything is known
	oneEvent    = time.Second      // in which answers that the registry is busy count as one
	maxPause    = time.Minute      // for which a registry may ask not to be asked at all
	deadAfter   = 2 * time.Minute  // without any answer of use the registry is given up
	deadTries   = 10               // at least
	askAgain    = time.Minute      // after which somebody who gave no answer about revocation is asked again
	maxKept     = 10_000           // chains of which the answers about revocation are kept
	answersHold = 10 * time.Minute // for which they are
)

// Bounds on what a record repeats of verdicts, in bytes.
const (
	maxMessageBytes = 4000
	maxMoreTags     = 20_000_000 // the tags of a repository
)

// Bounds on writing a state file.
const (
	compactFrom = 1 << 20     // bytes from which a file is written anew if less than half of it counts
	syncRecords = 256         // records after which it is flushed to the disk
	syncEvery   = time.Second // or after this time, when the next record comes
)

// Bounds on a summary.
const (
	maxReasons  = 1000   // codes that are counted apart
	maxSigners  = 10_000 // signers that are counted apart
	maxListed   = 20     // of each that a summary lists
	maxExpiring = 20     // signatures that end next
)
