package trust_test

import (
	"bytes"
	"encoding/pem"
	"io/fs"
	"path"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/trust"
)

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(goodOCI))
	for _, name := range []string{"case variant", "* beside others", "identity within", "override skip"} {
		f.Add([]byte(refusedPolicies[name].text))
	}
	f.Fuzz(func(t *testing.T, data []byte) { fuzzPolicy(t, trust.OCIPolicy, trust.ParsePolicy, data) })
}

func FuzzBlobPolicy(f *testing.F) {
	f.Add([]byte(goodBlob))
	for _, name := range []string{"two global blob", "global skip", "scopes in blob policy"} {
		f.Add([]byte(refusedPolicies[name].text))
	}
	f.Fuzz(func(t *testing.T, data []byte) { fuzzPolicy(t, trust.BlobPolicy, trust.ParseBlobPolicy, data) })
}

// fuzzPolicy states what holds for every text: a policy that is accepted says
// the same after it was written again and gives each scope one statement; one
// that is refused has documented errors that are safe to print.
func fuzzPolicy(t *testing.T, kind trust.Kind, parse func(string, []byte) (*trust.Policy, error), data []byte) {
	p, err := parse("policy.json", data)
	if (p == nil) == (err == nil) {
		t.Fatalf("%v, %v", p, err)
	}
	if err != nil {
		checkError(t, err)
		if n := len(each(err)); n > trust.MaxProblems+1 {
			t.Errorf("%d problems", n)
		}
		return
	}
	if p.Kind() != kind || len(p.Statements()) == 0 {
		t.Errorf("kind %v, %d statements", p.Kind(), len(p.Statements()))
	}
	text, err := p.Document().Encode(kind)
	if err != nil {
		t.Fatal(err)
	}
	again, err := parse("", text)
	if err != nil {
		t.Fatal(err)
	}
	if twice, err := again.Document().Encode(kind); err != nil || !bytes.Equal(twice, text) {
		t.Errorf("%s\n%s\n%v", text, twice, err)
	}
	for _, s := range p.Statements() {
		checkStatement(t, p, s)
	}
	trust.Lint(p, trust.NewMemoryStores(nil), testTime)
}

func checkStatement(t *testing.T, p *trust.Policy, s *trust.Statement) {
	t.Helper()
	if s.Level() != trust.SkipAll {
		if s.Action(trust.Integrity) != trust.Enforce {
			t.Error("integrity is not enforced")
		}
		if len(s.Stores(trust.CA, trust.SigningAuthority)) == 0 || len(s.Identities()) == 0 {
			t.Error("no store or no identity")
		}
	}
	if p.Kind() == trust.BlobPolicy {
		if got, err := p.ForBlob(s.Name()); got != s || err != nil {
			t.Errorf("%v, %v", got, err)
		}
		return
	}
	for _, scope := range s.Scopes() {
		if scope == "*" {
			scope = "" // which no statement names
		}
		if got, err := p.ForRepository(scope); got != s || err != nil {
			t.Errorf("%q: %v, %v", scope, got, err)
		}
	}
}

// FuzzCertificates compares with encoding/pem, which may read less than there
// is, but nothing else.
func FuzzCertificates(f *testing.F) {
	chain := testpki.New(f, testpki.Options{})
	f.Add(chain.CertPEM())
	f.Add(chain.Root().Raw)
	f.Add(chain.KeyPEM())
	f.Add(slicesConcat("text\n", string(chain.CertPEM()), "-----END CERTIFICATE-----"))
	f.Fuzz(func(t *testing.T, data []byte) {
		certs, err := trust.ParseCertificates(data)
		if (len(certs) == 0) == (err == nil) {
			t.Fatalf("%d, %v", len(certs), err)
		}
		if err != nil {
			checkError(t, err)
			return
		}
		if len(certs) > trust.MaxCertificatesPerFile {
			t.Errorf("%d certificates", len(certs))
		}
		if bytes.Equal(certs[0].Raw, data) {
			return // DER
		}
		rest := data
		for i := range certs {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil || !bytes.Equal(block.Bytes, certs[i].Raw) {
				t.Fatalf("encoding/pem does not read certificate %d so", i)
			}
		}
		if block, _ := pem.Decode(rest); block != nil {
			t.Error("encoding/pem reads one more")
		}
	})
}

func FuzzStoreRef(f *testing.F) {
	for _, s := range []string{"ca:acme", "signingAuthority:a.b", "tsa:..", "ca:NUL", "ca:a/b", "ca:a."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := trust.ParseStoreRef(s)
		if err != nil {
			checkError(t, err)
			return
		}
		name := path.Join(ref.Type.String(), ref.Name)
		if ref.String() != s || !fs.ValidPath(name) || path.Base(name) != ref.Name || path.Dir(name) != ref.Type.String() {
			t.Errorf("%q is read as %v", s, ref)
		}
	})
}

func FuzzIdentity(f *testing.F) {
	for _, s := range []string{"*", "x509.subject: C=US, ST=WA, O=wabbit-networks.io", `x509.subject:C=US,S=WA,O=\#a\,\20,CN=x+OU=y`, "x509.subject: O=a", "C=US"} {
		f.Add(s)
	}
	leaf := testpki.New(f, testpki.Options{}).Leaf()
	f.Fuzz(func(t *testing.T, s string) {
		id, err := trust.ParseIdentity(s)
		if err != nil {
			checkError(t, err)
			return
		}
		again, err := trust.ParseIdentity(id.String())
		if err != nil {
			if len(id.String()) > trust.MaxIdentityBytes {
				return // escapes take room
			}
			t.Fatalf("%s: %v", id, err)
		}
		if again.String() != id.String() || again.Matches(leaf) != id.Matches(leaf) {
			t.Errorf("%s and %s", id, again)
		}
	})
}
