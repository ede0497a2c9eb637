package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

// Bounds on --from-file.
const (
	maxReferences     = 10_000
	maxReferenceBytes = 4 << 20
)

// targetOptions say which artifacts a command works on and how to reach them.
type targetOptions struct {
	registry registryOptions
	layout   bool

	// Of commands that take several references.
	fromFile      string
	requireDigest bool

	list *referenceFile // fromFile, if a command has opened it; nil: it is read here
}

// register adds the flags of a command that takes one reference.
func (o *targetOptions) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.layout, "oci-layout", false, "REF is PATH:tag or PATH@digest in an OCI image layout, a directory or .tar")
	o.registry.register(cmd)
}

// registerMany adds the flags of a command that takes any number.
func (o *targetOptions) registerMany(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.fromFile, "from-file", "f", "", "read further references from `FILE`, one a line; - is standard input")
	cmd.Flags().BoolVar(&o.requireDigest, "require-digest", false, "refuse references by tag, before anything is sent")
	o.register(cmd)
}

// reference is what the user wrote for an artifact.
type reference struct {
	text  string
	where string // FILE:LINE; "" on the command line
}

// target is one artifact as the user named it.
type target struct {
	typed string
	path  string // of the image layout; "" for a registry
	ref   oci.Reference
}

// name returns what success lines call the artifact with a digest:
// registry/repository@digest, or PATH@digest in a layout.
func (t target) name(d digest.Digest) string {
	if t.path != "" {
		return t.path + "@" + string(d)
	}
	return t.ref.WithDigest(d).String()
}

// parse reads one reference.
func (o *targetOptions) parse(typed string) (target, error) {
	t := target{typed: typed}
	var err error
	if o.layout {
		t.path, t.ref, err = oci.ParseLayoutReference(typed)
	} else if t.ref, err = oci.ParseReference(typed); err == nil {
		err = t.ref.CheckComplete()
	}
	if err != nil {
		if path, _, ok := strings.Cut(typed, ":"); !o.layout && (strings.HasPrefix(typed, "./") || strings.HasPrefix(typed, "../") || filepath.IsAbs(typed) || ok && isDirectory(path)) {
			return target{}, reason.Wrap(reason.Of(err), err, "%q looks like a path", typed).
				WithHint("add --oci-layout to name an artifact in an OCI image layout, as PATH:tag or PATH@digest")
		}
		if _, statErr := os.Stat(typed); statErr == nil && !o.layout {
			return target{}, reason.Wrap(reason.Of(err), err, "%q is a path", typed).
				WithHint("add --oci-layout to name an artifact in an OCI image layout, as PATH:tag or PATH@digest")
		}
		return target{}, err
	}
	if o.requireDigest && t.ref.Digest() == "" {
		return target{}, reason.Errorf(reason.UsageDigestRequired, "reference %q has no digest, and --require-digest is set", typed).
			WithHint("name the artifact as registry/repository@digest; a tag may move")
	}
	return t, nil
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// targets reads the references of the command line and of --from-file. Nothing
// is sent anywhere before all of them are known to be references.
func (a *app) targets(ctx context.Context, cmd *cobra.Command, o *targetOptions, args []string) ([]target, error) {
	var typed []reference
	for _, arg := range args {
		typed = append(typed, reference{text: arg})
	}
	if err := o.checkStdin(a, cmd); err != nil {
		return nil, err
	}
	if o.fromFile != "" {
		lines, err := a.readReferences(ctx, o)
		if err != nil {
			return nil, err
		}
		typed = append(typed, lines...)
	}
	switch {
	case len(typed) == 0 && o.fromFile != "":
		return nil, reason.Errorf(reason.UsageArguments, "%q holds no reference", o.fromFile).WithHint("write one reference a line")
	case len(typed) == 0:
		return nil, a.usage(cmd, reason.UsageArguments, quote(cmd.CommandPath())+" needs a reference",
			"name an artifact as registry/repository@digest or registry/repository:tag, or give --from-file")
	case len(typed) > maxReferences:
		return nil, reason.Errorf(reason.UsageArguments, "there are more than %d references", maxReferences).WithHint("split them into several runs")
	}
	all := make([]target, len(typed))
	for i, s := range typed {
		var err error
		if all[i], err = o.parse(s.text); err != nil {
			if s.where != "" {
				err = refError{named(s.where), err}
			}
			return nil, err
		}
	}
	return all, nil
}

// checkStdin refuses to read two things from standard input.
func (o *targetOptions) checkStdin(a *app, cmd *cobra.Command) error {
	if o.fromFile == "-" && o.registry.credentials.passwordStdin {
		return a.usage(cmd, reason.UsageFlag, "standard input cannot hold both the references and the password", "give the references in a file, or use 'notation login'")
	}
	return nil
}

// readReferences reads a list of references. Empty lines and those that begin
// with # are left out. Of a list that is too long it gives as much as shows that.
func (a *app) readReferences(ctx context.Context, o *targetOptions) ([]reference, error) {
	list := o.list
	if list == nil {
		var data []byte
		var err error
		if o.fromFile == "-" {
			data, err = a.readStdin(ctx, maxReferenceBytes)
		} else {
			data, err = readNamed(ctx, o.fromFile, maxReferenceBytes)
		}
		if err != nil {
			return nil, err
		}
		list = &referenceFile{name: o.fromFile, from: bytes.NewReader(data), size: int64(len(data))}
	}
	var refs []reference
	for ref, err := range list.references() {
		if err != nil {
			return nil, err
		}
		if refs = append(refs, ref); len(refs) > maxReferences {
			break
		}
	}
	return refs, nil
}

// readStdin reads standard input to its end, or until ctx ends.
func (a *app) readStdin(ctx context.Context, limit int64) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		data, err := io.ReadAll(io.LimitReader(a.env.Stdin, limit+1))
		read <- result{data, err}
	}()
	select {
	case r := <-read:
		if r.err == nil && int64(len(r.data)) > limit {
			r.err = fmt.Errorf("it is longer than %d bytes", limit)
		}
		if r.err != nil {
			return nil, reason.Wrap(reason.UsageStdin, r.err, "standard input could not be read").WithHint("check what is piped into the command")
		}
		return r.data, nil
	case <-ctx.Done():
		return nil, reason.Wrap(reason.UsageInterrupted, context.Cause(ctx), "interrupted while reading standard input")
	}
}

// recommendDigest tells a user of a tag what to write instead.
func (a *app) recommendDigest(t target, d digest.Digest) {
	if t.ref.Digest() == "" && d != "" {
		a.warn("tag %s may be moved to another artifact; to name this one, write %s", quote(t.ref.Tag()), t.name(d))
	}
}

// each calls do for every target and collects the errors under the names of
// the artifacts. A cancelled run does not begin the next one.
func each(ctx context.Context, all []target, do func(i int, t target) error) error {
	var errs manyErrors
	for i, t := range all {
		err := context.Cause(ctx)
		if err == nil {
			err = do(i, t)
		}
		if err != nil {
			errs = append(errs, refError{named(t.typed), err})
		}
	}
	return errs.asError()
}
