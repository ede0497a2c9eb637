package audit

import (
	"context"
	"errors"
	"iter"
	"regexp"
	"sync"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// referrersTags matches tags under which registries without the referrers API
// list what refers to an artifact: OCI distribution specification, "Referrers Tag
// Schema", for the digests that this program knows.
var referrersTags = regexp.MustCompile(`^(sha256|sha384|sha512)-[0-9a-f]{64}$`)

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
	case whole(batch[0]):
		r.all(ctx, repo, batch[0])
	default:
		refs := make([]oci.Reference, len(batch))
		for i, t := range batch {
			refs[i] = t.Reference
		}
		r.look(ctx, repo, name, refs, false)
	}
}

// all looks at all that has a tag. It lists as many tags as memory allows, looks
// at what they name, and goes on.
func (r *run) all(ctx context.Context, repo Repository, t Target) {
	listing, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next, stop := iter.Pull2(repo.Tags(listing))
	defer stop()
	seen := false
	for {
		if r.tags.Acquire(ctx, 1) != nil {
			return
		}
		held := int64(1)
		var tags []oci.Reference
		ended := false
		err := r.Pace.Do(ctx, t.Reference.Registry(), func(context.Context) error {
			slow := time.AfterFunc(r.Timeout, func() { cancel(errSlow{r.Timeout}) })
			defer slow.Stop()
			for len(tags) < tagsOfOne {
				tag, err, ok := next()
				slow.Reset(r.Timeout)
				switch {
				case !ok:
					ended = true
					return nil
				case reason.Of(err) == reason.RegistryListingEntry:
					r.warn(err)
					continue
				case err != nil:
					return err
				}
				if seen = true; !r.wants(tag) {
					continue
				}
				ref, err := oci.ParseReference(t.Reference.Name() + ":" + tag)
				if err != nil {
					r.warn(err)
					continue
				}
				if tags = append(tags, ref); int64(len(tags)) == held {
					if !r.tags.TryAcquire(1) {
						return nil
					}
					held++
				}
			}
			return nil
		})
		r.look(ctx, repo, t.Reference, tags, true)
		r.tags.Release(held)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && t.Listed && !seen && reason.Of(err) == reason.OCINotFound:
			r.progress.empty.Add(1) // as registries say that nothing there has a tag
			return
		case err != nil:
			r.addUnresolved(ctx, t.Reference, err)
			return
		case ended:
			if !seen {
				r.progress.empty.Add(1)
			}
			return
		}
	}
}

// wants reports whether a tag of a repository is to be looked at.
func (r *run) wants(tag string) bool {
	return !referrersTags.MatchString(tag) && (r.Tags == nil || r.Tags.MatchString(tag))
}

// found is an artifact, and the tags that name it.
type found struct {
	digest   digest.Digest
	tags     []string
	resolved *oci.Descriptor // what the registry says of it; nil: it was not asked
}

// look looks at what references to one repository name. listed says that they
// are tags that the registry has listed.
func (r *run) look(ctx context.Context, repo Repository, name oci.Reference, refs []oci.Reference, listed bool) {
	var tasks sync.WaitGroup
	var mu sync.Mutex
	var order []*found
	artifacts := map[digest.Digest]*found{}
	note := func(d digest.Digest, tag string, resolved *oci.Descriptor) {
		mu.Lock()
		defer mu.Unlock()
		f := artifacts[d]
		if f == nil {
			f = &found{digest: d}
			artifacts[d] = f
			order = append(order, f)
		}
		if tag != "" {
			f.tags = append(f.tags, tag)
		}
		if resolved != nil {
			f.resolved = resolved
		}
	}
	for _, ref := range refs {
		if ref.Tag() == "" {
			note(ref.Digest(), "", nil)
			continue
		}
		r.task(ctx, &tasks, ref, func(ctx context.Context) error {
			d, err := r.resolve(ctx, repo, ref)
			if err == nil {
				note(d.Digest, ref.Tag(), &d)
			}
			return err
		}, func(err error) { r.addUnresolved(ctx, ref, err) })
	}
	tasks.Wait()
	for _, f := range order {
		known, err := r.archive.known(name.Name(), f.digest, f.tags, r.Now().Add(-r.MaxAge))
		if err != nil {
			r.breakOff(err)
			return
		}
		if known {
			r.progress.known.Add(1)
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
