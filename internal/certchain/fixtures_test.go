package certchain

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
)

// A fixture is a chain that breaks a rule.
type fixture struct {
	name string
	rule string
	make maker
	also []string // rules that cannot but be broken with it
	skip Profile  // the profile that does not have the rule
}

var someOID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}

var (
	derTrue  = testpki.DER(0x01, []byte{0xff})
	derFalse = testpki.DER(0x01, []byte{0x00})
)

func fixtures() []fixture {
	return slices.Concat(boundFixtures, certificateFixtures(), keyFixtures(), chainFixtures, issuerFixtures(), leafFixtures())
}

var boundFixtures = []fixture{
	{name: "no chain", rule: "chain-present",
		make: func(testing.TB, testpki.Options) []*x509.Certificate { return nil }},
	{name: "nil certificate", rule: "chain-present",
		make: func(t testing.TB, o testpki.Options) []*x509.Certificate {
			c := testpki.New(t, o).Certs
			c[1] = nil
			return c
		}},
	{name: "eleven certificates", rule: "chain-length",
		make: func(t testing.TB, o testpki.Options) []*x509.Certificate {
			o.Length = 11
			return testpki.New(t, o).Certs
		}},
	{name: "a certificate over 64 KiB", rule: "certificate-size",
		make: withExtension(1, pkix.Extension{Id: someOID, Value: make([]byte, 64<<10)})},
	{name: "a hundred and one extensions", rule: "certificate-size", make: rebuilt(0, func(r *testpki.Raw) {
		for i := len(r.Extensions); i <= maxExtensions; i++ {
			r.Extensions = append(r.Extensions, pkix.Extension{Id: append(slices.Clone(someOID), i)})
		}
	})},
}

// certificateFixtures break the rules for each certificate, at each position.
func certificateFixtures() []fixture {
	var out []fixture
	for position, where := range []string{"leaf", "intermediate", "root"} {
		without := []string{"leaf-key-usage-present", "tsa-extended-key-usage-present"}
		if position > 0 {
			without = []string{"ca-basic-constraints-present", "ca-key-usage-present"}
		}
		out = append(out,
			fixture{name: "version 1 " + where, rule: "version", also: without,
				make: rebuilt(position, func(r *testpki.Raw) { r.Version, r.Extensions = 1, nil })},
			fixture{name: "version 2 " + where, rule: "version", also: without,
				make: rebuilt(position, func(r *testpki.Raw) { r.Version, r.Extensions = 2, nil })},
			fixture{name: "serial 0 " + where, rule: "serial",
				make: rebuilt(position, func(r *testpki.Raw) { r.Serial = []byte{0} })},
			fixture{name: "serial negative " + where, rule: "serial",
				make: touched(position, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(-1) })},
			fixture{name: "serial of 21 octets " + where, rule: "serial",
				make: rebuilt(position, func(r *testpki.Raw) { r.Serial = append([]byte{0, 0x80}, make([]byte, 19)...) })},
			fixture{name: "duplicate extension " + where, rule: "extension-duplicate",
				make: touched(position, func(c *x509.Certificate) { c.Extensions = append(c.Extensions, c.Extensions[0]) })},
			fixture{name: "unknown critical extension " + where, rule: "extension-critical",
				make: withExtension(position, pkix.Extension{Id: someOID, Critical: true, Value: []byte{5, 0}})},
			fixture{name: "critical policy constraints " + where, rule: "extension-critical",
				make: withExtension(position, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 36}, Critical: true,
					Value: testpki.DER(0x30, testpki.DER(0x80, []byte{0}))})},
			fixture{name: "MD5 " + where, rule: "signature-hash", make: resigned(position, "rsa-2048", x509.MD5WithRSA, nil)},
			fixture{name: "SHA-1 with RSA " + where, rule: "signature-hash", make: resigned(position, "rsa-2048", x509.SHA1WithRSA, nil)},
			fixture{name: "SHA-1 with ECDSA " + where, rule: "signature-hash", make: resigned(position, "ec-256", x509.ECDSAWithSHA1, nil)},
			fixture{name: "DSA with SHA-256 " + where, rule: "signature-algorithm",
				make: rebuilt(position, func(r *testpki.Raw) {
					r.Algorithm = testpki.DER(0x30, testpki.OID("2.16.840.1.101.3.4.3.2"))
				})},
			fixture{name: "PSS with SHA-1 " + where, rule: "signature-algorithm",
				make: resigned(position, "rsa-2048", x509.SHA1WithRSA, func(r *testpki.Raw) {
					r.Algorithm = testpki.DER(0x30, testpki.OID("1.2.840.113549.1.1.10"), testpki.DER(0x30))
				})},
			fixture{name: "Ed25519 signature " + where, rule: "signature-algorithm",
				make: rebuilt(position, func(r *testpki.Raw) { r.Algorithm = testpki.DER(0x30, testpki.OID("1.3.101.112")) })},
		)
	}
	return out
}

