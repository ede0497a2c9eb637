package cli

import (
	"cmp"
	"context"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// Bounds on what discover fetches. The length of a listing is bounded by
// oci.MaxReferrers.
const (
	// maxDiscovering bounds the manifests that are fetched at the same time.
	maxDiscovering = 16
	// maxDiscoveredBytes bounds all manifests together.
	maxDiscoveredBytes = 256 << 20
)

// discoverOptions are the flags of discover.
type discoverOptions struct {
	targets      targetOptions
	artifactType string
}

func (a *app) discoverCommand() *cobra.Command {
	o := &discoverOptions{}
	cmd := &cobra.Command{
		Use:   "discover REF [flags]",
		Short: "List what is attached to an artifact",
		Long: `List the artifacts that refer to an artifact: SBOMs, scan results, signatures
and whatever else is attached to it.

A listing of a registry is only a hint: each manifest is fetched, and what does
not refer to the artifact, or is of another type than was asked for, is left
out. Nothing is said about who made what is listed; 'notation verify' and
'notation tree --verify' tell. Without anything attached the list is empty and
the exit code 0.`,
		Example: `  # List everything that is attached
  notation discover localhost:5000/net-monitor:v1

  # List the SBOMs for a script, which finds their digests as .references[].digest
  notation discover --artifact-type sbom/example --output json localhost:5000/net-monitor:v1`,
	}
	cmd = a.leaf(cmd, 1, 1, func(ctx context.Context, args []string) (document, error) {
		return a.discover(ctx, o, args[0])
	})
	cmd.Flags().StringVar(&o.artifactType, "artifact-type", "", "list only what is of this `TYPE`, such as sbom/example")
	o.targets.register(cmd)
	return cmd
}

func (a *app) discover(ctx context.Context, o *discoverOptions, typed string) (document, error) {
	t, err := o.targets.parse(typed)
	if err != nil {
		return nil, err
	}
	repo, err := a.openOne(ctx, &o.targets, t, "")
	if err != nil {
		return nil, err
	}
	ctx, cancel := a.network(ctx)
	defer cancel()
	artifact, err := repo.Resolve(ctx, t.ref)
	if err != nil {
		return nil, err
	}
	listing, listErr := repo.Referrers(ctx, artifact.Digest, oci.ReferrersOptions{ArtifactType: o.artifactType})
	a.warnSome(listing.Warnings, "oddities of the listing")
	d := &discovery{repo: repo, subject: artifact.Digest, artifactType: o.artifactType, claims: listing.Referrers}
	d.run(ctx)
	doc := &discoverDocument{Reference: t.name(artifact.Digest), Digest: artifact.Digest, MediaType: artifact.MediaType, artifactType: o.artifactType}
	doc.References, doc.Manifests = []referenceJSON{}, []referrerJSON{}
	doubt := a.found(d, func(r oci.Descriptor) {
		doc.References = append(doc.References, referenceJSON{*newDescriptor(bare(r)), r.ArtifactType})
		doc.Manifests = append(doc.Manifests, referrerJSON{t.name(r.Digest), *newDescriptor(bare(r)), r.ArtifactType, r.Annotations})
	})
	if listing.Truncated {
		doubt = cmp.Or(doubt, error(reason.Errorf(reason.VerifyListingTruncated, "the listing is longer than %d entries", oci.MaxReferrers).
			WithHint("remove referrers that are not needed from the repository, or ask for one --artifact-type")))
	}
	if listErr != nil {
		doubt = listErr
	}
	doc.whole = doubt == nil
	return doc, doubt
}

// warnSome shows the first of some errors as warnings.
func (a *app) warnSome(errs []error, what string) {
	for i, err := range errs {
		if i == maxNotes {
			a.warn("there are %d more %s", len(errs)-i, what)
			return
		}
		a.warn("%s", err)
	}
}

// discovery fetches what a listing names. Nothing of an entry is believed but
// that the digest is worth fetching.
type discovery struct {
	repo         oci.Repository
	subject      digest.Digest
	artifactType string
	claims       []oci.Descriptor
	results      []discovered
}

// discovered is what became of one entry of a listing.
type discovered struct {
	manifest oci.Descriptor // with artifact type and annotations of its own
	wanted   bool
	stranger error // why it does not belong into the list
	unread   error
}

// run fetches the entries, within the bounds.
func (d *discovery) run(ctx context.Context) {
	d.results = make([]discovered, len(d.claims))
	var group errgroup.Group
	group.SetLimit(maxDiscovering)
	left := int64(maxDiscoveredBytes)
	for i, claim := range d.claims {
		if err := oci.CheckDescriptor(claim, oci.MaxManifestSize); err != nil {
			d.results[i].unread = err
			continue
		}
		if left -= claim.Size; left < 0 {
			d.results[i].unread = reason.Errorf(reason.PromoteTooLarge, "what refers to %s is larger than %d bytes", d.subject, maxDiscoveredBytes).
				WithHint("ask for one --artifact-type, or remove referrers that are not needed")
			continue
		}
		group.Go(func() error {
			d.results[i] = d.fetch(ctx, claim)
			return nil
		})
	}
	_ = group.Wait() // its functions return no errors
}

func (d *discovery) fetch(ctx context.Context, claim oci.Descriptor) discovered {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	raw, err := d.repo.Fetch(ctx, claim, oci.MaxManifestSize)
	if err != nil {
		return discovered{manifest: claim, unread: err}
	}
	m, err := oci.CheckManifest(claim, raw)
	switch {
	case err != nil:
		return discovered{manifest: claim, unread: err}
	case m.Subject == nil || m.Subject.Digest != d.subject:
		return discovered{manifest: claim, stranger: reason.Errorf(reason.PromoteStranger, "%s is listed as a referrer of %s, and is none", claim.Digest, d.subject)}
	}
	found := bare(claim)
	found.ArtifactType, found.Annotations = m.ArtifactType, m.Annotations
	found.ArtifactType = artifactTypeOf(found)
	return discovered{manifest: found, wanted: d.artifactType == "" || m.ArtifactType == d.artifactType}
}

// found passes on what belongs into the list, each digest once, and returns the
// first reason why that may not be all.
func (a *app) found(d *discovery, add func(oci.Descriptor)) error {
	read := map[digest.Digest]bool{}
	for _, r := range d.results {
		if r.unread == nil && r.stranger == nil && !read[r.manifest.Digest] {
			read[r.manifest.Digest] = true
			if r.wanted {
				add(r.manifest)
			}
		}
	}
	var strangers, unread []error
	for _, r := range d.results {
		switch {
		case read[r.manifest.Digest]: // of two claims about one manifest, one may be right
		case r.unread != nil:
			unread = append(unread, r.unread)
		case r.stranger != nil:
			strangers = append(strangers, r.stranger)
		}
	}
	a.warnSome(strangers, "entries that do not belong into the listing")
	a.warnSome(unread, "entries that could not be read")
	if len(unread) == 0 {
		return nil
	}
	return unread[0]
}

// discoverDocument is the result of discover. Scripts for the announcement of
// this project read references; manifests is as in an image index.
type discoverDocument struct {
	Reference  string          `json:"reference"`
	MediaType  string          `json:"mediaType"`
	Digest     digest.Digest   `json:"digest"`
	References []referenceJSON `json:"references"`
	Manifests  []referrerJSON  `json:"manifests"`

	artifactType string
	whole        bool
}

type referenceJSON struct {
	descriptorJSON
	ArtifactType string `json:"artifactType,omitempty"`
}

type referrerJSON struct {
	Reference string `json:"reference"`
	descriptorJSON
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

func (d *discoverDocument) text(p *page) {
	p.line("%s", d.Reference)
	switch {
	case len(d.Manifests) > 0:
		rows := [][]cell{{{"ARTIFACT TYPE", faint}, {"DIGEST", faint}, {"SIZE", faint}}}
		for _, m := range d.Manifests {
			rows = append(rows, row(cmp.Or(m.ArtifactType, m.MediaType), string(m.Digest), bytesText(m.Size)))
		}
		p.table("  ", rows)
	case !d.whole:
		p.line("  not everything could be listed, so it is not known whether anything is attached")
	case d.artifactType != "":
		p.line("  nothing of the type %s is attached", d.artifactType)
	default:
		p.line("  nothing is attached")
	}
}
