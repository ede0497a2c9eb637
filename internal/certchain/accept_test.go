package certchain

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// What is unusual but right must pass.
func TestAcceptsUnusualChains(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]maker{
		"leaf with cA false":                   withExtension(0, basicConstraints(true)),
		"leaf with cA false spelled out":       withExtension(0, basicConstraints(false, derFalse)),
		"leaf with contentCommitment":          withExtension(0, keyUsage(true, 0xc0)),
		"no extendedKeyUsage":                  withoutExtension(0, oidExtendedKeyUsage),
		"critical extendedKeyUsage":            withExtension(0, testpki.EKU(true, testpki.OIDCodeSigning)),
		"another purpose beside code signing":  withExtension(0, testpki.EKU(false, testpki.OIDCodeSigning, testpki.OIDOCSPSigning, "1.2.3")),
		"purpose unknown":                      withExtension(0, testpki.EKU(false, "1.2.3")),
		"unknown extension, not critical":      withExtension(0, pkix.Extension{Id: someOID, Value: []byte{5, 0}}),
		"critical subjectAltName":              withExtension(0, generalNames(true, testpki.DER(0x82, []byte("a.b")))),
		"critical certificatePolicies":         withExtension(1, policies(true)),
		"issuer with digitalSignature":         withExtension(1, keyUsage(true, 0x86)),
		"issuer with extendedKeyUsage":         withExtension(1, testpki.EKU(true, testpki.OIDServerAuth)),
		"serial of 20 octets":                  rebuilt(0, func(r *testpki.Raw) { r.Serial = append([]byte{0x7f}, slices.Repeat([]byte{0xff}, 19)...) }),
		"serial one":                           rebuilt(0, func(r *testpki.Raw) { r.Serial = []byte{1} }),
		"a hundred extensions":                 manyExtensions,
		"path length just enough for none":     pathLength(2, 1, 0),
		"path length just enough for one":      pathLength(3, 2, 1),
		"path length zero at the lowest":       pathLength(5, 1, 0),
		"host name constraints, no host names": withExtension(2, subtreeOf(0xa0, 0x82, []byte("example.com"))),
		"e-mail constraints, a host name":      constrainedByEmail,
		"name constraints on a self-issued":    selfIssuedBelowConstraints,
		"PSS SHA-256":                          resigned(0, "rsa-2048", x509.SHA256WithRSAPSS, nil),
		"PSS SHA-384":                          resigned(1, "rsa-3072", x509.SHA384WithRSAPSS, nil),
		"PSS SHA-512":                          resigned(2, "rsa-4096", x509.SHA512WithRSAPSS, nil),
		"EC-256 key, SHA-512":                  resigned(0, "ec-256", x509.ECDSAWithSHA512, nil),
		"RSA authorities above an EC leaf":     mixed,
		"validity beyond the issuer's":         bent(0, func(c *x509.Certificate) { c.NotAfter = c.NotAfter.AddDate(50, 0, 0) }),
		"year 9999":                            bent(2, func(c *x509.Certificate) { c.NotAfter = date(9999, 12, 31, 23, 59, 59) }),
		"RSA of 8192 bits":                     withSPKI(func(testing.TB) []byte { return rsaSPKI(oddNumber(8192), 65537) }),
		"greatest exponent":                    withSPKI(func(testing.TB) []byte { return rsaSPKI(oddNumber(2048), 1<<31-1) }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := Check(make(t, testpki.Options{}), CodeSigning); err != nil {
				t.Error(err)
			}
		})
	}
}

// RFC 3161 does not ask for a critical keyUsage.
func TestAcceptsTimeStampingKeyUsageNotCritical(t *testing.T) {
	t.Parallel()
	chain := withExtension(0, keyUsage(false, 0xc0))(t, testpki.Options{TSA: true})
	if err := Check(chain, TimeStamping); err != nil {
		t.Error(err)
	}
}

func policies(critical bool) pkix.Extension {
	return pkix.Extension{
		Id: oidCertificatePolicies, Critical: critical,
		Value: testpki.DER(0x30, testpki.DER(0x30, testpki.OID("2.23.140.1.4.1"))),
	}
}

func manyExtensions(t testing.TB, o testpki.Options) []*x509.Certificate {
	return rebuilt(0, func(r *testpki.Raw) {
		for i := len(r.Extensions); i < maxExtensions; i++ {
			r.Extensions = append(r.Extensions, pkix.Extension{Id: append(slices.Clone(someOID), i)})
		}
	})(t, o)
}

func constrainedByEmail(t testing.TB, o testpki.Options) []*x509.Certificate {
	o.Modify = func(i int, c *x509.Certificate) {
		switch i {
		case 0:
			c.DNSNames = []string{"host.example.com"}
		case 2:
			c.ExtraExtensions = append(c.ExtraExtensions, subtreeOf(0xa1, 0x81, []byte("example.com")))
		}
	}
	return testpki.New(t, o).Certs
}

// selfIssuedBelowConstraints has a root with constraints on subjects, an
// authority of the same name below it, and a leaf without a subject.
func selfIssuedBelowConstraints(t testing.TB, o testpki.Options) []*x509.Certificate {
	o.Modify = func(i int, c *x509.Certificate) {
		switch i {
		case 0:
			c.Subject = pkix.Name{}
		case 1:
			c.Subject.CommonName = "the authority"
		case 2:
			c.Subject.CommonName = "the authority"
			c.ExtraExtensions = append(c.ExtraExtensions, subtreeOf(0xa0, 0xa4, testpki.Name()))
		}
	}
	return testpki.New(t, o).Certs
}

