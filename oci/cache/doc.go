// Package cache keeps content that verification reads again and again:
// signature manifests, envelopes, and the manifests of artifacts.
//
// What it keeps is content and never a verdict, and content is known by its
// digest: it is compared with that whenever it is read, so a cache that is
// damaged, or that somebody else writes to, costs a request and nothing more.
// Which content belongs to an artifact is asked anew each time. With a cache the
// second verification of a digest asks a registry for the list of referrers and
// for nothing else.
//
// A [Cache] is in a directory that any number of processes may share, or in
// memory. It is bounded, and drops what was not used for the longest time. It
// has no errors: where it cannot read or write, things are as without it.
//
// In a directory, the first few entries that a process puts become a file each,
// which others find at once. Whoever puts more, as an audit does, appends them to a
// pack: a file of many entries with an index behind them. It gets its name, and so
// readers, when it is full, a quarter of an hour old, or at [Cache.Close]; a process
// that dies before leaves one that nobody reads and that is removed after an hour.
// Packs may take three quarters of [Options.MaxBytes], files what those leave. There
// are at most 32 packs. Whole ones are removed to make room, and small ones merged
// where there are more than 16.
package cache
