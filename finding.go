package notation

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/notaryv2/notation/reason"
)

// passed returns the finding of a check that holds.
func passed(c Check, message string) Finding {
	return Finding{Check: c, Outcome: Passed, Message: message}
}

// found returns a finding for a fault that this package found itself.
func found(c Check, o Outcome, fault *reason.Error) Finding {
	return Finding{Check: c, Outcome: o, Reason: fault.Code, Message: printable(fault.Error()), Hint: printable(fault.Hint)}
}

// foundError returns a finding for the error of another package: its own code
// and hint if it has them, else the code given.
func foundError(c Check, o Outcome, err error, code reason.Code) Finding {
	if own := reason.Of(err); own != "" {
		code = own
	}
	return Finding{Check: c, Outcome: o, Reason: code, Message: printable(err.Error()), Hint: printable(reason.Hint(err))}
}

// printable returns s as one line of bounded length in which nothing can act
// upon a terminal. Errors of other packages keep to that already; what comes
// from the standard library or from another Repository may not.
func printable(s string) string {
	if len(s) > maxMessageBytes {
		cut := maxMessageBytes
		for cut > maxMessageBytes-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "..."
	}
	s = strings.ReplaceAll(s, "\n", "; ")
	if !strings.ContainsFunc(s, notPrintable) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if notPrintable(r) {
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// notPrintable covers control and format characters, among them the
// bidirectional ones, and what is no valid UTF-8.
func notPrintable(r rune) bool { return r == utf8.RuneError || !strconv.IsPrint(r) }

// list joins items for a sentence and counts those beyond maxNamed.
func list[T fmt.Stringer](items []T) string {
	var b strings.Builder
	for i, item := range items {
		if i == maxNamed {
			fmt.Fprintf(&b, " and %d more", len(items)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(item.String())
	}
	return b.String()
}

// quoted is a foreign string that prints as a quoted literal in ASCII.
type quoted string

func (q quoted) String() string { return quote(string(q)) }

// quote returns s as a quoted literal in ASCII, cut short if it is long.
func quote(s string) string {
	if len(s) > maxQuotedBytes {
		return strconv.QuoteToASCII(s[:maxQuotedBytes]) + "..."
	}
	return strconv.QuoteToASCII(s)
}
