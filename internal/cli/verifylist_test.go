package cli_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// TestVerifyListChanges has somebody write to a long list when it has been checked
// and before it is worked off: what is gone has not passed. Between the two the
// environment is asked for a login.
func TestVerifyListChanges(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	var asked atomic.Int64
	front := reg.before(t, func(http.ResponseWriter, *http.Request) bool {
		asked.Add(1)
		return false
	})
	var list strings.Builder
	const all = 10_001 // more references than verdicts are kept of
	for i := range all {
		fmt.Fprintf(&list, "%s/app@sha256:%064x\n", front, i)
	}
	file := u.write("list", list.String())
	var once sync.Once
	u.asks = func(name string) {
		if name != "NOTATION_USERNAME" {
			return
		}
		once.Do(func() {
			if err := os.Truncate(file, 100_000); err != nil || asked.Load() > 0 {
				t.Errorf("%v, after %d requests", err, asked.Load())
			}
		})
	}
	u.run("verify", "--ca-cert", acme.root, "--from-file", file).want(2, "it has changed since it was read first", "This is not all")
	if n := asked.Load(); n == 0 || n >= all {
		t.Errorf("%d requests about a tenth of %d artifacts", n, all)
	}
}
