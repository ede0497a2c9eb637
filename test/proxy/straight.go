package proxy

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// note counts a request that joins no wave.
func (p *Proxy) note(r *http.Request) *Exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.add(r)
}

// delay waits, and reports whether the client still does.
func delay(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// handshakes is a listener of which each connection takes one round trip before
// anything is read from it. On loopback the kernel has accepted it at once.
type handshakes struct {
	net.Listener
	rtt time.Duration
}

// Accept returns the next connection.
func (h handshakes) Accept() (net.Conn, error) {
	conn, err := h.Listener.Accept()
	if err != nil {
		return nil, err
	}
	ready := time.Now().Add(h.rtt)
	return &shaken{Conn: conn, wait: sync.OnceFunc(func() { time.Sleep(time.Until(ready)) })}, nil
}

// shaken is a connection that can be read once its handshake is over.
type shaken struct {
	net.Conn
	wait func()
}

func (s *shaken) Read(b []byte) (int, error) {
	s.wait()
	return s.Conn.Read(b)
}
