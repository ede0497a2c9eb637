package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
	"github.com/spf13/cobra"
)

func (a *app) blobCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use:   "blob",
		Short: "Sign files and verify who signed them",
		Long: `Sign files of any kind and verify who signed them, without a registry.

The signature is a file of its own, FILE.jws.sig or FILE.cose.sig, that is
handed on beside the signed one. Which signers are trusted is said by a trust
policy for files, trustpolicy.blob.json of the configuration directory.`,
		Example: `  # Sign a file with the default key, and verify it
  notation blob sign release.tar.gz
  notation blob verify release.tar.gz`,
	}, a.blobSignCommand(), a.blobVerifyCommand(), a.blobInspectCommand(), a.group(&cobra.Command{
		Use:   "policy",
		Short: "Manage the trust policy for files",
		Long: `Manage the trust policy for files: which signers are trusted, and which checks a
signature must pass. It is kept in trustpolicy.blob.json of the configuration
directory. That for artifacts in registries is managed by 'notation policy'.`,
		Example: `  # Look at the trust policy for files
  notation blob policy show`,
	}, a.policyCommands(trust.BlobPolicy)...))
}

// standardInput is the argument that stands for standard input, and
// standardInputName what it is called.
const (
	standardInput     = "-"
	standardInputName = "standard input"
)

// blobName returns what a blob is called in output.
func blobName(typed string) string {
	if typed == standardInput {
		return standardInputName
	}
	return typed
}

// signatureSuffix returns how the name of a signature ends: ".jws.sig".
func signatureSuffix(f signatureFormat) string { return "." + string(f) + ".sig" }

// formatOfName returns the format that the name of a signature tells, or "".
func formatOfName(name string) signatureFormat {
	for _, f := range []signatureFormat{formatJWS, formatCOSE} {
		if strings.HasSuffix(strings.ToLower(name), signatureSuffix(f)) {
			return f
		}
	}
	return ""
}

// envelopeTypeOf returns the media type of a signature by its content or, where
// that is neither of the two formats at all, by the name of its file, for the
// error that comes of it; "" if neither tells. The two disagree only where a
// signature was renamed, and then a reader that goes by the name cannot read it.
func envelopeTypeOf(name string, content []byte) string {
	if mediaType, ok := envelope.Detect(content); ok {
		return mediaType
	}
	if f := formatOfName(name); f != "" {
		return f.mediaType()
	}
	return ""
}

// blob is the content of a file or of standard input while it is being read,
// once from its beginning to its end. Only Read changes it.
type blob struct {
	name   string
	path   string // "" for standard input
	file   *os.File
	info   fs.FileInfo // of the file, when it was opened
	reader io.Reader
	read   int64
	shown  *progress
	budget *budget // of the command, which pauses while the blob is read

	err error // why it could not be read
}

// openBlob opens a blob for reading. A file must be a regular one; links to
// such are followed.
func (a *app) openBlob(ctx context.Context, typed string, budget *budget) (*blob, error) {
	if typed == standardInput {
		return &blob{name: standardInputName, reader: a.stdin(ctx), shown: a.progress(standardInputName, -1), budget: budget}, nil
	}
	info, err := statBlob(typed)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(typed, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return nil, blobReadError(typed, err)
	}
	b := &blob{name: typed, path: typed, file: file, reader: file, budget: budget}
	if b.info, err = file.Stat(); err != nil {
		err = blobReadError(typed, err)
	} else if !os.SameFile(info, b.info) {
		err = b.changed()
	}
	if err != nil {
		b.close()
		return nil, err
	}
	b.shown = a.progress(typed, b.info.Size())
	return b, nil
}

// statBlob describes the regular file at path.
func statBlob(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, blobReadError(path, err)
	case info.IsDir():
		return nil, reason.Errorf(reason.ConfigNotRegular, "%q is a directory, not a file", path).
			WithHint("name a file; pack a directory into one first, as with tar")
	case !info.Mode().IsRegular():
		return nil, reason.Errorf(reason.ConfigNotRegular, "%q is no regular file", path).
			WithHint("name a regular file, or pipe the content in and write - for the file")
	}
	return info, nil
}

func blobReadError(path string, err error) error {
	e := reason.Wrap(reason.ConfigRead, pathCause(err), "file %q could not be read", path)
	if errors.Is(err, fs.ErrNotExist) {
		return e.WithHint("check the path")
	}
	return e.WithHint("check who may read it")
}

// Read implements [io.Reader]. The end of a file is an error if the file is no
// longer what was opened: what was read may then be a mixture of two contents.
func (b *blob) Read(p []byte) (int, error) {
	if b.read == 0 {
		b.budget.pause()
	}
	n, err := b.reader.Read(p)
	b.read += int64(n)
	b.shown.add(n)
	switch {
	case b.file != nil && b.read > b.info.Size():
		err = b.changed() // and perhaps without end
	case err == io.EOF && b.file != nil: //nolint:errorlint // as io.Reader has it
		if changed := b.compare(); changed != nil {
			err = changed
		}
	case err != nil && err != io.EOF && b.file != nil: //nolint:errorlint // as io.Reader has it
		err = blobReadError(b.path, err)
	}
	if err != nil {
		b.shown.done()
		if err != io.EOF { //nolint:errorlint // as io.Reader has it
			b.err = err
		}
		b.budget.run()
	}
	return n, err
}

// compare reports whether the file is still the one that was opened, with the
// size and the time of change that it had.
func (b *blob) compare() error {
	now, err := b.file.Stat()
	if err != nil {
		return blobReadError(b.path, err)
	}
	there, err := os.Stat(b.path)
	if err != nil || !os.SameFile(there, now) || b.read != b.info.Size() || now.Size() != b.info.Size() || !now.ModTime().Equal(b.info.ModTime()) {
		return b.changed()
	}
	return nil
}

func (b *blob) changed() error {
	return reason.Errorf(reason.BlobChanged, "file %q was changed or replaced while it was read", b.path).
		WithHint("wait until nothing writes to the file, then try again")
}

func (b *blob) close() {
	b.shown.done()
	b.budget.run() // also if whoever read it has stopped before its end
	if b.file != nil {
		_ = b.file.Close() // it was only read
	}
}

// stdin returns standard input. A read of it ends when ctx does.
func (a *app) stdin(ctx context.Context) io.Reader {
	const piece = 256 << 10
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { _ = r.CloseWithError(context.Cause(ctx)) })
	go func() {
		// Only Read and Write: a copy of any other kind would not use the buffer.
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{a.env.Stdin}, make([]byte, piece))
		if err != nil {
			err = reason.Wrap(reason.UsageStdin, pathCause(err), "standard input could not be read").WithHint("check what is piped into the command")
		}
		_ = w.CloseWithError(err)
	}()
	return r
}

// signaturePath returns where the signature of a blob is, beside it or in dir.
func signaturePath(blob, dir string, f signatureFormat) string {
	path := blob + signatureSuffix(f)
	if dir != "" {
		path = filepath.Join(dir, filepath.Base(path))
	}
	return path
}
