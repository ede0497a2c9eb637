package timestamp_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/timestamp"
)

func TestVerifyEveryAlgorithm(t *testing.T) {
	t.Parallel()
	for _, algorithm := range testpki.Algorithms() {
		for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
			for _, pss := range []bool{false, true} {
				if pss && algorithm[:3] != "rsa" {
					continue
				}
				t.Run(fmt.Sprintf("%s/%v/%v", algorithm, hash, pss), func(t *testing.T) {
					t.Parallel()
					tsa := newTSA(t, testpki.Options{Algorithm: algorithm})
					tsa.PSS, tsa.TokenHash = pss, hash
					v, err := verify(tsa.Stamp(t, message, hash), message, tsa.Root())
					if err != nil {
						t.Fatal(err)
					}
					if v.Info().Hash != hash {
						t.Errorf("hash %v", v.Info().Hash)
					}
				})
			}
		}
	}
}

func TestVerifiedInfo(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	tsa.Accuracy = testpki.Accuracy(1, 2, 3)
	token := bent(t, tsa, func(k *testpki.Token) { k.Info.Serial = serialOf(-5) })
	v, err := verify(token, message, tsa.Root())
	if err != nil {
		t.Fatal(err)
	}
	info := v.Info()
	deviation := time.Second + 2*time.Millisecond + 3*time.Microsecond
	if !info.Time.Equal(stampTime) || info.Accuracy != deviation || info.Policy != testpki.OIDExampleTSA ||
		info.Serial.Int64() != -5 || info.Hash != crypto.SHA256 || len(info.Chain) != 3 || !info.Chain[0].Equal(tsa.Leaf()) {
		t.Errorf("info %+v", info)
	}
	earliest, latest := info.Range()
	if !earliest.Equal(stampTime.Add(-deviation)) || !latest.Equal(stampTime.Add(deviation)) {
		t.Errorf("range %v to %v", earliest, latest)
	}
	info.Serial.SetInt64(7)
	info.Chain[0] = nil
	v.Token()[0] = 0
	if again := v.Info(); again.Serial.Int64() != -5 || again.Chain[0] == nil || !bytes.Equal(v.Token(), token) {
		t.Error("a verified token can be changed")
	}
	u, err := timestamp.Parse(token)
	if err != nil {
		t.Fatal(err)
	}
	if claims := u.Claims(); claims.Chain != nil || !claims.Time.Equal(stampTime) || len(u.Certificates()) != 3 {
		t.Errorf("claims %+v", claims)
	}
}

