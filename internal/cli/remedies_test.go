package cli_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/revocation"
)

// TestOneTimeForAll has --timeout bound what all files of a command take, and
// says so when it has passed.
func TestOneTimeForAll(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	var asked atomic.Int64
	end := make(chan struct{})
	hang := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
		<-end
	}))
	defer hang.Close()
	defer close(end)
	acme := u.newSigner("acme", testpki.Options{Modify: func(position int, c *x509.Certificate) {
		if position == 0 {
			c.OCSPServer = []string{hang.URL}
		}
	}})
	one, two, three := u.write("one", "1"), u.write("two", "2"), u.write("three", "3")
	u.ok("blob", "sign", "-k", "acme", one, two, three)
	var tries int64
	inTime(t, func(timeout time.Duration) bool {
		tries++
		r := u.run("blob", "verify", "--timeout", timeout.String(), "--revocation-timeout", "1h", "--ca-cert", acme.root, one, two, three).want(3)
		for line := range strings.Lines(r.stderr) {
			if strings.HasPrefix(line, "Error: ") && !strings.Contains(line, timeIsUp(timeout)) {
				t.Errorf("%s", line)
			}
		}
		if strings.Count(r.stderr, "Error: ") != 3 || strings.Count(r.stderr, "Hint: ") != 1 || !strings.Contains(r.stderr, "Hint: Allow more time with --timeout") {
			t.Errorf("%s", r.stderr)
		}
		return asked.Load() > 0 // or it was up before anybody was asked
	})
	if n := asked.Load(); n > tries {
		t.Errorf("the responder was asked %d times in %d runs: each file has a time of its own", n, tries)
	}
	tsa := u.newAuthority(testpki.Options{KeySet: 1})
	u.run("blob", "sign", "-k", "acme", "--force", "--timeout", "50ms", "--timestamp-url", hang.URL, "--timestamp-root-cert", tsa.root, one).
		wantError(3, "he time that --timeout allows, 50ms, was up", "Allow more time with --timeout")
	for _, args := range [][]string{{"verify", "--ca-cert", acme.root}, {"list"}, {"sign", "-k", "acme"}} {
		host := strings.TrimPrefix(hang.URL, "http://")
		u.run(append(args, "--timeout", "50ms", host+"/a:v1")...).want(3, "he time that --timeout allows, 50ms, was up", "Allow more time with --timeout")
	}
}

// TestEmptyValues refuses flags that a script gives without a value, as if they
// were not there.
func TestEmptyValues(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	file := u.write("file", "content")
	acme := u.newSigner("acme", testpki.Options{})
	for line, flag := range map[string]string{
		"verify --policy= --trust-store= r/a:v1":                   "--policy",
		"verify --trust-store= --ca-cert " + acme.root + " r/a:v1": "--trust-store",
		"verify --ca-cert= r/a:v1":                                 "--ca-cert",
		"verify --ca-cert " + acme.root + " --identity= r/a:v1":    "--identity",
		"verify --ca-cert " + acme.root + " --tsa-cert= r/a:v1":    "--tsa-cert",
		"verify --oci-layout --scope= ./x:v1":                      "--scope",
		"verify --from-file= r/a:v1":                               "--from-file",
		"blob verify --media-type= FILE":                           "--media-type",
		"blob verify --policy-name= FILE":                          "--policy-name",
		"blob verify --signature= FILE":                            "--signature",
		"blob sign --signature-directory= FILE":                    "--signature-directory",
		"blob sign --key= FILE":                                    "--key",
		"sign --key= r/a:v1":                                       "--key",
		"sign --user-metadata= r/a:v1":                             "--user-metadata",
		"sign --timestamp-root-cert= r/a:v1":                       "--timestamp-root-cert",
		"policy show --policy=":                                    "--policy",
		"cert add --name= " + acme.root:                            "--name",
		"plugin install --sha256sum= x":                            "--sha256sum",
		"list --ca-file= r/a:v1":                                   "--ca-file",
	} {
		u.run(strings.Fields(strings.ReplaceAll(line, "FILE", file))...).wantError(2, "Flag '"+flag+"' has an empty value", "leave it out")
	}
	u.ok("blob", "sign", "-k", "acme", "--timestamp-url=", file)
}

