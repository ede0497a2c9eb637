package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Error is a strict parsing failure and where it is. Message and the text of
// Error hold nothing of the input but quoted and escaped names.
type Error struct {
	Line, Column int    // 1-based, the column in characters; 0 if not known
	Pointer      string // RFC 6901 pointer to the member, "" for the document; not escaped for a terminal
	Message      string
	Err          error // one of the package's sentinels, or nil
}

// Error returns the place and the message.
func (e *Error) Error() string {
	var b bytes.Buffer
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", e.Line, e.Column)
	}
	b.WriteString(e.Message)
	if e.Pointer != "" {
		fmt.Fprintf(&b, " at %s", quote(e.Pointer))
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// maxQuoted bounds what a message repeats of a hostile name, in bytes.
const maxQuoted = 100

// quote renders hostile text for a terminal: control, format and invalid
// characters escaped, the length bounded.
func quote(s string) string {
	if len(s) > maxQuoted {
		return strconv.Quote(s[:maxQuoted]) + "..."
	}
	return strconv.Quote(s)
}

// locate turns an error of the decoder into one of ours.
func locate(data []byte, err error) error {
	var offset int64
	var pointer jsontext.Pointer
	e := &Error{Message: "the text is not valid JSON"}
	if syn, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		offset, pointer = syn.ByteOffset, syn.JSONPointer
		switch {
		case errors.Is(syn, jsontext.ErrDuplicateName):
			e.Err = ErrDuplicate
			e.Message = "member " + quote(pointer.LastToken()) + " is given twice"
			pointer = pointer.Parent()
		case errors.Is(syn, io.ErrUnexpectedEOF):
			e.Message = "the text ends before the JSON value does"
		case syn.Err != nil:
			e.Message += " (" + printable(syn.Err.Error()) + ")"
		}
	} else if sem, ok := errors.AsType[*json.SemanticError](err); ok {
		offset, pointer = sem.ByteOffset, sem.JSONPointer
		switch {
		case errors.Is(sem, json.ErrUnknownName):
			e.Err = ErrUnknown
			e.Message = "member " + quote(pointer.LastToken()) + " is not known here"
			pointer = pointer.Parent()
		case errors.Is(sem, ErrNull):
			e.Err = ErrNull
			e.Message = "null stands where a value is required"
		case errors.Is(sem, strconv.ErrRange):
			e.Message = "the number is out of range"
		default:
			e.Message = wrongType(sem)
		}
	}
	e.Pointer = string(pointer)
	e.Line, e.Column = lineColumn(data, int(offset))
	return e
}

func wrongType(sem *json.SemanticError) string {
	msg := "the value has the wrong type"
	if kind := kindName(sem.JSONKind); kind != "" {
		msg = "a " + kind + " does not fit here"
	}
	if sem.Err != nil {
		msg += " (" + printable(sem.Err.Error()) + ")"
	}
	return msg
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 't', 'f':
		return "boolean"
	case '"':
		return "string"
	case '0':
		return "number"
	case '{':
		return "JSON object"
	case '[':
		return "JSON array"
	}
	return ""
}

// printable escapes what a decoder's message may repeat of the input.
func printable(s string) string {
	q := quote(s)
	if s == q[1:len(q)-1] {
		return s
	}
	return q
}

// caseVariant explains why a text reads differently without regard to case.
func caseVariant(err error) error {
	e := &Error{Message: "a member's name differs only by case, dash or underscore from one that is known"}
	if cause, ok := errors.AsType[*Error](err); ok {
		e.Line, e.Column, e.Pointer, e.Err = cause.Line, cause.Column, cause.Pointer, cause.Err
	}
	return e
}

// Position returns line and column, from 1, of the value a pointer names, or
// of its closest parent that exists. Column counts characters. The document's
// own place is given if data is not JSON up to the value.
func Position(data []byte, pointer string) (line, column int) {
	dec := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	best := valueStart(data, 0)
	depth := 0
	for {
		before := dec.InputOffset()
		tok, err := dec.ReadToken()
		if err != nil || depth > MaxDepth {
			break
		}
		kind := tok.Kind()
		if kind == '}' || kind == ']' {
			depth--
			continue
		}
		at := dec.StackPointer()
		isName := false
		if parent, n := dec.StackIndex(dec.StackDepth()); parent == '{' && n%2 == 1 {
			isName = true // a member's name was just read, its value follows
		}
		if kind == '{' || kind == '[' {
			depth++
		}
		if isName || !at.Contains(jsontext.Pointer(pointer)) {
			continue
		}
		best = valueStart(data, int(before))
		if string(at) == pointer {
			break
		}
	}
	return lineColumn(data, best)
}

// valueStart skips white space and the separators before a value.
func valueStart(data []byte, i int) int {
	for i < len(data) && bytes.IndexByte([]byte(" \t\r\n,:"), data[i]) >= 0 {
		i++
	}
	return i
}

// lineColumn converts a byte offset.
func lineColumn(data []byte, offset int) (line, column int) {
	offset = min(max(offset, 0), len(data))
	before := data[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1
}
