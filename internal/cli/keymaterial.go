package cli

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"

	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/internal/keyfile"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/notaryv2/notation/trust"
	"github.com/spf13/cobra"
)

// materialOptions say what a key in a file is made of.
type materialOptions struct {
	key, cert, pkcs12    string
	intermediates, roots []string
	passphrase           passphraseOptions
}

// materialFlags mean nothing without a certificate.
var materialFlags = []string{"key", "intermediate", "root"}

func (o *materialOptions) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.key, "key", "", "`FILE` with the private key in PEM, which stays where it is")
	f.StringVar(&o.cert, "cert", "", "`FILE` with the certificate of the key and, in any order, those above it")
	f.StringArrayVar(&o.intermediates, "intermediate", nil, "`FILE` with certificates to complete the chain with; may be given again")
	f.StringArrayVar(&o.roots, "root", nil, "`FILE` with root certificates, in one of which the chain must end; may be given again")
	f.StringVar(&o.pkcs12, "pkcs12", "", "`FILE` in PKCS#12 (.p12, .pfx) with the private key and its certificates")
	o.passphrase.register(cmd)
}

// given reports whether there is a certificate to make a key of.
func (o *materialOptions) given() bool { return o.cert != "" || o.pkcs12 != "" }

// check refuses flags that contradict each other.
func (o *materialOptions) check(a *app, cmd *cobra.Command) error {
	switch {
	case o.pkcs12 != "" && (o.cert != "" || o.key != ""):
		return a.usage(cmd, reason.UsageFlag, "--pkcs12 holds key and certificate, and one of them was given besides", "leave --key and --cert out")
	case o.given():
		return nil
	}
	for _, name := range materialFlags {
		if cmd.Flags().Changed(name) {
			return a.usage(cmd, reason.UsageFlag, "--"+name+" needs --cert, the certificate of the key", "name the file that the authority has sent with --cert")
		}
	}
	return nil
}

// material is a private key with the chain that was found for it.
type material struct {
	chain   []*x509.Certificate
	keyPath string // of the private key, absolute; "" if keyPEM is to be written
	keyPEM  []byte
}

// material reads key and certificates, completes the chain, and makes sure that
// they can sign together. keyPath is the private key where none was named, and
// above are certificates that the chain may be completed with as a last resort.
func (a *app) material(ctx context.Context, o *materialOptions, keyPath string, above []*x509.Certificate) (*material, error) {
	pool := keyfile.Pool{}
	var err error
	if pool.Intermediates, err = readPool(ctx, o.intermediates); err != nil {
		return nil, err
	}
	pool.Intermediates = append(pool.Intermediates, above...)
	if pool.Roots, err = readPool(ctx, o.roots); err != nil {
		return nil, err
	}
	m := &material{}
	var key crypto.Signer
	source := o.pkcs12
	if o.pkcs12 != "" {
		key, pool.Given, m.keyPEM, err = a.importPKCS12(ctx, o)
	} else {
		if o.key != "" {
			keyPath = o.key
		}
		source = o.cert
		if m.keyPath, err = filepath.Abs(keyPath); err == nil {
			err = checkStays(keyPath, m.keyPath)
		}
		if err != nil {
			return nil, err
		}
		if key, err = a.privateKey(ctx, &o.passphrase, keyPath); err != nil {
			return nil, err
		}
		pool.Given, err = readChain(o.cert)
	}
	if err != nil {
		return nil, err
	}
	if m.chain, err = keyfile.Complete(key.Public(), pool); err != nil {
		return nil, config.InFile(source, err)
	}
	if _, err := certchain.Parse(rawOf(m.chain)); err != nil { // as whoever signs will read it
		return nil, config.InFile(source, err)
	}
	if _, err := signer.New(key, m.chain); err != nil {
		return nil, config.InFile(source, err)
	}
	if err := certchain.ValidAt(m.chain, a.env.Now()); err != nil {
		a.warn("nothing can be signed now: %s", err)
	}
	return m, nil
}

func rawOf(certs []*x509.Certificate) [][]byte {
	der := make([][]byte, len(certs))
	for i, c := range certs {
		der[i] = c.Raw
	}
	return der
}

// checkStays refuses a private key for the list that could not be found again by
// its path: one in a variable, a pipe or a descriptor.
func checkStays(named, path string) error {
	info, err := os.Stat(path)
	passing := strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/") || err == nil && !info.Mode().IsRegular()
	if !isSource(named) && !passing {
		return nil
	}
	return reason.Errorf(reason.UsageFlag, "the list of keys names private keys by files that stay, and the one given is in none").
		WithHint("name a regular file; a key that is in none signs with 'notation sign --key-file', without being listed")
}

