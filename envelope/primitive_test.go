package envelope_test

import (
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 a key of a kind that must be refused
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

var message = []byte("message")

// attack: ENV-09
func TestVerifyPrimitiveECDSA(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ec-256", "ec-384", "ec-521"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, alg := testpki.Key(t, name, 0), algorithms[name]
			pub := key.Public().(*ecdsa.PublicKey)
			order := pub.Params().N
			width := (order.BitLen() + 7) / 8
			good := sign(t, key, alg.Hash(), message)
			if err := envelope.VerifyPrimitive(alg, pub, message, good); err != nil {
				t.Fatal(err)
			}
			r, s := new(big.Int).SetBytes(good[:width]), new(big.Int).SetBytes(good[width:])
			raw := func(r, s *big.Int) []byte {
				return append(r.FillBytes(make([]byte, width)), s.FillBytes(make([]byte, width))...)
			}
			der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
			if err != nil {
				t.Fatal(err)
			}
			zero, one := new(big.Int), big.NewInt(1)
			wide := new(big.Int).Sub(new(big.Int).Lsh(one, uint(8*width)), one)
			for what, sig := range map[string][]byte{
				"DER":                  der,
				"empty":                nil,
				"one byte short":       good[:2*width-1],
				"one byte long":        append(good[:2*width:2*width], 0),
				"leading zero in each": append(append([]byte{0}, good[:width]...), append([]byte{0}, good[width:]...)...),
				"r zero":               raw(zero, s),
				"s zero":               raw(r, zero),
				"both zero":            raw(zero, zero),
				"r the order":          raw(order, s),
				"s the order":          raw(r, order),
				"r above the order":    raw(wide, s),
				"s above the order":    raw(r, wide),
				"swapped":              raw(s, r),
				"one":                  raw(one, one),
				"changed":              raw(new(big.Int).Xor(r, one), s),
			} {
				if err := envelope.VerifyPrimitive(alg, pub, message, sig); err == nil {
					t.Errorf("%s: accepted", what)
				} else {
					wantReason(t, err, reason.EnvelopeSignature)
				}
			}
			wantReason(t, envelope.VerifyPrimitive(alg, pub, []byte("other"), good), reason.EnvelopeSignature)
			wantReason(t, envelope.VerifyPrimitive(alg, testpki.Key(t, name, 1).Public(), message, good), reason.EnvelopeSignature)
		})
	}
}

// attack: ENV-09
func TestVerifyPrimitiveRSA(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"rsa-2048", "rsa-3072", "rsa-4096"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key, alg := testpki.Key(t, name, 0).(*rsa.PrivateKey), algorithms[name]
			hash := alg.Hash()
			pss := func(salt int, hash crypto.Hash) []byte {
				h := hash.New()
				h.Write(message)
				sig, err := rsa.SignPSS(rand.Reader, key, hash, h.Sum(nil), &rsa.PSSOptions{SaltLength: salt})
				if err != nil {
					t.Fatal(err)
				}
				return sig
			}
			good := pss(hash.Size(), hash)
			if err := envelope.VerifyPrimitive(alg, key.Public(), message, good); err != nil {
				t.Fatal(err)
			}
			otherHash := crypto.SHA256
			if hash == otherHash {
				otherHash = crypto.SHA512
			}
			h := hash.New()
			h.Write(message)
			pkcs1, err := rsa.SignPKCS1v15(rand.Reader, key, hash, h.Sum(nil))
			if err != nil {
				t.Fatal(err)
			}
			for what, sig := range map[string][]byte{
				"empty":                 nil,
				"no salt":               pss(0, hash),
				"shorter salt":          pss(hash.Size()-1, hash),
				"longer salt":           pss(hash.Size()+1, hash),
				"longest salt":          pss(rsa.PSSSaltLengthAuto, hash),
				"another hash":          pss(otherHash.Size(), otherHash),
				"another hash, my salt": pss(hash.Size(), otherHash),
				"another MGF hash":      mgfMismatch(t, key, hash, otherHash),
				"PKCS #1 v1.5":          pkcs1,
				"one byte short":        good[1:],
				"leading zero":          append([]byte{0}, good...),
				"zero":                  make([]byte, len(good)),
				"the modulus":           key.N.Bytes(),
				"one":                   big.NewInt(1).FillBytes(make([]byte, len(good))),
			} {
				if err := envelope.VerifyPrimitive(alg, key.Public(), message, sig); err == nil {
					t.Errorf("%s: accepted", what)
				} else {
					wantReason(t, err, reason.EnvelopeSignature)
				}
			}
			wantReason(t, envelope.VerifyPrimitive(alg, key.Public(), []byte("other"), good), reason.EnvelopeSignature)
		})
	}
}

