package remote

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/notaryv2/notation/oci"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"
)

// referrersAtOnce bounds the manifests that PutReferrers is sending.
const referrersAtOnce = 6

// PutReferrers implements [oci.Store]. All manifests are pushed before any of
// them is looked for. Those that the registry has not recorded are written into
// the referrers tag together, with the protection that [Repository.Attach] has.
// Those that it has, and then does not list, are pushed again one after another,
// as all are that come later: olareg, for one, loses one of two that come at the
// same time. Codes: those of
// [oci.CheckReferrer], registry.*, and those of content.
func (r *Repository) PutReferrers(ctx context.Context, subject digest.Digest, manifests []oci.Descriptor, content oci.ContentFunc) ([]oci.Descriptor, error) {
	if _, err := oci.ParseDigest(string(subject)); err != nil {
		return nil, err
	}
	p := &referrersPush{r: r, subject: subject, content: content}
	failed := p.push(ctx, manifests)
	// What has been pushed is made findable also after a failure.
	found, err := p.list(ctx)
	if failed != nil {
		err = failed
	}
	return found, err
}

// referrersPush is one PutReferrers.
type referrersPush struct {
	r       *Repository
	subject digest.Digest
	content oci.ContentFunc

	mu       sync.Mutex
	recorded []oci.Descriptor // pushed, and the registry says that it lists them
	unlisted []oci.Descriptor // pushed, and to be listed in the tag
}

// push sends the manifests, some at the same time, until one fails. Those under
// way then are sent to their end, so that it is known whether they are there.
func (p *referrersPush) push(ctx context.Context, manifests []oci.Descriptor) error {
	var group errgroup.Group
	group.SetLimit(referrersAtOnce)
	if p.r.losesReferrers.Load() {
		group.SetLimit(1)
	}
	var failed atomic.Bool
	for _, d := range manifests {
		group.Go(func() error {
			if failed.Load() {
				return nil
			}
			listed, recorded, err := p.pushOne(ctx, d)
			if err != nil {
				failed.Store(true)
				return err
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if recorded && !p.r.client.options.ForceReferrersTag {
				p.recorded = append(p.recorded, listed)
			} else {
				p.unlisted = append(p.unlisted, listed)
			}
			return nil
		})
	}
	return group.Wait()
}

// pushOne sends one manifest. It returns what a listing should show of it, and
// whether the registry has recorded its subject.
func (p *referrersPush) pushOne(ctx context.Context, d oci.Descriptor) (oci.Descriptor, bool, error) {
	raw, err := p.content(ctx, d)
	if err != nil {
		return d, false, err
	}
	m, err := oci.CheckReferrer(d, raw, p.subject)
	if err != nil {
		return d, false, err
	}
	resp, err := p.r.pushManifest(ctx, d, raw)
	if err != nil {
		return d, false, err
	}
	listed := oci.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size, ArtifactType: m.ArtifactType, Annotations: m.Annotations}
	return listed, resp.header.Get("OCI-Subject") == string(p.subject), nil
}

// list makes what was pushed findable, and returns what is found.
func (p *referrersPush) list(ctx context.Context) ([]oci.Descriptor, error) {
	var found, there []oci.Descriptor
	var tagErr, err error
	if len(p.unlisted) > 0 {
		found, tagErr = p.writeTag(ctx)
	}
	if len(p.recorded) > 0 {
		there, err = p.seeToIt(ctx)
	}
	if tagErr != nil {
		err = tagErr
	}
	return append(found, there...), err
}

// seeToIt looks whether the registry lists what it has recorded, and sends again,
// one after another, what it does not. It returns what is listed.
func (p *referrersPush) seeToIt(ctx context.Context) ([]oci.Descriptor, error) {
	there, missing := p.confirm(ctx, p.recorded)
	if len(missing) == 0 {
		return there, nil
	}
	p.r.losesReferrers.Store(true)
	var failed error
	for _, d := range missing {
		if _, _, failed = p.pushOne(ctx, oci.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}); failed != nil {
			break
		}
	}
	found, missing := p.confirm(ctx, missing)
	there = append(there, found...)
	if failed != nil {
		return there, failed
	}
	for _, d := range missing {
		// Some registries are a moment late.
		if err := p.r.readBack(ctx, p.subject, d, nil); err != nil {
			return there, err
		}
		there = append(there, d)
	}
	return there, nil
}

// confirm asks once which manifests are listed.
func (p *referrersPush) confirm(ctx context.Context, pushed []oci.Descriptor) (there, missing []oci.Descriptor) {
	l, _, _, _ := p.r.list(ctx, p.subject, oci.ReferrersOptions{}, known{actions: actionsPush}) // who is not listed is asked about again
	listed := map[digest.Digest]bool{}
	for i := range l.Referrers {
		listed[l.Referrers[i].Digest] = true
	}
	for _, d := range pushed {
		if listed[d.Digest] {
			there = append(there, d)
		} else {
			missing = append(missing, d)
		}
	}
	return there, missing
}

// writeTag lists manifests in the referrers tag, all in one writing if nobody
// else writes there. It returns those that are listed.
func (p *referrersPush) writeTag(ctx context.Context) ([]oci.Descriptor, error) {
	lock := p.r.client.tags.hold(p.r.tagKey(p.subject))
	defer p.r.client.tags.drop(lock)
	w, err := newTagWriter(p.r, lock, p.subject, p.unlisted[0])
	if err != nil {
		return nil, err
	}
	for _, d := range p.unlisted[1:] {
		e, err := newEntry(d)
		if err != nil {
			return nil, err
		}
		w.remember(e)
	}
	tag, err := w.run(ctx, p.r.readTagFor(ctx, lock, p.subject))
	if err != nil {
		return nil, p.r.notListed(p.subject, p.unlisted[0], err)
	}
	var found []oci.Descriptor
	missing := map[digest.Digest]bool{}
	for _, e := range w.missing(tag) {
		missing[e.descriptor.Digest] = true
	}
	for _, d := range p.unlisted {
		if missing[d.Digest] {
			err = p.r.notListed(p.subject, d, nil)
			continue
		}
		found = append(found, d)
	}
	return found, err
}