// keyFixtures have keys that must be refused, at the leaf.
func keyFixtures() []fixture {
	weak := func(name string) maker {
		return withSPKI(func(t testing.TB) []byte { return testpki.SPKI(t, testpki.WeakKey(t, name)) })
	}
	crafted := func(n *big.Int, e int64) maker {
		return withSPKI(func(testing.TB) []byte { return rsaSPKI(n, e) })
	}
	even := new(big.Int).Lsh(big.NewInt(1), 2047)
	return []fixture{
		{name: "P-224", rule: "key-type", make: weak("ec-224")},
		{name: "Ed25519", rule: "key-type", make: weak("ed25519")},
		{name: "DSA", rule: "key-type", make: withSPKI(func(t testing.TB) []byte { return testpki.WeakSPKI(t, "dsa-2048") })},
		{name: "key for RSASSA-PSS only", rule: "key-type", make: withSPKI(func(t testing.TB) []byte {
			return testpki.DER(0x30, testpki.DER(0x30, testpki.OID("1.2.840.113549.1.1.10")), testpki.BitString([]byte{5, 0}))
		})},
		{name: "RSA 1024", rule: "key-size", make: weak("rsa-1024")},
		{name: "RSA 2047", rule: "key-size", make: crafted(oddNumber(2047), 65537)},
		{name: "RSA 8193", rule: "key-size", make: crafted(oddNumber(8193), 65537)},
		{name: "RSA 65536", rule: "key-size", make: crafted(oddNumber(65536), 65537)},
		{name: "exponent 1", rule: "key-parameters", make: crafted(oddNumber(2048), 1)},
		{name: "exponent 3", rule: "key-parameters", make: weak("rsa-2048-e3")},
		{name: "exponent 65535", rule: "key-parameters", make: crafted(oddNumber(2048), 65535)},
		{name: "exponent 65538", rule: "key-parameters", make: crafted(oddNumber(2048), 65538)},
		{name: "exponent 2^31+1", rule: "key-parameters", make: crafted(oddNumber(2048), 1<<31+1)},
		{name: "even modulus", rule: "key-parameters", make: crafted(even, 65537)},
		{name: "weak intermediate", rule: "key-type", also: []string{"signature-algorithm"}, make: weakIntermediate("ed25519", x509.PureEd25519)},
		{name: "weak intermediate", rule: "key-size", make: weakIntermediate("rsa-1024", x509.SHA256WithRSA)},
		{name: "weak intermediate", rule: "key-parameters", make: weakIntermediate("rsa-2048-e3", x509.SHA256WithRSA)},
	}
}

// weakIntermediate is a chain whose intermediate has a weak key and has signed
// the leaf with it.
func weakIntermediate(name string, algorithm x509.SignatureAlgorithm) maker {
	return func(t testing.TB, o testpki.Options) []*x509.Certificate {
		c, key := testpki.New(t, o), testpki.WeakKey(t, name)
		raw := testpki.RawFrom(c.Certs[1])
		raw.SPKI = testpki.SPKI(t, key)
		c.Certs[1] = testpki.Parse(t, raw.Sign(t, c.Keys[2], x509.ECDSAWithSHA256))
		c.Certs[0] = testpki.Parse(t, testpki.RawFrom(c.Certs[0]).Sign(t, key, algorithm))
		return c.Certs
	}
}

