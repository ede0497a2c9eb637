package notation_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
	"github.com/notaryv2/notation/signer"
	"github.com/notaryv2/notation/timestamp"
)

// stamped seals r with chain at the time of the authority and has the authority
// stamp it.
func stamped(t testing.TB, chain *testpki.Chain, tsa *testpki.TSA, r envelope.Request) []byte {
	t.Helper()
	r.Target = target()
	env := seal(t, chain, r)
	parsed, err := envelope.Parse(envelope.MediaTypeJWS, env)
	if err != nil {
		t.Fatal(err)
	}
	claims := parsed.Claims()
	return withToken(t, env, tsa.Stamp(t, claims.Signature, claims.Algorithm.Hash()))
}

func withToken(t testing.TB, env, token []byte) []byte {
	t.Helper()
	env, err := envelope.SetTimestamp(envelope.MediaTypeJWS, env, token)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// newTSA makes an authority whose clock stands still.
func newTSA(t testing.TB, now time.Time, o testpki.Options) *testpki.TSA {
	t.Helper()
	o.Name, o.KeySet = "tsa", 1
	if o.NotBefore.IsZero() {
		o.NotBefore, o.NotAfter = now.Add(-time.Hour), now.Add(time.Hour)
	}
	tsa := testpki.NewTSA(t, o)
	tsa.Now = func() time.Time { return now }
	return tsa
}

// stampVerifier trusts chain as a signer and tsa as an authority.
func stampVerifier(t testing.TB, verification string, chain, tsa *testpki.Chain) *notation.Verifier {
	t.Helper()
	return &notation.Verifier{
		Policy: statement(t, `"signatureVerification": {`+verification+`}, "trustStores": ["ca:test", "tsa:t"], "trustedIdentities": ["*"]`),
		Stores: stores(map[string][]*x509.Certificate{"ca:test": {chain.Root()}, "tsa:t": {tsa.Root()}}),
		Cache:  modeCache(),
	}
}

const (
	strictly    = `"level": "strict"`
	afterExpiry = `"level": "strict", "verifyTimestamp": "afterCertExpiry"`
)

func TestTimestampPolicy(t *testing.T) {
	t.Parallel()
	now := time.Now()
	chain := testpki.New(t, testpki.Options{})
	tsa := newTSA(t, now, testpki.Options{})
	stranger := newTSA(t, now, testpki.Options{})
	stranger.Chain = testpki.New(t, testpki.Options{Name: "stranger", KeySet: 2, TSA: true})
	good := stamped(t, chain, tsa, envelope.Request{})
	bare := seal(t, chain, envelope.Request{Target: target()})
	other := seal(t, chain, envelope.Request{Target: target()}) // ECDSA: another signature each time
	parsed, err := envelope.Parse(envelope.MediaTypeJWS, good)
	if err != nil {
		t.Fatal(err)
	}
	later, decades := now.Add(48*time.Hour), now.AddDate(40, 0, 0)
	failed := func(code reason.Code) want { return want{notation.CheckAuthenticTimestamp, notation.Failed, code} }
	fine := want{notation.CheckAuthenticTimestamp, notation.Passed, ""}
	for _, tt := range []struct {
		name, verification string
		env                []byte
		now                time.Time
		want               want
	}{
		{"good", strictly, good, now, fine},
		{"certificates expired since", strictly, good, later, fine},
		{"decades later", strictly, good, decades, fine},
		{"missing", strictly, bare, now, failed(reason.VerifyTimestampMissing)},
		{"no token", strictly, withToken(t, bare, []byte{0x30, 0x00}), now, failed(reason.TimestampEncoding)},
		// attack: TSP-01
		{"of another signature", strictly, withToken(t, other, parsed.Claims().Timestamp), now, failed(reason.TimestampImprint)},
		{"by a stranger", strictly, stamped(t, chain, stranger, envelope.Request{}), now, failed(reason.TimestampRootUntrusted)},
		{"by a stranger, logged", `"level": "permissive"`, stamped(t, chain, stranger, envelope.Request{}), now,
			want{notation.CheckAuthenticTimestamp, notation.Logged, reason.TimestampRootUntrusted}},
		{"ahead by less than clocks differ", strictly, good, now.Add(-4 * time.Minute), fine},
		{"of the future", strictly, good, now.Add(-6 * time.Minute), failed(reason.VerifyFutureTime)},
		{"not looked at", afterExpiry, withToken(t, bare, []byte{0x30, 0x00}), now, fine},
		{"after expiry", afterExpiry, good, later, fine},
		{"after expiry, missing", afterExpiry, bare, later, failed(reason.VerifyTimestampMissing)},
		{"not yet valid", afterExpiry, good, now.Add(-48 * time.Hour), failed(reason.CertNotYetValid)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := at(stampVerifier(t, tt.verification, chain, tsa.Chain), tt.now)
			verdict, err := decide(t, v, tt.env)
			tt.want.compare(t, verdict, err)
			stamp := verdict.Signatures[0].Timestamp
			if judged := tt.want == fine && tt.name != "not looked at"; judged != (stamp != nil) {
				t.Fatalf("time stamp %+v", stamp)
			}
			if stamp != nil && (stamp.Store != "tsa:t" || stamp.Policy != testpki.OIDExampleTSA || !strings.Contains(stamp.Authority, "O=tsa") ||
				len(stamp.Fingerprint) != 64 || !stamp.Earliest.Before(stamp.Time) || !stamp.Latest.After(stamp.Time)) {
				t.Errorf("time stamp %+v", stamp)
			}
		})
	}
}

