// Package uri reads and writes the PKCS #11 URIs of RFC 7512, as far as they
// name a private key and how to get at it.
//
// [Parse] is strict where the RFC leaves a choice. A URI that names a key is
// part of somebody's configuration, and a misspelt attribute that is passed over
// would widen what it matches: so an attribute that is not known, given twice or
// empty is an error, and so is everything that this program would have to
// ignore. Two attributes of the RFC are refused because of what they do:
// pin-value, since key ids are shown and kept in files that hold no secrets, and
// a pin-source that is a program.
package uri

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/notaryv2/notation/reason"
)

const scheme = "pkcs11:"

// Bounds, in bytes. Those of the names are the widths of the fields in
// CK_TOKEN_INFO, CK_SLOT_INFO and CK_INFO, PKCS #11 v2.40 section 3.
const (
	maxURI    = 4096 // what the plugin protocol takes for a key id
	maxObject = 1024 // a label; tokens allow a few hundred
	maxID     = 256  // a CKA_ID; tokens allow 20 to 255
	maxPath   = 4096 // of a file
	wideField = 64
	midField  = 32
	thinField = 16
)

// URI is a parsed PKCS #11 URI. What is empty matches everything. Texts are
// valid UTF-8 without NUL.
type URI struct {
	Token, Manufacturer, Serial, Model      string // of the token
	SlotDescription, SlotManufacturer       string
	SlotID                                  *uint64
	LibraryDescription, LibraryManufacturer string
	LibraryVersion                          string // as it is written, "2" or "2.40"
	Object                                  string // CKA_LABEL of the key
	ID                                      []byte // CKA_ID of the key
	Type                                    string // "" or "private"
	PINSource                               string // absolute path of a file
	ModulePath                              string // absolute path of a module
}

// attribute is what the RFC defines under one name, and where it belongs.
type attribute struct {
	name  string
	query bool
	limit int
	set   func(*URI, string) error
	get   func(*URI) string
}

// text is an attribute whose value is kept as it is.
func text(name string, limit int, field func(*URI) *string) attribute {
	return attribute{
		name: name, limit: limit,
		set: func(u *URI, value string) error { *field(u) = value; return nil },
		get: func(u *URI) string { return *field(u) },
	}
}

// attributes lists what may stand in a URI, in the order in which it is written.
func attributes() []attribute {
	all := []attribute{
		text("library-description", midField, func(u *URI) *string { return &u.LibraryDescription }),
		text("library-manufacturer", midField, func(u *URI) *string { return &u.LibraryManufacturer }),
		{name: "library-version", limit: thinField, set: setVersion, get: func(u *URI) string { return u.LibraryVersion }},
		text("slot-description", wideField, func(u *URI) *string { return &u.SlotDescription }),
		text("slot-manufacturer", midField, func(u *URI) *string { return &u.SlotManufacturer }),
		{name: "slot-id", limit: 20, set: setSlot, get: getSlot},
		text("model", thinField, func(u *URI) *string { return &u.Model }),
		text("manufacturer", midField, func(u *URI) *string { return &u.Manufacturer }),
		text("serial", thinField, func(u *URI) *string { return &u.Serial }),
		text("token", midField, func(u *URI) *string { return &u.Token }),
		{name: "id", limit: maxID, set: setID, get: func(u *URI) string { return string(u.ID) }},
		text("object", maxObject, func(u *URI) *string { return &u.Object }),
		{name: "type", limit: thinField, set: setType, get: func(u *URI) string { return u.Type }},
	}
	source := attribute{name: "pin-source", query: true, limit: maxPath, set: setPINSource, get: getPINSource}
	module := attribute{name: "module-path", query: true, limit: maxPath, set: setModule, get: func(u *URI) string { return u.ModulePath }}
	return append(all, source, module)
}

func invalid(format string, args ...any) *reason.Error {
	return reason.Errorf(reason.TokenURI, "the key id is no PKCS #11 URI that can be used: "+format, args...).
		WithHint(`Give a URI such as pkcs11:token=NAME;id=%%01; "notation-pkcs11 list" shows those of your keys.`)
}

