package revocation

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"time"

	"github.com/notaryv2/notation/reason"
)

// lists goes through distribution points until one list says that the
// certificate is revoked, or those that do not say so cover, together, every
// reason (RFC 5280 section 6.3.3). There are faults or an answer, if there are
// points at all.
func (l *Live) lists(ctx context.Context, q question, points []point) (answer, causes) {
	var covered reasonSet
	var found answer
	var faults causes
	for i, p := range points {
		part, cancel := share(ctx, len(points)-i)
		a, set, err := l.point(part, q, p)
		cancel()
		if err == nil && a.settle(q).status == NoSource {
			err = notKept(a.source)
		}
		if err != nil {
			faults.add(err)
			continue
		}
		if a.status == Revoked && a.counts(q) {
			return a, nil
		}
		if covered == 0 || a.status == Revoked {
			found = a
		}
		if covered |= set; covered == allReasons {
			return found.settle(q), nil
		}
	}
	if len(points) > 0 && len(faults) == 0 {
		faults.add(reason.Errorf(reason.RevocationCRLScope, "the revocation lists do not cover every reason"))
	}
	return answer{}, faults
}

// point learns the status from the list of a distribution point, by the first
// of its addresses that gives one.
func (l *Live) point(ctx context.Context, q question, p point) (answer, reasonSet, *reason.Error) {
	var first *reason.Error
	for i, url := range p.urls {
		part, cancel := share(ctx, len(p.urls)-i)
		a, set, err := l.address(part, q, p, url)
		cancel()
		if err == nil {
			return a, set, nil
		}
		if first == nil {
			first = err
		}
	}
	return answer{}, 0, first
}

// address learns the status from the list at an address. Whatever is wrong with
// a cached list is no answer as long as the address can be asked.
func (l *Live) address(ctx context.Context, q question, p point, url string) (a answer, set reasonSet, err *reason.Error) {
	fits := func(c *crl) bool {
		_, fault := c.scope.covers(q.cert, p)
		return c.base == nil && fault == nil
	}
	for _, how := range []listMode{asCached, readWhole, askAgain} {
		var c *crl
		if c, err = l.list(ctx, q, url, how, fits); err != nil {
			return answer{}, 0, err
		}
		a, set, err = l.once(ctx, q, p, url, c)
		c.close()
		if err == nil {
			return a, set, nil
		}
		if !c.cached && !errors.Is(err, errBehind) {
			break
		}
	}
	return answer{}, 0, err
}

func (l *Live) once(ctx context.Context, q question, p point, url string, c *crl) (answer, reasonSet, *reason.Error) {
	if c.base != nil {
		return answer{}, 0, reason.Errorf(reason.RevocationCRLDelta, "%s gives a delta list where a complete one is due", shown(url))
	}
	set, err := c.scope.covers(q.cert, p)
	if err != nil {
		return answer{}, 0, err
	}
	a, err := l.search(ctx, q, c)
	a.source = url
	return a, set, err
}

// listMode is how a list is got at.
type listMode uint8

const (
	asCached  listMode = iota // from the cache by its index, or else from the address
	readWhole                 // from the cache, read whole, or else from the address
	askAgain                  // from the address
)

// errBehind says that a delta list is for a later complete list than ours.
var errBehind = errors.New("the complete list is older than the delta list supposes")

// list returns a current list of the certificate's issuer. One that does not
// fit, such as the list of another distribution point, may be what the address
// gives now; but in the cache it neither counts nor takes the place of one that
// does. Otherwise whoever is on the way to the address could wash away with it
// which number was the last.
func (l *Live) list(ctx context.Context, q question, url string, how listMode, fits func(*crl) bool) (*crl, *reason.Error) {
	name := cacheKey(url, q.issuer, nil)
	kept, age := l.keptCRL(q, name, how)
	if kept != nil && !fits(kept) {
		kept.close()
		kept = nil
	}
	holds := kept != nil && kept.current(q.now) == nil
	if holds && (l.offline || young(age) && how != askAgain) {
		return kept, nil
	}
	var c *crl
	var index []byte
	err := offline(url)
	if !l.offline {
		var raw []byte
		raw, c, index, err = l.freshCRL(ctx, q, url)
		if err == nil && kept != nil && fits(c) && c.older(&kept.crlFrame) {
			err = reason.Errorf(reason.RevocationCRLNumber, "%s gives a revocation list that is older than the one it gave before", shown(url))
		}
		if err == nil && fits(c) {
			l.store.save(kindCRL, name, raw, index)
			l.record.add(raw, url)
		}
	}
	switch {
	case err == nil:
	case holds:
		return kept, nil
	default:
		if c = nil; q.carried != nil {
			if c = q.carried.newest(q, fits); c != nil {
				err = nil
			}
		}
	}
	if kept != nil {
		kept.close()
	}
	return c, err
}

// keptCRL returns a cached list whose signature holds, current or not: even
// one that has expired says which number was the last.
func (l *Live) keptCRL(q question, name string, how listMode) (c *crl, age time.Duration) {
	b := l.store.load(kindCRL, name)
	if b == nil {
		return nil, 0
	}
	age = q.now.Sub(b.stored)
	if b.index != nil && how == asCached {
		if c, err := indexedCRL(b, q.issuer); err == nil {
			c.cached = true
			return c, age
		}
	}
	raw := b.read()
	b.close()
	c, index, err := newCRL(raw, q.issuer)
	if err != nil {
		return nil, 0
	}
	if len(raw) >= indexedFrom {
		l.store.reindex(name, b, index)
	}
	c.cached = true
	return c, age
}

