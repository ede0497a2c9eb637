package cli

import (
	"context"
	"path/filepath"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"
)

// signTurns keep the signatures of one artifact in the order of the references
// that name it, while different artifacts are signed side by side. Two references
// may name one artifact by tag and digest, or as image of two indexes, so whoever
// comes later waits until it is known what those before him in the repository
// name. Nobody ever waits for somebody who comes later, nor for a place in the
// pace of a registry while he has one.
type signTurns struct {
	mu   sync.Mutex
	open map[string][]*signTurn // by repository, in the order of the references
}

// signTurn is one reference.
type signTurn struct {
	key    string
	before []*signTurn // earlier ones of the repository that were not done when it came

	known chan struct{}                   // closed when done is there
	done  map[digest.Digest]chan struct{} // closed when the artifact has been signed, or has not
}

// placeOf names the repository of a target, or the layout, by one path however it
// is spelled.
func placeOf(t target) string {
	if t.path == "" {
		return t.ref.Name()
	}
	path, err := filepath.EvalSymlinks(t.path)
	if err != nil {
		path = t.path // it will be told when it is opened
	}
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

// take enters a reference. It is to be called in the order of the references.
func (s *signTurns) take(key string) *signTurn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = map[string][]*signTurn{}
	}
	t := &signTurn{key: key, before: slices.Clone(s.open[key]), known: make(chan struct{})}
	s.open[key] = append(s.open[key], t)
	return t
}

// leave ends a turn of which all artifacts are done. Whoever still waits for it
// must not hold on to all that were before it.
func (s *signTurns) leave(t *signTurn) {
	t.before = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := slices.DeleteFunc(s.open[t.key], func(o *signTurn) bool { return o == t })
	if s.open[t.key] = rest; len(rest) == 0 {
		delete(s.open, t.key)
	}
}

// know says what the reference names: each artifact once.
func (t *signTurn) know(artifacts []digest.Digest) {
	t.done = make(map[digest.Digest]chan struct{}, len(artifacts))
	for _, d := range artifacts {
		t.done[d] = make(chan struct{})
	}
	close(t.known)
}

// finish says that an artifact is done.
func (t *signTurn) finish(d digest.Digest) {
	if done := t.done[d]; done != nil {
		close(done)
	}
}

// wait waits until all earlier references to an artifact are done.
func (t *signTurn) wait(ctx context.Context, d digest.Digest) error {
	for _, b := range t.before {
		select {
		case <-b.known:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if done := b.done[d]; done != nil {
			select {
			case <-done:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}
