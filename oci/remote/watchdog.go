package remote

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// errStalled is why the watchdog ends a request.
var errStalled = errors.New("the connection makes no progress")

// watchdog ends a request that makes no progress: whose response does not
// start within timing.header, or whose body then arrives at less than
// stallBytes per timing.stall. The end of the context of all may be far away.
type watchdog struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	progress *atomic.Int64
	stall    time.Duration

	mu      sync.Mutex
	timer   *time.Timer
	body    bool // the response has started
	stopped bool
	seen    int64
}

// newWatchdog returns a context for one request and what watches it until
// stop.
func newWatchdog(ctx context.Context, progress *atomic.Int64, t timing) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watchdog{ctx: ctx, cancel: cancel, progress: progress, stall: t.stall}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(t.header, w.look)
	return ctx, w
}

// headerArrived turns from the response's start to its body.
func (w *watchdog) headerArrived() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.body, w.seen = true, w.progress.Load()
	w.timer.Reset(w.stall)
}

func (w *watchdog) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.progress.Load()
	switch {
	case w.stopped:
	case !w.body, now-w.seen < stallBytes:
		w.cancel(errStalled)
	default:
		w.seen = now
		w.timer.Reset(w.stall)
	}
}

// explain returns errStalled in place of the cancellation that it caused.
func (w *watchdog) explain(err error) error {
	if context.Cause(w.ctx) == errStalled {
		return errStalled
	}
	return err
}

func (w *watchdog) stop() {
	w.mu.Lock()
	w.stopped = true
	w.timer.Stop()
	w.mu.Unlock()
	w.cancel(nil)
}
