package keyfile

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/dn"
	"github.com/notaryv2/notation/reason"
)

// RequestOptions say what a request asks for.
type RequestOptions struct {
	// Subject is a name in the text form of RFC 4514. Its parts are put in the
	// order that authorities expect, the country first.
	Subject string
	// CodeSigning also asks for extendedKeyUsage codeSigning, which signatures do
	// not need and some authorities demand.
	CodeSigning bool
}

// Request returns a PKCS#10 request (RFC 2986) in PEM, signed by key. It asks for
// keyUsage digitalSignature, critical, as a signing certificate must have it. It
// also returns the subject as it stands in the request.
//
// The code of the error is signer.key-algorithm for a key that signatures must
// not use, whose certificate would be of no use; signer.subject; or signer.failed
// if the key does not sign.
func Request(key crypto.Signer, o RequestOptions) (request []byte, subject string, err error) {
	if _, err := envelope.AlgorithmFor(key.Public()); err != nil {
		return nil, "", reason.Wrap(reason.SignerKeyAlgorithm, err, "a certificate of this key could not sign").
			WithHint("use RSA of 2048, 3072 or 4096 bits, or EC P-256, P-384 or P-521")
	}
	name, err := dn.Parse(o.Subject)
	if err != nil {
		return nil, "", badSubject(err)
	}
	raw, err := name.Encode()
	if err != nil {
		return nil, "", badSubject(err)
	}
	extensions := []pkix.Extension{{
		Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Critical: true,
		Value: []byte{asn1.TagBitString, 2, 7, 0x80}, // one bit, digitalSignature
	}}
	if o.CodeSigning {
		value, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 3}})
		if err != nil {
			return nil, "", reason.Wrap(reason.SignerFailed, err, "the request could not be made")
		}
		extensions = append(extensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Value: value})
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{RawSubject: raw, ExtraExtensions: extensions}, key)
	if err != nil {
		return nil, "", reason.Wrap(reason.SignerFailed, err, "the request could not be signed with the key").WithHint("check what keeps the key from signing")
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), dn.Display(raw), nil
}

func badSubject(err error) error {
	return reason.Wrap(reason.SignerSubject, err, "the subject cannot stand in a request").
		WithHint("write it as 'C=US, ST=WA, O=wabbit-networks.io, CN=release'")
}
