package notation_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
	"github.com/notaryv2/notation/trust"
)

func withReason(code reason.Code) *reason.Error { return reason.Errorf(code, "because of %s", code) }

// answers gives the same results about every chain of three.
func answers(leaf, intermediate revocation.Result) checker {
	return func([]*x509.Certificate, revocation.Evidence) []revocation.Result {
		return []revocation.Result{leaf, intermediate}
	}
}

var (
	good        = revocation.Result{Status: revocation.Good, Method: revocation.OCSP, ThisUpdate: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	cached      = revocation.Result{Status: revocation.Good, Method: revocation.CRL, FromCache: true, ThisUpdate: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	carried     = revocation.Result{Status: revocation.Good, Method: revocation.OCSP, Carried: true, ThisUpdate: good.ThisUpdate, NextUpdate: good.ThisUpdate.AddDate(0, 0, 7)}
	fetched     = revocation.Result{Status: revocation.Good, Method: revocation.CRL, ThisUpdate: good.ThisUpdate, NextUpdate: good.ThisUpdate.AddDate(0, 0, 1)}
	revoked     = revocation.Result{Status: revocation.Revoked, Err: withReason(reason.RevocationRevoked)}
	unknown     = revocation.Result{Status: revocation.Unknown, Err: withReason(reason.RevocationUnknown)}
	unavailable = revocation.Result{Status: revocation.Unavailable, Err: withReason(reason.RevocationUnavailable)}
	notKept     = revocation.Result{Status: revocation.NoSource, Err: withReason(reason.RevocationNotKept)}
	noSource    = revocation.Result{Status: revocation.NoSource, Err: withReason(reason.RevocationNoSource)}
)

func TestRevocation(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	env := seal(t, chain, envelope.Request{Target: target()})
	const logged = `"level": "permissive"`
	const skipped = `"level": "strict", "override": {"revocation": "skip"}`
	is := func(o notation.Outcome, code reason.Code) want { return want{notation.CheckRevocation, o, code} }
	for _, tt := range []struct {
		name, verification string
		checker            checker
		require            bool
		want               want
		says               string
	}{
		{"good", strictly, answers(good, good), false, is(notation.Passed, ""), "OCSP, as of 2026-01-02T03:04:05Z"},
		{"good, from two sources", strictly, answers(good, cached), true, is(notation.Passed, ""), "OCSP, CRL (cached), as of 2026-01-01T00:00:00Z"},
		{"good, carried", strictly, answers(carried, fetched), false, is(notation.Passed, ""), "OCSP (carried), CRL, as of 2026-01-02T03:04:05Z, until 2026-01-03T03:04:05Z"},
		{"good, one does not say until when", strictly, answers(carried, cached), false, is(notation.Passed, ""), "as of 2026-01-01T00:00:00Z"},
		{"leaf revoked", strictly, answers(revoked, good), false, is(notation.Failed, reason.RevocationRevoked), ""},
		{"intermediate revoked", strictly, answers(good, revoked), false, is(notation.Failed, reason.RevocationRevoked), ""},
		{"revoked, logged", logged, answers(revoked, good), false, is(notation.Logged, reason.RevocationRevoked), ""},
		{"revoked outweighs unknown", strictly, answers(unknown, revoked), false, is(notation.Failed, reason.RevocationRevoked), ""},
		{"unknown outweighs unavailable", strictly, answers(unavailable, unknown), false, is(notation.Failed, reason.RevocationUnknown), ""},
		{"unavailable", strictly, answers(good, unavailable), false, is(notation.Undecided, reason.RevocationUnavailable), ""},
		{"unavailable, logged", logged, answers(unavailable, good), false, is(notation.Logged, reason.RevocationUnavailable), ""},
		{"unavailable without a reason", strictly, answers(revocation.Result{}, good), false, is(notation.Undecided, reason.RevocationUnavailable), "unavailable"},
		// attack: REV-06
		{"no source", strictly, answers(noSource, noSource), false, is(notation.Skipped, reason.VerifyRevocationNoSource), "2 of 2"},
		{"no source for one", strictly, answers(good, noSource), false, is(notation.Skipped, reason.VerifyRevocationNoSource), "1 of 2"},
		{"no source, required", strictly, answers(good, noSource), true, is(notation.Failed, reason.VerifyRevocationNoSource), "1 of 2"},
		{"no source, required, logged", logged, answers(noSource, good), true, is(notation.Logged, reason.VerifyRevocationNoSource), "1 of 2"},
		{"no results", strictly, func([]*x509.Certificate, revocation.Evidence) []revocation.Result { return nil }, false, is(notation.Undecided, reason.RevocationUnavailable), "about 0"},
		{"fewer results", strictly, func([]*x509.Certificate, revocation.Evidence) []revocation.Result { return []revocation.Result{good} }, true, is(notation.Undecided, reason.RevocationUnavailable), "about 1"},
		{"more results", strictly, func([]*x509.Certificate, revocation.Evidence) []revocation.Result {
			return []revocation.Result{good, good, good}
		}, false, is(notation.Undecided, reason.RevocationUnavailable), "about 3"},
		{"nobody keeps it", strictly, answers(notKept, good), false, is(notation.Skipped, reason.RevocationNotKept), "because of"},
		{"nobody keeps it, required", strictly, answers(good, notKept), true, is(notation.Failed, reason.RevocationNotKept), "because of"},
		{"skipped", skipped, nil, true, is(notation.Skipped, reason.VerifySkippedByPolicy), "skips"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := verifierFor(t, chain)
			v.Policy = statement(t, `"signatureVerification": {`+tt.verification+`}, "trustStores": ["ca:test"], "trustedIdentities": ["*"]`)
			v.RequireRevocation = tt.require
			v.Revocation = checker(func(c []*x509.Certificate, e revocation.Evidence) []revocation.Result {
				if len(c) != 3 || !e.Authentic.IsZero() {
					t.Errorf("asked about %d certificates by %s", len(c), e.Authentic)
				}
				return tt.checker(c, e)
			})
			verdict, err := decide(t, v, env)
			f := finding(t, verdict.Signatures[0].Findings, notation.CheckRevocation)
			if !strings.Contains(f.Message, tt.says) {
				t.Errorf("%q does not say %q", f.Message, tt.says)
			}
			if tt.want.outcome == notation.Undecided {
				if f.Outcome != tt.want.outcome || f.Reason != tt.want.code {
					t.Errorf("finding %+v", f)
				}
				checkRefusal(t, verdict, err, notation.ErrUndecided, tt.want.code)
				return
			}
			tt.want.compare(t, verdict, err)
		})
	}
}

// Nobody is asked about a signature that is not good enough anyway, nor about a
// chain that leads to no trusted root.
func TestRevocationIsAskedLast(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	stranger := testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1})
	now := time.Now()
	good := seal(t, chain, envelope.Request{Target: target()})
	for _, tt := range []struct {
		name, statement string
		env             []byte
		metadata        map[string]string
		now             time.Time
		want            want
	}{
		{"untrusted root", strict("*"), seal(t, stranger, envelope.Request{Target: target()}), nil, now, want{notation.CheckRevocation, notation.Skipped, reason.VerifyNotReached}},
		{"untrusted root, audit", leveled("audit", "", "*"), seal(t, stranger, envelope.Request{Target: target()}), nil, now,
			want{notation.CheckRevocation, notation.Logged, reason.VerifyRevocationUntrusted}},
		{"untrusted root, audit, enforced", leveled("audit", `"revocation": "enforce"`, "*"), seal(t, stranger, envelope.Request{Target: target()}), nil, now,
			want{notation.CheckRevocation, notation.Failed, reason.VerifyRevocationUntrusted}},
		{"untrusted identity", strict("x509.subject: C=US, ST=WA, O=acme"), good, nil, now, want{notation.CheckRevocation, notation.Skipped, reason.VerifyNotReached}},
		{"expired", strict("*"), seal(t, chain, envelope.Request{Target: target(), SigningTime: now.Add(-time.Minute), Expiry: now.Add(-time.Second)}), nil, now,
			want{notation.CheckRevocation, notation.Skipped, reason.VerifyNotReached}},
		{"certificate expired", strict("*"), good, nil, now.AddDate(1, 0, 0), want{notation.CheckRevocation, notation.Skipped, reason.VerifyNotReached}},
		{"metadata", strict("*"), good, map[string]string{"a": "b"}, now, want{notation.CheckRevocation, notation.Skipped, reason.VerifyNotReached}},
		{"other artifact", strict("*"), seal(t, chain, envelope.Request{Target: descriptor("text/plain", nil)}), nil, now,
			want{notation.CheckRevocation, notation.Skipped, reason.VerifyNotReached}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := at(verifierFor(t, chain), tt.now)
			v.Policy, v.Metadata = statement(t, tt.statement), tt.metadata
			v.Revocation = checker(func([]*x509.Certificate, revocation.Evidence) []revocation.Result {
				t.Error("somebody was asked")
				return nil
			})
			verdict, _ := decide(t, v, tt.env)
			f := finding(t, verdict.Signatures[0].Findings, notation.CheckRevocation)
			if f.Outcome != tt.want.outcome || f.Reason != tt.want.code || f.Message == "" {
				t.Errorf("finding %+v", f)
			}
		})
	}
}

