package cli_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
)

// pemOf returns certificates in PEM.
func pemOf(certs ...*x509.Certificate) string {
	return string((&testpki.Chain{Certs: certs}).CertPEM())
}

// words returns a JSON array of strings.
func words(v any) []string {
	list, _ := v.([]any)
	out := []string{}
	for _, w := range list {
		out = append(out, fmt.Sprint(w))
	}
	return out
}

// rulesOf returns the rules that the faults of a file name, each with what it
// makes impossible: "rule: signing timestamping".
func rulesOf(file any) []string {
	var out []string
	add := func(faults any) {
		list, _ := faults.([]any)
		for _, f := range list {
			out = append(out, fmt.Sprint(at(f, "rule"), ": ", strings.Join(words(at(f, "for")), " ")))
		}
	}
	certs, _ := at(file, "certificates").([]any)
	for _, c := range certs {
		add(at(c, "faults"))
	}
	add(at(file, "chain", "faults"))
	return out
}

// content returns what is in a DER element.
func content(t *testing.T, der []byte) []byte {
	t.Helper()
	var v asn1.RawValue
	if _, err := asn1.Unmarshal(der, &v); err != nil {
		t.Fatal(err)
	}
	return v.Bytes
}

// TestCertLint says of files for what they can be used, and why not.
//
// attack: CRT-01
// attack: CRT-02
// attack: CRT-03
// attack: CRT-04
func TestCertLint(t *testing.T) {
	t.Parallel()
	good := testpki.New(t, testpki.Options{Name: "acme"})
	stamps := testpki.New(t, testpki.Options{Name: "stamps", TSA: true})
	own := testpki.New(t, testpki.Options{Name: "own", Length: 1})
	other := testpki.New(t, testpki.Options{Name: "other", KeySet: 1})
	old := testpki.New(t, testpki.Options{Name: "old", NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour)})
	early := testpki.New(t, testpki.Options{Name: "early", NotBefore: time.Now().Add(24 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour)})
	server := testpki.New(t, testpki.Options{Name: "server", Modify: func(i int, c *x509.Certificate) {
		if i == 0 {
			c.ExtKeyUsage, c.KeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment
		}
	}})
	looseCA := testpki.New(t, testpki.Options{Name: "loose", Modify: func(i int, c *x509.Certificate) {
		if i == 2 {
			c.KeyUsage = 0
		}
	}})
	weakKey := testpki.WeakKey(t, "rsa-1024")
	weak := testpki.Issue(t, other.Root(), other.Root(), weakKey.Public(), other.Keys[2])
	const all = "signing timestamping ca signingAuthority tsa"
	for name, tt := range map[string]struct {
		file   string
		usable string
		rules  []string // some of them
		none   bool     // and no other but that of anchors
	}{
		"root":               {pemOf(good.Root()), "ca signingAuthority tsa", []string{"leaf-not-ca: signing timestamping"}, true},
		"root in DER":        {string(good.Root().Raw), "ca signingAuthority tsa", nil, false},
		"roots":              {pemOf(good.Root(), other.Root()), "ca signingAuthority tsa", nil, false},
		"signing chain":      {pemOf(good.Certs...), "signing", []string{"anchor: ca signingAuthority tsa", "tsa-extended-key-usage-alone: timestamping"}, false},
		"stamping chain":     {pemOf(stamps.Certs...), "timestamping", []string{"leaf-extended-key-usage: signing"}, false},
		"leaf alone":         {pemOf(good.Leaf()), "signing", nil, false},
		"intermediate alone": {pemOf(good.Certs[1]), "", []string{"leaf-not-ca: signing timestamping", "anchor: ca signingAuthority tsa"}, true},
		"self-signed leaf":   {pemOf(own.Certs...), "signing ca signingAuthority", []string{"anchor: tsa"}, false},
		"wrong order":        {pemOf(good.Certs[1], good.Certs[0], good.Certs[2]), "", []string{"chain-order: signing timestamping", "leaf-not-ca: signing timestamping"}, false},
		"no root":            {pemOf(good.Certs[:2]...), "", []string{"chain-complete: signing timestamping"}, false},
		"stranger":           {pemOf(append(slices.Clone(good.Certs), other.Root())...), "", []string{"chain-order: signing timestamping"}, false},
		"too long":           {strings.Repeat(pemOf(good.Leaf()), 11), "", []string{"chain-length: signing timestamping"}, false},
		"expired":            {pemOf(old.Certs...), "", []string{"validity: signing timestamping"}, false},
		"expired root":       {pemOf(old.Root()), "ca signingAuthority tsa", []string{"validity: signing timestamping"}, false},
		"not valid yet":      {pemOf(early.Certs...), "", []string{"validity: signing timestamping"}, false},
		"TLS":                {pemOf(server.Certs...), "", []string{"leaf-extended-key-usage: signing", "leaf-key-usage-forbidden: signing timestamping"}, false},
		"root without usage": {pemOf(looseCA.Root()), "", []string{"ca-key-usage-present: " + all}, false},
		"extra member":       {string(testpki.DER(0x30, content(t, good.Root().Raw), []byte{5, 0})), "", []string{"encoding: " + all}, false},
		"weak key":           {pemOf(weak), "", []string{"key-size: " + all}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			file := u.write("file.crt", tt.file)
			code := 0
			if tt.usable == "" {
				code = 2
			}
			doc := u.run("cert", "lint", "-ojson", file).want(code).json()
			if got := strings.Join(words(at(doc, "files", 0, "usableFor")), " "); got != tt.usable {
				t.Errorf("usable for %q, want %q: %v", got, tt.usable, rulesOf(at(doc, "files", 0)))
			}
			rules := rulesOf(at(doc, "files", 0))
			for _, want := range tt.rules {
				if !slices.Contains(rules, want) {
					t.Errorf("%s is missing in %q", want, rules)
				}
			}
			if tt.none && len(rules) != len(tt.rules) {
				t.Errorf("more than %q: %q", tt.rules, rules)
			}
			// Asked about one purpose, the exit code is about that one.
			for purpose, word := range map[string]string{"signing": "signing", "timestamping": "timestamping", "anchor": "ca"} {
				want := 2
				if slices.Contains(strings.Fields(tt.usable), word) {
					want = 0
				}
				u.run("cert", "lint", "--for", purpose, file).want(want)
			}
			text := u.run("cert", "lint", file)
			for _, rule := range tt.rules {
				id, _, _ := strings.Cut(rule, ":")
				if !strings.Contains(text.stdout, id) {
					t.Errorf("%s is missing in\n%s", id, text.stdout)
				}
			}
			if got := snapshot(t, u.home); strings.Count(got, "\n") != 1 {
				t.Errorf("something was written:\n%s", got)
			}
		})
	}
}