var chainFixtures = []fixture{
	{name: "reversed", rule: "chain-order",
		// The root is now the leaf and the other way round.
		also: []string{
			"leaf-not-ca", "leaf-key-usage-digital-signature", "leaf-key-usage-forbidden",
			"ca-basic-constraints-present", "ca-key-usage-cert-sign",
			"tsa-extended-key-usage-present",
		},
		make: reordered(2, 1, 0)},
	{name: "intermediates swapped", rule: "chain-order", make: reordered(0, 2, 1, 3)},
	{name: "root before its intermediate", rule: "chain-order", make: reordered(0, 2, 1)},
	{name: "self-signed stranger in the middle", rule: "chain-order", make: withStranger(1)},
	{name: "self-signed stranger at the end", rule: "chain-order", make: withStranger(3)},
	{name: "gap", rule: "chain-complete", make: reordered(0, 2)},
	{name: "root missing", rule: "chain-complete", make: reordered(0, 1)},
	{name: "leaf alone", rule: "chain-complete", make: reordered(0)},
	{name: "stranger that is not self-signed", rule: "chain-complete", also: []string{"chain-order"},
		make: func(t testing.TB, o testpki.Options) []*x509.Certificate {
			c := testpki.New(t, o).Certs
			stranger := testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1}).Certs[1]
			return slices.Insert(c, 1, stranger)
		}},
	{name: "certificate twice", rule: "chain-loop", also: []string{"chain-order"}, make: reordered(0, 1, 1, 2)},
	{name: "root twice", rule: "chain-loop", make: reordered(0, 1, 2, 2)},
	{name: "root twice, issued anew", rule: "chain-loop",
		make: func(t testing.TB, o testpki.Options) []*x509.Certificate {
			c := testpki.New(t, o)
			return append(c.Certs, testpki.Reissue(t, c.Certs[2], c.Certs[2], c.Keys[2]))
		}},
	{name: "cross-signed loop", rule: "chain-loop", make: crossSignedLoop, also: []string{"ca-path-length"}},
	{name: "issuer of the same name and another key", rule: "signature",
		make: func(t testing.TB, o testpki.Options) []*x509.Certificate {
			c := testpki.New(t, o).Certs
			o.KeySet = 1
			return append(c[:1], testpki.New(t, o).Certs[1:]...)
		}},
	{name: "root of the same name and another key", rule: "signature",
		make: func(t testing.TB, o testpki.Options) []*x509.Certificate {
			c := testpki.New(t, o).Certs
			o.KeySet = 1
			return append(c[:2], testpki.New(t, o).Root())
		}},
	{name: "root that is not self-signed but in name", rule: "signature",
		make: func(t testing.TB, o testpki.Options) []*x509.Certificate {
			c := testpki.New(t, o)
			raw := testpki.RawFrom(c.Root())
			c.Certs[2] = testpki.Parse(t, raw.Sign(t, ecKey(t, 7), x509.ECDSAWithSHA256))
			return c.Certs
		}},
	{name: "self-signed leaf with a forged signature", rule: "signature",
		make: func(t testing.TB, o testpki.Options) []*x509.Certificate {
			o.Length = 1
			raw := testpki.RawFrom(testpki.New(t, o).Leaf())
			return []*x509.Certificate{testpki.Parse(t, raw.Sign(t, ecKey(t, 7), x509.ECDSAWithSHA256))}
		}},
	{name: "RSA algorithm, EC key", rule: "signature",
		make: rebuilt(0, func(r *testpki.Raw) {
			r.Algorithm = testpki.DER(0x30, testpki.OID("1.2.840.113549.1.1.11"), testpki.DER(0x05))
		})},
}

func reordered(positions ...int) maker {
	return func(t testing.TB, o testpki.Options) []*x509.Certificate {
		o.Length = max(3, slices.Max(positions)+1)
		c := testpki.New(t, o).Certs
		var out []*x509.Certificate
		for _, p := range positions {
			out = append(out, c[p])
		}
		return out
	}
}

