package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"

	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
)

// maxListBytes bounds a list of references that is no regular file, and so has
// to be held.
const maxListBytes = 64 << 20

// referenceFile is a list of references that is read as often as needed. A
// regular file is not held.
type referenceFile struct {
	name string
	from io.ReaderAt
	size int64
	done func()

	count      int       // references
	registries [2]string // the first that it names, and another if there is one
}

// openReferences opens a list; - is standard input.
func (a *app) openReferences(ctx context.Context, name string) (*referenceFile, error) {
	if name != "-" {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			f, err := os.Open(name)
			if err != nil {
				return nil, reason.Wrap(reason.ConfigRead, pathCause(err), "%q could not be opened", name).WithHint("check its permissions")
			}
			return &referenceFile{name: name, from: steady(f, info.Size()), size: info.Size(), done: func() { _ = f.Close() }}, nil
		}
	}
	var data []byte
	var err error
	if name == "-" {
		data, err = a.readStdin(ctx, maxListBytes)
	} else {
		data, err = readNamed(ctx, name, maxListBytes)
	}
	if err != nil {
		return nil, err
	}
	return &referenceFile{name: name, from: bytes.NewReader(data), size: int64(len(data)), done: func() {}}, nil
}

func (f *referenceFile) references() iter.Seq2[reference, error] {
	return whole(references(io.NewSectionReader(f.from, 0, f.size), f.name))
}

// references gives the references of a list, one a line. Empty lines and those
// that begin with # are left out. An error is the last.
func references(r io.Reader, file string) iter.Seq2[reference, error] {
	return func(yield func(reference, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 2*maxLineBytes)
		n := 0
		tooLong := func() error {
			return reason.Errorf(reason.UsageArguments, "%q is no list of references: line %d is longer than %d bytes", file, n, maxLineBytes).WithHint("write one reference a line")
		}
		for lines.Scan() {
			n++
			text := strings.TrimSpace(lines.Text())
			switch {
			case text == "" || strings.HasPrefix(text, "#"):
				continue
			case len(text) > maxLineBytes:
				yield(reference{}, tooLong())
				return
			}
			if !yield(reference{text, fmt.Sprintf("%s:%d", file, n)}, nil) {
				return
			}
		}
		switch err := lines.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			n++
			yield(reference{}, tooLong())
		case err != nil:
			if e, ok := errors.AsType[*fs.PathError](err); ok {
				err = e.Err
			}
			yield(reference{}, reason.Wrap(reason.ConfigRead, err, "%q could not be read", file).WithHint("check the file"))
		}
	}
}

// whole holds each reference back until it is known that its line has an end:
// where a file cannot be read on, the last line may be cut off, and what is left
// of it may name something else.
func whole(lines iter.Seq2[reference, error]) iter.Seq2[reference, error] {
	return func(yield func(reference, error) bool) {
		var last *reference
		for line, err := range lines {
			if err != nil {
				yield(reference{}, err)
				return
			}
			if last != nil && !yield(*last, nil) {
				return
			}
			last = &line
		}
		if last != nil {
			yield(*last, nil)
		}
	}
}

// targets gives what an audit looks at. Repositories alone are allowed if that is
// all there may be.
func (f *referenceFile) targets(repositories bool) iter.Seq2[audit.Target, error] {
	return func(yield func(audit.Target, error) bool) {
		for line, err := range f.references() {
			var t audit.Target
			if err == nil {
				if t.Reference, err = parseAudited(line.text, repositories); err != nil {
					err = refError{named(line.where), err}
				}
			}
			if !yield(t, err) || err != nil {
				return
			}
		}
	}
}

// parseAudited reads a reference, or the name of a repository.
func parseAudited(text string, repositories bool) (oci.Reference, error) {
	if repositories {
		return oci.ParseRepository(text)
	}
	return oci.ParseReference(text)
}

// check reads all targets, of which those of the list are some, so that nothing
// is sent anywhere if one of them is none.
func (f *referenceFile) check(targets iter.Seq2[audit.Target, error]) error {
	for t, err := range targets {
		if err != nil {
			return err
		}
		f.count++
		registry := t.Reference.Registry()
		switch {
		case f.registries[0] == "":
			f.registries[0] = registry
		case f.registries[1] == "" && registry != f.registries[0]:
			f.registries[1] = registry
		}
	}
	if f.count == 0 {
		return reason.Errorf(reason.UsageArguments, "%q holds no reference", f.name).WithHint("write one reference a line")
	}
	return nil
}
