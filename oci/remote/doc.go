// Package remote is the registry client: an [oci.Repository] over the OCI
// distribution protocol.
//
// A [Client] holds what several repositories share: connections, tokens, the
// credentials' source and the locks of tags being written. [Client.Repository]
// opens one repository; [New] does both in one step.
//
// The registry is not trusted. What it says in a header is a claim, a listing
// is a set of hints, and content counts once its digest and size have been
// compared. Bytes, pages, entries, redirects, retries and time are bounded;
// limits.go has every bound. Nothing that could carry a credential leaves the
// registry's origin but a token request to the realm that the registry names
// over a connection no weaker than its own.
//
// Referrers live in up to four places: the referrers API, the referrers tag
// schema, and two endpoints of the API's predecessor. [Repository.Referrers]
// asks the first two at once and merges them, and asks the predecessor only
// where neither exists. See docs/decisions/discovery.md.
//
// [Client.Repositories] lists what a registry has, and [Repository.Tags] the tags
// of a repository, a page at a time, however many there are.
//
// [Repository.Attach] opens upload sessions while it resolves the artifact,
// so that signing takes at most five round trips one after another. On a
// registry without the API it also writes the tag schema's index, which has
// many writers and no lock; docs/decisions/referrers-tag-writes.md tells how
// no entry is lost.
//
// Where it fits, oras-go does the work: challenges and token requests
// (package auth), Docker's configuration (package credentials). This is
// the only package that imports it, so that a program that only verifies, and
// gets its envelopes elsewhere, links no registry client. See
// docs/decisions/oci-packages.md and docs/decisions/registry-client.md.
//
// Errors are [reason.Error] values with codes "registry.*" and, for content
// and references, "oci.*".
package remote
