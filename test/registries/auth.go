package registries

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Auth is how a registry asks for credentials. The zero value does not.
type Auth uint8

// The ways to ask for credentials.
const (
	Anonymous Auth = iota
	// Basic is HTTP Basic authentication, RFC 7617.
	Basic
	// Bearer is the token authentication of the distribution project: the
	// registry names a token service, which takes Basic credentials.
	Bearer
)

// String returns a name that is fit for a test's name.
func (a Auth) String() string {
	switch a {
	case Anonymous:
		return "anonymous"
	case Basic:
		return "basic"
	case Bearer:
		return "bearer"
	default:
		return fmt.Sprintf("auth-%d", uint8(a))
	}
}

// The credentials that every registry here accepts.
const (
	Username = "alice"
	Password = "wonderland-7"
)

// tokenPath is where the token service is found, at the registry's own host.
const tokenPath = "/test-token-service/token"

// authenticate stands in front of a registry's handler.
func authenticate(auth Auth, next http.Handler) http.Handler {
	switch auth {
	case Basic:
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !goodCredentials(r) {
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
				unauthorized(w)
				return
			}
			next.ServeHTTP(w, r)
		})
	case Bearer:
		return &tokenService{next: next, tokens: map[string][]string{}}
	default:
		return next
	}
}

// goodCredentials reports whether the request carries [Username] and [Password].
func goodCredentials(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	return ok && equal(user, Username) && equal(password, Password)
}

func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// unauthorized answers 401 with the body of the distribution specification.
func unauthorized(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	fmt.Fprintln(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
}

// tokenService gives out tokens for scopes and lets requests pass that carry a
// token of the scope they need.
type tokenService struct {
	next   http.Handler
	mu     sync.Mutex
	tokens map[string][]string // token to the scopes that it grants
}

func (s *tokenService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == tokenPath {
		s.grant(w, r)
		return
	}
	repository, action := need(r)
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if s.allows(token, repository, action) {
		s.next.ServeHTTP(w, r)
		return
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	challenge := fmt.Sprintf(`Bearer realm="%s://%s%s",service="test"`, scheme, r.Host, tokenPath)
	if repository != "" {
		actions := "pull"
		if action == "push" {
			actions = "pull,push"
		}
		challenge += fmt.Sprintf(`,scope="repository:%s:%s"`, repository, actions)
	}
	w.Header().Set("WWW-Authenticate", challenge)
	unauthorized(w)
}

// grant answers a request for a token, by GET with Basic credentials or by POST
// with a password grant.
func (s *tokenService) grant(w http.ResponseWriter, r *http.Request) {
	var scopes []string
	switch r.Method {
	case http.MethodGet:
		if !goodCredentials(r) {
			unauthorized(w)
			return
		}
		scopes = r.URL.Query()["scope"]
	case http.MethodPost:
		if r.PostFormValue("grant_type") != "password" ||
			!equal(r.PostFormValue("username"), Username) || !equal(r.PostFormValue("password"), Password) {
			unauthorized(w)
			return
		}
		scopes = strings.Fields(r.PostFormValue("scope"))
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	token := rand.Text()
	s.mu.Lock()
	s.tokens[token] = scopes
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	// An encoding error means that the client has gone.
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "access_token": token, "expires_in": 300})
}

// allows reports whether the token grants the action on the repository.
func (s *tokenService) allows(token, repository, action string) bool {
	s.mu.Lock()
	scopes, known := s.tokens[token]
	s.mu.Unlock()
	if !known || repository == "" {
		return known
	}
	return slices.ContainsFunc(scopes, func(scope string) bool {
		rest, ok := strings.CutPrefix(scope, "repository:"+repository+":")
		return ok && slices.Contains(strings.Split(rest, ","), action)
	})
}

// need returns the repository and the action that a request is about.
func need(r *http.Request) (repository, action string) {
	action = "push"
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		action = "pull"
	}
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	for _, part := range []string{"/manifests/", "/blobs/", "/tags/", "/referrers/"} {
		if i := strings.LastIndex(path, part); i > 0 {
			return path[:i], action
		}
	}
	return "", action
}
