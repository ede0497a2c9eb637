package remote

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// tokenCache is an auth.Cache that fetches each token once.
//
// The one of oras-go fetches again for a request that was refused before the
// token arrived but asks after it did, and hands the cancellation of one
// request to all that wait for the same token. This one knows which tokens a
// request has tried, and a fetch belongs to all who wait for it.
type tokenCache struct {
	mu      sync.Mutex
	schemes map[string]auth.Scheme
	tokens  map[tokenKey]string
	flights map[tokenKey]*flight

	// Of earlier runs, and the credential that they were given for; nil: none.
	files      *tokenFiles
	credential func(ctx context.Context, host string) (auth.Credential, error)
	recalling  chan struct{}     // holds one while somebody looks for a file
	looked     map[tokenKey]bool // for a file; guarded by recalling
}

type tokenKey struct {
	registry string
	scheme   auth.Scheme
	scopes   string
}

// flight is a fetch in progress. token and err are set before done is closed.
type flight struct {
	done    chan struct{}
	waiters int // guarded by the cache's mutex
	cancel  context.CancelFunc
	token   string
	err     error
}

// triedTokens are the tokens that one request was sent with.
type triedTokens struct {
	mu     sync.Mutex
	tokens []string
}

func (t *triedTokens) add(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens = append(t.tokens, token)
}

func (t *triedTokens) has(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, u := range t.tokens {
		if u == token {
			return true
		}
	}
	return false
}

func newTokenCache() *tokenCache {
	return &tokenCache{
		schemes: map[string]auth.Scheme{}, tokens: map[tokenKey]string{}, flights: map[tokenKey]*flight{},
		recalling: make(chan struct{}, 1), looked: map[tokenKey]bool{},
	}
}

// GetScheme implements auth.Cache.
func (c *tokenCache) GetScheme(ctx context.Context, registry string) (auth.Scheme, error) {
	c.recall(ctx, registry)
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.schemes[registry]; ok {
		return s, nil
	}
	return auth.SchemeUnknown, errdef.ErrNotFound
}

// recall looks, once, for a token of an earlier run. Who comes meanwhile waits,
// as without the token a request would be refused, but no longer than ctx: the
// credential may be asked of a program.
func (c *tokenCache) recall(ctx context.Context, registry string) {
	if c.files == nil {
		return
	}
	select {
	case c.recalling <- struct{}{}:
		defer func() { <-c.recalling }()
	case <-ctx.Done():
		return
	}
	key := tokenKey{registry, auth.SchemeBearer, hinted(ctx, registry)}
	c.mu.Lock()
	_, there := c.tokens[key]
	c.mu.Unlock()
	if there || c.looked[key] {
		return
	}
	token := c.files.load(origin(ctx), key.scopes, func() (auth.Credential, error) { return c.credential(ctx, registry) })
	c.looked[key] = ctx.Err() == nil
	if token == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.tokens[key]; !there {
		c.schemes[registry], c.tokens[key] = auth.SchemeBearer, token
	}
}

// hinted returns the scopes that a request to a registry is expected to need.
func hinted(ctx context.Context, registry string) string {
	return strings.Join(auth.GetAllScopesForHost(ctx, registry), " ")
}

// origin returns scheme and host of the registry that a request is for.
func origin(ctx context.Context) string {
	u := exchangeOf(ctx).origin
	return u.Scheme + "://" + u.Host
}

// GetToken implements auth.Cache. Whoever asks is taken to try the token.
func (c *tokenCache) GetToken(ctx context.Context, registry string, scheme auth.Scheme, scopes string) (string, error) {
	c.mu.Lock()
	token, ok := c.tokens[tokenKey{registry, scheme, scopes}]
	c.mu.Unlock()
	if !ok {
		return "", errdef.ErrNotFound
	}
	exchangeOf(ctx).tried.add(token)
	return token, nil
}

// Set implements auth.Cache. It returns a token that the request of ctx has
// not tried: from the cache, from a fetch in progress, or by fetching.
func (c *tokenCache) Set(ctx context.Context, registry string, scheme auth.Scheme, scopes string, fetch func(context.Context) (string, error)) (string, error) {
	key := tokenKey{registry, scheme, scopes}
	ex := exchangeOf(ctx)
	c.mu.Lock()
	if token, ok := c.tokens[key]; ok && !ex.tried.has(token) {
		c.mu.Unlock()
		ex.tried.add(token)
		return token, nil
	}
	f := c.flights[key]
	if f == nil {
		f = c.start(ctx, key, fetch)
	}
	f.waiters++
	c.mu.Unlock()

	select {
	case <-f.done:
		if f.err == nil {
			ex.tried.add(f.token)
		}
		return f.token, f.err
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		if f.waiters--; f.waiters == 0 {
			f.cancel()
			if c.flights[key] == f {
				delete(c.flights, key)
			}
		}
		return "", context.Cause(ctx)
	}
}

// start begins to fetch a token. c.mu is held.
func (c *tokenCache) start(ctx context.Context, key tokenKey, fetch func(context.Context) (string, error)) *flight {
	// The fetch outlives the request that began it as long as others wait. It
	// is marked, so that the guard can tell a token request.
	token := *exchangeOf(ctx)
	token.token = true
	if c.files != nil && key.scheme == auth.SchemeBearer {
		token.holds = new(atomic.Int64)
	}
	expected := hinted(ctx, key.registry)
	fetchCtx, cancel := context.WithCancel(withExchange(context.WithoutCancel(ctx), &token))
	f := &flight{done: make(chan struct{}), cancel: cancel}
	c.flights[key] = f
	go func() {
		defer cancel()
		f.token, f.err = fetch(fetchCtx)
		if f.err == nil && token.holds != nil {
			// Before anybody is told: the program may end with the answer.
			c.keep(fetchCtx, key.registry, expected, f.token, time.Duration(token.holds.Load()))
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.flights[key] == f {
			delete(c.flights, key)
		}
		if f.err == nil {
			c.schemes[key.registry] = key.scheme
			c.tokens[key] = f.token
			// A registry may ask for more scopes than were expected. The next
			// request finds the token by what it expects.
			c.tokens[tokenKey{key.registry, key.scheme, expected}] = f.token
		}
		close(f.done)
	}()
	return f
}

// keep writes a token for later runs.
func (c *tokenCache) keep(ctx context.Context, registry, scopes, token string, holds time.Duration) {
	if holds <= 0 {
		return
	}
	if credential, err := c.credential(ctx, registry); err == nil {
		c.files.save(origin(ctx), scopes, token, holds, credential)
	}
}
