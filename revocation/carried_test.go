package revocation

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// evidence returns recorded answers as they are carried.
func evidence(t testing.TB, r *Recorder) Evidence {
	t.Helper()
	answers, err := r.Answers()
	if err != nil {
		t.Fatal(err)
	}
	var e Evidence
	for _, a := range answers {
		if a.Method == OCSP {
			e.OCSP = append(e.OCSP, a.DER)
		} else {
			e.CRLs = append(e.CRLs, a.DER)
		}
	}
	return e
}

// carry records what is learned on line, and judges by it without network.
func (w *world) carry(t testing.TB) (e Evidence, online, offline Result) {
	t.Helper()
	var r Recorder
	on := w.o
	on.Record, on.CacheDir = &r, t.TempDir()
	online = New(on).Check(context.Background(), w.chain.Certs, Evidence{})[0]
	e = evidence(t, &r)
	off := w.o
	off.Offline = true
	asked := w.asked()
	offline = New(off).Check(context.Background(), w.chain.Certs, e)[0]
	if w.asked() != asked {
		t.Error("offline, and somebody was asked")
	}
	return e, online, offline
}

// What was recorded suffices where nobody can be asked: with lists for changes,
// lists for some reasons, and a responder that has to be looked up itself.
func TestCarried(t *testing.T) {
	t.Parallel()
	some := func(c *testpki.CRL, flags ...byte) {
		c.Extensions = append(c.Extensions, testpki.IssuingPoint(testpki.DER(0x83, flags)))
	}
	for name, tc := range map[string]struct {
		leaf        []leafOption
		setUp       func(*world)
		ocsp, lists int
		method      Method
		status      Status
	}{
		"responder and list": {[]leafOption{withOCSP(ocspURL), withCRL(crlURL)}, func(w *world) {
			w.respond(w.good())
			w.publish(w.crl(1))
		}, 1, 1, OCSP, Good},
		"responder only": {[]leafOption{withOCSP(ocspURL), withCRL(crlURL)}, func(w *world) { w.respond(w.good()) }, 1, 0, OCSP, Good},
		"list only":      {[]leafOption{withCRL(crlURL)}, func(w *world) { w.publish(w.crl(1)) }, 0, 1, CRL, Good},
		"revoked":        {[]leafOption{withCRL(crlURL)}, func(w *world) { w.publish(w.crl(1, w.entry(1))) }, 0, 1, CRL, Revoked},
		"list knows worse": {[]leafOption{withOCSP(ocspURL), withCRL(crlURL)}, func(w *world) {
			older := w.good()
			older.Singles[0].ThisUpdate = w.now.Add(-time.Hour)
			w.respond(older)
			w.publish(w.crl(1, w.entry(1)))
		}, 1, 1, CRL, Revoked},
		"changes": {[]leafOption{withCRL(crlURL)}, func(w *world) {
			base, delta := w.crl(10, w.entry(6)), w.crl(12, w.entry(8))
			base.Extensions = append(base.Extensions, testpki.DistributionPoints(true, testpki.PointName(deltaURL)))
			delta.Extensions = append(delta.Extensions, testpki.DeltaIndicator(10))
			w.publish(base)
			w.net.bytes(deltaURL, delta.Sign(t, w.caKey()))
		}, 0, 2, CRL, Good},
		"some reasons each": {[]leafOption{withExtension(testpki.DistributionPoints(false, testpki.PointName(crlURL), testpki.PointName(deltaURL)))}, func(w *world) {
			key, rest := w.crl(1), w.crl(2)
			some(&key, 6, 0x40)
			some(&rest, 7, 0x3f, 0x80)
			rest.ThisUpdate = w.now.Add(-3 * time.Minute)
			w.publish(key)
			w.net.bytes(deltaURL, rest.Sign(t, w.caKey()))
		}, 0, 2, CRL, Good},
		"responder that is checked": {[]leafOption{withOCSP(ocspURL)}, func(w *world) {
			cert, key := w.responder(withCRL(crlURL))
			o := w.good()
			o.Responder, o.Certs = cert.RawSubject, [][]byte{cert.Raw}
			w.respondRaw(o.Sign(t, key))
			w.publish(w.crl(1))
		}, 1, 1, OCSP, Good},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tc.leaf...)
			tc.setUp(w)
			e, online, offline := w.carry(t)
			want(t, online, tc.status, reason.RevocationRevoked)
			want(t, offline, tc.status, reason.RevocationRevoked)
			if len(e.OCSP) != tc.ocsp || len(e.CRLs) != tc.lists {
				t.Errorf("%d responses, %d lists", len(e.OCSP), len(e.CRLs))
			}
			if online.Carried || !offline.Carried || offline.FromCache || offline.Source != "" || online.Method != tc.method {
				t.Errorf("%+v\n%+v", online, offline)
			}
		})
	}
}

