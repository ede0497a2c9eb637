package strictjson

import (
	"bytes"
	"encoding"
	stdjson "encoding/json"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
)

// names are the members that a Go type names, at whatever depth. They tell
// cheaply, and never wrongly, that no member of a text is read in another way by
// those who match names without regard to case.
type names struct {
	exact  map[string]bool
	folded map[string]bool
	// unclear says that the type does not tell: part of it decodes itself, or
	// two of its names are variants of each other.
	unclear bool
}

// namesOf returns the names of a type. They are found once.
func namesOf(t reflect.Type) *names {
	if known, ok := typeNames.Load(t); ok {
		return known.(*names) //nolint:forcetypeassert // nothing else is stored
	}
	n := &names{exact: map[string]bool{}, folded: map[string]bool{}}
	n.collect(t, map[reflect.Type]bool{})
	known, _ := typeNames.LoadOrStore(t, n)
	return known.(*names) //nolint:forcetypeassert // as above
}

var typeNames sync.Map // of *names by reflect.Type

func (n *names) collect(t reflect.Type, seen map[reflect.Type]bool) {
	if seen[t] || t == reflect.TypeFor[Raw]() {
		return
	}
	seen[t] = true
	switch pointer := reflect.PointerTo(t); {
	case pointer.Implements(reflect.TypeFor[json.UnmarshalerFrom]()):
		n.unclear = true
		return
	case pointer.Implements(reflect.TypeFor[stdjson.Unmarshaler]()), pointer.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return // is given the bytes, and not how names are to be matched
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		n.collect(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			tag, tagged := f.Tag.Lookup("json")
			name, _, _ := strings.Cut(tag, ",")
			switch {
			case tag == "-" || !f.IsExported() && !f.Anonymous:
				continue
			case strings.HasPrefix(name, "'"): // quoted
				n.unclear = true
			case name == "" && !tagged && !f.Anonymous:
				name = f.Name
			}
			if name != "" {
				n.add(name)
			}
			n.collect(f.Type, seen)
		}
	}
}

func (n *names) add(name string) {
	if n.exact[name] {
		return
	}
	folded := string(fold(nil, []byte(name)))
	n.unclear = n.unclear || n.folded[folded] || !isASCII(name)
	n.exact[name], n.folded[folded] = true, true
}

// fold appends an ASCII name as the decoder folds it: in upper case, without
// dashes and underscores.
func fold(to, name []byte) []byte {
	for _, c := range name {
		switch {
		case c == '-' || c == '_':
		case 'a' <= c && c <= 'z':
			to = append(to, c-('a'-'A'))
		default:
			to = append(to, c)
		}
	}
	return to
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// mayVary reports whether a text that has been decoded may have a member that is
// a variant of a name of the type.
func (n *names) mayVary(data []byte) bool {
	if n.unclear {
		return true
	}
	if len(n.exact) == 0 {
		return false // there is nothing to be a variant of
	}
	var buffer [64]byte
	for i := 0; ; {
		start := bytes.IndexByte(data[i:], '"')
		if start < 0 {
			return false
		}
		start += i
		end := skipString(data, start)
		if end >= len(data) {
			return true // not JSON
		}
		i = end + 1
		if !beforeColon(data[i:]) {
			continue
		}
		name := data[start+1 : end]
		switch {
		case n.exact[string(name)]:
		case bytes.IndexByte(name, '\\') >= 0, !isASCII(string(name)), n.folded[string(fold(buffer[:0], name))]:
			return true
		}
	}
}

// beforeColon reports whether the next character that is no white space is a
// colon: the string before is the name of a member.
func beforeColon(data []byte) bool {
	for _, c := range data {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			return c == ':'
		}
	}
	return false
}
