package bundle

import (
	"context"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/oci/layout"
	"github.com/notaryv2/notation/promote"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// Bundle is a bundle that can be read.
type Bundle struct {
	Contents Contents
	layout   *layout.Repository
}

// Open reads the list of what is in the bundle at path: a tarball, or the
// directory that it was unpacked to. It checks that the artifacts are there.
// Errors have the codes bundle.none, bundle.contents, bundle.manifest, and those
// of [layout.Open].
func Open(ctx context.Context, path string) (*Bundle, error) {
	l, err := layout.Open(path, layout.Options{})
	if err != nil {
		return nil, err
	}
	layers, found, err := get(ctx, l, ArtifactTypeContents, TagContents, 1)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, reason.Errorf(reason.BundleNone, "%q is an image layout, but no bundle", path).
			WithHint("make bundles with 'notation bundle export'; 'notation copy --from-oci-layout' reads any layout")
	}
	if len(layers) != 1 || layers[0].MediaType != MediaTypeContents {
		return nil, malformed("it is not of the type %s", MediaTypeContents)
	}
	raw, err := fetch(ctx, l, layers[0], MaxContentsBytes)
	if err != nil {
		return nil, err
	}
	contents, err := ParseContents(raw)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Contents: *contents, layout: l}
	for _, a := range contents.Artifacts {
		if _, err := l.Fetch(ctx, a.Descriptor, oci.MaxManifestSize); err != nil {
			return nil, reason.Wrap(reason.BundleContents, err, "%s, which the bundle is to hold, cannot be read", a.Origin).
				WithHint("have the bundle made anew")
		}
	}
	return b, nil
}

// Source returns the bundle as if it were the repository of a name, which is the
// scope that a trust policy is asked about.
func (b *Bundle) Source(name string) oci.Source { return view{b.layout, name} }

// Evidence returns the answers about revocation in the bundle; see
// [ReadEvidence].
func (b *Bundle) Evidence(ctx context.Context) (*Evidence, error) { return ReadEvidence(ctx, b.layout) }

// Trust returns the trust policy and stores in the bundle, to be reviewed, or
// nil; see [ReadTrust].
func (b *Bundle) Trust(ctx context.Context) (*Trust, error) { return ReadTrust(ctx, b.layout) }

// view is a source under another name.
type view struct {
	oci.Source
	name string
}

func (v view) Name() string { return v.name }

// View returns a source as if it were the repository of a name.
func View(s oci.Source, name string) oci.Source { return view{s, name} }

// Target is where an artifact of a bundle is to go.
type Target struct {
	Artifact Artifact
	Store    oci.Store
	Tag      string // "": none is moved
	// Verify is asked about the artifact in the bundle before anything is sent,
	// and in Store once it has arrived. The repository has the name of Store
	// both times, as that is the scope that counts. nil: not verified.
	Verify promote.VerifyFunc
}

// Imported says what became of one target.
type Imported struct {
	Report *promote.Report // nil: it was not begun
	// Rejected says that the artifact did not pass, in the bundle if Report is
	// nil, else in the store.
	Rejected bool
	Tagged   bool
	Err      error
}

// Import moves artifacts of the bundle into repositories. First all of them are
// verified where they are, and if one does not pass nothing is sent; then each is
// copied and verified where it has arrived; and only when all are there, the tags
// are moved. What is there already is not sent again, so an import that was cut
// short is finished by repeating it.
//
// There is one Imported for each target, in their order. The error is the first
// of theirs, as [promote.Copy] gives it, or nil.
func (b *Bundle) Import(ctx context.Context, targets []Target, progress func(target int, e promote.Event)) ([]Imported, error) {
	done := make([]Imported, len(targets))
	var first error
	for i := range targets {
		if tag := targets[i].Tag; tag == "" {
			continue
		} else if done[i].Err = checkOriginTag(tag); done[i].Err != nil {
			return done, done[i].Err
		}
	}
	for i := range targets {
		t := &targets[i]
		if t.Verify == nil {
			continue
		}
		if err := t.Verify(ctx, b.Source(t.Store.Name()), t.Artifact.Descriptor.Digest); err != nil {
			done[i].Rejected = true
			done[i].Err = reason.Wrap(reason.PromoteSourceRejected, err, "%s was not verified in the bundle, and nothing was imported", t.Artifact.Origin)
			if first == nil {
				first = done[i].Err
			}
		}
	}
	if first != nil {
		return done, first
	}
	for i := range targets {
		if err := b.send(ctx, &targets[i], &done[i], i, progress); err != nil {
			return done, err
		}
	}
	for i := range targets {
		t := &targets[i]
		if t.Tag == "" {
			continue
		}
		if err := t.Store.Tag(ctx, t.Artifact.Descriptor, t.Tag); err != nil {
			done[i].Err = reason.Wrap(reason.PromoteTag, err, "%s was imported as a whole, but the tag %q could not be moved", t.Artifact.Descriptor.Digest, t.Tag)
			return done, done[i].Err
		}
		done[i].Tagged, done[i].Report.Tag = true, t.Tag
	}
	return done, nil
}

// send copies one artifact.
func (b *Bundle) send(ctx context.Context, t *Target, done *Imported, i int, progress func(int, promote.Event)) error {
	o := promote.CopyOptions{}
	if progress != nil {
		o.Progress = func(e promote.Event) { progress(i, e) }
	}
	if t.Verify != nil {
		o.VerifyDestination = func(ctx context.Context, repo oci.Repository, d digest.Digest) error {
			err := t.Verify(ctx, repo, d)
			done.Rejected = err != nil
			return err
		}
	}
	// Not under the store's name, or what is in the bundle could pass for
	// something to be mounted there.
	done.Report, done.Err = promote.Copy(ctx, b.layout, t.Store, t.Artifact.Descriptor, o)
	return done.Err
}
