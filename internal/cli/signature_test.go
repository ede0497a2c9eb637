package cli_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// signed signs the artifact v1 of a layout and returns the digest of the signature.
func (u *user) signed(path, key string, more ...string) string {
	u.t.Helper()
	doc := u.ok(append([]string{"sign", "-o", "json", "--oci-layout", "-k", key, path + ":v1"}, more...)...).json()
	return at(doc, "signed", 0, "signature", "digest").(string)
}

// listedSignatures returns the digests of the signatures of v1 of a layout.
func (u *user) listedSignatures(path string) (list []string) {
	u.t.Helper()
	signatures, _ := u.ok("list", "-o", "json", "--oci-layout", path+":v1").json()["signatures"].([]any)
	for _, s := range signatures {
		list = append(list, s.(string))
	}
	return list
}

func TestSignatureDelete(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	path, _ := u.layout("one")
	ref := path + ":v1"
	one, two, three := u.signed(path, "acme"), u.signed(path, "acme"), u.signed(path, "acme")
	del := func(args ...string) []string {
		return append([]string{"signature", "delete", "--oci-layout", ref}, args...)
	}
	u.run(del(one)...).wantError(2, "must be confirmed", "--yes")
	u.run(del("-y", "latest")...).wantError(2, "no digest", "notation list")
	u.run(del("-y", digestOf([]byte("{}")))...).want(2, "Nothing was deleted", "is no signature")
	many := make([]string, 1001)
	for i := range many {
		many[i] = one
	}
	u.run(del(many...)...).wantError(2, "more than 1000")
	u.run("signature", "delete", "-y", "--oci-layout", path+":none", one).wantError(3)
	u.run("signature", "delete", "-y", "--oci-layout", path+"x:v1", one).wantError(2)
	u.run("signature", "delete", "-y", path, one).wantError(2, "oci-layout")
	u.run("signature", "delete", "-y", "localhost:5000/app:v1", one, "--password", "x").want(2)
	u.run("signature", "remove").wantError(2, "elete")

	u.env.Terminal = &terminal{reads: true}
	u.runWith(t.Context(), "n\n", del(one, two)...).want(2, "Delete "+one+", "+two+" of "+path+"@sha256:", "[y/N]", "ot confirmed")
	if got := u.listedSignatures(path); len(got) != 3 {
		t.Errorf("left: %v", got)
	}
	u.runWith(t.Context(), "y\n", del(one, one)...).want(0, one+"  deleted")
	u.run(del("-y", one, two)...).want(3, one+"  was gone already", two+"  deleted")
	if got := u.listedSignatures(path); len(got) != 1 || got[0] != three {
		t.Errorf("left: %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u.runWith(ctx, "", del("-y", three)...).want(3)
	if got := u.listedSignatures(path); len(got) != 1 {
		t.Errorf("left: %v", got)
	}
}

// TestSignatureDeleteStopsLate has the reply to the question come after the
// layout has gone.
func TestSignatureDeleteStopsLate(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.newSigner("acme", testpki.Options{})
	path, _ := u.layout("one")
	one := u.signed(path, "acme")
	u.env.Terminal = &terminal{reads: true}
	u.env.Stdin = &meanwhile{do: func() {
		if err := os.RemoveAll(path); err != nil {
			t.Error(err)
		}
	}}
	r := u.run("signature", "delete", "-o", "json", "--oci-layout", path+":v1", one)
	if r.code == 0 || at(r.json(), "signatures", 0, "outcome") != "kept" {
		t.Error(r.code, r.stdout)
	}
}

// meanwhile says yes once it has done something.
type meanwhile struct {
	do     func()
	answer strings.Reader
}

func (m *meanwhile) Read(p []byte) (int, error) {
	if m.do != nil {
		m.do()
		m.do = nil
		m.answer.Reset("y\n")
	}
	return m.answer.Read(p)
}

// TestSignatureDeleteStillListed has a registry say that a signature is deleted,
// and go on listing it.
func TestSignatureDeleteStillListed(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	front := reg.before(t, func(w http.ResponseWriter, req *http.Request) bool {
		if req.Method == http.MethodDelete {
			w.WriteHeader(http.StatusAccepted)
		}
		return req.Method == http.MethodDelete
	})
	ref := front + "/app@" + reg.push("v1", "one")
	sign := func() string {
		return at(u.ok("sign", "-k", "acme", "-o", "json", ref).json(), "signed", 0, "signature", "digest").(string)
	}
	one, _ := sign(), sign()
	told := []string{one + "  deleted, but still listed", "is deleted, but still listed as one of", "Hint: Verifying leaves it out"}
	u.run("signature", "delete", "-y", ref, one).want(3, told...)
	r := u.run("signature", "delete", "-y", "-o", "json", ref, one).want(3, "registry.still-listed")
	if at(r.json(), "signatures", 0, "outcome") != "stillListed" {
		t.Errorf("%s", r.stdout)
	}
	u.run("prune", "--ca-cert", acme.root, "--keep", "1", "-y", ref).want(3, "deleted, but still listed")
}
