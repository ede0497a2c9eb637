package cli

import (
	"context"
	"errors"
	"time"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/audit"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/signer"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"
)

// Bounds on what a run of sign holds.
const (
	// signPlaces bounds the references that are at work or wait for their turn,
	// for each signature that may be made at a time; of indexes, the references
	// at work.
	signPlaces  = 4
	signIndexes = 16
	// signAhead bounds the results that wait for an earlier one, whose order is
	// that of the references: one that is slow must not stop the others.
	signAhead = 10_000
)

// signRun signs the references of a list, many at a time.
type signRun struct {
	app      *app
	options  *signOptions
	key      signer.Signer
	sign     notation.SignOptions
	open     placeOpener
	pace     *audit.Pace
	stamping chan struct{} // as of storage
	each     time.Duration // that one artifact may take; 0: as long as all of them
	alone    bool          // there is one reference
	turns    signTurns
	progress signProgress
}

// signedTarget is what came of one reference.
type signedTarget struct {
	target  target
	digest  digest.Digest // that its tag named; "": not known
	results []signResult
}

// signResult is what came of one manifest.
type signResult struct {
	signedJSON
	target   target
	err      error
	notBegun bool // because of an interrupt
	unsure   bool // it may be signed, or not
}

// all signs everything and gives the results to out in the order of the list. A
// run that was interrupted begins with no further reference; what it has not
// begun is a result as well.
func (r *signRun) all(ctx context.Context, list *signList, out *signDocument) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	queue := make(chan chan signedTarget, signAhead)
	var listErr error
	go func() {
		defer close(queue)
		listErr = r.dispatch(ctx, list, queue)
	}()
	for next := range queue {
		if err := out.add(r.app, <-next); err != nil {
			stop(err) // nobody would learn what is signed
		}
	}
	return listErr
}

// dispatch begins to sign each reference when there is a place.
func (r *signRun) dispatch(ctx context.Context, list *signList, queue chan<- chan signedTarget) error {
	n := signPlaces * r.options.concurrency
	if r.options.indexes() {
		n = signIndexes
	}
	places := make(chan struct{}, n)
	given := 0
	for t, err := range list.targets() {
		if err != nil {
			return list.changed(err, given)
		}
		given++
		next := make(chan signedTarget, 1)
		queue <- next
		select {
		case <-ctx.Done():
		case places <- struct{}{}:
		}
		if ctx.Err() != nil {
			next <- signedTarget{target: t, results: []signResult{r.unbegun(ctx, t)}}
			continue
		}
		turn := r.turns.take(placeOf(t))
		go func() {
			defer func() { <-places }()
			next <- r.target(ctx, t, turn)
		}()
	}
	return nil
}

// target signs what a reference names.
func (r *signRun) target(ctx context.Context, t target, turn *signTurn) signedTarget {
	defer r.turns.leave(turn)
	defer r.progress.done.Add(1)
	out := signedTarget{target: t}
	repo, err := r.open(t, "")
	var jobs []signJob
	if err == nil {
		jobs, out.digest, err = r.jobs(ctx, t, repo)
	}
	if err != nil {
		turn.know(nil)
		out.results = []signResult{r.result(ctx, signJob{target: t, requested: t.typed}, notation.Signed{}, err, nil)}
		return out
	}
	digests := make([]digest.Digest, len(jobs))
	for i := range jobs {
		digests[i] = jobs[i].target.ref.Digest()
	}
	turn.know(digests)
	out.results = make([]signResult, len(jobs))
	for done := 0; done < len(jobs); {
		level := done // what stands deeper comes first
		for ; done < len(jobs) && jobs[done].depth == jobs[level].depth; done++ {
		}
		var group errgroup.Group
		group.SetLimit(r.options.concurrency)
		for i := level; i < done; i++ {
			group.Go(func() error {
				out.results[i] = r.job(ctx, jobs[i], repo, turn)
				return nil
			})
		}
		_ = group.Wait() // they return none
	}
	if d := out.results[0].Artifact; out.digest == "" && d != nil {
		out.digest = d.Digest
	}
	return out
}

// jobs returns what is to be signed of a reference, and the digest of what it
// names, if that had to be found out. A tag that stands alone is resolved when it
// is signed.
func (r *signRun) jobs(ctx context.Context, t target, repo oci.Repository) (jobs []signJob, named digest.Digest, err error) {
	if r.options.indexes() {
		err = r.inTurn(ctx, t, func(ctx context.Context) error {
			var err error
			jobs, named, err = r.options.within(ctx, t, repo)
			return err
		})
		return jobs, named, err
	}
	job := signJob{target: t, requested: t.typed}
	if !r.alone && t.ref.Digest() == "" {
		err = r.inTurn(ctx, t, func(ctx context.Context) error {
			d, err := repo.Resolve(ctx, t.ref)
			named = d.Digest
			return err
		})
		if err != nil {
			return nil, "", err
		}
		job.target.ref = t.ref.WithDigest(named)
	}
	return []signJob{job}, named, nil
}

