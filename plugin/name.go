package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/notaryv2/notation/reason"
)

// prefix starts the file name of every plugin.
const prefix = "notation-"

// CheckName returns an error with the code plugin.name unless name can be that
// of a plugin: 1 to 128 ASCII letters, digits and the characters '.', '_' and
// '-', the first a letter or digit, the last no '.', no ".." in it, and no name
// of a device on Windows. Such a name is one element of a path everywhere.
func CheckName(name string) error {
	if wellFormed(name) {
		return nil
	}
	return reason.Errorf(reason.PluginName, "%s is no name of a plugin", quote(name)).
		WithHint("A name has letters, digits and the characters . _ - only, and begins with a letter or digit.")
}

func wellFormed(name string) bool {
	if name == "" || len(name) > maxName || !alphanumeric(name[0]) || strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
		return false
	}
	for i := range len(name) {
		if !alphanumeric(name[i]) && name[i] != '.' && name[i] != '_' && name[i] != '-' {
			return false
		}
	}
	return !isDevice(name)
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// isDevice reports whether Windows takes a file name for a device, with any
// suffix. It is so on every system, for plugins that move between them.
func isDevice(name string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(name), ".")
	switch base {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	return len(base) == 4 && (strings.HasPrefix(base, "COM") || strings.HasPrefix(base, "LPT")) && '0' <= base[3] && base[3] <= '9'
}

// fileName returns the name of a plugin's program.
func fileName(name string) string {
	if runtime.GOOS == "windows" {
		return prefix + name + ".exe"
	}
	return prefix + name
}

// nameOf is the reverse of fileName.
func nameOf(file string) (string, bool) {
	name, ok := strings.CutPrefix(file, prefix)
	if runtime.GOOS == "windows" && ok {
		name, ok = strings.CutSuffix(name, ".exe")
	}
	return name, ok && wellFormed(name)
}

// quote returns foreign text for a message, in quotes, in printable ASCII, and
// no longer than is of use.
func quote(s string) string { return strconv.QuoteToASCII(shorten(s)) }

// shown is quote without the quotes, for sentences.
func shown(s string) string {
	q := strconv.QuoteToGraphic(shorten(s))
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

func shorten(s string) string {
	if len(s) <= maxShown {
		return s
	}
	cut := maxShown
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

// safePath writes the path in an error of the file system as safely as a
// message of ours.
func safePath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s %q: %w", e.Op, e.Path, e.Err)
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return fmt.Errorf("%s %q to %q: %w", e.Op, e.Old, e.New, e.Err)
	}
	return err
}

// printable reports whether text can be shown as it is: no control characters,
// and none that change the direction of writing.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