// TestCertLintWarnings are about what does not make a certificate unusable.
func TestCertLintWarnings(t *testing.T) {
	t.Parallel()
	long := time.Now().Add(100 * 366 * 24 * time.Hour)
	chain := func(o testpki.Options) string { return pemOf(testpki.New(t, o).Certs...) }
	for name, tt := range map[string]struct {
		text    string
		want    []string
		without []string
	}{
		"soon":           {chain(testpki.Options{}), []string{"doctor.expires-soon", "in 23 hours", "doctor.no-revocation-source"}, []string{"doctor.long-validity", "doctor.incomplete-subject"}},
		"long":           {chain(testpki.Options{NotAfter: long}), []string{"doctor.long-validity", "longer than the"}, []string{"doctor.expires-soon"}},
		"long stamping":  {chain(testpki.Options{TSA: true, NotAfter: time.Now().Add(12 * 366 * 24 * time.Hour)}), []string{"doctor.long-validity"}, nil},
		"usual stamping": {chain(testpki.Options{TSA: true, NotAfter: time.Now().Add(9 * 365 * 24 * time.Hour)}), nil, []string{"doctor.long-validity"}},
		"subject": {chain(testpki.Options{Modify: func(i int, c *x509.Certificate) {
			if i == 0 {
				c.Subject = pkix.Name{CommonName: "nobody", Country: []string{"US"}}
			}
		}}), []string{"doctor.incomplete-subject", "without ST, O"}, nil},
		"sources": {chain(testpki.Options{Modify: func(i int, c *x509.Certificate) {
			c.OCSPServer, c.CRLDistributionPoints = []string{"http://ocsp.example"}, []string{"http://crl.example"}
		}}), nil, []string{"doctor.no-revocation-source"}},
		"leaf alone": {pemOf(testpki.New(t, testpki.Options{}).Leaf()), []string{"doctor.incomplete-chain"}, nil},
		"expired root": {pemOf(testpki.New(t, testpki.Options{NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Minute)}).Root()),
			[]string{"cert.expired", "vouches only for"}, []string{"doctor.expires-soon"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			r := u.ok("cert", "lint", u.write("x.crt", tt.text)).want(0, tt.want...)
			for _, text := range tt.without {
				if strings.Contains(r.stdout, text) {
					t.Errorf("%s in\n%s", text, r.stdout)
				}
			}
		})
	}
}