// TestSecretsAreNotShown keeps values for plugins and the keys of time-stamping
// authorities from every output.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	tsa := u.newAuthority(testpki.Options{KeySet: 1})
	const down = "127.0.0.1:1"
	dir, digest := u.layout("artifact")
	file := u.write("file", "content")
	stamp := []string{"--timestamp-root-cert", tsa.root, file}
	for _, args := range [][]string{
		{"sign", "--plugin", "x", "--id", "y", "--plugin-config", "token hunter2", "r/a:v1"},
		{"verify", "--ca-cert", tsa.root, "--plugin-config", "hunter2", "r/a:v1"},
		append([]string{"blob", "sign", "-k", "acme", "--force", "--timestamp-url", "http://user:hunter2@" + tsa.url[len("http://"):] + "/?apikey=hunter2"}, stamp...),
		append([]string{"blob", "sign", "-k", "acme", "--force", "--timestamp-url", "http://user:hunter2@" + down + "/x?apikey=hunter2", "--timestamp-url", tsa.url + "/?q=hunter2&x=y"}, append([]string{"--timestamp-root-cert", acme.root}, file)...),
		{"sign", "-k", "acme", "--oci-layout", "--timestamp-url", "http://" + down + "/?apikey=hunter2", "--timestamp-root-cert", tsa.root, dir + "@" + digest},
		append([]string{"blob", "sign", "-k", "acme", "--timestamp-url", "ftp://user:hunter2@tsa/?apikey=hunter2"}, stamp...),
		append([]string{"blob", "sign", "-k", "acme", "--timestamp-url", "tsa?apikey=hunter2"}, stamp...),
		append([]string{"blob", "sign", "-k", "acme", "--timestamp-url", "user:hunter2@tsa"}, stamp...),
	} {
		for _, more := range [][]string{nil, {"-d"}, {"-ojson"}} {
			if r := u.run(append(more, args...)...); strings.Contains(r.stdout+r.stderr, "hunter2") {
				t.Errorf("%v: %s %s", r.args, r.stdout, r.stderr)
			}
		}
	}
}