// A newer answer that was carried along takes a yes away, and confirms one; it
// gives none where somebody who was asked has said no.
func TestCarriedAgainstAsked(t *testing.T) {
	t.Parallel()
	at := func(w *world, ago time.Duration, revoked bool) testpki.OCSP {
		o := w.good()
		o.Singles[0].ThisUpdate = w.now.Add(-ago)
		if revoked {
			o.Singles[0].Status = testpki.OCSPRevoked(w.now.Add(-time.Hour), 1)
		}
		return o
	}
	for name, tc := range map[string]struct {
		asked, carried   time.Duration
		askedNo, carryNo bool
		status           Status
		fromCarried      bool
	}{
		"newer no":         {2 * time.Minute, time.Minute, false, true, Revoked, true},
		"older no":         {time.Minute, 2 * time.Minute, false, true, Good, false},
		"newer yes":        {2 * time.Minute, time.Minute, false, false, Good, true},
		"older yes":        {time.Minute, 2 * time.Minute, false, false, Good, false},
		"yes against a no": {2 * time.Minute, time.Minute, true, false, Revoked, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withOCSP(ocspURL))
			w.respond(at(w, tc.asked, tc.askedNo))
			checker := New(w.o)
			carried := at(w, tc.carried, tc.carryNo)
			e := Evidence{OCSP: [][]byte{carried.Sign(t, w.caKey())}}
			for range 2 { // the second answer is the cache's
				r := checker.Check(context.Background(), w.chain.Certs, e)[0]
				want(t, r, tc.status, reason.RevocationRevoked)
				if r.Carried != tc.fromCarried {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

// However many genuine answers from before a revocation are carried along, in
// whatever order, they do not keep the one that tells it from being judged.
func TestCarriedCrowded(t *testing.T) {
	t.Parallel()
	const crowd = 2*maxStapled + 1
	for name, carry := range map[string]func(*world, time.Duration, bool) Evidence{
		"responses": func(w *world, ago time.Duration, revoked bool) Evidence {
			o := w.good()
			o.Singles[0].ThisUpdate = w.now.Add(-ago)
			if revoked {
				o.Singles[0].Status = testpki.OCSPRevoked(w.now.Add(-time.Hour), 1)
			}
			return Evidence{OCSP: [][]byte{o.Sign(t, w.caKey())}}
		},
		"lists": func(w *world, ago time.Duration, revoked bool) Evidence {
			c := w.crl(1)
			c.ThisUpdate = w.now.Add(-ago)
			if revoked {
				c.Entries = [][]byte{w.entry(1)}
			}
			return Evidence{CRLs: [][]byte{c.Sign(t, w.caKey())}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withOCSP(ocspURL), withCRL(crlURL))
			w.o.Offline = true
			var e Evidence
			add := func(ago time.Duration, revoked bool) {
				one := carry(w, ago, revoked)
				e.OCSP, e.CRLs = append(e.OCSP, one.OCSP...), append(e.CRLs, one.CRLs...)
			}
			for i := range crowd {
				add(time.Hour+time.Duration(i)*time.Minute, false)
				add(-time.Hour-time.Duration(i)*time.Minute, false) // of the future
			}
			add(time.Minute, true)
			want(t, w.checkWith(e), Revoked, reason.RevocationRevoked)
		})
	}
}

// Why an answer that was carried along did not help is said.
func TestCarriedUseless(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withOCSP(ocspURL), withCRL(crlURL))
	w.respond(w.good())
	w.publish(w.crl(1))
	e, _, _ := w.carry(t)
	w.o.Offline = true
	w.now = w.now.Add(100 * time.Hour)
	r := w.checkWith(e)
	want(t, r, Unavailable, reason.RevocationOCSPTime)
	if !codes(r.Err)[reason.RevocationCRLTime] || !codes(r.Err)[reason.RevocationOffline] {
		t.Error(r.Err)
	}
	damaged := Evidence{CRLs: [][]byte{bytes.Clone(e.CRLs[0])}}
	damaged.CRLs[0][len(damaged.CRLs[0])-1] ^= 1
	w.now = w.now.Add(-100 * time.Hour)
	want(t, w.checkWith(damaged), Unavailable, reason.RevocationCRLSigner)
	// A list of changes that goes with no complete one.
	base := w.crl(10)
	base.Extensions = append(base.Extensions, testpki.DistributionPoints(true, testpki.PointName(deltaURL)))
	want(t, w.checkWith(Evidence{CRLs: [][]byte{base.Sign(t, w.caKey())}}), Unavailable, reason.RevocationOffline)
}

func TestRecorder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withOCSP(ocspURL), withCRL(crlURL))
	w.respond(w.good())
	w.publish(w.crl(1))
	r := &Recorder{}
	w.o.Record = r
	checker := New(w.o)
	for range 3 {
		want(t, checker.Check(context.Background(), w.chain.Certs, Evidence{})[0], Good, "")
	}
	if w.asked() != 2 {
		t.Errorf("%d requests", w.asked())
	}
	all, err := r.Answers()
	if err != nil || len(all) != 2 || all[0].Method != OCSP || all[0].Source != ocspURL || all[1].Source != crlURL {
		t.Fatalf("%v %+v", err, all)
	}
	if a := all[0]; !a.ThisUpdate.Equal(w.now.Add(-time.Minute)) || a.NextUpdate.IsZero() || len(a.Serials) != 1 || a.By == "" {
		t.Errorf("%+v", a)
	}
	if a := all[1]; !a.ThisUpdate.Equal(w.now.Add(-time.Minute)) || a.NextUpdate.IsZero() || a.Delta || a.By == "" {
		t.Errorf("%+v", a)
	}
	// Nobody else's bytes get in, and not too many.
	r.add([]byte("no answer"), "x")
	for i := range MaxEvidence {
		list := w.crl(int64(i + 2))
		r.add(list.Sign(t, w.caKey()), crlURL)
	}
	if all, err = r.Answers(); reason.Of(err) != reason.RevocationTooLarge || len(all) != MaxEvidence {
		t.Errorf("%d answers: %v", len(all), err)
	}
	(*Recorder)(nil).add(nil, "")
}

func TestParseAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.good()
	more := testpki.NewOCSP(w.ca(), w.ca(), w.now.Add(-time.Hour)).Singles[0]
	o.Singles = append(o.Singles, more)
	o.KeyHash = testpki.KeyHash(w.ca(), 3)
	a, err := ParseAnswer(o.Sign(t, w.caKey()))
	if err != nil || len(a.Serials) != 2 || !a.ThisUpdate.Equal(more.ThisUpdate) || a.NextUpdate.IsZero() || a.By[:4] != "key " {
		t.Errorf("%v %+v", err, a)
	}
	o.Singles[1].NextUpdate = time.Time{}
	if a, err = ParseAnswer(o.Sign(t, w.caKey())); err != nil || !a.NextUpdate.IsZero() {
		t.Errorf("%v %+v", err, a)
	}
	d := w.crl(2)
	d.Extensions = append(d.Extensions, testpki.DeltaIndicator(1))
	if a, err = ParseAnswer(d.Sign(t, w.caKey())); err != nil || !a.Delta || a.Method != CRL {
		t.Errorf("%v %+v", err, a)
	}
	long := w.crl(1, slices.Repeat([][]byte{testpki.DER(0x30, []byte{2, 1, 5}, testpki.Time(w.now))}, 10)...)
	long.Extensions = append(long.Extensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: make([]byte, maxFrameBytes)})
	for name, raw := range map[string][]byte{
		"nothing": nil, "text": []byte("hello"), "two": {0x30, 0, 0x30, 0}, "empty": {0x30, 0},
		"a broken response": {0x30, 3, 10, 1, 3}, "a broken list": {0x30, 2, 0x30, 0}, "a long frame": long.Sign(t, w.caKey()),
		"a list that is too long": append(testpki.DER(0x30, testpki.DER(0x30)), make([]byte, MaxCRLBytes)...),
	} {
		if a, err := ParseAnswer(raw); err == nil || reason.Of(err) == "" {
			t.Errorf("%s: %+v %v", name, a, err)
		}
	}
	if _, err := frameOf(make([]byte, MaxCRLBytes+1)); err == nil || err.Code != reason.RevocationTooLarge {
		t.Error(err)
	}
}

// FuzzParseAnswer holds: no panic, an error has a reason, and what is read was
// there.
func FuzzParseAnswer(f *testing.F) {
	w, q := fuzzWorld(f)
	f.Add(w.good().Sign(f, w.caKey()))
	f.Add(w.crl(1, w.entry(1)).Sign(f, w.caKey()))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := ParseAnswer(data)
		if err != nil && reason.Of(err) == "" || err == nil && a.Method == "" {
			t.Fatalf("%+v %v", a, err)
		}
		e := Evidence{OCSP: [][]byte{data}, CRLs: [][]byte{data}}
		if h := e.choose(q); err != nil && len(h.ocsp)+len(h.lists) > 0 {
			t.Fatal("chosen, and not readable")
		}
	})
}
