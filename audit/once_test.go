package audit

import (
	"context"
	"crypto/x509"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
)

// fakeChecker answers after a while.
type fakeChecker struct {
	asked  atomic.Int64
	takes  time.Duration
	answer func(e revocation.Evidence) revocation.Result
}

func (c *fakeChecker) Check(ctx context.Context, chain []*x509.Certificate, e revocation.Evidence) []revocation.Result {
	c.asked.Add(1)
	select {
	case <-time.After(c.takes):
	case <-ctx.Done():
		return unanswered(len(chain)-1, context.Cause(ctx))
	}
	results := make([]revocation.Result, len(chain)-1)
	for i := range results {
		results[i] = c.answer(e)
	}
	return results
}

func good(revocation.Evidence) revocation.Result { return revocation.Result{Status: revocation.Good} }

func unavailable(revocation.Evidence) revocation.Result {
	return revocation.Result{Status: revocation.Unavailable, Err: reason.Errorf(reason.RevocationUnavailable, "no answer")}
}

func once(c *fakeChecker) *onceChecker {
	return Prepare(&notation.Verifier{Revocation: c}).Revocation.(*onceChecker)
}

// TestOnce asks equal questions once, be they at the same time or later.
func TestOnce(t *testing.T) {
	t.Parallel()
	chain, other := testpki.New(t, testpki.Options{}).Certs, testpki.New(t, testpki.Options{Name: "other"}).Certs
	synctest.Test(t, func(t *testing.T) {
		c := &fakeChecker{takes: time.Second, answer: good}
		o := once(c)
		var wg sync.WaitGroup
		ask := func(chain []*x509.Certificate, e revocation.Evidence) {
			wg.Go(func() {
				if r := o.Check(t.Context(), chain, e); len(r) != len(chain)-1 || r[0].Status != revocation.Good {
					t.Errorf("%+v", r)
				}
			})
		}
		for range 100 {
			ask(chain, revocation.Evidence{})
			ask(other, revocation.Evidence{})
		}
		wg.Wait()
		if n := c.asked.Load(); n != 2 {
			t.Errorf("asked %d times", n)
		}
		ask(chain, revocation.Evidence{})
		wg.Wait()
		if n := c.asked.Load(); n != 2 {
			t.Errorf("asked %d times", n)
		}
		time.Sleep(answersHold)
		ask(chain, revocation.Evidence{})
		wg.Wait()
		if n := c.asked.Load(); n != 3 {
			t.Errorf("asked %d times", n)
		}
		if r := o.Check(t.Context(), chain[len(chain)-1:], revocation.Evidence{}); len(r) != 0 { // nothing to ask
			t.Errorf("%+v", r)
		}
	})
}

// TestOnceOtherQuestions asks a question of its own for each time and evidence,
// after the first about the chain.
func TestOnceOtherQuestions(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{}).Certs
	synctest.Test(t, func(t *testing.T) {
		c := &fakeChecker{takes: time.Second}
		o := once(c)
		c.answer = func(e revocation.Evidence) revocation.Result {
			r := revocation.Result{Status: revocation.Revoked, Err: reason.Errorf(reason.RevocationRevoked, "revoked")}
			if e.Authentic.Unix() == 7 {
				r = revocation.Result{Status: revocation.Good, RevokedAt: time.Unix(8, 0)}
			}
			return r
		}
		evidence := [][]byte{{1}}
		questions := []revocation.Evidence{
			{}, {Authentic: time.Unix(7, 0)}, {Authentic: time.Unix(9, 0)}, {Authentic: time.Unix(7, 0), Independent: true},
			{OCSP: evidence}, {CRLs: evidence}, {OCSP: [][]byte{{1}}},
		}
		var wg sync.WaitGroup
		begin := time.Now()
		for range 10 {
			for _, e := range questions {
				wg.Go(func() {
					r := o.Check(t.Context(), chain, e)
					if want := e.Authentic.Unix() == 7; (r[0].Status == revocation.Good) != want {
						t.Errorf("%+v: %+v", e, r[0])
					}
				})
			}
		}
		wg.Wait()
		if n := c.asked.Load(); n != int64(len(questions)) {
			t.Errorf("asked %d times, want %d", n, len(questions))
		}
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("it took %v: the first, and then the others together", took)
		}
	})
}

