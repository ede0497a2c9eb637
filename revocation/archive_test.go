package revocation

import (
	"context"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// archiveCutoff and expiredOnCRL say since which expiry revocations are kept.
func archiveCutoff(value []byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 6}, Value: value}
}

func expiredOnCRL(value []byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 60}, Value: value}
}

// expired is a world whose leaf expired ten years ago, and whose sources answer
// now. A revocation that the authority has forgotten must not become "good".
func expired(t *testing.T, leaf ...leafOption) *world {
	t.Helper()
	w := newWorld(t, leaf...)
	w.leaf().NotAfter = w.now.AddDate(-10, 0, 0)
	return w
}

// What an authority says about a certificate that has expired counts as far as
// it says that it still knows.
//
// attack: REV-01
// attack: REV-02
// attack: REV-06
func TestExpiredCertificate(t *testing.T) {
	t.Parallel()
	w := expired(t)
	ended := w.leaf().NotAfter
	critical := func(e pkix.Extension) pkix.Extension { e.Critical = true; return e }
	for name, tc := range map[string]struct {
		kept   []byte // of archiveCutoff and expiredCertsOnCRL; nil: neither
		mark   func(pkix.Extension) pkix.Extension
		status Status
	}{
		"nothing is kept":           {nil, nil, NoSource},
		"kept since its expiry":     {testpki.GeneralizedTime(ended), nil, Good},
		"kept since before":         {testpki.GeneralizedTime(ended.AddDate(-1, 0, 0)), nil, Good},
		"kept since, critical":      {testpki.GeneralizedTime(ended), critical, Good},
		"kept since a second later": {testpki.GeneralizedTime(ended.Add(time.Second)), nil, NoSource},
		"kept since no time":        {testpki.DER(0x18, []byte("long ago")), nil, NoSource},
		"kept since a UTCTime":      {testpki.DER(0x17, []byte("000101000000Z")), nil, NoSource},
		"kept since two times":      {append(testpki.GeneralizedTime(ended), testpki.GeneralizedTime(ended)...), nil, NoSource},
		"kept since nothing":        {[]byte{}, nil, NoSource},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ocsp, crl := expired(t, withOCSP(ocspURL)), expired(t, withCRL(crlURL))
			both := expired(t, withOCSP(ocspURL), withCRL("ldap://x/", crlURL))
			for _, w := range []*world{ocsp, crl, both} {
				w.leaf().NotAfter = ended // in whatever second it was made
			}
			answer, list := ocsp.good(), crl.crl(1)
			if tc.kept != nil {
				a, c := archiveCutoff(tc.kept), expiredOnCRL(tc.kept)
				if tc.mark != nil {
					a, c = tc.mark(a), tc.mark(c)
				}
				answer.Singles[0].Extensions = []pkix.Extension{a}
				list.Extensions = append(list.Extensions, c)
			}
			ocsp.respond(answer)
			crl.publish(list)
			both.respond(both.good())
			kept := both.crl(1)
			kept.Extensions = list.Extensions
			both.publish(kept)
			for _, w := range []*world{ocsp, crl, both} {
				r := w.check()
				want(t, r, tc.status, reason.RevocationNotKept)
				if tc.status == NoSource && (r.Method != "" || !r.ThisUpdate.IsZero()) {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

// A revocation that is told of counts, however old the certificate is, and one
// that came after the signature does not.
func TestExpiredCertificateRevoked(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		reason    int
		authentic time.Duration // before now; 0: none
		status    Status
	}{
		"revoked":               {1, 0, Revoked},
		"signed before":         {4, 2 * time.Hour, Good},
		"signed before a theft": {1, 2 * time.Hour, Revoked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, o := expired(t, withCRL(crlURL)), expired(t, withOCSP(ocspURL))
			w.publish(w.crl(1, w.entry(tc.reason)))
			response := o.good()
			response.Singles[0].Status = testpki.OCSPRevoked(o.now.Add(-time.Hour), tc.reason)
			o.respond(response)
			e := Evidence{Independent: true}
			if tc.authentic > 0 {
				e.Authentic = w.now.Add(-tc.authentic)
			}
			want(t, w.checkWith(e), tc.status, reason.RevocationRevoked)
			want(t, o.checkWith(e), tc.status, reason.RevocationRevoked)
		})
	}
}

// Whoever can keep a source away must not turn "could not be learned" into
// "nobody need know".
//
// attack: REV-06
func TestExpiredCertificateSourceDown(t *testing.T) {
	t.Parallel()
	for name, build := range map[string]func(*world){
		"responder down": func(w *world) { w.publish(w.crl(1)) },
		"list down":      func(w *world) { w.respond(w.good()) },
		"both down":      func(*world) {},
		"list expired": func(w *world) {
			c := w.crl(1)
			c.ThisUpdate = w.now.AddDate(0, 0, -9)
			c.NextUpdate = w.now.AddDate(0, 0, -2)
			w.respond(w.good())
			w.publish(c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := expired(t, withOCSP(ocspURL), withCRL(crlURL))
			build(w)
			want(t, w.check(), Unavailable, reason.RevocationUnavailable)
		})
	}
	t.Run("offline", func(t *testing.T) {
		t.Parallel()
		w := expired(t, withOCSP(ocspURL))
		w.o.Offline = true
		want(t, w.check(), Unavailable, reason.RevocationOffline)
	})
	t.Run("unusable addresses only", func(t *testing.T) {
		t.Parallel()
		want(t, expired(t, withCRL("ldap://x/")).check(), Unavailable, reason.RevocationAddress)
	})
}

// The first source has forgotten, the next has not.
func TestExpiredCertificateAsksOn(t *testing.T) {
	t.Parallel()
	const second = "http://ocsp.test/second"
	for name, build := range map[string]func(*world){
		"second responder": func(w *world) {
			o := w.good()
			o.Singles[0].Status = testpki.OCSPRevoked(w.now, 1)
			w.respond(w.good())
			w.net.at(second, testpki.OCSPHandler(func(_, _ []byte) []byte { return o.Sign(w.t, w.caKey()) }))
		},
		"list": func(w *world) {
			w.respond(w.good())
			w.net.at(second, testpki.OCSPHandler(func(_, _ []byte) []byte { return w.good().Sign(w.t, w.caKey()) }))
			w.publish(w.crl(1, w.entry(1)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := expired(t, withOCSP(ocspURL, second), withCRL(crlURL))
			build(w)
			want(t, w.check(), Revoked, reason.RevocationRevoked)
		})
	}
}

// An answer from while the certificate was valid knows of it, for as long as
// the answer holds, and so does one that came with the signature.
func TestExpiredMeanwhile(t *testing.T) {
	t.Parallel()
	build := func(ended time.Duration) (*world, *world) {
		w, o := newWorld(t, withCRL(crlURL)), newWorld(t, withOCSP(ocspURL))
		w.leaf().NotAfter, o.leaf().NotAfter = w.now.Add(ended), o.now.Add(ended)
		return w, o
	}
	for ended, status := range map[time.Duration]Status{-time.Minute: Good, -time.Minute - time.Second: NoSource} {
		w, o := build(ended) // both answers are a minute old
		list, response := w.crl(1).Sign(t, w.caKey()), o.good().Sign(t, o.caKey())
		w.net.bytes(crlURL, list)
		o.respondRaw(response)
		want(t, w.check(), status, reason.RevocationNotKept)
		want(t, o.check(), status, reason.RevocationNotKept)

		code := reason.RevocationUnavailable
		if status == NoSource {
			status = Unavailable
		}
		w, o = build(ended)
		w.o.Offline, o.o.Offline = true, true
		list, response = w.crl(1).Sign(t, w.caKey()), o.good().Sign(t, o.caKey())
		want(t, w.checkWith(Evidence{CRLs: [][]byte{list}}), status, code)
		want(t, o.checkWith(Evidence{OCSP: [][]byte{response}}), status, code)
	}
}

// An authority whose own certificate has expired has nobody left to speak for
// it, although its key may.
func TestExpiredAuthority(t *testing.T) {
	t.Parallel()
	for name, leaf := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, leaf)
			w.ca().NotAfter = w.now.Add(-2 * time.Minute)
			o, c := w.good(), w.crl(1)
			long := testpki.GeneralizedTime(w.now.AddDate(-20, 0, 0))
			o.Singles[0].Extensions = []pkix.Extension{archiveCutoff(long)}
			c.Extensions = append(c.Extensions, expiredOnCRL(long))
			w.respond(o)
			w.publish(c)
			want(t, w.check(), NoSource, reason.RevocationNotKept)
			w.ca().NotAfter = w.now.Add(-time.Minute)
			want(t, w.check(), Good, "")
			w.ca().NotAfter = w.now.Add(-2 * time.Minute)
			w.publish(w.crl(1, w.entry(1)))
			o.Singles[0].Status = testpki.OCSPRevoked(w.now, 1)
			w.respond(o)
			want(t, w.check(), Revoked, reason.RevocationRevoked)
		})
	}
}

