package trust

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// show quotes a foreign string for a message: characters that a terminal might
// act upon are escaped, and only the beginning of a long one is shown.
func show(s string) string {
	if len(s) <= maxShownBytes {
		return strconv.Quote(s)
	}
	cut := maxShownBytes
	for cut > maxShownBytes-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strconv.Quote(s[:cut]) + "..."
}

// plain returns s as it is if it can be printed safely, else quoted.
func plain(s string) string {
	if q := strconv.Quote(s); q != `"`+s+`"` {
		return q
	}
	return s
}

// list joins quoted strings for a sentence: "a", "b" and "c".
func list(items []string) string {
	quoted := make([]string, len(items))
	for i, s := range items {
		quoted[i] = show(s)
	}
	if n := len(quoted); n > 1 {
		return strings.Join(quoted[:n-1], ", ") + " and " + quoted[n-1]
	}
	return strings.Join(quoted, "")
}
