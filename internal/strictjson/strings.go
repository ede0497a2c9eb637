package strictjson

import (
	"bytes"
	"errors"
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// Strings gives the elements of an array of strings one by one, so that a text of
// some megabytes does not become some hundred as a slice. raw is a value that
// [Unmarshal] has checked. The error, an [*Error], is that it is something else.
func Strings(raw Raw) (iter.Seq[string], error) {
	for _, err := range elements(raw) {
		if fault, ok := errors.AsType[*Error](err); ok {
			return nil, fault
		} else if err != nil {
			return nil, locate(raw, err)
		}
	}
	return func(yield func(string) bool) {
		for text, err := range elements(raw) {
			if err != nil || !yield(text.String()) {
				return
			}
		}
	}, nil
}

// elements gives the elements of an array of strings, and an error if it is none.
// A token is valid until the next is asked for.
func elements(raw Raw) iter.Seq2[jsontext.Token, error] {
	return func(yield func(jsontext.Token, error) bool) {
		d := jsontext.NewDecoder(bytes.NewBuffer(raw))
		token, err := d.ReadToken()
		if err == nil && token.Kind() != '[' {
			err = misplaced(d, token, "an array of strings")
		}
		for err == nil && d.PeekKind() != ']' {
			if token, err = d.ReadToken(); err == nil && token.Kind() != '"' {
				err = misplaced(d, token, "a string")
			}
			if err == nil && !yield(token, nil) {
				return
			}
		}
		if err != nil {
			yield(jsontext.Token{}, err)
		}
	}
}

// misplaced says that a token stands where something else is required.
func misplaced(d *jsontext.Decoder, token jsontext.Token, required string) error {
	e := &Error{Pointer: string(d.StackPointer())}
	if token.Kind() == 'n' {
		e.Err, e.Message = ErrNull, "null stands where "+required+" is required"
	} else {
		e.Message = "a " + kindName(token.Kind()) + " stands where " + required + " is required"
	}
	return e
}
