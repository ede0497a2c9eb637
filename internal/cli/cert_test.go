package cli_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/internal/testpki"
)

func certificateIn(t *testing.T, text string) *x509.Certificate {
	t.Helper()
	block, rest := pem.Decode([]byte(text))
	if block == nil || len(rest) != 0 {
		t.Fatalf("not one PEM block: %s", text)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestGenerateTest makes keys of all kinds, each of which signs and verifies.
func TestGenerateTest(t *testing.T) {
	t.Parallel()
	now := time.Date(2031, 5, 6, 7, 8, 9, 123, time.UTC)
	for name, tt := range map[string]struct {
		args     []string
		validFor time.Duration
	}{
		"rsa-2048": {nil, 24 * time.Hour},
		"rsa-3072": {[]string{"-b", "3072"}, 24 * time.Hour},
		"rsa-4096": {[]string{"--algorithm", "rsa-4096", "--valid-for", "7d"}, 7 * 24 * time.Hour},
		"ec-256":   {[]string{"--algorithm", "ec-256", "--valid-for", "90m"}, 90 * time.Minute},
		"ec-384":   {[]string{"--algorithm", "ec-384"}, 24 * time.Hour},
		"ec-521":   {[]string{"--algorithm", "ec-521"}, 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			u.env.Now = func() time.Time { return now }
			doc := u.ok(append([]string{"cert", "generate-test", "--default", "-ojson", name}, tt.args...)...).json()
			if at(doc, "algorithm") != name || at(doc, "store") != "ca:"+name || at(doc, "default") != true {
				t.Errorf("%v", doc)
			}
			text := u.read(u.path("certificate", name+".crt"))
			for _, other := range []string{u.path("localkeys", name+".crt"), u.path("truststore", "x509", "ca", name, name+".crt")} {
				if u.read(other) != text {
					t.Errorf("%s differs", other)
				}
			}
			c := certificateIn(t, text)
			if s := c.Subject.String(); s != "CN="+name+",O=Notary,L=Seattle,ST=WA,C=US" {
				t.Errorf("subject %s", s)
			}
			if !c.NotBefore.Equal(now.Truncate(time.Second).Add(-5*time.Minute)) || !c.NotAfter.Equal(now.Truncate(time.Second).Add(tt.validFor)) {
				t.Errorf("valid from %s to %s", c.NotBefore, c.NotAfter)
			}
			if c.SerialNumber.BitLen() != 127 || c.IsCA || c.KeyUsage != x509.KeyUsageDigitalSignature || len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageCodeSigning {
				t.Errorf("%+v", c)
			}
			info, err := os.Stat(u.path("localkeys", name+".key"))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("key: %v, %v", info.Mode(), err)
			}
			dir, digest := u.layout("app")
			for _, format := range []string{"jws", "cose"} {
				u.ok("sign", "--signature-format", format, "--oci-layout", dir+"@"+digest)
			}
			u.ok("cert", "add", "--name", name, u.path("certificate", name+".crt"))
			u.ok("verify", "--oci-layout", dir+"@"+digest)
			u.run("cert", "generate-test", name).wantError(2, "already", "cleanup-test")
			u.run("cert", "generate-test", strings.ToUpper(name)).wantError(2, "already")
		})
	}
}

// TestGenerateTestFails at each step and leaves nothing behind.
//
// attack: FS-04
func TestGenerateTestFails(t *testing.T) {
	t.Parallel()
	for step := 0; ; step++ {
		u := newUser(t)
		n, failed := step, false
		u.env.Files = atomicfile.Writer{Before: func(atomicfile.Op, string) error {
			if n--; n == -1 {
				failed = true
				return syscall.ENOSPC
			}
			return nil
		}}
		r := u.run("cert", "generate-test", "--algorithm", "ec-256", "--default", "acme")
		if !failed {
			r.want(0)
			if step < 20 {
				t.Errorf("only %d steps", step)
			}
			break
		}
		r.wantError(2, "no space left on device")
		for line := range strings.Lines(snapshot(t, u.home)) {
			if strings.Contains(line, "acme") || strings.Contains(line, ".tmp") {
				t.Errorf("step %d leaves %s", step, line)
			}
		}
		u.env.Files = atomicfile.Writer{}
		u.ok("key", "list").want(0, "No keys.")
		u.ok("cert", "generate-test", "--algorithm", "ec-256", "--default", "acme")
	}
}

