package reason

// Codes of package signer, "signer.*", and of the root package's signing,
// "sign.*".
const (
	SignerKeyMissing       Code = "signer.key-missing"
	SignerKeyFormat        Code = "signer.key-format"
	SignerKeyEncrypted     Code = "signer.key-encrypted"
	SignerKeyEncryption    Code = "signer.key-encryption"
	SignerPassphrase       Code = "signer.passphrase"
	SignerPKCS12           Code = "signer.pkcs12"
	SignerSubject          Code = "signer.subject"
	SignerKeyAlgorithm     Code = "signer.key-algorithm"
	SignerCertificates     Code = "signer.certificates"
	SignerKeyMismatch      Code = "signer.key-mismatch"
	SignerChain            Code = "signer.chain"
	SignerCertificateTime  Code = "signer.certificate-time"
	SignerFailed           Code = "signer.failed"
	SignerInterrupted      Code = "signer.interrupted"
	SignerInvalidSignature Code = "signer.invalid-signature"

	SignMediaType        Code = "sign.media-type"
	SignExpiry           Code = "sign.expiry"
	SignMetadata         Code = "sign.metadata"
	SignMetadataReserved Code = "sign.metadata-reserved"
	SignAgent            Code = "sign.agent"
	SignOtherTarget      Code = "sign.other-target"
	SignTimestamp        Code = "sign.timestamp"
	SignBlob             Code = "sign.blob"
	SignRequest          Code = "sign.request"
	SignRequestArtifact  Code = "sign.request-artifact"
	SignRequestConflict  Code = "sign.request-conflict"
	SignDetached         Code = "sign.detached"
	SignOtherArtifact    Code = "sign.other-artifact"
)

func signerEntries() []Entry {
	return []Entry{
		{SignerKeyMissing, "There is no private key to sign with.", "Give a file that holds a private key in PEM."},
		{SignerKeyFormat, "The private key cannot be read.", "Give one private key in PEM: PKCS#8, PKCS#1 or SEC 1."},
		{SignerKeyEncrypted, "The private key is encrypted, and no pass phrase was given.", "Give it with --key-passphrase-file or $NOTATION_KEY_PASSPHRASE, or on a terminal when asked."},
		{SignerKeyEncryption, "The private key is encrypted in a way that is not read, or that takes too long to open.", "Encrypt it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out NEWKEY."},
		{SignerPassphrase, "The pass phrase does not open the private key.", "Give the pass phrase that the key was encrypted with."},
		{SignerPKCS12, "The PKCS#12 file cannot be read.", "Give a file with one private key and its certificate."},
		{SignerSubject, "The subject cannot stand in a request for a certificate.", "Write it as C=US, ST=WA, O=wabbit-networks.io, CN=release."},
		{SignerKeyAlgorithm, "The key is of a kind or size that signatures must not use.", "Use RSA of 2048, 3072 or 4096 bits, or EC P-256, P-384 or P-521."},
		{SignerCertificates, "The certificate chain cannot be read.", "Give the certificates in PEM, the signing certificate first."},
		{SignerKeyMismatch, "The private key does not belong to the first certificate of the chain.", "Put the certificate of this key first, or use the key of that certificate."},
		{SignerChain, "The certificates are no complete chain in order, or a certificate must not sign.", "Put the signing certificate first, each issuer after what it issued, the self-signed root last."},
		{SignerCertificateTime, "A certificate of the chain is not valid at the signing time.", "Renew the certificate, or correct the clock."},
		{SignerFailed, "The key could not sign.", "See the cause; the key store may be locked or not reachable."},
		{SignerInterrupted, "Signing was interrupted before the key answered.", "Allow more time, or try again."},
		{SignerInvalidSignature, "The key returned something that is no signature of its algorithm.", "Do not use this key store; report the fault to its maker."},

		{SignMediaType, "The signature format asked for does not exist.", "Use JWS or COSE."},
		{SignExpiry, "The expiry is negative or not in whole seconds.", "Use a duration such as 24h."},
		{SignMetadata, "The user metadata has an entry without key, is not UTF-8 or is too large.", "Shorten the metadata, and write each entry as KEY=VALUE."},
		{SignMetadataReserved, "A metadata key begins with io.cncf.notary, which is reserved.", "Choose another key."},
		{SignAgent, "The name of the signing agent is too long or not UTF-8.", "Choose a shorter name."},
		{SignTimestamp, "A time stamp was asked for that no verifier would make use of.", "Ask for none, or see what the message says about scheme and certificates."},
		{SignBlob, "The blob could not be read, or its media type is none.", "Check the file, then try again."},
		{SignOtherTarget, "The signer returned a signature for something else than it was asked to sign.", "Do not use this signer."},
		{SignRequest, "The file is no signing request, or one of another version.", "Prepare it again with 'notation sign --prepare'."},
		{SignRequestArtifact, "The manifest in a signing request is not what the request asks to have signed.", "Sign nothing; have the request prepared again, and find out who changed it."},
		{SignRequestConflict, "The signing request and the command line ask for different things.", "Leave it to one of them, or have the request prepared again."},
		{SignDetached, "The file holds no signature envelope.", "Give the file that 'notation sign --request' has written."},
		{SignOtherArtifact, "The signature that is to be attached was made for another artifact.", "Name the artifact that was signed, or have this one signed."},
	}
}