func strict(identity string) string { return leveled("strict", "", identity) }

func leveled(level, override, identity string) string {
	if override != "" {
		override = `, "override": {` + override + `}`
	}
	return `"signatureVerification": {"level": "` + level + `"` + override + `}, "trustStores": ["ca:test"], "trustedIdentities": ["` + identity + `"]`
}

// The time by which a signature existed is that of somebody trusted, or none.
//
// attack: REV-03
func TestAuthenticTimeOfRevocation(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	chain := testpki.New(t, testpki.Options{})
	tsa := newTSA(t, now.Add(-time.Minute), testpki.Options{})
	latest := now.Add(-time.Minute).Add(time.Second) // its accuracy is one second
	const stores2 = `, "trustStores": ["ca:test", "signingAuthority:a", "tsa:t"], "trustedIdentities": ["*"]`
	for _, tt := range []struct {
		name, verification string
		env                []byte
		want               []time.Time // of the signer, of the authority
	}{
		{"time stamp", strictly, stamped(t, chain, tsa, envelope.Request{}), []time.Time{latest, latest}},
		{"time stamp not looked at", afterExpiry, stamped(t, chain, tsa, envelope.Request{}), []time.Time{{}}},
		{"time stamp missing, logged", `"level": "permissive"`, seal(t, chain, envelope.Request{Target: target(), SigningTime: now.Add(-time.Minute)}), []time.Time{{}}},
		{"signing authority, before its certificate", `"level": "permissive"`, rawAuthority(t, chain, time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)), []time.Time{{}}},
		{"signing authority", strictly, seal(t, chain, envelope.Request{Target: target(), Scheme: envelope.SchemeSigningAuthority, SigningTime: now.Add(-time.Minute)}), []time.Time{now.Add(-time.Minute)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan revocation.Evidence, 3)
			v := &notation.Verifier{
				Policy: statement(t, `"signatureVerification": {`+tt.verification+`}`+stores2),
				Stores: stores(map[string][]*x509.Certificate{"ca:test": {chain.Root()}, "signingAuthority:a": {chain.Root()}, "tsa:t": {tsa.Root()}}),
				Revocation: checker(func(c []*x509.Certificate, e revocation.Evidence) []revocation.Result {
					if c[0].Equal(tsa.Leaf()) {
						e.Authentic = e.Authentic.Add(time.Hour) // tell it from the other
					}
					if e.Independent != (tt.name == "time stamp" && c[0].Equal(chain.Leaf())) {
						t.Errorf("independent %t of %s", e.Independent, c[0].Subject)
					}
					asked <- e
					return []revocation.Result{good, good}
				}),
				Evidence: revocation.Evidence{OCSP: [][]byte{{1}}, CRLs: [][]byte{{2}}, Authentic: now.AddDate(-9, 0, 0), Independent: true},
				Cache:    modeCache(),
			}
			if _, err := decide(t, v, tt.env); err != nil {
				t.Fatal(err)
			}
			close(asked)
			var got []time.Time
			for e := range asked {
				if len(e.OCSP) != 1 || len(e.CRLs) != 1 {
					t.Errorf("evidence %v", e)
				}
				got = append(got, e.Authentic)
			}
			if len(got) == 2 && got[0].After(got[1]) {
				got[0], got[1] = got[1], got[0]
			}
			if len(got) != len(tt.want) || !got[0].Equal(tt.want[0]) || len(got) == 2 && !got[1].Equal(tt.want[1].Add(time.Hour)) {
				t.Errorf("asked by %v, want %v", got, tt.want)
			}
		})
	}
}

