package revocation

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// longChain is a chain of n whose certificates name the list N of each.
func longChain(t *testing.T, n int) *world {
	t.Helper()
	w := newWorld(t)
	w.chain = testpki.New(t, testpki.Options{Length: n, Modify: func(position int, c *x509.Certificate) {
		if position < n-1 {
			withCRL(fmt.Sprintf("http://crl.test/%d", position))(c)
		}
	}})
	return w
}

// list publishes the list that the certificate at a position names.
func (w *world) list(position int, revoked bool) {
	w.t.Helper()
	c := testpki.NewCRL(w.chain.Certs[position+1], 1, w.now.Add(-time.Minute))
	if revoked {
		c.Entries = [][]byte{testpki.CRLEntry(w.chain.Certs[position].SerialNumber, w.now.Add(-time.Hour), 4)}
	}
	w.net.bytes(fmt.Sprintf("http://crl.test/%d", position), c.Sign(w.t, w.chain.Keys[position+1]))
}

func TestChain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		revoked   map[int]bool
		authentic time.Time
		want      string
	}{
		"all good":                {nil, time.Time{}, "good good good good good"},
		"leaf":                    {map[int]bool{0: true}, time.Time{}, "revoked good good good good"},
		"root-most":               {map[int]bool{4: true}, time.Time{}, "unknown unknown unknown unknown revoked"},
		"in between":              {map[int]bool{0: true, 2: true}, time.Time{}, "unknown unknown revoked good good"},
		"in between, but after":   {map[int]bool{0: true, 2: true}, instant().Add(-24 * time.Hour), "good good good good good"},
		"in between, from before": {map[int]bool{2: true}, instant(), "unknown unknown revoked good good"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := longChain(t, 6)
			for i := range 5 {
				w.list(i, tc.revoked[i])
			}
			var got []string
			for _, r := range New(w.o).Check(context.Background(), w.chain.Certs, Evidence{Authentic: tc.authentic}) {
				got = append(got, r.Status.String())
				if r.Status == Unknown {
					want(t, r, Unknown, reason.RevocationIssuerRevoked)
				}
			}
			if s := strings.Join(got, " "); s != tc.want {
				t.Errorf("%s, want %s", s, tc.want)
			}
		})
	}
}

// Once the root-most is known to be revoked, nobody waits for the others.
func TestRevokedAuthorityEndsTheWait(t *testing.T) {
	t.Parallel()
	w := longChain(t, 3)
	w.o.Timeout = time.Hour
	w.list(1, true)
	w.net.at("http://crl.test/0", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	results := New(w.o).Check(context.Background(), w.chain.Certs, Evidence{})
	want(t, results[1], Revoked, reason.RevocationRevoked)
	want(t, results[0], Unknown, reason.RevocationIssuerRevoked)
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withOCSP(ocspURL), withCRL(crlURL))
	w.o.Timeout = 50 * time.Millisecond
	hang := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	w.net.at(ocspURL, hang)
	w.net.at(crlURL, hang)
	want(t, w.check(), Unavailable, reason.RevocationFetch)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w.o.Timeout = 0
	want(t, New(w.o).Check(ctx, w.chain.Certs, Evidence{})[0], Unavailable, reason.RevocationFetch)
}

// attack: REV-06
func TestNoSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want(t, w.check(), NoSource, reason.RevocationNoSource)
	w.o.Offline = true
	want(t, w.check(), NoSource, reason.RevocationNoSource)
	// A source that is of no use to us is a source all the same.
	want(t, newWorld(t, withCRL("ldap://x/y")).check(), Unavailable, reason.RevocationAddress)
	if Good == 0 || (Result{}).Status.String() != "unavailable" {
		t.Error("the zero value is an answer")
	}
}

