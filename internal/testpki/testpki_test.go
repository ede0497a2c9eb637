package testpki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"testing"
	"time"
)

func verify(t *testing.T, c *Chain) {
	t.Helper()
	for i, cert := range c.Certs {
		parent := c.Certs[min(i+1, len(c.Certs)-1)]
		if err := parent.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
			t.Errorf("certificate %d: %v", i, err)
		}
		if !bytes.Equal(cert.RawIssuer, parent.RawSubject) {
			t.Errorf("certificate %d: issuer is not the next one's subject", i)
		}
	}
}

func TestNewMakesChains(t *testing.T) {
	t.Parallel()
	for _, algorithm := range Algorithms() {
		for length := 1; length <= 4; length++ {
			t.Run(fmt.Sprintf("%s/%d", algorithm, length), func(t *testing.T) {
				t.Parallel()
				c := New(t, Options{Algorithm: algorithm, Length: length})
				if len(c.Certs) != length || len(c.DER()) != length {
					t.Fatalf("%d certificates, want %d", len(c.Certs), length)
				}
				verify(t, c)
				if c.Leaf().IsCA {
					t.Error("the leaf is a CA")
				}
				if length > 1 && !c.Root().IsCA {
					t.Error("the root is no CA")
				}
			})
		}
	}
}

func TestNewSatisfiesCryptoX509(t *testing.T) {
	t.Parallel()
	for _, tsa := range []bool{false, true} {
		c := New(t, Options{TSA: tsa})
		roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
		roots.AddCert(c.Root())
		intermediates.AddCert(c.Certs[1])
		usage := x509.ExtKeyUsageCodeSigning
		if tsa {
			usage = x509.ExtKeyUsageTimeStamping
		}
		_, err := c.Leaf().Verify(x509.VerifyOptions{
			Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{usage},
		})
		if err != nil {
			t.Errorf("TSA %v: %v", tsa, err)
		}
	}
}

func TestNewHonoursOptions(t *testing.T) {
	t.Parallel()
	from := time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC)
	c := New(t, Options{
		CAAlgorithm: "rsa-2048",
		Name:        "acme",
		NotBefore:   from,
		NotAfter:    from.AddDate(20, 0, 0),
		Modify: func(position int, c *x509.Certificate) {
			if position == 2 {
				c.MaxPathLen = 1
			}
		},
	})
	verify(t, c)
	if got := c.Leaf().Subject.String(); got != "CN=acme,O=acme,ST=WA,C=US" {
		t.Error(got)
	}
	if c.Leaf().PublicKeyAlgorithm != x509.ECDSA || c.Root().PublicKeyAlgorithm != x509.RSA {
		t.Error("algorithms are not those asked for")
	}
	if !c.Leaf().NotBefore.Equal(from) || !c.Leaf().NotAfter.Equal(from.AddDate(20, 0, 0)) {
		t.Error("validity is not the one asked for")
	}
	if c.Root().MaxPathLen != 1 || c.Certs[1].MaxPathLen != -1 {
		t.Error("Modify was not honoured")
	}
}

func TestKeySetsShareNoKey(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for set := range 3 {
		for _, cert := range New(t, Options{KeySet: set}).Certs {
			if seen[string(cert.RawSubjectPublicKeyInfo)] {
				t.Fatal("a key of two sets")
			}
			seen[string(cert.RawSubjectPublicKeyInfo)] = true
		}
	}
}

func TestPEM(t *testing.T) {
	t.Parallel()
	c := New(t, Options{})
	rest := c.CertPEM()
	for _, cert := range c.Certs {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if !bytes.Equal(block.Bytes, cert.Raw) {
			t.Fatal("other certificate")
		}
	}
	block, _ := pem.Decode(c.KeyPEM())
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(key.(crypto.Signer).Public()) {
		t.Error("other key")
	}
}

