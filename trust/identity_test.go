package trust_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

// leafOf returns a self-signed certificate with that subject.
func leafOf(t testing.TB, subject pkix.Name) *x509.Certificate {
	t.Helper()
	return testpki.New(t, testpki.Options{Length: 1, Modify: func(_ int, c *x509.Certificate) { c.Subject = subject }}).Leaf()
}

// badNameLeaf returns a certificate whose subject is no well-formed name. Only
// the field that identities look at is set.
func badNameLeaf() *x509.Certificate { return &x509.Certificate{RawSubject: []byte{0x30, 0x05}} }

func TestIdentityMatches(t *testing.T) {
	t.Parallel()
	wabbit := pkix.Name{Country: []string{"US"}, Province: []string{"WA"}, Organization: []string{"wabbit-networks.io"}, CommonName: "images"}
	commaInCN := pkix.Name{Country: []string{"US"}, Province: []string{"WA"}, Organization: []string{"evil"}, CommonName: "x,O=wabbit-networks.io"}
	twoO := wabbit
	twoO.Organization = []string{"wabbit-networks.io", "evil"}
	comma := wabbit
	comma.Organization = []string{"Wabbit, Inc."}
	extra := wabbit
	extra.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 15}, Value: "Private Organization"}}
	for name, tt := range map[string]struct {
		identity string
		subject  pkix.Name
		want     bool
	}{
		"any":                {"*", pkix.Name{}, true},
		"whole":              {"x509.subject: C=US, ST=WA, O=wabbit-networks.io, CN=images", wabbit, true},
		"part":               {"x509.subject: C=US, ST=WA, O=wabbit-networks.io", wabbit, true},
		"no space":           {"x509.subject:C=US,ST=WA,O=wabbit-networks.io", wabbit, true},
		"other order":        {"x509.subject: O=wabbit-networks.io, C=US, ST=WA", wabbit, true},
		"S for ST":           {"x509.subject: C=US, S=WA, O=wabbit-networks.io", wabbit, true},
		"escaped comma":      {`x509.subject: C=US, ST=WA, O=Wabbit\, Inc.`, comma, true},
		"more attributes":    {"x509.subject: C=US, ST=WA, O=wabbit-networks.io", extra, true},
		"other O":            {"x509.subject: C=US, ST=WA, O=wabbit", wabbit, false},
		"other case":         {"x509.subject: C=US, ST=WA, O=Wabbit-Networks.io", wabbit, false},
		"more than it has":   {"x509.subject: C=US, ST=WA, O=wabbit-networks.io, OU=x", wabbit, false},
		"O inside CN":        {"x509.subject: C=US, ST=WA, O=wabbit-networks.io", commaInCN, false},
		"repeated O":         {"x509.subject: C=US, ST=WA, O=wabbit-networks.io", twoO, false},
		"look-alike":         {"x509.subject: C=US, ST=WA, O=wаbbit-networks.io", wabbit, false}, // a Cyrillic letter
		"no subject at all":  {"x509.subject: C=US, ST=WA, O=wabbit-networks.io", pkix.Name{}, false},
		"empty organisation": {"x509.subject: C=US, ST=WA, O=wabbit-networks.io", pkix.Name{Country: []string{"US"}, Province: []string{"WA"}}, false},
	} {
		// attack: CRT-06
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, err := trust.ParseIdentity(tt.identity)
			if err != nil {
				t.Fatal(err)
			}
			leaf := leafOf(t, tt.subject)
			if got := id.Matches(leaf); got != tt.want {
				t.Errorf("Matches = %v", got)
			}
			p := mustPolicy(t, trust.OCIPolicy, statement(func(s *trust.StatementDocument) { s.TrustedIdentities = []string{tt.identity} }))
			matched, ok, err := p.Statements()[0].MatchIdentity(leaf)
			if err != nil || ok != tt.want || ok && matched.String() != id.String() {
				t.Errorf("MatchIdentity = %v, %v, %v", matched, ok, err)
			}
			again, err := trust.ParseIdentity(id.String())
			if err != nil || again.Matches(leaf) != tt.want {
				t.Errorf("%s does not mean the same: %v", id, err)
			}
		})
	}
}