// job signs one manifest.
func (r *signRun) job(ctx context.Context, job signJob, repo oci.Repository, turn *signTurn) signResult {
	d := job.target.ref.Digest()
	defer turn.finish(d)
	if err := turn.wait(ctx, d); err != nil {
		return r.unbegunJob(ctx, job)
	}
	place := &storage{Repository: repo, stamping: r.stamping, found: func() { r.pace.Answered(job.target.lane()) }}
	var signed notation.Signed
	err := r.inTurn(ctx, job.target, func(ctx context.Context) error {
		var err error
		signed, err = place.sign(ctx, job.target.ref, r.key, r.sign)
		return err
	})
	return r.result(ctx, job, signed, err, place)
}

// lane names the registry, or whatever else it is in.
func (t target) lane() string {
	if t.path != "" {
		return placeOf(t)
	}
	return t.ref.Registry()
}

// inTurn has do ask a registry, within the time for one artifact, when it is its
// turn.
func (r *signRun) inTurn(ctx context.Context, t target, do func(context.Context) error) error {
	err := r.pace.Do(ctx, t.lane(), func(ctx context.Context) error {
		if r.each == 0 {
			return do(ctx)
		}
		ctx, cancel := context.WithTimeoutCause(ctx, r.each, timeUp{r.each})
		defer cancel()
		return explainTimeUp(ctx, do(ctx))
	})
	return withHint(err, "run it again with --skip-if-signed when the registry works", reason.AuditRegistryDown)
}

// result is what is known of a manifest before it is signed.
func (j signJob) result() signResult {
	out := signResult{target: j.target}
	out.Requested, out.Platform, out.Parent = j.requested, j.platform, j.parent
	if d := j.target.ref.Digest(); d != "" {
		out.Name = j.target.name(d)
	}
	return out
}

// seeWhetherStored is the remedy where it is not known whether a signature is
// there: to sign anew would add another one.
const seeWhetherStored = "see with 'notation list', or run it again with --skip-if-signed"

// mayHaveArrived reports whether an error that a registry's answer to a push is,
// or the lack of one, leaves open what has become of it.
func mayHaveArrived(err error) bool {
	switch reason.Of(err) {
	case reason.RegistryUnreachable, reason.RegistryTimeout, reason.RegistryInterrupted, reason.RegistryUnavailable:
		return true
	}
	return isTimeUp(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// result is what came of signing one manifest.
func (r *signRun) result(ctx context.Context, job signJob, signed notation.Signed, err error, place *storage) signResult {
	out := job.result()
	if err == nil {
		out.succeed(job.target, signed)
		r.progress.add(signed.Skipped)
		return out
	}
	_, stored := place.interrupted()
	undecided := exitCode(err) == exitUndecided
	switch interrupted := ctx.Err() != nil && !isTimeUp(context.Cause(ctx)); {
	case interrupted && undecided && stored:
		out.unsure = true
		err = reason.Wrap(reason.UsageInterrupted, err, "interrupted while the signature was being stored, so that it may be there").
			WithHint(seeWhetherStored)
	case interrupted && undecided:
		return r.unbegunJob(ctx, job)
	case stored && undecided && mayHaveArrived(err):
		err = reworded{text: err.Error() + "; the signature was being stored, so that it may be there", hint: seeWhetherStored, err: err}
	}
	r.progress.failed.Add(1)
	out.fail(r.options.signing.timestamps.hide(err))
	return out
}

// unbegun is the result of a reference that an interrupt has come before, and
// unbegunJob that of a manifest.
func (r *signRun) unbegun(ctx context.Context, t target) signResult {
	return r.unbegunJob(ctx, signJob{target: t, requested: t.typed})
}

func (r *signRun) unbegunJob(ctx context.Context, job signJob) signResult {
	out := job.result()
	out.notBegun = true
	err := context.Cause(ctx)
	if !isTimeUp(err) {
		err = reason.Wrap(reason.UsageInterrupted, nil, "interrupted before it was signed").WithHint("run it again with --skip-if-signed")
	}
	out.fail(err)
	return out
}

func (s *signResult) fail(err error) {
	s.err = err
	s.Error = newErrorJSON(err)
}

// isTimeUp reports whether --timeout has passed.
func isTimeUp(err error) bool {
	_, ok := errors.AsType[timeUp](err)
	return ok
}
