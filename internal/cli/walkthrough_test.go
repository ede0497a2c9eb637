package cli_test

import (
	"strings"
	"testing"
)

// TestWalkthrough signs and verifies in an image layout, as the announcement
// does in a registry.
func TestWalkthrough(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	dir, digest := u.layout("net-monitor")
	ref := dir + ":v1"
	u.ok("cert", "generate-test", "--default", "wabbit-networks.io")
	signed := u.ok("sign", "--oci-layout", ref)
	if !strings.HasPrefix(signed.stdout, "Successfully signed "+dir+"@"+digest+"\n") {
		t.Errorf("sign: %s", signed.stdout)
	}
	u.run("verify", "--oci-layout", ref).wantError(2, "trust policy", "notation cert add --name")
	u.ok("cert", "add", "--name", "wabbit-networks.io", u.path("certificate", "wabbit-networks.io.crt")).
		want(0, "was in trust store ca:wabbit-networks.io already", "starter trust policy", "notation policy show")
	verified := u.ok("verify", "--oci-layout", ref)
	if !strings.HasPrefix(verified.stdout, "Successfully verified signature for "+dir+"@"+digest+"\n") {
		t.Errorf("verify: %s", verified.stdout)
	}
	t.Log(verified.stdout, verified.stderr, u.ok("inspect", "--oci-layout", ref).stdout, u.ok("list", "--oci-layout", ref).stdout)
}
