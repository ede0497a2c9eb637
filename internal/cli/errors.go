package cli

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usage returns an error about how a command was called. The hint ends with
// where to read more.
func (a *app) usage(cmd *cobra.Command, code reason.Code, cause, hint string) error {
	more := "see '" + cmd.CommandPath() + " --help'"
	switch {
	case strings.HasSuffix(hint, "?"):
		more = hint + " S" + more[1:]
	case hint != "":
		more = hint + "; " + more
	}
	return reason.Errorf(code, "%s", cause).WithHint("%s", more)
}

// unknownCommand is the error for a word that is no sub-command of cmd.
func (a *app) unknownCommand(cmd *cobra.Command, word string) error {
	hint := ""
	if near := nearCommands(cmd, word); len(near) > 0 {
		hint = "did you mean " + quotedOr(near) + "?"
	}
	return a.usage(cmd, reason.UsageCommand, "there is no command "+quote(cmd.CommandPath()+" "+word), hint)
}

// nearCommands returns the sub-commands that someone may have meant: those that
// begin with the word or, failing that, are spelled like it.
func nearCommands(cmd *cobra.Command, word string) []string {
	var begin, near []string
	for _, c := range cmd.Commands() {
		switch {
		case !c.IsAvailableCommand():
		case word != "" && strings.HasPrefix(c.Name(), strings.ToLower(word)):
			begin = append(begin, c.Name())
		case slices.Contains(c.SuggestFor, word) || distance(word, c.Name()) <= min(maxTypos, len(word)-1):
			near = append(near, c.Name())
		}
	}
	if len(begin) > 0 {
		return begin
	}
	return near
}

// flagError turns what the flag parser says into a typed error.
func (a *app) flagError(cmd *cobra.Command, err error) error {
	// A word that is no command is the likelier mistake than the flags after it.
	if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
		return a.unknownCommand(cmd, words[0])
	}
	var (
		unknown *pflag.NotExistError
		missing *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case errors.As(err, &unknown):
		name := "--" + unknown.GetSpecifiedName()
		if s := unknown.GetSpecifiedShortnames(); s != "" {
			name = "-" + unknown.GetSpecifiedName()[:1]
		}
		hint := ""
		if near := nearFlags(cmd, unknown.GetSpecifiedName()); len(near) > 0 && len(name) > 2 {
			hint = "did you mean " + quotedOr(near) + "?"
		}
		if !cmd.HasParent() && (name == "--version" || name == "-v" || name == "-V") {
			hint = "did you mean 'notation version'?"
		}
		return a.usage(cmd, reason.UsageFlag, quote(cmd.CommandPath())+" has no flag "+quote(name), hint)
	case errors.As(err, &missing):
		return a.usage(cmd, reason.UsageFlag, "flag "+quote("--"+missing.GetFlag().Name)+" needs a value", "")
	case errors.As(err, &invalid):
		cause := invalid.Unwrap()
		if number, ok := errors.AsType[*strconv.NumError](cause); ok {
			cause = errors.New(map[bool]string{true: "it is not true or false", false: "it is not a number, or too large"}[number.Func == "ParseBool"])
		}
		return a.usage(cmd, reason.UsageFlag, "flag "+quote("--"+invalid.GetFlag().Name)+
			" cannot be "+quote(invalid.GetValue())+": "+escape(cause.Error()), "")
	}
	return a.usage(cmd, reason.UsageFlag, escape(err.Error()), "")
}

// maxTypos is how many letters may differ between a word and its suggestion.
const maxTypos = 2

// nearFlags returns the flags of a command that someone may have meant.
func nearFlags(cmd *cobra.Command, name string) []string {
	var near []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && (distance(name, f.Name) <= maxTypos || len(name) > 3 && strings.HasPrefix(f.Name, name)) {
			near = append(near, "--"+f.Name)
		}
	})
	return near
}

// distance is the Levenshtein distance of two words, up to a length beyond
// which nobody mistypes a flag.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// quotedOr lists words: 'a', 'b' or 'c'.
func quotedOr(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return orList(quoted)
}

// orList lists words: a, b or c.
func orList(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
	return strings.Join(words, "")
}

// quote puts a word that a user typed between single quotes, as in a shell.
func quote(s string) string { return "'" + escape(s) + "'" }

// sentence makes a sentence of an error or a hint: one line, safe to print,
// with a capital letter and a full stop. A beginning that is a name, such as a
// path or a flag, stays as it is; one that could be taken for a word is to be
// put through named.
func sentence(s string) string {
	s = escape(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; "))
	if s == "" {
		return s
	}
	word, _, _ := strings.Cut(s, " ")
	if !strings.HasPrefix(word, "-") && !looksLikeName(word) {
		first, size := utf8.DecodeRuneInString(s)
		s = string(unicode.ToUpper(first)) + s[size:]
	}
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "?") && !strings.HasSuffix(s, "!") {
		s += "."
	}
	return s
}

// named returns a name as it stands in text: in quotes, unless it looks like no
// word or sentence anyway, as references and most paths do.
func named(name string) string {
	if looksLikeName(name) {
		return escape(name)
	}
	return quote(name)
}

// looksLikeName reports whether nobody takes a text for words.
func looksLikeName(s string) bool {
	return strings.ContainsAny(strings.TrimRight(s, ".,:;?!"), "./\\:@=_0123456789") && !strings.ContainsFunc(s, unicode.IsSpace)
}

// reworded says what another error says in words of the command line.
type reworded struct {
	text string // "": that of err
	hint string // "": that of err
	err  error
}

func (e reworded) Error() string {
	if e.text == "" {
		return e.err.Error()
	}
	return e.text
}
func (e reworded) Unwrap() error { return e.err }

// withHint replaces the remedy of errors that have one of some codes.
func withHint(err error, hint string, codes ...reason.Code) error {
	if err != nil && slices.Contains(codes, reason.Of(err)) {
		return reworded{hint: hint, err: err}
	}
	return err
}

// refError is an error about one of several artifacts.
type refError struct {
	name string // as it stands in text; "" if err names the artifact
	err  error
}

func (e refError) Error() string {
	if e.name == "" {
		return e.err.Error()
	}
	return e.name + ": " + e.err.Error()
}
func (e refError) Unwrap() error { return e.err }

// manyErrors holds the errors of a run over several artifacts. It unwraps to
// the worst of them, which decides the exit code.
type manyErrors []refError

// asError returns nil for no error.
func (m manyErrors) asError() error {
	if len(m) == 0 {
		return nil
	}
	return m
}

func (m manyErrors) Error() string { return m.worst().Error() }
func (m manyErrors) Unwrap() error { return m.worst() }

func (m manyErrors) worst() refError {
	return slices.MaxFunc(m, func(a, b refError) int {
		return severity[exitCode(a.err)] - severity[exitCode(b.err)]
	})
}