// TestCertLintHostile reads files that are none, too large, or made to confuse.
//
// attack: CRT-02
// attack: FS-01
func TestCertLintHostile(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	dir := t.TempDir()
	good := u.write("good.crt", pemOf(testpki.New(t, testpki.Options{}).Root()))
	for name, plant := range specialFiles() {
		path := filepath.Join(dir, name+".crt")
		if err := plant(path); err != nil {
			t.Fatal(err)
		}
		u.run("cert", "lint", path, good).want(2, path, "good.crt: usable for trust stores")
	}
	named := testpki.New(t, testpki.Options{Name: "evil\x1b[2J\u202e"})
	trailing := testpki.New(t, testpki.Options{}).Root()
	rawTail := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: append(slices.Clone(trailing.Raw), 0)})
	for name, tt := range map[string]struct{ text, want string }{
		"empty":      {"", "empty"},
		"text":       {"hello", "no certificate"},
		"too large":  {strings.Repeat("x", 1<<20+1), "longer than"},
		"key":        {string(named.KeyPEM()), "private key"},
		"truncated":  {pemOf(named.Root())[:200], "no end"},
		"many":       {strings.Repeat(pemOf(named.Root()), 501), "than 500"},
		"trailing":   {string(rawTail), "trailing data"},
		"directions": {pemOf(named.Certs...), "x"},
	} {
		r := u.run("cert", "lint", u.write("x.crt", tt.text))
		if tt.want != "x" {
			r.want(2, tt.want)
		}
		if strings.ContainsAny(r.stdout+r.stderr, "\x1b\u202e") {
			t.Errorf("%s: %q", name, r.stdout)
		}
	}
}

// TestCertShow explains a certificate, also one that does not belong there.
func TestCertShow(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	c := testpki.New(t, testpki.Options{Name: "acme", Algorithm: "rsa-3072", Modify: func(_ int, c *x509.Certificate) {
		c.OCSPServer, c.CRLDistributionPoints = []string{"http://ocsp.example"}, []string{"http://crl.example/a.crl"}
		c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 2, 3}}
	}})
	u.ok("cert", "add", "--name", "acme", u.write("root.crt", pemOf(c.Root())))
	u.ok("cert", "show", "-t", "ca", "-s", "acme", "root.crt").want(0, "RSA, 3072 bits", "keyCertSign, cRLSign", "1.2.3", "http://ocsp.example", "http://crl.example/a.crl",
		"(itself)", "yes, in stores of type ca", "SHA-256 of public key", "(in 23 hours)")
	store := u.path("truststore", "x509", "ca", "acme")
	write := func(name string, certs ...*x509.Certificate) {
		if err := os.WriteFile(filepath.Join(store, name), []byte(pemOf(certs...)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("leaf.crt", c.Leaf())
	u.run("cert", "list").want(2, "is no root")
	doc := u.ok("certificate", "show", "-ojson", "-n", "acme", "leaf.crt").json()
	if at(doc, "certificates", 0, "anchor") != false || at(doc, "certificates", 0, "anchorFaults", 0, "rule") != "anchor" || at(doc, "certificates", 0, "extendedKeyUsage", 0) != "codeSigning" {
		t.Errorf("%v", doc)
	}
	u.ok("cert", "show", "-n", "acme", "leaf.crt").want(0, "no, not in stores of type ca", "anchor: is no root", "digitalSignature")
	now := time.Now()
	u.env.Now = func() time.Time { return now.Add(48 * time.Hour) }
	u.ok("cert", "show", "-n", "acme", "leaf.crt").want(0, "(expired)")
	u.env.Now = func() time.Time { return now.Add(-48 * time.Hour) }
	u.ok("cert", "show", "-n", "acme", "leaf.crt").want(0, "(not valid yet)")
	u.env.Now = nil
	ed := testpki.New(t, testpki.Options{Name: "ec", Length: 1})
	write("two.crt", ed.Root(), c.Root())
	u.ok("cert", "show", "-n", "acme", "two.crt").want(0, "EC, P-256", "\n\nsubject", "none named")
	write("bad.crt")
	u.run("cert", "show", "-n", "acme", "bad.crt").wantError(2, "bad.crt", "empty")
	u.run("cert", "show", "-n", "acme", "none.crt").wantError(2, "has no certificate file")
	if err := os.Symlink("root.crt", filepath.Join(store, "link.crt")); err != nil {
		t.Fatal(err)
	}
	u.run("cert", "show", "-n", "acme", "link.crt").wantError(2, "link.crt")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"cert", "show", "--name", ""}, "acme\n"},
		{[]string{"cert", "add", "--store", ""}, "acme\n"},
		{[]string{"cert", "list", "--type", "tsa", "--store", ""}, ":"},
		{[]string{"cert", "list", "--type", "none", "--store", ""}, ":"},
		{[]string{"cert", "delete", "--name", "acme", ""}, "bad.crt\nleaf.crt\nlink.crt\n"},
		{[]string{"cert", "delete", ""}, ":"},
		{[]string{"cert", "delete", "--name", "../x", ""}, ":"},
	} {
		if got := u.ok(append([]string{"__complete"}, tt.args...)...).stdout; !strings.HasPrefix(got, tt.want) {
			t.Errorf("%v: %q", tt.args, got)
		}
	}
}

