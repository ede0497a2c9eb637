package cli

import (
	"cmp"
	"context"
	"path/filepath"
	"strings"

	"github.com/notaryv2/notation/internal/strictjson"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"
)

// annotationUnpack marks a layer as a packed directory, which oras unpacks.
const annotationUnpack = "io.deis.oras.content.unpack"

// pullOptions are the flags of pull.
type pullOptions struct {
	targets   targetOptions
	judge     judgeOptions
	directory string
	force     bool
}

func (a *app) pullCommand() *cobra.Command {
	o := &pullOptions{}
	cmd := &cobra.Command{
		Use:   "pull REF [flags]",
		Short: "Verify an artifact and fetch its files",
		Long: `Verify an artifact as 'notation verify' does, and if it passes write its files
into a directory. If it does not pass, nothing is written, and the exit code is
that of verify.

The files are the layers that have a name, org.opencontainers.image.title. A
name that leads out of the directory, that begins with a full stop, or that some
system cannot have, is refused. A file that is there is replaced only with
--force. The files get their names once all of them have been fetched and
compared with their digests; if anything fails, the directory is as it was.

REF names the artifact with the files, such as an SBOM, not what it is attached
to; 'notation discover' tells. --timeout does not count while files are fetched.`,
		Example: `  # Fetch the files of an SBOM into a directory
  notation pull -o sboms localhost:5000/net-monitor@sha256:9d3c3c7b0e5d28a7a8aee0df0a71c4d3f6b2f9c8e1a5b7d6c4f3e2d1c0b9a8f7

  # Trust one root certificate, and replace files that are there
  notation pull --ca-cert root.pem --force registry.example.com/tools:v1`,
	}
	cmd = a.leaf(cmd, 1, 1, func(ctx context.Context, args []string) (document, error) {
		return a.pull(ctx, cmd, o, args[0])
	})
	f := cmd.Flags()
	a.registerOutput(cmd, &o.directory, "write the files into `DIR`, which is made if need be (default .)")
	f.BoolVar(&o.force, "force", false, "replace files that are there")
	o.judge.register(cmd)
	o.targets.register(cmd)
	return cmd
}

func (a *app) pull(ctx context.Context, cmd *cobra.Command, o *pullOptions, typed string) (document, error) {
	if err := o.judge.check(a, cmd, o.targets.layout); err != nil {
		return nil, err
	}
	o.targets.registry.stateless = o.judge.trust.stateless()
	t, err := o.targets.parse(typed)
	if err != nil {
		return nil, err
	}
	j, err := a.judge(ctx, cmd, &o.judge)
	if err != nil {
		return nil, err
	}
	repo, err := a.openOne(ctx, &o.targets, t, o.judge.scope)
	if err != nil {
		return nil, err
	}
	ctx, budget, cancel := a.spend(ctx)
	defer cancel()
	budget.run()
	source, ok := repo.(oci.Source)
	if !ok {
		return nil, reason.Errorf(reason.UsageInternal, "%s cannot be read", typed)
	}
	verdicts, err := j.all(ctx, a, []target{t}, func(target) (oci.Repository, error) { return repo, nil })
	doc := &pullDocument{verifyDocument: verdicts, Files: []pulledJSON{}, said: true}
	if err != nil {
		return doc, err
	}
	doc.said = false // until the files are there
	if err := a.fetchFiles(ctx, budget, source, o, t, doc); err != nil {
		return doc, err
	}
	doc.said = true
	return doc, nil
}

// fetchFiles fetches the files of the artifact that was verified, and no other.
func (a *app) fetchFiles(ctx context.Context, budget *budget, source oci.Source, o *pullOptions, t target, doc *pullDocument) error {
	artifact := doc.Verdicts[0].Verdict.Artifact
	if artifact.Digest == "" { // the policy says skip, and nothing was asked for
		var err error
		if artifact, err = source.Resolve(ctx, t.ref); err != nil {
			return err
		}
	}
	raw, err := source.Fetch(ctx, artifact, oci.MaxManifestSize)
	if err != nil {
		return err
	}
	files, err := filesOf(artifact, raw)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.packed {
			a.warn("%s is a packed directory, and is written as it is", quote(f.name))
		}
	}
	budget.pause() // the registry client notices by itself when nothing moves any more
	w, err := newFileWriter(cmp.Or(o.directory, "."), files, o.force)
	if err != nil {
		return err
	}
	defer w.close()
	for i := range files {
		if err := w.receive(ctx, a, source, &files[i]); err != nil {
			return err
		}
	}
	if err := w.place(files); err != nil {
		return err
	}
	for _, f := range files {
		doc.Files = append(doc.Files, pulledJSON{filepath.Join(o.directory, filepath.FromSlash(f.name)), f.name, *newDescriptor(f.content)})
	}
	return nil
}

