// Package testpki is a virtual public key infrastructure for tests: keys that
// are there at once, certificate chains of every shape, and certificates that
// no honest tool would write.
//
// [New] makes a chain from [Options]; [Options.Modify] bends a certificate as
// far as crypto/x509 is willing to encode it. [Issue] and [Reissue] put single
// certificates under an issuer, for cross-signing and for siblings. What
// crypto/x509 refuses to write (version 1, a serial number of zero, an
// extension given twice, an MD5 signature) is built from DER by [Raw].
//
// The keys are embedded, public and worthless. No product code imports this
// package.
package testpki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"
)

// Options shapes a chain. The zero value is a good EC-256 chain of three.
type Options struct {
	Algorithm   string // of every key, default "ec-256"
	CAAlgorithm string // of the keys above the leaf, default Algorithm
	KeySet      int    // 0 to 2: chains of three from different sets share no key

	Name   string // organisation, default "wabbit-networks.io": subjects are C=US, ST=WA, O=Name, CN=...
	Length int    // number of certificates, default 3; 1 is self-signed
	TSA    bool   // a time-stamping leaf

	NotBefore time.Time // default one hour ago
	NotAfter  time.Time // default in one day

	// Modify is called with each template before it is signed; the leaf is
	// position 0. What it leaves in ExtraExtensions wins over the fields.
	Modify func(position int, c *x509.Certificate)
}

// Chain is a key and its certificates, leaf first, root last.
type Chain struct {
	Key   crypto.Signer       // of the leaf
	Keys  []crypto.Signer     // Keys[i] belongs to Certs[i]
	Certs []*x509.Certificate // leaf first, root last
}

// Leaf returns the signing certificate.
func (c *Chain) Leaf() *x509.Certificate { return c.Certs[0] }

// Root returns the last certificate, which is the leaf in a chain of one.
func (c *Chain) Root() *x509.Certificate { return c.Certs[len(c.Certs)-1] }

// DER returns the certificates as DER, leaf first.
func (c *Chain) DER() [][]byte {
	der := make([][]byte, len(c.Certs))
	for i, cert := range c.Certs {
		der[i] = cert.Raw
	}
	return der
}

// CertPEM returns the chain as PEM, leaf first.
func (c *Chain) CertPEM() []byte {
	var out []byte
	for _, cert := range c.Certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return out
}

// KeyPEM returns the leaf's key as PKCS#8 PEM.
func (c *Chain) KeyPEM() []byte {
	der, err := x509.MarshalPKCS8PrivateKey(c.Key)
	if err != nil {
		panic(err) // all keys of this package have a PKCS#8 form
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// New makes a chain.
func New(t testing.TB, o Options) *Chain {
	t.Helper()
	o = o.withDefaults()
	c := &Chain{
		Keys:  make([]crypto.Signer, o.Length),
		Certs: make([]*x509.Certificate, o.Length),
	}
	templates := make([]*x509.Certificate, o.Length)
	for i := range templates {
		algorithm := o.CAAlgorithm
		if i == 0 {
			algorithm = o.Algorithm
		}
		c.Keys[i] = Key(t, algorithm, (3*o.KeySet+i)%keysPerAlgorithm)
		templates[i] = o.template(t, i)
		if o.Modify != nil {
			o.Modify(i, templates[i])
		}
	}
	c.Key = c.Keys[0]
	for i := o.Length - 1; i >= 0; i-- {
		if i == o.Length-1 {
			c.Certs[i] = Issue(t, templates[i], templates[i], c.Keys[i].Public(), c.Keys[i])
			continue
		}
		c.Certs[i] = Issue(t, templates[i], c.Certs[i+1], c.Keys[i].Public(), c.Keys[i+1])
	}
	return c
}

// Issue signs a template with the issuer's key and returns the certificate. A
// self-signed certificate is its own parent.
func Issue(t testing.TB, template, parent *x509.Certificate, subject crypto.PublicKey, issuer crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, subject, issuer)
	if err != nil {
		t.Fatalf("testpki: create certificate: %v", err)
	}
	return Parse(t, der)
}

// Reissue returns a certificate with the subject, the key and the extensions
// of cert, signed by another issuer: a cross-signed certificate.
func Reissue(t testing.TB, cert, issuer *x509.Certificate, issuerKey crypto.Signer) *x509.Certificate {
	t.Helper()
	template := *cert
	template.SerialNumber = serial(t)
	template.AuthorityKeyId = nil
	template.ExtraExtensions = slices.DeleteFunc(slices.Clone(cert.Extensions), func(e pkix.Extension) bool {
		return e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 35}) // authority key identifier: the new issuer's
	})
	template.SignatureAlgorithm = x509.UnknownSignatureAlgorithm
	return Issue(t, &template, issuer, cert.PublicKey, issuerKey)
}

