package cli_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// TestVerifyListChanges has somebody write to a long list while it is worked off:
// what is gone has not passed.
func TestVerifyListChanges(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	acme := u.newSigner("acme", testpki.Options{})
	reg := newRegistry(t)
	file := ""
	var once sync.Once
	front := reg.before(t, func(http.ResponseWriter, *http.Request) bool {
		once.Do(func() {
			data := u.read(file)
			if err := os.WriteFile(file, []byte(data[:len(data)/2]), 0o600); err != nil {
				t.Error(err)
			}
		})
		return false
	})
	var list strings.Builder
	for i := range 15_000 {
		fmt.Fprintf(&list, "%s/app@sha256:%064x\n", front, i)
	}
	file = u.write("list", list.String())
	u.run("verify", "--ca-cert", acme.root, "--from-file", file).want(2, "This is not all")
}
