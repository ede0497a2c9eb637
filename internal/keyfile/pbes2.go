package keyfile

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // as HMAC, which the files of older programs use
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"hash"

	"github.com/notaryv2/notation/reason"
	"golang.org/x/crypto/scrypt"
)

// encryptedKey is EncryptedPrivateKeyInfo of RFC 5958, section 3.
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// pbes2 is PBES2-params of RFC 8018, appendix A.4.
type pbes2 struct {
	Derivation, Cipher pkix.AlgorithmIdentifier
}

// pbkdf2Params is PBKDF2-params of RFC 8018, appendix A.2. The salt may also be
// one that the recipient knows, which nobody uses.
type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyBytes   int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"` // HMAC with SHA-1 if absent
}

// scryptParams is scrypt-params of RFC 7914, section 7.1.
type scryptParams struct {
	Salt     []byte
	N, R, P  int
	KeyBytes int `asn1:"optional"`
}

// Object identifiers of RFC 8018, appendix C, and RFC 7914, section 7.
const (
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
	oidScrypt = "1.3.6.1.4.1.11591.4.11"
)

// prf returns the hash of the HMAC with an object identifier, nil if there is
// none.
func prf(oid string) func() hash.Hash {
	return map[string]func() hash.Hash{
		"":                    sha1.New,
		"1.2.840.113549.2.7":  sha1.New,
		"1.2.840.113549.2.8":  sha256.New224,
		"1.2.840.113549.2.9":  sha256.New,
		"1.2.840.113549.2.10": sha512.New384,
		"1.2.840.113549.2.11": sha512.New,
		"1.2.840.113549.2.12": sha512.New512_224,
		"1.2.840.113549.2.13": sha512.New512_256,
	}[oid]
}

// aesKeyBytes returns the length of the key of an AES-CBC, 0 for another cipher.
func aesKeyBytes(oid string) int {
	return map[string]int{"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32}[oid]
}

// unusable is the error for an encryption that is not read.
func unusable(format string, args ...any) error {
	return reason.Errorf(reason.SignerKeyEncryption, "the private key is encrypted in a way that is not read: "+format, args...).
		WithHint("write it anew with: openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -in KEY -out NEWKEY")
}

// beyond is the error for a file that would have the derivation of the key take
// too long.
func beyond(format string, args ...any) error {
	return reason.Errorf(reason.SignerKeyEncryption, format, args...).
		WithHint("do not use the file if you do not know who made it; else encrypt the key anew with fewer rounds")
}

// wrong is the error where what comes out is no key. There is no checksum that
// could tell one cause from the other.
func wrong() error {
	return reason.Errorf(reason.SignerPassphrase, "the pass phrase does not open the private key").
		WithHint("give the pass phrase that the key was encrypted with; if it is the right one, the file is damaged")
}

// openPBES2 decrypts an EncryptedPrivateKeyInfo and returns the PKCS#8 in it.
func openPBES2(der, passphrase []byte) ([]byte, error) {
	s, err := readPBES2(der)
	if err != nil {
		return nil, err
	}
	return s.open(passphrase)
}

// sealed is an encrypted key whose parameters were found good.
type sealed struct {
	derive func(passphrase []byte) ([]byte, error)
	rounds int // of derive, about
	iv     []byte
	data   []byte // at least one block
}

// readPBES2 reads an EncryptedPrivateKeyInfo and derives nothing yet.
func readPBES2(der []byte) (sealed, error) {
	var key encryptedKey
	var params pbes2
	switch {
	case !decode(der, &key):
		return sealed{}, reason.Errorf(reason.SignerKeyFormat, "the encrypted private key cannot be read").WithHint("get the file again; it was damaged on its way")
	case oidText(key.Algorithm.Algorithm) != oidPBES2:
		return sealed{}, unusable("its algorithm is %s, an older one than PBES2", key.Algorithm.Algorithm)
	case !decode(key.Algorithm.Parameters.FullBytes, &params):
		return sealed{}, unusable("its parameters are malformed")
	}
	size := aesKeyBytes(oidText(params.Cipher.Algorithm))
	if size == 0 {
		return sealed{}, unusable("its cipher, %s, is not AES in CBC mode", params.Cipher.Algorithm)
	}
	s := sealed{data: key.Data}
	if !decode(params.Cipher.Parameters.FullBytes, &s.iv) || len(s.iv) != aes.BlockSize {
		return sealed{}, unusable("its parameters are malformed")
	}
	if len(s.data) == 0 || len(s.data)%aes.BlockSize != 0 {
		return sealed{}, unusable("its content is no sequence of blocks")
	}
	return s, s.readDerivation(params.Derivation, size)
}

// readDerivation reads how the key of the cipher is made of a pass phrase, and
// refuses what is beyond the bounds.
func (s *sealed) readDerivation(kdf pkix.AlgorithmIdentifier, size int) error {
	switch oidText(kdf.Algorithm) {
	case oidPBKDF2:
		var p pbkdf2Params
		if !decode(kdf.Parameters.FullBytes, &p) || p.KeyBytes != 0 && p.KeyBytes != size || len(p.Salt) > maxSaltBytes {
			return unusable("the parameters of PBKDF2 are malformed")
		}
		h := prf(oidText(p.PRF.Algorithm))
		if h == nil {
			return unusable("PBKDF2 is with %s, which is not known", p.PRF.Algorithm)
		}
		s.rounds = p.Iterations
		s.derive = func(passphrase []byte) ([]byte, error) {
			return pbkdf2.Key(h, string(passphrase), p.Salt, p.Iterations, size)
		}
		return bounded(p.Iterations)
	case oidScrypt:
		var p scryptParams
		if !decode(kdf.Parameters.FullBytes, &p) || p.KeyBytes != 0 && p.KeyBytes != size || len(p.Salt) > maxSaltBytes {
			return unusable("the parameters of scrypt are malformed")
		}
		if err := p.check(); err != nil {
			return err
		}
		s.rounds = p.N * p.R * p.P
		s.derive = func(passphrase []byte) ([]byte, error) {
			return scrypt.Key(passphrase, p.Salt, p.N, p.R, p.P, size)
		}
		return nil
	}
	return unusable("the key is derived by %s, which is neither PBKDF2 nor scrypt", kdf.Algorithm)
}

// open decrypts the key.
func (s sealed) open(passphrase []byte) ([]byte, error) {
	derived, err := s.derive(passphrase)
	if err != nil {
		return nil, unusable("%s", err) // such as a salt that a certified module refuses
	}
	defer clear(derived)
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, unusable("%s", err)
	}
	plain := make([]byte, len(s.data))
	cipher.NewCBCDecrypter(block, s.iv).CryptBlocks(plain, s.data)
	padding := int(plain[len(plain)-1])
	if padding == 0 || padding > aes.BlockSize || !bytes.HasSuffix(plain, bytes.Repeat([]byte{byte(padding)}, padding)) {
		return nil, wrong()
	}
	plain = plain[:len(plain)-padding]
	// A wrong pass phrase gives a padding by chance in one case of 256, and hardly
	// ever a sequence of the right length.
	var whole asn1.RawValue
	if !decode(plain, &whole) || whole.Tag != asn1.TagSequence {
		return nil, wrong()
	}
	return plain, nil
}