// Complete list and delta both have to know of the certificate.
func TestExpiredCertificateDelta(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		base, delta bool // keep expired certificates
		status      Status
	}{
		"both": {true, true, Good}, "base": {true, false, NoSource}, "delta": {false, true, NoSource}, "neither": {false, false, NoSource},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := expired(t, withCRL(crlURL))
			base, delta := w.crl(10), w.crl(12)
			base.Extensions = append(base.Extensions, testpki.DistributionPoints(true, testpki.PointName(deltaURL)))
			delta.Extensions = append(delta.Extensions, testpki.DeltaIndicator(10))
			long := expiredOnCRL(testpki.GeneralizedTime(w.now.AddDate(-20, 0, 0)))
			if tc.base {
				base.Extensions = append(base.Extensions, long)
			}
			if tc.delta {
				delta.Extensions = append(delta.Extensions, long)
			}
			w.publish(base)
			w.net.bytes(deltaURL, delta.Sign(t, w.caKey()))
			want(t, w.check(), tc.status, reason.RevocationNotKept)
		})
	}
}

// Who is on the way to a responder may repeat what it said before, as long as
// that holds; but not to who knows better already.
//
// attack: REV-01
func TestOCSPRollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withOCSP(ocspURL))
	w.o.CacheDir = t.TempDir()
	start := w.now
	w.lives(200 * time.Hour)
	answer := func(at time.Time, status []byte) testpki.OCSP {
		o := w.good()
		o.Singles[0].ThisUpdate, o.Singles[0].NextUpdate, o.Singles[0].Status = at, start.Add(100*time.Hour), status
		return o
	}
	w.respond(answer(start, testpki.OCSPRevoked(start, 6)))
	want(t, w.check(), Revoked, reason.RevocationRevoked)
	w.now = start.Add(maxCacheAge + time.Hour)
	w.respond(answer(start.Add(-time.Second), testpki.OCSPGood()))
	r := w.check()
	if want(t, r, Revoked, reason.RevocationRevoked); !r.FromCache || w.asked() != 2 {
		t.Errorf("%d requests, %+v", w.asked(), r)
	}
	// The same time is no older one, and a later one is the latest word.
	w.respond(answer(start, testpki.OCSPRevoked(start, 6)))
	if r := w.check(); r.FromCache {
		t.Errorf("%+v", r)
	}
	w.now = start.Add(2 * (maxCacheAge + time.Hour))
	w.respond(answer(w.now, testpki.OCSPGood()))
	want(t, w.check(), Good, "")
}

