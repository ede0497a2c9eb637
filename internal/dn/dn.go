// Package dn holds distinguished names: the subjects of certificates, and the
// patterns in a trust policy that say which subjects are trusted.
//
// A name is a list of attributes, each a type (an object identifier) and a
// value. [FromDER] reads it from a certificate, [Parse] from the text form of
// RFC 4514. Names are compared as these decoded lists and never as printed
// strings, because many strings print alike: CN="a,O=b" is one attribute, and
// CN=a,O=b is two.
//
// [Name.Matches] is the one comparison. A subject matches a pattern if, for
// each attribute type that the pattern names, the subject has exactly the
// pattern's values of that type: none missing, none more, a repeated one as
// often. So a second O in a subject, which a careless authority might not have
// checked, makes it fail O=x. Types that the pattern does not name are not
// looked at, and neither are the order of the attributes and their grouping
// into RDNs.
//
// Values are equal if they are the same sequence of Unicode code points. The
// string type does not matter; case, normalisation form, inner spaces and
// look-alike letters do. A value that has no certain reading as Unicode
// (UTF-8 that is not valid, Teletex beyond ASCII, a type that is no string)
// equals nothing, but is counted.
package dn

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Name is a distinguished name. It is immutable. The zero value has no
// attributes: as a pattern it matches nothing.
type Name struct {
	attributes []attribute // in the order of the text form, most specific first
}

// attribute is one AttributeTypeAndValue (RFC 5280 section 4.1.2.4).
type attribute struct {
	oid   string // content octets of the type's object identifier
	value string // decoded value, if text
	text  bool   // the value has a certain reading as Unicode
	der   string // the encoded value; "" if it came as text
	joins bool   // it is in one RDN with the attribute before it
}

// Attribute is one attribute of a name, for display.
type Attribute struct {
	Type  string // short name, or dotted decimal if it has none
	Value string // as [Name.String] prints it, safe on a terminal
}

// Matches reports whether subject has, for each attribute type of the pattern
// n, exactly the values that n has. See the package comment.
func (n Name) Matches(subject Name) bool {
	for _, a := range n.attributes {
		if !a.text ||
			n.countType(a.oid) != subject.countType(a.oid) ||
			n.count(a) != subject.count(a) {
			return false
		}
	}
	return len(n.attributes) > 0
}

// Overlaps reports whether one of two patterns implies the other: every
// subject that the narrower one matches, the wider one matches too, so that
// one of them says nothing new. Equal patterns overlap.
//
// Two patterns of which neither implies the other may still have subjects in
// common, such as C=US,OU=x and C=US,CN=y. They do not overlap.
func (n Name) Overlaps(m Name) bool {
	// A pattern read as a subject is the least that it demands. Whoever
	// matches that, matches whatever has more.
	return n.Matches(m) || m.Matches(n)
}

// countType returns how many attributes have the type.
func (n Name) countType(oid string) int {
	count := 0
	for i := range n.attributes {
		if n.attributes[i].oid == oid {
			count++
		}
	}
	return count
}

// count returns how many attributes have the type and the value of a.
func (n Name) count(a attribute) int {
	count := 0
	for i := range n.attributes {
		if b := &n.attributes[i]; b.text && b.oid == a.oid && b.value == a.value {
			count++
		}
	}
	return count
}

// Missing returns those of "C", "ST" and "O" that the name lacks, in this
// order. A trust policy demands all three of an identity.
func (n Name) Missing() []string {
	var missing []string
	for _, required := range []string{"C", "ST", "O"} {
		if oid, _ := typeOID(required); n.countType(oid) == 0 {
			missing = append(missing, required)
		}
	}
	return missing
}

// Attributes returns the attributes in the order in which String prints them.
// The slice is the caller's.
func (n Name) Attributes() []Attribute {
	out := make([]Attribute, len(n.attributes))
	for i, a := range n.attributes {
		out[i] = Attribute{Type: typeName(a.oid), Value: a.valueString()}
	}
	return out
}

// String returns the form of RFC 4514: the RDNs of a certificate's subject in
// reverse order, special characters escaped by a backslash. Whatever a
// terminal would not show as a visible character (control and formatting
// characters, spaces other than U+0020) is escaped as hex pairs, and a value
// that is no text, or whose type has no short name, is written as "#" and its
// DER in hex (RFC 4514 section 2.4). [Parse] reads the result back to an equal
// name if each value is text, not empty and without NUL, and the result is not
// longer than Parse takes.
func (n Name) String() string {
	var b strings.Builder
	b.Grow(usualName)
	for i, a := range n.attributes {
		switch {
		case i == 0:
		case a.joins:
			b.WriteByte('+')
		default:
			b.WriteByte(',')
		}
		b.WriteString(typeName(a.oid))
		b.WriteByte('=')
		b.WriteString(a.valueString())
	}
	return b.String()
}

// Display returns a DER name as people should see it in a message: as String
// prints it, shortened if it is very long, and a remark in brackets if it
// cannot be read. It never fails.
func Display(raw []byte) string {
	n, err := FromDER(raw)
	switch {
	case err != nil:
		return "[unreadable name]"
	case len(n.attributes) == 0:
		return "[empty name]"
	}
	return shorten(n.String(), maxDisplay)
}

// shorten cuts s at a character boundary near limit and marks the cut.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) { // s need not be UTF-8
		limit--
	}
	return s[:limit] + "…"
}

