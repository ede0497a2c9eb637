package cli

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// attachOptions are the flags of attach.
type attachOptions struct {
	targets      targetOptions
	signing      signingOptions
	artifactType string
	annotations  []string
	sign         bool
	signingFlags []string // which need sign
}

func (a *app) attachCommand() *cobra.Command {
	o := &attachOptions{}
	cmd := &cobra.Command{
		Use:   "attach REF FILE[:TYPE]... --artifact-type TYPE [flags]",
		Short: "Attach files to an artifact, such as an SBOM",
		Long: `Attach files to an artifact: they become an artifact of their own, whose subject
is REF. Its digest is printed. The artifact that REF names does not change.

Each FILE is a regular file of any size, and keeps its name without the
directory. A media type may follow it after a colon; without one it is
application/octet-stream.

With --sign, the new artifact is signed in the same command. The flags for
signing are those of 'notation sign'. If signing fails, the files stay attached
in a registry; a tarball stays as it was.

'notation discover' and 'notation tree' show what is attached, and 'notation
pull' fetches it. --timeout does not count while files are sent.`,
		Example: `  # Attach an SBOM and sign it with the default key
  notation attach --artifact-type sbom/example --sign localhost:5000/net-monitor:v1 sbom.json:application/json

  # Attach two files as one artifact
  notation attach --artifact-type scan/example --annotation scanner=example localhost:5000/net-monitor:v1 report.txt:text/plain report.json:application/json

  # Attach to an artifact in an image layout
  notation attach --oci-layout --artifact-type sbom/example ./layout:v1 sbom.json`,
	}
	cmd = a.leaf(cmd, 2, -1, func(ctx context.Context, args []string) (document, error) {
		return a.attach(ctx, cmd, o, args[0], args[1:])
	})
	f := cmd.Flags()
	f.StringVar(&o.artifactType, "artifact-type", "", "`TYPE` of the new artifact, such as sbom/example; needed")
	f.StringArrayVar(&o.annotations, "annotation", nil, "`KEY=VALUE` for the manifest of the new artifact; may be given again")
	f.BoolVar(&o.sign, "sign", false, "sign the new artifact")
	o.signingFlags = flagsOf(cmd, func() { o.signing.register(a, cmd) })
	f.BoolVar(&o.targets.registry.forceTag, "force-referrers-tag", false, "write the referrers tag also where the registry has the referrers API")
	o.targets.register(cmd)
	return cmd
}

// flagsOf returns the names of the flags that register adds to a command.
func flagsOf(cmd *cobra.Command, register func()) []string {
	known := map[string]bool{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known[f.Name] = true })
	register()
	var added []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !known[f.Name] {
			added = append(added, f.Name)
		}
	})
	return added
}

// onlyWith refuses flags that mean nothing without the one named with.
func (a *app) onlyWith(cmd *cobra.Command, flags []string, with string) error {
	for _, name := range flags {
		if cmd.Flags().Changed(name) {
			return a.usage(cmd, reason.UsageFlag, "--"+name+" needs --"+with, "add --"+with+", or leave it out")
		}
	}
	return nil
}

// check reads what needs no look at any artifact.
func (o *attachOptions) check(a *app, cmd *cobra.Command, args []string) (target, []attachedFile, map[string]string, error) {
	if !o.sign {
		if err := a.onlyWith(cmd, o.signingFlags, "sign"); err != nil {
			return target{}, nil, nil, err
		}
	}
	switch {
	case o.artifactType == "":
		return target{}, nil, nil, a.usage(cmd, reason.UsageFlag, "--artifact-type is missing", "say what the files are, as in --artifact-type sbom/example")
	case !isTypeName(o.artifactType) || o.artifactType == ocispec.MediaTypeEmptyJSON:
		return target{}, nil, nil, a.usage(cmd, reason.UsageFlag, "flag '--artifact-type' cannot be "+quote(o.artifactType), "write TYPE/SUBTYPE, as in sbom/example")
	case o.artifactType == oci.ArtifactTypeSignature:
		return target{}, nil, nil, a.usage(cmd, reason.UsageFlag, "--artifact-type names the type of signatures", "signatures are made with 'notation sign'")
	}
	annotations, err := pairs("annotation", o.annotations)
	if err != nil {
		return target{}, nil, nil, err
	}
	t, err := o.targets.parse(args[0])
	if err != nil {
		return target{}, nil, nil, err
	}
	files, err := attachedFiles(args[1:])
	return t, files, annotations, err
}

