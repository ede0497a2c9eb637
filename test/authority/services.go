package authority

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxRequest bounds the body of a request in bytes.
const maxRequest = 64 << 10

// The services of a CA.
const (
	OCSP = "ocsp"
	CRL  = "crl"
)

// Services are the names of a CA's services.
func Services() []string { return []string{OCSP, CRL} }

// services is an HTTP server on the loopback interface whose parts can be taken
// down: a request for one is then answered by closing the connection.
type services struct {
	listener net.Listener
	server   *http.Server
	mux      *http.ServeMux

	mu    sync.Mutex
	down  map[string]bool
	asked map[string]int
	log   []string
}

func newServices() (*services, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &services{listener: listener, mux: http.NewServeMux(), down: map[string]bool{}, asked: map[string]int{}}
	s.server = &http.Server{Handler: s.mux, ReadHeaderTimeout: time.Minute}
	go s.server.Serve(listener)
	return s, nil
}

// URL is the address of the server, without a path.
func (s *services) URL() string { return "http://" + s.listener.Addr().String() }

// Close ends the server.
func (s *services) Close() error { return s.server.Close() }

// handle has a service answer what is below a path.
func (s *services) handle(path, service string, answer func(w http.ResponseWriter, r *http.Request) error) {
	s.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		down := s.down[service]
		s.asked[service]++
		s.log = append(s.log, fmt.Sprintf("%s %s %.60s", service, r.Method, r.URL.Path))
		s.mu.Unlock()
		if down {
			panic(http.ErrAbortHandler) // closes the connection, and says nothing
		}
		if err := answer(w, r); err != nil {
			s.mu.Lock()
			s.log = append(s.log, err.Error())
			s.mu.Unlock()
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

// SetDown takes a service down, or up again.
func (s *services) SetDown(service string, down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down[service] = down
}

// Asked returns how many requests a service got since this was last called for
// it, those included that came while it was down.
func (s *services) Asked(service string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.asked[service]
	s.asked[service] = 0
	return n
}

// Log returns a line for each request, and what went wrong.
func (s *services) Log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// serve starts the services of both authorities.
func (c *CA) serve() {
	for _, authority := range []string{Root, Intermediate} {
		c.handle("/"+authority+"/crl", CRL, func(w http.ResponseWriter, _ *http.Request) error {
			data, err := os.ReadFile(c.path(authority, "list.crl"))
			if err != nil {
				return err
			}
			w.Header().Set("Content-Type", "application/pkix-crl")
			_, err = w.Write(data)
			return err
		})
		respond := func(w http.ResponseWriter, r *http.Request) error {
			request, err := ocspRequest(r, "/"+authority+"/ocsp/")
			if err != nil {
				return err
			}
			response, err := c.respond(authority, request)
			if err != nil {
				return err
			}
			w.Header().Set("Content-Type", "application/ocsp-response")
			_, err = w.Write(response)
			return err
		}
		c.handle("/"+authority+"/ocsp", OCSP, respond)
		c.handle("/"+authority+"/ocsp/", OCSP, respond)
	}
}

// ocspRequest reads a request that came by GET or POST (RFC 6960 appendix A.1).
func ocspRequest(r *http.Request, prefix string) ([]byte, error) {
	switch r.Method {
	case http.MethodPost:
		return io.ReadAll(http.MaxBytesReader(nil, r.Body, maxRequest))
	case http.MethodGet:
		// In the path as it was sent: base64 has slashes.
		text, err := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), prefix))
		if err != nil {
			return nil, err
		}
		return base64.StdEncoding.DecodeString(text)
	}
	return nil, errors.New("neither GET nor POST")
}

// respond has openssl answer an OCSP request. It reads the data base anew each
// time, so that a revocation counts at once.
func (c *CA) respond(authority string, request []byte) ([]byte, error) {
	dir, err := os.MkdirTemp(c.Dir, "ocsp-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	in, out := dir+"/request", dir+"/response"
	if err := os.WriteFile(in, request, 0o600); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := openssl(nil, "ocsp", "-index", c.path(authority, "index.txt"), "-CA", c.path(authority, "ca.crt"),
		"-rsigner", c.path(authority, "ocsp.crt"), "-rkey", c.path(authority, "ocsp.key"),
		"-reqin", in, "-respout", out, "-nmin", "60"); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}
