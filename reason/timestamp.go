package reason

// Codes of package timestamp: what is wrong with a time stamp, or with the
// reply of an authority that was asked for one.
const (
	TimestampEncoding           Code = "timestamp.encoding"
	TimestampTooLarge           Code = "timestamp.too-large"
	TimestampContentType        Code = "timestamp.content-type"
	TimestampVersion            Code = "timestamp.version"
	TimestampSigners            Code = "timestamp.signers"
	TimestampAttributes         Code = "timestamp.attributes"
	TimestampSigningCertificate Code = "timestamp.signing-certificate"
	TimestampAlgorithm          Code = "timestamp.algorithm"
	TimestampImprintHash        Code = "timestamp.imprint-hash"
	TimestampImprint            Code = "timestamp.imprint"
	TimestampTime               Code = "timestamp.time"
	TimestampAccuracy           Code = "timestamp.accuracy"
	TimestampExtension          Code = "timestamp.extension"
	TimestampSignature          Code = "timestamp.signature"
	TimestampCertificate        Code = "timestamp.certificate"
	TimestampRootUntrusted      Code = "timestamp.root-untrusted"
	TimestampChain              Code = "timestamp.chain"
	TimestampChainTime          Code = "timestamp.chain-time"
	TimestampRevocation         Code = "timestamp.revocation"
	TimestampURL                Code = "timestamp.url"
	TimestampRequest            Code = "timestamp.request"
	TimestampUnreachable        Code = "timestamp.unreachable"
	TimestampRedirect           Code = "timestamp.redirect"
	TimestampReply              Code = "timestamp.reply"
	TimestampRefused            Code = "timestamp.refused"
	TimestampNonce              Code = "timestamp.nonce"
	TimestampPolicy             Code = "timestamp.policy"
	TimestampEmpty              Code = "timestamp.empty"
)

func timestampEntries() []Entry {
	const tampered = "Do not rely on this time stamp; ask the signer to sign again with a new one."
	const foreign = "Use a time-stamping authority that conforms to RFC 3161, or ask the signer to."
	const again = "Try again, or another time-stamping authority."
	return []Entry{
		{TimestampEncoding, "A token or a reply is not in DER, or not what its standard says.", foreign},
		{TimestampTooLarge, "A token or a part of it is longer or more numerous than is read here.", foreign},
		{TimestampContentType, "A token is not signed data, or its content is not time-stamp information.", foreign},
		{TimestampVersion, "The time-stamp information is of a version that is not known.", foreign},
		{TimestampSigners, "A token has no signer, or more than one.", foreign},
		{TimestampAttributes, "A signed attribute of a token is missing, there twice, or wrong.", foreign},
		{TimestampSigningCertificate, "A token does not name its signing certificate, or names another than the one that goes with its signer.", foreign},
		{TimestampAlgorithm, "A token is not signed by RSA or ECDSA with SHA-256, SHA-384 or SHA-512.", foreign},
		{TimestampImprintHash, "The digest in a token is by a weak algorithm, or of the wrong length.", foreign},
		{TimestampImprint, "A token was made for something else than this signature.", tampered},
		{TimestampTime, "The time in a token is not a UTC time in the form of RFC 3161.", foreign},
		{TimestampAccuracy, "The accuracy of the time is negative or out of its bounds.", foreign},
		{TimestampExtension, "A token has a critical extension that is not known, or an extension twice.", foreign},
		{TimestampSignature, "The signature of a token does not match its content.", tampered},
		{TimestampCertificate, "The certificate of the time-stamping authority cannot be read.", foreign},
		{TimestampRootUntrusted, "No chain leads from the time-stamping authority to a trusted root.", "If the authority is to be trusted, add its root to a tsa trust store, or give it with --timestamp-root-cert."},
		{TimestampChain, "The certificates of the time-stamping authority break a rule.", "Use a time-stamping authority whose certificates conform to RFC 3161."},
		{TimestampChainTime, "A certificate of the time-stamping authority was not valid at the time that it gave.", tampered},
		{TimestampRevocation, "A certificate of the time-stamping authority is revoked, or it could not be found out.", "Use another time-stamping authority, or try again if the revocation could not be checked."},
		{TimestampURL, "The address of a time-stamping authority is missing or not an http or https URL with a host.", "Give the authority's address as http://HOST/PATH or https://HOST/PATH."},
		{TimestampRequest, "A time stamp was asked for in a way that cannot be served.", "This is a fault of the calling program; report it there."},
		{TimestampUnreachable, "A time-stamping authority could not be reached, or did not answer in time.", "Check the address and the network, or try another time-stamping authority."},
		{TimestampRedirect, "A time-stamping authority redirects to another address.", "Give the address that it redirects to, if it is right."},
		{TimestampReply, "The reply of a time-stamping authority is no time-stamp reply, too long, or cut off.", "Check the address, or try another time-stamping authority."},
		{TimestampRefused, "A time-stamping authority did not grant the request as it was made.", again},
		{TimestampNonce, "A reply is not to this request: its nonce is missing or another.", again},
		{TimestampPolicy, "A time stamp was made under another policy than asked for.", "Ask for a policy that the authority offers, or use another authority."},
		{TimestampEmpty, "A token value is used that was not made by parsing one.", "This is a fault of the calling program; report it there."},
	}
}
