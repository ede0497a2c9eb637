package audit

import (
	"context"
	"errors"
	"regexp"
	"sync"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/opencontainers/go-digest"
)

// referrersTags matches tags under which registries without the referrers API
// list what refers to an artifact: OCI distribution specification, "Referrers Tag
// Schema", for the digests that this program knows.
var referrersTags = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(sha256|sha384|sha512)-[0-9a-f]{64}$`)
})

// errSlow is the cause where a listing, or an artifact, took too long.
type errSlow struct{ allowed time.Duration }

func (e errSlow) Error() string { return "it took longer than " + e.allowed.String() }
func (errSlow) Is(target error) bool {
	return target == context.DeadlineExceeded //nolint:errorlint // as errors.Is has it
}

// repository looks at targets in one repository.
func (r *run) repository(ctx context.Context, batch []Target) {
	name := batch[0].Reference
	repo, err := r.Open(name)
	switch {
	case err != nil:
		for _, t := range batch {
			r.addUnresolved(ctx, t.Reference, err)
		}
	case whole(name):
		r.all(ctx, repo, batch[0])
	default:
		refs := make([]oci.Reference, len(batch))
		for i, t := range batch {
			refs[i] = t.Reference
		}
		r.look(ctx, repo, name, refs, false)
	}
}

// isReferrers reports whether a tag that a registry lists names what refers to an
// artifact. Anything can be given such a tag, so it has to be an index as well.
func isReferrers(tag string, d oci.Descriptor) bool {
	return referrersTags().MatchString(tag) && oci.IsIndex(d.MediaType)
}

// found is an artifact, and the tags that name it.
type found struct {
	digest   digest.Digest
	tags     []string
	resolved *oci.Descriptor // what the registry says of it; nil: it was not asked
}

// folded is the artifacts that references name, each once, in the order in which
// they were found.
type folded struct {
	mu        sync.Mutex
	order     []*found
	artifacts map[digest.Digest]*found
}

// note adds an artifact, by a tag unless that is "".
func (a *folded) note(d digest.Digest, tag string, resolved *oci.Descriptor) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.artifacts[d]
	if f == nil {
		f = &found{digest: d}
		a.artifacts[d] = f
		a.order = append(a.order, f)
	}
	if tag != "" {
		f.tags = append(f.tags, tag)
	}
	if resolved != nil {
		f.resolved = resolved
	}
}

// fold resolves references to one repository. listed says that they are tags that
// the registry has listed.
func (r *run) fold(ctx context.Context, repo Repository, refs []oci.Reference, listed bool) []*found {
	var tasks sync.WaitGroup
	all := &folded{artifacts: map[digest.Digest]*found{}}
	for _, ref := range refs {
		if ref.Tag() == "" {
			all.note(ref.Digest(), "", nil)
			continue
		}
		r.task(ctx, &tasks, ref, func(ctx context.Context) error {
			d, err := r.resolve(ctx, repo, ref)
			switch {
			case err != nil:
			case listed && isReferrers(ref.Tag(), d):
				r.progress.referrers.Add(1)
			default:
				all.note(d.Digest, ref.Tag(), &d)
			}
			return err
		}, func(err error) { r.addUnresolved(ctx, ref, err) })
	}
	tasks.Wait()
	return all.order
}

// look looks at what references to one repository name. listed says that they
// are tags that the registry has listed.
func (r *run) look(ctx context.Context, repo Repository, name oci.Reference, refs []oci.Reference, listed bool) {
	var tasks sync.WaitGroup
	for _, f := range r.fold(ctx, repo, refs, listed) {
		known, earlier, err := r.archive.known(name.Name(), f.digest, f.tags, r.Now().Add(-r.MaxAge), r.Now())
		if err != nil {
			r.breakOff(err)
			return
		}
		if known {
			if earlier {
				r.progress.known.Add(1)
			}
			continue
		}
		ref := name.WithDigest(f.digest)
		var rec *Record
		r.task(ctx, &tasks, ref, func(ctx context.Context) (err error) {
			rec, err = r.verify(ctx, repo, ref, f, listed)
			return err
		}, func(err error) {
			if rec == nil && err != nil {
				rec = r.unresolved(ref, f.tags, err)
			}
			if rec != nil && !(ctx.Err() != nil && rec.Outcome == outcomeUndecided) {
				r.add(*rec)
			}
		})
	}
	tasks.Wait()
}

// task has do called when it is its turn, within the time that one artifact has,
// and then after with its error.
func (r *run) task(ctx context.Context, tasks *sync.WaitGroup, ref oci.Reference, do func(context.Context) error, after func(error)) {
	select {
	case r.tasks <- struct{}{}:
	case <-ctx.Done():
		return
	}
	tasks.Go(func() {
		defer func() { <-r.tasks }()
		err := r.Pace.Do(ctx, ref.Registry(), func(ctx context.Context) error {
			ctx, cancel := context.WithTimeoutCause(ctx, r.Timeout, errSlow{r.Timeout})
			defer cancel()
			return do(ctx)
		})
		after(err)
	})
}

// resolve asks what a tag names.
func (r *run) resolve(ctx context.Context, repo oci.Repository, ref oci.Reference) (oci.Descriptor, error) {
	d, err := repo.Resolve(ctx, ref)
	if err == nil {
		_, err = oci.ParseDigest(string(d.Digest))
	}
	return d, err
}

// verify decides about an artifact. The record is nil if it is left out; the
// error is what the registry has to do with, and in the record as well.
func (r *run) verify(ctx context.Context, repo oci.Repository, ref oci.Reference, f *found, listed bool) (*Record, error) {
	asked := repo
	if f.resolved != nil {
		asked = &resolvedRepository{repo, *f.resolved}
	}
	verdict, err := r.Verifier.Verify(ctx, asked, ref)
	if listed && verdict != nil && errors.Is(err, notation.ErrUnsigned) && isSignature(ctx, repo, verdict.Artifact) {
		r.progress.signatures.Add(1)
		return nil, nil
	}
	rec := NewRecord(ref.Name(), f.tags, verdict, err, r.ExitCode(err))
	r.complete(&rec, f.digest)
	return &rec, err
}

// complete fills in what a verdict need not say.
func (r *run) complete(rec *Record, d digest.Digest) {
	if rec.Digest = d; rec.Time.IsZero() {
		rec.Time = r.Now()
	}
	rec.Time = rec.Time.UTC()
}

// isSignature reports whether an artifact without a signature is one itself, in
// all that needs no key. An image that only says so is none.
func isSignature(ctx context.Context, repo oci.Repository, d oci.Descriptor) bool {
	if oci.IsIndex(d.MediaType) {
		return false
	}
	raw, err := repo.Fetch(ctx, d, oci.MaxManifestSize)
	if err != nil {
		return false
	}
	m, err := oci.ParseManifest(raw)
	if err != nil || m.Subject == nil {
		return false
	}
	_, err = oci.ParseSignatureManifest(raw, m.Subject.Digest)
	return err == nil
}

// addUnresolved keeps that nothing could be found out about a reference, or a
// repository, unless the run was stopped.
func (r *run) addUnresolved(ctx context.Context, ref oci.Reference, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	var tags []string
	if ref.Tag() != "" {
		tags = []string{ref.Tag()}
	}
	rec := r.unresolved(ref, tags, err)
	if ref.Tag() != "" {
		rec.Digest = "" // which one it is, is just what is not known
	}
	r.add(*rec)
}

func (r *run) unresolved(ref oci.Reference, tags []string, err error) *Record {
	rec := NewRecord(ref.Name(), tags, nil, err, r.ExitCode(err))
	r.complete(&rec, ref.Digest())
	return &rec
}

// resolvedRepository is a repository of which it is known what a digest is, so
// that it is not asked again.
type resolvedRepository struct {
	oci.Repository
	resolved oci.Descriptor
}

// Resolve implements [oci.Repository].
func (r *resolvedRepository) Resolve(ctx context.Context, ref oci.Reference) (oci.Descriptor, error) {
	if ref.Tag() == "" && ref.Digest() == r.resolved.Digest {
		return r.resolved, nil
	}
	return r.Repository.Resolve(ctx, ref)
}

// outcomeOf is the outcome that an error of a [Verifier] stands for.
func outcomeOf(err error) string {
	switch {
	case err == nil:
		return outcomePassed
	case errors.Is(err, notation.ErrRejected):
		return outcomeRejected
	case errors.Is(err, notation.ErrUnsigned):
		return outcomeUnsigned
	case errors.Is(err, notation.ErrSkipped):
		return outcomeSkipped
	}
	return outcomeUndecided
}
