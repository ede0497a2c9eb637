package keyfile

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"golang.org/x/crypto/scrypt"
)

const phrase = "correct horse"

// TestEncode reads back what it has written, of every kind of key.
func TestEncode(t *testing.T) {
	t.Parallel()
	for _, algorithm := range testpki.Algorithms() {
		for _, passphrase := range []string{"", phrase} {
			t.Run(algorithm+" "+passphrase, func(t *testing.T) {
				t.Parallel()
				key := testpki.Key(t, algorithm, 0)
				text, err := Encode(key, []byte(passphrase))
				if err != nil {
					t.Fatal(err)
				}
				if Encrypted(text) != (passphrase != "") {
					t.Errorf("encrypted: %t", Encrypted(text))
				}
				opened, err := Decrypt(text, []byte(passphrase))
				if err != nil {
					t.Fatal(err)
				}
				back, err := signer.KeyFromPEM(opened)
				if err != nil {
					t.Fatal(err)
				}
				if !samePublic(back.Public(), key.Public()) {
					t.Error("another key")
				}
			})
		}
	}
	if _, err := Encode(testpki.Key(t, "ec-256", 0), bytes.Repeat([]byte("x"), MaxPassphraseBytes+1)); reason.Of(err) != reason.SignerKeyEncryption {
		t.Error(err)
	}
	if _, err := Encode(odd{}, nil); reason.Of(err) != reason.SignerKeyAlgorithm {
		t.Error(err)
	}
}

// odd is a key of a kind that nothing here knows.
type odd struct{}

func (odd) Public() crypto.PublicKey { return nil }
func (odd) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("it cannot sign")
}

func samePublic(a, b any) bool {
	one, err1 := x509.MarshalPKIXPublicKey(a)
	two, err2 := x509.MarshalPKIXPublicKey(b)
	return err1 == nil && err2 == nil && bytes.Equal(one, two)
}