func TestCertAdd(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme, other := u.newSignerElsewhere("acme"), u.newSignerElsewhere("other")
	u.ok("cert", "add", "--name", "acme", acme.root).want(0, "Added "+acme.root+" to trust store ca:acme as acme-root.crt.", "Wrote a starter trust policy", "notation policy show")
	u.ok("policy", "show").want(0, `"ca:acme"`, `"starter"`)
	before := snapshot(t, u.home)
	u.ok("cert", "add", "--type", "ca", "--store", "acme", acme.root).want(0, "was in trust store ca:acme already.")
	u.ok("certificate", "add", "-t", "ca", "-s", "acme", acme.root)
	if after := snapshot(t, u.home); after != before {
		t.Errorf("adding twice changed\n%s\nto\n%s", before, after)
	}
	doc := u.ok("cert", "add", "-ojson", "--name", "other", other.root, acme.root).json()
	if at(doc, "policy") != "starterExtended" || at(doc, "files", 1, "new") != 1.0 || at(doc, "store") != "ca:other" {
		t.Errorf("%v", doc)
	}
	doc = u.ok("cert", "add", "-ojson", "--name", "other", other.root).json()
	if at(doc, "policy") != "namesStore" || at(doc, "files", 0, "had") != 1.0 || at(doc, "files", 0, "path") != nil {
		t.Errorf("%v", doc)
	}
	u.ok("policy", "lint")
	// A store of time-stamping authorities asks for time stamps: not a default.
	before = u.read(u.path("trustpolicy.oci.json"))
	u.ok("cert", "add", "-t", "tsa", "-s", "stamps", acme.root).want(0, `add "tsa:stamps" to the trustStores`)
	u.ok("cert", "add", "-t", "signingAuthority", "-s", "sa", acme.root).want(0, "Added signingAuthority:sa to the starter")
	if u.read(u.path("trustpolicy.oci.json")) == before || strings.Contains(u.read(u.path("trustpolicy.oci.json")), "tsa:") {
		t.Errorf("policy: %s", u.read(u.path("trustpolicy.oci.json")))
	}
	// A policy that the user has changed is the user's.
	changed := strings.Replace(u.read(u.path("trustpolicy.oci.json")), `"strict"`, `"audit"`, 1)
	if err := os.WriteFile(u.path("trustpolicy.oci.json"), []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	u.ok("cert", "add", "--name", "third", acme.root).want(0, `was not changed; to use the store, add "ca:third" to the trustStores`)
	doc = u.ok("cert", "add", "-ojson", "--name", "other", other.root).json()
	if at(doc, "policy") != "namesStore" || u.read(u.path("trustpolicy.oci.json")) != changed {
		t.Errorf("%v", doc)
	}
}

// attack: CRT-05
// attack: FS-01
func TestCertAddRefuses(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSignerElsewhere("acme")
	expired := newUser(t).newExpired("old")
	dir := t.TempDir()
	for name, plant := range specialFiles() {
		path := filepath.Join(dir, name+".crt")
		if err := plant(path); err != nil {
			t.Fatal(err)
		}
		u.run("cert", "add", "--name", "acme", acme.root, path).wantError(2, path)
	}
	linked := filepath.Join(dir, "link.crt")
	if err := os.Symlink(acme.root, linked); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ file, text string }{
		"private key":      {acme.key, "private key"},
		"key and chain":    {u.write("both.pem", u.read(acme.root)+u.read(acme.key)), "private key"},
		"intermediate":     {acme.chain, "is no root"},
		"text":             {u.write("x.crt", "hello"), "no certificate"},
		"empty":            {u.write("x.crt", ""), "empty"},
		"too large":        {u.write("x.crt", strings.Repeat("x", 1<<20+1)), "longer than"},
		"directory":        {dir, "directory"},
		"device":           {os.DevNull, "device"},
		"trailing garbage": {u.write("x.crt", u.read(acme.root)+"-----BEGIN CERTIFICATE-----\n"), "no end"},
	} {
		// The good one before it must not be left behind.
		u.run("cert", "add", "--name", "acme", acme.root, tt.file).wantError(2, tt.text)
		if got := snapshot(t, u.home); strings.Count(got, "\n") != 1 {
			t.Errorf("%s leaves\n%s", name, got)
		}
	}
	u.ok("cert", "add", "--name", "acme", linked).want(0, "as link.crt")
	u.ok("cert", "add", "--name", "old", expired).want(0, "Warning: ", "expired on")
	u.run("cert", "add", "--name", "ACME", acme.root).wantError(2, "differs only in case")
}

// newExpired writes an expired root.
func (u *user) newExpired(name string) string {
	c := testpki.New(u.t, testpki.Options{Name: name, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour)})
	return u.write(name+".crt", string((&testpki.Chain{Certs: c.Certs[len(c.Certs)-1:]}).CertPEM()))
}

