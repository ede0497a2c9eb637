package revocation

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/reason"
)

// Options say how [Live] asks. The zero value asks the network and remembers
// in memory.
type Options struct {
	// HTTP gives its transport: proxy, dialer, bounds. Redirects are followed
	// only if it is an *http.Transport, whose connections can be watched. nil:
	// a transport of our own, with the proxy that the environment names.
	HTTP *http.Client
	// Now is the clock, read once per Check. nil: time.Now.
	Now func() time.Time
	// Timeout bounds one Check as a whole. 0: DefaultTimeout. Each address gets
	// an even share of what is left of it.
	Timeout time.Duration
	// CacheDir holds answers for other processes, in sub-directories "ocsp"
	// and "crl" that are made when needed. "": answers are kept in memory, for
	// this Live only.
	CacheDir string
	// Offline asks nobody. Only the cache and the evidence at hand count.
	Offline bool
	// Nonce asks OCSP responders for fresh answers, RFC 9654. Those that sign
	// ahead of time answer without, which is accepted. It makes every request
	// a POST.
	Nonce bool
	// PrivateRedirects allows redirects into private networks. An address that
	// a certificate names may always be in one: an authority of one's own
	// usually is.
	PrivateRedirects bool
	// Record, if not nil, keeps every answer that is used, so that it can be
	// carried to where nobody can be asked. All are asked afresh: CacheDir is
	// not looked at. Lists are asked for also where a responder has answered.
	Record *Recorder
}

// Live is the [Checker] that asks OCSP responders and reads revocation lists.
type Live struct {
	fetch   fetcher
	store   store
	now     func() time.Time
	timeout time.Duration
	offline bool
	nonce   bool
	record  *Recorder
}

// New returns a checker. It neither asks nor writes anything yet.
func New(o Options) *Live {
	l := &Live{
		fetch: newFetcher(o.HTTP, o.PrivateRedirects), now: o.Now, timeout: o.Timeout,
		offline: o.Offline, nonce: o.Nonce, record: o.Record,
	}
	if l.now == nil {
		l.now = time.Now
	}
	if l.timeout <= 0 {
		l.timeout = DefaultTimeout
	}
	l.store = newMemory(l.now)
	if o.CacheDir != "" && o.Record == nil {
		l.store = &disk{dir: o.CacheDir, now: l.now}
	}
	return l
}

// Check implements [Checker].
func (l *Live) Check(ctx context.Context, chain []*x509.Certificate, e Evidence) []Result {
	if len(chain) < 2 {
		return nil
	}
	results := make([]Result, len(chain)-1)
	if err := checkable(chain); err != nil {
		for i := range results {
			results[i].Err = err
		}
		return results
	}
	if len(e.OCSP) == 0 && len(e.CRLs) == 0 && !slices.ContainsFunc(chain[:len(results)], namesSource) {
		for i := range results { // the common case of a private authority
			results[i] = nobody()
		}
		return results
	}
	now := l.now()
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	contexts, stops := make([]context.Context, len(results)), make([]context.CancelFunc, len(results))
	for i := range results {
		contexts[i], stops[i] = context.WithCancel(ctx)
		defer stops[i]()
	}
	var running sync.WaitGroup
	slots := make(chan struct{}, maxParallel)
	for i := len(results) - 1; i >= 0; i-- {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			q := question{cert: chain[i], issuer: chain[i+1], now: now, authentic: e.Authentic, independent: e.Independent}
			results[i] = l.certificate(contexts[i], q, e)
			if results[i].Status == Revoked {
				// What a revoked authority says is worth nothing.
				for _, stop := range stops[:i] {
					stop()
				}
			}
		})
	}
	running.Wait()
	overrule(results, chain)
	return results
}

func checkable(chain []*x509.Certificate) *reason.Error {
	if len(chain) > certchain.MaxCertificates {
		return reason.Errorf(reason.RevocationChain, "a chain of %d certificates is longer than %d", len(chain), certchain.MaxCertificates)
	}
	for i, cert := range chain {
		if cert == nil || i > 0 && string(chain[i-1].RawIssuer) != string(cert.RawSubject) {
			return reason.Errorf(reason.RevocationChain, "the certificates are no chain: %d does not issue the one before it", i+1)
		}
	}
	return nil
}

// overrule takes back what was said about the certificates below a revoked
// authority, which is the one that said it.
func overrule(results []Result, chain []*x509.Certificate) {
	for i := len(results) - 1; i > 0; i-- {
		if results[i].Status != Revoked {
			continue
		}
		for j := range i {
			results[j] = Result{Status: Unknown, Err: reason.Errorf(reason.RevocationIssuerRevoked,
				"the revocation status of the certificate %s means nothing, as the authority %s above it was revoked",
				dn.Display(chain[j].RawSubject), dn.Display(chain[i].RawSubject))}
		}
		return
	}
}

// sources are whom a certificate names.
type sources struct {
	responders []string
	points     []point
	named      bool // at least something, be it of no use
	faults     causes
}

// namesSource reports whether a certificate names anybody, be it of no use.
func namesSource(cert *x509.Certificate) bool {
	if len(cert.OCSPServer) > 0 || len(cert.CRLDistributionPoints) > 0 {
		return true
	}
	points := asn1.ObjectIdentifier{2, 5, 29, 31}
	return slices.ContainsFunc(cert.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(points) })
}

// nobody is the result for a certificate that names nobody to ask.
func nobody() Result {
	return Result{Status: NoSource, Err: reason.Errorf(reason.RevocationNoSource, "the certificate names neither an OCSP responder nor a revocation list")}
}