// oid reads dotted decimal.
func oid(t testing.TB, dotted string) asn1.ObjectIdentifier {
	t.Helper()
	var out asn1.ObjectIdentifier
	for part := range strings.SplitSeq(dotted, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

func der(t testing.TB, v any) []byte {
	t.Helper()
	out, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// algorithm makes an AlgorithmIdentifier.
func algorithm(t testing.TB, dotted string, params any) pkix.AlgorithmIdentifier {
	t.Helper()
	return pkix.AlgorithmIdentifier{Algorithm: oid(t, dotted), Parameters: asn1.RawValue{FullBytes: der(t, params)}}
}

const (
	aes128, aes256 = "2.16.840.1.101.3.4.1.2", "2.16.840.1.101.3.4.1.42"
	tripleDES      = "1.2.840.113549.3.7"
	sha512PRF      = "1.2.840.113549.2.11"
)

// file describes an encrypted key; its zero value is a good one.
type file struct {
	scheme, cipher, kdf string
	params              any // of kdf
	iv, data            []byte
	plain               []byte
}

func (f file) pem(t testing.TB, size int) []byte {
	t.Helper()
	if f.scheme == "" {
		f.scheme = oidPBES2
	}
	if f.cipher == "" {
		f.cipher = aes128
	}
	if f.kdf == "" {
		f.kdf = oidPBKDF2
	}
	if f.params == nil {
		f.params = pbkdf2Params{Salt: []byte("salt"), Iterations: 10}
	}
	if f.iv == nil {
		f.iv = make([]byte, aes.BlockSize)
	}
	if f.plain == nil {
		plain, err := x509.MarshalPKCS8PrivateKey(testpki.Key(t, "ec-256", 0))
		if err != nil {
			t.Fatal(err)
		}
		f.plain = plain
	}
	if f.data == nil {
		f.data = encrypt(t, f, size)
	}
	whole := encryptedKey{Algorithm: algorithm(t, f.scheme, pbes2{algorithm(t, f.kdf, f.params), algorithm(t, f.cipher, f.iv)}), Data: f.data}
	return pem.EncodeToMemory(&pem.Block{Type: labelEncrypted, Bytes: der(t, whole)})
}

func encrypt(t testing.TB, f file, size int) []byte {
	t.Helper()
	key := make([]byte, size)
	var err error
	switch p := f.params.(type) {
	case pbkdf2Params:
		if p.Iterations > 0 && p.Iterations < 1000 {
			key, err = pbkdf2.Key(prf(oidText(p.PRF.Algorithm)), phrase, p.Salt, p.Iterations, size)
		}
	case scryptParams:
		if p.N == 16 {
			key, err = scrypt.Key([]byte(phrase), p.Salt, p.N, p.R, p.P, size)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	padding := aes.BlockSize - len(f.plain)%aes.BlockSize
	data := append(bytes.Clone(f.plain), bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, make([]byte, aes.BlockSize)).CryptBlocks(data, data)
	return data
}

// TestDecrypt reads what other programs write, and refuses what would hang.
//
// attack: KEY-01
// attack: KEY-02
func TestDecrypt(t *testing.T) {
	t.Parallel()
	salt := []byte("salt")
	long := make([]byte, maxSaltBytes+1)
	for name, tt := range map[string]struct {
		file file
		size int
		code reason.Code
	}{
		"PBKDF2 with SHA-1":       {file{}, 16, ""},
		"PBKDF2 with SHA-512":     {file{params: pbkdf2Params{Salt: salt, Iterations: 10, PRF: pkix.AlgorithmIdentifier{Algorithm: oid(t, sha512PRF), Parameters: asn1.NullRawValue}}}, 16, ""},
		"key length":              {file{cipher: aes256, params: pbkdf2Params{Salt: salt, Iterations: 10, KeyBytes: 32}}, 32, ""},
		"scrypt":                  {file{cipher: aes256, kdf: oidScrypt, params: scryptParams{Salt: salt, N: 16, R: 8, P: 1}}, 32, ""},
		"scrypt, key length":      {file{kdf: oidScrypt, params: scryptParams{Salt: salt, N: 16, R: 8, P: 1, KeyBytes: 16}}, 16, ""},
		"other pass phrase":       {file{params: pbkdf2Params{Salt: salt, Iterations: 2000}}, 16, reason.SignerPassphrase},
		"no key inside":           {file{plain: []byte("0hello")}, 16, reason.SignerPassphrase},
		"not DER inside":          {file{plain: []byte{0x02, 1, 1}}, 16, reason.SignerPassphrase},
		"PBES1":                   {file{scheme: "1.2.840.113549.1.5.3"}, 16, reason.SignerKeyEncryption},
		"Triple DES":              {file{cipher: tripleDES}, 16, reason.SignerKeyEncryption},
		"short IV":                {file{iv: make([]byte, 8)}, 16, reason.SignerKeyEncryption},
		"half a block":            {file{data: make([]byte, 17)}, 16, reason.SignerKeyEncryption},
		"no data":                 {file{data: []byte{}}, 16, reason.SignerKeyEncryption},
		"unknown PRF":             {file{params: pbkdf2Params{Salt: salt, Iterations: 5000, PRF: pkix.AlgorithmIdentifier{Algorithm: oid(t, "1.2.3.4")}}}, 16, reason.SignerKeyEncryption},
		"unknown derivation":      {file{kdf: "1.2.3.4"}, 16, reason.SignerKeyEncryption},
		"no iterations":           {file{params: pbkdf2Params{Salt: salt}}, 16, reason.SignerKeyEncryption},
		"negative iterations":     {file{params: pbkdf2Params{Salt: salt, Iterations: -1}}, 16, reason.SignerKeyEncryption},
		"too many iterations":     {file{params: pbkdf2Params{Salt: salt, Iterations: maxIterations + 1}}, 16, reason.SignerKeyEncryption},
		"another key length":      {file{params: pbkdf2Params{Salt: salt, Iterations: 10, KeyBytes: 32}}, 16, reason.SignerKeyEncryption},
		"long salt":               {file{params: pbkdf2Params{Salt: long, Iterations: 2000}}, 16, reason.SignerKeyEncryption},
		"malformed parameters":    {file{params: 1}, 16, reason.SignerKeyEncryption},
		"scrypt, long salt":       {file{kdf: oidScrypt, params: scryptParams{Salt: long, N: 2, R: 1, P: 1}}, 16, reason.SignerKeyEncryption},
		"scrypt, no power of two": {file{kdf: oidScrypt, params: scryptParams{Salt: salt, N: 15, R: 1, P: 1}}, 16, reason.SignerKeyEncryption},
		"scrypt, negative":        {file{kdf: oidScrypt, params: scryptParams{Salt: salt, N: 32, R: -1, P: 1}}, 16, reason.SignerKeyEncryption},
		"scrypt, memory":          {file{kdf: oidScrypt, params: scryptParams{Salt: salt, N: 1 << 22, R: 1, P: 1}}, 16, reason.SignerKeyEncryption},
		"scrypt, memory by r":     {file{kdf: oidScrypt, params: scryptParams{Salt: salt, N: 2, R: 1 << 40, P: 1}}, 16, reason.SignerKeyEncryption},
		"scrypt, memory by p":     {file{kdf: oidScrypt, params: scryptParams{Salt: salt, N: 2, R: 1, P: 1 << 22}}, 16, reason.SignerKeyEncryption},
		"scrypt, memory by r, p":  {file{kdf: oidScrypt, params: scryptParams{Salt: salt, N: 2, R: 1 << 20, P: 4}}, 16, reason.SignerKeyEncryption},
		"scrypt, time":            {file{kdf: oidScrypt, params: scryptParams{Salt: salt, N: 2, R: 1, P: 1 << 40}}, 16, reason.SignerKeyEncryption},
		"scrypt, overflow":        {file{kdf: oidScrypt, params: scryptParams{Salt: salt, N: 1 << 62, R: 1 << 40, P: 1 << 40}}, 16, reason.SignerKeyEncryption},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opened, err := Decrypt(tt.file.pem(t, tt.size), []byte(phrase))
			if reason.Of(err) != tt.code {
				t.Fatalf("error %v, want the code %q", err, tt.code)
			}
			if err == nil {
				if _, err := signer.KeyFromPEM(opened); err != nil {
					t.Error(err)
				}
			} else if reason.Hint(err) == "" || strings.Contains(err.Error(), phrase) {
				t.Errorf("no remedy, or a secret: %v", err)
			}
		})
	}
}

// TestDecryptOtherBlocks leaves alone what is no encrypted key.
//
// attack: KEY-02
func TestDecryptOtherBlocks(t *testing.T) {
	t.Parallel()
	plain := testpki.New(t, testpki.Options{})
	if got, err := Decrypt(plain.KeyPEM(), nil); err != nil || !bytes.Equal(got, plain.KeyPEM()) {
		t.Error("a clear key was not left alone", err)
	}
	one := file{}.pem(t, 16)
	got, err := Decrypt(append(bytes.Clone(plain.CertPEM()), one...), []byte(phrase))
	if err != nil || !bytes.Contains(got, []byte("BEGIN CERTIFICATE")) || !bytes.Contains(got, []byte("BEGIN PRIVATE KEY")) {
		t.Errorf("%s, %v", got, err)
	}
	// Only one key is opened; that there are two is for package signer to refuse.
	if got, err = Decrypt(append(bytes.Clone(one), one...), []byte(phrase)); err != nil || bytes.Count(got, []byte("BEGIN ENCRYPTED")) != 1 {
		t.Errorf("%s, %v", got, err)
	}
	// What cannot be read stays, for package signer to refuse.
	damaged := []byte("-----BEGIN PRIVATE KEY-----\nAAA*\n-----END PRIVATE KEY-----\n")
	for _, text := range [][]byte{slices.Concat(damaged, one), slices.Concat(one, damaged), slices.Concat(one, one[:len(one)/2])} {
		got, err := Decrypt(text, []byte(phrase))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signer.KeyFromPEM(got); reason.Of(err) != reason.SignerKeyFormat {
			t.Errorf("%s\n%v", got, err)
		}
	}
	old := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}, Bytes: []byte{1}})
	if _, err := Decrypt(old, []byte(phrase)); reason.Of(err) != reason.SignerKeyEncryption {
		t.Error(err)
	}
	if _, err := Decrypt(slices.Concat(one, old), []byte(phrase)); reason.Of(err) != reason.SignerKeyEncryption {
		t.Error(err)
	}
	for _, broken := range [][]byte{{1}, der(t, struct{ A int }{1}), der(t, encryptedKey{Algorithm: algorithm(t, oidPBES2, 1), Data: []byte{1}})} {
		text := pem.EncodeToMemory(&pem.Block{Type: labelEncrypted, Bytes: broken})
		if _, err := Decrypt(text, []byte(phrase)); err == nil {
			t.Errorf("%x was read", broken)
		}
	}
}

// FuzzDecrypt looks for input that breaks the reader of encrypted keys.
func FuzzDecrypt(f *testing.F) {
	for _, seed := range [][]byte{file{}.pem(f, 16), file{kdf: oidScrypt, params: scryptParams{Salt: []byte("s"), N: 16, R: 1, P: 1}}.pem(f, 16), {}} {
		b, _ := pem.Decode(seed)
		if b != nil {
			f.Add(b.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := readPBES2(data)
		if err == nil && s.rounds > maxIterations {
			t.Errorf("%d rounds", s.rounds)
		}
		if err != nil || s.rounds > 1000 {
			return
		}
		if plain, err := s.open([]byte(phrase)); err == nil && len(plain) == 0 {
			t.Error("nothing was decrypted")
		}
	})
}