func (a *app) attach(ctx context.Context, cmd *cobra.Command, o *attachOptions, ref string, args []string) (document, error) {
	t, files, annotations, err := o.check(a, cmd, append([]string{ref}, args...))
	if err != nil {
		return nil, err
	}
	ctx, budget, cancel := a.spend(ctx)
	defer cancel()
	var key signer.Signer
	var options notation.SignOptions
	if o.sign {
		budget.run() // a plugin may hold the key
		if key, options, err = a.signing(ctx, cmd, &o.signing); err != nil {
			return nil, err
		}
		budget.pause() // a password may have to be waited for
	}
	open, err := a.opener(ctx, &o.targets, t)
	if err != nil {
		return nil, err
	}
	w, err := openWritable(ctx, t, open)
	if err != nil {
		return nil, err
	}
	defer w.close()
	budget.run()
	subject, err := w.Resolve(ctx, t.ref)
	if err != nil {
		return nil, err
	}
	doc := &attachDocument{target: t, Subject: newDescriptor(bare(subject)), ArtifactType: o.artifactType}
	if err := a.putArtifact(ctx, budget, w, files, annotations, doc); err != nil {
		return nil, err
	}
	a.recommendDigest(t, subject.Digest)
	if o.sign {
		if err := doc.sign(ctx, w, key, options); err != nil {
			if w.staging != nil {
				return nil, err
			}
			return doc, reworded{text: "attached as " + doc.Name + ", but not signed: " + err.Error(), err: err}
		}
	}
	budget.pause()
	if err := w.commit(ctx); err != nil {
		return nil, err
	}
	return doc, nil
}

// putArtifact stores the files and then the manifest that names them.
func (a *app) putArtifact(ctx context.Context, budget *budget, w *writable, files []attachedFile, annotations map[string]string, doc *attachDocument) error {
	budget.pause() // the registry client notices by itself when nothing moves any more
	defer budget.run()
	var layers []oci.Descriptor
	for _, f := range files {
		d, err := a.describeFile(ctx, f)
		if err != nil {
			return err
		}
		if err := a.putFile(ctx, w, f, d); err != nil {
			return err
		}
		layers = append(layers, d)
		doc.Files = append(doc.Files, attachedFileJSON{Path: f.path, Title: f.title, descriptorJSON: *newDescriptor(d)})
	}
	budget.run()
	if err := putBytes(ctx, w, ocispec.DescriptorEmptyJSON, ocispec.DescriptorEmptyJSON.Data); err != nil {
		return err
	}
	subject := oci.Descriptor{MediaType: doc.Subject.MediaType, Digest: doc.Subject.Digest, Size: doc.Subject.Size}
	d, raw, err := attachmentManifest(subject, doc.ArtifactType, layers, annotations, a.env.Now())
	if err != nil {
		return err
	}
	if err := w.PutManifest(ctx, d, raw); err != nil {
		return err
	}
	doc.Artifact, doc.Name = newDescriptor(d), doc.target.name(d.Digest)
	return nil
}

