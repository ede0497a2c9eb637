package notation_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"strings"
	"testing"
	"time"
)

// attack: CRT-04
func TestCertificateTimes(t *testing.T) {
	t.Parallel()
	from := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	to, signed := from.Add(24*time.Hour), from.Add(12*time.Hour)
	for position := range 3 {
		chain := testpki.New(t, testpki.Options{NotBefore: from.Add(-time.Hour), NotAfter: to.Add(time.Hour), Modify: func(i int, c *x509.Certificate) {
			if i == position {
				c.NotBefore, c.NotAfter = from, to
			}
		}})
		v := verifierFor(t, chain)
		env := seal(t, chain, envelope.Request{Target: target(), SigningTime: signed})
		for _, tt := range []struct {
			name string
			now  time.Time
			want want
		}{
			{"before", from.Add(-time.Second), want{notation.CheckAuthenticTimestamp, notation.Failed, reason.CertNotYetValid}},
			{"a nanosecond before", from.Add(-1), want{notation.CheckAuthenticTimestamp, notation.Failed, reason.CertNotYetValid}},
			{"at notBefore", from, want{notation.CheckAuthenticTimestamp, notation.Passed, ""}},
			{"between", signed, want{notation.CheckAuthenticTimestamp, notation.Passed, ""}},
			{"at notAfter", to, want{notation.CheckAuthenticTimestamp, notation.Passed, ""}},
			{"after", to.Add(time.Second), want{notation.CheckAuthenticTimestamp, notation.Failed, reason.CertExpired}},
		} {
			t.Run(fmt.Sprint(tt.name, " position ", position), func(t *testing.T) {
				t.Parallel()
				verdict, err := decide(t, at(v, tt.now), env)
				tt.want.compare(t, verdict, err)
				if end := verdict.Signatures[0].CertificateExpiry; !end.Equal(to) || end.Location() != time.UTC {
					t.Errorf("the first certificate ends at %v, want %v", end, to)
				}
				permissive := at(v, tt.now)
				permissive.Policy = policy(t, "permissive", "")
				verdict, err = decide(t, permissive, env)
				if tt.want.outcome == notation.Failed {
					tt.want.outcome = notation.Logged
				}
				tt.want.compare(t, verdict, err)
			})
		}
	}
}

// TestAuthenticSigningTime judges certificates by the time that a signing
// authority vouches for, however long ago.
func TestAuthenticSigningTime(t *testing.T) {
	t.Parallel()
	from := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	chain := testpki.New(t, testpki.Options{NotBefore: from, NotAfter: from.Add(time.Hour)})
	v := &notation.Verifier{
		Policy: policy(t, "strict", `"trustStores": ["signingAuthority:a"], "trustedIdentities": ["*"]`),
		Stores: stores(map[string][]*x509.Certificate{"signingAuthority:a": {chain.Root()}}),
	}
	request := envelope.Request{Target: target(), Scheme: envelope.SchemeSigningAuthority, SigningTime: from.Add(time.Minute)}
	verdict, err := decide(t, v, seal(t, chain, request))
	want{notation.CheckAuthenticTimestamp, notation.Passed, ""}.compare(t, verdict, err)

	request.SigningTime = from.Add(2 * time.Hour)
	verdict, err = decide(t, v, sealAnyTime(t, chain, request))
	want{notation.CheckAuthenticTimestamp, notation.Failed, reason.CertExpired}.compare(t, verdict, err)
}

