package notation_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
)

// responder answers for the chains that are added to it: good, but for the
// certificates that were revoked.
type responder struct {
	t       testing.TB
	mu      sync.Mutex
	chains  []*testpki.Chain
	revoked map[string]testpki.OCSPSingle
	at      time.Time
}

func (r *responder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	testpki.OCSPHandler(func(serial, _ []byte) []byte {
		r.mu.Lock()
		defer r.mu.Unlock()
		number := new(big.Int).SetBytes(serial)
		for _, c := range r.chains {
			for i, cert := range c.Certs[:len(c.Certs)-1] {
				if cert.SerialNumber.Cmp(number) != 0 {
					continue
				}
				o := testpki.NewOCSP(cert, c.Certs[i+1], r.at)
				if single, ok := r.revoked[number.String()]; ok {
					o.Singles[0].Status, o.Singles[0].Extensions = single.Status, single.Extensions
				}
				return o.Sign(r.t, c.Keys[i+1])
			}
		}
		return []byte{0x30, 0x03, 0x0a, 0x01, 0x06} // unauthorized
	}).ServeHTTP(w, req)
}

// names is for Options.Modify: every certificate but the root names the responder.
func names(address string) func(int, *x509.Certificate) {
	return func(i int, c *x509.Certificate) {
		if i < 2 {
			c.OCSPServer = []string{address}
		}
	}
}

// Who was revoked, when, why, and who says when the signature was made: with a
// checker that asks.
//
// attack: TSP-05
// attack: REV-03
func TestLiveRevocationAndTime(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	genTime := now.Add(-30 * time.Minute)
	const keyCompromise, superseded = 1, 4
	invalid := func(at time.Time) []pkix.Extension { return []pkix.Extension{testpki.InvalidityDate(at)} }
	for _, tt := range []struct {
		name    string
		scheme  envelope.Scheme
		tsa     bool // it is the authority's certificate that was revoked
		reason  int
		since   []pkix.Extension
		outcome notation.Outcome
	}{
		{"signer compromised after the stamp", envelope.SchemeX509, false, keyCompromise, invalid(now.Add(-10 * time.Minute)), notation.Passed},
		{"signer compromised before the stamp", envelope.SchemeX509, false, keyCompromise, invalid(now.Add(-50 * time.Minute)), notation.Failed},
		{"signer compromised, nobody knows when", envelope.SchemeX509, false, keyCompromise, nil, notation.Failed},
		{"signer superseded after the stamp", envelope.SchemeX509, false, superseded, nil, notation.Passed},
		{"authority compromised after the stamp", envelope.SchemeX509, true, keyCompromise, invalid(now.Add(-10 * time.Minute)), notation.Failed},
		{"authority superseded after the stamp", envelope.SchemeX509, true, superseded, nil, notation.Passed},
		{"signing authority compromised after its time", envelope.SchemeSigningAuthority, false, keyCompromise, invalid(now.Add(-10 * time.Minute)), notation.Failed},
		{"signing authority superseded after its time", envelope.SchemeSigningAuthority, false, superseded, nil, notation.Passed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &responder{t: t, at: now.Add(-time.Minute), revoked: map[string]testpki.OCSPSingle{}}
			address, _ := serve(t, r)
			chain := testpki.New(t, testpki.Options{Modify: names(address)})
			tsa := newTSA(t, genTime, testpki.Options{Modify: names(address), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)})
			who := chain.Leaf()
			if tt.tsa {
				who = tsa.Leaf()
			}
			r.mu.Lock()
			r.chains = []*testpki.Chain{chain, tsa.Chain}
			r.revoked[who.SerialNumber.String()] = testpki.OCSPSingle{Status: testpki.OCSPRevoked(now.Add(-5*time.Minute), tt.reason), Extensions: tt.since}
			r.mu.Unlock()
			env := stamped(t, chain, tsa, envelope.Request{Scheme: tt.scheme, SigningTime: genTime})
			v := &notation.Verifier{
				Policy:     statement(t, `"signatureVerification": {"level": "strict"}, "trustStores": ["ca:test", "signingAuthority:a", "tsa:t"], "trustedIdentities": ["*"]`),
				Stores:     stores(map[string][]*x509.Certificate{"ca:test": {chain.Root()}, "signingAuthority:a": {chain.Root()}, "tsa:t": {tsa.Root()}}),
				Revocation: revocation.New(revocation.Options{Timeout: time.Hour}),
				Cache:      modeCache(),
			}
			verdict, err := decide(t, v, env)
			if tt.outcome == notation.Passed {
				want{notation.CheckRevocation, notation.Passed, ""}.compare(t, verdict, err)
				return
			}
			want{notation.CheckRevocation, notation.Failed, reason.RevocationRevoked}.compare(t, verdict, err)
		})
	}
}
