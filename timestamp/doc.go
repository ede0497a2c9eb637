// Package timestamp asks time-stamping authorities for tokens (RFC 3161), and
// verifies them.
//
// A token says that somebody showed the authority a digest at a time. Over the
// primitive signature of an envelope it proves that the signature was there
// while its certificates were valid, so that it stays good when they expire.
//
// Verifying is pure: no clock, no file, no network. It has two steps with two
// types, as in package envelope. [Parse] gives an [Unverified] token, whose form
// is right and whose content is a claim. [Unverified.Verify] is given the signed
// message and the trusted roots, and gives a [Verified] token. It checks, over
// the bytes received:
//
//   - that the message is the one whose digest the token holds;
//   - that the one signer is the certificate that the signed attributes name,
//     and its key made the signature; other certificates in the token are
//     at most issuers, whatever their order;
//   - that a chain leads from the signer to a trusted root, keeps the rules for
//     time stamping, and was valid at the time in the token, its inaccuracy
//     included.
//
// Whether the time fits the signature's certificates, and whether a certificate
// of the authority is revoked, is for the caller to ask: [Info.Range] and
// [Info.Chain] are there for it.
//
// [Client] asks. A reply is not given out before the token in it has been
// verified as a later verifier will, and answers this very request.
//
// Tokens are read in DER only and strictly: what two readers could read
// differently is refused. specs/timestamp.md says what is accepted.
//
// Errors are of type [*reason.Error] with codes "timestamp.". Their text is safe
// to print, also where a server chose it.
package timestamp
