package report

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/notaryv2/notation/audit"
)

// bucket is how long the signature that an artifact passes by is good for.
type bucket int

const (
	expired bucket = iota
	within30
	within90
	withinYear
	later
	never
	coveredBy // the artifact passes by the signature of an index
	buckets
)

const oneDay = 24 * time.Hour

// bucketWords are what buckets are called.
func bucketWords() [buckets]string {
	return [buckets]string{"expired", "within 30 days", "within 90 days", "within a year", "later", "never", "with its index"}
}

func (b bucket) String() string { return bucketWords()[b] }

// bucketOf returns the bucket of a signature at a time. The end itself is within:
// what ends now has expired, and what ends in 30 days to the second ends within
// 30 days no more.
func bucketOf(s *audit.Signature, at time.Time) bucket {
	if s == nil {
		return coveredBy
	}
	end := s.Ends()
	switch left := end.Sub(at); {
	case end.IsZero():
		return never
	case left <= 0:
		return expired
	case left < 30*oneDay:
		return within30
	case left < 90*oneDay:
		return within90
	case left < 365*oneDay:
		return withinYear
	default:
		return later
	}
}

// endings is what expires when.
type endings struct {
	counts [buckets]int
	days   map[endingKey]int // still to come
}

// endingKey is a day, in UTC, on which signatures of somebody end.
type endingKey struct {
	day         string // in the form of a date, which sorts
	signer      string
	certificate bool // the certificate ends, and not what its holder has set
}

func (a endingKey) compare(b endingKey) int {
	if c := cmp.Or(cmp.Compare(len(a.day), len(b.day)), cmp.Compare(a.day, b.day), cmp.Compare(a.signer, b.signer)); c != 0 || a.certificate == b.certificate {
		return c
	}
	if a.certificate {
		return 1
	}
	return -1
}

// add counts the signature that an artifact passes by.
func (e *endings) add(s *audit.Signature, signer string, at time.Time) {
	b := bucketOf(s, at)
	e.counts[b]++
	if b < within30 || b > later {
		return
	}
	end := s.Ends()
	e.days[endingKey{day(end), signer, !end.Equal(s.Expiry)}]++
	if len(e.days) <= 2*maxEndings {
		return
	}
	// Those beyond the bound are never among the next: whatever else is found can
	// only come before them.
	for _, k := range e.next()[maxEndings:] {
		delete(e.days, k)
	}
}

// next returns when signatures end, the next first.
func (e *endings) next() []endingKey { return slices.SortedFunc(maps.Keys(e.days), endingKey.compare) }