// TestNamesStayAsTheyAre capitalises no name of a file.
func TestNamesStayAsTheyAre(t *testing.T) { //nolint:paralleltest // it is about names without a directory
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	t.Chdir(u.home)
	for _, name := range []string{"empty", "my file", "bare"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u.ok("blob", "sign", "-k", "acme", "empty", "my file")
	other := newUser(t).newSigner("other", testpki.Options{KeySet: 1})
	u.run("blob", "verify", "--ca-cert", other.root, "empty").want(1, "Error: 'empty': rejected by trust policy: ")
	u.run("blob", "verify", "--ca-cert", other.root, "my file").want(1, "Error: 'my file': rejected by trust policy: ")
	u.run("blob", "verify", "--ca-cert", acme.root, "bare").want(4, "Error: 'bare': artifact is not signed: ")
	u.run("blob", "verify", "--ca-cert", acme.root, "nofile", "empty").want(2, `Error: 'nofile': file "nofile" could not be read`)
	audit := u.blobPolicy("audit", "ca:acme", "x509.subject: C=US, ST=WA, O=x", true)
	u.run("blob", "verify", "--policy", audit, "--trust-store", u.stores(acme), "empty").want(0, "Warning: 'empty' passed although")
}

// TestRemedies gives a remedy that is one.
func TestRemedies(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme, other := u.newSigner("acme", testpki.Options{}), newUser(t).newSigner("other", testpki.Options{KeySet: 1})
	tsa := u.newAuthority(testpki.Options{KeySet: 2})
	dir := t.TempDir()
	file, empty := u.write("file", "content"), u.write("empty", "")
	u.ok("blob", "sign", "-k", "acme", file)
	link := filepath.Join(dir, "link.jws.sig")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), link); err != nil {
		t.Fatal(err)
	}
	cut := u.write("cut.cose.sig", "\xd2\x84")
	asked := tsa.asked.Load()
	for _, tt := range []struct {
		args  []string
		texts []string
	}{
		{[]string{"blob", "sign", "-k", "acme", "--force", "-s", link, file}, []string{"which is a symbolic link", "remove it"}},
		{[]string{"blob", "sign", "-k", "acme", "-s", link, file}, []string{"which is a symbolic link", "remove it"}},
		{[]string{"blob", "sign", "-k", "acme", "--timestamp-url", tsa.url, "--timestamp-root-cert", tsa.root, "-s", filepath.Join(dir, "none", "x.jws.sig"), file},
			[]string{"there is no directory", filepath.Join(dir, "none"), "make it"}},
		{[]string{"blob", "sign", "-k", "acme", "-s", filepath.Join(file, "x.jws.sig"), file}, []string{"--signature"}},
		{[]string{"blob", "sign", "-k", "acme", "--timestamp-url", tsa.url, "--timestamp-url", "tsa", "--timestamp-root-cert", tsa.root, "--force", file},
			[]string{`"tsa" is no http or https address`, "http://timestamp"}},
		{[]string{"plugin", "install", "http://example.com/x.zip"}, []string{"by https only", "https://"}},
		{[]string{"plugin", "install", "--url", "x.zip"}, []string{"by https only"}},
		{[]string{"plugin", "install", u.write("notation-bad", "no program")}, []string{"nothing was installed", "maker of the plugin"}},
		{[]string{"blob", "inspect", dir}, []string{"directory", "name a file"}},
		{[]string{"blob", "verify", "--ca-cert", acme.root, "--signature", dir, file}, []string{"directory", "name a file"}},
		{[]string{"blob", "verify", "--ca-cert", dir, file}, []string{"directory", "name a file"}},
		{[]string{"blob", "verify", "--policy", dir, file}, []string{"directory", "name a file"}},
		{[]string{"blob", "policy", "import", dir}, []string{"directory", "name a file"}},
		{[]string{"key", "add", dir, dir}, []string{"directory", "name a file"}},
		{[]string{"cert", "add", "--name", "x", dir}, []string{"directory", "name a file"}},
		{[]string{"blob", "inspect", empty}, []string{"neither JWS nor COSE", "not the signed file"}},
		{[]string{"blob", "inspect", cut}, []string{"no signature that can be read", "damaged"}},
		{[]string{"sign", "-k", "nobody", "r/a:v1"}, []string{`the only key is "acme"`}},
	} {
		r := u.run(tt.args...).want(2)
		for _, text := range tt.texts {
			if !strings.Contains(strings.ToLower(r.stderr), strings.ToLower(text)) {
				t.Errorf("%v: %q is missing in %s", tt.args, text, r.stderr)
			}
		}
		if strings.Contains(strings.ToLower(r.stderr), "replace it by") || strings.Count(r.stderr, "Hint: ") != 1 {
			t.Errorf("%v: %s", tt.args, r.stderr)
		}
	}
	if tsa.asked.Load() != asked {
		t.Error("the authority was asked for a signature that cannot be written")
	}
	u.ok("key", "add", "--name", "second", other.key, other.chain)
	u.run("sign", "-k", "nobody", "r/a:v1").wantError(2, `Known keys are "acme", "second"; 'notation key list'`)

	verify := func(args ...string) result {
		return u.run(append(append([]string{"blob", "verify"}, args...), file)...)
	}
	typed := verify("--ca-cert", acme.root, "--media-type", "text/plain").
		want(1, `the file was signed as "application/octet-stream", and --media-type asks for "text/plain"`, "Hint: Leave --media-type out", "file application/octet-stream, 7 bytes")
	stranger := verify("--ca-cert", other.root).want(1, "is not in a file of --ca-cert", "give its certificate with --ca-cert FILE")
	identity := verify("--ca-cert", acme.root, "--identity", "C=US, ST=WA, O=x").want(1, "not the one of --identity", "give --identity", "as in --identity 'CN=acme,O=acme,ST=WA,C=US'")
	for _, r := range []result{typed, stranger, identity} {
		if strings.Contains(r.stdout+r.stderr, `"command-line"`) || strings.Contains(r.stdout+r.stderr, "another artifact") {
			t.Errorf("%s%s", r.stdout, r.stderr)
		}
	}
	doc := u.run("-ojson", "blob", "verify", "--ca-cert", other.root, file).want(1).json()
	if hint, _ := at(doc, "verdicts", 0, "verdict", "signatures", 0, "findings", 1, "hint").(string); !strings.Contains(hint, "--ca-cert") {
		t.Errorf("%v", doc)
	}
	u.ok("blob", "sign", "-k", "acme", "--signing-authority", "--force", file)
	verify("--ca-cert", acme.root).want(1, "is in a file of --ca-cert, but", "Hint: Use --policy and --trust-store")
	// What is not the made-up policy's is told as it is.
	verify("--policy", u.blobPolicy("strict", "ca:acme", "*", true), "--trust-store", u.stores(acme)).want(1, "in the trust store ca:acme", "of the type signingAuthority that the statement names")
	for _, unused := range []string{"none", "--policy-name"} {
		r := verify("--policy", u.blobPolicy("strict", "ca:acme", "*", false), "--trust-store", u.stores(acme), "--policy-name", unused)
		if r.want(2, "no statement of that name", "such as 'mine'"); strings.Contains(r.stdout, "signature sha256:") {
			t.Errorf("%s", r.stdout)
		}
	}
	if r := verify("--policy", u.blobPolicy("strict", "ca:acme", "*", false), "--trust-store", u.stores(acme)).want(1); strings.Contains(r.stdout, "signature sha256:") {
		t.Errorf("a signature is listed that nobody looked at: %s", r.stdout)
	}
}

