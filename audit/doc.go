// Package audit verifies many artifacts: those of a list, or all that a registry
// has.
//
// [Run] goes through targets, which may be a million repositories, lists their
// tags, resolves these, verifies each digest of a repository once, and keeps a
// [Record] of each in an [Archive]:
//
//	pace := audit.NewPace(0)
//	client := remote.NewClient(remote.Options{Busy: pace.Busy})
//	archive, err := audit.NewArchive()
//	...
//	err = audit.Run(ctx, targets, archive, audit.Options{
//		Open: open, Verifier: audit.Prepare(verifier), Pace: pace,
//	})
//	summary, err := audit.Summarize(archive.Records())
//
// What it decides is what the Verifier decides: a Record is a summary of a verdict,
// and nothing here trusts anything. What could not be found out about an artifact
// or a repository is a Record of its own with the outcome undecided, so that it is
// neither lost nor in the way of the others.
//
// A [Pace] decides how much is asked of a registry at a time, and adapts to what
// it can serve. [Prepare] makes a verifier share what is true of all artifacts:
// the chains that were parsed, and what is known about revocation.
//
// Memory does not grow with the number of artifacts but for the index of the
// Archive, some hundred bytes for each; records are in its file. [OpenState] opens
// one that stays, so that a run that was stopped is gone on with: lines are
// appended whole, and one that a crash has cut off is found out again. What a run
// tells is what it has come across, whatever else the file holds.
//
// One machine need not do it all. A [Shard] is one of N parts of whatever there is,
// and [OpenMerged] makes of the records of all parts what one run would have had,
// in the same order. Their files say by a [Coverage] which part they are, so that
// one that is missing is noticed. That order is the one of Archive.Records,
// whatever the order in which things were found out, so that equal findings give
// equal reports.
//
// The form of records and state files is specified in specs/audit.md, and why
// things are as they are told in docs/decisions/audit.md. Errors are reason.Error
// values with codes "audit.*"; those in records have the codes of the verdicts.
package audit
