package reason

// Codes of the root package's verification. What it takes over from the
// packages below keeps the code that it has there.
const (
	// The verifier, the policy and the reference.

	VerifyNoPolicy        Code = "verify.no-policy"
	VerifyNoStores        Code = "verify.no-stores"
	VerifySkippedByPolicy Code = "verify.skipped-by-policy"
	VerifyReference       Code = "verify.reference"
	VerifyResolve         Code = "verify.resolve"
	VerifyInterrupted     Code = "verify.interrupted"
	VerifyBlob            Code = "verify.blob"
	VerifyEnvelopeType    Code = "verify.envelope-type"
	VerifyBlobDigest      Code = "verify.blob-digest"

	// Indexes.

	VerifyIndex         Code = "verify.index"
	VerifyIndexNotAsked Code = "verify.index-not-asked"
	VerifyNotCovered    Code = "verify.not-covered"

	// Discovery.

	VerifyUnsigned         Code = "verify.unsigned"
	VerifyListing          Code = "verify.listing"
	VerifyListingTruncated Code = "verify.listing-truncated"
	VerifySignatureLimit   Code = "verify.signature-limit"
	VerifyStrangerLimit    Code = "verify.stranger-limit"
	VerifySignatureUnread  Code = "verify.signature-unread"
	VerifySignatureTimeout Code = "verify.signature-timeout"

	// The checks of a signature.

	VerifyNotReached          Code = "verify.not-reached"
	VerifyOtherArtifact       Code = "verify.other-artifact"
	VerifyArtifactClaim       Code = "verify.artifact-claim"
	VerifyCriticalAttribute   Code = "verify.critical-attribute"
	VerifyPluginUnavailable   Code = "verify.plugin-unavailable"
	VerifyPluginNotRun        Code = "verify.plugin-not-run"
	VerifyPluginRefused       Code = "verify.plugin-refused"
	VerifyRootUntrusted       Code = "verify.root-untrusted"
	VerifyStoreType           Code = "verify.store-type"
	VerifyIdentityUntrusted   Code = "verify.identity-untrusted"
	VerifyTimestampMissing    Code = "verify.timestamp-missing"
	VerifyFutureTime          Code = "verify.future-time"
	VerifyExpired             Code = "verify.expired"
	VerifyRevocationNoSource  Code = "verify.revocation-no-source"
	VerifyRevocationUntrusted Code = "verify.revocation-untrusted"
	VerifyMetadata            Code = "verify.metadata"
)

func verifyEntries() []Entry {
	return append(verifyDiscoveryEntries(), verifyCheckEntries()...)
}

func verifyDiscoveryEntries() []Entry {
	return []Entry{
		{VerifyNoPolicy, "There is no trust policy, or no statement of it applies.", "Write a trust policy with a statement for the repository."},
		{VerifyNoStores, "The policy names trust stores, and there are none.", "Say where the trust stores are."},
		{VerifySkippedByPolicy, "The policy says not to make this check, or not to verify at all.", "Change the statement's level or override if the check is wanted."},
		{VerifyReference, "The reference names no artifact, or one of another repository than that at hand, or none is at hand.", "Give a reference with a tag or a digest, and open the repository that it names."},
		{VerifyResolve, "The reference could not be resolved.", "Check the network and the registry, then try again."},
		{VerifyInterrupted, "Verification was interrupted, or its time was up.", "Allow more time, or try again."},
		{VerifyBlob, "The blob could not be read to its end.", "Check the file, then try again."},
		{VerifyBlobDigest, "The signature of a blob holds a digest by another algorithm than the one that goes with its key.", "Ask the signer for a signature that keeps to the format."},
		{VerifyEnvelopeType, "The signature is neither a JWS nor a COSE envelope, as far as its first bytes tell.", "Give the file with the signature, not the signed file."},
		{VerifyIndex, "An index cannot be followed, or describes a manifest otherwise than it is.", "Distrust the index, and have it made again."},
		{VerifyIndexNotAsked, "The artifact has no good signature of its own, and by the policy that of an index does not count for it.", "Sign every manifest of the index, or set indexCovers to manifests in a trust policy of version 1.1."},
		{VerifyNotCovered, "The signature of an index would cover the artifact, but the index does not pass itself.", "Look at the verdict on the index."},
		{VerifyUnsigned, "The artifact has no signature, and that is certain.", "Sign the artifact, or ask its publisher for a signed one."},
		{VerifyListing, "The listing of signatures failed, or is odd.", "Check the network and the registry, then try again."},
		{VerifyListingTruncated, "The listing of signatures is longer than this program reads.", "Remove referrers that are not needed from the repository."},
		{VerifySignatureLimit, "The limit of signatures to look at was reached, and none of them is good enough.", "Raise the limit, or remove signatures that are not needed."},
		{VerifyStrangerLimit, "Too many manifests whose type the listing does not tell turned out to be no signatures.", "Remove referrers that are not needed from the repository."},
		{VerifySignatureUnread, "A signature is listed and could not be read.", "Check the network and the registry, then try again."},
		{VerifySignatureTimeout, "A signature is listed and was not there in time.", "Try again; the registry or the network is slow."},
	}
}

func verifyCheckEntries() []Entry {
	return []Entry{
		{VerifyNotReached, "The check was not made, as another one has failed that it rests on.", "Look at the findings that failed."},
		{VerifyOtherArtifact, "The signature was made for another artifact.", "Sign this artifact; a signature cannot be moved."},
		{VerifyArtifactClaim, "What the registry says about the artifact, such as its size or media type, contradicts a signature for its digest.", "Check that the registry answers for the artifact as it was pushed, then try again."},
		{VerifyCriticalAttribute, "The signature marks an attribute as critical that this program does not know.", "Ask the signer for a signature without it."},
		{VerifyPluginUnavailable, "The signature demands a verification plugin, and plugins are not allowed or not usable here.", "Allow plugins, or ask the signer for a signature that needs none."},
		{VerifyPluginNotRun, "The signature demands a verification plugin, which was not run because the signature is not trusted without it.", "Look at the findings on authenticity and the other checks."},
		{VerifyPluginRefused, "The verification plugin does not accept the signature.", "See what the plugin says, and its documentation."},
		{VerifyRootUntrusted, "The root of the signer's chain is in no trust store that the statement names.", "If that root is to be trusted, add it to such a store."},
		{VerifyStoreType, "The root is in a trust store, but not of the type that the signing scheme demands.", "If the root is to be trusted for that scheme, add it to a store of that type."},
		{VerifyIdentityUntrusted, "The signer is none of the trusted identities of the statement.", "If the signer is to be trusted, add its subject to the trusted identities."},
		{VerifyTimestampMissing, "The statement demands a time stamp, and the signature has none.", "Have the artifact signed with a time stamp."},
		{VerifyFutureTime, "The time for which a signing authority or a time stamp vouches is yet to come.", "Check the clock of this machine."},
		{VerifyExpired, "The expiry that the signer set has passed.", "Have the artifact signed again."},
		{VerifyRevocationNoSource, "A certificate does not say how its revocation can be checked, or the only one is its own root.", "None is needed; use certificates that name an OCSP responder or a CRL if revocation matters."},
		{VerifyRevocationUntrusted, "Nobody was asked about revocation, as the chain leads to no trusted root and the addresses in it may be anybody's.", "Add the root to a trust store of the statement, or set its override for revocation to skip."},
		{VerifyMetadata, "The signed metadata lacks an entry that was asked for, or has another value for it.", "Compare with the metadata that the signature holds."},
	}
}