// What may vary in a good token.
func TestVerifyAccepts(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{Length: 4})
	stranger := testpki.New(t, testpki.Options{KeySet: 1, Name: "stranger", TSA: true})
	leaf := tsa.Leaf()
	withCert := func(k *testpki.Token, attribute ...[]byte) {
		signer(k).Attributes = append(attributes(k)[:2], attribute...)
	}
	for name, modify := range map[string]func(*testpki.Token){
		"nothing":          func(*testpki.Token) {},
		"root left out":    func(k *testpki.Token) { k.Certificates = k.Certificates[:3] },
		"root first":       func(k *testpki.Token) { slices.Reverse(k.Certificates) },
		"twice":            func(k *testpki.Token) { k.Certificates = append(k.Certificates, k.Certificates...) },
		"unreadable stray": func(k *testpki.Token) { k.Certificates = append([][]byte{testpki.DER(0x30)}, k.Certificates...) },
		"strangers first":  func(k *testpki.Token) { k.Certificates = append(stranger.DER(), k.Certificates...) },
		"version 1":        func(k *testpki.Token) { k.Version = 1 },
		"crls":             func(k *testpki.Token) { k.CRLs = testpki.DER(0x30) },
		"unsigned":         func(k *testpki.Token) { signer(k).Unsigned = testpki.SignedAttribute("1.2.3", testpki.DER(0x05)) },
		"more digests":     func(k *testpki.Token) { k.Digests = append(k.Digests, testpki.OIDSHA1) },
		"digest without parameters": func(k *testpki.Token) {
			signer(k).DigestDER = testpki.DER(0x30, testpki.OID(testpki.OIDSHA256))
		},
		"no accuracy":           func(k *testpki.Token) { k.Info.Accuracy = nil },
		"empty accuracy":        func(k *testpki.Token) { k.Info.Accuracy = [][]byte{} },
		"largest accuracy":      func(k *testpki.Token) { k.Info.Accuracy = testpki.Accuracy(86400, 999, 999) },
		"zero seconds":          func(k *testpki.Token) { k.Info.Accuracy = [][]byte{{2, 1, 0}} },
		"ordering":              func(k *testpki.Token) { k.Info.Ordering = testpki.DER(0x01, []byte{0xff}) },
		"ordering false":        func(k *testpki.Token) { k.Info.Ordering = testpki.DER(0x01, []byte{0}) },
		"nonce":                 func(k *testpki.Token) { k.Info.Nonce = serialOf(77) },
		"name":                  func(k *testpki.Token) { k.Info.Name = testpki.DER(0xa4, leaf.RawSubject) },
		"extension":             func(k *testpki.Token) { k.Info.Extensions = [][]byte{extension("1.2.3", false)} },
		"policy of large arcs":  func(k *testpki.Token) { k.Info.Policy = "1.3.6.1.4.1.2147483647" },
		"large serial":          func(k *testpki.Token) { k.Info.Serial = new(big.Int).Lsh(big.NewInt(1), 503) },
		"whole seconds":         func(k *testpki.Token) { k.Info.Time = "20260504030201Z" },
		"zero at the end":       func(k *testpki.Token) { k.Info.Time = "20260504030201.50Z" },
		"nanoseconds":           func(k *testpki.Token) { k.Info.Time = "20260504030201.123456789Z" },
		"other attributes":      func(k *testpki.Token) { signer(k).Attributes = append(attributes(k), testpki.SignedAttribute("1.2.3")) },
		"certificate by SHA-1":  func(k *testpki.Token) { withCert(k, v1(testpki.ESSCertID(leaf, true))) },
		"without issuerSerial":  func(k *testpki.Token) { withCert(k, v2(testpki.ESSCertIDV2(leaf, crypto.SHA256, false))) },
		"certificate by SHA512": func(k *testpki.Token) { withCert(k, v2(testpki.ESSCertIDV2(leaf, crypto.SHA512, true))) },
		"both versions": func(k *testpki.Token) {
			withCert(k, v1(testpki.ESSCertID(leaf, false)), v2(testpki.ESSCertIDV2(leaf, crypto.SHA256, false)))
		},
		"whole chain named": func(k *testpki.Token) {
			withCert(k, v2(testpki.ESSCertIDV2(leaf, crypto.SHA256, true),
				testpki.ESSCertIDV2(tsa.Certs[2], crypto.SHA256, true), testpki.ESSCertIDV2(tsa.Certs[1], crypto.SHA256, true)))
		},
		"policies": func(k *testpki.Token) {
			withCert(k, testpki.SignedAttribute(testpki.OIDSigningCertV2, testpki.DER(0x30,
				testpki.DER(0x30, testpki.ESSCertIDV2(leaf, crypto.SHA256, true)), testpki.DER(0x30))))
		},
		"order of attributes": func(k *testpki.Token) {
			all := attributes(k)
			slices.Reverse(all)
			signer(k).Attributes = all
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := verify(bent(t, tsa, modify), message, stranger.Root(), tsa.Root()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func v1(ids ...[]byte) []byte {
	return testpki.SignedAttribute(testpki.OIDSigningCert, testpki.SigningCertificate(ids...))
}

func v2(ids ...[]byte) []byte {
	return testpki.SignedAttribute(testpki.OIDSigningCertV2, testpki.SigningCertificate(ids...))
}

func extension(oid string, critical bool) []byte {
	parts := [][]byte{testpki.OID(oid)}
	if critical {
		parts = append(parts, testpki.DER(0x01, []byte{0xff}))
	}
	return testpki.DER(0x30, append(parts, testpki.DER(0x04, []byte("value")))...)
}

func TestSignerByKeyIdentifier(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{Modify: func(i int, c *x509.Certificate) {
		if i == 0 {
			c.SubjectKeyId = []byte("identifier")
		}
	}})
	byKey := func(id string) []byte {
		return bent(t, tsa, func(k *testpki.Token) {
			signer(k).Version, signer(k).Identifier = 3, testpki.DER(0x80, []byte(id))
		})
	}
	if _, err := verify(byKey("identifier"), message, tsa.Root()); err != nil {
		t.Error(err)
	}
	_, err := verify(byKey("identified"), message, tsa.Root())
	wantCode(t, err, reason.TimestampSigningCertificate)
}

func TestPlainRSAEncryption(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{Algorithm: "rsa-2048"})
	token := bent(t, tsa, func(k *testpki.Token) {
		signer(k).AlgorithmDER = testpki.DER(0x30, testpki.OID(testpki.OIDRSAEncryption), testpki.DER(0x05))
	})
	if _, err := verify(token, message, tsa.Root()); err != nil {
		t.Error(err)
	}
}

// Under the baseline policy an authority promises a second or better.
func TestBaselinePolicyAccuracy(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{})
	tsa.Policy = testpki.OIDBaselineTSA
	for want, accuracy := range map[time.Duration][][]byte{time.Second: nil, time.Millisecond: testpki.Accuracy(0, 1, 0)} {
		v, err := verify(bent(t, tsa, func(k *testpki.Token) { k.Info.Accuracy = accuracy }), message, tsa.Root())
		if err != nil {
			t.Fatal(err)
		}
		if v.Info().Accuracy != want {
			t.Errorf("accuracy %v, want %v", v.Info().Accuracy, want)
		}
	}
}

// A self-signed authority may be its own anchor.
func TestSelfSignedAuthority(t *testing.T) {
	t.Parallel()
	tsa := newTSA(t, testpki.Options{Length: 1})
	v, err := verify(tsa.Stamp(t, message, crypto.SHA256), message, tsa.Root())
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Info().Chain) != 1 {
		t.Errorf("chain of %d", len(v.Info().Chain))
	}
}

// A token made elsewhere, over the signature of an envelope made elsewhere.
func TestInterop(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "..", "shared", "interop")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the interop cases are missing: %v", err)
		}
		t.Skipf("the interop cases are not there: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "roots", "tsa.crt"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	root := testpki.Parse(t, block.Bytes)
	token, signature := interopToken(t, filepath.Join(dir, "timestamped-jws"))
	v, err := verify(token, signature, root)
	if err != nil {
		t.Fatal(err)
	}
	if info := v.Info(); info.Hash != crypto.SHA256 || len(info.Chain) != 2 || info.Policy != "1.3.6.1.4.1.57264.2" {
		t.Errorf("info %+v", info)
	}
	_, err = verify(token, []byte("another signature"), root)
	wantCode(t, err, reason.TimestampImprint)
}

// interopToken takes the token and the signature out of an envelope.
func interopToken(t testing.TB, layout string) (token, signature []byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(layout, "blobs", "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if u, err := envelope.Parse(envelope.MediaTypeJWS, data); err == nil {
			return u.Claims().Timestamp, u.Claims().Signature
		}
	}
	t.Fatalf("no envelope in %s", layout)
	return nil, nil
}