// TestSignatureUnderOtherName reads a signature by its content where its name
// tells the other format.
func TestSignatureUnderOtherName(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	file := u.write("file", "content")
	for _, names := range [][2]string{{"jws", "cose"}, {"cose", "jws"}} {
		u.ok("blob", "sign", "-k", "acme", "--signature-format", names[0], file)
		renamed := file + "." + names[1] + ".sig"
		if err := os.Rename(file+"."+names[0]+".sig", renamed); err != nil {
			t.Fatal(err)
		}
		u.ok("blob", "verify", "--ca-cert", acme.root, file).want(0, "Successfully verified")
		u.ok("blob", "inspect", renamed).want(0, "integrity: passed")
		if err := os.Remove(renamed); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPluginWithoutHome says that no directory of plugins is known.
func TestPluginWithoutHome(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the directory has other variables there")
	}
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	u.ok("plugin", "install", examplePlugin(t, 2))
	dir, digest := u.layout("staged")
	ref := dir + "@" + digest
	u.ok(append(append([]string{"sign", "--oci-layout", "--plugin", "example-plugin", "--id", "x", "--plugin-config", "stage=prod"}, acme.pluginConfig()...), ref)...)
	verify := []string{"verify", "--oci-layout", "--ca-cert", acme.root, "--plugin-config", "stage=prod", ref}
	u.ok(verify...)
	u.vars = map[string]string{}
	if r := u.run(verify...); r.code == 0 || !strings.Contains(r.stderr, "Hint: The directory of the plugins is not known; set $NOTATION_LIBEXEC") {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
}

// TestUncheckedIsExplained says why a check was not made, unless the policy
// says so.
func TestUncheckedIsExplained(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	file := u.write("file", "content")
	u.ok("blob", "sign", "-k", "acme", file)
	u.ok("blob", "verify", "--ca-cert", acme.root, file).want(0, "not checked", "  revocation: not checked: ", "name neither an OCSP responder nor a CRL [verify.revocation-no-source]\n")
	skip := u.write("p.json", `{"version":"1.0","trustPolicies":[{"name":"mine","globalPolicy":true,
		"signatureVerification":{"level":"strict","override":{"revocation":"skip"}},"trustStores":["ca:acme"],"trustedIdentities":["*"]}]}`)
	if r := u.ok("blob", "verify", "--policy", skip, "--trust-store", u.stores(acme), file); strings.Contains(r.stdout, "revocation: ") {
		t.Errorf("%s", r.stdout)
	}
	if err := os.WriteFile(file, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := strings.Replace(u.read(file+".jws.sig"), `"signature":"`, `"signature":"AAAA`, 1)
	r := u.run("blob", "verify", "--ca-cert", acme.root, "-s", u.write("broken.jws.sig", broken), file).want(1)
	if strings.Count(r.stdout, "[verify.not-reached]") != 1 || !strings.Contains(r.stdout, "  authenticity, authenticTimestamp, expiry, revocation: not checked, as") {
		t.Errorf("%s", r.stdout)
	}
}

// TestTSACert verifies what was stamped in time, and asks for no stamp of what
// needs none.
func TestTSACert(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	tsa, foreign := u.newAuthority(testpki.Options{KeySet: 1}), u.newAuthority(testpki.Options{KeySet: 2, Name: "foreign"})
	stamped, bare := u.write("stamped", "1"), u.write("bare", "2")
	u.ok("blob", "sign", "-k", "acme", "--timestamp-url", tsa.url, "--timestamp-root-cert", tsa.root, stamped)
	u.ok("blob", "sign", "-k", "acme", bare)
	later := *u
	later.env.Now = func() time.Time { return time.Now().Add(100 * 24 * time.Hour) }
	verify := func(who *user, args ...string) result {
		return who.run(append([]string{"blob", "verify", "--ca-cert", acme.root}, args...)...)
	}
	verify(u, "--tsa-cert", tsa.root, stamped, bare).want(0)
	verify(u, "--tsa-cert", foreign.root, stamped, bare).want(0) // nothing has expired
	verify(&later, "--tsa-cert", foreign.root, "--tsa-cert", tsa.root, stamped).want(0, "time stamp: ", "trust store tsa:command-line")
	verify(&later, stamped).want(1, "expired", "with --tsa-cert FILE")
	verify(&later, "--tsa-cert", foreign.root, stamped).want(1, "Hint: If this authority is to be trusted, give its root certificate with --tsa-cert FILE.")
	verify(&later, "--tsa-cert", tsa.root, bare).want(1, "Hint: Have it signed again, with a time stamp.")
	u.run("blob", "verify", "--tsa-cert", tsa.root, bare).wantError(2, "--tsa-cert needs --ca-cert")
	verify(u, "--tsa-cert", acme.chain, bare).want(2)
}

// TestRevocationEvidence goes by answers that were carried along, and trusts
// them no more than fetched ones.
func TestRevocationEvidence(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	chain := testpki.New(t, testpki.Options{Name: "acme", Length: 2, Modify: func(position int, c *x509.Certificate) {
		if position == 0 {
			c.OCSPServer, c.CRLDistributionPoints = []string{"http://127.0.0.1:1/"}, []string{"http://127.0.0.1:1/crl"}
		}
	}})
	u.ok("key", "add", "--name", "acme", u.write("k.pem", string(chain.KeyPEM())), u.write("c.pem", string(chain.CertPEM())))
	root := u.write("root.crt", string((&testpki.Chain{Certs: chain.Certs[1:]}).CertPEM()))
	file := u.write("file", "content")
	u.ok("blob", "sign", "-k", "acme", file)
	at := time.Now().Add(-time.Minute)
	answer := testpki.NewOCSP(chain.Certs[0], chain.Certs[1], at)
	good := answer.Sign(t, chain.Keys[1])
	forged := answer.Sign(t, chain.Keys[0])
	answer.Singles[0].Status = testpki.OCSPRevoked(at.Add(-time.Minute), 1)
	revoked := answer.Sign(t, chain.Keys[1])
	list := testpki.NewCRL(chain.Certs[1], 1, at)
	crl := list.Sign(t, chain.Keys[1])
	foreign := list.Sign(t, chain.Keys[0])
	list.Entries = [][]byte{testpki.CRLEntry(chain.Certs[0].SerialNumber, at.Add(-time.Minute), 1)}
	bad := list.Sign(t, chain.Keys[1])
	inPEM := func(der []byte) string { return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})) }
	inDER := func(der []byte) string { return string(der) }
	var many strings.Builder
	for i := range revocation.MaxEvidence + 1 {
		many.WriteString(inPEM(testpki.DER(0x30, testpki.DER(0x30, []byte{byte(i), byte(i >> 8)}))))
	}
	for name, tt := range map[string]struct {
		evidence []string
		code     int
		text     string
	}{
		"none":            {nil, 3, "[revocation.unavailable]"},
		"good":            {[]string{inDER(good)}, 0, "Successfully"},
		"revoked":         {[]string{inDER(revoked)}, 1, "[revocation.revoked]"},
		"forged":          {[]string{inDER(forged)}, 3, "[revocation."},
		"list":            {[]string{inDER(crl)}, 0, "Successfully"},
		"list in PEM":     {[]string{inPEM(crl)}, 0, "Successfully"},
		"two in PEM":      {[]string{inPEM(foreign) + "\n" + inPEM(bad)}, 1, "[revocation.revoked]"},
		"listed":          {[]string{inDER(bad)}, 1, "[revocation.revoked]"},
		"several":         {[]string{inDER(forged), inDER(good)}, 0, "Successfully"},
		"empty":           {[]string{""}, 2, "holds no answer about revocation"},
		"no answer":       {[]string{"\x30\x03\x02\x01\x01"}, 2, "holds no answer about revocation"},
		"nothing in it":   {[]string{"\x30\x00"}, 2, "holds no answer about revocation"},
		"more behind it":  {[]string{inDER(good) + "x"}, 2, "holds no answer about revocation"},
		"certificate":     {[]string{string(chain.CertPEM())}, 2, "holds no answer about revocation"},
		"text behind PEM": {[]string{inPEM(crl) + "text"}, 2, "holds no answer about revocation"},
		"broken PEM":      {[]string{"-----BEGIN X509 CRL-----\n"}, 2, "holds no answer about revocation"},
		"PEM of no list":  {[]string{inPEM([]byte("x"))}, 2, "holds no answer about revocation"},
		"long":            {[]string{"\x30\x83\x01\x00\x03\x0a" + strings.Repeat("\x00", 65538)}, 2, "longer than 65536 bytes"},
		"too many":        {[]string{many.String()}, 2, "ore than 1000 answers"},
		"too many in all": {[]string{many.String()[:many.Len()/1001*1000], inDER(crl)}, 2, "ore than 1000 answers"},
		"again and again": {[]string{strings.Repeat(inPEM(crl), 40)}, 0, "Successfully"},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"blob", "verify", "--offline", "--ca-cert", root}
			for _, e := range tt.evidence {
				args = append(args, "--revocation-evidence", u.write("evidence", e))
			}
			u.run(append(args, file)...).want(tt.code, tt.text)
		})
	}
	u.run("blob", "verify", "--ca-cert", root, "--revocation-evidence", t.TempDir(), file).wantError(2, "Name a file")
}

