package timestamp_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/timestamp"
)

// Ask an authority for a token over a signature, and verify it later, when the
// authority's certificate may have expired.
func Example() {
	tsa := exampleAuthority()
	server := httptest.NewServer(tsa)
	defer server.Close()
	roots := []*x509.Certificate{tsa.Root()}
	signature := []byte("the primitive signature of an envelope")

	client := timestamp.Client{URLs: []string{server.URL}, Roots: roots}
	token, err := client.Stamp(context.Background(), signature, crypto.SHA256)
	if err != nil {
		fmt.Println(err)
		return
	}

	unverified, err := timestamp.Parse(token)
	if err != nil {
		fmt.Println(err)
		return
	}
	verified, err := unverified.Verify(signature, roots)
	if err != nil {
		fmt.Println(err)
		return
	}
	earliest, latest := verified.Info().Range()
	fmt.Println("between", earliest.Format(time.RFC3339), "and", latest.Format(time.RFC3339))
	fmt.Println("by", verified.Info().Chain[0].Subject.CommonName)
	// Output:
	// between 2026-05-04T03:02:00Z and 2026-05-04T03:02:02Z
	// by wabbit-networks.io time stamping
}

// exampleAuthority is an authority whose clock stands still.
func exampleAuthority() *testpki.TSA { return newTSA(&testing.B{}, testpki.Options{}) }
