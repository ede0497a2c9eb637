package certchain

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"unicode/utf8"

	"github.com/notaryv2/notation/reason"
)

// Parse parses certificates, leaf first, at most MaxCertificates of at most
// MaxCertificateBytes each. It checks their encoding and nothing else; [Check]
// judges them. Bytes beyond the signature, which it does not cover, are
// refused, so that a certificate has one encoding and one thumbprint. The
// error is a *reason.Error with code cert.chain-incomplete for an empty list,
// cert.too-many, cert.too-large, or cert.parse and, where the encoding alone
// shows it, the code of the rule that the certificate breaks.
func Parse(der [][]byte) ([]*x509.Certificate, error) {
	switch {
	case len(der) == 0:
		return nil, fault(reason.CertChainIncomplete, "certificate chain is empty")
	case len(der) > MaxCertificates:
		return nil, fault(reason.CertTooMany, "certificate chain %s", tooMany(len(der)))
	}
	for i, raw := range der {
		if len(raw) > MaxCertificateBytes {
			return nil, fault(reason.CertTooLarge, "certificate chain %s", tooLarge(i, len(raw)))
		}
	}
	chain := make([]*x509.Certificate, len(der))
	for i, raw := range der {
		cert, err := x509.ParseCertificate(raw)
		if err != nil {
			code, detail := diagnose(raw)
			if detail == "" {
				// crypto/x509 has no typed errors worth wrapping here, and
				// repeats hostile text of any length in their messages.
				detail = "cannot be parsed: " + shorten(err.Error())
			}
			return nil, fault(code, "certificate %d of %d %s", i+1, len(der), detail)
		}
		if !closed(raw) {
			return nil, fault(reason.CertParse, "certificate %d of %d has bytes after its signature", i+1, len(der))
		}
		chain[i] = cert
	}
	return chain, nil
}

// fault returns an error with the remedy of the first rule that has the code.
func fault(code reason.Code, format string, args ...any) *reason.Error {
	err := reason.Errorf(code, format, args...)
	for _, r := range codeSigningRules {
		if r.Code == code {
			return err.WithHint("%s", r.Remedy)
		}
	}
	return err.WithHint("Get the certificate again from whoever issued it, and check that the file is whole.")
}

func shorten(s string) string {
	if len(s) <= maxQuoted {
		return s
	}
	end := maxQuoted
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// closed reports whether the outer sequence holds its three members and
// nothing else, which crypto/x509 does not look at.
func closed(raw []byte) bool {
	members := content(raw)
	for range 3 {
		_, members = next(members)
	}
	return len(members) == 0
}

// diagnose finds out for what crypto/x509 refuses a certificate, in the cases
// in which a rule of this package would have refused it, too. An empty detail
// means that it is for something else.
func diagnose(raw []byte) (code reason.Code, detail string) {
	tbs, _ := next(content(raw))
	rest := content(tbs.FullBytes)
	field, after := next(rest)
	if field.Class == asn1.ClassContextSpecific && field.Tag == 0 {
		rest = after
		var version int
		if _, err := asn1.Unmarshal(field.Bytes, &version); err == nil && (version < 0 || version > 2) {
			return reason.CertVersion, fmt.Sprintf("is of version %d, not 3", version+1)
		}
	}
	var number *big.Int
	if after, err := asn1.Unmarshal(rest, &number); err == nil {
		if detail := serial(link{Certificate: &x509.Certificate{SerialNumber: number}}); detail != "" {
			return reason.CertSerial, detail
		}
		rest = after
	}
	for range 4 { // signature algorithm, issuer, validity, subject
		_, rest = next(rest)
	}
	field, rest = next(rest)
	if detail := diagnoseKey(field.Bytes); detail != "" {
		return reason.CertKeyType, detail
	}
	for len(rest) > 0 {
		if field, rest = next(rest); field.Class == asn1.ClassContextSpecific && field.Tag == 3 {
			if id := diagnoseExtensions(content(field.Bytes)); id != nil {
				return reason.CertDuplicateExtension, fmt.Sprintf("has the extension %s twice", id)
			}
		}
	}
	return reason.CertParse, ""
}

// oidECPublicKey is id-ecPublicKey, RFC 5480 section 2.1.1.
var oidECPublicKey = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}

// RFC 5480 section 2.1.1: "implicitCurve and specifiedCurve MUST NOT be used
// in PKIX."
//
// diagnoseKey looks at the content of a SubjectPublicKeyInfo.
func diagnoseKey(spki []byte) string {
	algorithm, _ := next(spki)
	var id asn1.ObjectIdentifier
	parameters, err := asn1.Unmarshal(algorithm.Bytes, &id)
	if err != nil || !id.Equal(oidECPublicKey) {
		return ""
	}
	var curve asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(parameters, &curve); err != nil {
		return "has an elliptic curve key that does not name its curve"
	}
	switch curve.String() {
	case "1.3.132.0.33", "1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35":
		return "" // crypto/x509 knows the curve: it is the point that is wrong
	}
	return "has a key on another elliptic curve than P-256, P-384 and P-521"
}

// diagnoseExtensions returns the first extension type that is there twice.
func diagnoseExtensions(extensions []byte) asn1.ObjectIdentifier {
	seen := make(map[string]bool)
	for len(extensions) > 0 {
		var extension asn1.RawValue
		extension, extensions = next(extensions)
		var id asn1.ObjectIdentifier
		if _, err := asn1.Unmarshal(extension.Bytes, &id); err == nil && seen[id.String()] {
			return id
		}
		seen[id.String()] = true
	}
	return nil
}

// content returns the content of the element at the start of der, or nil.
func content(der []byte) []byte {
	element, _ := next(der)
	return element.Bytes
}

// next returns the element at the start of der and what follows it. What is no
// element is the zero value, followed by nothing.
func next(der []byte) (element asn1.RawValue, rest []byte) {
	rest, err := asn1.Unmarshal(der, &element)
	if err != nil {
		return asn1.RawValue{}, nil
	}
	return element, rest
}
