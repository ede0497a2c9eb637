package reason

// Codes of package envelope: what is wrong with a signature envelope by
// itself, before anyone is asked whether its signer is trusted.
const (
	EnvelopeMediaType          Code = "envelope.media-type"
	EnvelopeTooLarge           Code = "envelope.too-large"
	EnvelopeJSON               Code = "envelope.json"
	EnvelopeBase64             Code = "envelope.base64"
	EnvelopeCBOR               Code = "envelope.cbor"
	EnvelopeHeader             Code = "envelope.header"
	EnvelopeUnprotected        Code = "envelope.unprotected"
	EnvelopeAlgorithm          Code = "envelope.algorithm"
	EnvelopeCritical           Code = "envelope.critical"
	EnvelopeContentType        Code = "envelope.content-type"
	EnvelopeScheme             Code = "envelope.scheme"
	EnvelopeTime               Code = "envelope.time"
	EnvelopePlugin             Code = "envelope.plugin"
	EnvelopeExtended           Code = "envelope.extended"
	EnvelopeChain              Code = "envelope.chain"
	EnvelopeTimestamp          Code = "envelope.timestamp"
	EnvelopePayload            Code = "envelope.payload"
	EnvelopeSignature          Code = "envelope.signature"
	EnvelopeReservedAnnotation Code = "envelope.reserved-annotation"
	EnvelopeEmpty              Code = "envelope.empty"
)

func envelopeEntries() []Entry {
	const tampered = "Do not use the artifact; ask its publisher to sign it again."
	const foreign = "Ask the publisher to sign with a tool that follows the Notary Project formats."
	return []Entry{
		{EnvelopeMediaType, "The envelope's media type is not one that is read here, or its content is of another type than it says.", "Use application/jose+json or application/cose, and the one that the content is in."},
		{EnvelopeTooLarge, "The envelope or a part of it is longer, more numerous or nested deeper than is read here.", "Ask the publisher to sign again with fewer attributes or a shorter chain."},
		{EnvelopeJSON, "A part of a JWS envelope is not JSON, or is JSON that two readers could read differently.", foreign},
		{EnvelopeBase64, "A part of a JWS envelope is not in the one base64 form that is allowed for it.", foreign},
		{EnvelopeCBOR, "A COSE envelope is not a tagged COSE_Sign1 in deterministic CBOR with its payload inside.", foreign},
		{EnvelopeHeader, "A header parameter is missing, of the wrong type, or one that must not stand in a signature envelope.", foreign},
		{EnvelopeUnprotected, "A parameter that must be signed stands in the unsigned part of the envelope.", tampered},
		{EnvelopeAlgorithm, "The signature algorithm is not one of the six, or not the one that the signing key demands.", "Sign with RSA 2048, 3072 or 4096, or with EC P-256, P-384 or P-521."},
		{EnvelopeCritical, "The list of critical attributes is missing, incomplete, or names what it must not name.", foreign},
		{EnvelopeContentType, "The content type of the envelope is not the media type of a Notary payload.", "Check that the file is a Notary signature and not another kind of JWS or COSE message."},
		{EnvelopeScheme, "The signing scheme is missing or not known.", foreign},
		{EnvelopeTime, "A signing time or expiry is missing, does not belong to the signing scheme, is not in the required form, or contradicts another.", foreign},
		{EnvelopePlugin, "The name or minimum version of the verification plugin is not acceptable.", "Ask the publisher which verification plugin and version the signature needs."},
		{EnvelopeExtended, "A critical extended attribute has a value that cannot be represented, or an attribute to be signed has such a name or value.", "Ask the publisher to sign without the attribute."},
		{EnvelopeChain, "The certificate chain of the envelope is missing, given twice, too long, or not the chain of the request.", "Ask the publisher to sign again with the complete chain, leaf first."},
		{EnvelopeTimestamp, "A timestamp token is too long, or one that is to be put into an envelope is not one DER sequence.", "Ask the publisher to sign again with a timestamp."},
		{EnvelopePayload, "The signed payload is not exactly the descriptor of an artifact with user metadata.", foreign},
		{EnvelopeSignature, "The signature does not match the signed content under the signing certificate's key.", tampered},
		{EnvelopeReservedAnnotation, "User metadata uses a key that starts with io.cncf.notary, which is reserved.", "Choose another key."},
		{EnvelopeEmpty, "An envelope value is used that was not made by parsing or building one.", "This is a fault of the calling program; report it there."},
	}
}
