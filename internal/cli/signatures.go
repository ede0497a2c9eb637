package cli

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
	"golang.org/x/sync/semaphore"
)

// Bounds on what list and inspect fetch; verify has its own.
const (
	// maxFetches bounds the signatures that are fetched at the same time.
	maxFetches = 100
	// maxUseless bounds the entries of a listing that were fetched in vain,
	// because they cannot be read or are no signatures.
	maxUseless = 1000
	// fetchTimeout bounds the requests for one signature together.
	fetchTimeout = 15 * time.Second
	// smallFetch is the size in bytes up to which content is fetched at once;
	// fetchBudget bounds the bytes of larger content in memory.
	smallFetch  = 256 << 10
	fetchBudget = 4 * oci.MaxManifestSize
	// maxNotes bounds the warnings about single entries of a listing.
	maxNotes = 5
)

// lookOptions are the flags of commands that look at signatures without
// judging them.
type lookOptions struct {
	targets       targetOptions
	maxSignatures int
}

func (o *lookOptions) register(cmd *cobra.Command) {
	cmd.Flags().IntVar(&o.maxSignatures, "max-signatures", notation.DefaultMaxSignatures, "show no more than this number of signatures")
	o.targets.register(cmd)
}

// attached is a candidate of a listing and what came of fetching it.
type attached struct {
	manifest oci.Descriptor
	parsed   oci.SignatureManifest
	envelope []byte // nil unless asked for
	err      error
	unread   bool // err kept it from being read, so it may be a good signature
	done     bool
}

// sight is what was seen of an artifact. doubt, if not nil, says why there may
// be more signatures than are shown.
type sight struct {
	target     target
	artifact   oci.Descriptor
	signatures []attached
	listed     bool // the listing is whole
	doubt      error
}

// nothing says why no signature is shown.
func (s *sight) nothing() string {
	switch {
	case !s.listed:
		return "the signatures could not be listed, so it is not known whether there are any"
	case s.doubt != nil:
		return "no signature could be read"
	}
	return "no signature is attached"
}

// look resolves a reference and returns the signatures attached to what it
// names. A listing is a hint: each manifest is fetched and checked to be a
// signature of this artifact, and what is something else is left out. Entries
// that cannot be read do not count as signatures shown, so that they cannot
// hide the good ones behind them. The error is that of resolving.
func (a *app) look(ctx context.Context, cmd *cobra.Command, o *lookOptions, typed string, envelopes bool) (*sight, error) {
	if o.maxSignatures < 1 {
		return nil, a.usage(cmd, reason.UsageFlag, "--max-signatures must be at least 1", "")
	}
	t, err := o.targets.parse(typed)
	if err != nil {
		return nil, err
	}
	repo, err := a.openOne(ctx, &o.targets, t, "")
	if err != nil {
		return nil, err
	}
	artifact, err := repo.Resolve(ctx, t.ref)
	if err != nil {
		return nil, err
	}
	listing, listErr := repo.Referrers(ctx, artifact.Digest, oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature})
	for i, w := range listing.Warnings {
		if i == maxNotes {
			a.warn("the listing has %d more oddities", len(listing.Warnings)-i)
			break
		}
		a.warn("%s", w)
	}
	l := &looker{repo: repo, artifact: artifact.Digest, envelopes: envelopes, max: o.maxSignatures, budget: semaphore.NewWeighted(fetchBudget)}
	l.choose(listing.Referrers)
	interrupted := l.run(ctx)
	s := &sight{target: t, artifact: artifact, listed: listErr == nil}
	s.signatures, s.doubt = a.seen(l)
	if interrupted != nil {
		s.doubt = reason.Wrap(reason.RegistryTimeout, interrupted, "the signatures could not all be fetched in time").WithHint("try again; allow more time with --timeout")
	}
	if listErr != nil {
		s.doubt = listErr
	}
	if listing.Truncated && s.doubt == nil && len(s.signatures) < o.maxSignatures {
		s.doubt = reason.Errorf(reason.VerifyListingTruncated, "the listing of signatures is longer than %d entries", oci.MaxReferrers).
			WithHint("remove referrers that are not needed from the repository")
	}
	return s, nil
}

