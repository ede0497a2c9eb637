package cli

import (
	"context"
	"errors"
	"io/fs"
	"mime"
	"os"
	"path/filepath"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

// modeSignatureDir is the mode of a directory made for signatures, less the
// umask: it is for others, like what it holds.
const modeSignatureDir = 0o777

// blobSignOptions are the flags of blob sign.
type blobSignOptions struct {
	signing   signingOptions
	mediaType string
	directory string
	signature string
	force     bool
}

func (a *app) blobSignCommand() *cobra.Command {
	o := &blobSignOptions{}
	cmd := &cobra.Command{
		Use:   "sign FILE... [flags]",
		Short: "Sign files",
		Long: `Sign files. Each signature is a file of its own, FILE.jws.sig or FILE.cose.sig
after its format. It is written beside FILE, or in --signature-directory, once
all is done; a signature that is there is replaced only with --force. FILE
itself does not change.

FILE is a regular file or a link to one, of any size. With - standard input is
signed; --signature then says where the signature goes.`,
		Example: `  # Sign with the default key; the signature is release.tar.gz.jws.sig
  notation blob sign release.tar.gz

  # Say what the file is, and keep signatures in a directory of their own
  notation blob sign --media-type application/gzip --signature-directory signatures release.tar.gz

  # Sign with another key, in COSE, with a time stamp
  notation blob sign --key release --signature-format cose --timestamp-url http://timestamp.example.com --timestamp-root-cert tsa.pem release.tar.gz

  # Sign what another program pipes in
  notation blob sign --signature release.tar.jws.sig -`,
	}
	cmd = a.leaf(cmd, 1, -1, func(ctx context.Context, args []string) (document, error) {
		return a.blobSign(ctx, cmd, o, args)
	})
	f := cmd.Flags()
	f.StringVar(&o.mediaType, "media-type", notation.DefaultBlobMediaType, "`TYPE` of the file, which is signed with it")
	f.StringVar(&o.directory, "signature-directory", "", "write signatures into `DIR`, which is made if need be, instead of beside the files")
	f.StringVarP(&o.signature, "signature", "s", "", "write the signature to `FILE`")
	f.BoolVar(&o.force, "force", false, "replace signatures that are there")
	o.signing.register(a, cmd)
	return cmd
}

// blobJob is one file to sign.
type blobJob struct {
	typed string
	path  string // of the signature
}

func (a *app) blobSign(ctx context.Context, cmd *cobra.Command, o *blobSignOptions, args []string) (document, error) {
	if err := o.check(a, cmd, args); err != nil {
		return nil, err
	}
	ctx, budget, cancel := a.spend(ctx)
	defer cancel()
	budget.run() // a plugin may hold the key
	key, options, err := a.signing(ctx, cmd, &o.signing)
	if err != nil {
		return nil, err
	}
	jobs, err := o.jobs(args, formatOf(options.MediaType))
	if err != nil {
		return nil, err
	}
	doc := &blobSignDocument{Signed: make([]blobSignedJSON, len(jobs))}
	var errs manyErrors
	for i, job := range jobs {
		err := context.Cause(ctx)
		if err == nil {
			err = a.signBlob(ctx, budget, key, notation.SignBlobOptions{SignOptions: options, BlobMediaType: o.mediaType}, o, job, &doc.Signed[i])
		}
		err = o.signing.timestamps.hide(err)
		doc.Signed[i].Requested, doc.Signed[i].Error = job.typed, newErrorJSON(err)
		if err != nil {
			errs = append(errs, refError{oneOf(jobs, named(blobName(job.typed))), err})
		}
	}
	return doc, errs.asError()
}

// oneOf returns a name that says which of several things an error is about, ""
// if there is only one.
func oneOf[T any](all []T, name string) string {
	if len(all) == 1 {
		return ""
	}
	return name
}

// formatOf returns the format of an envelope's media type.
func formatOf(mediaType string) signatureFormat {
	if mediaType == envelope.MediaTypeCOSE {
		return formatCOSE
	}
	return formatJWS
}

// check refuses flags that contradict each other.
func (o *blobSignOptions) check(a *app, cmd *cobra.Command, args []string) error {
	switch {
	case o.signature != "" && o.directory != "":
		return a.usage(cmd, reason.UsageFlag, "--signature names the file of the signature and --signature-directory its directory, and both were given", "give one or the other")
	case o.signature == standardInput:
		return a.usage(cmd, reason.UsageFlag, "flag '--signature' cannot be '-'", "name a file; one of this name is ./-")
	case o.signature != "" && len(args) > 1:
		return a.usage(cmd, reason.UsageFlag, "--signature names one file, and there are several to sign", "use --signature-directory, or sign one file at a time")
	}
	if _, _, err := mime.ParseMediaType(o.mediaType); err != nil || !isMediaType(o.mediaType) {
		return notMediaType(o.mediaType)
	}
	for _, arg := range args {
		if arg == standardInput && o.signature == "" {
			return a.usage(cmd, reason.UsageArguments, "standard input has no name that its signature could be called after", "name the file of the signature with --signature, as in --signature release.tar.jws.sig")
		}
	}
	return nil
}

// jobs checks, before anything is signed, that there are files to sign and that
// nothing is in the way of their signatures.
func (o *blobSignOptions) jobs(args []string, format signatureFormat) ([]blobJob, error) {
	if f := formatOfName(o.signature); f != "" && f != format {
		return nil, reason.Errorf(reason.UsageFlag, "flag '--signature' cannot be %s: the signature is in %s, and verifiers go by the name", quote(o.signature), format).
			WithHint("end the name with %s, or give --signature-format %s", signatureSuffix(format), f)
	}
	if info, err := os.Stat(o.directory); o.directory != "" && err == nil && !info.IsDir() {
		return nil, reason.Errorf(reason.ConfigNotRegular, "%q is not a directory", o.directory).WithHint("name a directory with --signature-directory")
	}
	jobs := make([]blobJob, len(args))
	blobs := make([]fs.FileInfo, len(args))
	taken := make(map[string]string, len(args))
	for i, arg := range args {
		job := blobJob{typed: arg, path: o.signature}
		if arg != standardInput {
			var err error
			if blobs[i], err = statBlob(arg); err != nil {
				return nil, err
			}
			if job.path == "" {
				job.path = signaturePath(arg, o.directory, format)
			}
		}
		if other, ok := taken[filepath.Clean(job.path)]; ok {
			return nil, reason.Errorf(reason.UsageArguments, "the signatures of %s and %s would be the same file, %s", quote(other), quote(arg), quote(job.path)).
				WithHint("sign them one at a time, each with its own --signature or --signature-directory")
		}
		taken[filepath.Clean(job.path)] = arg
		jobs[i] = job
	}
	for _, job := range jobs {
		if err := o.free(job.path, blobs); err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

// free reports what stands where a signature is to be written.
func (o *blobSignOptions) free(path string, blobs []fs.FileInfo) error {
	there, err := os.Lstat(path)
	if err != nil {
		return o.room(path)
	}
	info, err := os.Stat(path)
	for _, blob := range blobs {
		if err == nil && blob != nil && os.SameFile(info, blob) {
			return reason.Errorf(reason.UsageArguments, "%s is a file to sign, and its signature would replace it", quote(path)).
				WithHint("name another file for the signature")
		}
	}
	if !there.Mode().IsRegular() { // which --force does not replace
		return reason.Errorf(reason.ConfigNotRegular, "the signature would be written to %q, which is %s", path, atomicfile.Kind(there.Mode())).
			WithHint("remove it, or write the signature elsewhere with --signature or --signature-directory")
	}
	if !o.force {
		return signatureExists(path)
	}
	return nil
}

// room reports that there is no directory for a signature, or that it is none.
// That of --signature-directory is made later.
func (o *blobSignOptions) room(path string) error {
	if o.directory != "" {
		return nil
	}
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return reason.Wrap(reason.ConfigWrite, pathCause(err), "there is no directory %q for the signature", dir).
			WithHint("make it, or write the signature elsewhere with --signature")
	case !info.IsDir():
		return reason.Errorf(reason.ConfigNotRegular, "%q is not a directory", dir).WithHint("write the signature elsewhere with --signature")
	}
	return nil
}

func signatureExists(path string) error {
	return reason.Errorf(reason.ConfigExists, "file %q is there already", path).
		WithHint("--force replaces a signature; --signature-directory or --signature writes it elsewhere")
}

// signBlob signs one blob and writes its signature.
func (a *app) signBlob(ctx context.Context, budget *budget, key signer.Signer, options notation.SignBlobOptions, o *blobSignOptions, job blobJob, out *blobSignedJSON) error {
	b, err := a.openBlob(ctx, job.typed, budget)
	if err != nil {
		return err
	}
	defer b.close()
	signed, err := notation.SignBlob(ctx, b, key, options)
	if b.err != nil {
		return b.err // which says it better
	}
	if err != nil {
		return err
	}
	if o.directory != "" {
		if err := os.MkdirAll(o.directory, modeSignatureDir); err != nil {
			return reason.Wrap(reason.ConfigWrite, pathCause(err), "directory %q could not be made", o.directory).WithHint("check the path and who may write there")
		}
	}
	write := a.env.Files.Create
	if o.force {
		write = a.env.Files.Write
	}
	if err := write(job.path, signed.Envelope, atomicfile.ModePublic); err != nil {
		if reason.Of(err) == reason.ConfigExists || errors.Is(err, fs.ErrExist) {
			return signatureExists(job.path)
		}
		return err
	}
	out.succeed(blobName(job.typed), job.path, signed)
	return nil
}

// blobSignDocument is the result of blob sign.
type blobSignDocument struct {
	Signed []blobSignedJSON `json:"signed"`
}

type blobSignedJSON struct {
	Requested string          `json:"requested"` // as typed
	Name      string          `json:"name,omitempty"`
	Artifact  *descriptorJSON `json:"artifact,omitempty"` // the file
	Envelope  *descriptorJSON `json:"envelope,omitempty"` // the signature
	Path      string          `json:"path,omitempty"`     // of the signature
	Timestamp *stampedJSON    `json:"timestamp,omitempty"`
	Error     *errorJSON      `json:"error,omitempty"`
}

func (s *blobSignedJSON) succeed(name, path string, signed notation.SignedBlob) {
	s.Name, s.Path = name, path
	s.Artifact = newDescriptor(signed.Blob)
	s.Envelope = &descriptorJSON{MediaType: signed.MediaType, Digest: digest.FromBytes(signed.Envelope), Size: int64(len(signed.Envelope))}
	s.Timestamp = newStamped(signed.Timestamp)
}

func (d *blobSignDocument) text(p *page) {
	for _, s := range d.Signed {
		if s.Name == "" {
			continue // told as an error
		}
		p.line("Successfully signed %s", s.Name) // scripts look for it at the beginning of a line
		p.line("  signature %s", s.Path)
		s.Timestamp.text(p)
	}
}
