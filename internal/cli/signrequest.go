package cli

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/internal/atomicfile"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/spf13/cobra"
)

// outFile is a file that a command writes.
type outFile struct {
	path  string
	force bool
}

func (o *outFile) register(a *app, cmd *cobra.Command, usage string) {
	a.registerOutput(cmd, &o.path, usage)
	cmd.Flags().BoolVar(&o.force, "force", false, "replace a file that is there")
}

// check reports, before anything is done, that the file cannot be written. input
// is a file that must not be replaced by it; "": none.
func (o *outFile) check(a *app, cmd *cobra.Command, input string) error {
	switch o.path {
	case "":
		return a.usage(cmd, reason.UsageFlag, "--output is missing, which names the file to write", "name it with -o FILE")
	case standardInput:
		return a.usage(cmd, reason.UsageFlag, "flag '--output' cannot be '-'", "name a file; one of this name is ./-")
	}
	if info, err := os.Stat(filepath.Dir(o.path)); err != nil || !info.IsDir() {
		return reason.Wrap(reason.ConfigWrite, pathCause(cmp.Or(err, fs.ErrInvalid)), "there is no directory %q to write to", filepath.Dir(o.path)).
			WithHint("make it, or name another file with -o")
	}
	there, err := os.Lstat(o.path)
	if err != nil {
		return nil
	}
	if given, err := os.Stat(input); input != "" && err == nil && os.SameFile(there, given) {
		return reason.Errorf(reason.UsageArguments, "the signature would replace the request in %q", o.path).WithHint("name another file with -o")
	}
	switch {
	case !there.Mode().IsRegular(): // which --force does not replace
		return reason.Errorf(reason.ConfigNotRegular, "%q is %s", o.path, atomicfile.Kind(there.Mode())).WithHint("name another file with -o")
	case !o.force:
		return o.exists()
	}
	return nil
}

func (o *outFile) exists() error {
	return reason.Errorf(reason.ConfigExists, "file %q is there already", o.path).WithHint("--force replaces it; -o names another")
}

// write writes the file, whole or not at all.
func (o *outFile) write(a *app, data []byte) error {
	write := a.env.Files.Create
	if o.force {
		write = a.env.Files.Write
	}
	err := write(o.path, data, atomicfile.ModePublic)
	if reason.Of(err) == reason.ConfigExists || errors.Is(err, fs.ErrExist) {
		return o.exists()
	}
	return err
}

// prepareRequest writes down what is to be signed.
func (a *app) prepareRequest(ctx context.Context, cmd *cobra.Command, o *signOptions, args []string) (document, error) {
	targets, err := a.targets(ctx, cmd, &o.targets, args)
	if err != nil {
		return nil, err
	}
	t := targets[0]
	metadata, err := pairs("user-metadata", o.signing.metadata)
	if err != nil {
		return nil, err
	}
	repo, err := a.openOne(ctx, &o.targets, t, "")
	if err != nil {
		return nil, err
	}
	ctx, cancel := a.network(ctx)
	defer cancel()
	request, err := notation.Prepare(ctx, repo, t.ref, notation.PrepareOptions{
		Requested: t.typed, Name: t.name, Metadata: metadata, Expiry: time.Duration(o.signing.expiry),
	})
	if err != nil {
		return nil, err
	}
	data, err := request.Encode()
	if err != nil {
		return nil, err
	}
	a.recommendDigest(t, request.Artifact().Digest)
	if err := o.out.write(a, data); err != nil {
		return nil, err
	}
	return &requestDocument{Request: newRequest(o.out.path, request)}, nil
}

// signRequest signs what a request asks for. It opens no repository.
func (a *app) signRequest(ctx context.Context, cmd *cobra.Command, o *signOptions) (document, error) {
	data, err := readNamed(ctx, o.request, notation.MaxRequestBytes)
	if err != nil {
		return nil, err
	}
	request, err := notation.ParseRequest(data)
	if err != nil {
		return nil, err
	}
	doc := &requestDocument{Request: newRequest(o.request, request)}
	a.showFirst(doc)              // whoever unlocks the key is to know what for
	ctx, cancel := a.network(ctx) // a plugin or a time stamp may need it
	defer cancel()
	key, options, err := a.signing(ctx, cmd, &o.signing)
	if err != nil {
		return doc, err
	}
	signature, err := notation.SignRequest(ctx, request, key, options)
	if err != nil {
		return doc, o.signing.timestamps.hide(err)
	}
	if err := o.out.write(a, signature.Envelope()); err != nil {
		return doc, err
	}
	doc.Signature = newDetached(o.out.path, signature)
	doc.Signature.Timestamp = newStamped(signature.Timestamp())
	return doc, nil
}

