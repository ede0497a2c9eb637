// Package revocation learns whether certificates were withdrawn.
//
// A [Checker] is given a chain that is already known to be well formed, and
// answers with one [Result] for each certificate but the root. [Live], the one
// that asks the network, goes through the certificates from the root downwards
// in parallel, within one deadline. For each it asks the OCSP responders that
// the certificate names (RFC 6960) and, where there are none or none gives a
// usable answer, reads the revocation lists that it names (RFC 5280 section 5).
//
// Nothing that arrives is believed for where it came from. The answers are
// signed, and the addresses are plain http, so every answer is judged by
// itself, purely and at one instant: who signed it and whether they may, what
// it is about, from when until when it holds. That is why an answer may be kept
// in a cache that is safe to lose, and why what the cache gives is judged again
// like what the network gives. A damaged cache costs a request, never a wrong
// answer.
//
// There are five answers, see [Status]. Only [Good] is one, and it is given
// only after somebody entitled to said so. A certificate that names nobody to
// ask is [NoSource].
//
// A revocation says from when on a certificate is not to be trusted. If the
// caller knows by when a signature existed, from a time stamp or a signing
// authority and not from the signer's own word, then a later revocation need
// not count; [Evidence] says when.
//
// Certificates come from whoever signed, and so do the addresses in them. The
// package asks only http addresses, a bounded number of them, follows redirects
// to public addresses only, and bounds every body in bytes and in time.
// limits.go holds the bounds.
package revocation
