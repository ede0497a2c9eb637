package layout

import (
	"bytes"
	"context"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// step is one step of a change on disk, as Repository.before sees it.
type step string

// The steps of a change. Once stepRename of index.json, or of the tarball, has
// succeeded, the new layout is there.
const (
	stepLock    step = "lock"
	stepMkdir   step = "mkdir"
	stepCreate  step = "create"
	stepWrite   step = "write"
	stepChmod   step = "chmod"
	stepSync    step = "sync"
	stepClose   step = "close"
	stepRename  step = "rename"
	stepSyncDir step = "sync directory"
)

// tempPrefix begins the name of each temporary file.
const tempPrefix = ".notation-"

// tempSuffix ends the name of each temporary file.
const tempSuffix = ".tmp"

func (r *Repository) step(s step, name string) error {
	if r.before == nil {
		return nil
	}
	return r.before(s, name)
}

// change is what one Attach adds to a layout.
type change struct {
	blobs    []oci.Blob // the manifest is the last
	manifest oci.Descriptor
	entry    []byte // of the manifest, for index.json
}

// Attach implements [oci.Repository]. No lock is held while build runs. After
// an error the layout is as it was, except that one with the code
// oci.not-listed, or one about syncing a directory, follows the change.
//
// Errors have, beside those of Resolve and build, the codes oci.attachment,
// oci.layout-lock, oci.layout-write, oci.layout-index and oci.not-listed.
func (r *Repository) Attach(ctx context.Context, ref oci.Reference, build func(subject oci.Descriptor) (oci.Attachment, error)) (oci.Attached, error) {
	subject, err := r.Resolve(ctx, ref)
	if err != nil {
		return oci.Attached{}, err
	}
	a, err := build(subject)
	if err != nil {
		return oci.Attached{}, err
	}
	c, err := newChange(a, subject.Digest)
	if err != nil {
		return oci.Attached{}, err
	}
	if err := r.commit(ctx, c); err != nil {
		return oci.Attached{}, r.fault(err)
	}
	attached := oci.Attached{Subject: subject, Manifest: c.manifest}
	return attached, r.fault(r.readBack(ctx, attached))
}

// newChange checks an attachment. Whatever build returns, nothing gets into a
// layout that its digest does not cover or that refers to something else.
func newChange(a oci.Attachment, subject digest.Digest) (change, error) {
	m, err := oci.ParseManifest(a.Manifest)
	if err != nil {
		return change{}, err
	}
	switch {
	case m.MediaType != ocispec.MediaTypeImageManifest:
		return change{}, reason.Errorf(reason.OCIAttachment, "manifest to attach has the media type %s, not that of an image manifest", quote(m.MediaType))
	case m.Subject == nil || m.Subject.Digest != subject:
		return change{}, reason.Errorf(reason.OCIAttachment, "manifest to attach does not have the subject %s", subject)
	}
	c := change{manifest: oci.Descriptor{
		MediaType: m.MediaType, Digest: digest.FromBytes(a.Manifest), Size: int64(len(a.Manifest)),
		ArtifactType: m.ArtifactType, Annotations: m.Annotations,
	}}
	for _, b := range a.Blobs {
		if err := oci.VerifyContent(b.Content, b.Descriptor); err != nil {
			return change{}, reason.Wrap(reason.OCIAttachment, err, "blob to attach is not what its descriptor says")
		}
		c.blobs = append(c.blobs, b)
	}
	c.blobs = append(c.blobs, oci.Blob{Descriptor: c.manifest, Content: a.Manifest})
	c.entry, err = newEntry(c.manifest, m)
	return c, err
}

// commit makes a change under the layout's lock.
func (r *Repository) commit(ctx context.Context, c change) error {
	unlock, err := r.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if r.isTar {
		return r.commitTar(ctx, c)
	}
	return r.commitDir(ctx, c)
}

// readBack looks for what was attached the way a verifier would.
func (r *Repository) readBack(ctx context.Context, a oci.Attached) error {
	l, err := r.Referrers(ctx, a.Subject.Digest, oci.ReferrersOptions{ArtifactType: a.Manifest.ArtifactType})
	for _, d := range l.Referrers {
		if d.Digest == a.Manifest.Digest {
			return nil // whatever else is wrong with the layout
		}
	}
	if err != nil {
		return reason.Wrap(reason.OCINotListed, err, "cannot list what was just attached to %s", a.Subject.Digest)
	}
	return reason.Errorf(reason.OCINotListed, "%s was attached to %s, but is not among its referrers", a.Manifest.Digest, a.Subject.Digest).
		WithHint("try again; another program may have overwritten the index at the same time")
}

// newIndex returns index.json with the change's entry, and whether it differs.
func newIndex(f files, c change) (index []byte, changed bool, err error) {
	old, err := readFile(f, ocispec.ImageIndexFile, maxIndexSize)
	if err != nil {
		return nil, false, err
	}
	index, err = addEntry(old, c.entry, c.manifest.Digest)
	return index, !bytes.Equal(index, old), err
}

func writeError(name string, err error) error {
	if reason.Of(err) != "" {
		return err
	}
	return reason.Wrap(reason.OCILayoutWrite, cause(err), "cannot write %s", name).
		WithHint("check permissions and free space, then try again")
}
