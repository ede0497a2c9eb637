// Package reason holds the stable reason codes of this project and the one
// error type that carries them.
//
// Every check that fails, here or in a caller's log, says why by a [Code]: a
// short dotted word that scripts and dashboards may rely on. The sentences
// around it are for people and may change. docs/reason-codes.md lists every
// code; [All] is its source, and a test compares the two.
package reason

import (
	"errors"
	"fmt"
)

// A Code is a stable, machine-readable reason, such as "envelope.algorithm".
// The part before the dot names the area that found the fault. The zero value
// means that there is none.
type Code string

// An Entry documents one code.
type Entry struct {
	Code    Code
	Meaning string // one sentence: what it says about the input
	Remedy  string // one sentence: what a user can usually do
}

// All returns every code with its documentation, grouped by area and in the
// order of their definition. The slice is the caller's.
func All() []Entry {
	var all []Entry
	for _, area := range [][]Entry{
		envelopeEntries(), certEntries(), ociEntries(), registryEntries(), trustEntries(),
		signerEntries(), verifyEntries(), timestampEntries(), revocationEntries(),
		pluginEntries(), tokenEntries(), blobEntries(), configEntries(), doctorEntries(), promoteEntries(), pullEntries(), bundleEntries(), pruneEntries(), auditEntries(),
	} {
		all = append(all, area...)
	}
	return all
}

// Error is a fault with its reason code. Message says in one sentence what is
// wrong; Hint, which may be empty, says in one sentence what to do about it.
// Err, which may be nil, is the cause.
type Error struct {
	Code    Code
	Message string
	Hint    string
	Err     error
}

// Error returns the message followed by the cause. The hint is left to the
// caller, who knows whether a person is reading.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an *Error of the given code whose message is formatted from
// format and args. It has no hint; see [Error.WithHint].
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap is like Errorf and records err as the cause.
func Wrap(code Code, err error, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Err: err}
}

// WithHint returns a copy of e with the given hint.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// Of returns the code of the first *Error in err's tree, or "" if it has none.
func Of(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// Hint returns the first hint that is not empty along err's chain of *Error
// values, or "".
func Hint(err error) string {
	for err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}
