package audit

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/notaryv2/notation/reason"
)

// drive sends n requests, each answered after a round trip by answer.
func drive(p *Pace, registry string, n int, answer func() error) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			_ = p.Do(context.Background(), registry, func(context.Context) error {
				time.Sleep(20 * time.Millisecond)
				return answer()
			})
		})
	}
	wg.Wait()
}

func TestPaceGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPace(0)
		if n := p.Limit(host); n != firstLimit {
			t.Errorf("it begins with %d", n)
		}
		drive(p, host, 1000, func() error { return nil })
		if n := p.Limit(host); n != DefaultConcurrency {
			t.Errorf("%d at a time after a thousand good answers", n)
		}
		if n := NewPace(3).Limit(host); n != 3 {
			t.Errorf("it begins with %d of 3", n)
		}
		if n := NewPace(1 << 20).ceiling; n != MaxConcurrency {
			t.Errorf("the ceiling is %d", n)
		}
	})
}

// TestPaceAnswered lets there be more at a time while the first are under way, until
// the registry has been busy.
func TestPaceAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPace(50)
		var begun atomic.Int64
		end := make(chan struct{})
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				_ = p.Do(t.Context(), host, func(context.Context) error {
					begun.Add(1)
					<-end
					return nil
				})
			})
			synctest.Wait()
		}
		for want := firstLimit; want < 60; want++ {
			if n := min(want, 50); int(begun.Load()) != n || p.Limit(host) != n {
				t.Errorf("%d begun, and the limit is %d, want %d", begun.Load(), p.Limit(host), n)
			}
			p.Answered(host)
			synctest.Wait()
		}
		p.Busy(host, 0)
		p.Answered(host)
		if n := p.Limit(host); n != 25 {
			t.Errorf("%d at a time after the registry has been busy", n)
		}
		if n := p.Limit("elsewhere"); n != firstLimit {
			t.Errorf("%d at a time elsewhere", n)
		}
		close(end)
		wg.Wait()
	})
}

// TestPaceAdapts finds what a registry can serve and stays near it.
func TestPaceAdapts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const capacity = 20
		p := NewPace(256)
		var now, refused, served atomic.Int64
		var wg sync.WaitGroup
		for range 20_000 {
			wg.Go(func() {
				_ = p.Do(context.Background(), host, func(context.Context) error {
					defer now.Add(-1)
					for now.Add(1) > capacity {
						refused.Add(1)
						p.Busy(host, 0)
						now.Add(-1)
						time.Sleep(250 * time.Millisecond)
					}
					time.Sleep(20 * time.Millisecond)
					served.Add(1)
					return nil
				})
			})
		}
		begin := time.Now()
		wg.Wait()
		took := time.Since(begin)
		ideal := 20_000 / capacity * 20 * time.Millisecond
		if took > 2*ideal || refused.Load() > 20_000/10 {
			t.Errorf("%v, ideal is %v; %d were refused", took, ideal, refused.Load())
		}
		t.Logf("%v, ideal is %v; %d were refused", took, ideal, refused.Load())
	})
}

// TestPaceHeedsRetryAfter asks nothing before the time.
func TestPaceHeedsRetryAfter(t *testing.T) {
	t.Parallel()
	// attack: REG-06
	synctest.Test(t, func(t *testing.T) {
		p := NewPace(8)
		for wait, want := range map[time.Duration]time.Duration{5 * time.Second: 5 * time.Second, 365 * 24 * time.Hour: maxPause, 0: 0} {
			begin := time.Now()
			p.Busy(host, wait)
			p.Busy(host, wait/2)
			drive(p, host, 1, func() error { return nil })
			if took := time.Since(begin); took != want+20*time.Millisecond {
				t.Errorf("asked again after %v, want %v", took, want)
			}
			time.Sleep(time.Hour)
		}
		// Other registries are asked meanwhile.
		p.Busy(host, 50*time.Second)
		begin := time.Now()
		drive(p, "other.example", 8, func() error { return nil })
		if took := time.Since(begin); took > time.Second {
			t.Errorf("another registry waited %v", took)
		}
	})
}

// TestPaceHalvesOnce takes answers that come together for one event.
func TestPaceHalvesOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPace(64)
		drive(p, host, 500, func() error { return nil })
		time.Sleep(time.Hour)
		for range 50 {
			p.Busy(host, 0)
		}
		if n := p.Limit(host); n != 32 {
			t.Errorf("%d after one event", n)
		}
		for range 10 {
			time.Sleep(oneEvent)
			p.Busy(host, 0)
		}
		if n := p.Limit(host); n != 1 {
			t.Errorf("%d after many", n)
		}
		drive(p, host, 3, func() error { return nil })
		if n := p.Limit(host); n != 2 && n != 3 {
			t.Errorf("%d after three answers", n)
		}
	})
}

func TestPaceGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := reason.Errorf(reason.RegistryUnreachable, "no answer")
		p := NewPace(4)
		drive(p, host, 100, func() error { return down })
		ran := false
		if err := p.Do(t.Context(), host, func(context.Context) error { ran = true; return nil }); err != nil || !ran {
			t.Errorf("given up after a second: %v", err)
		}
		time.Sleep(deadAfter)
		drive(p, host, deadTries-1, func() error { return down })
		wantCode(t, p.Do(t.Context(), host, func(context.Context) error { return nil }), "")
		time.Sleep(deadAfter)
		drive(p, host, deadTries+20, func() error { return down })
		err := p.Do(t.Context(), host, func(context.Context) error { t.Error("asked again"); return nil })
		wantCode(t, err, reason.AuditRegistryDown)
		if !errors.Is(err, down) || !strings.Contains(err.Error(), host) {
			t.Errorf("%v", err)
		}
		wantCode(t, p.Do(t.Context(), "other.example", func(context.Context) error { return nil }), "")
	})
}

// TestPaceInterrupted gives up turns that nobody takes.
func TestPaceInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPace(1)
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		var wg sync.WaitGroup
		wg.Go(func() { drive(p, host, 1, func() error { time.Sleep(time.Second); return nil }) })
		synctest.Wait()
		for range 10 {
			wg.Go(func() {
				if err := p.Do(ctx, host, func(context.Context) error { t.Error("it ran"); return nil }); !errors.Is(err, enough) {
					t.Errorf("%v", err)
				}
			})
		}
		synctest.Wait()
		cancel(enough)
		wg.Wait()
		drive(p, host, 3, func() error { return nil })
		l := p.lane(host)
		if l.underWay != 0 || len(l.waiting) != 0 {
			t.Errorf("%d under way, %d waiting", l.underWay, len(l.waiting))
		}
		// A turn that comes as the caller leaves is passed on.
		turn := make(chan struct{})
		l.underWay = 1
		if err := l.leave(turn, enough); !errors.Is(err, enough) || l.underWay != 0 {
			t.Errorf("%v, %d under way", err, l.underWay)
		}
		// What an interrupted request got says nothing.
		failed := l.failed
		ended, cancel2 := context.WithCancel(t.Context())
		_ = p.Do(ended, host, func(context.Context) error {
			cancel2()
			return reason.Errorf(reason.RegistryUnreachable, "no answer")
		})
		if l.failed != failed {
			t.Error("it counts as a failure")
		}
	})
}
