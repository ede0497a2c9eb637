package certchain

import (
	"crypto/x509"
	"encoding/asn1"
	"unicode/utf8"

	"github.com/notaryv2/notation/reason"
)

// Parse parses certificates, leaf first, at most MaxCertificates of at most
// MaxCertificateBytes each. It checks their encoding and nothing else; [Check]
// judges them. Bytes beyond the signature, which it does not cover, are
// refused, so that a certificate has one encoding and one thumbprint. The
// error is a *reason.Error with code cert.chain-incomplete for an empty list,
// cert.too-many, cert.too-large, cert.name-string for a name that crypto/x509
// does not read, or cert.parse and, where the encoding alone shows it, the code
// of the rule that the certificate breaks.
func Parse(der [][]byte) ([]*x509.Certificate, error) { return Facts{}.Parse(der) }

// Parse is like the function [Parse], for certificates that may be known. They
// are shared with whoever else has asked for them, and must not be changed.
func (k Facts) Parse(der [][]byte) ([]*x509.Certificate, error) {
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
		var err error
		if chain[i], err = k.parse(raw, i, len(der)); err != nil {
			return nil, err
		}
	}
	return chain, nil
}

// parse parses the certificate at a position of a chain of a length.
func parse(raw []byte, position, of int) (*x509.Certificate, error) {
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		code, detail := diagnose(raw)
		if detail == "" {
			// crypto/x509 has no typed errors worth wrapping here, and repeats
			// hostile text of any length in their messages.
			detail = "cannot be parsed: " + shorten(err.Error())
		}
		return nil, fault(code, "certificate %d of %d %s", position+1, of, detail)
	}
	if !closed(raw) {
		return nil, fault(reason.CertParse, "certificate %d of %d has bytes after its signature", position+1, of)
	}
	return cert, nil
}

// fault returns an error with the remedy of the first rule that has the code.
func fault(code reason.Code, format string, args ...any) *reason.Error {
	err := reason.Errorf(code, format, args...)
	for _, r := range codeSigningRules {
		if r.Code == code {
			return err.WithHint("%s", r.Remedy)
		}
	}
	if code == reason.CertNameString {
		return err.WithHint("Ask the certificate authority for a certificate with UTF8String values in its names; this one cannot be used.")
	}
	return err.WithHint("Get the certificate again from whoever issued it, and check that the file is whole.")
}

func shorten(s string) string {
	if len(s) <= maxQuoted {
		return s
	}
	end := maxQuoted
	for end > 0 && !utf8.RuneStart(s[end]) { // s need not be UTF-8
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
