package certchain

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// A maker makes a chain. The options say for which profile, and may be more.
type maker func(t testing.TB, o testpki.Options) []*x509.Certificate

func optionsFor(p Profile) testpki.Options { return testpki.Options{TSA: p == TimeStamping} }

// bent is a chain in which the template at a position was changed.
func bent(position int, change func(*x509.Certificate)) maker {
	return func(t testing.TB, o testpki.Options) []*x509.Certificate {
		t.Helper()
		o.Modify = func(i int, c *x509.Certificate) {
			if i == position {
				change(c)
			}
		}
		return testpki.New(t, o).Certs
	}
}

// withExtension is a chain in which the certificate at a position has these
// extensions instead of its own of the same type.
func withExtension(position int, extensions ...pkix.Extension) maker {
	return bent(position, func(c *x509.Certificate) {
		c.ExtraExtensions = slices.DeleteFunc(c.ExtraExtensions, func(e pkix.Extension) bool {
			return e.Id.Equal(extensions[0].Id)
		})
		c.ExtraExtensions = append(c.ExtraExtensions, extensions...)
	})
}

// withoutExtension is a chain in which the certificate at a position lacks an
// extension.
func withoutExtension(position int, id asn1.ObjectIdentifier) maker {
	return rebuilt(position, func(r *testpki.Raw) {
		r.Extensions = slices.DeleteFunc(r.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(id) })
	})
}

// rebuilt is an EC-256 chain in which the certificate at a position is built
// from changed DER and signed again by its issuer.
func rebuilt(position int, change func(*testpki.Raw)) maker {
	return resigned(position, "ec-256", x509.ECDSAWithSHA256, change)
}

// resigned is like rebuilt, with keys and signature of an algorithm.
func resigned(position int, keys string, algorithm x509.SignatureAlgorithm, change func(*testpki.Raw)) maker {
	return func(t testing.TB, o testpki.Options) []*x509.Certificate {
		t.Helper()
		o.Algorithm = keys
		c := testpki.New(t, o)
		raw := testpki.RawFrom(c.Certs[position])
		if change != nil {
			change(&raw)
		}
		issuer := c.Keys[min(position+1, len(c.Keys)-1)]
		c.Certs[position] = testpki.Parse(t, raw.Sign(t, issuer, algorithm))
		return c.Certs
	}
}

// withSPKI is a chain whose leaf has another public key.
func withSPKI(spki func(testing.TB) []byte) maker {
	return func(t testing.TB, o testpki.Options) []*x509.Certificate {
		t.Helper()
		return rebuilt(0, func(r *testpki.Raw) { r.SPKI = spki(t) })(t, o)
	}
}

// touched is a chain in which a parsed certificate was changed in memory, as a
// parser other than ours might give it.
func touched(position int, change func(*x509.Certificate)) maker {
	return func(t testing.TB, o testpki.Options) []*x509.Certificate {
		t.Helper()
		certs := testpki.New(t, o).Certs
		c := *certs[position]
		c.Extensions = slices.Clone(c.Extensions)
		change(&c)
		certs[position] = &c
		return certs
	}
}

// rsaSPKI encodes an RSA public key of any numbers, RFC 3279 section 2.3.1.
func rsaSPKI(n *big.Int, e int64) []byte {
	return testpki.DER(0x30,
		testpki.DER(0x30, testpki.OID("1.2.840.113549.1.1.1"), testpki.DER(0x05)),
		testpki.BitString(testpki.DER(0x30, integer(n), integer(big.NewInt(e)))))
}

func integer(n *big.Int) []byte {
	der, err := asn1.Marshal(n)
	if err != nil {
		panic(err)
	}
	return der
}

// oddNumber returns 2^(bits-1)+1.
func oddNumber(bits uint) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return n.Add(n, big.NewInt(1))
}

func basicConstraints(critical bool, content ...[]byte) pkix.Extension {
	return pkix.Extension{Id: oidBasicConstraints, Critical: critical, Value: testpki.DER(0x30, content...)}
}

// keyUsage encodes the bits of RFC 5280 section 4.2.1.3, most significant
// first.
func keyUsage(critical bool, bits ...byte) pkix.Extension {
	return pkix.Extension{
		Id: oidKeyUsage, Critical: critical, Value: testpki.DER(0x03, append([]byte{0}, bits...)),
	}
}

// subtreeOf encodes nameConstraints with one subtree, permitted (tag 0xa0) or
// excluded (tag 0xa1).
func subtreeOf(list, form byte, name []byte) pkix.Extension {
	return pkix.Extension{
		Id: oidNameConstraints, Critical: true,
		Value: testpki.DER(0x30, testpki.DER(list, testpki.DER(0x30, testpki.DER(form, name)))),
	}
}

func generalNames(critical bool, names ...[]byte) pkix.Extension {
	return pkix.Extension{Id: oidSubjectAltName, Critical: critical, Value: testpki.DER(0x30, names...)}
}

// ids returns the rules that a chain violates, each once, sorted.
func ids(violations []Violation) []string {
	var out []string
	for _, v := range violations {
		out = append(out, v.Rule.ID)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// codes returns the reasons in an error, in order and each once.
func codes(err error) []reason.Code {
	var out []reason.Code
	add := func(err error) {
		if code := reason.Of(err); !slices.Contains(out, code) {
			out = append(out, code)
		}
	}
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range all.Unwrap() {
			add(err)
		}
	} else if err != nil {
		add(err)
	}
	return out
}

func ecKey(t testing.TB, n int) crypto.Signer { return testpki.Key(t, "ec-256", n) }

func date(year int, month time.Month, day, hour, minute, second int) time.Time {
	return time.Date(year, month, day, hour, minute, second, 0, time.UTC)
}
