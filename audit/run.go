package audit

import (
	"cmp"
	"context"
	"iter"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"golang.org/x/sync/semaphore"
)

// Target is what is to be looked at: an artifact by tag or digest or, if there
// is neither, all that has a tag in a repository.
type Target struct {
	Reference oci.Reference
	// Listed says that the registry has listed the repository by itself. If it
	// has no tags then, that is no fault.
	Listed bool
}

// Repository is a repository whose tags can be listed, such as one of package
// oci/remote. An error with the code registry.listing-entry is about one tag;
// any other is the last.
type Repository interface {
	oci.Repository
	Tags(ctx context.Context) iter.Seq2[string, error]
}

// Verifier decides about an artifact, as [notation.Verifier] does. See [Prepare]
// for one that decides about many.
type Verifier interface {
	Verify(ctx context.Context, repo oci.Repository, ref oci.Reference) (*notation.Verdict, error)
}

// Options say how an audit is made. Open and Verifier are needed.
type Options struct {
	// Open opens a repository. It should share one registry client among all.
	Open     func(name oci.Reference) (Repository, error)
	Verifier Verifier
	// Pace decides how much is asked at a time; nil: one of the default
	// concurrency, which is told of a busy registry only when requests have
	// failed for it.
	Pace *Pace
	// Tags is what tags of repositories that are looked at as a whole must
	// match, somewhere; nil: all do.
	Tags *regexp.Regexp
	// Shard leaves out what is in other shards.
	Shard Shard
	// Subject names what is audited, as in [Coverage.Of]. A state file keeps it.
	Subject string
	// Timeout bounds what is asked about one artifact, and the time in which a
	// listing must give a new name; 0: [DefaultTimeout].
	Timeout time.Duration
	// MaxAge is how old a record in the archive may be if it is not to be found
	// out anew; 0: [DefaultMaxAge].
	MaxAge time.Duration
	// ExitCode gives what 'notation verify' would have returned for an error;
	// nil: by the outcome alone.
	ExitCode func(error) int
	// Now is the clock of records; nil: time.Now.
	Now func() time.Time
	// Progress, if not nil, shows how far the run is.
	Progress *Progress
	// Warn, if not nil, is told of names that are left out, the first few.
	Warn func(error)
}

// Run looks at all targets and adds a [Record] for each artifact to the archive.
//
// Tags are resolved once, those that name one digest are told together, and each
// digest of a repository is verified once. What the archive knows already, and is
// decided and not too old, is not found out again. Records come in no order: one
// artifact that is slow holds up no other, and what is done is kept at once. The
// memory that a run needs grows with the number of records by what the archive
// needs for them only.
//
// Indexes under tags of the referrers tag schema, and what is itself a signature,
// are left out. What cannot be found out about a tag or a repository is a Record of the outcome
// undecided, and the others are looked at all the same. So the error is about the
// run as a whole: ctx has ended, targets or the archive had an error, which is
// returned with its code, or there was nothing to look at (audit.nothing). What
// was found out until then is in the archive.
func Run(ctx context.Context, targets iter.Seq2[Target, error], archive *Archive, o Options) error {
	r := newRun(o, archive)
	about := Coverage{Of: o.Subject, Shard: o.Shard}
	if err := archive.begin(about); err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r.stop = stop
	items, listed := r.list(ctx, targets)
	r.dispatch(ctx, items)
	listErr := <-listed
	switch err := context.Cause(ctx); {
	case r.broken() != nil:
		return r.broken()
	case err != nil:
		return reason.Wrap(reason.AuditInterrupted, err, "the audit was stopped before everything was looked at").
			WithHint("run it again")
	case listErr != nil:
		return listErr
	case r.progress.seen.Load() == 0:
		return reason.Errorf(reason.AuditNothing, "there is nothing to audit: no repository was listed").
			WithHint("check the registry and the prefix; a login may be needed to see what is there")
	case o.Shard.Count <= 1 && r.progress.nothing():
		return reason.Errorf(reason.AuditNothing, "there is nothing to audit: no repository has a tag that is asked for").
			WithHint("check the prefix and the pattern for tags")
	}
	return archive.complete(about)
}

