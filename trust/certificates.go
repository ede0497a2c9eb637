package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/notaryv2/notation/reason"
)

// ParseCertificates reads the certificates of a file: one in DER, or one or
// more in PEM (RFC 7468, section 5). data is at most 1 MiB and holds at most
// 500 certificates of at most 64 KiB each.
//
// Nothing is passed over in silence, so that a damaged file does not shrink to
// the part that can be read. Between PEM blocks there may be explanatory text
// (RFC 7468, section 2), but no dashes that look like the rest of a block, and
// every block must be a certificate without headers. A byte order mark of UTF-8
// at the start is dropped. Errors have the code
// store.certificate, store.private-key if the file holds a private key, or
// store.too-large. No rule about what a certificate says is checked here; see
// [CheckAnchor].
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	if len(data) > maxCertificateFileBytes {
		return nil, reason.Errorf(reason.StoreTooLarge, "the file is larger than %d bytes", maxCertificateFileBytes).
			WithHint("a file of certificates is far smaller; check that it is the right one")
	}
	data = bytes.TrimPrefix(data, []byte(byteOrderMark)) // editors on Windows write one
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, reason.Errorf(reason.StoreCertificate, "the file is empty").WithHint("%s", certificateHint)
	}
	if isDER(data) {
		cert, err := parseCertificate(data)
		if err != nil {
			return nil, err
		}
		return []*x509.Certificate{cert}, nil
	}
	var certs []*x509.Certificate
	for block, err := range pemBlocks(data) {
		if err != nil {
			return nil, err
		}
		if len(certs) == maxCertificatesPerFile {
			return nil, reason.Errorf(reason.StoreTooLarge, "the file holds more than %d certificates", maxCertificatesPerFile).
				WithHint("trust fewer roots; each of them can vouch for signers")
		}
		cert, perr := parseCertificate(block.der)
		if perr != nil {
			e := *perr
			e.Message = fmt.Sprintf("in the PEM block that begins in line %d, %s", block.line, e.Message)
			return nil, &e
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 && isPrivateKey(data) {
		return nil, errPrivateKey()
	}
	if len(certs) == 0 {
		return nil, reason.Errorf(reason.StoreCertificate, "the file holds no certificate in PEM or DER").WithHint("%s", certificateHint)
	}
	return certs, nil
}

// byteOrderMark is that of UTF-8.
const byteOrderMark = "\ufeff"

// isDER reports whether data begins with a SEQUENCE of at least 128 bytes, which
// no text does: its second byte is not ASCII.
func isDER(data []byte) bool { return len(data) > 1 && data[0] == 0x30 && data[1] >= 0x80 }

const certificateHint = "a certificate file holds one certificate in DER, or PEM blocks that begin with -----BEGIN CERTIFICATE-----"

// parseCertificate reads exactly one certificate.
func parseCertificate(der []byte) (*x509.Certificate, *reason.Error) {
	if len(der) > maxCertificateBytes {
		return nil, reason.Errorf(reason.StoreTooLarge, "the certificate is larger than %d bytes", maxCertificateBytes).
			WithHint("check that it is the right file")
	}
	cert, err := x509.ParseCertificate(der)
	if err == nil {
		return cert, nil
	}
	if isPrivateKey(der) {
		return nil, errPrivateKey()
	}
	return nil, reason.Errorf(reason.StoreCertificate, "no certificate can be read: %s", plain(err.Error())).
		WithHint("%s", certificateHint)
}

func errPrivateKey() *reason.Error {
	return reason.Errorf(reason.StorePrivateKey, "the file holds a private key").
		WithHint("move the key to where only its owner can read it, and give the certificate alone; a key that others may have read must be replaced")
}

func isPrivateKey(der []byte) bool {
	if _, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return true
	}
	if _, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return true
	}
	_, err := x509.ParseECPrivateKey(der)
	return err == nil
}

// pemBlock is one block of PEM text.
type pemBlock struct {
	line int // of its first boundary, from 1
	der  []byte
}

const (
	pemBegin = "-----BEGIN CERTIFICATE-----"
	pemEnd   = "-----END CERTIFICATE-----"
)

// pemBlocks yields the certificates of PEM text. encoding/pem would skip what
// it cannot decode; here it is an error, after which nothing follows.
func pemBlocks(data []byte) func(yield func(pemBlock, *reason.Error) bool) {
	return func(yield func(pemBlock, *reason.Error) bool) {
		var body []byte
		line, begin := 0, 0
		for text := range bytes.Lines(data) {
			line++
			s := strings.TrimRight(string(text), " \t\r\n")
			switch {
			case begin == 0 && s == pemBegin:
				begin, body = line, nil
			case begin == 0 && strings.Contains(s, "-----"):
				yield(pemBlock{}, badBoundary(line, s))
				return
			case begin == 0: // explanatory text
			case s == pemEnd:
				der, err := base64.StdEncoding.Strict().DecodeString(string(body))
				if err != nil {
					yield(pemBlock{}, badPEM(begin, "is not valid base64"))
					return
				}
				if !yield(pemBlock{line: begin, der: der}, nil) {
					return
				}
				begin = 0
			case strings.Contains(s, "-----"):
				yield(pemBlock{}, badPEM(begin, "has no end"))
				return
			default:
				body = append(body, strings.TrimLeft(s, " \t")...)
			}
		}
		if begin != 0 {
			yield(pemBlock{}, badPEM(begin, "has no end"))
		}
	}
}

func badPEM(line int, what string) *reason.Error {
	return reason.Errorf(reason.StoreCertificate, "the PEM block that begins in line %d %s", line, what).
		WithHint("get the file again; it is damaged")
}

// badBoundary explains a line of dashes that begins no certificate.
func badBoundary(line int, text string) *reason.Error {
	label := strings.TrimSuffix(strings.TrimPrefix(text, "-----BEGIN "), "-----")
	switch {
	case strings.HasSuffix(label, "PRIVATE KEY"):
		return errPrivateKey()
	case label == "TRUSTED CERTIFICATE":
		return reason.Errorf(reason.StoreCertificate, "line %d begins a block %s, which only OpenSSL reads", line, show(label)).
			WithHint("convert it: openssl x509 -in FILE -out FILE.pem")
	case label == "PKCS7" || label == "CMS":
		return reason.Errorf(reason.StoreCertificate, "line %d begins a block %s", line, show(label)).
			WithHint("convert it: openssl pkcs7 -print_certs -in FILE -out FILE.pem")
	}
	return reason.Errorf(reason.StoreCertificate, "line %d is neither the beginning of a certificate nor text: %s", line, show(text)).
		WithHint("%s", certificateHint)
}
