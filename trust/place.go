package trust

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/reason"
)

// pointer is a JSON pointer (RFC 6901) into a policy.
type pointer string

// to appends tokens, each a member name or an index.
func (p pointer) to(tokens ...any) pointer {
	for _, t := range tokens {
		p += "/" + pointer(escapeToken.Replace(fmt.Sprint(t)))
	}
	return p
}

var (
	escapeToken   = strings.NewReplacer("~", "~0", "/", "~1")
	unescapeToken = strings.NewReplacer("~1", "/", "~0", "~")
)

// String returns the pointer the way people write a member:
// trustPolicies[1].registryScopes[0]. It is safe to print.
func (p pointer) String() string {
	var b strings.Builder
	for i, token := range strings.Split(string(p), "/") {
		if i == 0 {
			continue
		}
		token = unescapeToken.Replace(token)
		switch _, err := strconv.ParseUint(token, 10, 32); {
		case err == nil:
			b.WriteString("[" + token + "]")
		case token == "" || strings.ContainsAny(token, ".[] ") || plain(token) != token || len(token) > maxShownBytes:
			b.WriteString("[" + show(token) + "]")
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(token)
		}
	}
	return b.String()
}

// place renders file:line: member, leaving out what is not known.
func place(file string, line int, at pointer) string {
	s := "trust policy"
	if file != "" {
		s = plain(file)
	}
	if line > 0 {
		s += ":" + strconv.Itoa(line)
	}
	if at != "" {
		s += ": " + at.String()
	}
	return s
}

// problems collects what is wrong with a policy, so that its author sees all
// of it at once.
type problems struct {
	file    string
	data    []byte
	errs    []error
	omitted bool
}

// add records a problem at a place. hint may be empty.
func (p *problems) add(at pointer, code reason.Code, hint, format string, args ...any) {
	p.addError(at, reason.Errorf(code, format, args...).WithHint("%s", hint))
}

// addError records err, found at a place: its message and cause are kept.
func (p *problems) addError(at pointer, err *reason.Error) {
	if len(p.errs) >= maxProblems {
		p.omitted = true
		return
	}
	e := *err
	line, _ := strictjson.Position(p.data, string(at))
	e.Message = place(p.file, line, at) + ": " + e.Message
	p.errs = append(p.errs, &e)
}

// err returns the problems as one error, or nil.
func (p *problems) err() error { return joinCapped(p.errs, p.omitted) }

// joinCapped joins errors; a single one is returned as it is.
func joinCapped(errs []error, omitted bool) error {
	switch {
	case omitted:
		return errors.Join(append(errs, reason.Errorf(reason.Of(errs[0]), "and more: only the first %d problems are listed", len(errs)))...)
	case len(errs) == 1:
		return errs[0]
	default:
		return errors.Join(errs...)
	}
}