// A time-stamping authority that was revoked vouches for nothing.
//
// attack: TSP-05
func TestAuthorityRevoked(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	tsa := newTSA(t, time.Now(), testpki.Options{})
	env := stamped(t, chain, tsa, envelope.Request{})
	for _, tt := range []struct {
		name   string
		tsa    [2]revocation.Result
		want   notation.Outcome
		reason reason.Code
	}{
		{"good", [2]revocation.Result{good, good}, notation.Passed, ""},
		{"revoked", [2]revocation.Result{revoked, good}, notation.Failed, reason.RevocationRevoked},
		{"its issuer revoked", [2]revocation.Result{good, revoked}, notation.Failed, reason.RevocationRevoked},
		{"nobody answers", [2]revocation.Result{unavailable, good}, notation.Undecided, reason.RevocationUnavailable},
		{"nobody to ask", [2]revocation.Result{noSource, good}, notation.Skipped, reason.VerifyRevocationNoSource},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := stampVerifier(t, strictly, chain, tsa.Chain)
			v.Revocation = checker(func(c []*x509.Certificate, _ revocation.Evidence) []revocation.Result {
				if c[0].Equal(tsa.Leaf()) {
					return tt.tsa[:]
				}
				return []revocation.Result{good, good}
			})
			verdict, err := decide(t, v, env)
			f := finding(t, verdict.Signatures[0].Findings, notation.CheckRevocation)
			if f.Outcome != tt.want || f.Reason != tt.reason || (err == nil) != (tt.want == notation.Passed || tt.want == notation.Skipped) {
				t.Errorf("%v: %+v", err, f)
			}
		})
	}
}

