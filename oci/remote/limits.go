package remote

import (
	"time"

	"github.com/notaryv2/notation/oci"
)

// Bounds on what a registry sends. Sizes are in bytes.
const (
	maxIndex         = oci.MaxManifestSize // one page of a listing, or the index of the tag schema
	maxListing       = 32 << 20            // all pages of one listing
	maxPages         = 128                 // pages of one listing
	maxWarnings      = 16                  // oddities that one listing reports
	maxUnusable      = 1000                // entries of one page that cannot be used and are told apart
	maxErrorBody     = 16 << 10            // of a refusal; only its first words are shown
	maxResponseHead  = 256 << 10           // status line and headers
	maxRedirects     = 5
	maxQuoted        = 160 // bytes of a registry's text that an error repeats
	maxLink          = 8 << 10
	maxChallenges    = 16 // WWW-Authenticate fields looked at
	maxConfigFile    = 1 << 20
	maxHelperOutput  = 1 << 20 // of a credential helper
	maxIdlePerHost   = 128     // a hundred parallel fetches keep their connections
	maxIdleConns     = 256
	minLeft          = 1 << 20   // size of blobs whose digest the registry alone compares
	maxTokenAnswer   = 128 << 10 // of a token service, as oras-go has it
	maxTokenFile     = 256 << 10
	maxTokenFiles    = 1000
	maxKnownLists    = 1000 // registries of one client that are known to have the referrers API
	speculativePosts = 2    // upload sessions opened before the blobs are known: envelope and config
)

// Bounds on listings of names: the repositories of a registry, and the tags of a
// repository. They are read a page at a time, so that what counts is the page.
const (
	namesPerPage   = 1000       // asked for; what registries give is up to them
	maxNamesPage   = 8 << 20    // one page, in bytes: a registry may know no pages
	maxNamePages   = 200_000    // pages of one listing
	maxNames       = 20_000_000 // names of one listing
	maxBarrenPages = 100        // pages in a row that hold no name of use
)

// Bounds on retries and on writing the referrers tag.
const (
	// maxTries bounds how often one request is sent because of 429, 5xx or a
	// broken connection.
	maxTries = 4
	// maxSessions bounds the fresh upload sessions in which one blob is sent.
	maxSessions = 3
	// maxSharedConfigs bounds the repositories of which it is remembered that
	// they have the config of signatures.
	maxSharedConfigs = 10_000
	// maxTagTries bounds the writes of one entry into the referrers tag.
	maxTagTries = 24
	// maxQuietLooks bounds the further looks at a tag that others write too.
	maxQuietLooks = 4
	// maxProbes bounds the manifests looked for at once when the registry has
	// refused an index.
	maxProbes = 32
	// maxMerged bounds the entries that the first writer of a referrers tag takes
	// over from a listing of the ORAS artifacts-spec. One is enough to have that
	// listing asked for from then on.
	maxMerged = 1000
	// maxReadBacks bounds the looks at a listing that may lag behind a push.
	maxReadBacks = 5
)

// timing holds the waits of a client. Tests shorten them.
type timing struct {
	connect  time.Duration // to open a connection, TLS included
	header   time.Duration // until a response starts, token requests included
	stall    time.Duration // in which at least stallBytes must arrive
	backOff  time.Duration // before the first retry; doubles
	maxRetry time.Duration // the longest Retry-After that is waited for
	cancel   time.Duration // for all clean-up of upload sessions
	readBack time.Duration // before a listing is asked for the second time; doubles

	// settleMin and settleMinLoopback are the least wait between writing the
	// referrers tag and looking whether the entry is still there.
	settleMin, settleMinLoopback, settleMax time.Duration
	// readAge is how old a reading of the tag may be when it is written back.
	readAge time.Duration
}

// tokenMargin is how long a token of an earlier run must still hold, and
// maxTokenAge how long one is kept at most, whatever the service says.
const (
	tokenMargin = 30 * time.Second
	maxTokenAge = 12 * time.Hour
)

// helperGrace is how long a credential helper that was asked to end may take.
const helperGrace = 2 * time.Second

// stallBytes is the least progress within timing.stall.
const stallBytes = 1 << 10

func defaultTiming() timing {
	return timing{
		connect:  15 * time.Second,
		header:   60 * time.Second,
		stall:    15 * time.Second,
		backOff:  250 * time.Millisecond,
		maxRetry: 60 * time.Second,
		cancel:   5 * time.Second,
		readBack: 200 * time.Millisecond,

		settleMin:         400 * time.Millisecond,
		settleMinLoopback: 40 * time.Millisecond,
		settleMax:         5 * time.Second,
		readAge:           time.Second,
	}
}
