package dn

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"unicode/utf8"

	"github.com/notaryv2/notation/reason"
)

// FromDER reads a DER Name (RFC 5280 section 4.1.2.4), such as RawSubject of
// an x509.Certificate, of at most 16 KiB and 128 attributes. Any attribute
// type and any value are taken, known or not, because a certificate is not
// refused for an unusual subject. The error is a *reason.Error with code
// cert.name-encoding or cert.name-too-large.
func FromDER(raw []byte) (Name, error) {
	if len(raw) > maxDERBytes {
		return Name{}, reason.Errorf(reason.CertNameTooLarge,
			"distinguished name of %d bytes exceeds the limit of %d", len(raw), maxDERBytes)
	}
	sequence, rest, err := element(raw, asn1.TagSequence)
	if err == nil && len(rest) > 0 {
		err = errors.New("trailing bytes after the name")
	}
	var attributes []attribute
	for len(sequence) > 0 && err == nil {
		var set []byte
		if set, sequence, err = element(sequence, asn1.TagSet); err != nil {
			break
		}
		if attributes, err = appendRDN(attributes, set); err == nil && len(attributes) > maxAttributes {
			return Name{}, reason.Errorf(reason.CertNameTooLarge,
				"distinguished name has more than %d attributes", maxAttributes)
		}
	}
	if err != nil {
		return Name{}, reason.Wrap(reason.CertNameEncoding, err, "distinguished name is not valid DER")
	}
	return Name{attributes: reverse(attributes)}, nil
}

// appendRDN reads the attributes of one RDN. An RDN without any, which
// RFC 5280 does not allow, adds nothing.
func appendRDN(attributes []attribute, set []byte) ([]attribute, error) {
	for joins := false; len(set) > 0; joins = true {
		pair, rest, err := element(set, asn1.TagSequence)
		if err != nil {
			return nil, err
		}
		a, err := readAttribute(pair)
		if err != nil {
			return nil, err
		}
		a.joins = joins
		attributes = append(attributes, a)
		set = rest
	}
	return attributes, nil
}

// readAttribute reads the content of one AttributeTypeAndValue.
func readAttribute(pair []byte) (attribute, error) {
	oid, rest, err := element(pair, asn1.TagOID)
	if err != nil {
		return attribute{}, err
	}
	var id x509.OID
	if len(oid) > maxOIDBytes || id.UnmarshalBinary(oid) != nil {
		return attribute{}, errors.New("bad attribute type")
	}
	var value asn1.RawValue
	if rest, err = asn1.Unmarshal(rest, &value); err != nil {
		return attribute{}, err
	}
	if len(rest) > 0 {
		return attribute{}, errors.New("trailing bytes after an attribute value")
	}
	a := attribute{oid: string(oid), der: append([]byte(nil), value.FullBytes...)}
	a.value, a.text = decode(value)
	return a, nil
}

// element reads one element of a universal class tag and returns its content
// and what follows it. Sequences and sets are constructed, all else primitive.
func element(der []byte, tag int) (content, rest []byte, err error) {
	var v asn1.RawValue
	if rest, err = asn1.Unmarshal(der, &v); err != nil {
		return nil, nil, err
	}
	constructed := tag == asn1.TagSequence || tag == asn1.TagSet
	if v.Class != asn1.ClassUniversal || v.Tag != tag || v.IsCompound != constructed {
		return nil, nil, errors.New("unexpected tag")
	}
	return v.Bytes, rest, nil
}

const (
	tagVisibleString   = 26
	tagUniversalString = 28
)

// decode returns the text of a string value. ok is false where there is no
// certain reading:
//
//   - TeletexString beyond ASCII, which some take for Latin-1 and some for T.61;
//   - BMPString with surrogates, which its two-octet characters do not have
//     but UTF-16 does;
//   - a string of the wrong length, or one with characters its type lacks;
//   - whatever is no string.
func decode(v asn1.RawValue) (text string, ok bool) {
	if v.Class != asn1.ClassUniversal || v.IsCompound {
		return "", false
	}
	switch v.Tag {
	case asn1.TagUTF8String:
		return string(v.Bytes), utf8.Valid(v.Bytes)
	case asn1.TagPrintableString, asn1.TagNumericString, asn1.TagIA5String, asn1.TagT61String, tagVisibleString:
		// PrintableString and NumericString are smaller sets than ASCII, but
		// authorities put "@", "*" and "&" in them, which read in one way only.
		return string(v.Bytes), isASCII(v.Bytes)
	case asn1.TagBMPString:
		return decodeWide(v.Bytes, 2)
	case tagUniversalString:
		return decodeWide(v.Bytes, 4)
	default:
		return "", false
	}
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// decodeWide decodes big-endian characters of a fixed width.
func decodeWide(b []byte, width int) (string, bool) {
	if len(b)%width != 0 {
		return "", false
	}
	text := make([]byte, 0, len(b))
	for ; len(b) > 0; b = b[width:] {
		var r uint32
		for _, octet := range b[:width] {
			r = r<<8 | uint32(octet)
		}
		if r > utf8.MaxRune || !utf8.ValidRune(rune(r)) {
			return "", false
		}
		text = utf8.AppendRune(text, rune(r))
	}
	return string(text), true
}
