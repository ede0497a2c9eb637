package token

import (
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/pin"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/softhsm"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// now is the time at which the certificates of package testpki are valid.
func now(testing.TB) time.Time { return time.Now() }

// TestChainBounds checks so many signatures for all chains of a token and no more,
// however many certificates on it are named alike, and none with a key that takes
// seconds.
//
// attack: KEY-03
func TestChainBounds(t *testing.T) {
	t.Parallel()
	good := testpki.New(t, testpki.Options{Length: 4})
	from := slices.Clone(good.Certs[:3])
	stranger := *good.Certs[2]
	stranger.PublicKey = good.Key.Public() // which has signed none of the others
	for len(from) < maxCerts {
		from = append(from, testpki.Reissue(t, &stranger, good.Certs[3], good.Keys[3]))
		if len(from)%5 == 0 {
			from = append(from, testpki.Reissue(t, good.Certs[1], good.Certs[2], good.Keys[2]))
		}
	}
	checks := maxChecks
	_, err := chainWithin(&checks, good.Key.Public(), from, now(t))
	refuses(t, err, reason.TokenCertificateChain, "so many certificates")
	if checks != 0 {
		t.Errorf("%d checks are left", checks)
	}
	_, err = chainWithin(&checks, good.Key.Public(), good.Certs, now(t))
	refuses(t, err, reason.TokenCertificateChain)
	huge := *good.Certs[1]
	huge.PublicKey = &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2*maxIssuerBits), E: 1<<31 - 1}
	checks = 1
	if (&climber{checks: &checks}).signed(&huge, good.Certs[0], false) || checks != 1 {
		t.Error("a signature was checked with a key beyond the bound")
	}
}

func TestChain(t *testing.T) {
	t.Parallel()
	at := now(t)
	good := testpki.New(t, testpki.Options{})
	other := testpki.New(t, testpki.Options{KeySet: 1})
	self := testpki.New(t, testpki.Options{Length: 1})
	old := testpki.Issue(t, &x509.Certificate{
		SerialNumber: good.Leaf().SerialNumber, Subject: good.Leaf().Subject, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: at.Add(-48 * time.Hour), NotAfter: at.Add(-24 * time.Hour),
	}, good.Certs[1], good.Key.Public(), good.Keys[1])
	crossed := testpki.Reissue(t, good.Root(), other.Root(), other.Keys[2])
	server := testpki.New(t, testpki.Options{Modify: func(position int, c *x509.Certificate) {
		if position == 0 {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}
	}})
	reversed := slices.Clone(good.Certs)
	slices.Reverse(reversed)
	for name, c := range map[string]struct {
		from []*x509.Certificate
		want []*x509.Certificate
		code reason.Code
	}{
		"in order":          {good.Certs, good.Certs, ""},
		"reversed":          {reversed, good.Certs, ""},
		"among others":      {certsOf(other, good), good.Certs, ""},
		"renewed":           {append([]*x509.Certificate{old}, good.Certs...), good.Certs, ""},
		"renewed, appended": {append(slices.Clone(good.Certs), old), good.Certs, ""},
		"cross-signed":      {append([]*x509.Certificate{crossed}, good.Certs...), nil, ""},
		"crossed, no root":  {[]*x509.Certificate{good.Certs[0], good.Certs[1], crossed}, nil, reason.TokenCertificateChain},
		"no root":           {good.Certs[:2], nil, reason.TokenCertificateChain},
		"another key's":     {other.Certs, nil, reason.TokenCertificateMissing},
		"none":              {nil, nil, reason.TokenCertificateMissing},
		"for a server":      {server.Certs, nil, reason.TokenCertificateChain},
	} {
		got, err := Chain(good.Key.Public(), c.from, at)
		if c.code != "" {
			refuses(t, err, c.code)
			continue
		}
		if err != nil || c.want != nil && !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got, err := Chain(self.Key.Public(), self.Certs, at); err != nil || len(got) != 1 {
		t.Errorf("self-signed: %v", err)
	}
	expired, err := Chain(good.Key.Public(), append([]*x509.Certificate{old}, good.Certs[1:]...), at)
	if err != nil || expired[0] != old {
		t.Errorf("the only one is taken, and judged by others: %v", err)
	}
	long := testpki.New(t, testpki.Options{Length: 11})
	if _, err := Chain(long.Key.Public(), long.Certs, at); reason.Of(err) != reason.TokenCertificateChain {
		t.Errorf("too long: %v", err)
	}
}

func TestReadCertificates(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	file := filepath.Join(t.TempDir(), "file")
	for name, c := range map[string]struct {
		data []byte
		want int
	}{
		"a chain":        {chain.CertPEM(), 3},
		"text around":    {append([]byte("subject=x\n"), chain.CertPEM()...), 3},
		"a key":          {chain.KeyPEM(), 0},
		"nothing":        {nil, 0},
		"no certificate": {[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0},
		"too much":       {make([]byte, maxCertFile+1), 0},
	} {
		if err := os.WriteFile(file, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadCertificates(file)
		if len(got) != c.want || (err == nil) != (c.want > 0) || err != nil && reason.Of(err) != reason.TokenCertificateFile {
			t.Errorf("%s: %d, %v", name, len(got), err)
		}
	}
	if _, err := ReadCertificates(file + "-gone"); reason.Of(err) != reason.TokenCertificateFile {
		t.Errorf("%v", err)
	}
}

// TestPrivateCertificates are seen after a login only.
func TestPrivateCertificates(t *testing.T) {
	t.Parallel()
	m, meddling := load(t)
	token := softhsm.New(t, "private certs")
	chain := testpki.New(t, testpki.Options{})
	token.Put(t, softhsm.Object{ID: 1, PrivateCerts: true}, chain.Key, chain.Certs...)
	const id = "pkcs11:token=private%20certs"
	k, err := open(t, m, id, pin.Source{})
	if err != nil {
		t.Fatal(err)
	}
	if certs, err := k.Certificates(t.Context()); err != nil || len(certs) != 0 {
		t.Errorf("%d, %v", len(certs), err)
	}
	if k, err = open(t, m, id, withPIN(softhsm.PIN)); err != nil {
		t.Fatal(err)
	}
	if certs, err := k.Certificates(t.Context()); err != nil || len(certs) != 3 {
		t.Errorf("%d, %v", len(certs), err)
	}
	if k, err = open(t, m, id, pin.Source{Env: "1"}); err != nil {
		t.Fatal(err)
	}
	k.t.Close()
	meddling.attributes = func(kind uint, value []byte) []byte { return make([]byte, maxAttribute+1) }
	certs, err := k.Certificates(t.Context())
	if err == nil || len(certs) > 0 {
		t.Errorf("%d, %v", len(certs), err)
	}
	meddling.set("FindObjects", errPad)
	if _, err := k.Certificates(t.Context()); reason.Of(err) != reason.TokenFailed {
		t.Errorf("%v", err)
	}
}
