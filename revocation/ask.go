package revocation

import (
	"context"
	"net/http"
	"time"

	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/reason"
)

// share gives one of several tries its part of the time that is left.
func share(ctx context.Context, left int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || left <= 1 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
}

// ask goes through the sources: OCSP first, then lists. Either there is an
// answer, or there are faults.
func (l *Live) ask(ctx context.Context, q question, s sources) (answer, causes) {
	faults := s.faults
	for i, server := range s.responders {
		left := len(s.responders) - i
		if len(s.points) > 0 {
			left++
		}
		part, cancel := share(ctx, left)
		a, err := l.ocsp(part, q, server)
		cancel()
		if err == nil {
			if a = a.settle(q); a.status != NoSource {
				return l.second(ctx, q, s, a), nil
			}
			err = notKept(server)
		}
		faults.add(err)
	}
	a, more := l.lists(ctx, q, s.points)
	if more == nil && len(s.points) > 0 {
		return a, nil
	}
	return answer{}, append(faults, more...)
}

// second asks the lists, too, where answers are recorded to be carried: they
// tend to hold for longer than those of a responder. That a list cannot be had
// does not matter; that it names the certificate does.
func (l *Live) second(ctx context.Context, q question, s sources, first answer) answer {
	if l.record == nil || len(s.points) == 0 || first.status != Good {
		return first
	}
	part, cancel := share(ctx, 2)
	defer cancel()
	if a, faults := l.lists(part, q, s.points); faults == nil && a.status == Revoked {
		return a
	}
	return first
}

// ocsp learns the status from one responder or from what it said before.
func (l *Live) ocsp(ctx context.Context, q question, server string) (answer, *reason.Error) {
	key := cacheKey(server, q.issuer, serial(q.cert))
	kept, age, ok := l.keptOCSP(ctx, q, key)
	kept.source = server
	if ok && (l.offline || young(age)) {
		return kept, nil
	}
	if l.offline {
		return answer{}, offline(server)
	}
	a, err := l.freshOCSP(ctx, q, server, key, kept.this)
	if err != nil && ok {
		return kept, nil // older than we like, but it holds
	}
	a.source = server
	return a, err
}

// young reports whether a cached answer of an age need not be asked for again.
// One that was kept in the future was kept under another clock.
func young(age time.Duration) bool { return age > -skew && age < maxCacheAge }

func offline(source string) *reason.Error {
	return reason.Errorf(reason.RevocationOffline, "nothing that still holds is cached of %s, and nobody may be asked", shown(source))
}

// keptOCSP returns a cached answer that holds, and its age.
func (l *Live) keptOCSP(ctx context.Context, q question, key string) (a answer, age time.Duration, ok bool) {
	b := l.store.load(kindOCSP, key)
	if b == nil {
		return a, 0, false
	}
	defer b.close()
	a, err := l.judged(ctx, b.read(), q)
	// An answer that does not say how long it holds is not for keeping.
	if err != nil || a.next.IsZero() {
		return answer{}, 0, false
	}
	a.cached = true
	return a, q.now.Sub(b.stored), true
}

// freshOCSP asks a responder and keeps what it says. An answer from before the
// last one is somebody's who is on the way to the responder and repeats what it
// said once.
func (l *Live) freshOCSP(ctx context.Context, q question, server, key string, last time.Time) (answer, *reason.Error) {
	encoded, nonce := ocspRequest(q, l.nonce)
	post := request{
		method: http.MethodPost, url: server, body: encoded, sent: "application/ocsp-request",
		wanted: "application/ocsp-response", limit: MaxOCSPBytes,
	}
	var raw []byte
	var err *reason.Error
	if get := getURL(server, encoded); get != "" && nonce == nil {
		r := post
		r.method, r.url, r.body, r.sent = http.MethodGet, get, nil, ""
		if raw, err = l.fetch.do(ctx, r); refusesGET(err) {
			raw, err = l.fetch.do(ctx, post)
		}
	} else {
		raw, err = l.fetch.do(ctx, post)
	}
	if err != nil {
		return answer{}, err
	}
	q.nonce = nonce
	a, err := l.judged(ctx, raw, q)
	if err == nil && a.this.Before(last) {
		return answer{}, reason.Errorf(reason.RevocationOCSPTime, "%s gives an OCSP response that is older than the one it gave before", shown(server))
	}
	// "Unknown" may be a matter of minutes: of a certificate just issued.
	if err == nil && !a.next.IsZero() && a.status != Unknown {
		l.store.save(kindOCSP, key, raw, nil)
	}
	if err == nil {
		l.record.add(raw, server)
	}
	return a, err
}

// refusesGET reports whether a responder may be one of those that know POST
// only, which RFC 6960 appendix A.1 allows.
func refusesGET(err *reason.Error) bool {
	if err == nil {
		return false
	}
	status, ok := err.Err.(statusError)
	if !ok {
		return false
	}
	switch int(status) {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return false
}

// judged is [judgeOCSP] and, where the issuer wants it, the check of the
// responder's own certificate against its revocation lists.
func (l *Live) judged(ctx context.Context, raw []byte, q question) (answer, *reason.Error) {
	a, delegate, err := judgeOCSP(raw, q)
	if err != nil || delegate == nil {
		return a, err
	}
	s := sourcesOf(delegate)
	about := question{cert: delegate, issuer: q.issuer, now: q.now, carried: q.carried}
	own, faults := l.lists(ctx, about, s.points)
	name := dn.Display(delegate.RawSubject)
	switch {
	case faults != nil || len(s.points) == 0:
		return answer{}, reason.Wrap(reason.RevocationOCSPSigner, append(s.faults, faults...),
			"whether the responder %s was itself revoked could not be learned", name)
	case own.status != Good:
		return answer{}, reason.Errorf(reason.RevocationOCSPSigner, "the responder %s was itself revoked", name)
	}
	return a, nil
}
