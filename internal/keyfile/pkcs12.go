package keyfile

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/notaryv2/notation/reason"
	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// OpenPKCS12 reads a PKCS#12 file (RFC 7292) in DER: its one private key and its
// certificates, the one that the file gives to the key first. The file's
// checksum is verified.
//
// The code of the error is signer.passphrase if the pass phrase does not fit,
// signer.key-encryption if the file asks for more than the bounds allow, and
// signer.pkcs12 for all else. How often a key inside of an encrypted part is
// hashed cannot be seen before that is opened, so the caller must still be ready
// to give up waiting.
func OpenPKCS12(data, passphrase []byte) (crypto.Signer, []*x509.Certificate, error) {
	if err := checkPKCS12(data); err != nil {
		return nil, nil, err
	}
	if err := checkBMP(passphrase); err != nil {
		return nil, nil, err
	}
	key, leaf, others, err := pkcs12.DecodeChain(data, string(passphrase))
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		return nil, nil, reason.Errorf(reason.SignerPassphrase, "the pass phrase does not open the PKCS#12 file").
			WithHint("give the pass phrase that the file was written with; if it is the right one, the file is damaged")
	case err != nil:
		return nil, nil, reason.Wrap(reason.SignerPKCS12, err, "the PKCS#12 file cannot be read").
			WithHint("it must hold one private key with its certificate; write it anew with: openssl pkcs12 -export -inkey KEY -in CERTIFICATES -out FILE")
	}
	s, ok := key.(crypto.Signer)
	if !ok {
		return nil, nil, reason.Errorf(reason.SignerKeyAlgorithm, "the key in the PKCS#12 file cannot sign").
			WithHint("use RSA of 2048, 3072 or 4096 bits, or EC P-256, P-384 or P-521")
	}
	return s, append([]*x509.Certificate{leaf}, others...), nil
}

// checkBMP refuses a pass phrase that a PKCS#12 file cannot have: it is a
// BMPString there (RFC 7292, appendix B.1), which has the characters up to U+FFFF.
func checkBMP(passphrase []byte) error {
	wide := func(r rune) bool { return r > maxBMP }
	if utf8.Valid(passphrase) && !bytes.ContainsFunc(passphrase, wide) {
		return nil
	}
	return reason.Errorf(reason.SignerPassphrase, "the pass phrase has characters that those of PKCS#12 files do not have").
		WithHint("give it in UTF-8; a file whose pass phrase has characters above U+FFFF is written anew with another one")
}

// checkPKCS12 looks, before anything is derived, at the numbers of iterations
// that a file asks for: that of its checksum, and those of each algorithm in it.
func checkPKCS12(data []byte) error {
	notOne := func(what string) error {
		return reason.Errorf(reason.SignerPKCS12, "this is no PKCS#12 file in DER: %s", what).
			WithHint("give the .p12 or .pfx file; one of an old program is converted by: openssl pkcs12 -legacy -in OLD -nodes | openssl pkcs12 -export -out NEW")
	}
	if len(data) > MaxPKCS12Bytes {
		return notOne("it is too long")
	}
	var pfx struct {
		Version  int
		AuthSafe asn1.RawValue
		MAC      struct {
			Digest     asn1.RawValue
			Salt       []byte
			Iterations int `asn1:"optional,default:1"`
		} `asn1:"optional"`
	}
	if !decode(data, &pfx) || pfx.Version != 3 {
		return notOne("it does not begin as one")
	}
	if n := pfx.MAC.Iterations; n > maxIterations {
		return bounded(n)
	}
	w := &walk{left: maxElements}
	if err := w.all(data, 0); err != nil {
		return err
	}
	if w.left < 0 {
		return notOne("it has too many parts")
	}
	return nil
}

// walk goes through the elements of a file, also those in octet strings, which
// PKCS#12 uses for all that is inside.
type walk struct{ left int }

func (w *walk) all(der []byte, depth int) error {
	for len(der) > 0 && depth < maxDepth && w.left >= 0 {
		w.left--
		var e asn1.RawValue
		rest, err := asn1.Unmarshal(der, &e)
		if err != nil {
			return nil // what cannot be read here is data, or for the decoder to refuse
		}
		if err := w.algorithm(e); err != nil {
			return err
		}
		octets := e.Class == asn1.ClassUniversal && e.Tag == asn1.TagOctetString
		if e.IsCompound || octets {
			if err := w.all(e.Bytes, depth+1); err != nil {
				return err
			}
		}
		der = rest
	}
	return nil
}

// algorithm looks at an element that may name an algorithm with iterations.
func (w *walk) algorithm(e asn1.RawValue) error {
	var oid asn1.ObjectIdentifier
	if e.Tag != asn1.TagSequence || !e.IsCompound {
		return nil
	}
	parameters, err := asn1.Unmarshal(e.Bytes, &oid)
	if err != nil || !countsIterations(oid.String()) {
		return nil
	}
	var p struct {
		Salt       asn1.RawValue
		Iterations int
	}
	if _, err := asn1.Unmarshal(parameters, &p); err != nil {
		return reason.Errorf(reason.SignerKeyEncryption, "the file has malformed parameters of an encryption").
			WithHint("write it anew with: openssl pkcs12 -export -inkey KEY -in CERTIFICATES -out FILE")
	}
	return bounded(p.Iterations)
}

// countsIterations reports whether the parameters of an algorithm are a salt and
// a number of iterations, and perhaps more: PBKDF2, and the algorithms of RFC
// 7292, appendix C, and of PBES1.
func countsIterations(oid string) bool {
	rest, pkcs5 := strings.CutPrefix(oid, "1.2.840.113549.1.5.")
	return oid == oidPBKDF2 || strings.HasPrefix(oid, "1.2.840.113549.1.12.1.") || pkcs5 && len(rest) == 1
}
