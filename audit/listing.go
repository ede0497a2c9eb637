package audit

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
)

// all looks at all that has a tag. It lists as many tags as memory allows, looks
// at what they name, and goes on.
func (r *run) all(ctx context.Context, repo Repository, t Target) {
	select {
	case r.listings <- struct{}{}:
	case <-ctx.Done():
		return
	}
	l := listing{run: r, name: t.Reference, leave: sync.OnceFunc(func() { <-r.listings })}
	defer l.leave()
	listing, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l.cancel = cancel
	var stop func()
	l.next, stop = iter.Pull2(repo.Tags(listing))
	defer stop()
	for !l.ended {
		if r.tags.Acquire(ctx, 1) != nil {
			return
		}
		tags, held, err := l.some(ctx)
		if l.ended = l.ended || err != nil; l.ended {
			l.leave() // its last page is not held any more
		}
		r.look(ctx, repo, t.Reference, tags, true)
		r.tags.Release(held)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && t.Listed && !l.seen && reason.Of(err) == reason.OCINotFound:
			r.progress.empty.Add(1) // as registries say that nothing there has a tag
			r.progress.absent.Add(1)
		case err != nil:
			r.addUnresolved(ctx, t.Reference, err)
		case l.ended && !l.seen:
			r.progress.empty.Add(1)
		}
	}
}

// listing is a list of tags that is being read.
type listing struct {
	*run
	name   oci.Reference // of the repository
	next   func() (tag string, err error, ok bool)
	cancel context.CancelCauseFunc
	leave  func() // says that nothing is read any more
	seen   bool   // there is a tag
	ended  bool
}

// some reads the next tags that are to be looked at, as many as memory allows. One
// of those that may be held is the caller's already; held is how many it has to
// give back. With an error the list has ended.
func (l *listing) some(ctx context.Context) (tags []oci.Reference, held int64, err error) {
	held = 1
	err = l.Pace.Do(ctx, l.name.Registry(), func(context.Context) error {
		slow := time.AfterFunc(l.Timeout, func() { l.cancel(errSlow{l.Timeout}) })
		defer slow.Stop()
		for len(tags) < tagsOfOne {
			tag, err, ok := l.next()
			slow.Reset(l.Timeout)
			switch {
			case !ok:
				l.ended = true
				return nil
			case reason.Of(err) == reason.RegistryListingEntry:
				l.warn(err)
				continue
			case err != nil:
				return err
			}
			l.seen = true
			ref, ok := l.wants(tag)
			if !ok {
				continue
			}
			if tags = append(tags, ref); int64(len(tags)) == held {
				if !l.run.tags.TryAcquire(1) {
					return nil
				}
				held++
			}
		}
		return nil
	})
	return tags, held, err
}

// wants returns the reference for a tag, if that is to be looked at.
func (l *listing) wants(tag string) (oci.Reference, bool) {
	if l.Tags != nil && !l.Tags.MatchString(tag) {
		return oci.Reference{}, false
	}
	ref, err := oci.ParseReference(l.name.Name() + ":" + tag)
	if err != nil {
		l.warn(err)
		return oci.Reference{}, false
	}
	return ref, l.Shard.Holds(ref)
}