// pullFile is a file of an artifact.
type pullFile struct {
	name    string // checked
	content oci.Descriptor
	packed  bool
	temp    string // name in the directory where it is kept until all are there
}

// filesOf returns the layers of a manifest that have a name, with their names
// checked.
func filesOf(d oci.Descriptor, raw []byte) ([]pullFile, error) {
	m, err := oci.CheckManifest(d, raw)
	if err != nil {
		return nil, err
	}
	if oci.IsIndex(d.MediaType) {
		return nil, reason.Errorf(reason.PullNoFiles, "%s is an index, which holds no files", d.Digest).WithHint("name one of its manifests; see them with 'notation tree'")
	}
	type layer struct {
		MediaType   string            `json:"mediaType"`
		Digest      string            `json:"digest"`
		Size        int64             `json:"size"`
		Annotations map[string]string `json:"annotations"`
	}
	var w struct {
		Layers []layer `json:"layers"`
		Blobs  []layer `json:"blobs"` // of ORAS artifact manifests
	}
	if err := strictjson.UnmarshalOpen(raw, &w); err != nil {
		return nil, reason.Wrap(reason.PullManifest, err, "the list of files of %s is malformed", d.Digest)
	}
	layers := w.Layers
	if d.MediaType == oci.MediaTypeORASManifest || d.MediaType == oci.MediaTypeOCIArtifact {
		layers = w.Blobs
	}
	if (len(w.Layers) > 0) && (len(w.Blobs) > 0) {
		return nil, reason.Errorf(reason.PullManifest, "%s has the lists of files of two kinds of manifests", d.Digest)
	}
	var files []pullFile
	for _, l := range layers {
		name, ok := l.Annotations[ocispec.AnnotationTitle]
		if !ok {
			continue
		}
		content := oci.Descriptor{MediaType: l.MediaType, Digest: digest.Digest(l.Digest), Size: l.Size}
		if err := oci.CheckDescriptor(content, oci.MaxBlobSize); err != nil {
			return nil, err
		}
		if fault := fileNameFault(name); fault != "" {
			return nil, reason.Errorf(reason.PullFileName, "the artifact has a file %q, which is not written: %s", name, fault).
				WithHint("distrust the artifact, or ask whoever made it to give its files plain names")
		}
		files = append(files, pullFile{name: name, content: content, packed: l.Annotations[annotationUnpack] == "true"})
	}
	switch {
	case len(files) == 0:
		return nil, reason.Errorf(reason.PullNoFiles, "%s of the type %s holds no files with names", d.Digest, quote(m.ArtifactType)).
			WithHint("name an artifact that files were attached as; see 'notation discover'")
	case len(files) > maxArtifactFiles:
		return nil, reason.Errorf(reason.PullManifest, "%s has more than %d files", d.Digest, maxArtifactFiles)
	}
	return files, checkCollisions(files)
}

// checkCollisions refuses files that cannot all be written on every system: two
// of one name but for case, or a file where another needs a directory.
func checkCollisions(files []pullFile) error {
	names := map[string]string{}
	for _, f := range files {
		folded := strings.ToLower(f.name)
		if other, ok := names[folded]; ok {
			return collision(other, f.name)
		}
		names[folded] = f.name
	}
	for _, f := range files {
		dir := strings.ToLower(f.name)
		for i := strings.LastIndexByte(dir, '/'); i > 0; i = strings.LastIndexByte(dir, '/') {
			dir = dir[:i]
			if other, ok := names[dir]; ok {
				return collision(other, f.name)
			}
		}
	}
	return nil
}

func collision(a, b string) error {
	return reason.Errorf(reason.PullFileName, "the artifact has the files %q and %q, which cannot both be written", a, b).
		WithHint("distrust the artifact, or ask whoever made it to give its files plain names")
}

// pullDocument is the result of pull.
type pullDocument struct {
	*verifyDocument
	Files []pulledJSON `json:"files"`
	said  bool         // the verdict is the whole result
}

type pulledJSON struct {
	Path  string `json:"path"`
	Title string `json:"title"`
	descriptorJSON
}

func (d *pullDocument) text(p *page) {
	if !d.said {
		return // an error says what became of it
	}
	d.verifyDocument.text(p)
	var rows [][]cell
	for _, f := range d.Files {
		rows = append(rows, row("wrote", f.Path, bytesText(f.Size)))
	}
	p.table("  ", rows)
}
