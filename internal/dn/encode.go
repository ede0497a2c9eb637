package dn

import (
	"encoding/asn1"
	"slices"
	"strings"

	"github.com/notaryv2/notation/reason"
)

// Encode returns the name in DER (RFC 5280 section 4.1.2.4), as the subject of a
// request for a certificate. The RDNs stand in the order that authorities and
// people expect, C, ST, L, O, OU, then the others as they were written and CN
// last, so that it does not matter in which order the text had them. Values are
// UTF-8, but for the types that RFC 5280 appendix A.1 wants to be
// PrintableString or IA5String.
//
// The error is a *reason.Error with code cert.name-syntax for a name without
// attributes and a value that its type does not allow.
func (n Name) Encode() ([]byte, error) {
	if len(n.attributes) == 0 {
		return nil, reason.Errorf(reason.CertNameSyntax, "the name is empty")
	}
	type rdn struct {
		rank int
		set  [][]byte
	}
	var rdns []rdn
	for _, a := range n.attributes {
		der, err := a.encode()
		if err != nil {
			return nil, err
		}
		if !a.joins || len(rdns) == 0 {
			rdns = append(rdns, rdn{rank: rank(a.oid)})
		}
		last := &rdns[len(rdns)-1]
		last.set = append(last.set, der)
	}
	slices.SortStableFunc(rdns, func(a, b rdn) int { return a.rank - b.rank })
	var content []byte
	for _, r := range rdns {
		slices.SortFunc(r.set, slices.Compare) // X.690 section 11.6
		content = append(content, wrap(asn1.TagSet, slices.Concat(r.set...))...)
	}
	return wrap(asn1.TagSequence, content), nil
}

// rank says where in a subject an attribute usually stands.
func rank(oid string) int {
	order := []string{"C", "ST", "L", "STREET", "O", "OU"}
	name := nameByOID[oid]
	if i := slices.Index(order, name); i >= 0 {
		return i
	}
	if name == "CN" {
		return len(order) + 1
	}
	return len(order)
}

// encode returns an AttributeTypeAndValue.
func (a attribute) encode() ([]byte, error) {
	value := []byte(a.der)
	if a.der == "" {
		tag := asn1.TagUTF8String
		fits := true
		switch nameByOID[a.oid] {
		case "C", "jurisdictionC":
			tag, fits = asn1.TagPrintableString, len(a.value) == 2 && !strings.ContainsFunc(a.value, func(r rune) bool { return r < 'A' || r > 'Z' })
			if !fits {
				return nil, reason.Errorf(reason.CertNameSyntax, "C=%q is no country of two capital letters", shorten(a.value, maxQuoted))
			}
		case "DC", "emailAddress":
			tag, fits = asn1.TagIA5String, !strings.ContainsFunc(a.value, func(r rune) bool { return r > 0x7e })
		case "serialNumber", "dnQualifier":
			tag, fits = asn1.TagPrintableString, !strings.ContainsFunc(a.value, func(r rune) bool { return !printable(r) })
		}
		if !fits {
			return nil, reason.Errorf(reason.CertNameSyntax, "%s=%q has a character that this attribute does not allow", nameByOID[a.oid], shorten(a.value, maxQuoted))
		}
		value = wrapPrimitive(tag, []byte(a.value))
	}
	return wrap(asn1.TagSequence, slices.Concat(wrapPrimitive(asn1.TagOID, []byte(a.oid)), value)), nil
}

// printable reports whether a character is one of PrintableString, X.680 section
// 41.4.
func printable(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" '()+,-./:=?", r)
}

func wrap(tag int, content []byte) []byte {
	der, _ := asn1.Marshal(asn1.RawValue{Tag: tag, IsCompound: true, Bytes: content}) // fails for no such value
	return der
}

func wrapPrimitive(tag int, content []byte) []byte {
	der, _ := asn1.Marshal(asn1.RawValue{Tag: tag, Bytes: content})
	return der
}
