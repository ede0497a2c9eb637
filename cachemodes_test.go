package notation_test

import (
	"crypto/x509"
	"sync"
	"testing"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/cachemodes"
	"github.com/notaryv2/notation/revocation"
)

// TestAttacksInEveryCacheMode runs the attack tests with caches; as written they
// have none.
func TestAttacksInEveryCacheMode(t *testing.T) {
	t.Parallel()
	cachemodes.RunAttacks(t, cachemodes.Off)
}

// sharedCache is the one of all tests.
var sharedCache = sync.OnceValue(notation.NewCache)

// modeCache returns the cache for the Verifier of a test.
func modeCache() *notation.Cache {
	switch cachemodes.Current() {
	case cachemodes.Cold:
		return notation.NewCache()
	case cachemodes.Warm:
		return sharedCache()
	default:
		return nil
	}
}

// seen has the cache of all tests, in the mode in which there is one, see an
// envelope before the test that makes it does: under a policy that trusts its
// chain, and under one that trusts somebody else.
func seen(t testing.TB, chain []*x509.Certificate, env []byte) []byte {
	t.Helper()
	if cachemodes.Current() != cachemodes.Warm || len(chain) == 0 {
		return env
	}
	mediaType := envelope.MediaTypeJWS
	if len(env) > 0 && env[0] != '{' {
		mediaType = envelope.MediaTypeCOSE
	}
	for _, anchor := range []*x509.Certificate{chain[len(chain)-1], chain[0]} {
		v := verifierAnchored(t, anchor)
		v.Revocation = checker(func(c []*x509.Certificate, _ revocation.Evidence) []revocation.Result {
			return make([]revocation.Result, len(c)-1)
		})
		_, _ = v.VerifyEnvelope(t.Context(), env, mediaType, target(), scope)
	}
	return env
}