// The whole range of time must lie within the validity of every certificate.
//
// attack: TSP-03
func TestTimestampRange(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	end := begin.Add(time.Hour)
	for _, short := range []int{0, 1, 2} { // the position of the certificate with that validity
		chain := testpki.New(t, testpki.Options{NotBefore: begin.Add(-time.Hour), NotAfter: end.Add(time.Hour), Modify: func(i int, c *x509.Certificate) {
			if i == short {
				c.NotBefore, c.NotAfter = begin, end
			}
		}})
		for _, tt := range []struct {
			name     string
			time     time.Time
			accuracy [][]byte
			code     reason.Code
		}{
			{"first instant", begin.Add(time.Second), testpki.Accuracy(1, 0, 0), ""},
			{"too early by its accuracy", begin.Add(time.Second), testpki.Accuracy(1, 1, 0), reason.CertNotYetValid},
			{"last instant", end.Add(-time.Second), testpki.Accuracy(1, 0, 0), ""},
			{"too late by a millisecond", end.Add(-time.Second), testpki.Accuracy(1, 1, 0), reason.CertExpired},
			{"too late by a microsecond", end, testpki.Accuracy(0, 0, 1), reason.CertExpired},
			{"long before", begin.Add(-30 * time.Minute), testpki.Accuracy(1, 0, 0), reason.CertNotYetValid},
			{"long after", end.Add(30 * time.Minute), testpki.Accuracy(1, 0, 0), reason.CertExpired},
		} {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				tsa := newTSA(t, tt.time, testpki.Options{NotBefore: begin.AddDate(-1, 0, 0), NotAfter: end.AddDate(1, 0, 0)})
				tsa.Accuracy = tt.accuracy
				env := stamped(t, chain, tsa, envelope.Request{SigningTime: begin.Add(time.Minute)})
				v := at(stampVerifier(t, strictly, chain, tsa.Chain), end.AddDate(20, 0, 0))
				verdict, err := decide(t, v, env)
				w := want{notation.CheckAuthenticTimestamp, notation.Passed, ""}
				if tt.code != "" {
					w.outcome, w.code = notation.Failed, tt.code
				}
				w.compare(t, verdict, err)
				if (verdict.Signatures[0].Timestamp == nil) != (tt.code != "") {
					t.Errorf("time stamp %+v", verdict.Signatures[0].Timestamp)
				}
			})
		}
	}
}

