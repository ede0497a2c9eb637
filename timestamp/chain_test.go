package timestamp_test

import (
	"crypto"
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

// The whole of the range must lie within the validity of each certificate.
//
// attack: TSP-03
// attack: TSP-05
func TestChainTime(t *testing.T) {
	t.Parallel()
	whole := stampTime.Truncate(time.Second)
	for name, tt := range map[string]struct {
		notBefore, notAfter time.Time
		ok                  bool
	}{
		"expired long since, valid then": {whole.AddDate(-1, 0, 0), whole.Add(time.Hour), true},
		"from the earliest second":       {whole.Add(-2 * time.Second), whole.AddDate(1, 0, 0), true},
		"a second too late":              {whole, whole.AddDate(1, 0, 0), false},
		"to the latest second":           {whole.AddDate(-1, 0, 0), whole.Add(2 * time.Second), true},
		"a second too early":             {whole.AddDate(-1, 0, 0), whole.Add(time.Second), false},
		"expired then":                   {whole.AddDate(-2, 0, 0), whole.AddDate(-1, 0, 0), false},
		"not yet valid then":             {whole.AddDate(1, 0, 0), whole.AddDate(2, 0, 0), false},
	} {
		for position := range 3 {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				tsa := newTSA(t, testpki.Options{Modify: func(i int, c *x509.Certificate) {
					if i == position {
						c.NotBefore, c.NotAfter = tt.notBefore, tt.notAfter
					}
				}})
				tsa.Accuracy = testpki.Accuracy(2, 0, 0) // 03:01:59.5 to 03:02:03.5
				_, err := verify(tsa.Stamp(t, message, crypto.SHA256), message, tsa.Root())
				// The range reaches into the second before and the second after.
				if tt.ok {
					if err != nil {
						t.Fatal(err)
					}
					return
				}
				wantCode(t, err, reason.TimestampChainTime)
			})
		}
	}
}

// attack: TSP-02
func TestChainRules(t *testing.T) {
	t.Parallel()
	for name, modify := range map[string]func(int, *x509.Certificate){
		"usage not critical": func(i int, c *x509.Certificate) {
			if i == 0 {
				c.ExtraExtensions[0] = testpki.EKU(false, testpki.OIDTimeStamping)
			}
		},
		"usage not alone": func(i int, c *x509.Certificate) {
			if i == 0 {
				c.ExtraExtensions[0] = testpki.EKU(true, testpki.OIDTimeStamping, testpki.OIDCodeSigning)
			}
		},
		"another usage": func(i int, c *x509.Certificate) {
			if i == 0 {
				c.ExtraExtensions[0] = testpki.EKU(true, testpki.OIDCodeSigning)
			}
		},
		"any usage": func(i int, c *x509.Certificate) {
			if i == 0 {
				c.ExtraExtensions[0] = testpki.EKU(true, testpki.OIDAnyEKU)
			}
		},
		"no usage": func(i int, c *x509.Certificate) {
			if i == 0 {
				c.ExtraExtensions = nil
			}
		},
		"issuer is no authority": func(i int, c *x509.Certificate) {
			if i == 1 {
				c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tsa := newTSA(t, testpki.Options{Modify: modify})
			_, err := verify(tsa.Stamp(t, message, crypto.SHA256), message, tsa.Root())
			wantCode(t, err, reason.TimestampChain)
		})
	}
}

// A certificate that conforms, put before the one that signed, must not be
// taken for the signer's: here it has the same subject, issuer and key.
//
// attack: TSP-02
func TestDecoy(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{Modify: func(i int, c *x509.Certificate) {
		if i == 0 {
			c.ExtraExtensions[0] = testpki.EKU(true, testpki.OIDTimeStamping, testpki.OIDCodeSigning)
		}
	}})
	decoy := tsa.IssueTSA(t, tsa.Key, func(c *x509.Certificate) {
		for i, e := range c.ExtraExtensions {
			if e.Id.String() == "2.5.29.37" {
				c.ExtraExtensions[i] = testpki.EKU(true, testpki.OIDTimeStamping)
			}
		}
	})
	put := func(k *testpki.Token) { k.Certificates = append([][]byte{decoy.Raw}, k.Certificates...) }
	_, err := verify(bent(t, tsa, put), message, tsa.Root())
	wantCode(t, err, reason.TimestampChain)

	good := newTSA(t, testpki.Options{})
	other := good.IssueTSA(t, testpki.Key(t, "ec-256", 8), nil)
	v, err := verify(bent(t, good, func(k *testpki.Token) {
		k.Certificates = append([][]byte{other.Raw}, k.Certificates...)
	}), message, good.Root())
	if err != nil {
		t.Fatal(err)
	}
	if !v.Info().Chain[0].Equal(good.Leaf()) {
		t.Error("the decoy was taken for the signer")
	}
}