func TestCertListShowDelete(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme, other := u.newSignerElsewhere("acme"), u.newSignerElsewhere("other")
	u.ok("cert", "list").want(0, "No certificates.")
	u.ok("cert", "add", "--name", "acme", acme.root, other.root)
	u.ok("cert", "add", "-t", "tsa", "-s", "stamps", other.root)
	u.ok("cert", "add", "--name", "old", u.newExpired("old")).want(0, "expired")
	u.ok("cert", "ls").want(0, "acme-root.crt", "stamps", "(expired)")
	for _, tt := range []struct {
		args []string
		want int
	}{{nil, 4}, {[]string{"--type", "tsa"}, 1}, {[]string{"--store", "acme"}, 2}, {[]string{"--name", "old"}, 1}, {[]string{"--name", "none"}, 0}} {
		doc := u.ok(append([]string{"cert", "list", "-ojson"}, tt.args...)...).json()
		if got := len(at(doc, "certificates").([]any)); got != tt.want {
			t.Errorf("%v: %d", tt.args, got)
		}
	}
	u.ok("cert", "show", "--name", "acme", "acme-root.crt").want(0, "subject", "O=acme", "may issue certificates  yes")
	u.run("cert", "show", "--name", "acme", "none.crt").wantError(2, "notation cert list")

	u.run("cert", "delete", "--name", "acme", "acme-root.crt").wantError(2, "no terminal", "--yes")
	u.run("cert", "delete", "--yes", "--name", "acme", "acme-root.crt", "none.crt").wantError(2, "no file")
	u.env.Terminal = &terminal{reads: true}
	u.runWith(t.Context(), "n\n", "cert", "delete", "--name", "acme", "acme-root.crt").want(2, "Delete acme-root.crt from trust store ca:acme? [y/N]", "ot confirmed")
	u.runWith(t.Context(), "", "cert", "delete", "--name", "acme", "acme-root.crt").want(2)
	u.runWith(t.Context(), "yes", "cert", "delete", "--name", "acme", "acme-root.crt").want(0, "Deleted acme-root.crt from trust store ca:acme.")
	u.ok("cert", "delete", "-a", "-y", "--name", "acme").want(0, "Deleted other-root.crt", "Warning: ", "still names ca:acme")
	if _, err := os.Stat(u.path("truststore", "x509", "ca", "acme")); !os.IsNotExist(err) {
		t.Error("the empty store stays")
	}

	// A store that cannot be loaded is told and does not hide the others.
	if err := os.WriteFile(u.path("truststore", "x509", "ca", "old", "bad.pem"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(u.path("truststore", "x509", "ca", "trailing."), 0o700); err != nil {
		t.Fatal(err)
	}
	u.run("cert", "list").want(2, "stamps", "rust store ca:old", "bad.pem", "Warning: ")
	u.ok("cert", "delete", "-y", "--name", "old", "bad.pem")
	u.ok("cert", "list")
}

func TestCleanupTest(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.ok("cert", "generate-test", "--algorithm", "ec-256", "--default", "acme")
	u.ok("cert", "add", "--name", "acme", u.path("certificate", "acme.crt"))
	u.env.Terminal = &terminal{reads: true}
	u.runWith(t.Context(), "\n", "cert", "cleanup-test", "acme").want(2, "ot confirmed")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u.env.Stdin = blocked{}
	u.runWith(ctx, "", "cert", "cleanup-test", "acme").want(3, "nterrupted")
	u.env.Stdin = nil
	u.runWith(t.Context(), "y\n", "cert", "cleanup-test", "acme").want(0, "Deleted key acme.", "localkeys/acme.key", "Warning: ", "still names ca:acme")
	if got := snapshot(t, u.home); strings.Contains(got, "acme") {
		t.Errorf("left: %s", got)
	}
	u.ok("cert", "generate-test", "--algorithm", "ec-256", "acme")
	real := u.newSigner("real", testpki.Options{})
	u.run("cert", "cleanup-test", "-y", "real").wantError(2, "was not made by", "notation key delete real")
	u.read(real.key)
}

// blocked is a standard input on which nothing ever arrives.
type blocked struct{}

func (blocked) Read([]byte) (int, error) { select {} }

// terminal is a person who types a password.
type terminal struct {
	reads, shows bool
	password     string
	err          error
}

func (t *terminal) Reads() bool                              { return t.reads }
func (t *terminal) Shows() bool                              { return t.shows }
func (t *terminal) Password(context.Context) (string, error) { return t.password, t.err }
