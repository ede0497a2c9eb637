package keyfile

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

func firstBlock(t *testing.T, text []byte) []byte {
	t.Helper()
	b, _ := pem.Decode(text)
	if b == nil {
		t.Fatalf("no PEM: %s", text)
	}
	return b.Bytes
}

func certs(list ...*x509.Certificate) []*x509.Certificate { return list }

// TestComplete puts chains together, and says what keeps it from doing so.
func TestComplete(t *testing.T) {
	t.Parallel()
	good, other := testpki.New(t, testpki.Options{}), testpki.New(t, testpki.Options{KeySet: 1})
	alone := testpki.New(t, testpki.Options{Length: 1, KeySet: 2})
	older := testpki.New(t, testpki.Options{NotAfter: time.Now().Add(time.Hour)}) // of the same keys
	stamps := testpki.New(t, testpki.Options{TSA: true})
	long := testpki.New(t, testpki.Options{Length: 10})
	l, i, r := good.Certs[0], good.Certs[1], good.Certs[2]
	cross := testpki.Reissue(t, r, other.Root(), other.Keys[2]) // good's root, issued by other's
	for name, tt := range map[string]struct {
		key  *testpki.Chain
		pool Pool
		want []*x509.Certificate
		code reason.Code
		text string
	}{
		"in order":             {good, Pool{Given: good.Certs}, good.Certs, "", ""},
		"out of order":         {good, Pool{Given: certs(r, l, i)}, good.Certs, "", ""},
		"leaf alone":           {good, Pool{Given: certs(l), Intermediates: certs(i), Roots: certs(r)}, good.Certs, "", ""},
		"root among others":    {good, Pool{Given: certs(l), Intermediates: certs(r, i)}, good.Certs, "", ""},
		"intermediate by root": {good, Pool{Given: certs(l, i), Roots: certs(other.Root(), r)}, good.Certs, "", ""},
		"strangers":            {good, Pool{Given: slices.Concat(other.Certs, good.Certs, alone.Certs)}, good.Certs, "", ""},
		"self-signed":          {alone, Pool{Given: alone.Certs}, alone.Certs, "", ""},
		"the later":            {good, Pool{Given: slices.Concat(older.Certs, good.Certs)}, good.Certs, "", ""},
		"ten":                  {long, Pool{Given: long.Certs}, long.Certs, "", ""},
		"cross-signed":         {good, Pool{Given: certs(l), Intermediates: certs(i, cross), Roots: certs(other.Root())}, certs(l, i, cross, other.Root()), "", ""},
		"no certificate":       {good, Pool{}, nil, reason.SignerKeyMismatch, "none of the certificates"},
		"other key":            {other, Pool{Given: good.Certs}, nil, reason.SignerKeyMismatch, "the first is that of"},
		"no intermediate":      {good, Pool{Given: certs(l), Roots: certs(r)}, nil, reason.SignerChain, "the issuer of certificate 1"},
		"no root":              {good, Pool{Given: certs(l, i)}, nil, reason.SignerChain, "the issuer of certificate 2"},
		"same name, other key": {good, Pool{Given: certs(l), Intermediates: certs(other.Certs[1]), Roots: certs(other.Root())}, nil, reason.SignerChain, "the issuer of certificate 1"},
		"other root":           {good, Pool{Given: good.Certs, Roots: certs(alone.Root())}, nil, reason.SignerChain, "none of the roots"},
		"rules":                {stamps, Pool{Given: stamps.Certs}, nil, reason.SignerChain, "cannot be used for signing"},
		"too many":             {good, Pool{Given: slices.Repeat(certs(l), maxPool+1)}, nil, reason.SignerCertificates, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Complete(tt.key.Key.Public(), tt.pool)
			if reason.Of(err) != tt.code || err != nil && (!strings.Contains(err.Error(), tt.text) || reason.Hint(err) == "") {
				t.Fatalf("error %v, want the code %q and %q", err, tt.code, tt.text)
			}
			if !slices.EqualFunc(got, tt.want, (*x509.Certificate).Equal) {
				t.Errorf("a chain of %d certificates, want %d", len(got), len(tt.want))
			}
		})
	}
}

// TestCompleteBounds counts the signatures that are checked, as each takes a
// millisecond or more: of certificates that are named like the issuer and are
// not, and of a root that breaks a rule and is found in many ways.
//
// attack: KEY-03
func TestCompleteBounds(t *testing.T) {
	t.Parallel()
	good := testpki.New(t, testpki.Options{Length: 5})
	pool := slices.Clone(good.Certs[:4]) // the root is missing
	for n := range 4 {
		for k := range 4 { // good ways, of which there are 4 by 4 by 4
			twin := *good.Certs[n]
			twin.NotAfter = twin.NotAfter.Add(time.Duration(k+1) * time.Minute)
			pool = append(pool, testpki.Reissue(t, &twin, good.Certs[n+1], good.Keys[n+1]))
			stranger := *good.Certs[n+1] // the name of the issuer, and another key
			stranger.PublicKey = good.Key.Public()
			for len(pool)%50 != 0 {
				pool = append(pool, testpki.Reissue(t, &stranger, good.Certs[4], good.Keys[4]))
			}
		}
	}
	s := &search{issuers: pool, steps: maxSteps}
	if s.from(pool[:1]) || s.steps >= 0 {
		t.Errorf("%d steps are left", s.steps)
	}
	s = &search{issuers: good.Certs, roots: certs(good.Certs[1]), steps: maxSteps}
	if s.from(good.Certs[:1]) || s.steps > maxSteps-2*len(good.Certs) {
		t.Errorf("%d steps are left, and a chain was judged", s.steps)
	}
	// A key that takes seconds is not verified with.
	huge := *good.Certs[1]
	huge.PublicKey = &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2*maxIssuerBits), E: 1<<31 - 1}
	s = &search{steps: 1}
	if s.signed(&huge, good.Certs[0]) || s.steps != 1 {
		t.Error("a signature was checked with a key beyond the bound")
	}
}

// TestCompleteEnds tries no more than so many ways, however alike names are.
//
// attack: KEY-03
func TestCompleteEnds(t *testing.T) {
	t.Parallel()
	good := testpki.New(t, testpki.Options{Length: 9, NotAfter: time.Now().Add(48 * time.Hour)})
	var pool []*x509.Certificate
	for n := range 8 { // each issuer many times, but for the root
		pool = append(pool, good.Certs[n])
		for k := range 4 {
			if n > 0 {
				twin := *good.Certs[n]
				twin.NotAfter = twin.NotAfter.Add(time.Duration(k+1) * time.Minute)
				pool = append(pool, testpki.Reissue(t, &twin, good.Certs[n+1], good.Keys[n+1]))
			}
		}
	}
	_, err := Complete(good.Key.Public(), Pool{Given: pool})
	if reason.Of(err) != reason.SignerChain || !strings.Contains(err.Error(), "so many certificates") {
		t.Error(err)
	}
}
