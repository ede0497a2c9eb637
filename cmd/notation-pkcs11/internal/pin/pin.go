// Package pin gets the PIN of a token: from a file, from the environment, or
// from the person at the terminal. It never asks twice, and tells who gave the
// PIN, since a person may risk what a program must not.
//
// The plugin's standard input belongs to the plugin protocol, and its host has
// put it in the background of the terminal, so asking a person takes some care;
// see [Terminal].
package pin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/reason"
)

// Bounds.
const (
	maxPIN  = 255 // bytes; tokens allow 4 to 255
	maxFile = maxPIN + len("\r\n")

	// lockRetry is how often a lock is tried that somebody else has.
	lockRetry = 20 * time.Millisecond

	// How long a lock is waited for. notation ends a plugin that takes longer than
	// a minute to describe a key, or than five to sign, without knowing what it
	// waits for; whoever waits for a lock says so before that. The time to be alone
	// is that long because others may be at the keys of a PIN pad.
	lookWait  = 45 * time.Second
	aloneWait = 4 * time.Minute
)

// Variable is the environment variable that holds a PIN.
const Variable = "NOTATION_PKCS11_PIN"

// PIN is what a token is given. Attended is whether a person was there to be
// told about the state of the token, and has decided to go on.
type PIN struct {
	Value    string
	Attended bool
}

// Question is what a person has to know to give a PIN.
type Question struct {
	Token string // label of the token
	Last  bool   // the token locks the PIN if this one is wrong
	Low   bool   // a wrong PIN was given before
}

// Asker asks a person. An Asker that finds nobody to ask returns ErrNobody.
type Asker func(ctx context.Context, q Question) (string, error)

// ErrNobody means that there is no terminal, or that the program may not use it.
var ErrNobody = errors.New("there is no terminal to ask for it")

// Source says where the PIN is to come from. What is there first is taken, and
// nothing else tried after it.
type Source struct {
	File string // absolute path, "" for none
	Env  string // the value of $NOTATION_PKCS11_PIN, "" for none
	Ask  Asker  // nil: nobody can be asked
	Warn func(string)
}

// Unattended reports whether the PIN comes from a file or from the environment.
func (s Source) Unattended() bool { return s.File != "" || s.Env != "" }

// Get returns the PIN. The error is a *reason.Error with the code
// token.pin-source, token.pin-missing or token.interrupted.
func (s Source) Get(ctx context.Context, q Question) (PIN, error) {
	switch {
	case s.File != "":
		value, err := s.read()
		return PIN{Value: value}, err
	case s.Env != "":
		value, err := check(s.Env, "the variable "+Variable)
		return PIN{Value: value}, err
	}
	err := ErrNobody
	value := ""
	if s.Ask != nil {
		value, err = s.Ask(ctx, q)
	}
	switch {
	case reason.Of(err) != "":
		return PIN{}, err // such as that others were asked all the time
	case ctx.Err() != nil || errors.Is(err, context.Canceled):
		return PIN{}, reason.Errorf(reason.TokenInterrupted, "the PIN of the token %s was not entered: asking for it was interrupted", quote(q.Token))
	case err != nil:
		return PIN{}, reason.Wrap(reason.TokenPINMissing, err, "the token %s wants a PIN", quote(q.Token)).
			WithHint("Add pin-source=file:/path to the key id, set $%s, or sign at a terminal.", Variable)
	}
	value, err = check(value, "what was entered")
	return PIN{Value: value, Attended: true}, err
}

// read reads the file. A line end after the PIN, which editors add, is no part
// of it.
func (s Source) read() (string, error) {
	data, err := atomicfile.ReadLinked(s.File, int64(maxFile))
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return "", reason.Wrap(reason.TokenPINSource, err, "the file %s of pin-source cannot be read", quote(s.File)).
			WithHint("Check that it is a file that you may read, and holds the PIN and nothing else.")
	}
	defer clear(data)
	if s.Warn != nil {
		if info, err := os.Stat(s.File); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			s.Warn(fmt.Sprintf("the file %s with the PIN has mode %04o, so others may use it; run chmod 600", quote(s.File), info.Mode().Perm()))
		}
	}
	line, _ := bytes.CutSuffix(data, []byte("\n"))
	line, _ = bytes.CutSuffix(line, []byte("\r"))
	return check(string(line), "the file "+quote(s.File)+" of pin-source")
}

// check refuses what is no PIN without showing it.
func check(value, where string) (string, error) {
	fault := ""
	switch {
	case value == "":
		fault = "is empty"
	case len(value) > maxPIN:
		fault = "has more than " + strconv.Itoa(maxPIN) + " bytes"
	case bytes.ContainsAny([]byte(value), "\x00\r\n"):
		fault = "has more than one line"
	default:
		return value, nil
	}
	return "", reason.Errorf(reason.TokenPINSource, "%s %s, and so is no PIN", where, fault).
		WithHint("It must hold the PIN and nothing else.")
}

func quote(s string) string { return strconv.QuoteToASCII(s) }
