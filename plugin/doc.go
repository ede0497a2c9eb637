// Package plugin speaks the executable plugin protocol 1.0, from both ends.
//
// A plugin is a program notation-<name>. It is started with one of five
// commands as its only argument, reads one JSON document, writes one, and ends.
// Some plugins hold keys and sign, others take part in verifying.
// specs/plugin.md describes the protocol.
//
// # The host
//
// [NewHost] takes the directory in which plugins are installed. [Host.Get]
// finds a plugin by its name and asks for its metadata; the [Plugin] it returns
// then signs with [Plugin.SignRaw] or [Plugin.SignEnvelope], or judges a
// signature with [Plugin.VerifySignature].
//
// A plugin has the rights of the user, so the only protection against a bad one
// is not to run it. A name is held against a strict grammar before a path is
// made of it; the program must be a regular file that nobody but its owner can
// change, the owner being root or the user. VerifySignature takes a
// *[envelope.Verified], so nothing runs for a signature whose integrity does not
// hold; that its signer is trusted is for the caller to see to before.
//
// A running plugin gets no credentials for registries, has a deadline, and is
// ended with all its children when that passes. What it says is believed as far
// as it can be checked: the key it names, the algorithm, the chain, the
// signature over exactly what was asked, an answer to each question and to no
// other.
//
// [Host.Install] puts a plugin in from a file, an archive or an https URL, and
// [Host.Uninstall] takes it out.
//
// # The author
//
// [Serve] makes a plugin of a Go program: fill in a [Program] and hand it over.
// A [CryptoSigner] is all it takes to sign with any crypto.Signer.
//
// Errors are of type *reason.Error with codes "plugin.*". What a plugin says of
// itself when it refuses is an *[Error] in their tree.
package plugin
