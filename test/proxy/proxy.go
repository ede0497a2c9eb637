// Package proxy is a reverse proxy for tests that measures how a client talks
// to a registry: which requests it makes, which of them twice, and how many
// round trips one after another.
//
// The proxy answers in waves. A request joins the wave that is open; when no
// further request has come for one round-trip time, the whole wave is let
// through, and the next wave opens once its answers are on their way. So a
// wave is what a client had to send before it could learn anything more, and
// the number of waves is the depth of the client's requests: what it costs in
// round trips on a network where only latency counts. Opening a connection is
// not counted.
//
// To measure time instead there is the straight proxy: it delays each request
// by one round-trip time, whatever else is under way, and opening a connection
// takes one more, as a handshake does. It knows no waves.
package proxy

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"testing"
	"time"
)

// DefaultRTT is long enough for a client on a busy machine to send all it can
// before the wave is let through.
const DefaultRTT = 40 * time.Millisecond

// maxWait is for how many round-trip times a wave waits for answers that the
// registry is slow to give.
const maxWait = 50

// Options shapes a proxy.
type Options struct {
	// RTT is the round-trip time; 0 means DefaultRTT, or none if Straight.
	RTT time.Duration
	// Straight lets each request through by itself, one RTT after it came, and
	// delays the first request of each connection by one more. Depth is 0.
	Straight bool
	// Fault, if set, is asked for each request before it is forwarded. If it
	// returns true it has answered, or has panicked with http.ErrAbortHandler
	// to break the connection.
	Fault func(w http.ResponseWriter, r *http.Request) bool
}

// Exchange is one request and its answer.
type Exchange struct {
	Method string
	URL    string // path and query
	Status int
	Wave   int // from 1; 0 if the proxy is straight
	// Authorized says that the request carried credentials.
	Authorized bool
}

// String returns one line for a failing test.
func (e Exchange) String() string {
	return fmt.Sprintf("%d: %s %s -> %d", e.Wave, e.Method, e.URL, e.Status)
}

// Proxy is a proxy that runs.
type Proxy struct {
	// Addr is the IP address and port.
	Addr string

	options Options
	forward http.Handler
	close   func()

	mu        sync.Mutex
	exchanges []*Exchange
	wave      int           // number of the last wave
	open      bool          // whether requests still join it
	timer     *time.Timer   // lets it through
	released  chan struct{} // closed when it is let through
	inFlight  int           // requests let through and not answered
}

// New starts a proxy in front of target, "127.0.0.1:port", that lives as long
// as the test.
func New(t testing.TB, target string, o Options) *Proxy {
	t.Helper()
	p, err := Start(target, o)
	if err != nil {
		t.Fatalf("start proxy: %v", err)
	}
	t.Cleanup(p.Close)
	return p
}

// Start starts a proxy in front of target, "127.0.0.1:port". The caller closes
// it.
func Start(target string, o Options) (*Proxy, error) {
	if o.RTT == 0 && !o.Straight {
		o.RTT = DefaultRTT
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 100, DisableCompression: true}
	p := &Proxy{
		options: o,
		// The Host header stays, so that the registry names this proxy in its
		// Location headers and challenges.
		forward: &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", target, r.In.Host
			},
			Transport: transport,
			// Clients cancel what they need no more; that is no news.
			ErrorLog: log.New(io.Discard, "", 0),
		},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.Addr = listener.Addr().String()
	if o.Straight {
		listener = handshakes{listener, o.RTT}
	}
	server := &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // always an error: that it was closed
	}()
	p.close = func() {
		_ = server.Close() // its listener is closed in any case
		<-done
		transport.CloseIdleConnections()
	}
	return p, nil
}

// Close stops the proxy and breaks its connections.
func (p *Proxy) Close() { p.close() }

// Host returns "localhost:port", by which clients speak plain HTTP.
func (p *Proxy) Host() string {
	_, port, _ := net.SplitHostPort(p.Addr)
	return net.JoinHostPort("localhost", port)
}

