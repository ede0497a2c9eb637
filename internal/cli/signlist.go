package cli

import (
	"context"
	"iter"
	"strconv"

	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// maxSigned bounds the references of one run of sign. They are not held.
const maxSigned = 1_000_000

// signList is what is to be signed: the references of the command line, and those
// of a file that is read as often as needed.
type signList struct {
	options *targetOptions
	args    []string
	file    *referenceFile // nil: there is none

	count      int
	registries []target // of which the first two name the two registries, if there are two
}

// signList reads all references once. Nothing is sent anywhere before all of them
// are known to be references.
func (a *app) signList(ctx context.Context, cmd *cobra.Command, o *targetOptions, args []string) (_ *signList, err error) {
	if err := o.checkStdin(a, cmd); err != nil {
		return nil, err
	}
	l := &signList{options: o, args: args}
	if o.fromFile != "" {
		if l.file, err = a.openReferences(ctx, o.fromFile); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			l.done()
		}
	}()
	for t, err := range l.targets() {
		if err != nil {
			return nil, err
		}
		if l.count++; l.count > maxSigned {
			return nil, reason.Errorf(reason.UsageArguments, "there are more than %d references", maxSigned).WithHint("split them into several runs")
		}
		if len(l.registries) == 0 || len(l.registries) == 1 && l.registries[0].ref.Registry() != t.ref.Registry() {
			l.registries = append(l.registries, t)
		}
	}
	switch {
	case l.count == 0 && l.file != nil:
		return nil, reason.Errorf(reason.UsageArguments, "%q holds no reference", o.fromFile).WithHint("write one reference a line")
	case l.count == 0:
		return nil, a.usage(cmd, reason.UsageArguments, quote(cmd.CommandPath())+" needs a reference",
			"name an artifact as registry/repository@digest or registry/repository:tag, or give --from-file")
	}
	return l, nil
}

// changed completes the error of a list that could not be read again as it was,
// when so many references had been given.
func (l *signList) changed(err error, given int) error {
	return reworded{
		text: err.Error() + "; " + strconv.Itoa(l.count-given) + " of " + count(l.count, "reference") + " were not begun",
		hint: "see to it that nothing writes to it, and run the command again with --skip-if-signed", err: err,
	}
}

// done ends the use of the file.
func (l *signList) done() {
	if l.file != nil {
		l.file.done()
	}
}

// targets gives the references in their order. An error is the last.
func (l *signList) targets() iter.Seq2[target, error] {
	return func(yield func(target, error) bool) {
		for _, arg := range l.args {
			t, err := l.options.parse(arg)
			if !yield(t, err) || err != nil {
				return
			}
		}
		if l.file == nil {
			return
		}
		for line, err := range l.file.references() {
			var t target
			if err == nil {
				if t, err = l.options.parse(line.text); err != nil {
					err = refError{named(line.where), err}
				}
			}
			if !yield(t, err) || err != nil {
				return
			}
		}
	}
}