// Parse parses one certificate and fails the test when crypto/x509 refuses it.
func Parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("testpki: parse certificate: %v", err)
	}
	return cert
}

func (o Options) withDefaults() Options {
	if o.Algorithm == "" {
		o.Algorithm = "ec-256"
	}
	if o.CAAlgorithm == "" {
		o.CAAlgorithm = o.Algorithm
	}
	if o.Name == "" {
		o.Name = "wabbit-networks.io"
	}
	if o.Length == 0 {
		o.Length = 3
	}
	if o.NotBefore.IsZero() {
		o.NotBefore = time.Now().Add(-time.Hour)
	}
	if o.NotAfter.IsZero() {
		o.NotAfter = time.Now().Add(24 * time.Hour)
	}
	return o
}

// template returns what the certificate at a position is made from.
func (o Options) template(t testing.TB, position int) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: serial(t),
		NotBefore:    o.NotBefore.UTC(),
		NotAfter:     o.NotAfter.UTC(),
		Subject: pkix.Name{
			Country:      []string{"US"},
			Province:     []string{"WA"},
			Organization: []string{o.Name},
		},
	}
	switch {
	case position == 0 && o.TSA:
		c.Subject.CommonName = o.Name + " time stamping"
		c.KeyUsage = x509.KeyUsageDigitalSignature
		// RFC 3161 section 2.3 wants this extension critical, and crypto/x509
		// writes it non-critical from ExtKeyUsage.
		c.ExtraExtensions = []pkix.Extension{EKU(true, OIDTimeStamping)}
	case position == 0:
		c.Subject.CommonName = o.Name
		c.KeyUsage = x509.KeyUsageDigitalSignature
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	default:
		c.Subject.CommonName = fmt.Sprintf("%s intermediate CA %d", o.Name, position)
		if position == o.Length-1 {
			c.Subject.CommonName = o.Name + " root CA"
		}
		c.BasicConstraintsValid = true
		c.IsCA = true
		c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	return c
}

// serial returns a random positive serial number of at most 16 octets.
func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		t.Fatalf("testpki: random serial number: %v", err)
	}
	return n.Add(n, big.NewInt(1))
}

// OIDs of extended key usages, for [EKU].
const (
	OIDServerAuth      = "1.3.6.1.5.5.7.3.1"
	OIDClientAuth      = "1.3.6.1.5.5.7.3.2"
	OIDCodeSigning     = "1.3.6.1.5.5.7.3.3"
	OIDEmailProtection = "1.3.6.1.5.5.7.3.4"
	OIDTimeStamping    = "1.3.6.1.5.5.7.3.8"
	OIDOCSPSigning     = "1.3.6.1.5.5.7.3.9"
	OIDAnyEKU          = "2.5.29.37.0"
)

// EKU returns an extended key usage extension with the given usages.
func EKU(critical bool, usages ...string) pkix.Extension {
	var parts [][]byte
	for _, usage := range usages {
		parts = append(parts, OID(usage))
	}
	return pkix.Extension{
		Id:       asn1.ObjectIdentifier{2, 5, 29, 37},
		Critical: critical,
		Value:    DER(0x30, parts...),
	}
}
