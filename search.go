package notation

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/semaphore"
)

// search fetches the candidates of one artifact and has them judged. Only run
// writes to it; look is what its goroutines do, and reads only.
type search struct {
	repo       oci.Repository
	judge      *judge
	artifact   oci.Descriptor
	max        int
	exhaustive bool
	large      *semaphore.Weighted // bytes of large content

	candidates []candidate // in the order in which they are fetched
	hinted     int         // the number of candidates that meet a trusted root

	results   []sighting // by position in the listing
	next      int        // the first candidate that is not started
	inFlight  int
	strangers int

	limited     bool          // a limit was reached before the candidates were
	undecided   *reason.Error // why, of the first signature that is neither good nor bad
	interrupted error         // ctx ended
}

// candidate is an entry of a listing that may be a signature.
type candidate struct {
	oci.Descriptor
	position int // in the listing
	rank     rank
}

// rank orders candidates by what their thumbprint annotation says. Nothing
// protects the annotation, so it decides the order and nothing else.
type rank int

const (
	meetsRoot rank = iota
	saysNothing
	meetsNone
)

// sighting is what came of looking at a candidate. The zero value: nothing yet.
type sighting struct {
	position  int
	verdict   SignatureVerdict
	stranger  bool          // it is no signature
	undecided *reason.Error // why the verdict on it is that, or nil
	seen      bool
}

func newSearch(v *Verifier, repo oci.Repository, j *judge, d discovery) *search {
	s := &search{
		repo: repo, judge: j, artifact: bare(d.artifact),
		max: v.MaxSignatures, exhaustive: v.Exhaustive,
		large: semaphore.NewWeighted(largeBudget),
	}
	if s.max <= 0 {
		s.max = DefaultMaxSignatures
	}
	s.candidates = candidates(d.listing.Referrers)
	s.results = make([]sighting, len(s.candidates))
	if len(s.candidates) > 1 { // one candidate needs no order
		s.sort()
	}
	return s
}

// claim is what an entry of a listing says and what decides whether its content
// can be fetched. Of two entries with one digest, the second may be the right one.
type claim struct {
	digest    digest.Digest
	size      int64
	mediaType string
}

// candidates returns the entries that may be signatures, each claim once.
func candidates(referrers []oci.Descriptor) []candidate {
	cs := make([]candidate, 0, len(referrers))
	known := make(map[claim]bool, len(referrers))
	signatures := oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature}
	for _, d := range referrers {
		c := claim{d.Digest, d.Size, d.MediaType}
		if known[c] || !signatures.Wants(d) {
			continue
		}
		known[c] = true
		cs = append(cs, candidate{Descriptor: d, position: len(cs)})
	}
	return cs
}

// sort puts candidates first that are likely to pass.
func (s *search) sort() {
	trusted := s.judge.stores.Thumbprints(s.judge.anchorStores())
	for i := range s.candidates {
		c := &s.candidates[i]
		c.rank = rankOf(c.Annotations[oci.AnnotationThumbprints], trusted)
		if c.rank == meetsRoot {
			s.hinted++
		}
	}
	slices.SortStableFunc(s.candidates, func(a, b candidate) int { return cmp.Compare(a.rank, b.rank) })
}

// rankOf looks for the thumbprints in what should be a JSON array of them. As it
// decides the order and nothing else, it is not read as JSON: there may be
// thousands.
func rankOf(annotation string, trusted map[string]bool) rank {
	says := saysNothing
	for text := range strings.SplitSeq(annotation, `"`) {
		switch {
		case len(text) != hex.EncodedLen(len(oci.Thumbprint{})):
		case trusted[text]:
			return meetsRoot
		default:
			says = meetsNone
		}
	}
	return says
}

// run looks at candidates until one passes, or at all of them: first at a small
// wave of likely ones, then at all others, as soon as the first wave is done
// without success or takes too long. What is still under way when it returns is
// cancelled, and is not waited for: a Repository need not be quick to heed ctx.
// Only plugins are, which are ended soon.
func (s *search) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer s.judge.running.end()
	defer cancel()
	window := firstWave
	if s.hinted > 0 {
		window = min(s.hinted, maxHinted)
	}
	if s.exhaustive {
		window = len(s.candidates)
	}
	hedge := time.NewTimer(hedgeDelay)
	defer hedge.Stop()
	sightings := make(chan sighting, maxInFlight) // no sender ever blocks
	for {
		s.start(ctx, window, sightings)
		if s.inFlight == 0 {
			break
		}
		select {
		case got := <-sightings:
			s.record(got)
			if got.verdict.Outcome == Passed && !s.exhaustive {
				return
			}
			if s.inFlight == 0 {
				window = len(s.candidates)
			}
		case <-hedge.C:
			window = len(s.candidates)
		case <-ctx.Done():
			s.interrupted = context.Cause(ctx)
			return
		}
	}
	s.limited = s.next < len(s.candidates)
}