// attack: TSP-05
func TestRoots(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	token := tsa.Stamp(t, message, crypto.SHA256)
	namesake := newTSA(t, testpki.Options{KeySet: 1})
	for name, tt := range map[string]struct {
		roots []*x509.Certificate
		code  reason.Code
	}{
		"none":                    {nil, reason.TimestampRootUntrusted},
		"nil":                     {[]*x509.Certificate{nil}, reason.TimestampRootUntrusted},
		"an intermediate":         {[]*x509.Certificate{tsa.Certs[1]}, reason.TimestampRootUntrusted},
		"the leaf":                {[]*x509.Certificate{tsa.Leaf()}, reason.TimestampRootUntrusted},
		"another of the name":     {[]*x509.Certificate{namesake.Root()}, reason.TimestampChain},
		"a stranger":              {[]*x509.Certificate{testpki.New(t, testpki.Options{Name: "stranger"}).Root()}, reason.TimestampRootUntrusted},
		"the root after namesake": {[]*x509.Certificate{namesake.Root(), tsa.Root()}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := verify(token, message, tt.roots...)
			if tt.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantCode(t, err, tt.code)
		})
	}
}

// Where authorities certify each other, there are several paths, and one that
// is good is found whatever the order.
func TestCrossSigned(t *testing.T) {
	t.Parallel()
	tsa, other := newTSA(t, testpki.Options{Length: 4}), newTSA(t, testpki.Options{KeySet: 2, Name: "other", Length: 4})
	cross := testpki.Reissue(t, tsa.Certs[2], other.Root(), other.Keys[3])
	token := bent(t, tsa, func(k *testpki.Token) {
		k.Certificates = append([][]byte{cross.Raw}, append(k.Certificates, other.DER()...)...)
	})
	for _, root := range []*x509.Certificate{tsa.Root(), other.Root()} {
		v, err := verify(token, message, root)
		if err != nil {
			t.Fatal(err)
		}
		if chain := v.Info().Chain; !chain[len(chain)-1].Equal(root) {
			t.Error("the chain does not end in the root")
		}
	}
}

// Certificates that certify each other in circles do not keep the search busy.
func TestMazeOfIssuers(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	var maze [][]byte
	for range 28 {
		loop := testpki.Reissue(t, tsa.Certs[1], tsa.Certs[1], tsa.Keys[1])
		maze = append(maze, loop.Raw)
	}
	token := bent(t, tsa, func(k *testpki.Token) { k.Certificates = append(maze, k.Certificates[0]) })
	_, err := verify(token, message, testpki.New(t, testpki.Options{KeySet: 1, Name: "other"}).Root())
	wantCode(t, err, reason.TimestampRootUntrusted)

	// Here each way out of the maze is a chain with a bad signature.
	namesake := newTSA(t, testpki.Options{KeySet: 1})
	token = bent(t, tsa, func(k *testpki.Token) { k.Certificates = append(maze, k.Certificates...) })
	_, err = verify(token, message, slices.Repeat([]*x509.Certificate{namesake.Root()}, 40)...)
	wantCode(t, err, reason.TimestampChain)
}

// attack: TSP-02
func TestChainLength(t *testing.T) {
	t.Parallel()
	for length, ok := range map[int]bool{9: true, 11: false} {
		tsa := newTSA(t, testpki.Options{Length: 9})
		leaf, certs := tsa.Leaf(), tsa.Certs
		if !ok { // two more, between the leaf's issuer and the root
			upper := testpki.New(t, testpki.Options{Name: "upper", NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter})
			top := testpki.Reissue(t, certs[8], upper.Certs[1], upper.Keys[1])
			certs = append(append(certs[:8:8], top), upper.Certs[1:]...)
		}
		token := bent(t, tsa, func(k *testpki.Token) { k.Certificates = (&testpki.Chain{Certs: certs}).DER() })
		_, err := verify(token, message, certs[len(certs)-1])
		if ok && err != nil {
			t.Errorf("%d certificates: %v", length, err)
		}
		if !ok {
			wantCode(t, err, reason.TimestampRootUntrusted)
		}
	}
}