// A tsa store that cannot be loaded may be the one that holds the root.
func TestTimestampStores(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	tsa := newTSA(t, time.Now(), testpki.Options{})
	env := stamped(t, chain, tsa, envelope.Request{})
	for _, tt := range []struct {
		name   string
		stores map[string][]*x509.Certificate
		want   want
	}{
		{"one of two is missing", map[string][]*x509.Certificate{"tsa:b": {tsa.Root()}}, want{notation.CheckAuthenticTimestamp, notation.Passed, ""}},
		{"the right one is missing", map[string][]*x509.Certificate{"tsa:b": {chain.Root()}}, want{notation.CheckAuthenticTimestamp, notation.Failed, reason.StoreNotFound}},
		{"both are there", map[string][]*x509.Certificate{"tsa:a": {chain.Root()}, "tsa:b": {tsa.Root()}}, want{notation.CheckAuthenticTimestamp, notation.Passed, ""}},
		{"in a ca store only", map[string][]*x509.Certificate{"tsa:a": {chain.Root()}, "tsa:b": {chain.Root()}, "ca:test": {chain.Root(), tsa.Root()}},
			want{notation.CheckAuthenticTimestamp, notation.Failed, reason.TimestampRootUntrusted}},
		// attack: TSP-05
		{"an intermediate", map[string][]*x509.Certificate{"tsa:a": {tsa.Certs[1]}, "tsa:b": {tsa.Certs[1]}}, want{notation.CheckAuthenticTimestamp, notation.Failed, reason.StoreAnchor}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.stores["ca:test"] == nil {
				tt.stores["ca:test"] = []*x509.Certificate{chain.Root()}
			}
			v := &notation.Verifier{
				Policy: statement(t, `"signatureVerification": {"level": "strict"}, "trustStores": ["ca:test", "tsa:a", "tsa:b"], "trustedIdentities": ["*"]`),
				Stores: stores(tt.stores),
				Cache:  modeCache(),
			}
			verdict, err := decide(t, v, env)
			tt.want.compare(t, verdict, err)
		})
	}
}