// TestCertAddWarns of a root under which no chain will pass.
func TestCertAddWarns(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	loose := testpki.New(t, testpki.Options{Modify: func(i int, c *x509.Certificate) {
		if i == 2 {
			c.KeyUsage = 0
		}
	}})
	u.ok("cert", "add", "--name", "loose", u.write("loose.crt", pemOf(loose.Root()))).want(0, "Warning: ", "cannot vouch for any signature, as it is an issuer and has no keyUsage")
	early := testpki.New(t, testpki.Options{NotBefore: time.Now().Add(time.Hour)})
	if r := u.ok("cert", "add", "--name", "early", u.write("early.crt", pemOf(early.Root()))).want(0, "is not valid before"); strings.Contains(r.stderr, "vouch") {
		t.Errorf("%s", r.stderr)
	}
	u.run("cert", "add", "--name", "weak", u.write("weak.crt", pemOf(testpki.Issue(t, loose.Root(), loose.Root(), testpki.WeakKey(t, "rsa-1024").Public(), loose.Keys[2])))).
		wantError(2, "cannot vouch for signatures", "less than 2048")
}

// TestLinkedStores are no stores, and are not passed over in silence.
//
// attack: FS-01
func TestLinkedStores(t *testing.T) {
	t.Parallel()
	elsewhere := t.TempDir()
	if err := os.WriteFile(filepath.Join(elsewhere, "root.crt"), []byte(pemOf(testpki.New(t, testpki.Options{}).Root())), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ link, to string }{
		"store":         {"truststore/x509/ca/linked", elsewhere},
		"dangling":      {"truststore/x509/ca/linked", elsewhere + "/nowhere"},
		"of a type":     {"truststore/x509/ca", elsewhere},
		"all, dangling": {"truststore/x509", elsewhere + "/nowhere"},
		"top, dangling": {"truststore", elsewhere + "/nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			link := u.path(tt.link)
			if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o700), os.Symlink(tt.to, link)); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, u.home)
			u.run("cert", "list").wantError(2, "symbolic link")
			u.run("doctor").want(2, "symbolic link")
			if after := snapshot(t, u.home); after != before {
				t.Errorf("changed to\n%s", after)
			}
		})
	}
	// Beside a good store, which is listed.
	u := newUser(t)
	u.ok("cert", "add", "-n", "good", filepath.Join(elsewhere, "root.crt"))
	if err := os.Symlink(elsewhere, u.path("truststore", "x509", "ca", "linked")); err != nil {
		t.Fatal(err)
	}
	u.run("cert", "list").want(2, "good", "rust store ca:linked", "symbolic link")
	u.ok("cert", "list", "--store", "good")
	u.run("cert", "delete", "-y", "-a", "-n", "linked").wantError(2)
}