// A verifier that is given no checker asks for itself.
func TestLiveRevocation(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, tt := range []struct {
		name   string
		status []byte
		down   bool
		now    func() time.Time
		want   notation.Outcome
	}{
		{"good", testpki.OCSPGood(), false, nil, notation.Passed},
		{"good, with a clock", testpki.OCSPGood(), false, time.Now, notation.Passed},
		{"revoked", testpki.OCSPRevoked(now.Add(-time.Hour), 1), false, nil, notation.Failed},
		{"good, with a clock that is late", testpki.OCSPGood(), false, func() time.Time { return now.Add(3 * time.Hour) }, notation.Undecided},
		{"down", nil, true, time.Now, notation.Undecided},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var chain atomic.Pointer[testpki.Chain]
			address, requests := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tt.down {
					http.Error(w, "down", http.StatusServiceUnavailable)
					return
				}
				testpki.OCSPHandler(func(serial, _ []byte) []byte {
					c := chain.Load()
					i := 0
					if new(big.Int).SetBytes(serial).Cmp(c.Certs[1].SerialNumber) == 0 {
						i = 1
					}
					o := testpki.NewOCSP(c.Certs[i], c.Certs[i+1], now.Add(-time.Minute))
					o.Singles[0].Status = tt.status
					return o.Sign(t, c.Keys[i+1])
				}).ServeHTTP(w, r)
			}))
			chain.Store(testpki.New(t, testpki.Options{Modify: func(i int, c *x509.Certificate) {
				if i < 2 {
					c.OCSPServer = []string{address}
				}
			}}))
			v := verifierFor(t, chain.Load())
			v.Now = tt.now
			verdict, err := decide(t, v, seal(t, chain.Load(), envelope.Request{Target: target()}))
			f := finding(t, verdict.Signatures[0].Findings, notation.CheckRevocation)
			if f.Outcome != tt.want || (err == nil) != (tt.want == notation.Passed) || requests.Load() == 0 {
				t.Errorf("%v: %+v after %d requests", err, f, requests.Load())
			}
		})
	}
}

// An operation that is interrupted while it asks has not decided.
func TestRevocationInterrupted(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	v := verifierFor(t, chain)
	v.Revocation = checker(func([]*x509.Certificate, revocation.Evidence) []revocation.Result {
		cancel()
		return []revocation.Result{unavailable, unavailable}
	})
	env := seal(t, chain, envelope.Request{Target: target()})
	verdict, err := v.VerifyEnvelope(ctx, env, envelope.MediaTypeJWS, target(), scope)
	checkRefusal(t, verdict, err, notation.ErrUndecided, reason.VerifyInterrupted)
}

// rawAuthority is an envelope of a signing authority whose certificates were not
// valid at the time for which it vouches: no Signer of ours makes one.
func rawAuthority(t testing.TB, chain *testpki.Chain, at time.Time) []byte {
	t.Helper()
	r := envelope.Request{MediaType: envelope.MediaTypeJWS, Target: target(), Scheme: envelope.SchemeSigningAuthority, SigningTime: at}
	unsigned, err := envelope.New(r, envelope.ECDSASHA256)
	if err != nil {
		t.Fatal(err)
	}
	env, err := unsigned.Seal(rawECDSA(t, chain.Key, unsigned.ToBeSigned()), chain.Certs)
	if err != nil {
		t.Fatal(err)
	}
	return seen(t, chain.Certs, env)
}

