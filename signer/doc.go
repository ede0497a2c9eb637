// Package signer holds what can sign: a private key with its certificate chain,
// or a plugin that knows the key. A new kind of key is a new implementation of
// [Signer], not a new function elsewhere.
//
// [New] takes any [crypto.Signer], so a key may as well live in an HSM or an
// agent. [NewRemote] takes a [RemoteKey], which is the same with a context: the
// client of a key management service, whose key never leaves it. [FromPEM] reads
// a key and its chain from PEM. All refuse a key that does not fit its
// certificate and a chain that no verifier would accept, so that a mistake is
// found when the key is loaded and not when the signature is verified elsewhere.
// Package notation calls the Signer; package envelope knows how an envelope is
// built.
//
// [FromPlugin] takes a plugin and the id of a key. The plugin makes bare
// signatures or whole envelopes, as it can; both are verified before they are
// passed on.
//
// Errors have codes "signer.*", and for a chain those of the rule it breaks,
// "cert.*"; those of plugins are "plugin.*".
package signer