// seen returns what is to be shown, in the order of the listing, and the first
// reason why that may not be all.
func (a *app) seen(l *looker) ([]attached, error) {
	var shown []attached
	var doubt error
	read, unread, left := 0, 0, 0
	for _, s := range l.all {
		switch {
		case !s.done:
			left++
			continue
		case reason.Of(s.err) == reason.OCINotSignature || !s.unread && reason.Of(s.err) == reason.OCIManifestType:
			continue
		case !s.unread:
			if read++; read > l.max { // fetched beside the others
				left++
				continue
			}
		default:
			if unread++; unread <= maxNotes {
				a.warn("signature %s: %s", s.manifest.Digest, s.err)
			}
			doubt = cmp.Or(doubt, s.err)
		}
		shown = append(shown, s)
	}
	if unread > maxNotes {
		a.warn("%d more entries of the listing could not be read", unread-maxNotes)
	}
	switch {
	case read >= l.max: // as many as were asked for, so that nothing is missing
		doubt = nil
		if left > 0 {
			a.warn("only %d of the signatures are shown; --max-signatures shows more", l.max)
		}
	case left > 0:
		doubt = cmp.Or(doubt, error(reason.Errorf(reason.VerifyStrangerLimit, "%d entries of the listing were not looked at, as too many before them are no signatures or cannot be read", left).
			WithHint("remove other referrers from the repository")))
	}
	return shown, doubt
}

// looker fetches the candidates of one artifact. Only run writes to all.
type looker struct {
	repo      oci.Repository
	artifact  digest.Digest
	envelopes bool
	max       int
	budget    *semaphore.Weighted

	all []attached
}

// choose takes those entries of a listing that may be signatures, each once.
func (l *looker) choose(referrers []oci.Descriptor) {
	type claim struct { // of two entries with one digest, the second may be the right one
		digest    digest.Digest
		size      int64
		mediaType string
	}
	known := make(map[claim]bool, len(referrers))
	wanted := oci.ReferrersOptions{ArtifactType: oci.ArtifactTypeSignature}
	for _, d := range referrers {
		if c := (claim{d.Digest, d.Size, d.MediaType}); !known[c] && wanted.Wants(d) {
			known[c] = true
			l.all = append(l.all, attached{manifest: d})
		}
	}
}

// run fetches candidates until enough were read or none is left. It returns
// why ctx ended before; what is under way then is not waited for.
func (l *looker) run(ctx context.Context) error {
	type result struct {
		i int
		s attached
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result, maxFetches) // no sender ever blocks
	next, inFlight, read, useless := 0, 0, 0, 0
	for {
		for next < len(l.all) && inFlight < maxFetches && useless < maxUseless {
			i, d := next, l.all[next].manifest
			next++
			inFlight++
			go func() { results <- result{i, l.fetch(ctx, d)} }()
		}
		if inFlight == 0 || read >= l.max {
			return nil
		}
		select {
		case r := <-results:
			inFlight--
			l.all[r.i] = r.s
			if r.s.unread || reason.Of(r.s.err) == reason.OCINotSignature {
				useless++
			} else {
				read++
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// fetch fetches a candidate and, if asked for, its envelope.
func (l *looker) fetch(ctx context.Context, d oci.Descriptor) attached {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	s := attached{manifest: d, done: true}
	raw, release, err := l.content(ctx, d, oci.MaxManifestSize)
	defer func() { release() }()
	if err != nil {
		s.err, s.unread = err, true
		return s
	}
	if s.parsed, s.err = oci.ParseSignatureManifest(raw, l.artifact); s.err != nil || !l.envelopes {
		return s
	}
	if s.envelope = s.parsed.Inline; s.envelope == nil {
		release() // before waiting for more, lest all wait for each other
		if s.envelope, release, err = l.content(ctx, s.parsed.Envelope, oci.MaxEnvelopeSize); err != nil {
			s.err, s.unread = err, true
		}
	}
	return s
}

// content is Repository.Fetch, within the budget for large content. release
// gives the share back and may be called more than once.
func (l *looker) content(ctx context.Context, d oci.Descriptor, limit int64) (raw []byte, release func(), err error) {
	release = func() {}
	if d.Size > smallFetch && d.Size <= limit { // above the limit nothing is read
		if err := l.budget.Acquire(ctx, d.Size); err != nil {
			return nil, release, err
		}
		release = sync.OnceFunc(func() { l.budget.Release(d.Size) })
	}
	raw, err = l.repo.Fetch(ctx, d, limit)
	return raw, release, err
}
