package keyfile

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// pfx writes a PKCS#12 file of a chain.
func pfx(t testing.TB, e *pkcs12.Encoder, chain *testpki.Chain, passphrase string) []byte {
	t.Helper()
	data, err := e.Encode(chain.Key, chain.Leaf(), chain.Certs[1:], passphrase)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestOpenPKCS12 reads files of each kind of encryption and of key.
func TestOpenPKCS12(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]*pkcs12.Encoder{
		"RC2": pkcs12.LegacyRC2, "Triple DES": pkcs12.LegacyDES, "AES": pkcs12.Modern2023, "PBMAC1": pkcs12.Modern2026,
	} {
		for _, algorithm := range testpki.Algorithms() {
			t.Run(name+" "+algorithm, func(t *testing.T) {
				t.Parallel()
				chain := testpki.New(t, testpki.Options{Algorithm: algorithm})
				key, certs, err := OpenPKCS12(pfx(t, e, chain, phrase), []byte(phrase))
				if err != nil {
					t.Fatal(err)
				}
				if !samePublic(key.Public(), chain.Key.Public()) || len(certs) != 3 || !certs[0].Equal(chain.Leaf()) {
					t.Errorf("%d certificates", len(certs))
				}
			})
		}
	}
}

// TestOpenPKCS12Refuses looks at what a file asks for before it is done.
//
// attack: KEY-01
// attack: KEY-02
func TestOpenPKCS12Refuses(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	good := pfx(t, pkcs12.LegacyDES, chain, phrase)
	trustStore, err := pkcs12.Modern2023.EncodeTrustStore(chain.Certs, phrase)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		data []byte
		code reason.Code
	}{
		"other pass phrase":  {pfx(t, pkcs12.Modern2023, chain, "another"), reason.SignerPassphrase},
		"no key":             {trustStore, reason.SignerPKCS12},
		"PEM":                {chain.KeyPEM(), reason.SignerPKCS12},
		"nothing":            {nil, reason.SignerPKCS12},
		"cut short":          {good[:len(good)-1], reason.SignerPKCS12},
		"more behind it":     {append(bytes.Clone(good), 0), reason.SignerPKCS12},
		"too long":           {make([]byte, MaxPKCS12Bytes+1), reason.SignerPKCS12},
		"version 4":          {bytes.Replace(good, []byte{2, 1, 3}, []byte{2, 1, 4}, 1), reason.SignerPKCS12},
		"many rounds in MAC": {outer(t, 0, nil, maxIterations+1), reason.SignerKeyEncryption},
		"many rounds":        {outer(t, maxIterations+1, nil, 1), reason.SignerKeyEncryption},
		"no rounds":          {outer(t, -1, nil, 1), reason.SignerKeyEncryption},
		"no parameters":      {outer(t, 0, der(t, pkix.AlgorithmIdentifier{Algorithm: oid(t, oidPBKDF2)}), 1), reason.SignerKeyEncryption},
		"many parts":         {outer(t, 0, bytes.Repeat([]byte{5, 0}, maxElements), 1), reason.SignerPKCS12},
		"deep":               {outer(t, 0, deep(t), 1), reason.SignerPKCS12},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := OpenPKCS12(tt.data, []byte(phrase))
			if reason.Of(err) != tt.code || reason.Hint(err) == "" {
				t.Errorf("error %v, want the code %s", err, tt.code)
			}
		})
	}
}

// outer is a file that asks for rounds inside an octet string, as the safe does
// that holds the key, and for others in its checksum.
func outer(t testing.TB, rounds int, content []byte, mac int) []byte {
	t.Helper()
	if content == nil && rounds != 0 {
		content = der(t, algorithm(t, "1.2.840.113549.1.12.1.3", struct {
			Salt       []byte
			Iterations int
		}{[]byte("salt"), rounds}))
	}
	return der(t, struct {
		Version  int
		AuthSafe struct {
			ID      asn1.ObjectIdentifier
			Content []byte `asn1:"tag:0,explicit"`
		}
		MAC struct {
			Digest     []int
			Salt       []byte
			Iterations int
		}
	}{
		Version: 3,
		AuthSafe: struct {
			ID      asn1.ObjectIdentifier
			Content []byte `asn1:"tag:0,explicit"`
		}{oid(t, "1.2.840.113549.1.7.1"), content},
		MAC: struct {
			Digest     []int
			Salt       []byte
			Iterations int
		}{nil, []byte("salt"), mac},
	})
}