// run is one run. Its fields are set before it begins, but for those that guard
// themselves.
type run struct {
	Options
	archive  *Archive
	progress *Progress
	stop     context.CancelCauseFunc
	tasks    chan struct{}       // a place for each task that is under way or waits for its turn
	listings chan struct{}       // a place for each list of tags that is being read
	tags     *semaphore.Weighted // in memory
	told     atomic.Int64

	mu    sync.Mutex
	fault error // of the archive
}

func newRun(o Options, archive *Archive) *run {
	r := &run{Options: o, archive: archive, progress: o.Progress, tags: semaphore.NewWeighted(tagsAtOnce)}
	if r.progress == nil {
		r.progress = new(Progress)
	}
	if r.Pace == nil {
		r.Pace = NewPace(0)
	}
	r.Timeout, r.MaxAge = cmp.Or(o.Timeout, DefaultTimeout), cmp.Or(o.MaxAge, DefaultMaxAge)
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.ExitCode == nil {
		r.ExitCode = exitCode
	}
	if r.Warn == nil {
		r.Warn = func(error) {}
	}
	r.tasks = make(chan struct{}, tasksPerSlot*r.Pace.ceiling)
	r.listings = make(chan struct{}, max(1, r.Pace.ceiling/slotsPerList))
	return r
}

// list reads the targets ahead, so that how many there are is known early, and
// leaves out those of other shards. The second channel gives the error that ended
// the list.
func (r *run) list(ctx context.Context, targets iter.Seq2[Target, error]) (items <-chan Target, listed <-chan error) {
	out, done := make(chan Target, listedAhead), make(chan error, 1)
	go func() {
		defer close(out)
		for t, err := range targets {
			switch {
			case reason.Of(err) == reason.RegistryListingEntry:
				r.warn(err)
				continue
			case err != nil:
				done <- err
				return
			}
			r.progress.seen.Add(1)
			if !r.Shard.Holds(t.Reference) {
				continue
			}
			select {
			case out <- t:
				r.progress.targets.Add(1)
			case <-ctx.Done():
				done <- nil
				return
			}
		}
		r.progress.listed.Store(true)
		done <- nil
	}()
	return out, done
}

// warn tells of a name that was left out, unless there were many.
func (r *run) warn(err error) {
	if r.progress.leftOut.Add(1); r.told.Add(1) <= maxToldErrors {
		r.Warn(err)
	}
}

// dispatch looks at the targets, as many repositories at the same time as there
// may be requests. References to one repository that follow each other are
// looked at together.
func (r *run) dispatch(ctx context.Context, items <-chan Target) {
	var jobs sync.WaitGroup
	defer jobs.Wait()
	places := make(chan struct{}, r.Pace.ceiling)
	begin := func(batch []Target) bool {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return false
		}
		jobs.Go(func() {
			defer func() { <-places }()
			r.repository(ctx, batch)
			r.progress.done.Add(int64(len(batch)))
		})
		return true
	}
	var batch []Target
	for t := range items {
		if len(batch) > 0 && (whole(t.Reference) || whole(batch[0].Reference) || len(batch) == foldedLines || t.Reference.Name() != batch[0].Reference.Name()) {
			if !begin(batch) {
				return
			}
			batch = nil
		}
		if batch = append(batch, t); ctx.Err() != nil {
			return
		}
	}
	if len(batch) > 0 {
		begin(batch)
	}
}

// whole reports whether a reference names all that has a tag in a repository.
func whole(ref oci.Reference) bool { return ref.Tag() == "" && ref.Digest() == "" }

// add keeps a record. Where that fails, the run ends.
func (r *run) add(rec Record) {
	if err := r.archive.Add(rec); err != nil {
		r.breakOff(err)
		return
	}
	r.progress.count(&rec)
}

func (r *run) breakOff(err error) {
	r.mu.Lock()
	if r.fault == nil {
		r.fault = err
	}
	r.mu.Unlock()
	r.stop(err)
}

func (r *run) broken() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fault
}

// exitCode is that of 'notation verify' as far as the outcome tells.
func exitCode(err error) int {
	return map[string]int{outcomePassed: 0, outcomeSkipped: 0, outcomeRejected: 1, outcomeUnsigned: 4, outcomeUndecided: 3}[outcomeOf(err)]
}