func withStranger(position int) maker {
	return func(t testing.TB, o testpki.Options) []*x509.Certificate {
		c := testpki.New(t, o).Certs
		return slices.Insert(c, position, testpki.New(t, testpki.Options{Name: "stranger", KeySet: 1}).Root())
	}
}

// crossSignedLoop is leaf, A by B, B by A, A self-signed: every signature is
// good, and A is there twice. B allows no authority below but one.
func crossSignedLoop(t testing.TB, o testpki.Options) []*x509.Certificate {
	o.Length = 2
	a := testpki.New(t, o)
	b := testpki.New(t, testpki.Options{Name: "B", Length: 2, KeySet: 1, Modify: func(i int, c *x509.Certificate) {
		if i == 1 {
			c.MaxPathLenZero = true
		}
	}})
	return []*x509.Certificate{
		a.Leaf(),
		testpki.Reissue(t, a.Root(), b.Root(), b.Keys[1]),
		testpki.Reissue(t, b.Root(), a.Root(), a.Keys[1]),
		a.Root(),
	}
}

// issuerFixtures break the rules for issuers, at the intermediate and the root.
func issuerFixtures() []fixture {
	var out []fixture
	for position, where := range map[int]string{1: "intermediate", 2: "root"} {
		out = append(out,
			fixture{name: where, rule: "ca-basic-constraints-present", make: withoutExtension(position, oidBasicConstraints)},
			fixture{name: where, rule: "ca-basic-constraints-critical",
				make: withExtension(position, basicConstraints(false, derTrue))},
			fixture{name: where + " cA left out", rule: "ca-basic-constraints-ca",
				make: withExtension(position, basicConstraints(true))},
			fixture{name: where + " cA false", rule: "ca-basic-constraints-ca",
				make: withExtension(position, basicConstraints(true, derFalse))},
			fixture{name: where, rule: "ca-key-usage-present", make: withoutExtension(position, oidKeyUsage)},
			fixture{name: where, rule: "ca-key-usage-critical", make: withExtension(position, keyUsage(false, 0x06))},
			fixture{name: where, rule: "ca-key-usage-cert-sign", make: withExtension(position, keyUsage(true, 0x82))},
			fixture{name: where + " permitted subject", rule: "ca-name-constraints",
				make: withExtension(position, subtreeOf(0xa0, 0xa4, testpki.Name()))},
			fixture{name: where + " excluded subject", rule: "ca-name-constraints",
				make: withExtension(position, subtreeOf(0xa1, 0xa4, testpki.Name()))},
			fixture{name: where + " not critical", rule: "ca-name-constraints",
				make: withExtension(position, pkix.Extension{Id: oidNameConstraints,
					Value: subtreeOf(0xa0, 0xa4, testpki.Name()).Value})},
			fixture{name: where + " subtree that is no name", rule: "ca-name-constraints",
				make: touched(position, func(c *x509.Certificate) {
					c.Extensions = append(c.Extensions, subtreeOf(0xa0, 0x8c, nil))
				})},
			fixture{name: where + " subtree of another class", rule: "ca-name-constraints",
				make: touched(position, func(c *x509.Certificate) {
					c.Extensions = append(c.Extensions, subtreeOf(0xa0, 0x02, []byte{1}))
				})},
			fixture{name: where + " bytes behind", rule: "ca-name-constraints",
				make: touched(position, func(c *x509.Certificate) {
					e := subtreeOf(0xa0, 0x82, []byte("example.com"))
					e.Value = append(e.Value, 5, 0)
					c.Extensions = append(c.Extensions, e)
				})},
			fixture{name: where + " not DER", rule: "ca-name-constraints",
				make: touched(position, func(c *x509.Certificate) {
					c.Extensions = append(c.Extensions, pkix.Extension{Id: oidNameConstraints, Value: []byte{0x31, 0}})
				})},
		)
	}
	constrainedNames := func(constraint, san pkix.Extension) maker {
		return func(t testing.TB, o testpki.Options) []*x509.Certificate {
			o.Modify = func(i int, c *x509.Certificate) {
				switch i {
				case 0:
					c.ExtraExtensions = append(c.ExtraExtensions, san)
				case 2:
					c.ExtraExtensions = append(c.ExtraExtensions, constraint)
				}
			}
			return testpki.New(t, o).Certs
		}
	}
	return append(out,
		fixture{name: "leaf with a host name", rule: "ca-name-constraints", make: constrainedNames(
			subtreeOf(0xa0, 0x82, []byte("example.com")),
			generalNames(false, testpki.DER(0x82, []byte("host.example.com"))))},
		fixture{name: "intermediate with a host name", rule: "ca-name-constraints",
			make: func(t testing.TB, o testpki.Options) []*x509.Certificate {
				o.Modify = func(i int, c *x509.Certificate) {
					switch i {
					case 1:
						c.ExtraExtensions = append(c.ExtraExtensions, generalNames(false, testpki.DER(0x82, []byte("host.example.com"))))
					case 2:
						c.ExtraExtensions = append(c.ExtraExtensions, subtreeOf(0xa0, 0x82, []byte("example.com")))
					}
				}
				return testpki.New(t, o).Certs
			}},
		fixture{name: "leaf with a host name and its issuer's name", rule: "ca-name-constraints", make: selfIssuedLeaf},
		fixture{name: "leaf with an e-mail address in its subject", rule: "ca-name-constraints",
			make: func(t testing.TB, o testpki.Options) []*x509.Certificate {
				o.Modify = func(i int, c *x509.Certificate) {
					switch i {
					case 0:
						c.RawSubject = testpki.Name(testpki.RDN(
							testpki.Attribute("1.2.840.113549.1.9.1", testpki.IA5String, []byte("a@b.c"))))
					case 1:
						c.ExtraExtensions = append(c.ExtraExtensions, subtreeOf(0xa0, 0x81, []byte("example.com")))
					}
				}
				return testpki.New(t, o).Certs
			}},
		fixture{name: "leaf whose names cannot be read", rule: "ca-name-constraints",
			make: func(t testing.TB, o testpki.Options) []*x509.Certificate {
				certs := withExtension(1, subtreeOf(0xa0, 0x82, []byte("example.com")))(t, o)
				certs[0].Extensions = append(certs[0].Extensions, pkix.Extension{Id: oidSubjectAltName, Value: []byte{0x31, 0}})
				return certs
			}},
		fixture{name: "leaf with a name of no form", rule: "ca-name-constraints",
			make: func(t testing.TB, o testpki.Options) []*x509.Certificate {
				certs := withExtension(1, subtreeOf(0xa0, 0x82, []byte("example.com")))(t, o)
				certs[0].Extensions = append(certs[0].Extensions, generalNames(false, testpki.DER(0x8c)))
				return certs
			}},
		fixture{name: "root allows none", rule: "ca-path-length", make: pathLength(3, 2, 0)},
		fixture{name: "intermediate allows none", rule: "ca-path-length", make: pathLength(4, 2, 0)},
		fixture{name: "root allows one of two", rule: "ca-path-length", make: pathLength(4, 3, 1)},
	)
}

