package reason

// Codes of the revocation of certificates.
const (
	RevocationRevoked       Code = "revocation.revoked"
	RevocationIssuerRevoked Code = "revocation.issuer-revoked"
	RevocationUnknown       Code = "revocation.unknown"
	RevocationNoSource      Code = "revocation.no-source"
	RevocationNotKept       Code = "revocation.not-kept"
	RevocationUnavailable   Code = "revocation.unavailable"
	RevocationChain         Code = "revocation.chain"
	RevocationOffline       Code = "revocation.offline"

	RevocationAddress     Code = "revocation.address"
	RevocationRedirect    Code = "revocation.redirect"
	RevocationFetch       Code = "revocation.fetch"
	RevocationTooLarge    Code = "revocation.too-large"
	RevocationContentType Code = "revocation.content-type"
	RevocationAlgorithm   Code = "revocation.algorithm"

	RevocationOCSPSyntax      Code = "revocation.ocsp-syntax"
	RevocationOCSPStatus      Code = "revocation.ocsp-status"
	RevocationOCSPSigner      Code = "revocation.ocsp-signer"
	RevocationOCSPCertificate Code = "revocation.ocsp-certificate"
	RevocationOCSPTime        Code = "revocation.ocsp-time"
	RevocationOCSPNonce       Code = "revocation.ocsp-nonce"
	RevocationOCSPExtension   Code = "revocation.ocsp-extension"

	RevocationCRLSyntax    Code = "revocation.crl-syntax"
	RevocationCRLSigner    Code = "revocation.crl-signer"
	RevocationCRLTime      Code = "revocation.crl-time"
	RevocationCRLNumber    Code = "revocation.crl-number"
	RevocationCRLScope     Code = "revocation.crl-scope"
	RevocationCRLExtension Code = "revocation.crl-extension"
	RevocationCRLDelta     Code = "revocation.crl-delta"
)

func revocationEntries() []Entry {
	const authority = "Tell the certificate authority; until it is mended, nothing can be learned from this source."
	return []Entry{
		{RevocationRevoked, "The certificate was revoked or is on hold, and the signature is not known to be older than that.", "Do not trust the signature; ask its signer for one made with a new certificate."},
		{RevocationIssuerRevoked, "The authority that issued the certificate was revoked, so its word about the certificate is worth nothing.", "Do not trust the signature; ask its signer for one made with a certificate of another authority."},
		{RevocationUnknown, "The authority's OCSP responder says that it does not know the certificate.", "Ask the certificate authority whether it has issued the certificate."},
		{RevocationNoSource, "The certificate names neither an OCSP responder nor a revocation list, so nobody can be asked.", "None is needed; use certificates that name a source if revocation matters."},
		{RevocationNotKept, "The certificate, or its authority, has expired, and the sources that it names do not say that they keep the revocations of expired certificates.", "None is needed; use an authority that keeps them and says so, by archiveCutoff or expiredCertsOnCRL, if revocation matters."},
		{RevocationUnavailable, "None of the sources that the certificate names has given a usable answer.", "Follow the causes in the message, and try again."},
		{RevocationChain, "The certificates to check are no chain, or more than the bounds allow.", "Give the certificates in order, leaf first and root last."},
		{RevocationOffline, "Nothing may be fetched, and the cache holds no answer that is still valid.", "Verify once with network access, or allow it."},
		{RevocationAddress, "The address of an OCSP responder or revocation list cannot be used: it is not http, has a user name in it, or is malformed.", "Use certificates that name http addresses."},
		{RevocationRedirect, "A source redirects too often, to an address that cannot be used, or into a private network.", "Name the final address in the certificates, or allow redirects into private networks if they are meant."},
		{RevocationFetch, "A source could not be reached, took too long, or did not answer with success.", "Check the network and the proxy settings, and try again."},
		{RevocationTooLarge, "An answer is larger than the bounds allow.", authority},
		{RevocationContentType, "An answer is compressed, or is not of the media type of OCSP responses.", authority},
		{RevocationAlgorithm, "An answer is signed with a weak or unknown algorithm.", authority},
		{RevocationOCSPSyntax, "An OCSP response is malformed.", authority},
		{RevocationOCSPStatus, "An OCSP responder answers with an error instead of a status.", "Try again later."},
		{RevocationOCSPSigner, "An OCSP response is not signed by the issuer of the certificate or by a valid responder that the issuer has named.", authority},
		{RevocationOCSPCertificate, "An OCSP response says nothing about the certificate.", authority},
		{RevocationOCSPTime, "An OCSP response is from the future, has expired, is older than one seen before, or is old and does not say how long it holds.", "Check the clock, and try again later."},
		{RevocationOCSPNonce, "An OCSP response answers another request.", "Try again; somebody may be replaying answers."},
		{RevocationOCSPExtension, "An OCSP response has a critical extension that is not known.", authority},
		{RevocationCRLSyntax, "A revocation list is malformed, or is PEM where DER is due.", authority},
		{RevocationCRLSigner, "A revocation list is not signed by the issuer of the certificate, or the issuer may not sign lists.", authority},
		{RevocationCRLTime, "A revocation list is from the future, has expired, or does not say when the next one comes.", "Check the clock, and try again later."},
		{RevocationCRLNumber, "A revocation list has no number, or is older than one seen before.", "Try again; if the authority has begun to count anew, empty the cache."},
		{RevocationCRLScope, "A revocation list does not cover the certificate, or not every reason for which it may be revoked.", authority},
		{RevocationCRLExtension, "A revocation list or an entry of it has a critical extension that is not known.", authority},
		{RevocationCRLDelta, "A delta revocation list does not fit the complete list.", "Try again later; the lists may be about to be renewed."},
	}
}