func deep(t testing.TB) []byte {
	t.Helper()
	inner := []byte{5, 0}
	for range 2 * maxDepth {
		inner = der(t, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: inner})
	}
	return inner
}

// FuzzCheckPKCS12 looks for input that breaks what is looked at first.
func FuzzCheckPKCS12(f *testing.F) {
	chain := testpki.New(f, testpki.Options{})
	f.Add(pfx(f, pkcs12.Modern2026, chain, phrase))
	f.Add(pfx(f, pkcs12.LegacyRC2, chain, phrase))
	f.Add(outer(f, maxIterations+1, nil, 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := checkPKCS12(data); err != nil && reason.Of(err) == "" {
			t.Errorf("%v has no code", err)
		}
	})
}

// TestRequest asks for what a signing certificate needs, for every kind of key
// that may sign.
//
// attack: KEY-04
func TestRequest(t *testing.T) {
	t.Parallel()
	for _, algorithm := range testpki.Algorithms() {
		key := testpki.Key(t, algorithm, 0)
		request, subject, err := Request(key, RequestOptions{Subject: "C=US, ST=WA, O=wabbit-networks.io, CN=release", CodeSigning: algorithm == "ec-256"})
		if err != nil {
			t.Fatal(err)
		}
		if subject != "CN=release,O=wabbit-networks.io,ST=WA,C=US" {
			t.Errorf("subject %s", subject)
		}
		parsed := parseRequest(t, request)
		if err := parsed.CheckSignature(); err != nil || !samePublic(parsed.PublicKey, key.Public()) {
			t.Error(algorithm, err)
		}
		want := 1
		if algorithm == "ec-256" {
			want = 2
		}
		if len(parsed.Extensions) != want || !parsed.Extensions[0].Critical || !parsed.Extensions[0].Id.Equal(oid(t, "2.5.29.15")) {
			t.Errorf("extensions %v", parsed.Extensions)
		}
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak := []crypto.Signer{ed, odd{}}
	for _, name := range []string{"rsa-1024", "ec-224"} {
		weak = append(weak, testpki.WeakKey(t, name))
	}
	for _, key := range weak {
		if request, _, err := Request(key, RequestOptions{Subject: "C=US, ST=WA, O=x"}); request != nil || reason.Of(err) != reason.SignerKeyAlgorithm || reason.Hint(err) == "" {
			t.Errorf("%T: %v", key, err)
		}
	}
	for _, subject := range []string{"", "nothing", "C=USA, O=x", "=", "XYZ=1"} {
		if _, _, err := Request(testpki.Key(t, "ec-256", 0), RequestOptions{Subject: subject}); reason.Of(err) != reason.SignerSubject || reason.Hint(err) == "" {
			t.Errorf("%q: %v", subject, err)
		}
	}
	if _, _, err := Request(mute{public: testpki.Key(t, "ec-256", 0).Public()}, RequestOptions{Subject: "O=x"}); reason.Of(err) != reason.SignerFailed {
		t.Error(err)
	}
}

// mute is a key of a known kind that does not sign.
type mute struct {
	odd
	public crypto.PublicKey
}

func (k mute) Public() crypto.PublicKey { return k.public }

// TestPassphraseOfPKCS12 has characters that the format does not have, and bytes
// that are none.
func TestPassphraseOfPKCS12(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	if _, _, err := OpenPKCS12(pfx(t, pkcs12.Modern2023, chain, "p\u00e4ss\uffee"), []byte("p\u00e4ss\uffee")); err != nil {
		t.Error(err)
	}
	data := pfx(t, pkcs12.Modern2023, chain, "p\ufffd")
	for _, passphrase := range []string{"p\U0001f511", "p\xff"} {
		_, _, err := OpenPKCS12(data, []byte(passphrase))
		if reason.Of(err) != reason.SignerPassphrase || reason.Hint(err) == "" || strings.Contains(err.Error(), passphrase) {
			t.Errorf("%q: %v", passphrase, err)
		}
	}
}

func parseRequest(t *testing.T, text []byte) *x509.CertificateRequest {
	t.Helper()
	block := firstBlock(t, text)
	parsed, err := x509.ParseCertificateRequest(block)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}
