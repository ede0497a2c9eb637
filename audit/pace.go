package audit

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/notaryv2/notation/reason"
)

// Pace decides how much is asked of a registry at the same time, and adapts to
// what the registry can do: it begins with a few requests, adds one for each
// that is answered, and with the first answer that says the registry is busy
// halves their number and from then on adds one for each round of answers
// (additive increase, multiplicative decrease: D.-M. Chiu and R. Jain, Analysis
// of the Increase and Decrease Algorithms for Congestion Avoidance, 1989). Where
// the registry says for how long it wants to be left alone, it is.
//
// Each registry has a pace of its own. One that gives no answer of use for two
// minutes, whoever asks, is not asked any more. A Pace is safe for concurrent
// use, and several runs may share one.
type Pace struct {
	ceiling int
	mu      sync.Mutex
	lanes   map[string]*lane
}

// NewPace returns a Pace of at most so many requests at a time for each
// registry; 0 means [DefaultConcurrency], and more than [MaxConcurrency] that.
func NewPace(ceiling int) *Pace {
	if ceiling <= 0 {
		ceiling = DefaultConcurrency
	}
	return &Pace{ceiling: min(ceiling, MaxConcurrency), lanes: map[string]*lane{}}
}

// Busy says that a registry has too much to do, and for how long it asks not to
// be asked; 0: it does not say. It is meant for the registry client's option of
// that name.
func (p *Pace) Busy(registry string, wait time.Duration) {
	p.lane(registry).busy(time.Now(), wait)
}

// Answered says that a registry has answered well within a call of [Pace.Do], of
// which more requests are to come. Until it has been busy once, that counts as much
// as the end of a call does, so that what takes several round trips does not wait
// for all of them before there is more at a time.
func (p *Pace) Answered(registry string) {
	l := p.lane(registry)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.steady {
		return
	}
	l.grow(1)
	l.wake(time.Now())
}

// Limit returns how many requests a registry may be asked to serve at the same
// time now.
func (p *Pace) Limit(registry string) int {
	l := p.lane(registry)
	l.mu.Lock()
	defer l.mu.Unlock()
	return int(l.limit)
}

// Do calls f when it is its turn, with no more calls for the registry under way
// than it can take. It returns the error of f, that of ctx, or one with the code
// audit.registry-down if the registry is not asked any more.
func (p *Pace) Do(ctx context.Context, registry string, f func(context.Context) error) error {
	l := p.lane(registry)
	if err := l.acquire(ctx); err != nil {
		return err
	}
	err := f(ctx)
	l.release(time.Now(), err, ctx.Err() != nil)
	return err
}

func (p *Pace) lane(registry string) *lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lanes[registry]
	if l == nil {
		l = &lane{registry: registry, ceiling: float64(p.ceiling), limit: float64(min(firstLimit, p.ceiling))}
		p.lanes[registry] = l
	}
	return l
}

// lane is the way to one registry.
type lane struct {
	registry string
	ceiling  float64

	mu       sync.Mutex
	limit    float64 // requests at a time
	underWay int
	waiting  []chan struct{} // in the order in which they came
	steady   bool            // the registry has been busy once
	lowered  time.Time       // when limit was last
	resume   time.Time       // before which nothing is asked
	timer    *time.Timer     // that wakes those who wait for resume; nil: none

	answered time.Time // when it last gave an answer of use; at first, when it was first asked
	failed   int       // tries since then
	down     error     // why it is not asked any more
}

// acquire waits for a turn.
func (l *lane) acquire(ctx context.Context) error {
	l.mu.Lock()
	if l.answered.IsZero() {
		l.answered = time.Now()
	}
	turn := make(chan struct{})
	l.waiting = append(l.waiting, turn)
	l.wake(time.Now())
	l.mu.Unlock()
	select {
	case <-turn:
	case <-ctx.Done():
		return l.leave(turn, context.Cause(ctx))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down != nil {
		l.underWay--
		return l.down
	}
	return nil
}

// leave gives up a turn that may have come meanwhile.
func (l *lane) leave(turn chan struct{}, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.waiting, turn); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
		return err
	}
	l.underWay--
	l.wake(time.Now())
	return err
}

// wake gives turns to those who wait, as far as there are any. l.mu is held.
func (l *lane) wake(now time.Time) {
	for len(l.waiting) > 0 {
		switch {
		case l.down != nil: // all may go, and are told
		case l.underWay >= int(l.limit):
			return
		case now.Before(l.resume):
			if l.timer == nil {
				l.timer = time.AfterFunc(l.resume.Sub(now), l.resumed)
			}
			return
		}
		l.underWay++
		close(l.waiting[0])
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
	}
}

func (l *lane) resumed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = nil
	l.wake(time.Now())
}

// busy lowers the number of requests, once for answers that come together.
func (l *lane) busy(now time.Time, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steady = true
	if now.Sub(l.lowered) >= oneEvent {
		l.lowered = now
		l.limit = max(l.limit/2, 1)
	}
	if resume := now.Add(min(wait, maxPause)); resume.After(l.resume) {
		l.resume = resume
	}
}

// release ends a turn. What an interrupted caller got says nothing about the
// registry.
func (l *lane) release(now time.Time, err error, interrupted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.underWay--
	switch {
	case interrupted:
	case isDown(err):
		l.fail(now, err)
	default:
		l.answered, l.failed = now, 0
		if l.steady {
			l.grow(1 / l.limit)
		} else {
			l.grow(1)
		}
	}
	l.wake(now)
}

// grow raises the number of requests. l.mu is held.
func (l *lane) grow(by float64) { l.limit = min(l.limit+by, l.ceiling) }

// fail counts a request that got no answer of use.
func (l *lane) fail(now time.Time, err error) {
	l.failed++
	if l.down == nil && l.failed >= deadTries && now.Sub(l.answered) >= deadAfter {
		l.down = reason.Wrap(reason.AuditRegistryDown, err, "registry %s has given no answer of use for %s, and is not asked any more",
			l.registry, now.Sub(l.answered).Round(time.Second)).
			WithHint("run it again when the registry works; with --state, what is done is not done again")
	}
}

// isDown reports whether an error says that the registry as such gives no answer
// of use: the way to it, or it has too much to do.
func isDown(err error) bool {
	switch reason.Of(err) {
	case reason.RegistryUnavailable, reason.RegistryUnreachable, reason.RegistryTimeout, reason.RegistryTLS, reason.RegistryPlainHTTP:
		return true
	}
	return false
}