// selfIssuedLeaf is a chain whose leaf has the name of its issuer, which is
// limited to some host names, and a host name. RFC 5280 section 6.1.3 exempts
// self-issued certificates, but for the last.
func selfIssuedLeaf(t testing.TB, o testpki.Options) []*x509.Certificate {
	c := testpki.New(t, o)
	issuer := testpki.RawFrom(c.Certs[1])
	issuer.Extensions = append(issuer.Extensions, subtreeOf(0xa0, 0x82, []byte("example.com")))
	leaf := testpki.RawFrom(c.Certs[0])
	leaf.Subject, leaf.Issuer = issuer.Subject, issuer.Subject
	leaf.Extensions = append(leaf.Extensions, generalNames(false, testpki.DER(0x82, []byte("host.example.com"))))
	c.Certs[1] = testpki.Parse(t, issuer.Sign(t, c.Keys[2], x509.ECDSAWithSHA256))
	c.Certs[0] = testpki.Parse(t, leaf.Sign(t, c.Keys[1], x509.ECDSAWithSHA256))
	return c.Certs
}

// pathLength is a chain in which a certificate has a pathLenConstraint.
func pathLength(length, position, limit int) maker {
	return func(t testing.TB, o testpki.Options) []*x509.Certificate {
		o.Length = length
		return bent(position, func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = limit, true })(t, o)
	}
}

