package notation

import (
	"bytes"
	"context"
	"crypto/x509"
	"sync"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// attached is a signature of an artifact that is stored already.
type attached struct {
	manifest oci.Descriptor
	envelope oci.Descriptor
	raw      []byte
	stamp    *Timestamp // that the match has verified
}

// existing looks for a signature that is stored already, among those that may
// have been made under one root.
type existing struct {
	search *search
	match  func(context.Context, *attached) (bool, error) // the error: it may be the one

	mu    sync.Mutex
	found *attached
	doubt error
}

// lookForExisting returns the first signature that is seen to match, or nil. An
// error says that there may be one among those that could not be looked at.
// Where the listing says that a signature was made under other roots, it is not
// fetched: at worst it is stored a second time.
func lookForExisting(ctx context.Context, repo oci.Repository, artifact oci.Descriptor, root *x509.Certificate,
	d discovery, match func(context.Context, *attached) (bool, error),
) (*attached, error) {
	e := &existing{
		search: &search{repo: repo, artifact: artifact, judge: new(judge), large: semaphore.NewWeighted(largeBudget)},
		match:  match,
	}
	ours := map[string]bool{fingerprint(root): true}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(maxExistingInFlight)
	looked, limited := 0, false
	for _, c := range candidates(d.listing.Referrers) {
		if rankOf(c.Annotations[oci.AnnotationThumbprints], ours) == meetsNone {
			continue
		}
		if looked++; looked > maxExisting {
			limited = true
			break
		}
		group.Go(func() error {
			e.look(ctx, cancel, c.Descriptor)
			return nil
		})
	}
	_ = group.Wait() // they return none
	switch {
	case e.found != nil:
		return e.found, nil
	case d.listErr != nil:
		return nil, asReason(d.listErr, reason.VerifyListing, "cannot list the signatures that are there")
	case e.doubt != nil:
		return nil, asReason(e.doubt, reason.VerifySignatureUnread, "a signature that is there cannot be looked at")
	case d.listing.Truncated:
		return nil, reason.Errorf(reason.VerifyListingTruncated, "the listing of signatures is longer than %d entries", oci.MaxReferrers).
			WithHint("Remove referrers that are not needed from the repository.")
	case limited:
		return nil, reason.Errorf(reason.VerifySignatureLimit, "there are more than %d signatures that may be the one looked for", maxExisting).
			WithHint("Remove signatures that are not needed from the repository.")
	}
	return nil, nil
}

// look fetches a candidate and has it compared.
func (e *existing) look(ctx context.Context, stop context.CancelFunc, d oci.Descriptor) {
	if e.settled() {
		return
	}
	a, err := e.fetch(ctx, d)
	ok := false
	if err == nil && a != nil {
		ok, err = e.match(ctx, a)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case ok && e.found == nil:
		e.found = a
		stop()
	case err != nil && e.doubt == nil:
		e.doubt = err
	}
}

func (e *existing) settled() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.found != nil
}

// fetch returns a candidate, or nil if it is no signature of the artifact.
func (e *existing) fetch(ctx context.Context, d oci.Descriptor) (*attached, error) {
	ctx, cancel := context.WithTimeout(ctx, signatureTimeout)
	defer cancel()
	r, err := e.search.read(ctx, d)
	switch {
	case r.malformed:
		return nil, nil // whatever it is, it is none that counts
	case err != nil:
		return nil, err
	}
	return &attached{manifest: bare(d), envelope: r.manifest.Envelope, raw: r.envelope}, nil
}