// sourcesOf reads the authority information access and the distribution
// points of a certificate, RFC 5280 sections 4.2.2.1 and 4.2.1.13.
func sourcesOf(cert *x509.Certificate) (s sources) {
	s.named = len(cert.OCSPServer) > 0
	for _, raw := range cert.OCSPServer {
		if len(s.responders) == maxResponders {
			break
		}
		if _, err := checkURL(raw); err != nil {
			s.faults.add(err)
			continue
		}
		s.responders = append(s.responders, raw)
	}
	value, present := extensionOf(cert, oidDistributionPoints)
	if !present {
		return s
	}
	s.named = true
	points, ok := parsePoints(value)
	if !ok {
		s.faults.add(reason.Errorf(reason.RevocationAddress, "the certificate's CRL distribution points cannot be read"))
		return s
	}
	for _, p := range points {
		if s.faults.addresses(&p); len(p.urls) > 0 {
			s.points = append(s.points, p)
		}
	}
	return s
}

// addresses leaves the usable addresses of a point in it.
func (c *causes) addresses(p *point) {
	var usable []string
	for _, raw := range p.urls {
		if len(usable) == maxPointURLs {
			break
		}
		if _, err := checkURL(raw); err != nil {
			c.add(err)
			continue
		}
		usable = append(usable, raw)
	}
	if p.urls = usable; len(usable) == 0 && len(*c) == 0 {
		c.add(reason.Errorf(reason.RevocationAddress, "a CRL distribution point names no address"))
	}
}

// causes are the faults of the sources of one certificate.
type causes []*reason.Error

func (c *causes) add(err *reason.Error) { *c = append(*c, err) }

// notKept reports whether everybody who can be asked was, and answered that
// nothing need be known any more. As long as one did not answer, it may be the
// one who knows, and was kept from saying so.
func (c causes) notKept() bool {
	answered := false
	for _, err := range c {
		switch err.Code {
		case reason.RevocationNotKept:
			answered = true
		case reason.RevocationAddress: // the certificate's own doing, and nobody else's
		default:
			return false
		}
	}
	return answered
}

// Error returns the first few messages.
func (c causes) Error() string {
	var b strings.Builder
	for i, err := range c {
		if i == maxCauses {
			b.WriteString("; and more")
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(err.Error())
	}
	return b.String()
}

// Unwrap returns all of them.
func (c causes) Unwrap() []error {
	all := make([]error, len(c))
	for i, err := range c {
		all[i] = err
	}
	return all
}

// certificate learns the status of one certificate and words it.
func (l *Live) certificate(ctx context.Context, q question, e Evidence) Result {
	s := sourcesOf(q.cert)
	a, faults := l.ask(ctx, q, s)
	missing := faults != nil || !s.named
	switch carried, useless := l.carried(ctx, q, e, s.points); {
	case carried.found && missing, carried.overrides(a) && !missing:
		a, faults = carried.answer, nil
	case !s.named:
		return nobody()
	case faults.notKept():
		return Result{Status: NoSource, Err: outlived(q)}
	case missing:
		faults = append(unhelpful(useless), faults...)
	}
	r := Result{
		Status: a.status, Method: a.method, Source: a.source,
		RevokedAt: a.revokedAt, InvalidityDate: a.invalidity, Reason: a.reason,
		ThisUpdate: a.this, NextUpdate: a.next, FromCache: a.cached, Carried: a.carried,
	}
	subject := dn.Display(q.cert.RawSubject)
	switch {
	case faults != nil:
		r = Result{Status: Unavailable, Err: l.unavailable(subject, faults)}
	case a.status == Revoked:
		r.Err = revoked(subject, &a, q.authentic)
	case a.status == Unknown:
		r.Err = reason.Errorf(reason.RevocationUnknown, "the OCSP responder does not know the certificate %s", subject).
			WithHint("Ask the certificate authority whether it has issued the certificate.")
	}
	return r
}

func (l *Live) unavailable(subject string, faults causes) *reason.Error {
	err := reason.Wrap(reason.RevocationUnavailable, faults, "the revocation status of the certificate %s could not be learned", subject)
	if l.offline {
		return err.WithHint("Verify once with network access, so that the cache is filled, or bring newer answers along.")
	}
	return err.WithHint("Check that the addresses can be reached from here, and try again.")
}

// outlived says of a certificate that nobody need know any more whether it was
// revoked.
func outlived(q question) *reason.Error {
	who, at := "", q.cert.NotAfter
	if q.issuer.NotAfter.Before(at) {
		who, at = "authority of the ", q.issuer.NotAfter
	}
	return reason.Errorf(reason.RevocationNotKept,
		"the %scertificate %s expired at %s, and since then nobody whom the certificate names need tell whether it was revoked",
		who, dn.Display(q.cert.RawSubject), stamp(at))
}

func revoked(subject string, a *answer, authentic time.Time) *reason.Error {
	verb, why := "was revoked", "without a stated reason"
	if a.reason != "" {
		why = "for " + string(a.reason)
	}
	if a.reason == CertificateHold {
		verb, why = "was put on hold", "by its authority"
	}
	when := stamp(a.revokedAt)
	if !a.invalidity.IsZero() {
		when += ", invalid since " + stamp(a.invalidity)
	}
	tail := ""
	if !authentic.IsZero() {
		tail = ", and that the signature is of " + stamp(authentic) + " does not help it"
	}
	return reason.Errorf(reason.RevocationRevoked, "the certificate %s %s %s (%s)%s", subject, verb, why, when, tail).
		WithHint("Do not trust the signature; ask its signer for one made with a new certificate.")
}
