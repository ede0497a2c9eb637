package dn

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/notaryv2/notation/reason"
)

// Parse reads the text form of RFC 4514, as a trusted identity is written, of
// at most 8 KiB and 128 attributes. Unlike the RFC it
//
//   - ignores spaces around ",", "+" and "=", which RFC 2253 section 4 asks
//     for and which people write; a space that begins or ends a value is
//     escaped;
//   - reads a type in dotted decimal with a text value, too;
//   - refuses an empty value, NUL, and unescaped characters that do not show,
//     so that a pattern is what it looks like. Escaped as hex pairs they are
//     taken.
//
// Quoted values and ";" as separator, which RFC 4514 dropped, are refused, and
// so are attribute types that it does not know by name. The error is a
// *reason.Error with code cert.name-syntax or cert.name-too-large.
func Parse(s string) (Name, error) {
	if len(s) > maxTextBytes {
		return Name{}, reason.Errorf(reason.CertNameTooLarge,
			"distinguished name of %d bytes exceeds the limit of %d", len(s), maxTextBytes)
	}
	p := parser{text: s}
	if !utf8.ValidString(s) {
		return Name{}, p.errorf("is not valid UTF-8")
	}
	var n Name
	joins := false
	for {
		a, err := p.attribute()
		if err != nil {
			return Name{}, err
		}
		a.joins = joins
		if n.attributes = append(n.attributes, a); len(n.attributes) > maxAttributes {
			return Name{}, reason.Errorf(reason.CertNameTooLarge,
				"distinguished name has more than %d attributes", maxAttributes)
		}
		if p.end() {
			return n, nil
		}
		// A value ends at the end of the text or at one of these two.
		joins = p.text[p.next] == '+'
		p.next++
	}
}

// parser is a position in a text that is valid UTF-8.
type parser struct {
	text string
	next int // offset of the first byte not yet read
}

func (p *parser) end() bool { return p.next == len(p.text) }

func (p *parser) skipSpaces() {
	for !p.end() && p.text[p.next] == ' ' {
		p.next++
	}
}

// attribute reads type, "=" and value, with the spaces around them.
func (p *parser) attribute() (attribute, error) {
	p.skipSpaces()
	start := p.next
	for !p.end() && isTypeByte(p.text[p.next]) {
		p.next++
	}
	typ := p.text[start:p.next]
	p.skipSpaces()
	switch {
	case typ == "" && p.end():
		return attribute{}, p.errorf("ends where an attribute type is expected").
			WithHint("Write attributes as TYPE=value, separated by commas, with none after the last.")
	case typ == "":
		return attribute{}, p.errorf("has no attribute type at character %d", p.column()).
			WithHint("Write attributes as TYPE=value, and escape a comma that belongs to a value as \\,")
	case p.end() || p.text[p.next] != '=':
		return attribute{}, p.errorf("has no \"=\" after the attribute type %q", shorten(typ, maxQuoted)).
			WithHint("Write attributes as TYPE=value, and escape a comma that belongs to a value as \\,")
	}
	oid, ok := typeOID(typ)
	if !ok {
		return attribute{}, p.errorf("has the attribute type %q, which is not known", shorten(typ, maxQuoted)).
			WithHint("Use a name such as C, ST, L, O, OU or CN, or the type's object identifier in dotted decimal.")
	}
	p.next++
	p.skipSpaces()
	a, err := p.value(typ)
	a.oid = oid
	return a, err
}

func isTypeByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.'
}

// value reads a value up to the separator after it or the end.
func (p *parser) value(typ string) (attribute, error) {
	if !p.end() && p.text[p.next] == '#' {
		return p.hexValue(typ)
	}
	text, err := p.stringValue()
	switch {
	case err != nil:
		return attribute{}, err
	case text == "":
		return attribute{}, p.errorf("has an empty value for %s", typ).
			WithHint("Give %s a value, or leave it out.", typ)
	case strings.ContainsRune(text, 0):
		return attribute{}, p.errorf("has a NUL character in the value of %s", typ)
	case !utf8.ValidString(text):
		return attribute{}, p.errorf("has escapes in the value of %s that are not valid UTF-8", typ).
			WithHint("Escape each octet of the character's UTF-8 form, such as \\C3\\A9 for é.")
	}
	return attribute{value: text, text: true}, nil
}

// stringValue reads the string form of RFC 4514 section 3 and undoes its
// escapes. Spaces at its end are dropped unless escaped.
func (p *parser) stringValue() (string, error) {
	var b []byte
	keep := 0 // length of b without the unescaped spaces at its end
	for !p.end() {
		switch c := p.text[p.next]; c {
		case ',', '+':
			return string(b[:keep]), nil
		case ' ':
			b = append(b, c)
			p.next++
			continue
		case '"', ';', '<', '>':
			return "", p.errorf("has an unescaped %c at character %d", c, p.column()).
				WithHint("Write it as \\%c; quoted values and semicolons as separators are not part of RFC 4514.", c)
		case '\\':
			octet, err := p.escape()
			if err != nil {
				return "", err
			}
			b = append(b, octet)
		default:
			r, size := utf8.DecodeRuneInString(p.text[p.next:])
			if !visible(r) {
				return "", p.errorf("has the character %U, which does not show, at character %d", r, p.column()).
					WithHint("If it is meant, write it as %s.", hexPairs(r))
			}
			b = append(b, p.text[p.next:p.next+size]...)
			p.next += size
		}
		keep = len(b)
	}
	return string(b[:keep]), nil
}

// escape reads a backslash with what follows it and returns the octet meant.
func (p *parser) escape() (byte, error) {
	rest := p.text[p.next+1:]
	if rest != "" && strings.IndexByte(specials+" #=", rest[0]) >= 0 {
		p.next += 2
		return rest[0], nil
	}
	if len(rest) >= 2 {
		if octet, err := hex.DecodeString(rest[:2]); err == nil {
			p.next += 3
			return octet[0], nil
		}
	}
	return 0, p.errorf("has a backslash that escapes nothing at character %d", p.column()).
		WithHint("Write a backslash itself as \\\\; others may stand before one of \"+,;<>#= and space, or two hex digits.")
}

// hexValue reads the form "#" and hex of RFC 4514 section 2.4. The DER in it
// must be a string: nothing else can be compared.
func (p *parser) hexValue(typ string) (attribute, error) {
	start := p.next + 1
	for p.next = start; !p.end() && p.text[p.next] != ',' && p.text[p.next] != '+'; {
		p.next++
	}
	der, err := hex.DecodeString(strings.TrimRight(p.text[start:p.next], " "))
	if err != nil {
		return attribute{}, p.errorf("has a value of %s that begins with # and is not hex", typ).
			WithHint("Write a # that begins a value as \\#")
	}
	tag, value, rest, err := next(string(der))
	if err != nil || rest != "" {
		return attribute{}, p.errorf("has a hex value of %s that is not one DER element", typ)
	}
	text, ok := decode(tag, value)
	if !ok || text == "" || strings.ContainsRune(text, 0) {
		return attribute{}, p.errorf("has a hex value of %s that no subject can match", typ).
			WithHint("Use the DER of a string type that is not empty and has a certain reading, such as UTF8String.")
	}
	return attribute{value: text, text: true, der: string(der)}, nil
}

// column returns the position of the next character, counted from 1.
func (p *parser) column() int { return utf8.RuneCountInString(p.text[:p.next]) + 1 }

func (p *parser) errorf(format string, args ...any) *reason.Error {
	return reason.Errorf(reason.CertNameSyntax, "distinguished name %q %s",
		shorten(p.text, maxQuoted), fmt.Sprintf(format, args...))
}
