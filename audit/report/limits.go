package report

// Bounds on what a report keeps in memory and repeats of records, which may come
// from anywhere.
const (
	// DefaultDetails is how many artifacts the page lists one by one unless
	// [Options] say otherwise, and MaxDetails how many it can be told to.
	DefaultDetails = 2000
	MaxDetails     = 50_000

	// SuiteCases is how many test cases a suite of the JUnit form has at most. It
	// is held in memory until its end, as its counts come first.
	SuiteCases = 1000
	// RunResults is how many results a run of the SARIF form has at most: what
	// GitHub takes of one run. Those beyond are in further runs of the same file.
	RunResults = 25_000
)

// Bounds on what is told apart. What is beyond is counted together.
const (
	maxRepositories = 20_000 // exact beyond it, too, if records come by repository
	maxSigners      = 10_000
	maxStores       = 1000
	maxRoots        = 1000
	maxStatements   = 1000
	maxReasons      = 1000 // an outcome with a code; rules of a run of SARIF
	maxEndings      = 2000 // days on which signatures of one signer end
)

// Bounds on what is listed.
const (
	listedRepositories = 50
	listedSigners      = 25
	listedRoots        = 25
	listedReasons      = 50
	listedEndings      = 12
	listedExamples     = 3
	listedInText       = 10 // of each, in the table
)

// Bounds on text, in bytes before it is escaped.
const (
	maxTitleBytes   = 300
	maxNameBytes    = 500 // subjects, stores, repositories, tags
	maxCodeBytes    = 100
	maxMessageBytes = 1000
	maxTagsShown    = 5
)