// ServeHTTP holds the request until its wave is let through, or its delay is
// over, then forwards it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var e *Exchange
	if p.options.Straight {
		e = p.note(r)
		if !delay(r.Context(), p.options.RTT) {
			return
		}
	} else {
		var released <-chan struct{}
		e, released = p.join(r)
		<-released
		defer p.answered()
	}
	recorder := &statusRecorder{ResponseWriter: w, record: func(status int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if e.Status == 0 {
			e.Status = status
		}
	}}
	if p.options.Fault != nil && p.options.Fault(recorder, r) {
		return
	}
	p.forward.ServeHTTP(recorder, r)
}

// join adds the request to the open wave, and opens one where there is none.
func (p *Proxy) join(r *http.Request) (*Exchange, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open {
		p.timer.Reset(p.options.RTT)
	} else {
		p.wave++
		p.open, p.released = true, make(chan struct{})
		wave := p.wave
		p.timer = time.AfterFunc(p.options.RTT, func() { p.release(wave, maxWait) })
	}
	return p.add(r), p.released
}

// add notes the request. The caller holds mu.
func (p *Proxy) add(r *http.Request) *Exchange {
	e := &Exchange{
		Method:     r.Method,
		URL:        r.URL.RequestURI(),
		Wave:       p.wave,
		Authorized: r.Header.Get("Authorization") != "",
	}
	p.exchanges = append(p.exchanges, e)
	return e
}

// release lets a wave through, once all that was let through before has been
// answered: what a client does with a late answer still belongs to this wave.
// It gives up waiting after tries further round-trip times.
func (p *Proxy) release(wave, tries int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.open || p.wave != wave {
		return // the timer fired twice
	}
	if p.inFlight > 0 && tries > 0 {
		p.timer = time.AfterFunc(p.options.RTT, func() { p.release(wave, tries-1) })
		return
	}
	for _, e := range p.exchanges {
		if e.Wave == wave {
			p.inFlight++
		}
	}
	p.open = false
	close(p.released)
}

// answered notes that a request is done.
func (p *Proxy) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
}

// Exchanges returns what has passed since the start or the last Reset, in the
// order in which the requests came.
func (p *Proxy) Exchanges() []Exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Exchange, len(p.exchanges))
	for i, e := range p.exchanges {
		all[i] = *e
	}
	return all
}

// Depth returns the number of round trips that came one after another.
func (p *Proxy) Depth() int {
	waves := map[int]bool{}
	for _, e := range p.Exchanges() {
		if e.Wave > 0 {
			waves[e.Wave] = true
		}
	}
	return len(waves)
}

// Duplicates returns the requests that were made again for nothing, each as
// often as it was repeated. Not counted are a request that was answered 401,
// which has to be made again with credentials; a POST, of which each opens an
// upload of its own; and a look at what was written since.
func (p *Proxy) Duplicates() []string {
	var twice []string
	seen := map[string]bool{}
	for _, e := range p.Exchanges() {
		if e.Status == http.StatusUnauthorized || e.Method == http.MethodPost {
			continue
		}
		key := e.Method + " " + e.URL
		if seen[key] {
			twice = append(twice, key)
		}
		seen[key] = true
		if e.Method != http.MethodGet && e.Method != http.MethodHead {
			delete(seen, http.MethodGet+" "+e.URL)
			delete(seen, http.MethodHead+" "+e.URL)
		}
	}
	return twice
}

// Reset forgets what has passed.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exchanges = nil
}

// statusRecorder notes the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	record func(status int)
}

func (s *statusRecorder) WriteHeader(status int) {
	s.record(status)
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusRecorder) Write(b []byte) (int, error) {
	s.record(http.StatusOK)
	return s.ResponseWriter.Write(b)
}

// Unwrap lets the reverse proxy flush.
func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }
