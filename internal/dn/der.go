package dn

import (
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
	attributes, err := readName(raw)
	switch {
	case errors.Is(err, errAttributes):
		return Name{}, reason.Errorf(reason.CertNameTooLarge, "distinguished name has more than %d attributes", maxAttributes)
	case err != nil:
		return Name{}, reason.Wrap(reason.CertNameEncoding, err, "distinguished name is not valid DER")
	}
	return Name{attributes: reverse(attributes)}, nil
}

var errAttributes = errors.New("too many attributes")

// readName reads the attributes of a Name in the order of the encoding. What
// they hold are parts of one copy of it.
func readName(raw []byte) ([]attribute, error) {
	sequence, rest, err := element(string(raw), asn1.TagSequence)
	if err != nil {
		return nil, err
	}
	if rest != "" {
		return nil, errors.New("trailing bytes after the name")
	}
	attributes := make([]attribute, 0, min(len(raw)/usualAttributeBytes, maxAttributes))
	for sequence != "" {
		var set string
		if set, sequence, err = element(sequence, asn1.TagSet); err != nil {
			return nil, err
		}
		if attributes, err = appendRDN(attributes, set); err != nil {
			return nil, err
		}
	}
	return attributes, nil
}

// appendRDN reads the attributes of one RDN. An RDN without any, which
// RFC 5280 does not allow, adds nothing.
func appendRDN(attributes []attribute, set string) ([]attribute, error) {
	for joins := false; set != ""; joins = true {
		pair, rest, err := element(set, asn1.TagSequence)
		if err != nil {
			return nil, err
		}
		a, err := readAttribute(pair)
		if err != nil {
			return nil, err
		}
		if len(attributes) == maxAttributes {
			return nil, errAttributes
		}
		a.joins = joins
		attributes = append(attributes, a)
		set = rest
	}
	return attributes, nil
}

// readAttribute reads the content of one AttributeTypeAndValue.
func readAttribute(pair string) (attribute, error) {
	oid, der, err := element(pair, asn1.TagOID)
	if err != nil {
		return attribute{}, err
	}
	if !isOID(oid) {
		return attribute{}, errors.New("bad attribute type")
	}
	tag, value, rest, err := next(der)
	if err != nil {
		return attribute{}, err
	}
	if rest != "" {
		return attribute{}, errors.New("trailing bytes after an attribute value")
	}
	a := attribute{oid: oid, der: der}
	a.value, a.text = decode(tag, value)
	return a, nil
}

// isOID reports whether the content octets of an object identifier are well
// formed, X.690 section 8.19.2: each arc ends within them and starts with no
// padding.
func isOID(content string) bool {
	if content == "" || len(content) > maxOIDBytes || content[len(content)-1]&0x80 != 0 {
		return false
	}
	start := true
	for _, octet := range []byte(content) {
		if start && octet == 0x80 {
			return false
		}
		start = octet&0x80 == 0
	}
	return true
}

// The parts of an identifier octet, X.690 section 8.1.2.
const (
	constructed = 0x20
	highTag     = 0x1f // the tag number follows in further octets
)

// element reads one element of a universal class tag and returns its content
// and what follows it. Sequences and sets are constructed, all else primitive.
func element(der string, tag byte) (content, rest string, err error) {
	if tag == asn1.TagSequence || tag == asn1.TagSet {
		tag |= constructed
	}
	got, content, rest, err := next(der)
	if err == nil && got != tag {
		err = errors.New("unexpected tag")
	}
	return content, rest, err
}

// next reads the element at the start of der. Its length is definite and in
// the shortest form, X.690 section 10.1, and lies within der. Tag numbers above
// 30, which nothing in a name has, are not read; crypto/x509 refuses them, too.
//
// The reader walks over a string, so that types and values are parts of it:
// encoding/asn1 allocates some nine times for each attribute.
func next(der string) (tag byte, content, rest string, err error) {
	if len(der) < 2 {
		return 0, "", "", errors.New("data ends too early")
	}
	if tag = der[0]; tag&highTag == highTag {
		return 0, "", "", errors.New("a tag number above 30")
	}
	size, der := int(der[1]), der[2:]
	if size >= 0x80 {
		// maxDERBytes needs two octets.
		octets := size & 0x7f
		if octets == 0 || octets > 2 {
			return 0, "", "", errors.New("an indefinite or overlong length")
		}
		if len(der) < octets {
			return 0, "", "", errors.New("data ends too early")
		}
		size = 0
		for _, octet := range []byte(der[:octets]) {
			size = size<<8 | int(octet)
		}
		if size < 0x80 || size>>(8*(octets-1)) == 0 {
			return 0, "", "", errors.New("a length that is not in its shortest form")
		}
		der = der[octets:]
	}
	if size > len(der) {
		return 0, "", "", errors.New("a length reaches beyond the end")
	}
	return tag, der[:size], der[size:], nil
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
func decode(tag byte, value string) (text string, ok bool) {
	switch tag { // a tag of another class or of a constructed value is none of these
	case asn1.TagUTF8String:
		return value, utf8.ValidString(value)
	case asn1.TagPrintableString, asn1.TagNumericString, asn1.TagIA5String, asn1.TagT61String, tagVisibleString:
		// PrintableString and NumericString are smaller sets than ASCII, but
		// authorities put "@", "*" and "&" in them, which read in one way only.
		return value, isASCII(value)
	case asn1.TagBMPString:
		return decodeWide(value, 2)
	case tagUniversalString:
		return decodeWide(value, 4)
	default:
		return "", false
	}
}

func isASCII(s string) bool {
	for _, c := range []byte(s) {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// decodeWide decodes big-endian characters of a fixed width.
func decodeWide(b string, width int) (string, bool) {
	if len(b)%width != 0 {
		return "", false
	}
	text := make([]byte, 0, len(b))
	for ; len(b) > 0; b = b[width:] {
		var r uint32
		for _, octet := range []byte(b[:width]) {
			r = r<<8 | uint32(octet)
		}
		if r > utf8.MaxRune || !utf8.ValidRune(rune(r)) {
			return "", false
		}
		text = utf8.AppendRune(text, rune(r))
	}
	return string(text), true
}
