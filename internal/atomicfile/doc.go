// Package atomicfile reads and writes the small files of a configuration
// directory so that no crash, no full disk and no second program leaves half
// of one behind.
//
// A file is written beside its target, given its mode, synced, and renamed
// over the target; then the directory is synced. Whoever opens the target sees
// the old content or the new, whole. What was there before is replaced and not
// written into, so a hard link to it keeps the old content.
//
// [Writer.Update] does this for read-modify-write under an advisory lock, so
// that fifty editors lose nothing. [Writer.Create] refuses a file that exists.
// [Read] and [ReadLinked] open regular files only and never wait for a FIFO;
// [ReadNamed] also reads the pipes that a shell has made for this process.
//
// Modes are set explicitly: the umask can neither widen nor narrow them.
package atomicfile
