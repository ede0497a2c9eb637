package cli

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/notaryv2/notation/internal/config"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// maxCommonName is ub-common-name of RFC 5280, appendix A.1, in characters.
const maxCommonName = 64

// keyAlgorithm is the value of --algorithm.
type keyAlgorithm string

func keyAlgorithms() []keyAlgorithm {
	return []keyAlgorithm{"rsa-2048", "rsa-3072", "rsa-4096", "ec-256", "ec-384", "ec-521"}
}

// generate makes a key. The zero value is rsa-2048.
func (k keyAlgorithm) generate() (crypto.Signer, error) {
	kind, size, _ := strings.Cut(string(k), "-")
	if kind == "ec" {
		curve := map[string]elliptic.Curve{"256": elliptic.P256(), "384": elliptic.P384(), "521": elliptic.P521()}[size]
		return ecdsa.GenerateKey(curve, rand.Reader)
	}
	bits, err := strconv.Atoi(size)
	if err != nil {
		return nil, err
	}
	return rsa.GenerateKey(rand.Reader, bits)
}

// testKeyOptions are the flags of cert generate-test.
type testKeyOptions struct {
	algorithm   keyAlgorithm
	bits        rsaBits
	validFor    spanFlag
	makeDefault bool
}

// rsaBits is the value of --bits.
type rsaBits string

func (a *app) certGenerateTestCommand() *cobra.Command {
	o := &testKeyOptions{validFor: spanFlag(day)}
	cmd := &cobra.Command{
		Use:   "generate-test NAME [flags]",
		Short: "Make a key and self-signed certificate for tests",
		Long: `Make a private key and a self-signed certificate for tests, list the key for
'notation sign', and put the certificate into the trust store ca:NAME.

The certificate's subject is C=US, ST=WA, L=Seattle, O=Notary, CN=NAME. Nobody
has checked that: for anything but tests, have an authority issue a certificate.`,
		Example: `  # Make an RSA key that 'notation sign' uses when no key is named
  notation cert generate-test --default wabbit-networks.io

  # Make an EC key whose certificate is valid for a week
  notation cert generate-test --algorithm ec-256 --valid-for 7d acme-rockets.io`,
	}
	cmd = a.leaf(cmd, 1, 1, func(ctx context.Context, args []string) (document, error) {
		if o.bits != "" && o.algorithm != "" {
			return nil, a.usage(cmd, reason.UsageFlag, "--bits is for RSA keys and cannot be mixed with --algorithm", "give one or the other")
		}
		if o.bits != "" {
			o.algorithm = "rsa-" + keyAlgorithm(o.bits)
		}
		if o.algorithm == "" {
			o.algorithm = "rsa-2048"
		}
		return a.generateTest(ctx, o, args[0])
	})
	f := cmd.Flags()
	f.BoolVar(&o.makeDefault, "default", false, "make it the default key")
	f.VarP(&choice[rsaBits]{&o.bits, []rsaBits{"2048", "3072", "4096"}, nil}, "bits", "b", "size of the RSA key: 2048, 3072 or 4096 (default 2048)")
	f.Var(&choice[keyAlgorithm]{&o.algorithm, keyAlgorithms(), nil}, "algorithm", "rsa-2048, rsa-3072, rsa-4096, ec-256, ec-384 or ec-521 (default rsa-2048)")
	f.Var(&o.validFor, "valid-for", "how long the certificate is valid")
	completions(cmd, "algorithm", "rsa-2048", "rsa-3072", "rsa-4096", "ec-256", "ec-384", "ec-521")
	return cmd
}