func mixed(t testing.TB, o testpki.Options) []*x509.Certificate {
	o.CAAlgorithm = "rsa-2048"
	return testpki.New(t, o).Certs
}

// attack: CRT-05
func TestCrossSigning(t *testing.T) {
	t.Parallel()
	a := testpki.New(t, testpki.Options{})
	b := testpki.New(t, testpki.Options{Name: "B", KeySet: 1})
	cross := testpki.Reissue(t, a.Root(), b.Root(), b.Keys[2])
	for name, chain := range map[string][]*x509.Certificate{
		"by its own root":     a.Certs,
		"by the other's root": {a.Certs[0], a.Certs[1], cross, b.Root()},
	} {
		if err := Check(chain, CodeSigning); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Each half of the two chains alone is none.
	for name, chain := range map[string][]*x509.Certificate{
		"ends at the cross-signed": {a.Certs[0], a.Certs[1], cross},
		"both roots":               {a.Certs[0], a.Certs[1], cross, b.Root(), a.Root()},
		"wrong root":               {a.Certs[0], a.Certs[1], b.Root()},
	} {
		if Check(chain, CodeSigning) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// An authority that changed its key and signed the new one with the old is in
// the chain twice by name. It counts for no path length.
//
// attack: CRT-05
func TestKeyRollover(t *testing.T) {
	t.Parallel()
	o := testpki.Options{Modify: func(i int, c *x509.Certificate) {
		if i > 0 {
			c.Subject.CommonName = "the authority"
			c.MaxPathLen, c.MaxPathLenZero = 0, true
		}
	}}
	if err := Check(testpki.New(t, o).Certs, CodeSigning); err != nil {
		t.Error(err)
	}
}

// The identifiers say that the wrong issuer is the right one, or agree on
// nothing. The signature decides.
//
// attack: CRT-05
func TestKeyIdentifiersDecideNothing(t *testing.T) {
	t.Parallel()
	same := testpki.Options{Modify: func(_ int, c *x509.Certificate) { c.SubjectKeyId = []byte{1} }}
	good := testpki.New(t, same)
	if err := Check(good.Certs, CodeSigning); err != nil {
		t.Error("the same identifier everywhere:", err)
	}
	same.KeySet = 1
	other := testpki.New(t, same)
	chain := []*x509.Certificate{good.Certs[0], other.Certs[1], other.Certs[2]}
	if got := ids(Lint(chain, CodeSigning)); !slices.Equal(got, []string{"signature"}) {
		t.Errorf("another key with the same identifier: %v", got)
	}
	wrong := rebuilt(0, func(r *testpki.Raw) {
		for i, e := range r.Extensions {
			if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 35}) {
				r.Extensions[i].Value = testpki.DER(0x30, testpki.DER(0x80, []byte{9, 9}))
			}
		}
	})
	if err := Check(wrong(t, testpki.Options{}), CodeSigning); err != nil {
		t.Error("an identifier of nobody:", err)
	}
}

// A certificate is not refused for its subject.
//
// attack: CRT-06
func TestAcceptsUnusualSubjects(t *testing.T) {
	t.Parallel()
	text := func(oid, value string) []byte { return testpki.Attribute(oid, testpki.UTF8String, []byte(value)) }
	cn := func(value string) []byte { return testpki.Name(testpki.RDN(text("2.5.4.3", value))) }
	for name, subject := range map[string][]byte{
		"empty":             testpki.Name(),
		"multi-valued":      testpki.Name(testpki.RDN(text("2.5.4.3", "x"), text("2.5.4.10", "y"))),
		"repeated O":        testpki.Name(testpki.RDN(text("2.5.4.10", "x")), testpki.RDN(text("2.5.4.10", "x"))),
		"comma and more":    cn(`a,O=b+"\;<>#= `),
		"NUL":               cn("a\x00b"),
		"bidi":              cn("\u202ea"),
		"NFD":               cn("e\u0301"),
		"empty value":       cn(""),
		"Teletex":           testpki.Name(testpki.RDN(testpki.Attribute("2.5.4.3", testpki.TeletexString, []byte("\xe9")))),
		"BMP":               testpki.Name(testpki.RDN(testpki.Attribute("2.5.4.3", testpki.BMPString, []byte("\x01\x02")))),
		"EV":                testpki.Name(testpki.RDN(text("2.5.4.15", "x")), testpki.RDN(text("1.3.6.1.4.1.311.60.2.1.3", "US"))),
		"emailAddress":      testpki.Name(testpki.RDN(testpki.Attribute("1.2.840.113549.1.9.1", testpki.IA5String, []byte("a@b")))),
		"unknown attribute": testpki.Name(testpki.RDN(text("1.2.3.4", "x"))),
		"long":              cn(strings.Repeat("x", 10000)),
	} {
		chain := rebuilt(0, func(r *testpki.Raw) { r.Subject = subject })(t, testpki.Options{})
		if err := Check(chain, CodeSigning); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
