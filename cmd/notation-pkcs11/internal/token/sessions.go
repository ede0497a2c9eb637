package token

import (
	"context"
	"sync"

	"github.com/miekg/pkcs11"
)

// sessions keeps the sessions of one token: at most so many at a time, and each
// used by one goroutine at a time, as PKCS #11 demands. One more stays open,
// unused, since a token logs out with its last session.
type sessions struct {
	c    cryptoki
	slot uint
	room chan struct{}

	mu     sync.Mutex
	idle   []pkcs11.SessionHandle
	keeper pkcs11.SessionHandle
	kept   bool
}

// newSessions takes the most that the token allows, 0 for as many as one likes,
// or the greatest number there is if it does not tell.
func newSessions(c cryptoki, slot, most uint) *sessions {
	limit := uint(maxSessions)
	if most != pkcs11.CK_EFFECTIVELY_INFINITE && most != pkcs11.CK_UNAVAILABLE_INFORMATION {
		limit = max(1, min(limit, most-1))
	}
	return &sessions{c: c, slot: slot, room: make(chan struct{}, limit)}
}

// get returns a session, and what gives it back. A session in which something
// went wrong is not used again: it may be in the middle of an operation.
func (s *sessions) get(ctx context.Context) (h pkcs11.SessionHandle, put func(good bool), err error) {
	if err := take(ctx, s.room); err != nil {
		return 0, nil, err
	}
	if h, err = s.open(); err != nil {
		<-s.room
		return 0, nil, err
	}
	return h, func(good bool) {
		if good {
			s.mu.Lock()
			s.idle = append(s.idle, h)
			s.mu.Unlock()
		} else {
			_ = s.c.CloseSession(h)
		}
		<-s.room
	}, nil
}

// open takes an idle session, or opens one.
func (s *sessions) open() (pkcs11.SessionHandle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		h := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return h, nil
	}
	h, err := s.c.OpenSession(s.slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil || s.kept || cap(s.room) == 1 {
		return h, err
	}
	// The token may have no room for one more; then there is none to keep.
	if keeper, err := s.c.OpenSession(s.slot, pkcs11.CKF_SERIAL_SESSION); err == nil {
		s.keeper, s.kept = keeper, true
	}
	return h, nil
}

func (s *sessions) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.idle {
		_ = s.c.CloseSession(h)
	}
	s.idle = nil
	if s.kept {
		_ = s.c.CloseSession(s.keeper)
		s.kept = false
	}
}