// serve returns the address of a handler, and counts its requests.
func serve(t testing.TB, h http.Handler) (url string, requests *atomic.Int32) {
	t.Helper()
	requests = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

func TestSignWithTimestamp(t *testing.T) {
	t.Parallel()
	now := time.Now()
	tsa := newTSA(t, now, testpki.Options{})
	for _, alg := range testpki.Algorithms() {
		for _, mediaType := range []string{envelope.MediaTypeJWS, envelope.MediaTypeCOSE} {
			t.Run(alg+" "+mediaType, func(t *testing.T) {
				t.Parallel()
				chain := testpki.New(t, testpki.Options{Algorithm: alg})
				good, asked := serve(t, tsa)
				bad, refused := serve(t, http.NotFoundHandler())
				repo := newFakeRepo()
				artifact := repo.push("v1", "artifact")
				signed, err := notation.Sign(t.Context(), repo, byDigest(t, artifact), signerFor(t, chain), notation.SignOptions{
					MediaType: mediaType, Timestamp: &timestamp.Client{URLs: []string{bad, good}, Roots: []*x509.Certificate{tsa.Root()}},
				})
				if err != nil {
					t.Fatal(err)
				}
				if refused.Load() != 1 || asked.Load() != 1 {
					t.Errorf("%d and %d requests", refused.Load(), asked.Load())
				}
				if signed.Timestamp == nil || !signed.Timestamp.Time.Equal(now.Truncate(time.Second)) && !signed.Timestamp.Time.Equal(now) && now.Sub(signed.Timestamp.Time).Abs() > time.Second {
					t.Errorf("time stamp %+v", signed.Timestamp)
				}
				v := at(stampVerifier(t, strictly, chain, tsa.Chain), now.AddDate(30, 0, 0))
				verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
				if err != nil || verdict.Accepted().Timestamp.Time != signed.Timestamp.Time {
					t.Errorf("%v: %+v", err, verdict)
				}
			})
		}
	}
}

// Where no authority gives a good time stamp, nothing is stored.
func TestSignWithoutTimestamp(t *testing.T) {
	t.Parallel()
	now := time.Now()
	chain := testpki.New(t, testpki.Options{})
	good := newTSA(t, now, testpki.Options{})
	address, _ := serve(t, good)
	roots := []*x509.Certificate{good.Root()}
	old := newTSA(t, now.AddDate(-1, 0, 0), testpki.Options{})
	past, _ := serve(t, old)
	dead, _ := serve(t, http.NotFoundHandler())
	revoked := checker(func([]*x509.Certificate, revocation.Evidence) []revocation.Result {
		return []revocation.Result{{Status: revocation.Good}, {Status: revocation.Revoked, Err: reason.Errorf(reason.RevocationRevoked, "revoked")}}
	})
	for _, tt := range []struct {
		name string
		o    notation.SignOptions
		key  func(envelope.Request) envelope.Request
		code reason.Code
	}{
		{"nobody answers", notation.SignOptions{Timestamp: &timestamp.Client{URLs: []string{dead}, Roots: roots}}, nil, reason.TimestampReply},
		{"another authority", notation.SignOptions{Timestamp: &timestamp.Client{URLs: []string{address}, Roots: []*x509.Certificate{chain.Root()}}}, nil, reason.TimestampRootUntrusted},
		{"clock of the authority ahead", notation.SignOptions{Now: func() time.Time { return now.Add(-10 * time.Minute) },
			Timestamp: &timestamp.Client{URLs: []string{address}, Roots: roots}}, nil, reason.SignTimestamp},
		{"clock of the authority", notation.SignOptions{Timestamp: &timestamp.Client{URLs: []string{past}, Roots: []*x509.Certificate{old.Root()}}}, nil, reason.SignTimestamp},
		// attack: TSP-05
		{"authority revoked", notation.SignOptions{Timestamp: &timestamp.Client{URLs: []string{address}, Roots: roots}, Revocation: revoked}, nil, reason.TimestampRevocation},
		{"authority unknown", notation.SignOptions{Timestamp: &timestamp.Client{URLs: []string{address}, Roots: roots}, Revocation: checker(func([]*x509.Certificate, revocation.Evidence) []revocation.Result {
			return []revocation.Result{{Status: revocation.Unavailable}, {Status: revocation.Good}}
		})}, nil, reason.TimestampRevocation},
		{"signing authority", notation.SignOptions{Scheme: envelope.SchemeSigningAuthority, Timestamp: &timestamp.Client{URLs: []string{address}, Roots: roots}}, nil, reason.SignTimestamp},
		{"signing authority by choice of the signer", notation.SignOptions{Timestamp: &timestamp.Client{URLs: []string{address}, Roots: roots}}, func(r envelope.Request) envelope.Request {
			r.Scheme = envelope.SchemeSigningAuthority
			return r
		}, reason.SignTimestamp},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			repo := newFakeRepo()
			artifact := repo.push("v1", "artifact")
			before := len(repo.content)
			honest := signerFor(t, chain)
			key := fakeSigner(func(ctx context.Context, r envelope.Request) (signer.Result, error) {
				if tt.key != nil {
					r = tt.key(r)
				}
				return honest.Sign(ctx, r)
			})
			_, err := notation.Sign(t.Context(), repo, byDigest(t, artifact), key, tt.o)
			if reason.Of(err) != tt.code || reason.Hint(err) == "" || strings.Contains(reason.Hint(err), "the signer") {
				t.Errorf("%v (%s), want %s; hint %q", err, reason.Of(err), tt.code, reason.Hint(err))
			}
			if len(repo.content) != before || len(repo.listings[artifact.Digest]) != 0 {
				t.Error("something was stored")
			}
		})
	}
}

// A checker answers what it is told to.
type checker func([]*x509.Certificate, revocation.Evidence) []revocation.Result

func (c checker) Check(_ context.Context, chain []*x509.Certificate, e revocation.Evidence) []revocation.Result {
	return c(chain, e)
}