func TestMatchIdentity(t *testing.T) {
	t.Parallel()
	of := func(identities ...string) *trust.Statement {
		return mustPolicy(t, trust.OCIPolicy, statement(func(s *trust.StatementDocument) { s.TrustedIdentities = identities })).Statements()[0]
	}
	anyone := of("*")
	two := of("x509.subject: C=US, ST=WA, O=one", "x509.subject: C=US, ST=WA, O=two")
	leaf := leafOf(t, pkix.Name{Country: []string{"US"}, Province: []string{"WA"}, Organization: []string{"two"}})
	if id, ok, err := two.MatchIdentity(leaf); !ok || err != nil || !strings.Contains(id.String(), "two") {
		t.Errorf("%v, %v, %v", id, ok, err)
	}
	for _, s := range []*trust.Statement{anyone, two} {
		if _, ok, err := s.MatchIdentity(nil); ok || err != nil {
			t.Errorf("no certificate: %v, %v", ok, err)
		}
	}
	if _, ok, err := anyone.MatchIdentity(badNameLeaf()); !ok || err != nil {
		t.Errorf("* and a bad name: %v, %v", ok, err)
	}
	_, ok, err := two.MatchIdentity(badNameLeaf())
	wantCode(t, err, reason.PolicyIdentity)
	if ok || two.Identities()[0].Matches(badNameLeaf()) || two.Identities()[0].Matches(nil) || anyone.Identities()[0].Matches(nil) {
		t.Error("a match")
	}
}

func TestParseStoreRef(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"ca:a", "signingAuthority:acme-rockets.io", "tsa:A_b-c.9", "ca:-", "ca:.hidden", "ca:console", "ca:COM", "ca:COM10", "ca:nul2", "ca:" + strings.Repeat("a", trust.MaxNameBytes)} {
		ref, err := trust.ParseStoreRef(s)
		if err != nil || ref.String() != s {
			t.Errorf("%q: %v, %v", s, ref, err)
		}
	}
	for _, s := range []string{
		"", "a", ":", "ca", "ca:", ":a", "CA:a", "Ca:a", "root:a", " ca:a", "ca :a", "ca: a", "ca:a ", "ca:a:b",
		"ca:.", "ca:..", "ca:...", "ca:a.", "ca:/", "ca:/etc", "ca:a/b", `ca:a\b`, "ca:../a", "ca:a\x00", "ca:a\n", "ca:é", "ca:a*",
		"ca:~", "ca:CON", "ca:con", "ca:nul.pem", "ca:aux", "ca:PRN", "ca:com1", "ca:LPT9.x", "ca:lpt0", "ca:a\u202eb",
		"signingauthority:a", "tsa:" + strings.Repeat("a", trust.MaxNameBytes+1), strings.Repeat("ca:", 1<<20),
	} {
		// attack: FS-02
		ref, err := trust.ParseStoreRef(s)
		if err == nil || ref != (trust.StoreRef{}) {
			t.Errorf("%q is read as %v", s, ref)
		}
		wantCode(t, err, reason.StoreName)
	}
}

func TestShow(t *testing.T) {
	t.Parallel()
	long := trust.Show(strings.Repeat("é", 1000))
	if len(long) > 200 || !strings.HasSuffix(long, `é"...`) {
		t.Errorf("%s", long)
	}
	if got := trust.Show("a\x1b\u202e\xff"); got != `"a\x1b\u202e\xff"` {
		t.Errorf("%s", got)
	}
	if got := trust.Show(strings.Repeat("\xbf", 1000)); len(got) > 1000 {
		t.Errorf("%s", got)
	}
}
