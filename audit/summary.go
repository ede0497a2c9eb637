package audit

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/notaryv2/notation/reason"
)

// Summary is what many records amount to. It is of bounded size, however many
// they are.
type Summary struct {
	Artifacts    int `json:"artifacts"`
	Repositories int `json:"repositories"` // in which they are

	Passed    int `json:"passed"`
	Rejected  int `json:"rejected"`
	Unsigned  int `json:"unsigned"`
	Undecided int `json:"undecided"`
	Skipped   int `json:"skipped"`

	// NoStatement counts those of Rejected to which no statement of the policy
	// applies, and Unlisted those of Undecided that are repositories of which the
	// tags could not be listed.
	NoStatement int `json:"noStatement"`
	Unlisted    int `json:"unlisted"`

	// Reasons are why artifacts did not pass, the most frequent first, at most
	// twenty, and MoreReasons counts the artifacts that did not for any other.
	// Signers are by whose signatures artifacts pass, likewise.
	Reasons     []ReasonCount `json:"reasons"`
	MoreReasons int           `json:"moreReasons,omitempty"`

	Signers []SignerCount `json:"signers"`
	// MoreSigners counts the artifacts of all other signers.
	MoreSigners int `json:"moreSigners,omitempty"`
	// Expiring are signatures by which artifacts pass, and when they will not any
	// more, the next first, at most twenty.
	Expiring []Expiring `json:"expiring"`

	// Latest is when the last of them was decided.
	Latest time.Time `json:"latest,omitzero"`

	exits [5]int
}

// ReasonCount is how often a reason stands in the way.
type ReasonCount struct {
	Outcome   string      `json:"outcome"`
	Reason    reason.Code `json:"reason"`
	Artifacts int         `json:"artifacts"`
}

// SignerCount is how many artifacts pass by the signatures of somebody.
type SignerCount struct {
	// Signer is the subject of the certificate, RFC 4514; "": nobody vouches for
	// it, as the policy merely logs who has signed.
	Signer    string `json:"signer"`
	Store     string `json:"store,omitempty"`
	Artifacts int    `json:"artifacts"`
}

// Expiring is how many artifacts cease to pass at a time, as the signatures of
// somebody end, or the certificates of these.
type Expiring struct {
	Time      time.Time `json:"time"`
	Signer    string    `json:"signer"`
	Artifacts int       `json:"artifacts"`
	Example   string    `json:"example"` // one of them
}

// ExitCodes returns how many records have each of the exit codes of 'notation
// verify', 0 to 4.
func (s *Summary) ExitCodes() [5]int { return s.exits }

// Summarize sums up records in the order of [Archive.Records].
func Summarize(records iter.Seq2[Record, error]) (Summary, error) {
	t := tally{reasons: map[reasonKey]int{}, signers: map[signerKey]int{}, expiring: map[expiryKey]*Expiring{}}
	repository := ""
	for r, err := range records {
		if err != nil {
			return Summary{}, err
		}
		if r.Repository != repository {
			repository = r.Repository
			t.Repositories++
		}
		t.add(&r)
	}
	return t.sum(), nil
}

// tally is a Summary that grows.
type tally struct {
	Summary
	reasons  map[reasonKey]int
	signers  map[signerKey]int
	expiring map[expiryKey]*Expiring
}

type reasonKey struct {
	outcome string
	code    reason.Code
}

type signerKey struct{ signer, store string }

type expiryKey struct {
	at     int64
	signer string
}

func (t *tally) add(r *Record) {
	t.Artifacts++
	if r.ExitCode >= 0 && r.ExitCode < len(t.exits) {
		t.exits[r.ExitCode]++
	}
	if r.Time.After(t.Latest) {
		t.Latest = r.Time
	}
	switch r.Outcome {
	case outcomePassed:
		t.Passed++
		t.pass(r)
		return
	case outcomeRejected:
		t.Rejected++
	case outcomeUnsigned:
		t.Unsigned++
	case outcomeSkipped:
		t.Skipped++
	default:
		t.Undecided++
	}
	switch {
	case r.Reason == reason.PolicyNoStatement:
		t.NoStatement++
	case r.Digest == "" && len(r.Tags) == 0:
		t.Unlisted++
	}
	if key := (reasonKey{r.Outcome, r.Reason}); t.reasons[key] > 0 || len(t.reasons) < maxReasons {
		t.reasons[key]++
	} else {
		t.MoreReasons++
	}
}

// pass counts by whose signature a record passes, and until when.
func (t *tally) pass(r *Record) {
	i := slices.IndexFunc(r.Signatures, func(s Signature) bool { return s.Outcome == outcomePassed })
	if i < 0 {
		return
	}
	s := &r.Signatures[i]
	key := signerKey{s.Signer, s.Store}
	if s.Store == "" {
		key.signer = ""
	}
	if _, known := t.signers[key]; known || len(t.signers) < maxSigners {
		t.signers[key]++
	} else {
		t.MoreSigners++
	}
	at := s.Ends()
	if at.IsZero() {
		return
	}
	k := expiryKey{at.Unix(), key.signer}
	if e := t.expiring[k]; e != nil {
		e.Artifacts++
		return
	}
	t.expiring[k] = &Expiring{Time: at, Signer: key.signer, Artifacts: 1, Example: r.Name()}
	if len(t.expiring) > 2*maxReasons { // the last of them will not be among the first
		for _, e := range t.soonest()[maxReasons:] {
			delete(t.expiring, expiryKey{e.Time.Unix(), e.Signer})
		}
	}
}

// soonest returns the ends, the next first.
func (t *tally) soonest() []Expiring {
	all := make([]Expiring, 0, len(t.expiring))
	for _, e := range t.expiring {
		all = append(all, *e)
	}
	slices.SortFunc(all, func(a, b Expiring) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Signer, b.Signer)) })
	return all
}

func (t *tally) sum() Summary {
	s := t.Summary
	s.Reasons = make([]ReasonCount, 0, maxListed)
	for k, n := range t.reasons {
		s.Reasons = append(s.Reasons, ReasonCount{k.outcome, k.code, n})
	}
	slices.SortFunc(s.Reasons, func(a, b ReasonCount) int {
		return cmp.Or(cmp.Compare(b.Artifacts, a.Artifacts), cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Reason, b.Reason))
	})
	for _, r := range s.Reasons[min(len(s.Reasons), maxListed):] {
		s.MoreReasons += r.Artifacts
	}
	s.Reasons = s.Reasons[:min(len(s.Reasons), maxListed)]
	s.Signers = make([]SignerCount, 0, maxListed)
	keys := slices.SortedFunc(maps.Keys(t.signers), func(a, b signerKey) int {
		return cmp.Or(cmp.Compare(t.signers[b], t.signers[a]), cmp.Compare(a.signer, b.signer), cmp.Compare(a.store, b.store))
	})
	for i, k := range keys {
		if i < maxListed {
			s.Signers = append(s.Signers, SignerCount{k.signer, k.store, t.signers[k]})
		} else {
			s.MoreSigners += t.signers[k]
		}
	}
	s.Expiring = t.soonest()
	s.Expiring = s.Expiring[:min(len(s.Expiring), maxExpiring)]
	return s
}

// Ends returns when the signature ceases to be good by itself: with its own
// expiry or, unless a time stamp keeps it beyond that, its first certificate.
// Zero: neither is known.
func (s *Signature) Ends() time.Time {
	end := s.Expiry
	if !s.Timestamped && !s.CertificateExpiry.IsZero() && (end.IsZero() || s.CertificateExpiry.Before(end)) {
		end = s.CertificateExpiry
	}
	return end
}