// lookFor resolves ref and looks for a signature that is as good as the one that
// is to be made. If there is one, the result says so; else it names the artifact.
// The key is asked at most once, and only if there are signatures to compare
// with: nothing else tells which certificate it would sign with now.
func (m *maker) lookFor(ctx context.Context, ref oci.Reference) (Signed, error) {
	d, err := discover(ctx, m.repo, ref, false)
	if err != nil {
		return Signed{}, err
	}
	result := Signed{Artifact: bare(d.artifact)}
	if d.listErr == nil && len(d.listing.Referrers) == 0 && !d.listing.Truncated {
		return result, nil
	}
	if err := m.make(ctx, d.artifact); err != nil {
		return Signed{}, err
	}
	own := m.made.claims.Chain
	j, err := m.options.strictJudge(own[len(own)-1], m.made.claims.Scheme)
	if err != nil {
		return Signed{}, err
	}
	found, err := lookForExisting(ctx, m.repo, result.Artifact, own[len(own)-1], d, func(ctx context.Context, a *attached) (bool, error) {
		return m.counts(ctx, j, a)
	})
	if err != nil {
		return Signed{}, reason.Wrap(reason.Of(err), err, "it cannot be said whether the artifact is signed already, so nothing was signed").
			WithHint("%s", reason.Hint(err))
	}
	if found != nil {
		result.Skipped, result.Signature, result.Envelope, result.Timestamp = true, found.manifest, found.envelope, found.stamp
	}
	return result, nil
}

// counts reports whether a signature is as good as the one that was made.
func (m *maker) counts(ctx context.Context, j *judge, a *attached) (bool, error) {
	verified, err := open(a.envelope.MediaType, a.raw, j.facts())
	if err != nil {
		return false, nil
	}
	c, asked := verified.Content(), m.request
	asked.Expiry = time.Time{} // of which lastsAsLong knows more
	if !bytes.Equal(c.Chain[0].RawSubject, m.made.claims.Chain[0].RawSubject) || !lastsAsLong(&c, m.options) || !meets(&c, &asked) {
		return false, nil
	}
	s := j.verified(ctx, a.envelope.MediaType, verified, bare(m.made.claims.Target))
	switch s.Outcome {
	case Passed:
		a.stamp = s.Timestamp
		return s.Timestamp != nil || certifiedAsLong(&c, &m.made.claims, m.options), nil
	case Undecided:
		return false, s.doubt()
	}
	return false, nil
}

// lastsAsLong reports whether a signature stays good for at least half of the
// time for which one is asked for: a rerun some time later finds it good, and
// one that is about to end is made again in time.
func lastsAsLong(c *envelope.Content, o *SignOptions) bool {
	switch {
	case c.Expiry.IsZero():
		return true
	case o.Expiry == 0:
		return false
	}
	return c.Expiry.Sub(clockTime(o.Now)) >= o.Expiry/2
}

// certifiedAsLong reports whether the certificates of a signature that no time
// stamp keeps good beyond them last for at least half of the time for which one
// that is made now would be good. So a renewed certificate signs again before the
// old one has ended, and not while that has long to go.
func certifiedAsLong(c, made *envelope.Content, o *SignOptions) bool {
	if c.Scheme == envelope.SchemeSigningAuthority {
		return true
	}
	now := clockTime(o.Now)
	wanted := firstEnd(made.Chain).Sub(now)
	if o.Expiry > 0 {
		wanted = min(wanted, o.Expiry)
	}
	return firstEnd(c.Chain).Sub(now) >= wanted/2
}

// strictJudge judges by a strict policy that trusts one root for signatures of a
// scheme and, if a time stamp is asked for, demands one that leads to the roots
// asked for.
func (o *SignOptions) strictJudge(root *x509.Certificate, scheme envelope.Scheme) (*judge, error) {
	const store = "own"
	anchors := map[trust.StoreRef][]*x509.Certificate{}
	add := func(t trust.StoreType, certs ...*x509.Certificate) trust.StoreRef {
		ref := trust.StoreRef{Type: t, Name: store}
		anchors[ref] = certs
		return ref
	}
	refs := []trust.StoreRef{add(storeTypeFor(scheme), root)}
	if o.Timestamp != nil {
		refs = append(refs, add(trust.TSA, o.Timestamp.Roots...))
	}
	policy, err := trust.Starter(trust.OCIPolicy, refs...).Policy(trust.OCIPolicy, "")
	if err != nil {
		return nil, err
	}
	statement, err := policy.ForRepository("")
	if err != nil {
		return nil, err
	}
	v := &Verifier{Stores: trust.NewMemoryStores(anchors), Revocation: o.Revocation, Metadata: o.Metadata, Cache: o.Cache, Now: o.Now}
	return newJudge(v, statement, clockTime(o.Now)), nil
}
