package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/notaryv2/notation/reason"
)

// timeUp is the cause with which a context ends when --timeout has passed. It
// is a [context.DeadlineExceeded].
type timeUp struct{ allowed time.Duration }

func (e timeUp) Error() string {
	return fmt.Sprintf("the time that --timeout allows, %s, was up", shortDuration(e.allowed))
}
func (timeUp) Is(target error) bool { return target == context.DeadlineExceeded } //nolint:errorlint // as errors.Is has it
func (timeUp) Timeout() bool        { return true }

// moreTime is the remedy for it.
const moreTime = "allow more time with --timeout, or see with --debug what takes it"

// budget is what --timeout leaves to the requests of a command, all together.
// It is spent only while it runs: to read and hash a large file is no request.
// A nil budget has no end.
type budget struct {
	cancel context.CancelCauseFunc
	up     timeUp

	mu    sync.Mutex
	left  time.Duration
	since time.Time   // of running
	timer *time.Timer // nil while paused
}

// network returns ctx bounded by --timeout, running, for all that a command
// does.
func (a *app) network(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, b, cancel := a.spend(ctx)
	b.run()
	return ctx, cancel
}

// spend is network with a budget that is paused.
func (a *app) spend(ctx context.Context) (context.Context, *budget, context.CancelFunc) {
	d := time.Duration(a.timeout)
	if d == 0 {
		return ctx, nil, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	b := &budget{cancel: cancel, up: timeUp{d}, left: d}
	a.bounded, a.budget = ctx, b
	return ctx, b, func() {
		b.pause()
		cancel(nil)
	}
}

// run has time pass.
func (b *budget) run() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer == nil {
		b.since = time.Now()
		b.timer = time.AfterFunc(b.left, func() { b.cancel(b.up) })
	}
}

// pause has no time pass until run.
func (b *budget) pause() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
		b.left = max(b.left-time.Since(b.since), 0)
	}
}

// waiting has no time pass while do waits for a person.
func (b *budget) waiting(do func() error) error {
	if b == nil {
		return do()
	}
	b.mu.Lock()
	running := b.timer != nil
	b.mu.Unlock()
	if !running {
		return do()
	}
	b.pause()
	defer b.run()
	return do()
}

// explainTimeUp adds to what could not be decided because --timeout had passed
// that this was why, and what helps. Whoever noticed it may only have seen that
// it was to end.
func (a *app) explainTimeUp(err error) error {
	if a.bounded == nil {
		return err
	}
	return explainTimeUp(a.bounded, err)
}

// explainTimeUp is the same for what was bounded by ctx.
func explainTimeUp(ctx context.Context, err error) error {
	up, ok := errors.AsType[timeUp](context.Cause(ctx))
	if !ok {
		return err
	}
	if many, ok := err.(manyErrors); ok { //nolint:errorlint // the outermost, which holds the others
		for i := range many {
			many[i].err = explainTimeUp(ctx, many[i].err)
		}
		return many
	}
	if exitCode(err) != exitUndecided || answered(err) {
		return err
	}
	if strings.Contains(err.Error(), up.Error()) {
		return reworded{hint: moreTime, err: err}
	}
	return reworded{text: up.Error() + ": " + err.Error(), hint: moreTime, err: err}
}

// answered reports whether a registry has said what it wants, which more time
// does not change.
func answered(err error) bool {
	switch reason.Of(err) {
	case reason.RegistryUnauthorized, reason.RegistryDenied, reason.RegistryCredentials:
		return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
	}
	return false
}
