package strictjson

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is the number of objects and arrays that may be open at once. No
// format of this project nests deeper than ten.
const MaxDepth = 64

// Raw is a JSON value kept as the bytes that were read. It has been checked
// for everything that does not depend on its type.
type Raw = jsontext.Value

// Sentinels that an [*Error] wraps, to tell the causes apart.
var (
	ErrDuplicate = errors.New("member given twice")
	ErrUnknown   = errors.New("unknown member")
	ErrNull      = errors.New("null where a value is required")
	ErrDepth     = errors.New("nested too deep")
)

// Unmarshal decodes exactly one JSON value into v. Duplicate, case-variant and
// unknown members, null for anything but a pointer, an interface or a [Raw]
// value, invalid UTF-8, lone surrogates, a byte order mark, trailing bytes and
// nesting deeper than [MaxDepth] are errors, of type [*Error].
//
// v must be a non-nil pointer and hold its zero value. After an error its
// content is not to be used.
func Unmarshal(data []byte, v any) error {
	return unmarshal(data, v, json.RejectUnknownMembers(true))
}

// UnmarshalOpen is [Unmarshal], but ignores members that v does not name, as
// the OCI image specification asks of readers of its manifests. A member whose
// name differs from one of v's only by case, dashes or underscores is an error
// all the same, unless both readings give the same value.
func UnmarshalOpen(data []byte, v any) error {
	if err := unmarshal(data, v, json.RejectUnknownMembers(false)); err != nil {
		return err
	}
	// Other readers match names without regard to case. Where that may matter,
	// read the text as they do and insist on the same result.
	if !namesOf(reflect.TypeOf(v)).mayVary(data) {
		return nil
	}
	loose := reflect.New(reflect.TypeOf(v).Elem())
	err := unmarshal(data, loose.Interface(), json.MatchCaseInsensitiveNames(true))
	if err != nil || !reflect.DeepEqual(v, loose.Interface()) {
		return caseVariant(err)
	}
	return nil
}

// Marshal encodes v: members of structs in the order of their fields, those of
// maps sorted, no insignificant white space, and no escapes but those that
// RFC 8259 section 7 requires.
func Marshal(v any) ([]byte, error) {
	return json.Marshal(v, json.Deterministic(true))
}

func unmarshal(data []byte, v any, opts json.Options) error {
	hasNull, err := scan(data)
	if err != nil {
		return err
	}
	if hasNull {
		opts = json.JoinOptions(opts, json.WithUnmarshalers(nullRefuser))
	}
	if err := json.Unmarshal(data, v, opts); err != nil {
		return locate(data, err)
	}
	return nil
}

var utf8BOM = []byte("\xef\xbb\xbf")

// scan makes the checks that need no grammar, in one pass that jumps over
// strings: the byte order mark and the depth. It reports whether the text may
// hold a null, which the decoder would take for a zero value; the costlier
// check against the Go types is only made then. Texts that are not JSON are
// left to the decoder.
func scan(data []byte) (hasNull bool, err error) {
	if bytes.HasPrefix(data, utf8BOM) {
		return false, &Error{Line: 1, Column: 1, Message: "the text starts with a byte order mark"}
	}
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if depth++; depth > MaxDepth {
				line, column := lineColumn(data, i)
				return false, &Error{
					Line: line, Column: column, Err: ErrDepth,
					Message: "objects and arrays are nested too deep",
				}
			}
		case '}', ']':
			depth--
		case 'n':
			hasNull = true
		case '"':
			i = skipString(data, i)
		}
	}
	return hasNull, nil
}

// skipString returns the index of the quote that ends the string starting at
// i, or the last index if there is none.
func skipString(data []byte, i int) int {
	for i++; i < len(data); i++ {
		n := bytes.IndexByte(data[i:], '"')
		if n < 0 {
			break
		}
		i += n
		backslashes := 0
		for data[i-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return i
		}
	}
	return len(data)
}

// nullRefuser sees every value before the decoder does and refuses null where
// the Go type has no null of its own.
var nullRefuser = json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v any) error {
	if dec.PeekKind() != 'n' {
		return errors.ErrUnsupported // not ours: decode as usual
	}
	t := reflect.TypeOf(v).Elem()
	switch {
	case t.Kind() == reflect.Pointer, t.Kind() == reflect.Interface:
	case t == reflect.TypeFor[Raw](), isRawMessage(t):
	default:
		return ErrNull
	}
	return errors.ErrUnsupported
})

// isRawMessage tells encoding/json.RawMessage and its like: named byte slices
// that decode themselves.
func isRawMessage(t reflect.Type) bool {
	if t.Kind() != reflect.Slice || t.Elem().Kind() != reflect.Uint8 {
		return false
	}
	_, ok := reflect.New(t).Interface().(json.Unmarshaler)
	return ok
}

// Value decodes a raw value whose type is not known beforehand, with the
// checks of [Unmarshal]. The result is nil, bool, int64, float64, string, []any
// or map[string]any. A number without fraction and exponent is an int64 and an
// error if it does not fit; others are the nearest float64.
func Value(raw Raw) (any, error) {
	if _, err := scan(raw); err != nil {
		return nil, err
	}
	var v any
	if err := json.Unmarshal(raw, &v, json.WithUnmarshalers(integerKeeper)); err != nil {
		return nil, locate(raw, err)
	}
	return v, nil
}

// integerKeeper decodes integers into an any without the detour over float64,
// which holds only the smaller ones exactly.
var integerKeeper = json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *any) error {
	if dec.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	number, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if bytes.ContainsAny(number, ".eE") {
		f, err := strconv.ParseFloat(string(number), 64)
		*v = f
		return err
	}
	n, err := strconv.ParseInt(string(number), 10, 64)
	*v = n
	return err
})