// decode reads one element and nothing after it.
func decode(der []byte, into any) bool {
	rest, err := asn1.Unmarshal(der, into)
	return err == nil && len(rest) == 0
}

// oidText is String for an identifier that may be absent.
func oidText(oid asn1.ObjectIdentifier) string {
	if len(oid) == 0 {
		return ""
	}
	return oid.String()
}

// bounded refuses a number of iterations that takes too long.
func bounded(iterations int) error {
	switch {
	case iterations < 1:
		return unusable("it asks for %d iterations", iterations)
	case iterations > maxIterations:
		return beyond("the file asks for %d iterations to derive a key, and %d are the most that are made", iterations, maxIterations)
	}
	return nil
}

// check refuses parameters that take too much memory or time. The divisions keep
// the products from overflowing.
func (p scryptParams) check() error {
	if p.N < 2 || p.N&(p.N-1) != 0 || p.R < 1 || p.P < 1 {
		return unusable("the parameters of scrypt are malformed")
	}
	blocks := maxScryptBytes / 128 / p.R // of which there are N+p
	if p.N > blocks || p.P > blocks-p.N || p.R > maxScryptWork/p.N || p.P > maxScryptWork/p.N/p.R {
		return beyond("the file asks scrypt for N=%d, r=%d and p=%d, and at most %d MiB of memory and %d rounds are spent", p.N, p.R, p.P, maxScryptBytes>>20, maxScryptWork)
	}
	return nil
}

// sealPBES2 encrypts a PKCS#8 key.
func sealPBES2(der, passphrase []byte) ([]byte, error) {
	if len(passphrase) > MaxPassphraseBytes {
		return nil, errors.New("the pass phrase is too long")
	}
	random := make([]byte, writeSaltBytes+aes.BlockSize)
	_, _ = rand.Read(random) // never fails
	salt, iv := random[:writeSaltBytes], random[writeSaltBytes:]
	derived, err := pbkdf2.Key(sha256.New, string(passphrase), salt, writeIterations, writeKeyBytes)
	if err != nil {
		return nil, err
	}
	defer clear(derived)
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	padding := aes.BlockSize - len(der)%aes.BlockSize
	data := append(bytes.Clone(der), bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	null := asn1.RawValue{Tag: asn1.TagNull}
	params, err := marshalAll(
		pbkdf2Params{Salt: salt, Iterations: writeIterations, PRF: pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}, Parameters: null}}, iv)
	if err != nil {
		return nil, err
	}
	scheme, err := asn1.Marshal(pbes2{
		Derivation: pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}, Parameters: params[0]},
		Cipher:     pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, Parameters: params[1]},
	})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(encryptedKey{
		Algorithm: pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}, Parameters: asn1.RawValue{FullBytes: scheme}},
		Data:      data,
	})
}

// marshalAll encodes values as parameters of algorithms.
func marshalAll(values ...any) ([]asn1.RawValue, error) {
	out := make([]asn1.RawValue, len(values))
	for i, v := range values {
		der, err := asn1.Marshal(v)
		if err != nil {
			return nil, err
		}
		out[i] = asn1.RawValue{FullBytes: der}
	}
	return out, nil
}
