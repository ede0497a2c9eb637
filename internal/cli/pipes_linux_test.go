package cli_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// pipe returns what a shell makes of <(command), where the command prints text.
func pipe(t *testing.T, text string) string {
	t.Helper()
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { from.Close() })
	go func() {
		defer to.Close()
		_, _ = to.WriteString(text) // a reader that stops early is not the matter here
	}()
	return fmt.Sprintf("/dev/fd/%d", from.Fd())
}

// TestProcessSubstitution reads policy, certificates and references from pipes,
// and refuses them where a file must stay.
func TestProcessSubstitution(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	tsa, acme := u.newAuthority(testpki.Options{}), u.newSigner("acme", testpki.Options{})
	dir, digest := u.layout("piped")
	ref := dir + "@" + digest
	u.ok("sign", "--oci-layout", "-k", "acme", "--timestamp-url", tsa.url, "--timestamp-root-cert", pipe(t, u.read(tsa.root)), "--from-file", pipe(t, ref+"\n"))
	u.ok("verify", "--oci-layout", "--ca-cert", pipe(t, u.read(acme.root)), ref)
	u.ok("verify", "--oci-layout", "--policy", pipe(t, u.read(u.policy("strict", "*", "ca:acme", "*"))), "--trust-store", u.stores(acme), ref)
	u.run("verify", "--oci-layout", "--ca-cert", pipe(t, "nonsense"), ref).wantError(2, "/dev/fd/")
	u.run("key", "add", pipe(t, u.read(acme.key)), acme.chain).wantError(2, "not a regular file")
}