// requestDocument is the result of sign --prepare and sign --request.
type requestDocument struct {
	Request   *requestJSON  `json:"request"`
	Signature *detachedJSON `json:"signature,omitempty"` // of --request
}

// requestJSON is a signing request. All of its text but the digests is what the
// file says.
type requestJSON struct {
	Path         string            `json:"path"`
	Requested    string            `json:"requested"`
	Name         string            `json:"name"`
	Artifact     *descriptorJSON   `json:"artifact"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Config       *descriptorJSON   `json:"config,omitempty"`
	Layers       []descriptorJSON  `json:"layers,omitempty"`
	Manifests    []listedJSON      `json:"manifests,omitempty"`
	Subject      *descriptorJSON   `json:"subject,omitempty"`
	Metadata     map[string]string `json:"userMetadata,omitempty"`
	Expiry       int64             `json:"expirySeconds,omitempty"`
}

// listedJSON is an entry of an index.
type listedJSON struct {
	descriptorJSON
	Platform string `json:"platform,omitempty"`
}

func newRequest(path string, r *notation.SigningRequest) *requestJSON {
	c := r.Content()
	out := &requestJSON{
		Path: path, Requested: r.Requested(), Name: r.Name(), Artifact: newDescriptor(r.Artifact()), ArtifactType: c.ArtifactType,
		Metadata: r.Metadata(), Expiry: int64(r.Expiry() / time.Second),
	}
	if c.Config != nil {
		out.Config = newDescriptor(*c.Config)
	}
	if c.Subject != nil {
		out.Subject = newDescriptor(*c.Subject)
	}
	for _, l := range c.Layers {
		out.Layers = append(out.Layers, *newDescriptor(l))
	}
	for _, m := range c.Manifests {
		out.Manifests = append(out.Manifests, listedJSON{*newDescriptor(m), oci.PlatformName(m)})
	}
	return out
}

// maxShown bounds the layers and images that are shown one by one.
const maxShown = 20

// text shows the same on both sides, so that they can be compared. What another
// has written stands between quotes.
func (r *requestJSON) text(p *page) {
	rows := [][]cell{
		row("digest", string(r.Artifact.Digest)),
		row("requested as", strconv.Quote(r.Requested)),
		row("resolved to", strconv.Quote(r.Name)),
		row("media type", strconv.Quote(r.Artifact.MediaType)),
		row("size", bytesText(r.Artifact.Size)),
	}
	if r.ArtifactType != "" {
		rows = append(rows, row("artifact type", strconv.Quote(r.ArtifactType)))
	}
	if r.Subject != nil {
		rows = append(rows, row("attached to", string(r.Subject.Digest)))
	}
	if r.Config != nil {
		rows = append(rows, row("config", contentText(*r.Config)))
	}
	for i, l := range r.Layers {
		if i == maxShown {
			rows = append(rows, row("", strconv.Itoa(len(r.Layers)-i)+" more layers"))
			break
		}
		rows = append(rows, row("layer", contentText(l)))
	}
	for i, m := range r.Manifests {
		if i == maxShown {
			rows = append(rows, row("", strconv.Itoa(len(r.Manifests)-i)+" more manifests"))
			break
		}
		rows = append(rows, row("manifest", string(m.Digest)+", "+strconv.Quote(cmp.Or(m.Platform, m.MediaType))))
	}
	rows = append(rows, metadataRows(r.Metadata)...)
	if r.Expiry > 0 {
		rows = append(rows, row("expires", shortDuration(time.Duration(r.Expiry)*time.Second)+" after it is signed"))
	}
	p.table("  ", rows)
}

func contentText(d descriptorJSON) string {
	return string(d.Digest) + ", " + strconv.Quote(d.MediaType) + ", " + bytesText(d.Size)
}

func (d *requestDocument) text(p *page) {
	if d.Signature == nil {
		p.line("Request to sign, in %s", d.Request.Path)
		d.Request.text(p)
		return
	}
	p.line("Signed what is asked for in %s", d.Request.Path)
	d.Request.text(p)
	p.line("Signature, in %s", d.Signature.Path)
	p.table("  ", d.Signature.rows())
}
