package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/reason"
)

// clean returns at most limit bytes of a foreign string as one line in which
// nothing acts upon a terminal or a page: control and format characters, among
// them those that change the direction of writing, and what is no UTF-8, are
// written as escapes.
func clean(s string, limit int) string {
	if len(s) > limit {
		cut := limit
		for cut > limit-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	if !needsEscape(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		if !isEscaped(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRuneToASCII(r)
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				q = fmt.Sprintf(`'\x%02x'`, s[i])
			}
		}
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}

func needsEscape(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return strings.ContainsFunc(s, isEscaped)
		}
	}
	return false
}

func isEscaped(r rune) bool { return r == utf8.RuneError || !strconv.IsPrint(r) }

// quote makes a short foreign string safe in a message.
func quote(s string) string { return strconv.Quote(clean(s, maxCodeBytes)) }

// artifactName returns what to call an artifact, as a name in text.
func artifactName(r *audit.Record) string { return clean(r.Name(), maxNameBytes) }

// tagList names the tags of an artifact, the first few.
func tagList(r *audit.Record) string {
	shown := r.Tags[:min(len(r.Tags), maxTagsShown)]
	text := clean(strings.Join(shown, ", "), maxNameBytes)
	if more := len(r.Tags) - len(shown) + max(r.MoreTags, 0); more > 0 {
		text += fmt.Sprintf(" and %s more", number(more))
	}
	return text
}

// incomplete says that a report is not about everything.
func incomplete(o *Options) string {
	return "Not everything was looked at: " + clean(o.Incomplete, maxMessageBytes) + "."
}

// codeOf returns the reason code of a record or, if it has none, its outcome.
func codeOf(r *audit.Record) string {
	if r.Reason == "" {
		return outcomeOf(r).String()
	}
	return clean(string(r.Reason), maxCodeBytes)
}

// entries returns what is documented of each reason code.
func entries() map[string]reason.Entry {
	all := map[string]reason.Entry{}
	for _, e := range reason.All() {
		all[string(e.Code)] = e
	}
	return all
}

// number writes a count with thousands set apart.
func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural writes a count with what is counted.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// percent writes a share to a tenth, cut off and not rounded: it says 100 % of
// nothing less than all, and 0 % only of nothing.
func percent(part, whole int) string {
	switch tenths := permille(part, whole); {
	case whole == 0 || part == 0:
		return "0 %"
	case part == whole:
		return "100 %"
	case tenths == 0:
		return "< 0.1 %"
	default:
		return fmt.Sprintf("%d.%d %%", tenths/10, tenths%10)
	}
}

func permille(part, whole int) int {
	if whole == 0 {
		return 0
	}
	return int(int64(part) * 1000 / int64(whole))
}

// instant writes a time to the minute, in UTC; "" for none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// day writes the day of a time in UTC.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// period writes from when to when, as short as it can be told.
func period(from, to time.Time) string {
	switch a, b := instant(from), instant(to); {
	case a == b || a == "":
		return b
	case day(from) == day(to):
		return from.UTC().Format("2006-01-02 15:04") + " to " + to.UTC().Format("15:04 UTC")
	default:
		return a + " to " + b
	}
}