func TestOffline(t *testing.T) {
	t.Parallel()
	for _, leaf := range kinds {
		w := newWorld(t, leaf)
		w.o.CacheDir = t.TempDir()
		w.o.Offline = true
		w.respond(w.good())
		w.publish(w.crl(1))
		want(t, w.check(), Unavailable, reason.RevocationOffline)
		w.o.Offline = false
		want(t, w.check(), Good, "")
		w.o.Offline = true
		r := w.check()
		want(t, r, Good, "")
		if !r.FromCache || w.asked() != 1 {
			t.Errorf("%+v", r)
		}
		w.now = w.now.Add(1000 * time.Hour)
		want(t, w.check(), Unavailable, reason.RevocationOffline)
		if w.asked() != 1 {
			t.Error("offline, and somebody was asked")
		}
	}
}

func TestStapled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withOCSP(ocspURL), withCRL(crlURL))
	w.o.Offline = true
	sign := func(o testpki.OCSP) []byte { return o.Sign(t, w.caKey()) }
	revokedOCSP := w.good()
	revokedOCSP.Singles[0].Status = testpki.OCSPRevoked(w.now, 1)
	scoped := w.crl(1)
	scoped.Extensions = append(scoped.Extensions, testpki.IssuingPoint(testpki.PointName("http://other.test/")))
	some := w.crl(1)
	some.Extensions = append(some.Extensions, testpki.IssuingPoint(testpki.DER(0x83, []byte{6, 0x40})))
	expired := w.crl(1)
	expired.ThisUpdate = w.now.Add(-72 * time.Hour)
	expired.NextUpdate = expired.ThisUpdate
	delta := w.crl(2)
	delta.Extensions = append(delta.Extensions, testpki.DeltaIndicator(1))
	list := func(c testpki.CRL) []byte { return c.Sign(t, w.caKey()) }
	older, newer := w.crl(1), w.crl(2, w.entry(1))
	older.ThisUpdate = w.now.Add(-2 * time.Minute)
	lifted := w.crl(3)
	lifted.ThisUpdate = w.now.Add(-30 * time.Second)
	useless := func(valid, other []byte, n int) (all [][]byte) { // about the certificate, or not
		for range n {
			all = append(all, other)
		}
		return append(all, valid)
	}
	stale := w.good()
	stale.Singles[0].ThisUpdate, stale.Singles[0].NextUpdate = w.now.Add(-72*time.Hour), w.now.Add(-48*time.Hour)
	foreign := testpki.NewOCSP(w.ca(), w.ca(), w.now.Add(-time.Minute))
	forged := testpki.Key(t, "ec-256", 8)
	for name, tc := range map[string]struct {
		e      Evidence
		status Status
	}{
		"OCSP":                 {Evidence{OCSP: [][]byte{nil, sign(w.good())}}, Good},
		"OCSP, revoked":        {Evidence{OCSP: [][]byte{sign(revokedOCSP)}}, Revoked},
		"list":                 {Evidence{CRLs: [][]byte{nil, list(w.crl(1))}}, Good},
		"list, revoked":        {Evidence{CRLs: [][]byte{list(w.crl(1, w.entry(1)))}}, Revoked},
		"newer list":           {Evidence{CRLs: [][]byte{list(older), list(newer)}}, Revoked},
		"newer list first":     {Evidence{CRLs: [][]byte{list(newer), list(older)}}, Revoked},
		"newest is good":       {Evidence{CRLs: [][]byte{list(newer), list(lifted), list(older)}}, Good},
		"of one time":          {Evidence{OCSP: [][]byte{sign(w.good()), sign(revokedOCSP), sign(w.good())}}, Revoked},
		"list newer than OCSP": {Evidence{OCSP: [][]byte{sign(w.good())}, CRLs: [][]byte{list(older)}}, Good},
		"another's list":       {Evidence{CRLs: [][]byte{list(scoped)}}, Unavailable},
		"some reasons":         {Evidence{CRLs: [][]byte{list(some)}}, Unavailable},
		"expired":              {Evidence{CRLs: [][]byte{list(expired)}}, Unavailable},
		"a delta":              {Evidence{CRLs: [][]byte{list(delta)}}, Unavailable},
		"stale OCSP":           {Evidence{OCSP: [][]byte{sign(stale)}}, Unavailable},
		"about another":        {Evidence{OCSP: [][]byte{sign(foreign)}}, Unavailable},
		"of another key":       {Evidence{OCSP: [][]byte{w.good().Sign(t, forged)}, CRLs: [][]byte{w.crl(1).Sign(t, forged)}}, Unavailable},
		"behind many others":   {Evidence{OCSP: useless(sign(w.good()), sign(foreign), maxStapled)}, Good},
		"behind many older":    {Evidence{OCSP: useless(sign(w.good()), sign(stale), maxStapled), CRLs: useless(list(w.crl(1)), list(expired), maxStapled)}, Good},
		"behind too many":      {Evidence{OCSP: useless(sign(w.good()), w.good().Sign(t, forged), maxStapled), CRLs: useless(list(w.crl(1)), w.crl(1).Sign(t, forged), maxStapled)}, Unavailable},
		"behind far too many":  {Evidence{OCSP: useless(sign(w.good()), nil, MaxEvidence), CRLs: useless(list(w.crl(1)), nil, MaxEvidence)}, Unavailable},
	} {
		r := w.checkWith(tc.e)
		code := reason.RevocationUnavailable
		if tc.status == Revoked {
			code = reason.RevocationRevoked
		}
		t.Log(name)
		want(t, r, tc.status, code)
		if r.Carried != (tc.status != Unavailable) || r.FromCache || r.Source != "" {
			t.Errorf("%+v", r)
		}
	}
	// It helps where the certificate names nobody.
	bare := newWorld(t)
	bareList := bare.crl(1).Sign(t, bare.caKey())
	want(t, bare.checkWith(Evidence{CRLs: [][]byte{bareList}}), Good, "")
	// It does not override what an authority says now.
	w.o.Offline = false
	w.respond(revokedOCSP)
	want(t, w.checkWith(Evidence{OCSP: [][]byte{sign(w.good())}}), Revoked, reason.RevocationRevoked)
}

func TestNoChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withCRL(crlURL))
	l := New(w.o)
	for _, chain := range [][]*x509.Certificate{nil, w.chain.Certs[:1]} {
		if got := l.Check(context.Background(), chain, Evidence{}); got != nil {
			t.Errorf("%v", got)
		}
	}
	eleven := make([]*x509.Certificate, 11)
	long := testpki.New(t, testpki.Options{Length: 11}).Certs
	for _, chain := range [][]*x509.Certificate{eleven, long, {w.leaf(), nil}, {nil, w.ca()}, {w.ca(), w.leaf()}} {
		results := l.Check(context.Background(), chain, Evidence{})
		if len(results) != len(chain)-1 {
			t.Fatal(len(results))
		}
		for _, r := range results {
			want(t, r, Unavailable, reason.RevocationChain)
		}
	}
	if len(w.net.asked) > 0 {
		t.Error("somebody was asked")
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	names := ""
	for s := range Good + 1 {
		names += s.String() + " "
	}
	if names != "unavailable noSource unknown revoked good " {
		t.Error(names)
	}
	var many causes
	for range maxCauses + 2 {
		many.add(reason.Errorf(reason.RevocationFetch, "x"))
	}
	if got := many.Error(); got != "x; x; x; x; and more" {
		t.Error(got)
	}
	if got := shown(strings.Repeat("\x1b", 300)); strings.Contains(got, "\x1b") || len(got) > 900 {
		t.Error(got)
	}
	if got := dotted(strings.Repeat("a", 200)) + dotted("\x80"); !strings.Contains(got, "overlong") || !strings.Contains(got, "unreadable") {
		t.Error(got)
	}
}

// The zero Options ask with the clock of the system.
func TestDefaults(t *testing.T) {
	t.Parallel()
	l := New(Options{})
	if l.timeout != DefaultTimeout || time.Since(l.now()) > time.Hour {
		t.Error(l.timeout, l.now())
	}
	var _ Checker = l
}
