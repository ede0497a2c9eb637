package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/internal/keyfile"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// keyRequestOptions are the flags of key csr.
type keyRequestOptions struct {
	request    keyfile.RequestOptions
	key        string
	out        outFile
	passphrase passphraseOptions
}

func (a *app) keyRequestCommand() *cobra.Command {
	o := &keyRequestOptions{}
	cmd := &cobra.Command{
		Use:   "csr NAME --subject DN [flags]",
		Short: "Ask for the certificate of a key",
		Long: `Write a request for the certificate of a key, PKCS#10 in PEM, which a certificate
authority answers. NAME is a key that 'notation key generate' has made or, to
renew a certificate, one of the list whose private key is a file.

DN is the subject; it should have C, ST and O, by which trust policies name
signers. The request asks for keyUsage digitalSignature, as signatures need it,
and with --code-signing for extendedKeyUsage codeSigning, as some authorities
do.`,
		Example: `  # Write the request to a file
  notation key csr release --subject 'C=US, ST=WA, O=wabbit-networks.io, CN=release' -o release.csr

  # For a key that lies elsewhere
  notation key csr release --key release.key --subject 'C=US, ST=WA, O=wabbit-networks.io' -o release.csr`,
	}
	cmd = a.leaf(cmd, 1, 1, func(ctx context.Context, args []string) (document, error) {
		if o.request.Subject == "" {
			return nil, a.usage(cmd, reason.UsageFlag, "--subject is missing, the name that the certificate is to have", "write --subject 'C=US, ST=WA, O=wabbit-networks.io, CN=release'")
		}
		if o.out.path != "" {
			if err := o.out.check(a, cmd, ""); err != nil {
				return nil, err
			}
		}
		return a.requestCertificate(ctx, o, args[0])
	})
	f := cmd.Flags()
	f.StringVar(&o.request.Subject, "subject", "", "`DN` of the certificate; needed")
	f.BoolVar(&o.request.CodeSigning, "code-signing", false, "also ask for extendedKeyUsage codeSigning")
	f.StringVar(&o.key, "key", "", "`FILE` with the private key in PEM, if it is not the one of that name")
	o.passphrase.register(cmd)
	o.out.register(a, cmd, "write the request to `FILE`")
	cmd.ValidArgsFunction = a.completeKeys
	return cmd
}

func (a *app) requestCertificate(ctx context.Context, o *keyRequestOptions, name string) (document, error) {
	if err := config.CheckName(name); err != nil {
		return nil, err
	}
	path := o.key
	if path == "" {
		var err error
		if path, err = a.keyPathOf(name); err != nil {
			return nil, err
		}
	}
	key, err := a.privateKey(ctx, &o.passphrase, path)
	if err != nil {
		return nil, err
	}
	request, subject, err := keyfile.Request(key, o.request)
	if err != nil {
		return nil, err
	}
	if asked, err := dn.Parse(o.request.Subject); err == nil && len(asked.Missing()) > 0 {
		a.warn("the subject lacks %s; a trust policy names signers by C, ST and O, and can trust this one by * only", strings.Join(asked.Missing(), " and "))
	}
	doc := &keyRequestDocument{Name: name, Subject: subject, Request: string(request), Path: o.out.path}
	if o.out.path == "" {
		return doc, nil
	}
	return doc, o.out.write(a, request)
}

// keyPathOf returns the file of the private key of that name: of the list, or as
// 'key generate' has made it.
func (a *app) keyPathOf(name string) (string, error) {
	dirs, err := a.dirs()
	if err != nil {
		return "", err
	}
	keys, err := dirs.SigningKeys()
	if err != nil {
		return "", err
	}
	key, err := keys.Find(name)
	switch {
	case err == nil && !key.IsLocal():
		return "", reason.Errorf(reason.SignerKeyMissing, "key %q is held by plugin %s, which alone can use it", name, key.PluginName).
			WithHint("make the request with the tools of the key store")
	case err == nil:
		return key.KeyPath, nil
	}
	path := dirs.GeneratedKey(name)
	if _, statErr := os.Lstat(path); errors.Is(statErr, fs.ErrNotExist) {
		return "", withHint(err, "make one with 'notation key generate "+name+" --algorithm ec-384', or name its file with --key", reason.ConfigKeyUnknown)
	}
	return path, nil
}

// keyRequestDocument is the result of key csr.
type keyRequestDocument struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Request string `json:"request"`        // PKCS#10 in PEM
	Path    string `json:"path,omitempty"` // of the file, if one was written
}

func (d *keyRequestDocument) text(p *page) {
	if d.Path == "" {
		p.raw(d.Request)
		return
	}
	p.line("Wrote the request for a certificate of %s to %s.", d.Subject, d.Path)
	p.line("When the authority has answered, list the key with 'notation key add %s --cert CHAIN'.", d.Name)
}
