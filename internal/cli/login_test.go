package cli_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

const secret = "wonderland-7"

// TestLogin logs in, uses the login, and logs out.
func TestLogin(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	reg.user, reg.password = "alice", secret
	u.newSigner("acme", testpki.Options{})
	ref := reg.host + "/app@" + reg.push("v1", "app")
	u.run("sign", "-k", "acme", ref).want(3, "Error: ", "login")
	u.run("login", "-u", "alice", "-p", "wrong", reg.host).want(3)
	u.run("sign", "-k", "acme", ref).want(3)
	u.runWith(t.Context(), secret+"\n", "login", "-u", "alice", "--password-stdin", reg.host).want(0, "Logged in to "+reg.host)
	signed := u.ok("--debug", "sign", "-k", "acme", ref).want(0, ".docker")
	if strings.Contains(signed.stderr, secret) || !strings.Contains(signed.stderr, "level=DEBUG") {
		t.Errorf("debug: %s", signed.stderr)
	}
	doc := u.ok("logout", "-ojson", reg.host).json()
	if len(at(doc, "where").([]any)) != 1 {
		t.Errorf("%v", doc)
	}
	tokens := filepath.Join(u.home, ".cache", "notation", "tokens")
	kept, other := filepath.Join(tokens, strings.Repeat("0a", 32)+".json"), filepath.Join(tokens, "other")
	if err := errors.Join(os.MkdirAll(tokens, 0o700), os.WriteFile(kept, nil, 0o600), os.WriteFile(other, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	u.ok("logout", "--no-cache", reg.host).want(0, "There was no login to "+reg.host)
	if _, err := os.Stat(kept); err == nil {
		t.Error("a token stays behind")
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
	u.run("sign", "-k", "acme", ref).want(3)
}

// TestCredentials takes them from each place in turn.
func TestCredentials(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	reg.user, reg.password = "alice", secret
	ref := reg.host + "/app@" + reg.push("v1", "app")
	u.run("list", ref).want(3)
	u.ok("list", "-u", "alice", "-p", secret, ref).want(0, "Warning: ", "--password-stdin is safer")
	u.runWith(t.Context(), secret, "list", "-u", "alice", "--password-stdin", ref).want(0)
	u.vars["NOTATION_USERNAME"], u.vars["NOTATION_PASSWORD"] = "alice", secret
	u.ok("--debug", "list", ref).want(0, "$NOTATION_USERNAME and $NOTATION_PASSWORD")
	u.run("list", "-p", "wrong", ref).want(3)
	u.ok("login", reg.host).want(0, "Logged in")
	delete(u.vars, "NOTATION_PASSWORD")
	u.run("list", ref).wantError(2, "belong together")
	delete(u.vars, "NOTATION_USERNAME")
	u.ok("list", ref)
	// A password is for one registry.
	other := newRegistry(t)
	elsewhere := other.host + "/app@" + other.push("v1", "app")

	acme := u.newSigner("acme", testpki.Options{})
	u.run("verify", "-u", "alice", "-p", secret, "--ca-cert", acme.root, ref, elsewhere).want(2, "two registries", "notation login")
	if n := other.requests.Load(); n != 0 {
		t.Errorf("%d requests to the other registry", n)
	}
	u.run("verify", "--ca-cert", acme.root, ref, elsewhere).want(4)
	// Docker's own place, wherever it is.
	moved := filepath.Join(t.TempDir(), "docker")
	if err := os.Rename(filepath.Join(u.home, ".docker"), moved); err != nil {
		t.Fatal(err)
	}
	u.run("list", ref).want(3)
	u.vars["DOCKER_CONFIG"] = moved
	u.ok("list", ref)
}

// TestLoginAsks a person for what is missing.
func TestLoginAsks(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	reg := newRegistry(t)
	reg.user, reg.password = "alice", secret
	u.env.Terminal = &terminal{reads: true, password: secret}
	r := u.runWith(t.Context(), "alice\n", "login", reg.host).want(0, "Username: ", "Password: ", "Logged in")
	if strings.Contains(r.stdout+r.stderr, secret) || strings.Contains(r.stderr, "can be seen by others") {
		t.Errorf("%s", r.stderr)
	}
	u.runWith(t.Context(), "", "login", "--username", "alice", reg.host).want(0)
	u.runWith(t.Context(), "", "login", reg.host).want(2, "o answer")
	u.env.Terminal = &terminal{reads: true, err: errors.New("interrupted")}
	u.run("login", "--username", "alice", reg.host).want(2, "password could not be read")
}

// TestColours are for terminals that want them.
func TestColours(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	dir, digest := u.layout("app")
	u.ok("sign", "-k", "acme", "--oci-layout", dir+"@"+digest)
	verify := []string{"verify", "--ca-cert", acme.root, "--oci-layout", dir + "@" + digest}
	plain := u.ok(verify...).stdout
	if strings.Contains(plain, "\x1b") {
		t.Error("colour in a file")
	}
	u.env.Terminal = &terminal{shows: true}
	coloured := u.ok(verify...).stdout
	// Scripts look for the success line at the start of a line.
	if !strings.HasPrefix(coloured, "Successfully verified signature for ") || !strings.Contains(coloured, "\x1b[32mpassed") {
		t.Errorf("%q", coloured)
	}
	for name, value := range map[string]string{"NO_COLOR": "1", "TERM": "dumb"} {
		u.vars[name] = value
		if got := u.ok(verify...).stdout; got != plain {
			t.Errorf("%s: %q", name, got)
		}
		delete(u.vars, name)
	}
	if got := u.ok(append(verify, "-ojson")...).stdout; strings.Contains(got, "\x1b") {
		t.Error("colour in JSON")
	}
}
