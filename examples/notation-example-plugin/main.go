// Command notation-example-plugin is a plugin that signs with a key in a file
// and takes part in verifying. It has every capability of the protocol, to show
// how little a plugin in Go needs; a key in a file is better signed with
// directly.
//
// Signing, it takes --plugin-config keyFile=... and certFile=..., and with
// stage=... signs where the artifact may be used, which verifiers must then ask
// this plugin about. Verifying, stage=... says where that is, and revoked=... is
// a comma-separated list of SHA-256 fingerprints of certificates.
package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"os"
	"slices"
	"strings"

	"github.com/notaryv2/notation/plugin"
)

const name = "example-plugin"

// What a build may set with -ldflags '-X main.version=...': the version, and
// capabilities to be left out, separated by commas.
var (
	version = "1.0.0"
	without = ""
)

func main() {
	signer := plugin.CryptoSigner{Open: open}
	os.Exit(plugin.Serve(context.Background(), plugin.Program{
		Metadata: plugin.Metadata{
			Name:         name,
			Description:  "Signs with a key in a file, and judges signatures",
			Version:      version,
			URL:          "https://github.com/notaryv2/notation",
			Capabilities: capabilities(),
		},
		Keys:     signer,
		Raw:      signer,
		Envelope: envelopes{signer},
		Verifier: verifier{},
	}))
}

func capabilities() []plugin.Capability {
	all := []plugin.Capability{
		plugin.CapabilityRaw, plugin.CapabilityEnvelope, plugin.CapabilityBlobEnvelope,
		plugin.CapabilityTrustedIdentity, plugin.CapabilityRevocationCheck,
	}
	return slices.DeleteFunc(all, func(c plugin.Capability) bool {
		return slices.Contains(strings.Split(without, ","), string(c))
	})
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
