package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
)

// schemaVersion is that of every JSON document. Within a major version members
// are only added.
const schemaVersion = "1.0"

// format is the value of --output.
type format string

const (
	formatText format = "text"
	formatJSON format = "json"
	formatTree format = "tree" // of inspect; the same as text
)

// document is what a command has to say. Its JSON form is an object.
type document interface {
	text(p *page)
}

// streamed is a document whose JSON form is too long to be held.
type streamed interface {
	// members writes the members of the object, indented by two columns, without
	// a line break before and after them.
	members(w io.Writer) error
}

// wantsJSON looks for --output json before the flags are parsed, so that an
// error in them is told in JSON, too.
func wantsJSON(args []string) bool {
	for i, arg := range args {
		switch {
		case arg == "--":
			return false
		case arg == "-ojson" || arg == "-o=json" || arg == "--output=json":
			return true
		case (arg == "-o" || arg == "--output") && i+1 < len(args) && args[i+1] == "json":
			return true
		}
	}
	return false
}

// finish shows the result and the error of a run, and returns its exit code.
func (a *app) finish(err error) int {
	code := exitCode(err)
	if writeErr := a.show(err, code); writeErr != nil {
		// A caller that reads an incomplete answer must not take it for one; what
		// went wrong before is told as well.
		a.showError(err)
		fmt.Fprintf(a.env.Stderr, "Error: the result could not be written: %s.\n", escape(writeErr.Error()))
		return worse(code, exitUndecided)
	}
	a.showError(err)
	return code
}

func (a *app) show(err error, code int) error {
	if a.format == formatJSON {
		return a.showJSON(err, code)
	}
	if a.result == nil {
		return nil
	}
	p := &page{color: a.colours()}
	a.result.text(p)
	_, writeErr := a.env.Stdout.Write(p.b.Bytes())
	return writeErr
}

// showError writes what went wrong for people, in both formats: standard error
// is what ends up in the log of a pipeline.
func (a *app) showError(err error) {
	if err == nil || errors.Is(err, notation.ErrSkipped) {
		return
	}
	var hints []string
	each := []error{err}
	if many, ok := errors.AsType[manyErrors](err); ok && reason.Of(err) != reason.UsageInterrupted {
		each = each[:0]
		for _, e := range many {
			each = append(each, e)
		}
	}
	for _, e := range each {
		fmt.Fprintln(a.env.Stderr, "Error: "+sentence(e.Error()))
		if h := hintFor(e); h != "" && !slices.Contains(hints, h) {
			hints = append(hints, h)
		}
	}
	for _, h := range hints {
		fmt.Fprintln(a.env.Stderr, "Hint: "+sentence(h))
	}
}

// header begins every JSON document.
type header struct {
	SchemaVersion string     `json:"schemaVersion"`
	Command       string     `json:"command"`
	ExitCode      int        `json:"exitCode"`
	Warnings      []string   `json:"warnings,omitempty"`
	Error         *errorJSON `json:"error,omitempty"`
}

type errorJSON struct {
	Code    reason.Code `json:"code"`
	Message string      `json:"message"`
	Hint    string      `json:"hint,omitempty"`
}

func newErrorJSON(err error) *errorJSON {
	if err == nil {
		return nil
	}
	return &errorJSON{Code: reason.Of(err), Message: err.Error(), Hint: hintFor(err)}
}

// damaged is the remedy for a signature of which no more is known than that it
// is none.
const damaged = "get the signature again, or have it made again; it was damaged on its way, or made by a faulty program"

// hintFor returns the remedy for an error.
func hintFor(err error) string {
	if own, ok := errors.AsType[reworded](err); ok && own.hint != "" {
		return own.hint
	}
	if h := reason.Hint(err); h != "" {
		return h
	}
	if area, _, _ := strings.Cut(string(reason.Of(err)), "."); area == "envelope" {
		return damaged
	}
	if exitCode(err) == exitUndecided {
		return "try again, allow more time with --timeout, or see what happens with --debug"
	}
	return ""
}

// showJSON writes the header and the members of the result as one object.
func (a *app) showJSON(err error, code int) error {
	h := header{SchemaVersion: schemaVersion, Command: a.command, ExitCode: code, Warnings: a.warnings, Error: newErrorJSON(err)}
	body, marshalErr := marshal(h)
	if marshalErr != nil {
		return marshalErr
	}
	if long, ok := a.result.(streamed); ok {
		return a.stream(body, long)
	}
	if a.result != nil {
		members, marshalErr := marshal(a.result)
		if marshalErr != nil {
			return marshalErr
		}
		if len(members) > len("{}") {
			body = slices.Concat(body[:len(body)-1], []byte(","), members[1:])
		}
	}
	var b bytes.Buffer
	if err := json.Indent(&b, body, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err = a.env.Stdout.Write(b.Bytes())
	return err
}

// stream writes the header and the members of a long result as one object.
func (a *app) stream(header []byte, result streamed) error {
	var b bytes.Buffer
	if err := json.Indent(&b, header, "", "  "); err != nil {
		return err
	}
	b.Truncate(b.Len() - len("\n}"))
	w := bufio.NewWriter(a.env.Stdout)
	_, _ = w.Write(append(b.Bytes(), ",\n"...)) // Flush returns its error, too
	if err := result.members(w); err != nil {
		return err
	}
	_, _ = w.WriteString("\n}\n")
	return w.Flush()
}

// marshal encodes v. What a terminal might act upon is escaped: the text of a
// signature is its signer's.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return strictjson.EscapeUnprintable(bytes.TrimRight(b.Bytes(), "\n")), nil
}

// escape makes foreign text safe for a terminal: what cannot be printed, above
// all control characters and those that change the direction of text, is
// written as in a Go string.
func escape(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRune(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}