func leafFixtures() []fixture {
	out := []fixture{
		{name: "cA true", rule: "leaf-not-ca", make: withExtension(0, basicConstraints(true, derTrue))},
		{name: "cA true, not critical", rule: "leaf-not-ca", make: withExtension(0, basicConstraints(false, derTrue))},
		{name: "self-signed authority alone", rule: "leaf-not-ca",
			make: func(t testing.TB, o testpki.Options) []*x509.Certificate {
				o.Length = 1
				return withExtension(0, basicConstraints(true, derTrue))(t, o)
			}},
		{name: "leaf", rule: "leaf-key-usage-present", make: withoutExtension(0, oidKeyUsage)},
		{name: "leaf", rule: "leaf-key-usage-critical", skip: TimeStamping, make: withExtension(0, keyUsage(false, 0x80))},
		{name: "nonRepudiation alone", rule: "leaf-key-usage-digital-signature", make: withExtension(0, keyUsage(true, 0x40))},
		{name: "empty", rule: "leaf-key-usage-digital-signature", make: withExtension(0, keyUsage(true, 0x00))},

		{name: "empty", rule: "leaf-extended-key-usage", skip: TimeStamping, make: withExtension(0, testpki.EKU(false))},
		{name: "two forbidden", rule: "leaf-extended-key-usage", skip: TimeStamping,
			make: withExtension(0, testpki.EKU(true, testpki.OIDServerAuth, testpki.OIDAnyEKU))},

		{name: "leaf", rule: "tsa-extended-key-usage-present", skip: CodeSigning, make: withoutExtension(0, oidExtendedKeyUsage)},
		{name: "leaf", rule: "tsa-extended-key-usage-critical", skip: CodeSigning,
			make: withExtension(0, testpki.EKU(false, testpki.OIDTimeStamping))},
		{name: "two", rule: "tsa-extended-key-usage-alone", skip: CodeSigning,
			make: withExtension(0, testpki.EKU(true, testpki.OIDTimeStamping, testpki.OIDCodeSigning))},
		{name: "one of them unknown", rule: "tsa-extended-key-usage-alone", skip: CodeSigning,
			make: withExtension(0, testpki.EKU(true, testpki.OIDTimeStamping, "1.2.3.4"))},
		{name: "another", rule: "tsa-extended-key-usage-alone", skip: CodeSigning,
			make: withExtension(0, testpki.EKU(true, testpki.OIDCodeSigning))},
		{name: "any", rule: "tsa-extended-key-usage-alone", skip: CodeSigning,
			make: withExtension(0, testpki.EKU(true, testpki.OIDAnyEKU))},
		{name: "none in it", rule: "tsa-extended-key-usage-alone", skip: CodeSigning, make: withExtension(0, testpki.EKU(true))},
	}
	for name, bits := range map[string][]byte{
		"keyEncipherment":  {0xa0},
		"dataEncipherment": {0x90},
		"keyAgreement":     {0x88},
		"keyCertSign":      {0x84},
		"cRLSign":          {0x82},
		"encipherOnly":     {0x81},
		"decipherOnly":     {0x80, 0x80},
	} {
		out = append(out, fixture{name: name, rule: "leaf-key-usage-forbidden", make: withExtension(0, keyUsage(true, bits...))})
	}
	for name, oid := range map[string]string{
		"any":             testpki.OIDAnyEKU,
		"serverAuth":      testpki.OIDServerAuth,
		"clientAuth":      testpki.OIDClientAuth,
		"emailProtection": testpki.OIDEmailProtection,
		"timeStamping":    testpki.OIDTimeStamping,
	} {
		out = append(out, fixture{name: name, rule: "leaf-extended-key-usage", skip: TimeStamping,
			make: withExtension(0, testpki.EKU(false, testpki.OIDCodeSigning, oid))})
	}
	return out
}