// bare returns d reduced to media type, digest and size.
func bare(d oci.Descriptor) oci.Descriptor {
	return oci.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

// writable is a repository or layout to write to. What is written to the tarball
// of a layout is there after commit, all of it.
type writable struct {
	oci.Store
	staging *layout.Staging    // of a tarball; else nil
	made    *layout.Repository // a directory that was not there before; else nil
}

// openWritable opens the place of a target for writing.
func openWritable(ctx context.Context, t target, open func(target, string) (oci.Repository, error)) (*writable, error) {
	if info, err := os.Stat(t.path); t.path != "" && err == nil && info.Mode().IsRegular() {
		staging, err := layout.Stage(ctx, t.path, layout.Options{})
		if err != nil {
			return nil, err
		}
		return &writable{Store: staging, staging: staging}, nil
	}
	repo, err := open(t, "")
	if err != nil {
		return nil, err
	}
	store, ok := repo.(oci.Store)
	if !ok {
		return nil, reason.Errorf(reason.UsageInternal, "%s cannot be written to", t.typed)
	}
	return &writable{Store: store}, nil
}

func (w *writable) commit(ctx context.Context) error {
	if w.staging == nil {
		return nil
	}
	return w.staging.Commit(ctx)
}

func (w *writable) close() {
	if w.staging != nil {
		_ = w.staging.Close() // it only removes what was staged
	}
}

// attachDocument is the result of attach.
type attachDocument struct {
	Name         string             `json:"name,omitempty"` // of the new artifact
	Subject      *descriptorJSON    `json:"subject"`
	Artifact     *descriptorJSON    `json:"artifact,omitempty"` // the new one
	ArtifactType string             `json:"artifactType"`
	Files        []attachedFileJSON `json:"files"`
	Signature    *descriptorJSON    `json:"signature,omitempty"` // the signature manifest
	Envelope     *descriptorJSON    `json:"envelope,omitempty"`
	Timestamp    *stampedJSON       `json:"timestamp,omitempty"`

	target target
}

type attachedFileJSON struct {
	Path  string `json:"path"`
	Title string `json:"title"`
	descriptorJSON
}

// sign signs the new artifact.
func (d *attachDocument) sign(ctx context.Context, w *writable, key signer.Signer, options notation.SignOptions) error {
	signed, err := notation.Sign(ctx, w, d.target.ref.WithDigest(d.Artifact.Digest), key, options)
	if err == nil {
		d.Signature, d.Envelope, d.Timestamp = newDescriptor(signed.Signature), newDescriptor(signed.Envelope), newStamped(signed.Timestamp)
	}
	return err
}

func (d *attachDocument) text(p *page) {
	p.line("Attached %s", d.Name)
	p.line("  to %s", d.target.name(d.Subject.Digest))
	var rows [][]cell
	for _, f := range d.Files {
		rows = append(rows, row(f.Title, f.MediaType, bytesText(f.Size)))
	}
	p.table("  ", rows)
	if d.Signature != nil {
		p.line("Successfully signed %s", d.Name) // scripts look for it at the beginning of a line
		p.line("  signature %s", d.Signature.Digest)
		d.Timestamp.text(p)
	}
}

// attachmentManifest returns the manifest of an artifact with a subject.
func attachmentManifest(subject oci.Descriptor, artifactType string, layers []oci.Descriptor, annotations map[string]string, now time.Time) (oci.Descriptor, []byte, error) {
	m := ocispec.Manifest{
		MediaType: ocispec.MediaTypeImageManifest, ArtifactType: artifactType,
		Config: ocispec.DescriptorEmptyJSON, Layers: layers, Subject: &subject,
		Annotations: map[string]string{ocispec.AnnotationCreated: printedTime(now)},
	}
	m.SchemaVersion = 2
	for k, v := range annotations {
		m.Annotations[k] = v
	}
	raw, err := marshal(m)
	if err != nil {
		return oci.Descriptor{}, nil, err
	}
	if len(raw) > oci.MaxManifestSize {
		return oci.Descriptor{}, nil, reason.Errorf(reason.UsageArguments, "the manifest would be longer than %d bytes", oci.MaxManifestSize).
			WithHint("attach fewer files, or with fewer annotations")
	}
	return oci.Descriptor{MediaType: m.MediaType, Digest: digestOf(raw), Size: int64(len(raw))}, raw, nil
}

// isTypeName reports whether s is TYPE/SUBTYPE, without parameters, as RFC
// 6838 section 4.2 has it.
func isTypeName(s string) bool {
	kind, sub, _ := strings.Cut(s, "/")
	return isRestrictedName(kind) && isRestrictedName(sub)
}

func isRestrictedName(s string) bool {
	const longest = 127
	for i := range len(s) {
		c := s[i]
		alphanumeric := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alphanumeric && (i == 0 || !strings.ContainsRune("!#$&-^_.+", rune(c))) {
			return false
		}
	}
	return s != "" && len(s) <= longest
}