func TestReissue(t *testing.T) {
	t.Parallel()
	a, b := New(t, Options{}), New(t, Options{Name: "other", KeySet: 1})
	cross := Reissue(t, a.Root(), b.Root(), b.Keys[2])
	if !bytes.Equal(cross.RawSubject, a.Root().RawSubject) || !bytes.Equal(cross.RawIssuer, b.Root().RawSubject) {
		t.Error("wrong names")
	}
	if !bytes.Equal(cross.RawSubjectPublicKeyInfo, a.Root().RawSubjectPublicKeyInfo) || !cross.IsCA {
		t.Error("not the same certificate authority")
	}
	if err := cross.CheckSignatureFrom(b.Root()); err != nil {
		t.Error(err)
	}
	if err := a.Certs[1].CheckSignatureFrom(cross); err != nil {
		t.Error(err)
	}
}

func TestRawRepeatsAGoodCertificate(t *testing.T) {
	t.Parallel()
	for _, until := range []int{2049, 2051} {
		c := New(t, Options{NotAfter: time.Date(until, 1, 1, 0, 0, 0, 0, time.UTC)})
		leaf := c.Leaf()
		raw := RawFrom(leaf)
		if got := raw.tbs(DER(0x30, OID("1.2.840.10045.4.3.2"))); !bytes.Equal(got, leaf.RawTBSCertificate) {
			t.Errorf("%d: to-be-signed part differs:\n%x\n%x", until, got, leaf.RawTBSCertificate)
		}
		again := Parse(t, raw.Sign(t, c.Keys[1], x509.ECDSAWithSHA256))
		if err := again.CheckSignatureFrom(c.Certs[1]); err != nil {
			t.Error(err)
		}
	}
}

func TestRawSignsWithEveryAlgorithm(t *testing.T) {
	t.Parallel()
	rsa, ec := Key(t, "rsa-2048", 0), Key(t, "ec-256", 0)
	raw := RawFrom(New(t, Options{}).Leaf())
	for algorithm, key := range map[x509.SignatureAlgorithm]crypto.Signer{
		x509.MD5WithRSA: rsa, x509.SHA1WithRSA: rsa,
		x509.SHA256WithRSA: rsa, x509.SHA384WithRSA: rsa, x509.SHA512WithRSA: rsa,
		x509.SHA256WithRSAPSS: rsa, x509.SHA384WithRSAPSS: rsa, x509.SHA512WithRSAPSS: rsa,
		x509.ECDSAWithSHA1: ec, x509.ECDSAWithSHA256: ec, x509.ECDSAWithSHA384: ec, x509.ECDSAWithSHA512: ec,
		x509.PureEd25519: WeakKey(t, "ed25519"),
	} {
		cert := Parse(t, raw.Sign(t, key, algorithm))
		if cert.SignatureAlgorithm != algorithm {
			t.Errorf("%v reads as %v", algorithm, cert.SignatureAlgorithm)
		}
		issuer := &x509.Certificate{PublicKey: key.Public()}
		issuer.PublicKeyAlgorithm = cert.PublicKeyAlgorithm
		err := issuer.CheckSignature(algorithm, cert.RawTBSCertificate, cert.Signature)
		if err != nil && algorithm != x509.MD5WithRSA && algorithm != x509.SHA1WithRSA && algorithm != x509.ECDSAWithSHA1 {
			t.Errorf("%v: %v", algorithm, err)
		}
	}
}

func TestRawWritesTheUnwritable(t *testing.T) {
	t.Parallel()
	raw := RawFrom(New(t, Options{}).Leaf())
	raw.Version = 1
	raw.Extensions = nil
	raw.Subject = Name(RDN(Attribute("2.5.4.3", UTF8String, []byte("v1"))))
	cert := Parse(t, raw.Sign(t, Key(t, "ec-256", 0), x509.ECDSAWithSHA256))
	if cert.Version != 1 || cert.Subject.CommonName != "v1" {
		t.Errorf("version %d, subject %v", cert.Version, cert.Subject)
	}
	big := Extension(pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: make([]byte, 70000)})
	if len(big) < 70000 || !bytes.Contains(big, []byte{0x01, 0x01, 0xff}) {
		t.Error("extension is not as asked")
	}
}

func TestWeakKeys(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"rsa-1024", "rsa-2048-e3", "ec-224", "ed25519"} {
		if len(SPKI(t, WeakKey(t, name))) == 0 {
			t.Error(name)
		}
	}
	for _, name := range []string{"ec-256-explicit", "dsa-2048"} {
		if len(WeakSPKI(t, name)) == 0 {
			t.Error(name)
		}
	}
}