// sealAnyTime is seal without the signer's check of the signing time.
func sealAnyTime(t testing.TB, chain *testpki.Chain, r envelope.Request) []byte {
	t.Helper()
	r.MediaType = envelope.MediaTypeJWS
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

// rawECDSA signs with P-256 in the form of envelopes.
func rawECDSA(t testing.TB, key crypto.Signer, message []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(message)
	r, s, err := ecdsa.Sign(rand.Reader, key.(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, 64)
	r.FillBytes(raw[:32])
	s.FillBytes(raw[32:])
	return raw
}

// rawJWS signs whatever chain and protected members are given, without any of
// the checks that stand between an honest signer and a bad envelope.
func rawJWS(t testing.TB, key crypto.Signer, chain []*x509.Certificate, extra map[string]any, crit ...string) []byte {
	t.Helper()
	return rawJWSOf(t, target(), key, chain, extra, crit...)
}

func rawJWSOf(t testing.TB, artifact oci.Descriptor, key crypto.Signer, chain []*x509.Certificate, extra map[string]any, crit ...string) []byte {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	protected := map[string]any{
		"alg": "ES256", "cty": envelope.MediaTypePayload,
		"crit":                         append([]string{"io.cncf.notary.signingScheme"}, crit...),
		"io.cncf.notary.signingScheme": "notary.x509",
		"io.cncf.notary.signingTime":   time.Now().UTC().Format("2006-01-02T15:04:05Z"),
	}
	for k, v := range extra {
		protected[k] = v
	}
	p := b64(mustJSON(t, protected))
	payload := b64(mustJSON(t, map[string]any{"targetArtifact": artifact}))
	var der [][]byte
	for _, c := range chain {
		der = append(der, c.Raw)
	}
	return seen(t, chain, mustJSON(t, map[string]any{
		"protected": p, "payload": payload, "header": map[string]any{"x5c": der},
		"signature": b64(rawECDSA(t, key, []byte(p+"."+payload))),
	}))
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// attack: CRT-05
func TestAnchors(t *testing.T) {
	t.Parallel()
	good := testpki.New(t, testpki.Options{})
	alone := testpki.New(t, testpki.Options{Length: 1})
	// The same names and key identifiers, other keys.
	sameIDs := func(i int, c *x509.Certificate) { c.SubjectKeyId = []byte{1, 2, 3, byte(i)} }
	one := testpki.New(t, testpki.Options{Modify: sameIDs})
	two := testpki.New(t, testpki.Options{Modify: sameIDs, KeySet: 1})
	// The root of good, renewed with the same name and key.
	renewed := testpki.New(t, testpki.Options{})

	for _, tt := range []struct {
		name   string
		signer *testpki.Chain
		anchor *x509.Certificate
		want   want
	}{
		{"root", good, good.Root(), want{notation.CheckAuthenticity, notation.Passed, ""}},
		{"self-signed leaf", alone, alone.Leaf(), want{notation.CheckAuthenticity, notation.Passed, ""}},
		{"self-signed leaf not trusted", alone, good.Root(), want{notation.CheckAuthenticity, notation.Failed, reason.VerifyRootUntrusted}},
		{"intermediate as anchor", good, good.Certs[1], want{notation.CheckAuthenticity, notation.Failed, reason.StoreAnchor}},
		{"leaf as anchor", good, good.Leaf(), want{notation.CheckAuthenticity, notation.Failed, reason.StoreAnchor}},
		{"same name and key identifier, other key", one, two.Root(), want{notation.CheckAuthenticity, notation.Failed, reason.VerifyRootUntrusted}},
		{"same name and key, other certificate", good, renewed.Root(), want{notation.CheckAuthenticity, notation.Failed, reason.VerifyRootUntrusted}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := &notation.Verifier{
				Policy: policy(t, "strict", ""), Stores: stores(map[string][]*x509.Certificate{"ca:test": {tt.anchor}}),
				Cache: modeCache(),
			}
			verdict, err := decide(t, v, seal(t, tt.signer, envelope.Request{Target: target()}))
			tt.want.compare(t, verdict, err)
			if strings.HasPrefix(tt.name, "same name") && !strings.Contains(err.Error(), "of that name") {
				t.Errorf("%v does not tell the two apart", err)
			}
		})
	}
}

// attack: CRT-05
func TestCrossSignedLoop(t *testing.T) {
	t.Parallel()
	one := testpki.New(t, testpki.Options{Length: 2})
	two := testpki.New(t, testpki.Options{Length: 2, KeySet: 1, Name: "two"})
	oneByTwo := testpki.Reissue(t, one.Root(), two.Root(), two.Keys[1])
	twoByOne := testpki.Reissue(t, two.Root(), one.Root(), one.Keys[1])
	v := verifierFor(t, one)
	for name, chain := range map[string][]*x509.Certificate{
		"ends in the loop":   {one.Leaf(), oneByTwo, twoByOne},
		"goes round":         {one.Leaf(), oneByTwo, twoByOne, oneByTwo},
		"through it to root": {one.Leaf(), oneByTwo, twoByOne, one.Root()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			verdict, err := decide(t, v, rawJWS(t, one.Key, chain, nil))
			checkRefusal(t, verdict, err, notation.ErrRejected, reason.Of(err))
			if !strings.HasPrefix(string(reason.Of(err)), "cert.chain-") {
				t.Errorf("code %s", reason.Of(err))
			}
		})
	}
}