func (a *app) generateTest(ctx context.Context, o *testKeyOptions, name string) (document, error) {
	dirs, err := a.dirs()
	if err != nil {
		return nil, err
	}
	if len(name) > maxCommonName {
		return nil, reason.Errorf(reason.ConfigName, "the name %q is longer than the %d characters that a certificate allows", name, maxCommonName).
			WithHint("choose a shorter name")
	}
	// Before the key is made, which takes a while.
	if err := dirs.CheckTestKeyName(name); err != nil {
		return nil, err
	}
	key, err := o.algorithm.generate()
	if err != nil {
		return nil, reason.Wrap(reason.UsageInternal, err, "the key could not be made")
	}
	cert, err := selfSigned(key, name, a.env.Now(), time.Duration(o.validFor))
	if err != nil {
		return nil, reason.Wrap(reason.UsageInternal, err, "the certificate could not be made")
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, reason.Wrap(reason.UsageInternal, err, "the key could not be encoded")
	}
	defer clear(der)
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	defer clear(keyPEM)
	err = dirs.AddTestKey(ctx, a.env.Files, config.TestKey{Name: name, KeyPEM: keyPEM, Cert: cert, Default: o.makeDefault})
	if err != nil {
		return nil, err
	}
	files := dirs.TestKeyFiles(name)
	if a.policyNames(dirs, files.Store) {
		a.warn("the trust policy names %s, so signatures of this key are trusted from now on", files.Store)
	}
	return &testKeyDocument{
		Name: name, Algorithm: o.algorithm, Subject: printedName(cert.RawSubject), Fingerprint: config.Fingerprint(cert),
		NotAfter: printedTime(cert.NotAfter), Default: o.makeDefault,
		KeyPath: files.Key, CertPath: files.Cert, CopyPath: files.Copy, Store: files.Store.String(), StorePath: files.Stored,
	}, nil
}

// clockSkew is how long before its making a test certificate is valid: clocks of
// verifiers may be slow, and a time stamp says only roughly when it was made.
const clockSkew = 5 * time.Minute

// selfSigned returns a certificate that satisfies the rules for code signing.
func selfSigned(key crypto.Signer, name string, now time.Time, validFor time.Duration) (*x509.Certificate, error) {
	serial := make([]byte, 16)
	_, _ = rand.Read(serial) // never fails
	serial[0] = serial[0]&0x7f | 0x40
	now = now.UTC().Truncate(time.Second)
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject: pkix.Name{
			Country: []string{"US"}, Province: []string{"WA"}, Locality: []string{"Seattle"},
			Organization: []string{"Notary"}, CommonName: name,
		},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(validFor),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// testKeyDocument is the result of cert generate-test.
type testKeyDocument struct {
	Name        string       `json:"name"`
	Algorithm   keyAlgorithm `json:"algorithm"`
	Subject     string       `json:"subject"`
	Fingerprint string       `json:"SHA256Fingerprint"`
	NotAfter    string       `json:"expiry"`
	Default     bool         `json:"default"`
	KeyPath     string       `json:"keyPath"`
	CertPath    string       `json:"certPath"`
	CopyPath    string       `json:"certificatePath"`
	Store       string       `json:"store"`
	StorePath   string       `json:"storePath"`
}

func (d *testKeyDocument) text(p *page) {
	what := "listed for 'notation sign' as " + d.Name
	if d.Default {
		what += ", the default key"
	}
	p.line("Made the %s test key and certificate %q, valid until %s.", d.Algorithm, d.Name, d.NotAfter)
	p.table("  ", [][]cell{
		row("private key", d.KeyPath+" (mode 0600)"),
		row("certificate", d.CertPath),
		row("", d.CopyPath),
		row("trust store", d.Store+", "+d.StorePath),
		row("signing key", what),
	})
}

func (a *app) certCleanupTestCommand() *cobra.Command {
	var yes bool
	cmd := a.leaf(&cobra.Command{
		Use:   "cleanup-test NAME [flags]",
		Short: "Remove what generate-test has made",
		Long: `Remove a test key: its entry in the list of keys, its files, and its certificate
from the trust store ca:NAME. What is missing already is no error. The trust
policy is not changed.

Without --yes the command asks first, and refuses if there is nobody to ask.`,
		Example: `  # Remove a test key
  notation cert cleanup-test --yes wabbit-networks.io`,
	}, 1, 1, func(ctx context.Context, args []string) (document, error) {
		dirs, err := a.dirs()
		if err != nil {
			return nil, err
		}
		name := args[0]
		if err := config.CheckName(name); err != nil {
			return nil, err
		}
		if err := a.confirm(ctx, yes, fmt.Sprintf("Remove the test key %q with its files and its certificate from trust store ca:%s?", name, name)); err != nil {
			return nil, err
		}
		removed, err := dirs.RemoveTestKey(ctx, a.env.Files, name)
		if err != nil {
			return nil, err
		}
		store := dirs.TestKeyFiles(name).Store
		if left, err := dirs.StoreFiles(store); err == nil && len(left) == 0 && a.policyNames(dirs, store) {
			a.warn("the trust policy still names %s, which is empty now", store)
		}
		return &removedDocument{Removed: removed}, nil
	})
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.ValidArgsFunction = a.completeKeys
	return cmd
}
