package test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/test/authority"
	"github.com/notaryv2/notation/test/toolbox"
	"github.com/notaryv2/notation/timestamp"
)

// Sigstore's authority stamps for our client, and its tokens verify.
func TestSigstoreTimestampServer(t *testing.T) {
	t.Parallel()
	toolbox.Need(t, "timestamp-server")
	server, err := authority.NewSigstore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	block, _ := pem.Decode(server.Root)
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	signature := []byte("a primitive signature")
	client := timestamp.Client{URLs: []string{server.URL}, Roots: []*x509.Certificate{root}}
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		token, err := client.Stamp(t.Context(), signature, hash)
		if err != nil {
			t.Fatalf("%v: %v", hash, err)
		}
		parsed, err := timestamp.Parse(token)
		if err != nil {
			t.Fatal(err)
		}
		verified, err := parsed.Verify(signature, client.Roots)
		if err != nil {
			t.Fatal(err)
		}
		info := verified.Info()
		if info.Hash != hash || info.Policy != "1.3.6.1.4.1.57264.2" || !bytes.Equal(info.Chain[len(info.Chain)-1].Raw, root.Raw) {
			t.Errorf("info %+v", info)
		}
	}
	client.Policy = "1.2.3.4"
	if _, err := client.Stamp(t.Context(), signature, crypto.SHA256); reason.Of(err) == "" {
		t.Errorf("a policy that it does not have: %v", err)
	} else {
		t.Log(err)
	}
}
