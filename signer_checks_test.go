package notation_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// attack: CRT-04
func TestFutureAuthenticTime(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	now := time.Now().Truncate(time.Second)
	for name, tt := range map[string]struct {
		scheme  envelope.Scheme
		signed  time.Time
		outcome notation.Outcome
		code    reason.Code
	}{
		"now":                   {envelope.SchemeSigningAuthority, now, notation.Passed, ""},
		"in a second":           {envelope.SchemeSigningAuthority, now.Add(time.Second), notation.Failed, reason.VerifyFutureTime},
		"tomorrow":              {envelope.SchemeSigningAuthority, now.Add(20 * time.Hour), notation.Failed, reason.VerifyFutureTime},
		"nobody vouches for it": {envelope.SchemeX509, now.Add(20 * time.Hour), notation.Passed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := []*x509.Certificate{chain.Root()}
			v := at(verifierFor(t, chain), now)
			v.Policy = policy(t, "strict", `"trustStores": ["ca:a", "signingAuthority:b"], "trustedIdentities": ["*"]`)
			v.Stores = stores(map[string][]*x509.Certificate{"ca:a": root, "signingAuthority:b": root})
			verdict, err := decide(t, v, seal(t, chain, envelope.Request{Target: target(), Scheme: tt.scheme, SigningTime: tt.signed}))
			want{notation.CheckAuthenticTimestamp, tt.outcome, tt.code}.compare(t, verdict, err)
		})
	}
}

// TestAfterCertExpiry looks at time stamps from the second after the end of
// any certificate of the chain.
func TestAfterCertExpiry(t *testing.T) {
	t.Parallel()
	end := time.Now().Truncate(time.Second).Add(time.Hour)
	for position, name := range []string{"leaf", "intermediate", "root"} {
		chain := testpki.New(t, testpki.Options{Modify: func(i int, c *x509.Certificate) {
			if i == position {
				c.NotAfter = end
			}
		}})
		tsa := testpki.New(t, testpki.Options{Name: "tsa", KeySet: 1})
		env := seal(t, chain, envelope.Request{Target: target()})
		for _, tt := range []struct {
			now     time.Time
			outcome notation.Outcome
			code    reason.Code
		}{
			{end.Add(-time.Second), notation.Passed, ""},
			{end, notation.Passed, ""},
			{end.Add(999 * time.Millisecond), notation.Passed, ""},
			{end.Add(time.Second), notation.Failed, reason.VerifyTimestampMissing},
		} {
			t.Run(fmt.Sprint(name, " ", tt.now.Sub(end)), func(t *testing.T) {
				t.Parallel()
				v := at(verifierFor(t, chain), tt.now)
				v.Stores = stores(map[string][]*x509.Certificate{"ca:test": {chain.Root()}, "tsa:t": {tsa.Root()}})
				v.Policy = statement(t, `"signatureVerification": {"level": "strict", "verifyTimestamp": "afterCertExpiry"},
					"trustStores": ["ca:test", "tsa:t"], "trustedIdentities": ["*"]`)
				verdict, err := decide(t, v, env)
				want{notation.CheckAuthenticTimestamp, tt.outcome, tt.code}.compare(t, verdict, err)
			})
		}
	}
}

func TestStoreTypeOfUnknownScheme(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	st, err := verifierFor(t, chain).Policy.ForRepository(scope)
	if err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []envelope.Scheme{0, 99} {
		if refs := st.Stores(notation.StoreTypeFor(scheme)); len(refs) != 0 {
			t.Errorf("the scheme %d is judged by %v", scheme, refs)
		}
	}
}

// TestIdentityHint does not tell of a long subject what it has not looked at.
func TestIdentityHint(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		modify  func(*x509.Certificate)
		has, no string
	}{
		"long":    {func(c *x509.Certificate) { c.Subject.OrganizationalUnit = units(12) }, "with C, ST, O and more", "Ask the signer"},
		"longish": {func(c *x509.Certificate) { c.Subject.OrganizationalUnit = units(4) }, `to the statement`, "Ask the signer"},
		"no ST":   {func(c *x509.Certificate) { c.Subject.Province = nil }, "whose subject has ST,", "C"},
		"no ST, O": {func(c *x509.Certificate) { c.Subject.Province, c.Subject.Organization = nil, nil },
			"whose subject has ST, O,", "add"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chain := testpki.New(t, testpki.Options{Modify: func(i int, c *x509.Certificate) {
				if i == 0 {
					tt.modify(c)
				}
			}})
			v := verifierFor(t, chain)
			v.Policy = policy(t, "strict", `"trustStores": ["ca:test"], "trustedIdentities": ["x509.subject: C=US, ST=WA, O=acme"]`)
			_, err := decide(t, v, seal(t, chain, envelope.Request{Target: target()}))
			if hint := reason.Hint(err); !strings.Contains(hint, tt.has) || strings.Contains(hint, tt.no) || strings.Contains(hint, "…") {
				t.Errorf("hint %q", hint)
			}
			if name == "longish" {
				checkHint(t, v, chain, reason.Hint(err))
			}
		})
	}
}

func units(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%02d %s", i, strings.Repeat("u", 55)))
	}
	return all
}

// TestMetadataOfStrangers is kept while it is small.
//
// attack: REG-03
func TestMetadataOfStrangers(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	stranger := testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1})
	for _, level := range []string{"strict", "audit"} {
		for _, tt := range []struct {
			signer *testpki.Chain
			bytes  int
			kept   bool
		}{
			{chain, 700 << 10, true}, {stranger, 16 << 10, true}, {stranger, 16<<10 + 1, false}, {stranger, 700 << 10, false},
		} {
			d := target()
			d.Annotations = map[string]string{"key": strings.Repeat("x", tt.bytes-len("key"))}
			v := verifierFor(t, chain)
			v.Policy = policy(t, level, "")
			v.Metadata = d.Annotations
			verdict, _ := decide(t, v, seal(t, tt.signer, envelope.Request{Target: d}))
			s := verdict.Signatures[0]
			if got := len(s.Metadata) == 1; got != tt.kept {
				t.Errorf("%s, %d bytes: kept %t", level, tt.bytes, got)
			}
			if f := finding(t, s.Findings, notation.CheckMetadata); f.Outcome != notation.Passed {
				t.Errorf("finding %+v", f)
			}
			if raw, err := json.Marshal(verdict); err != nil || !tt.kept && len(raw) > 8<<10 {
				t.Errorf("%d bytes of JSON, %v", len(raw), err)
			}
		}
	}
}