// TestPrivateRedirects lets redirects lead to private addresses only where the
// settings say so.
//
// attack: REV-05
func TestPrivateRedirects(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	var chain *testpki.Chain
	responder, _ := u.newResponder(func() *testpki.Chain { return chain })
	redirect := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, responder+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	}))
	defer redirect.Close()
	chain = testpki.New(t, testpki.Options{Name: "acme", Length: 2, Modify: func(position int, c *x509.Certificate) {
		if position == 0 {
			c.OCSPServer = []string{redirect.URL}
		}
	}})
	u.ok("key", "add", "--name", "acme", u.write("k.pem", string(chain.KeyPEM())), u.write("c.pem", string(chain.CertPEM())))
	root := u.write("root.crt", string((&testpki.Chain{Certs: chain.Certs[1:]}).CertPEM()))
	file := u.write("file", "content")
	u.ok("blob", "sign", "-k", "acme", file)
	for _, tt := range []struct {
		settings string
		code     int
	}{{`{}`, 3}, {`{"revocationPrivateRedirects":false}`, 3}, {`{"revocationPrivateRedirects":"yes"}`, 3}, {`{"revocationPrivateRedirects":true}`, 0}} {
		if err := os.WriteFile(u.path("config.json"), []byte(tt.settings), 0o600); err != nil {
			t.Fatal(err)
		}
		u.run("blob", "verify", "--ca-cert", root, file).want(tt.code)
	}
}