// start starts as many candidates within the window as the bounds allow.
func (s *search) start(ctx context.Context, window int, sightings chan<- sighting) {
	for s.next < min(window, len(s.candidates)) && s.inFlight < maxInFlight &&
		s.next-s.strangers < s.max && s.strangers < maxStrangers {
		c := s.candidates[s.next]
		s.next++
		s.inFlight++
		go func() {
			got := s.look(ctx, c.Descriptor)
			got.position, got.seen = c.position, true
			sightings <- got
		}()
	}
}

func (s *search) record(got sighting) {
	s.inFlight--
	s.results[got.position] = got
	if got.stranger {
		s.strangers++
	}
	if s.undecided == nil {
		s.undecided = got.undecided
	}
}

// verdicts returns the signatures looked at, in the order of the listing.
func (s *search) verdicts() []SignatureVerdict {
	vs := make([]SignatureVerdict, 0, len(s.results))
	for _, r := range s.results {
		if r.seen && !r.stranger {
			vs = append(vs, r.verdict)
		}
	}
	return vs
}

// passed reports whether a signature has.
func (s *search) passed() bool {
	return slices.ContainsFunc(s.results, func(r sighting) bool { return r.seen && r.verdict.Outcome == Passed })
}

// left returns the number of candidates that were not looked at.
func (s *search) left() int {
	n := 0
	for _, r := range s.results {
		if !r.seen {
			n++
		}
	}
	return n
}

// look fetches one candidate and has it judged.
func (s *search) look(parent context.Context, d oci.Descriptor) sighting {
	ctx, cancel := context.WithTimeout(parent, signatureTimeout)
	defer cancel()
	verdict := SignatureVerdict{Digest: d.Digest}
	r, err := s.read(ctx, d)
	verdict.MediaType = r.manifest.Envelope.MediaType
	switch {
	case err != nil && r.malformed:
		return s.malformed(verdict, err)
	case err != nil:
		return s.missed(verdict, err, ctx.Err() != nil && parent.Err() == nil)
	}
	verdict = s.judge.envelope(parent, verdict.MediaType, r.envelope, s.artifact)
	verdict.Digest = d.Digest
	got := sighting{verdict: verdict}
	if verdict.Outcome == Undecided {
		got.undecided = verdict.doubt()
	}
	return got
}

// reading is a signature that was fetched.
type reading struct {
	manifest  oci.SignatureManifest
	envelope  []byte
	malformed bool // the manifest was fetched and is no good
}

// read fetches a signature manifest and the envelope that it names. Its share of
// the budget is given back at the end: what is kept is small, and asking others
// about it takes its time.
func (s *search) read(ctx context.Context, d oci.Descriptor) (r reading, err error) {
	raw, release, err := s.fetch(ctx, d, oci.MaxManifestSize)
	defer func() { release() }()
	if err != nil {
		return r, err
	}
	if r.manifest, err = oci.ParseSignatureManifest(raw, s.artifact.Digest); err != nil {
		r.malformed = true
		return r, err
	}
	if r.envelope = r.manifest.Inline; r.envelope == nil {
		release() // before waiting for more, lest all wait for each other
		r.envelope, release, err = s.fetch(ctx, r.manifest.Envelope, oci.MaxEnvelopeSize)
	}
	return r, err
}

// fetch is Repository.Fetch, within the budget for large content. release gives
// the share back and may be called more than once.
func (s *search) fetch(ctx context.Context, d oci.Descriptor, limit int64) (raw []byte, release func(), err error) {
	release = func() {}
	if d.Size > smallContent && d.Size <= limit { // above the limit nothing is read
		if err := s.large.Acquire(ctx, d.Size); err != nil {
			return nil, release, err
		}
		release = sync.OnceFunc(func() { s.large.Release(d.Size) })
	}
	raw, err = s.repo.Fetch(ctx, d, limit)
	return raw, release, err
}

// missed is the sighting of a signature that could not be had. It may be a good
// one, so nothing is decided about it. timedOut says that its own time was up.
func (s *search) missed(verdict SignatureVerdict, err error, timedOut bool) sighting {
	fault := asReason(err, reason.VerifySignatureUnread, "cannot read the signature")
	if timedOut {
		fault = reason.Wrap(reason.VerifySignatureTimeout, err, "the signature was not there within %s", signatureTimeout).
			WithHint("Try again; the registry or the network is slow.")
	}
	return sighting{verdict: s.judge.unread(verdict, found(CheckIntegrity, Undecided, fault)), undecided: fault}
}

// malformed is the sighting of a manifest that was read and is no good.
func (s *search) malformed(verdict SignatureVerdict, err error) sighting {
	switch reason.Of(err) {
	case reason.OCINotSignature, reason.OCIManifestType:
		return sighting{stranger: true}
	}
	return sighting{verdict: s.judge.unread(verdict, foundError(CheckIntegrity, Failed, err, reason.OCIManifest))}
}