// TestOnceUnavailable does not have everybody wait for who does not answer, and
// asks again after a while.
func TestOnceUnavailable(t *testing.T) {
	t.Parallel()
	// attack: REV-05
	chain := testpki.New(t, testpki.Options{}).Certs
	synctest.Test(t, func(t *testing.T) {
		c := &fakeChecker{takes: 10 * time.Second, answer: unavailable}
		o := once(c)
		begin := time.Now()
		for i := range 200 {
			if r := o.Check(t.Context(), chain, revocation.Evidence{Authentic: time.Unix(int64(i+1), 0)}); r[0].Status != revocation.Unavailable || r[0].Err == nil {
				t.Fatalf("%+v", r)
			}
		}
		if took := time.Since(begin); took != 10*time.Second || c.asked.Load() != 1 {
			t.Errorf("%v, asked %d times", took, c.asked.Load())
		}
		time.Sleep(askAgain)
		c.answer = good
		if r := o.Check(t.Context(), chain, revocation.Evidence{Authentic: time.Unix(1, 0)}); r[0].Status != revocation.Good {
			t.Errorf("%+v", r)
		}
		// What depends on the time of a signature is no answer for others.
		c.answer = func(e revocation.Evidence) revocation.Result {
			return revocation.Result{Status: revocation.Revoked, Err: reason.Errorf(reason.RevocationRevoked, "revoked")}
		}
		c.asked.Store(0)
		for i := range 3 {
			o.Check(t.Context(), chain, revocation.Evidence{Authentic: time.Unix(int64(i+1000), 0)})
		}
		if c.asked.Load() != 3 {
			t.Errorf("asked %d times", c.asked.Load())
		}
	})
}

// TestOnceInterrupted goes on as long as anybody waits.
func TestOnceInterrupted(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{}).Certs
	synctest.Test(t, func(t *testing.T) {
		c := &fakeChecker{takes: 10 * time.Second, answer: good}
		o := once(c)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if r := o.Check(ctx, chain, revocation.Evidence{}); r[0].Status != revocation.Unavailable {
				t.Errorf("%+v", r)
			}
		})
		wg.Go(func() {
			if r := o.Check(t.Context(), chain, revocation.Evidence{}); r[0].Status != revocation.Good {
				t.Errorf("%+v", r)
			}
		})
		wg.Wait()
		// Nobody waits any more: the question is dropped, and asked anew by the next.
		time.Sleep(answersHold)
		alone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if r := o.Check(alone, chain, revocation.Evidence{}); r[0].Status != revocation.Unavailable {
			t.Errorf("%+v", r)
		}
		if r := o.Check(t.Context(), chain, revocation.Evidence{}); r[0].Status != revocation.Good {
			t.Errorf("%+v", r)
		}
	})
}

// TestOnceIsBounded forgets answers when there are many.
func TestOnceIsBounded(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{}).Certs
	c := &fakeChecker{answer: good}
	o := once(c)
	for i := range maxKept + 10 {
		o.Check(t.Context(), chain, revocation.Evidence{Authentic: time.Unix(int64(i+1), 0)})
	}
	if len(o.answers) > maxKept {
		t.Errorf("%d are kept", len(o.answers))
	}
}

// TestOnceHold keeps no answer beyond its end.
func TestOnceHold(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	o := &onceChecker{now: func() time.Time { return now }}
	for want, results := range map[time.Duration][]revocation.Result{
		answersHold: {{Status: revocation.Good, NextUpdate: now.Add(time.Hour)}},
		time.Second: {{Status: revocation.Good, NextUpdate: now.Add(time.Second)}, {Status: revocation.Good}},
		askAgain:    {{Status: revocation.Good}, {Status: revocation.Unavailable}},
	} {
		if got := o.hold(results).Sub(now); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

// TestPrepare leaves the verifier as it is, and decides with its clock.
func TestPrepare(t *testing.T) {
	t.Parallel()
	v := &notation.Verifier{Now: func() time.Time { return time.Unix(1, 0) }}
	p := Prepare(v)
	if v.Cache != nil || v.Revocation != nil || p.Cache == nil || p.Revocation == nil {
		t.Error("the wrong one was changed")
	}
	cache := notation.NewCache()
	if Prepare(&notation.Verifier{Cache: cache}).Cache != cache {
		t.Error("another cache")
	}
	if now := p.Revocation.(*onceChecker).now(); now != time.Unix(1, 0) {
		t.Error(now)
	}
}
