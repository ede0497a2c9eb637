package audit

import "sync/atomic"

// Progress is how far a run is. It is read while the run goes on; its zero value
// is ready.
type Progress struct {
	seen    atomic.Int64 // targets, of all shards
	targets atomic.Int64 // of this shard
	done    atomic.Int64 // of these
	listed  atomic.Bool  // targets is final

	decided, notPassed, undecided atomic.Int64 // records of this run
	known                         atomic.Int64 // artifacts that the archive knew from earlier runs
	empty, absent, leftOut        atomic.Int64
	signatures, referrers         atomic.Int64
}

// Snapshot is a Progress at one time.
type Snapshot struct {
	// Targets were found so far and Done is how many of them were looked at: of a
	// catalog they are repositories, of a list its lines. Whole says that there
	// will be no more.
	Targets, Done int64
	Whole         bool

	Records   int64 // artifacts that were looked at
	NotPassed int64 // those of them that did not pass, Undecided among them
	Undecided int64
	Known     int64 // artifacts about which a state file said enough when the run began

	Empty      int64 // repositories in which nothing has a tag
	Absent     int64 // those of Empty that the registry lists, and then says not to have
	LeftOut    int64 // names that are none
	Signatures int64 // artifacts that are signatures themselves, which are left out, too
	Referrers  int64 // indexes under tags of the referrers tag schema, likewise
}

// Snapshot returns how far the run is now.
func (p *Progress) Snapshot() Snapshot {
	return Snapshot{
		Whole: p.listed.Load(), Targets: p.targets.Load(), Done: p.done.Load(),
		Records: p.decided.Load(), NotPassed: p.notPassed.Load(), Undecided: p.undecided.Load(), Known: p.known.Load(),
		Empty: p.empty.Load(), Absent: p.absent.Load(), LeftOut: p.leftOut.Load(), Signatures: p.signatures.Load(), Referrers: p.referrers.Load(),
	}
}

// count counts a record.
func (p *Progress) count(r *Record) {
	p.decided.Add(1)
	if r.Outcome != outcomePassed {
		p.notPassed.Add(1)
	}
	if r.Outcome == outcomeUndecided {
		p.undecided.Add(1)
	}
}

// nothing reports whether there was nothing to look at.
func (p *Progress) nothing() bool { return p.decided.Load() == 0 && p.known.Load() == 0 }
