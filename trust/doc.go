// Package trust holds what a user trusts: the trust policy, the trust stores
// and the trusted identities.
//
// A policy says, for each repository or kind of blob, which checks count, which
// trust stores hold the roots, and whose certificates under those roots may
// sign. [ParsePolicy] and [ParseBlobPolicy] read it once, strictly, into a
// [Policy] of typed rules; nothing rereads strings afterwards. A file that is
// wrong in any way is refused as a whole, and the error names every fault by
// file, line and member. [Policy.ForRepository] and [Policy.ForBlob] then pick
// the one [Statement] that applies; if there is none, that is an error, never
// "anything goes". [Policy.Explain] tells people why a statement was picked,
// and [Lint] what in a policy and its stores is broken or dangerous.
//
// A trust store is a set of trust anchors: self-signed certificates that were
// trusted because somebody put them there. [NewStores] reads them from any
// [fs.FS] laid out as TYPE/NAME/FILE, [NewMemoryStores] takes them ready-made.
// An anchor matches a chain if the chain's last certificate is the same, byte
// for byte; names and keys alone never match. See [Stores.Find].
//
// The package fetches nothing, reads no clock and writes no file. The formats
// are specified in specs/trust-policy.md and specs/trust-store.md.
//
// Parsed values are immutable and safe for concurrent use. Zero values trust
// nobody: the zero Policy has no statement, the zero Statement enforces every
// check and names no store, the zero Identity matches no one, and the zero
// Stores holds nothing.
package trust
