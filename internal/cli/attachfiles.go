package cli

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Bounds on the files of an artifact, written or read.
const (
	maxArtifactFiles = 1000
	maxFileName      = 1024 // bytes
	maxFileElements  = 16
	maxElement       = 255 // bytes
)

// attachedFile is a file to attach.
type attachedFile struct {
	path      string
	title     string // its name in the artifact
	mediaType string
}

// attachedFiles reads the arguments FILE[:TYPE] and checks that the files are
// there, before anything is sent.
func attachedFiles(args []string) ([]attachedFile, error) {
	if len(args) > maxArtifactFiles {
		return nil, reason.Errorf(reason.UsageArguments, "there are more than %d files", maxArtifactFiles).WithHint("attach them in several runs, or pack them into one")
	}
	files := make([]attachedFile, len(args))
	taken := map[string]string{}
	for i, arg := range args {
		f := parseAttached(arg)
		if f.path == standardInput {
			return nil, reason.Errorf(reason.UsageArguments, "standard input has no name and cannot be attached").WithHint("write it to a file first; a file of this name is ./-")
		}
		if _, err := statBlob(f.path); err != nil {
			return nil, err
		}
		f.title = filepath.Base(f.path)
		if fault := fileNameFault(f.title); fault != "" {
			return nil, reason.Errorf(reason.UsageArguments, "file %q cannot be attached under its name: %s", f.path, fault).WithHint("give it another name first")
		}
		folded := strings.ToLower(f.title)
		if other, ok := taken[folded]; ok {
			return nil, reason.Errorf(reason.UsageArguments, "the files %s and %s would have the same name, or one that differs in case only", quote(other), quote(f.path)).
				WithHint("give one of them another name first")
		}
		taken[folded] = f.path
		files[i] = f
	}
	return files, nil
}

// parseAttached reads FILE[:TYPE]. What follows the last colon is a type only if
// it looks like one; a path may hold colons.
func parseAttached(arg string) attachedFile {
	if i := strings.LastIndexByte(arg, ':'); i > 0 && isTypeName(arg[i+1:]) {
		return attachedFile{path: arg[:i], mediaType: arg[i+1:]}
	}
	return attachedFile{path: arg, mediaType: notation.DefaultBlobMediaType}
}

// describeFile reads a file and returns its descriptor.
func (a *app) describeFile(ctx context.Context, f attachedFile) (oci.Descriptor, error) {
	b, err := a.openBlob(ctx, f.path, nil)
	if err != nil {
		return oci.Descriptor{}, err
	}
	defer b.close()
	digester := digest.SHA256.Digester()
	size, err := io.Copy(digester.Hash(), endsWith(ctx, b))
	if err != nil {
		return oci.Descriptor{}, err
	}
	d := oci.Descriptor{MediaType: f.mediaType, Digest: digester.Digest(), Size: size, Annotations: map[string]string{ocispec.AnnotationTitle: f.title}}
	if err := oci.CheckDescriptor(d, oci.MaxBlobSize); err != nil {
		return oci.Descriptor{}, err
	}
	return d, nil
}

// putFile stores a file under the descriptor that it had when it was read
// first. If it has changed since, that is an error.
func (a *app) putFile(ctx context.Context, w *writable, f attachedFile, d oci.Descriptor) error {
	err := w.PutBlob(ctx, oci.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}, func() (io.ReadCloser, error) {
		b, err := a.openBlob(ctx, f.path, nil)
		if err != nil {
			return nil, err
		}
		return closingBlob{b}, nil
	})
	switch reason.Of(err) {
	case reason.OCIDigestMismatch, reason.OCISizeMismatch:
		return reason.Wrap(reason.BlobChanged, err, "file %q was changed while it was attached", f.path).
			WithHint("wait until nothing writes to the file, then try again")
	}
	return err
}

// closingBlob is a blob as an [io.ReadCloser].
type closingBlob struct{ *blob }

func (b closingBlob) Close() error {
	b.close()
	return nil
}

// putBytes stores a small blob.
func putBytes(ctx context.Context, w *writable, d oci.Descriptor, content []byte) error {
	return w.PutBlob(ctx, bare(d), func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
}

// endsWith returns r, with a last error when ctx ends.
func endsWith(ctx context.Context, r io.Reader) io.Reader { return ctxReader{ctx, r} }

type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, reason.Wrap(reason.UsageInterrupted, err, "interrupted while reading").WithHint("run the command again")
	}
	return c.r.Read(p)
}

func digestOf(content []byte) digest.Digest { return digest.FromBytes(content) }

// deviceNames are files that exist in every directory of Windows.
const deviceNames = " con prn aux nul conin$ conout$ com0 com1 com2 com3 com4 com5 com6 com7 com8 com9 com¹ com² com³ lpt0 lpt1 lpt2 lpt3 lpt4 lpt5 lpt6 lpt7 lpt8 lpt9 lpt¹ lpt² lpt³ "

// fileNameFault says why a name is not one to write a file under on any system:
// a relative path with slashes, below the directory that is written to, and
// without hidden files. "" says that it is one.
func fileNameFault(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case len(name) > maxFileName:
		return "it is too long"
	case !utf8.ValidString(name) || escape(name) != name:
		return "it holds characters that cannot be printed"
	case strings.ContainsAny(name, `\:*?"<>|`):
		return `it holds one of \ : * ? " < > |`
	case !fs.ValidPath(name) || name == ".":
		return "it is no plain path below a directory"
	}
	elements := strings.Split(name, "/")
	if len(elements) > maxFileElements {
		return "it has too many directories"
	}
	for _, e := range elements {
		stem, _, _ := strings.Cut(strings.ToLower(e), ".")
		switch {
		case len(e) > maxElement:
			return "it is too long"
		case strings.HasPrefix(e, "."):
			return "it begins with a full stop, as hidden files do"
		case strings.TrimRight(e, ". ") != e || strings.TrimLeft(e, " ") != e:
			return "it begins or ends with a blank, or ends with a full stop"
		case strings.Contains(deviceNames, " "+strings.TrimSpace(stem)+" "):
			return "it is the name of a device on some systems"
		}
	}
	return ""
}
