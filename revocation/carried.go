package revocation

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/notaryv2/notation/reason"
)

// atHand is the part of some [Evidence] that may say something about the
// certificates of one issuer. What is in it is parsed and no more: everything
// is judged when it is used.
type atHand struct {
	ocsp  [][]byte // about the certificate in question
	lists []listAtHand
}

// listAtHand is a list that names the issuer as its own.
type listAtHand struct {
	crlFrame
	raw []byte
}

// choose picks what may be about a certificate, so that the evidence for many
// artifacts can be given for each of them. It looks at no more than
// [MaxEvidence] answers of a kind. The newest come first: no more than maxStapled
// are judged, and who carried them must not keep a revocation from being among
// these with answers from before it, of which there may be any number.
func (e *Evidence) choose(q question) *atHand {
	var h atHand
	ids := certIDs{q: q}
	var found []dated[[]byte]
	for _, raw := range e.OCSP[:min(len(e.OCSP), MaxEvidence)] {
		r, err := parseOCSP(raw)
		if err != nil {
			continue
		}
		var this time.Time
		for i := range r.singles {
			if s := &r.singles[i]; ids.match(s) && s.answer.this.After(this) {
				this = s.answer.this
			}
		}
		if !this.IsZero() {
			found = append(found, dated[[]byte]{raw, this})
		}
	}
	h.ocsp = newestFirst(found, q.now)
	h.ocsp = h.ocsp[:min(len(h.ocsp), maxStapled)]
	var lists []dated[listAtHand]
	for _, raw := range e.CRLs[:min(len(e.CRLs), MaxEvidence)] {
		if f, err := frameOf(raw); err == nil && string(f.issuer) == string(q.issuer.RawSubject) {
			lists = append(lists, dated[listAtHand]{listAtHand{f, raw}, f.this})
		}
	}
	h.lists = newestFirst(lists, q.now)
	return &h
}

// dated is something with the time that it says to be of.
type dated[T any] struct {
	what T
	this time.Time
}

// newestFirst puts what is newer before what is older, and last what says to be
// of the future, which cannot count.
func newestFirst[T any](all []dated[T], now time.Time) []T {
	future := func(t time.Time) int {
		if t.After(now.Add(skew)) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(all, func(a, b dated[T]) int {
		return cmp.Or(future(a.this)-future(b.this), b.this.Compare(a.this))
	})
	var ordered []T
	for _, l := range all {
		ordered = append(ordered, l.what)
	}
	return ordered
}

// frameOf reads a list without its entries. Nothing is checked.
func frameOf(raw []byte) (f crlFrame, err *reason.Error) {
	if len(raw) > MaxCRLBytes {
		return f, reason.Errorf(reason.RevocationTooLarge, "the revocation list is longer than %d bytes", MaxCRLBytes)
	}
	if err := f.parseHead(raw, int64(len(raw))); err != nil {
		return f, err
	}
	if frame := int64(len(raw)) - (f.entriesEnd - f.entriesStart); frame > maxFrameBytes {
		return f, crlSyntax("its extensions are too long")
	}
	return f, f.parseTail(raw[f.entriesEnd:])
}

// fitting returns the lists for which fits reports true and whose signature and
// times hold, newest first, and why others do not count. It opens no more than
// maxStapled.
func (h *atHand) fitting(q question, fits func(*crlFrame) bool) (all []*crl, faults causes) {
	opened := 0
	for i := range h.lists {
		if !fits(&h.lists[i].crlFrame) {
			continue
		}
		if opened++; opened > maxStapled {
			break
		}
		c, _, err := newCRL(h.lists[i].raw, q.issuer)
		if err == nil {
			err = c.current(q.now)
		}
		if err != nil {
			faults.add(err)
			continue
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b *crl) int { return b.this.Compare(a.this) })
	return all, faults
}

// newest returns the newest list that fits, or nil.
func (h *atHand) newest(q question, fits func(*crl) bool) *crl {
	all, _ := h.fitting(q, func(f *crlFrame) bool { return fits(&crl{crlFrame: *f}) })
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// best collects answers. Of several the newest counts, whatever their order,
// and of two of one time a revocation.
type best struct {
	answer
	found bool
}

func (b *best) take(a answer, q question) {
	a.carried = true
	if a = a.settle(q); a.status == NoSource {
		return
	}
	if !b.found || a.this.After(b.this) || a.this.Equal(b.this) && a.status == Revoked {
		b.answer, b.found = a, true
	}
}

// carried looks for an answer in what came along. The faults say why answers
// about the certificate did not count.
func (l *Live) carried(ctx context.Context, q question, e Evidence, points []point) (b best, faults causes) {
	if len(e.OCSP) == 0 && len(e.CRLs) == 0 {
		return b, nil
	}
	q.carried = e.choose(q)
	for _, raw := range q.carried.ocsp {
		a, err := l.judged(ctx, raw, q)
		if err != nil {
			faults.add(err)
			continue
		}
		b.take(a, q)
	}
	if len(points) == 0 {
		points = []point{{reasons: allReasons}}
	}
	return b, append(faults, l.carriedLists(ctx, q, points, &b)...)
}

// carriedLists goes through the complete lists that cover the certificate. Those
// for some reasons add up, as they do in [Live.lists].
func (l *Live) carriedLists(ctx context.Context, q question, points []point, b *best) (faults causes) {
	covers := func(f *crlFrame) bool {
		return f.base == nil && slices.ContainsFunc(points, func(p point) bool {
			_, err := f.scope.covers(q.cert, p)
			return err == nil
		})
	}
	lists, faults := q.carried.fitting(q, covers)
	var some answer
	var covered reasonSet
	for _, c := range lists {
		var set reasonSet
		for _, p := range points {
			if s, err := c.scope.covers(q.cert, p); err == nil {
				set |= s
			}
		}
		a, err := l.search(ctx, q, c)
		switch {
		case err != nil:
			faults.add(err)
		case set == allReasons || a.status == Revoked && a.counts(q):
			b.take(a, q)
		default:
			some.merge(a, covered == 0)
			covered |= set
		}
	}
	if covered == allReasons {
		b.take(some, q)
	}
	return faults
}

// merge adds what a list for some reasons says to what others did: together they
// are as old as the oldest, and hold until the first one ends.
func (a *answer) merge(o answer, first bool) {
	if first {
		*a = o
		return
	}
	this, next, silent := earlier(a.this, o.this), earlier(a.next, o.next), a.silent || o.silent
	if o.status == Revoked {
		*a = o
	}
	a.this, a.next, a.silent = this, next, silent
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// overrides reports whether an answer that was carried along takes the place of
// one that somebody gave who was asked, now or earlier: it is newer, and at
// least as bad. What is carried was chosen by who carried it, and gives no yes
// where somebody has said no; but neither is a revocation passed over for an
// older answer in a cache.
func (b *best) overrides(a answer) bool {
	return b.found && b.this.After(a.this) && severity(b.status) >= severity(a.status)
}

// unhelpful are the faults of answers that were carried along, as causes of a
// failure.
func unhelpful(faults causes) causes {
	const most = 2 // so that there is room to say what else was tried
	var told causes
	for _, err := range faults[:min(len(faults), most)] {
		told.add(reason.Wrap(err.Code, err, "an answer that was carried along does not count"))
	}
	return told
}
