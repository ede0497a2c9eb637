package bundle

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/promote"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/revocation"
)

// Writer is a bundle that is being made. It is not safe for concurrent use.
type Writer struct {
	staging  *layout.Staging
	contents Contents
	sources  map[string]bool
}

// CheckNew returns an error with the code bundle.exists if there is something at
// path.
func CheckNew(path string) error {
	switch _, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return reason.Wrap(reason.BundleExists, err, "whether there is something at %q cannot be seen", path).WithHint("check the path")
	}
	return reason.Errorf(reason.BundleExists, "there is something at %q already", path).
		WithHint("name another path, or remove it first")
}

// Create begins a bundle, which [Writer.Commit] writes to path. There must be
// nothing yet; see [CheckNew]. What is collected lies in a directory beside
// it, so there must be room for both. now is the time of creation.
func Create(ctx context.Context, path string, now time.Time) (*Writer, error) {
	if err := CheckNew(path); err != nil {
		return nil, err
	}
	staging, err := layout.Stage(ctx, path, layout.Options{})
	if err != nil {
		return nil, err
	}
	return &Writer{staging: staging, contents: Contents{Created: now.UTC().Truncate(time.Second)}, sources: map[string]bool{}}, nil
}

// Store returns where the artifacts are collected, for a verifier to look at.
func (w *Writer) Store() oci.Store { return w.staging }

// Add copies the artifact root of src, with what belongs to it, into the bundle.
// origin is its place: registry/repository, and the tag that it has there, if
// any. The Tag in o plays no part. Errors are those of [promote.Copy], and
// bundle.twice for a repository and tag, or a digest without tag, that is there
// already, and oci.reference for the tag of a list of referrers.
func (w *Writer) Add(ctx context.Context, src oci.Source, root oci.Descriptor, origin oci.Reference, o promote.CopyOptions) (*promote.Report, error) {
	if len(w.contents.Artifacts) == MaxArtifacts {
		return &promote.Report{}, malformed("it has more than %d artifacts", MaxArtifacts)
	}
	if tag := origin.Tag(); tag != "" {
		if err := checkOriginTag(tag); err != nil {
			return &promote.Report{}, err
		}
	}
	o.Tag = ""
	report, err := promote.Copy(ctx, src, w.staging, root, o)
	if err != nil {
		return report, err
	}
	at := origin.Name() + "@" + string(report.Root.Digest)
	place := at
	if tag := origin.Tag(); tag != "" {
		place = origin.Name() + ":" + tag
		at = place + "@" + string(report.Root.Digest)
	}
	full, err := oci.ParseReference(at)
	if err != nil {
		return report, err
	}
	if w.sources[place] {
		return report, reason.Errorf(reason.BundleTwice, "%s was to be put into the bundle twice", place).WithHint("name it once")
	}
	w.sources[place] = true
	a := Artifact{Origin: full, Descriptor: report.Root, Manifests: len(report.Manifests), Blobs: len(report.Blobs)}
	for _, items := range [][]promote.Item{report.Manifests, report.Blobs} {
		for _, item := range items {
			a.Bytes += item.Descriptor.Size
		}
	}
	w.contents.Artifacts = append(w.contents.Artifacts, a)
	return report, nil
}

// AddEvidence adds answers about revocation, instead of those that were added
// before.
func (w *Writer) AddEvidence(ctx context.Context, answers []revocation.Recorded) error {
	return putEvidence(ctx, w.staging, answers)
}

// AddTrust adds a trust policy and its stores, to be reviewed by who receives
// the bundle. Errors have the code bundle.trust.
func (w *Writer) AddTrust(ctx context.Context, t *Trust) error { return putTrust(ctx, w.staging, t) }

// Commit names the artifacts and writes the file, whole or not at all.
func (w *Writer) Commit(ctx context.Context) (*Contents, error) {
	if err := nameAll(w.contents.Artifacts); err != nil {
		return nil, err
	}
	for _, a := range w.contents.Artifacts {
		if err := w.staging.Tag(ctx, a.Descriptor, a.Name); err != nil {
			return nil, err
		}
	}
	raw, err := w.contents.MarshalJSON()
	if err == nil {
		_, err = ParseContents(raw) // who cannot be read is not to be carried away
	}
	if err != nil {
		return nil, err
	}
	if err := put(ctx, w.staging, ArtifactTypeContents, TagContents, []layer{{mediaType: MediaTypeContents, title: "bundle.json", content: raw}}); err != nil {
		return nil, err
	}
	return &w.contents, w.staging.Commit(ctx)
}

// Close removes what was collected and not committed.
func (w *Writer) Close() error { return w.staging.Close() }