// mgfMismatch makes a PSS signature (RFC 8017 section 9.1.1) with a mask
// generation function over another hash than the message's. Go cannot make
// one, so the padding is done here.
func mgfMismatch(t *testing.T, key *rsa.PrivateKey, hash, mgf crypto.Hash) []byte {
	t.Helper()
	emLen := key.Size() // the modulus has 8*emLen bits, so emBits is one less
	salt := make([]byte, hash.Size())
	mHash := digestOf(hash, message)
	h := digestOf(hash, append(append(make([]byte, 8), mHash...), salt...))
	db := make([]byte, emLen-len(h)-1)
	db[len(db)-len(salt)-1] = 1
	copy(db[len(db)-len(salt):], salt)
	for counter, done := byte(0), 0; done < len(db); counter++ {
		for _, b := range digestOf(mgf, append(append([]byte{}, h...), 0, 0, 0, counter)) {
			if done < len(db) {
				db[done] ^= b
				done++
			}
		}
	}
	db[0] &= 0x7f
	em := append(append(db, h...), 0xbc)
	c := new(big.Int).Exp(new(big.Int).SetBytes(em), key.D, key.N)
	return c.FillBytes(make([]byte, emLen))
}

// TestMGFMismatchIsGoodOtherwise shows that mgfMismatch fails for its mask and
// nothing else.
func TestMGFMismatchIsGoodOtherwise(t *testing.T) {
	t.Parallel()
	key := testpki.Key(t, "rsa-2048", 0).(*rsa.PrivateKey)
	sig := mgfMismatch(t, key, crypto.SHA256, crypto.SHA256)
	if err := envelope.VerifyPrimitive(envelope.RSASSAPSSSHA256, key.Public(), message, sig); err != nil {
		t.Error(err)
	}
}

// attack: ENV-01
func TestAlgorithmFor(t *testing.T) {
	t.Parallel()
	for name, alg := range algorithms {
		got, err := envelope.AlgorithmFor(testpki.Key(t, name, 0).Public())
		if err != nil || got != alg {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k1 := &ecdsa.PublicKey{Curve: &elliptic.CurveParams{Name: "secp256k1", BitSize: 256}}
	rsaOf := func(bits uint) crypto.PublicKey {
		return &rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int), int(bits-1), 1), E: 65537}
	}
	for name, pub := range map[string]crypto.PublicKey{
		"nil": nil, "Ed25519": ed, "DSA": &dsa.PublicKey{}, "a private key": testpki.Key(t, "ec-256", 0),
		"P-224": &ecdsa.PublicKey{Curve: elliptic.P224()}, "secp256k1": k1, "no curve": &ecdsa.PublicKey{}, "an HMAC key": []byte("key"),
		"nil EC": (*ecdsa.PublicKey)(nil), "nil RSA": (*rsa.PublicKey)(nil), "empty RSA": &rsa.PublicKey{},
		"RSA 1024": rsaOf(1024), "RSA 2047": rsaOf(2047), "RSA 2049": rsaOf(2049), "RSA 2560": rsaOf(2560), "RSA 8192": rsaOf(8192),
	} {
		if alg, err := envelope.AlgorithmFor(pub); err == nil {
			t.Errorf("%s: %s", name, alg)
		} else {
			wantReason(t, err, reason.EnvelopeAlgorithm)
		}
		for _, alg := range algorithms {
			wantReason(t, envelope.VerifyPrimitive(alg, pub, message, make([]byte, 64)), reason.EnvelopeAlgorithm)
		}
	}
	wantReason(t, envelope.VerifyPrimitive(0, testpki.Key(t, "ec-256", 0).Public(), message, make([]byte, 64)), reason.EnvelopeAlgorithm)
	// A point that is not on its curve must fail and not panic.
	//lint:ignore SA1019 no other way makes such a key
	off := &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}
	sum := sha256.Sum256(message)
	sig := append(sum[:], sum[:]...)
	wantReason(t, envelope.VerifyPrimitive(envelope.ECDSASHA256, off, message, sig), reason.EnvelopeSignature)
}

func TestAlgorithmNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{
		"rsa-2048": {"RSASSA-PSS-SHA-256", "RSA-2048"}, "rsa-3072": {"RSASSA-PSS-SHA-384", "RSA-3072"}, "rsa-4096": {"RSASSA-PSS-SHA-512", "RSA-4096"},
		"ec-256": {"ECDSA-SHA-256", "EC-256"}, "ec-384": {"ECDSA-SHA-384", "EC-384"}, "ec-521": {"ECDSA-SHA-512", "EC-521"},
	} {
		alg := algorithms[name]
		if got := [2]string{alg.String(), alg.KeySpec()}; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
