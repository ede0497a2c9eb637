// Package envelope reads and writes Notary signature envelopes, JWS and COSE.
//
// An envelope holds a payload, which is the descriptor of an artifact and its
// user metadata; signed attributes, such as the signing scheme and an expiry;
// the signature over both; and beside them, unsigned, the certificate chain of
// the signer and perhaps a timestamp. specs/payload.md, specs/envelope-jws.md
// and specs/envelope-cose.md describe the formats.
//
// Reading has two steps with two types, so that code which leaves out the
// second does not compile. [Parse] gives an [Unverified] envelope: its form is
// right, and what it says may be shown as a claim. [Unverified.Verify] checks
// the signature and the rules that every certificate chain must keep, and
// gives a [Verified] one. That settles integrity and nothing more: who signed,
// whether to trust them, and whether a time has passed, are questions for a
// trust policy. Nothing here looks at a clock, a file or the network.
//
// Parsing is strict. An envelope that two readers could read differently is
// refused: members given twice, numbers and lengths in longer forms than
// needed, base64 with stray bits, bytes at the end. So is a signed attribute in
// the unsigned header, and an algorithm that is not the one that the signing
// key demands. The signature is checked over the bytes that were received and
// never over an encoding of what was understood.
//
// Writing goes the other way round. [New] takes a [Request] and gives the
// [Unsigned] envelope; its ToBeSigned are the bytes to sign, by whatever holds
// the key; Seal puts the signature and the chain in, and reads the result back
// as a verifier would before it lets it out.
//
// Errors are of type [*reason.Error] with codes "envelope." and, from the chain,
// "cert.". Their text is safe to print. The content of an envelope is not: it is
// whatever its maker wrote, until it is verified and after.
package envelope