func (l *Live) freshCRL(ctx context.Context, q question, url string) (raw []byte, c *crl, index []byte, err *reason.Error) {
	raw, err = l.fetch.do(ctx, request{method: http.MethodGet, url: url, limit: MaxCRLBytes})
	if err != nil {
		return nil, nil, nil, err
	}
	if c, index, err = newCRL(raw, q.issuer); err == nil {
		err = c.current(q.now)
	}
	if len(raw) < indexedFrom {
		index = nil
	}
	return raw, c, index, err
}

// search looks the certificate up in a complete list and in the delta list
// that goes with it, if any. Where the certificate or the list names an http
// address for deltas, good is not said without one: whoever can keep the delta
// away could hide a revocation.
func (l *Live) search(ctx context.Context, q question, c *crl) (answer, *reason.Error) {
	number := serial(q.cert)
	e, listed, err := c.lookup(number)
	if err != nil {
		return answer{}, reason.Wrap(reason.RevocationCRLSyntax, err, "the cached revocation list is damaged")
	}
	if listed && e.reason == RemoveFromCRL {
		return answer{}, crlSyntax("a complete list cannot take an entry back")
	}
	a := answer{status: Good, method: CRL, this: c.this, next: c.next, cached: c.cached, silent: q.silent(c.this, c.kept)}
	a.enter(e, listed)
	if listed && e.reason != CertificateHold {
		return a, nil
	}
	points := deltaPoints(q.cert, c)
	if len(points) == 0 {
		return a, nil
	}
	d, change, changed, fault := l.delta(ctx, q, c, points)
	switch {
	case fault != nil && listed:
		return a, nil // the hold stands as long as nothing takes it back
	case fault != nil:
		return answer{}, fault
	case !d.this.IsZero():
		a.this, a.next, a.cached = d.this, d.next, a.cached && d.cached
		a.silent = a.silent || d.silent
	}
	if changed && change.reason == RemoveFromCRL {
		a.enter(entry{}, false)
	} else if changed {
		a.enter(change, true)
	}
	return a, nil
}

func (a *answer) enter(e entry, listed bool) {
	a.status = Good
	if listed {
		a.status = Revoked
	}
	a.revokedAt, a.invalidity, a.reason = e.revokedAt, e.invalidity, e.reason
}

// deltaPoints returns where the certificate or the list says that delta lists
// are, as far as that is an address that can be asked. RFC 5280 section 5.2.6
// leaves it to the verifier whether to look, so a list of other addresses is
// as if there were none.
func deltaPoints(cert *x509.Certificate, c *crl) []point {
	named, _ := extensionOf(cert, oidFreshestCRL)
	for _, value := range []der{named, c.freshest} {
		points, _ := parsePoints(value)
		var usable []point
		for _, p := range points {
			var ignored causes
			if ignored.addresses(&p); len(p.urls) > 0 && !p.indirect {
				usable = append(usable, p)
			}
		}
		if len(usable) > 0 {
			return usable
		}
	}
	return nil
}

// delta finds the certificate in a delta list that goes with the complete list
// c, by RFC 5280 section 5.2.4: same issuer and scope, and c is at least as new
// as the list that the delta starts from.
func (l *Live) delta(ctx context.Context, q question, c *crl, points []point) (answer, entry, bool, *reason.Error) {
	var first *reason.Error
	for i, p := range points {
		for _, url := range p.urls {
			part, cancel := share(ctx, len(points)-i)
			a, e, listed, err := l.deltaAt(part, q, c, url)
			cancel()
			if err == nil {
				return a, e, listed, nil
			}
			if first == nil {
				first = err
			}
		}
	}
	return answer{}, entry{}, false, first
}

func (l *Live) deltaAt(ctx context.Context, q question, c *crl, url string) (a answer, e entry, listed bool, err *reason.Error) {
	fits := func(d *crl) bool { return d.base != nil && string(d.rawScope) == string(c.rawScope) }
	for _, how := range []listMode{asCached, readWhole, askAgain} {
		var d *crl
		if d, err = l.list(ctx, q, url, how, fits); err != nil {
			return a, e, false, err
		}
		e, listed, err = d.change(q, c, url)
		d.close()
		if err == nil || !d.cached || errors.Is(err, errBehind) {
			return answer{this: d.this, next: d.next, cached: d.cached, silent: q.silent(d.this, d.kept)}, e, listed, err
		}
	}
	return a, e, false, err
}

// change looks a certificate up in the delta list d.
func (d *crl) change(q question, c *crl, url string) (e entry, listed bool, err *reason.Error) {
	misfit := func(cause error, what string) (entry, bool, *reason.Error) {
		return entry{}, false, reason.Wrap(reason.RevocationCRLDelta, cause, "the delta list at %s %s", shown(url), what)
	}
	switch {
	case d.base == nil:
		return misfit(nil, "is a complete list")
	case string(d.rawScope) != string(c.rawScope):
		return misfit(nil, "has another scope than the complete list")
	case compareIntegers(d.base, c.number) > 0:
		return misfit(errBehind, "does not fit")
	case compareIntegers(d.number, c.number) <= 0:
		return entry{}, false, nil // the complete list has everything that it has
	}
	e, listed, lookupErr := d.lookup(serial(q.cert))
	if lookupErr != nil {
		return misfit(lookupErr, "is damaged")
	}
	return e, listed, nil
}
