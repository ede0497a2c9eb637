package certchain

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
)

// formSet is a set of name forms, one bit for each tag of GeneralName.
type formSet uint16

// nameForms are the alternatives of GeneralName, RFC 5280 section 4.2.1.6, by
// their context-specific tag.
var nameForms = [...]string{
	"otherName", "rfc822Name", "dNSName", "x400Address", "directoryName",
	"ediPartyName", "uniformResourceIdentifier", "iPAddress", "registeredID",
}

const (
	formEmail     formSet = 1 << 1
	formDirectory formSet = 1 << 4
)

// derEmailAddress is the encoded type of the subject attribute emailAddress,
// 1.2.840.113549.1.9.1.
var derEmailAddress = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01}

// RFC 5280 section 4.2.1.10: "Restrictions apply only when the specified name
// form is present. If no name of the type is in the certificate, the
// certificate is acceptable."
//
// The names themselves are not compared with the constraints. A chain in which
// that would matter is refused, whether the extension is critical, as it must
// be, or not. Constraints on host names, which are the usual ones, do not
// concern a signing certificate without host names.
func caNameConstraints(c link) string {
	e := c.extension(oidNameConstraints)
	if e == nil {
		return ""
	}
	constrained, ok := constrainedForms(e.Value)
	if !ok {
		return "has nameConstraints that cannot be read"
	}
	for i := c.position - 1; i >= 0; i-- {
		below := link{c.chain[i], c.chain, i, c.facts}
		// Section 6.1.3 (b): not for self-issued certificates, but for the last.
		if i > 0 && selfIssued(below.Certificate) {
			continue
		}
		present, ok := presentForms(below)
		if !ok {
			return fmt.Sprintf("has nameConstraints, and the subjectAltName of certificate %d cannot be read", i+1)
		}
		for form, name := range nameForms {
			if constrained&present&(1<<form) != 0 {
				return fmt.Sprintf("has nameConstraints on %s, which are not evaluated here, and certificate %d has such a name", name, i+1)
			}
		}
	}
	return ""
}

// constrainedForms returns the forms in permittedSubtrees and excludedSubtrees.
func constrainedForms(der []byte) (formSet, bool) {
	var constraints struct {
		Permitted []subtree `asn1:"optional,tag:0"`
		Excluded  []subtree `asn1:"optional,tag:1"`
	}
	rest, err := asn1.Unmarshal(der, &constraints)
	if err != nil || len(rest) > 0 {
		return 0, false
	}
	var forms formSet
	for _, tree := range slices.Concat(constraints.Permitted, constraints.Excluded) {
		if !forms.add(tree.Base) {
			return 0, false
		}
	}
	return forms, true
}

// subtree is a GeneralSubtree; what follows its base only narrows it.
type subtree struct{ Base asn1.RawValue }

// presentForms returns the forms of the names that a certificate has.
func presentForms(c link) (formSet, bool) {
	forms := subjectForms(c.Certificate)
	e := c.extension(oidSubjectAltName)
	if e == nil {
		return forms, true
	}
	var names []asn1.RawValue
	rest, err := asn1.Unmarshal(e.Value, &names)
	if err != nil || len(rest) > 0 {
		return 0, false
	}
	for _, name := range names {
		if !forms.add(name) {
			return 0, false
		}
	}
	return forms, true
}

// subjectForms returns the forms of the subject. An emailAddress in it counts
// as rfc822Name (RFC 5280 section 4.2.1.10). To look for the encoded type
// anywhere in the subject finds it too often at worst.
func subjectForms(c *x509.Certificate) formSet {
	var forms formSet
	if len(c.RawSubject) > len([]byte{0x30, 0x00}) {
		forms |= formDirectory
	}
	if bytes.Contains(c.RawSubject, derEmailAddress) {
		forms |= formEmail
	}
	return forms
}

// add adds the form of a GeneralName and reports whether it is one.
func (s *formSet) add(name asn1.RawValue) bool {
	if name.Class != asn1.ClassContextSpecific || name.Tag >= len(nameForms) {
		return false
	}
	*s |= 1 << name.Tag
	return true
}