// A list for something else, put in the way, does not wash away which list was
// the last: neither one that does not cover the certificate nor one that does
// under another scope.
//
// attack: REV-02
// attack: REV-04
func TestCRLRollbackByDetour(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		detour func(*testpki.CRL)
		later  Status // while a later one is in the way
	}{
		"another point": {func(c *testpki.CRL) {
			c.Extensions[1] = testpki.IssuingPoint(testpki.PointName("http://other.test/"))
		}, Unavailable},
		"a delta":    {func(c *testpki.CRL) { c.Extensions = append(c.Extensions, testpki.DeltaIndicator(1)) }, Unavailable},
		"everything": {func(c *testpki.CRL) { c.Extensions = c.Extensions[:1] }, Revoked},
	} {
		for _, issued := range []time.Duration{time.Hour, -10 * time.Second} { // after the last one
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, withCRL(crlURL))
				w.o.CacheDir = t.TempDir()
				start := w.now
				w.lives(500 * time.Hour)
				list := func(number int64, at time.Time, entries ...[]byte) testpki.CRL {
					c := w.crl(number, entries...)
					c.ThisUpdate, c.NextUpdate = at, start.Add(300*time.Hour)
					c.Extensions = append(c.Extensions, testpki.IssuingPoint(testpki.PointName(crlURL)))
					return c
				}
				last := list(80, start, w.entry(6))
				last.NextUpdate = start.Add(30 * time.Hour)
				w.publish(last)
				want(t, w.check(), Revoked, reason.RevocationRevoked)

				w.now = start.Add(40 * time.Hour) // the last one has ended
				detour := list(900, start.Add(issued), w.entry(6))
				tc.detour(&detour)
				w.publish(detour)
				if r := w.check(); issued > 0 && r.Status != tc.later || issued < 0 && r.Status != Unavailable {
					t.Fatalf("%+v", r)
				}
				w.now = start.Add(80 * time.Hour)
				w.publish(list(79, start.Add(-time.Second)))
				r := w.check()
				if r.Status == Good {
					t.Fatalf("%+v", r)
				}
				if tc.later == Unavailable || issued < 0 {
					want(t, r, Unavailable, reason.RevocationCRLNumber)
				}
				w.publish(list(81, w.now))
				want(t, w.check(), Good, "")
			})
		}
	}
}

