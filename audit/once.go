package audit

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"sync"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
)

// Prepare returns a copy of a verifier for many artifacts: what is true of a
// chain whoever asks is found out once, and equal questions about revocation that
// come at the same time, or soon after one another, are asked once. Decisions are
// those of v.
func Prepare(v *notation.Verifier) *notation.Verifier {
	prepared := *v
	if prepared.Cache == nil {
		prepared.Cache = notation.NewCache()
	}
	checker := v.Revocation
	if checker == nil {
		checker = revocation.New(revocation.Options{Now: v.Now})
	}
	now := v.Now
	if now == nil {
		now = time.Now
	}
	prepared.Revocation = &onceChecker{checker: checker, now: now, answers: map[question]*answers{}, chains: map[chainKey]*chainState{}}
	return &prepared
}

// onceChecker asks another checker each question once. Whoever asks the same
// waits for the answer. Other questions about the same chain, as of signatures
// with other time stamps, wait until the first about it is answered: what was
// fetched for that one then is at hand, and a hundred signatures of one signer
// are no hundred requests.
type onceChecker struct {
	checker revocation.Checker
	now     func() time.Time

	mu      sync.Mutex
	answers map[question]*answers
	chains  map[chainKey]*chainState
}

type chainKey [sha256.Size]byte

// question is what makes two questions the same. Evidence is the same if it is
// the very same slices, as it is for one verifier.
type question struct {
	chain       chainKey
	authentic   int64
	independent bool
	ocsp, crls  *[]byte
}

// answers are those to one question, or will be when done is closed.
type answers struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiters int // guarded by the mutex of the checker
	results []revocation.Result
	until   time.Time // before which nobody need ask again; zero: not answered yet
}

// chainState is what is known about all questions about a chain.
type chainState struct {
	ready chan struct{} // closed when the first is answered
	// down is what came of asking those who gave no answer, and until when they
	// are not asked again, whatever the question. Guarded by the mutex of the
	// checker.
	down  []revocation.Result
	until time.Time
}

// Check implements [revocation.Checker].
func (c *onceChecker) Check(ctx context.Context, chain []*x509.Certificate, e revocation.Evidence) []revocation.Result {
	if len(chain) < 2 {
		return c.checker.Check(ctx, chain, e) // nothing to ask
	}
	q := questionOf(chain, e)
	c.mu.Lock()
	a := c.answers[q]
	if a == nil || !a.until.IsZero() && !c.now().Before(a.until) {
		a = c.ask(ctx, q, chain, e)
	}
	a.waiters++
	c.mu.Unlock()
	select {
	case <-a.done:
		return a.results
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.waiters--; a.waiters == 0 {
		a.cancel()
		if c.answers[q] == a {
			delete(c.answers, q) // nobody has waited for what comes of it
		}
	}
	return unanswered(len(chain)-1, context.Cause(ctx))
}

// ask begins to ask. It goes on as long as anybody waits. c.mu is held.
func (c *onceChecker) ask(ctx context.Context, q question, chain []*x509.Certificate, e revocation.Evidence) *answers {
	if len(c.answers) >= maxKept {
		for old, a := range c.answers {
			if !a.until.IsZero() {
				delete(c.answers, old)
			}
		}
		clear(c.chains)
	}
	state, known := c.chains[q.chain]
	if !known {
		state = &chainState{ready: make(chan struct{})}
		c.chains[q.chain] = state
	}
	asking, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a := &answers{done: make(chan struct{}), cancel: cancel}
	c.answers[q] = a
	go func() {
		defer cancel()
		defer close(a.done)
		if known {
			select {
			case <-state.ready:
			case <-asking.Done():
			}
		} else {
			defer close(state.ready)
		}
		c.answer(asking, a, state, chain, e)
	}()
	return a
}

// answer fills in a.
func (c *onceChecker) answer(ctx context.Context, a *answers, state *chainState, chain []*x509.Certificate, e revocation.Evidence) {
	c.mu.Lock()
	if c.now().Before(state.until) {
		a.results, a.until = state.down, state.until
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	results := c.checker.Check(ctx, chain, e)
	c.mu.Lock()
	defer c.mu.Unlock()
	a.results, a.until = results, c.hold(results)
	if isDownFor(results) && ctx.Err() == nil {
		state.down, state.until = results, a.until
	}
}

// isDownFor reports whether results are those of any question about the chain:
// somebody gave no answer, and nobody one that depends on when the signature was
// made.
func isDownFor(results []revocation.Result) bool {
	down := false
	for _, r := range results {
		switch {
		case r.Status == revocation.Unavailable:
			down = true
		case r.Status == revocation.NoSource, r.Status == revocation.Good && r.RevokedAt.IsZero():
		default:
			return false
		}
	}
	return down
}

// hold returns until when results need not be asked for again: answers for some
// minutes and never beyond their own end, and that there was none for one.
func (c *onceChecker) hold(results []revocation.Result) time.Time {
	now := c.now()
	until := now.Add(answersHold)
	for _, r := range results {
		if r.Status == revocation.Unavailable {
			until = earlier(until, now.Add(askAgain))
		}
		if !r.NextUpdate.IsZero() {
			until = earlier(until, r.NextUpdate)
		}
	}
	return until
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// unanswered are the results for whoever could not wait.
func unanswered(n int, cause error) []revocation.Result {
	results := make([]revocation.Result, n)
	for i := range results {
		results[i] = revocation.Result{Status: revocation.Unavailable,
			Err: reason.Wrap(reason.RevocationUnavailable, cause, "interrupted while the revocation status of a certificate was being asked for")}
	}
	return results
}

func questionOf(chain []*x509.Certificate, e revocation.Evidence) question {
	q := question{independent: e.Independent}
	if !e.Authentic.IsZero() {
		q.authentic = e.Authentic.UnixNano()
	}
	h := sha256.New()
	for _, cert := range chain {
		sum := sha256.Sum256(cert.Raw)
		h.Write(sum[:])
	}
	h.Sum(q.chain[:0])
	if len(e.OCSP) > 0 {
		q.ocsp = &e.OCSP[0]
	}
	if len(e.CRLs) > 0 {
		q.crls = &e.CRLs[0]
	}
	return q
}
