// Command notation-example-plugin is a plugin that signs with a key in a file
// and judges identities. It shows how little a plugin in Go needs; a key in a
// file is better signed with directly.
package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"os"

	"github.com/notaryv2/notation/plugin"
)

func main() {
	signer := plugin.CryptoSigner{Open: open}
	os.Exit(plugin.Serve(context.Background(), plugin.Program{
		Metadata: plugin.Metadata{
			Name:         "example-plugin",
			Description:  "Signs with a key in a file, and judges identities",
			Version:      "1.0.0",
			URL:          "https://github.com/notaryv2/notation",
			Capabilities: []plugin.Capability{plugin.CapabilityRaw, plugin.CapabilityTrustedIdentity},
		},
		Keys:     signer,
		Raw:      signer,
		Verifier: verifier{},
	}))
}

// open takes the files from --plugin-config keyFile=... and certFile=...
func open(_ context.Context, _ string, config map[string]string) (crypto.Signer, []*x509.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(config["certFile"], config["keyFile"])
	if err != nil {
		return nil, nil, &plugin.Error{Code: plugin.CodeValidation, Message: "keyFile and certFile: " + err.Error()}
	}
	chain := make([]*x509.Certificate, len(pair.Certificate))
	for i, der := range pair.Certificate {
		if chain[i], err = x509.ParseCertificate(der); err != nil {
			return nil, nil, err
		}
	}
	return pair.PrivateKey.(crypto.Signer), chain, nil
}
