package cli

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/notaryv2/notation/audit"
)

// auditProgress shows how far an audit is: on a terminal with one line that
// changes, and elsewhere with some lines.
type auditProgress struct {
	of    *audit.Progress
	what  string                             // are the targets
	text  func(elapsed time.Duration) string // says how far another run is; nil: it is an audit
	bar   *progress
	lines io.Writer // nil: nothing is told in lines
	now   func() time.Time

	began, told time.Time
	stop        chan struct{}
	stopped     chan struct{}

	mu sync.Mutex // held while something is printed
}

// auditProgress begins to show a run, whose targets are called what: "repositories"
// or "references". It is to be ended with done.
func (a *app) auditProgress(of *audit.Progress, what string) *auditProgress {
	p := &auditProgress{of: of, what: what}
	p.start(a)
	return p
}

// start begins to show the run.
func (p *auditProgress) start(a *app) {
	p.now, p.bar, p.stop, p.stopped = time.Now, a.progress("", -1), make(chan struct{}), make(chan struct{})
	if p.bar == nil && a.format != formatJSON && !a.debug {
		p.lines = a.env.Stderr
	}
	p.began = p.now()
	p.told = p.began
	go func() {
		defer close(p.stopped)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.show()
			case <-p.stop:
				return
			}
		}
	}()
}

// beside has something else printed while the run is shown.
func (p *auditProgress) beside(print func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bar.done()
	print()
}

// done removes what changes.
func (p *auditProgress) done() {
	close(p.stop)
	<-p.stopped
	p.bar.done()
}

// show tells how far the run is, if it is time.
func (p *auditProgress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	switch {
	case p.bar != nil && now.Sub(p.began) >= progressAfter:
		p.bar.draw(shorten(p.line(now), p.bar.columns()-1))
	case p.lines != nil && now.Sub(p.told) >= toldEvery:
		p.told = now
		fmt.Fprintln(p.lines, p.line(now))
	}
}

// line says how far the run is, how fast, and how long the rest may take. That is
// known only when everything has been listed.
func (p *auditProgress) line(now time.Time) string {
	if p.text != nil {
		return p.text(now.Sub(p.began))
	}
	s := p.of.Snapshot()
	elapsed := now.Sub(p.began)
	text := fmt.Sprintf("%s, %.0f/s", count(int(s.Records+s.Known), "artifact"), float64(s.Records+s.Known)/max(elapsed.Seconds(), 0.001))
	if s.NotPassed > 0 {
		text += fmt.Sprintf(", %d did not pass", s.NotPassed)
	}
	if !s.Whole {
		return text + fmt.Sprintf("; %d of more than %d %s", s.Done, s.Targets, p.what)
	}
	text += fmt.Sprintf("; %d of %d %s", s.Done, s.Targets, p.what)
	if s.Done > 0 && s.Done < s.Targets {
		left := time.Duration(float64(elapsed) / float64(s.Done) * float64(s.Targets-s.Done))
		text += ", about " + left.Round(time.Second).String() + " left"
	}
	return text
}