// valueString returns the value in the form of RFC 4514 section 2.4.
func (a attribute) valueString() string {
	_, named := nameByOID[a.oid]
	if a.text && named {
		return escape(a.value)
	}
	der := a.der
	if der == "" {
		// A string of at most maxTextBytes always has an encoding.
		encoded, _ := asn1.Marshal(asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(a.value)})
		der = string(encoded)
	}
	return "#" + hex.EncodeToString([]byte(der))
}

func escape(value string) string {
	if plain(value) {
		return value
	}
	var b strings.Builder
	for i, r := range value {
		end := i + utf8.RuneLen(r)
		switch {
		case strings.ContainsRune(specials, r),
			r == '#' && i == 0,
			r == ' ' && (i == 0 || end == len(value)):
			b.WriteByte('\\')
			b.WriteRune(r)
		case visible(r):
			b.WriteRune(r)
		default:
			b.WriteString(hexPairs(r))
		}
	}
	return b.String()
}

// plain reports whether nothing in a value needs to be escaped, which is so of
// most.
func plain(value string) bool {
	for i := range len(value) {
		switch c := value[i]; {
		case c < ' ' || c > '~', c == '"', c == '+', c == ',', c == ';', c == '<', c == '>', c == '\\',
			c == '#' && i == 0, c == ' ' && (i == 0 || i == len(value)-1):
			return false
		}
	}
	return true
}

// specials are the characters that RFC 4514 section 2.4 escapes anywhere in a
// value.
const specials = `"+,;<>\`

// visible reports whether a character shows in a terminal as what it is. It
// is false for controls, for the invisible characters that reorder or join
// text, and for every space but U+0020.
func visible(r rune) bool { return unicode.IsPrint(r) }

// hexPairs returns the escaped form of each octet of a character.
func hexPairs(r rune) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for _, octet := range []byte(string(r)) {
		b.Write([]byte{'\\', digits[octet>>4], digits[octet&0xf]})
	}
	return b.String()
}

// attributeTypes are the types with a short name: those of RFC 4514 section 3
// and RFC 4519, of the certificates that the CA/Browser Forum calls extended
// validation, and what public authorities write besides. The first name is the
// one printed; all are read, whatever their case.
var attributeTypes = []struct {
	oid   string
	names []string
}{
	{"2.5.4.3", []string{"CN", "commonName"}},
	{"2.5.4.4", []string{"SN", "surname"}},
	{"2.5.4.5", []string{"serialNumber"}},
	{"2.5.4.6", []string{"C", "countryName"}},
	{"2.5.4.7", []string{"L", "localityName"}},
	{"2.5.4.8", []string{"ST", "S", "stateOrProvinceName"}},
	{"2.5.4.9", []string{"STREET", "streetAddress"}},
	{"2.5.4.10", []string{"O", "organizationName"}},
	{"2.5.4.11", []string{"OU", "organizationalUnitName"}},
	{"2.5.4.12", []string{"title"}},
	{"2.5.4.13", []string{"description"}},
	{"2.5.4.15", []string{"businessCategory"}},
	{"2.5.4.17", []string{"postalCode"}},
	{"2.5.4.42", []string{"givenName", "GN"}},
	{"2.5.4.43", []string{"initials"}},
	{"2.5.4.44", []string{"generationQualifier"}},
	{"2.5.4.46", []string{"dnQualifier"}},
	{"2.5.4.65", []string{"pseudonym"}},
	{"2.5.4.97", []string{"organizationIdentifier"}},
	{"0.9.2342.19200300.100.1.1", []string{"UID", "userId"}},
	{"0.9.2342.19200300.100.1.25", []string{"DC", "domainComponent"}},
	{"1.2.840.113549.1.9.1", []string{"emailAddress", "E"}},
	{"1.3.6.1.4.1.311.60.2.1.1", []string{"jurisdictionL", "jurisdictionLocalityName"}},
	{"1.3.6.1.4.1.311.60.2.1.2", []string{"jurisdictionST", "jurisdictionStateOrProvinceName"}},
	{"1.3.6.1.4.1.311.60.2.1.3", []string{"jurisdictionC", "jurisdictionCountryName"}},
}

var oidByName, nameByOID = func() (map[string]string, map[string]string) {
	oids, names := make(map[string]string), make(map[string]string)
	for _, t := range attributeTypes {
		oid, _ := dottedOID(t.oid)
		names[oid] = t.names[0]
		for _, name := range t.names {
			oids[strings.ToLower(name)] = oid
		}
	}
	return oids, names
}()

// typeOID returns the content octets of a type that is written as a short name
// or in dotted decimal.
func typeOID(text string) (oid string, ok bool) {
	if oid, ok := oidByName[strings.ToLower(text)]; ok {
		return oid, true
	}
	return dottedOID(text)
}

func dottedOID(text string) (string, bool) {
	oid, err := x509.ParseOID(text)
	if err != nil || oid.String() != text { // RFC 4512 section 1.4: no leading zeros
		return "", false
	}
	content, err := oid.MarshalBinary()
	return string(content), err == nil && len(content) <= maxOIDBytes
}

// typeName returns the short name of a type, or else its dotted decimal form.
func typeName(oid string) string {
	if name, ok := nameByOID[oid]; ok {
		return name
	}
	var id x509.OID
	if err := id.UnmarshalBinary([]byte(oid)); err != nil {
		return "?" // FromDER lets no such type in
	}
	return id.String()
}

// reverse turns the order of the RDNs around and keeps the order within each.
func reverse(attributes []attribute) []attribute {
	out := make([]attribute, 0, len(attributes))
	for end := len(attributes); end > 0; {
		start := end - 1
		for attributes[start].joins {
			start--
		}
		out = append(out, attributes[start:end]...)
		end = start
	}
	return slices.Clip(out)
}