// privateKey reads a private key that the user has named.
func (a *app) privateKey(ctx context.Context, o *passphraseOptions, path string) (crypto.Signer, error) {
	data, err := a.readKey(ctx, o, path)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	key, err := signer.KeyFromPEM(data)
	if err != nil {
		return nil, inSource(path, err)
	}
	return key, nil
}

// importPKCS12 reads a PKCS#12 file and returns also the private key as it is to
// be written: under the pass phrase of the file.
func (a *app) importPKCS12(ctx context.Context, o *materialOptions) (key crypto.Signer, certs []*x509.Certificate, keyPEM []byte, err error) {
	data, err := readLinked(o.pkcs12, keyfile.MaxPKCS12Bytes)
	if err != nil {
		return nil, nil, nil, err
	}
	defer clear(data)
	passphrase, err := o.passphrase.need(ctx, a, "the PKCS#12 file "+named(o.pkcs12))
	if err != nil {
		return nil, nil, nil, err
	}
	type content struct {
		key   crypto.Signer
		certs []*x509.Certificate
		pem   []byte
	}
	copied := bytes.Clone(data)
	c, err := unlock(ctx, a.budget, func() (content, error) {
		defer clear(passphrase)
		defer clear(copied)
		key, certs, err := keyfile.OpenPKCS12(copied, passphrase)
		if err != nil {
			return content{}, err
		}
		pem, err := keyfile.Encode(key, passphrase)
		return content{key, certs, pem}, err
	})
	if err != nil {
		return nil, nil, nil, config.InFile(o.pkcs12, err)
	}
	return c.key, c.certs, c.pem, nil
}

// readPool reads files of certificates. The result is nil for no file.
func readPool(ctx context.Context, files []string) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for _, file := range files {
		certs, err := readCertificates(ctx, file)
		if err != nil {
			return nil, err
		}
		all = append(all, certs...)
	}
	return all, nil
}

// readChain reads the certificates of a file that may hold the private key, too.
func readChain(file string) ([]*x509.Certificate, error) {
	data, err := readLinked(file, config.MaxCertificateFileBytes)
	if err != nil {
		return nil, err
	}
	certs, err := trust.ParseCertificates(data)
	if reason.Of(err) == reason.StorePrivateKey {
		certs, err = trust.ParseCertificates(certificateBlocks(data))
	}
	if err != nil {
		return nil, config.InFile(file, err)
	}
	return certs, nil
}

// addMaterial lists a key with the chain that was found for it.
func (a *app) addMaterial(ctx context.Context, cmd *cobra.Command, o *keyAddOptions, args []string) (document, error) {
	switch {
	case cmd.Flags().Changed("plugin") || cmd.Flags().Changed("id") || cmd.Flags().Changed("plugin-config"):
		return nil, a.usage(cmd, reason.UsageFlag, "a key that a plugin holds gets its certificates from the plugin", "leave --cert and --pkcs12 out, or --plugin")
	case len(args) == 2:
		return nil, a.usage(cmd, reason.UsageArguments, "with --cert or --pkcs12 there is one argument, the name of the key, but got "+quote(args[0])+" and "+quote(args[1]), "write 'notation key add NAME --key FILE --cert CHAIN'")
	case o.name != "" && o.name != args[0]:
		return nil, a.usage(cmd, reason.UsageFlag, "the key has two names, "+quote(args[0])+" and "+quote(o.name), "give one")
	}
	dirs, err := a.dirs()
	if err != nil {
		return nil, err
	}
	if err := config.CheckName(args[0]); err != nil {
		return nil, err
	}
	keyPath := dirs.GeneratedKey(args[0])
	if _, err := os.Lstat(keyPath); err != nil && o.material.key == "" && o.material.pkcs12 == "" {
		return nil, a.usage(cmd, reason.UsageFlag, "--key is missing, and 'notation key generate' has made no key named "+quote(args[0]), "name the private key with --key FILE")
	}
	m, err := a.material(ctx, &o.material, keyPath, nil)
	if err != nil {
		return nil, err
	}
	key, err := dirs.AddKey(ctx, a.env.Files, config.NewKey{Name: args[0], KeyPath: m.keyPath, KeyPEM: m.keyPEM, Chain: m.chain, Default: o.makeDefault})
	if err != nil {
		return nil, err
	}
	doc := &keyDocument{Done: "added", Certificates: newCertificates(m.chain)}
	doc.Keys = []keyJSON{newKey(key, map[bool]string{true: key.Name}[o.makeDefault])}
	return doc, nil
}

func newCertificates(chain []*x509.Certificate) []certificateJSON {
	out := make([]certificateJSON, len(chain))
	for i, c := range chain {
		out[i] = newCertificate(c)
	}
	return out
}
