package signer

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"strconv"

	"github.com/notaryv2/notation/internal/certchain"
	"github.com/notaryv2/notation/reason"
)

// Labels of PEM blocks (RFC 7468, and for the traditional ones OpenSSL).
const (
	pemCertificate  = "CERTIFICATE"
	pemPKCS8        = "PRIVATE KEY"
	pemPKCS8Sealed  = "ENCRYPTED PRIVATE KEY"
	pemPKCS1        = "RSA PRIVATE KEY"
	pemSEC1         = "EC PRIVATE KEY"
	pemECParameters = "EC PARAMETERS"
	pemOpenSSH      = "OPENSSH PRIVATE KEY"
)

// FromPEM returns a Signer for a private key and a certificate chain in PEM.
//
// key holds one private key in PKCS#8 (RFC 5958), PKCS#1 (RFC 8017, appendix
// A.1.2) or SEC 1 (RFC 5915); certs the certificates, the key's own first and
// the self-signed root last. Text around the blocks is ignored, other blocks
// are errors, but for the curve parameters that OpenSSL puts before an EC key.
// Key and chain may stand in one file, which is then given twice. Encrypted
// keys are not supported. What applies beyond that is said at [New].
func FromPEM(key, certs []byte) (Signer, error) {
	k, err := KeyFromPEM(key)
	if err != nil {
		return nil, err
	}
	chain, err := ChainFromPEM(certs)
	if err != nil {
		return nil, err
	}
	return New(k, chain)
}

func isPrivate(label string) bool {
	switch label {
	case pemPKCS8, pemPKCS8Sealed, pemPKCS1, pemSEC1, pemOpenSSH:
		return true
	}
	return false
}

// KeyFromPEM returns the only private key in data, as [FromPEM] reads it. Its
// kind and size are for [New] to judge.
func KeyFromPEM(data []byte) (crypto.Signer, error) {
	blocks, err := blocksOf(data, maxKeyPEM+maxChainPEM, reason.SignerKeyFormat, "private key")
	if err != nil {
		return nil, err
	}
	var found *pem.Block
	for _, b := range blocks {
		switch {
		case isPrivate(b.Type) && found != nil:
			return nil, reason.Errorf(reason.SignerKeyFormat, "the file holds more than one private key").
				WithHint("Give a file with the one key that is to sign.")
		case isPrivate(b.Type):
			found = b
		case b.Type != pemCertificate && b.Type != pemECParameters:
			return nil, reason.Errorf(reason.SignerKeyFormat, "the file holds a PEM block %s, which is no private key", strconv.QuoteToASCII(b.Type))
		}
	}
	if found == nil {
		return nil, reason.Errorf(reason.SignerKeyMissing, "the file holds no private key in PEM").
			WithHint("Give the file of the private key here, and that of its certificates in its own place.")
	}
	return decodeKey(found)
}

func decodeKey(b *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch {
	case b.Type == pemPKCS8Sealed || b.Headers["DEK-Info"] != "" || b.Headers["Proc-Type"] != "":
		return nil, reason.Errorf(reason.SignerKeyEncrypted, "the private key is encrypted").
			WithHint("Open it first, and give what is in it; for the command line, see --key-passphrase-file.")
	case len(b.Bytes) > maxKeyPEM:
		return nil, reason.Errorf(reason.SignerKeyFormat, "the private key is longer than %d bytes", maxKeyPEM)
	case b.Type == pemOpenSSH:
		return nil, reason.Errorf(reason.SignerKeyFormat, "the private key is in the format of OpenSSH").
			WithHint("Use a key in PKCS#8, which belongs to an X.509 certificate.")
	case b.Type == pemPKCS1:
		key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
	case b.Type == pemSEC1:
		key, err = x509.ParseECPrivateKey(b.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
	}
	if err != nil {
		return nil, reason.Wrap(reason.SignerKeyFormat, err, "the private key cannot be read").
			WithHint("Give a private key in PKCS#8, PKCS#1 or SEC 1, with one of the curves P-256, P-384 and P-521.")
	}
	s, ok := key.(crypto.Signer)
	if !ok { // X25519 and the like agree on keys only
		return nil, reason.Errorf(reason.SignerKeyAlgorithm, "a key of the type %T cannot sign", key).
			WithHint("Use RSA of 2048, 3072 or 4096 bits, or EC P-256, P-384 or P-521.")
	}
	return s, nil
}

// ChainFromPEM returns the certificates in data, in the order given, as
// [FromPEM] reads them: at least one and at most ten, which need be no chain.
func ChainFromPEM(data []byte) ([]*x509.Certificate, error) {
	blocks, err := blocksOf(data, maxKeyPEM+maxChainPEM, reason.SignerCertificates, "certificate")
	if err != nil {
		return nil, err
	}
	var der [][]byte
	for _, b := range blocks {
		switch {
		case b.Type == pemCertificate:
			der = append(der, b.Bytes)
		case !isPrivate(b.Type) && b.Type != pemECParameters:
			return nil, reason.Errorf(reason.SignerCertificates, "the file holds a PEM block %s, which is no certificate", strconv.QuoteToASCII(b.Type))
		}
	}
	if len(der) == 0 {
		return nil, reason.Errorf(reason.SignerCertificates, "the file holds no certificate in PEM").
			WithHint("Give the file with the certificate of the key and its chain up to the root.")
	}
	chain, err := certchain.Parse(der)
	if err != nil {
		return nil, reason.Wrap(reason.SignerCertificates, err, "a certificate cannot be read").WithHint("%s", reason.Hint(err))
	}
	return chain, nil
}

// blocksOf splits PEM text. A block that begins and cannot be read is an error,
// lest half a chain be taken for a whole one.
func blocksOf(data []byte, limit int, code reason.Code, what string) ([]*pem.Block, error) {
	if len(data) > limit {
		return nil, reason.Errorf(code, "the %s file is longer than %d bytes", what, limit)
	}
	const begin = "-----BEGIN "
	started := bytes.Count(data, []byte(begin))
	var blocks []*pem.Block
	for b, rest := pem.Decode(data); b != nil; b, rest = pem.Decode(rest) {
		blocks = append(blocks, b)
	}
	if len(blocks) != started {
		return nil, reason.Errorf(code, "the %s file has a PEM block that cannot be read", what).
			WithHint("Check that each block is complete, from its BEGIN line to its END line.")
	}
	if len(blocks) == 0 && len(data) > 0 && data[0] == 0x30 { // an ASN.1 SEQUENCE
		return nil, reason.Errorf(code, "the %s file is in DER, not in PEM", what).
			WithHint("Convert it with openssl, option -outform PEM.")
	}
	return blocks, nil
}
