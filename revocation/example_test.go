package revocation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/revocation"
)

// A chain is checked against the authority's list, once from the network and
// once from the cache.
func ExampleLive() {
	t := &testing.T{} // only to make certificates
	var list []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(list) }))
	defer server.Close()
	chain := testpki.New(t, testpki.Options{Length: 2, Modify: func(position int, c *x509.Certificate) {
		if position == 0 {
			c.CRLDistributionPoints = []string{server.URL + "/ca.crl"}
		}
	}})
	list = testpki.NewCRL(chain.Root(), 1, time.Now()).Sign(t, chain.Keys[1])

	checker := revocation.New(revocation.Options{Timeout: 5 * time.Second})
	for range 2 {
		for _, r := range checker.Check(context.Background(), chain.Certs, revocation.Evidence{}) {
			fmt.Println(r.Status, r.Method, "from cache:", r.FromCache)
		}
	}
	// Output:
	// good CRL from cache: false
	// good CRL from cache: true
}