// A certificate that names deltas elsewhere than at http addresses does not
// hide those that the list names.
//
// attack: REV-02
func TestFreshestOfTheList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withCRL(crlURL), withExtension(testpki.DistributionPoints(true, testpki.PointName("ldap://x/"))))
	base, delta := w.crl(10), w.crl(12, w.entry(1))
	base.Extensions = append(base.Extensions, testpki.DistributionPoints(true, testpki.PointName(deltaURL)))
	delta.Extensions = append(delta.Extensions, testpki.DeltaIndicator(10))
	w.publish(base)
	w.net.bytes(deltaURL, delta.Sign(t, w.caKey()))
	want(t, w.check(), Revoked, reason.RevocationRevoked)
}

// Deltas of another signer than the issuer are not supported, and not asked for.
func TestFreshestOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withCRL(crlURL))
	base := w.crl(10)
	another := testpki.DER(0xa2, testpki.DER(0x86, []byte("x")))
	base.Extensions = append(base.Extensions, testpki.DistributionPoints(true, append(testpki.PointName(deltaURL), another...)))
	w.publish(base)
	want(t, w.check(), Good, "")
	if n := w.net.count(deltaURL); n > 0 {
		t.Errorf("%d requests", n)
	}
}

// attack: REV-01
func TestOCSPInvalidityDate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withOCSP(ocspURL))
	id := testpki.InvalidityDate(w.now).Id
	for name, value := range map[string][]byte{
		"a UTCTime":      testpki.DER(0x17, []byte(w.now.Format("060102150405Z"))),
		"something more": append(testpki.GeneralizedTime(w.now), 5, 0),
		"nothing":        {},
	} {
		o := w.good()
		o.Singles[0].Extensions = []pkix.Extension{{Id: id, Value: value}}
		w.respond(o)
		t.Log(name)
		want(t, w.check(), Unavailable, reason.RevocationOCSPSyntax)
	}
}

// A time-stamping authority, or a signing authority, whose key was stolen: the
// thief writes a time before the theft, and the date of the theft in the
// revocation must not help. See RFC 3161 section 4, number 2.
//
// attack: REV-03
// attack: TSP-05
func TestThiefWritesTheTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withCRL(crlURL))
	theft := w.now.Add(-24 * time.Hour)
	w.publish(w.crl(1, testpki.CRLEntry(w.leaf().SerialNumber, w.now.Add(-time.Hour), 1, testpki.InvalidityDate(theft))))
	before := theft.AddDate(-1, 0, 0)
	want(t, w.checkWith(Evidence{Authentic: before}), Revoked, reason.RevocationRevoked)
	want(t, w.checkWith(Evidence{Authentic: before, Independent: true}), Good, "")
}

// The authority above the time-stamping authority was broken into: what was
// issued below it is worth nothing, whatever time it bears.
//
// attack: TSP-05
func TestThiefOfTheAuthority(t *testing.T) {
	t.Parallel()
	w := longChain(t, 3)
	w.list(0, false)
	theft := w.now.Add(-24 * time.Hour)
	c := testpki.NewCRL(w.chain.Certs[2], 1, w.now.Add(-time.Minute))
	c.Entries = [][]byte{testpki.CRLEntry(w.chain.Certs[1].SerialNumber, w.now.Add(-time.Hour), 2, testpki.InvalidityDate(theft))}
	w.net.bytes("http://crl.test/1", c.Sign(t, w.chain.Keys[2]))
	results := New(w.o).Check(context.Background(), w.chain.Certs, Evidence{Authentic: theft.AddDate(-1, 0, 0)})
	want(t, results[1], Revoked, reason.RevocationRevoked)
	want(t, results[0], Unknown, reason.RevocationIssuerRevoked)
}
