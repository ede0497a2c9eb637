package keyfile

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"slices"

	"github.com/notaryv2/notation/reason"
)

// Labels of PEM blocks (RFC 7468).
const (
	labelKey       = "PRIVATE KEY"
	labelEncrypted = "ENCRYPTED PRIVATE KEY"
	beginBlock     = "-----BEGIN " // begins each block
)

// Encrypted reports whether data, PEM text, holds a private key that only a pass
// phrase opens.
func Encrypted(data []byte) bool {
	for b, rest := pem.Decode(data); b != nil; b, rest = pem.Decode(rest) {
		if b.Type == labelEncrypted || traditional(b) {
			return true
		}
	}
	return false
}

// traditional reports whether a block is encrypted by itself (RFC 1421), as
// OpenSSL did before it had PKCS#8.
func traditional(b *pem.Block) bool {
	return b.Headers["DEK-Info"] != "" || b.Headers["Proc-Type"] != ""
}

// Decrypt returns data, PEM text, with the encrypted private key replaced by a
// clear one in PKCS#8. At most one is decrypted; data that holds none is returned
// as it is. All else stays as it was, also what cannot be read: that is for the
// reader of the result to refuse. The caller clears the result when it is done.
//
// The code of the error is signer.passphrase if the pass phrase does not fit,
// and signer.key-encryption for a way of encrypting that is not PBES2 with
// PBKDF2 or scrypt and AES-CBC, or asks for more than the bounds allow.
func Decrypt(data, passphrase []byte) ([]byte, error) {
	if !Encrypted(data) {
		return data, nil
	}
	var clearText []byte
	before, after := data, []byte(nil) // what stands around the key
	for b, rest := pem.Decode(data); b != nil; b, rest = pem.Decode(rest) {
		switch {
		case traditional(b):
			clear(clearText)
			return nil, reason.Errorf(reason.SignerKeyEncryption, "the private key is encrypted in the traditional way of OpenSSL, which protects it badly").
				WithHint("write it as PKCS#8 with: openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out NEWKEY")
		case b.Type == labelEncrypted && clearText == nil:
			plain, err := openPBES2(b.Bytes, passphrase)
			if err != nil {
				return nil, err
			}
			clearText = pem.EncodeToMemory(&pem.Block{Type: labelKey, Bytes: plain})
			clear(plain)
			before, after = data[:bytes.LastIndex(data[:len(data)-len(rest)], []byte(beginBlock))], rest
		}
	}
	defer clear(clearText)
	return slices.Concat(before, clearText, after), nil
}

// Encode returns a private key in PEM: PKCS#8 in the clear if passphrase is
// empty, else encrypted.
func Encode(key crypto.Signer, passphrase []byte) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, reason.Wrap(reason.SignerKeyAlgorithm, err, "the private key cannot be written")
	}
	defer clear(der)
	if len(passphrase) == 0 {
		return pem.EncodeToMemory(&pem.Block{Type: labelKey, Bytes: der}), nil
	}
	sealed, err := sealPBES2(der, passphrase)
	if err != nil {
		return nil, reason.Wrap(reason.SignerKeyEncryption, err, "the private key cannot be encrypted")
	}
	return pem.EncodeToMemory(&pem.Block{Type: labelEncrypted, Bytes: sealed}), nil
}
