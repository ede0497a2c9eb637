package plugin_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/notaryv2/notation/plugin"
	"github.com/notaryv2/notation/reason"
)

// open would ask a key service; the configuration is what the user has given
// with --plugin-config.
func open(_ context.Context, keyID string, config map[string]string) (crypto.Signer, []*x509.Certificate, error) {
	return nil, nil, &plugin.Error{Code: plugin.CodeAccessDenied, Message: "no access to the key " + keyID + " in " + config["vault"]}
}

// A plugin is a Program that main hands to Serve:
//
//	func main() { os.Exit(plugin.Serve(context.Background(), program())) }
//
// Run is the same with streams of one's own.
func ExampleServe() {
	signer := plugin.CryptoSigner{Open: open}
	program := plugin.Program{
		Metadata: plugin.Metadata{
			Name: "example", Version: "1.0.0", Description: "Signs with keys of a vault", URL: "https://example.com",
			Capabilities: []plugin.Capability{plugin.CapabilityRaw},
		},
		Keys: signer,
		Raw:  signer,
	}
	request := `{"contractVersion":"1.0","keyId":"build","pluginConfig":{"vault":"eu"}}`
	code := program.Run(context.Background(), []string{"describe-key"}, strings.NewReader(request), os.Stdout, os.Stdout)
	fmt.Println(code)
	// Output:
	// {"errorCode":"ACCESS_DENIED","errorMessage":"no access to the key build in eu"}
	// 1
}

func ExampleHost_Get() {
	host := plugin.NewHost("testdata/none")
	p, err := host.Get(context.Background(), "example")
	if fault, ok := errors.AsType[*plugin.Error](err); ok {
		fmt.Println("the plugin says:", fault.Code, fault.Message)
	} else if err != nil {
		fmt.Println(reason.Of(err))
		return
	}
	fmt.Println(p.Metadata().Version)
	// Output: plugin.not-found
}
