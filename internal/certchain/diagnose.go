package certchain

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/notaryv2/notation/reason"
)

// diagnose finds out for what crypto/x509 refuses a certificate, in the cases
// in which a rule of this package would have refused it, too, and in that of a
// string in a name, where the certificate is whole and asking for it again is
// no help. An empty detail means that it is for something else.
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
	for _, name := range []string{"", "issuer", "", "subject"} { // between them signature algorithm and validity
		field, rest = next(rest)
		if name == "" {
			continue
		}
		if detail := diagnoseName(field); detail != "" {
			return reason.CertNameString, fmt.Sprintf("has in its %s %s", name, detail)
		}
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

// RFC 5280 section 4.1.2.4 has the strings of a name be TeletexString,
// PrintableString, UniversalString, UTF8String or BMPString. crypto/x509 reads
// IA5String and NumericString as well and UniversalString not, and refuses a
// certificate for one attribute, known or not, whose value is anything else.
//
// diagnoseName looks for such an attribute in a DER Name.
func diagnoseName(name asn1.RawValue) string {
	rdns := name.Bytes
	for len(rdns) > 0 {
		var rdn asn1.RawValue
		rdn, rdns = next(rdns)
		for pairs := rdn.Bytes; len(pairs) > 0; {
			var pair asn1.RawValue
			pair, pairs = next(pairs)
			var id asn1.ObjectIdentifier
			value, err := asn1.Unmarshal(pair.Bytes, &id)
			if err != nil || len(value) == 0 {
				return "" // not even a name
			}
			if detail := diagnoseString(value); detail != "" {
				return fmt.Sprintf("%s (attribute %s)", detail, id)
			}
		}
	}
	return ""
}

// diagnoseString returns why crypto/x509 does not take an attribute's value.
func diagnoseString(der []byte) string {
	v, _ := next(der)
	if v.Class != asn1.ClassUniversal || v.IsCompound {
		return "a value that is no string"
	}
	var lacks func(r rune) bool
	switch v.Tag {
	case asn1.TagT61String:
		return ""
	case asn1.TagUTF8String:
		if !utf8.Valid(v.Bytes) {
			return "a UTF8String that is not UTF-8"
		}
		return ""
	case asn1.TagBMPString:
		return diagnoseBMP(v.Bytes)
	case asn1.TagPrintableString:
		lacks = func(r rune) bool { return r >= utf8.RuneSelf || !strings.ContainsRune(printableSet, r) }
	case asn1.TagNumericString:
		lacks = func(r rune) bool { return (r < '0' || r > '9') && r != ' ' }
	case asn1.TagIA5String:
		lacks = func(r rune) bool { return r >= utf8.RuneSelf }
	default:
		return "a value of a type that is not read in names"
	}
	if strings.ContainsFunc(string(v.Bytes), lacks) {
		return "a string with characters that its type does not have"
	}
	return ""
}

// printableSet is PrintableString with the two characters that authorities
// write in it all the same and crypto/x509 lets pass.
const printableSet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?*&"

// diagnoseBMP looks for what is no character of two octets: half of one, a
// surrogate or a noncharacter.
func diagnoseBMP(b []byte) string {
	const fault = "a BMPString that holds what is no character of it"
	if len(b)%2 != 0 {
		return fault
	}
	for ; len(b) > 0; b = b[2:] {
		r := rune(b[0])<<8 | rune(b[1])
		if !utf8.ValidRune(r) || r >= 0xfdd0 && r <= 0xfdef || r >= 0xfffe {
			return fault
		}
	}
	return ""
}