// Parse reads a URI of at most 4096 bytes. The error is a *reason.Error with
// the code token.uri; its text is safe to print and shows no value but names.
func Parse(s string) (*URI, error) {
	if len(s) > maxURI {
		return nil, invalid("it has more than %d bytes", maxURI)
	}
	rest, ok := strings.CutPrefix(s, scheme)
	if !ok {
		return nil, invalid("it does not begin with %q", scheme)
	}
	path, query, asked := strings.Cut(rest, "?")
	u := &URI{}
	known := attributes()
	if err := u.parse(path, ";", false, known); err != nil {
		return nil, err
	}
	if asked {
		if err := u.parse(query, "&", true, known); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// parse reads one of the two parts, the path or the query.
func (u *URI) parse(part, separator string, query bool, known []attribute) error {
	if part == "" {
		if query {
			return invalid("nothing follows the question mark")
		}
		return nil
	}
	seen := map[string]bool{}
	for item := range strings.SplitSeq(part, separator) {
		name, raw, ok := strings.Cut(item, "=")
		if !ok {
			return invalid("%q is no attribute NAME=VALUE", shorten(item))
		}
		at := slices.IndexFunc(known, func(a attribute) bool { return a.name == name && a.query == query })
		switch {
		case at < 0:
			return unknown(name, query, known)
		case seen[name]:
			return invalid("the attribute %s is given twice", name)
		}
		seen[name] = true
		if err := u.assign(known[at], raw); err != nil {
			return err
		}
	}
	return nil
}

// unknown says why an attribute cannot be used.
func unknown(name string, query bool, known []attribute) error {
	switch {
	case name == "pin-value":
		return invalid("a PIN has no place in a key id, which is shown and stored").
			WithHint("Put the PIN into a file that only you can read, and name that: pin-source=file:/path.")
	case name == "module-name":
		return invalid("module-name is not supported").
			WithHint("Name the module by its path: --plugin-config module=/path, or $NOTATION_PKCS11_MODULE.")
	case slices.ContainsFunc(known, func(a attribute) bool { return a.name == name }) && query:
		return invalid("the attribute %s belongs before the question mark", name)
	case slices.ContainsFunc(known, func(a attribute) bool { return a.name == name }):
		return invalid("the attribute %s belongs after the question mark", name)
	}
	return invalid("the attribute %q is not known", shorten(name))
}

// assign decodes a value and gives it to its attribute.
func (u *URI) assign(a attribute, raw string) error {
	value, err := decode(raw, a.query)
	switch {
	case err != nil:
		return invalid("the value of %s %v", a.name, err)
	case value == "":
		return invalid("the attribute %s has no value", a.name)
	case len(value) > a.limit:
		return invalid("the value of %s has more than %d bytes", a.name, a.limit)
	case a.name != "id" && (!utf8.ValidString(value) || strings.Contains(value, "\x00")):
		return invalid("the value of %s is no text in UTF-8", a.name)
	}
	return a.set(u, value)
}

// decode takes the percent encoding away. Which characters may stand for
// themselves is RFC 7512 section 2.3, pk11-pchar and pk11-qchar.
func decode(raw string, query bool) (string, error) {
	plain := plainPath
	if query {
		plain = plainQuery
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case isUnreserved(c) || strings.IndexByte(plain, c) >= 0:
			b.WriteByte(c)
		case c != '%':
			return "", fmt.Errorf("has the character %q, which must be written %%%02X", c, c)
		case i+2 >= len(raw):
			return "", fmt.Errorf("ends within a percent encoding")
		default:
			n, err := strconv.ParseUint(raw[i+1:i+3], 16, 8)
			if err != nil {
				return "", fmt.Errorf("has a percent sign without two hexadecimal digits")
			}
			b.WriteByte(byte(n))
			i += 2
		}
	}
	return b.String(), nil
}

// What may stand for itself beside letters, digits and "-._~".
const (
	plainPath  = ":[]@!$'()*+,=&"
	plainQuery = ":[]@!$'()*+,=/?|"
)

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// shorten keeps what is shown of a wrong text short.
func shorten(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
