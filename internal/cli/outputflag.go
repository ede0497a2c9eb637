package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// outputFlag is -o of a command that writes a file or directory: it names that,
// or selects the format as everywhere else. So it may be given twice.
type outputFlag struct {
	path   *string
	format *format
}

// registerOutput makes -o name what the command writes, unless it is the name of
// a format. usage says what is written, with `FILE` or `DIR` in it.
func (a *app) registerOutput(cmd *cobra.Command, path *string, usage string) {
	cmd.Flags().VarP(&outputFlag{path, &a.format}, "output", "o", usage+"; or else text or json, the format of what is printed; may be given for both")
}

// otherFormats are those of other programs. Who writes -o yaml, or -o JSON, does
// not mean a file of that name.
var otherFormats = []string{string(formatText), string(formatJSON), string(formatTree), "yaml", "table", "wide", "jsonl"}

func (o *outputFlag) String() string {
	if o.path == nil {
		return ""
	}
	return *o.path
}

// Type is not that of strings, whose empty value is refused: with -o json alone
// there is no path, and Set refuses one that is empty.
func (o *outputFlag) Type() string { return "path" }

func (o *outputFlag) Set(s string) error {
	switch {
	case s == string(formatText) || s == string(formatJSON):
		*o.format = format(s)
	case slices.Contains(otherFormats, strings.ToLower(s)):
		return fmt.Errorf("it is one of text and json, or a path; write ./%s for a file of that name", s)
	case s == "":
		return errors.New("it is empty")
	case *o.path != "":
		return errors.New("it names a second path")
	default:
		*o.path = s
	}
	return nil
}