// What was learned counts, also if time was up then.
func TestRevokedThoughInterrupted(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	v := verifierFor(t, chain)
	v.Revocation = checker(func([]*x509.Certificate, revocation.Evidence) []revocation.Result {
		cancel()
		return []revocation.Result{unavailable, revoked}
	})
	verdict, err := v.VerifyEnvelope(ctx, seal(t, chain, envelope.Request{Target: target()}), envelope.MediaTypeJWS, target(), scope)
	checkRefusal(t, verdict, err, notation.ErrRejected, reason.RevocationRevoked)
}

// Many signatures by one signer ask once.
func TestRevocationIsAskedOnce(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	repo := newFakeRepo()
	artifact := repo.push("v1", "artifact")
	for range 30 {
		repo.signAs(t, artifact, chain, notation.SignOptions{})
	}
	var asked atomic.Int32
	v := verifierFor(t, chain)
	v.Revocation = checker(func([]*x509.Certificate, revocation.Evidence) []revocation.Result {
		asked.Add(1)
		return []revocation.Result{unavailable, good}
	})
	verdict, err := v.Verify(t.Context(), repo, byDigest(t, artifact))
	checkRefusal(t, verdict, err, notation.ErrUndecided, reason.RevocationUnavailable)
	if asked.Load() != 1 || len(verdict.Signatures) != 30 {
		t.Errorf("asked %d times about %d signatures", asked.Load(), len(verdict.Signatures))
	}
}

// A trust store that cannot be read leaves open whether the root is trusted,
// also where the policy merely logs authenticity.
func TestUnreadableStoreUnderAudit(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	for _, tt := range []struct {
		name, override string
		plugin         string
		want           notation.Outcome
	}{
		{"logged", "", "", notation.Passed},
		{"revocation enforced", `"revocation": "enforce"`, "", notation.Undecided},
		{"plugin demanded", "", "example", notation.Undecided},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := &notation.Verifier{Policy: statement(t, leveled("audit", tt.override, "*")), Stores: trust.NewStores(&diskFS{MapFS: fstest.MapFS{"ca/test/root.crt": {Data: chain.Root().Raw, Mode: 0o644}}, broken: true})}
			verdict, err := decide(t, v, seal(t, chain, envelope.Request{Target: target(), VerificationPlugin: tt.plugin}))
			if verdict.Outcome != tt.want {
				t.Errorf("%s: %v", verdict.Outcome, err)
			}
		})
	}
}

// An authority under a certificate of the signer's own chain is not independent:
// who has stolen that key makes such authorities.
//
// attack: TSP-05
func TestAuthorityOfTheSameIssuer(t *testing.T) {
	t.Parallel()
	now := time.Now()
	chain := testpki.New(t, testpki.Options{})
	own := newTSA(t, now, testpki.Options{})
	own.Chain = &testpki.Chain{Key: chain.Key, Keys: chain.Keys, Certs: chain.Certs}
	leaf := own.IssueTSA(t, own.Key, func(c *x509.Certificate) {
		c.ExtKeyUsage = nil
		c.ExtraExtensions = slices.DeleteFunc(slices.Clone(c.ExtraExtensions), func(e pkix.Extension) bool { return e.Id.String() == "2.5.29.37" })
		c.ExtraExtensions = append(c.ExtraExtensions, testpki.EKU(true, testpki.OIDTimeStamping))
	})
	own.Chain = &testpki.Chain{Key: chain.Key, Keys: chain.Keys, Certs: append([]*x509.Certificate{leaf}, chain.Certs[1:]...)}
	for _, tt := range []struct {
		name        string
		tsa         *testpki.TSA
		independent bool
	}{
		{"another's", newTSA(t, now, testpki.Options{}), true},
		{"of the same issuer", own, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := stampVerifier(t, strictly, chain, tt.tsa.Chain)
			v.Revocation = checker(func(c []*x509.Certificate, e revocation.Evidence) []revocation.Result {
				if c[0].Equal(chain.Leaf()) && e.Independent != tt.independent {
					t.Errorf("independent %t", e.Independent)
				}
				return []revocation.Result{good, good}
			})
			if _, err := decide(t, v, stamped(t, chain, tt.tsa, envelope.Request{})); err != nil {
				t.Error(err)
			}
		})
	}
}