// TestExplainTimestamps shows when a statement asks for a time stamp.
func TestExplainTimestamps(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	for _, tt := range []struct{ verification, stores, text, word string }{
		{`"level":"strict"`, `"ca:a"`, "not looked at, as no trust store of type tsa is named", "always"},
		{`"level":"strict"`, `"ca:a","tsa:t"`, "looked at always", "always"},
		{`"level":"strict","verifyTimestamp":"afterCertExpiry"`, `"ca:a","tsa:t"`, "looked at once a certificate has expired", "afterCertExpiry"},
	} {
		for _, kind := range []struct {
			scope string
			args  []string
		}{{`"registryScopes":["*"]`, []string{"policy", "explain", "r.example/x"}}, {`"globalPolicy":true`, []string{"blob", "policy", "explain"}}} {
			policy := u.write("p.json", `{"version":"1.0","trustPolicies":[{"name":"s",`+kind.scope+`,"signatureVerification":{`+tt.verification+`},"trustStores":[`+tt.stores+`],"trustedIdentities":["*"]}]}`)
			args := append(kind.args, "--policy", policy)
			u.ok(args...).want(0, tt.text)
			if got := at(u.ok(append(args, "-ojson")...).json(), "statements", 0, "verifyTimestamp"); got != tt.word {
				t.Errorf("%v: %v", args, got)
			}
		}
	}
}
