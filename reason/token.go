package reason

// Codes of the plugin notation-pkcs11, "token.*". The plugin sends them as
// "reason" in the metadata of its errors.
const (
	TokenURI        Code = "token.uri"
	TokenConfig     Code = "token.config"
	TokenModule     Code = "token.module"
	TokenModulePath Code = "token.module-path"

	TokenMissing   Code = "token.missing"
	TokenAmbiguous Code = "token.ambiguous"
	TokenRemoved   Code = "token.removed"
	TokenBusy      Code = "token.busy"
	TokenFailed    Code = "token.failed"

	TokenPINMissing Code = "token.pin-missing"
	TokenPINSource  Code = "token.pin-source"
	TokenPINWrong   Code = "token.pin-wrong"
	TokenPINAtRisk  Code = "token.pin-at-risk"
	TokenPINLocked  Code = "token.pin-locked"
	TokenPINUnset   Code = "token.pin-unset"
	TokenPINLock    Code = "token.pin-lock"

	TokenKeyMissing   Code = "token.key-missing"
	TokenKeyAmbiguous Code = "token.key-ambiguous"
	TokenKeyForbidden Code = "token.key-forbidden"
	TokenKeyAlgorithm Code = "token.key-algorithm"

	TokenCertificateMissing Code = "token.certificate-missing"
	TokenCertificateChain   Code = "token.certificate-chain"
	TokenCertificateFile    Code = "token.certificate-file"

	TokenInterrupted Code = "token.interrupted"
)

func tokenEntries() []Entry {
	return []Entry{
		{TokenURI, "The key id is no PKCS #11 URI that names a private key.", "Copy the URI that 'notation-pkcs11 list' shows for the key."},
		{TokenConfig, "The plugin got a setting that it does not know, or an argument that makes no sense.", "Use the settings module, certs and module-path; 'notation-pkcs11 --help' describes the commands."},
		{TokenModule, "No PKCS #11 module is named, or the one that is cannot be loaded.", "Name the library of your token's maker with --plugin-config module=/path or $NOTATION_PKCS11_MODULE."},
		{TokenModulePath, "The key id names a module, and that is not allowed, or not the one configured.", "Name the module with --plugin-config module=/path, and take it out of the key id."},

		{TokenMissing, "No token that is there matches the key id.", "Insert the token, or correct the key id; 'notation-pkcs11 list' shows the tokens."},
		{TokenAmbiguous, "Several tokens match the key id.", "Add serial=... to the key id."},
		{TokenRemoved, "The token went away while it was used.", "Insert it again and sign again."},
		{TokenBusy, "The token has no free session or slot for another user of it.", "Try again when others have finished."},
		{TokenFailed, "The token or its module reports a fault.", "See the code that the message shows in the documentation of the module."},

		{TokenPINMissing, "The token wants a PIN and there is nowhere to get it from.", "Add pin-source=file:/path to the key id, set $NOTATION_PKCS11_PIN, or sign at a terminal."},
		{TokenPINSource, "The PIN cannot be read from where the key id says, or cannot be a PIN of this token.", "Check the file, which must hold the PIN and nothing else."},
		{TokenPINWrong, "The token refused the PIN; it was tried once.", "Correct the PIN, then log in once with 'notation-pkcs11 login'."},
		{TokenPINAtRisk, "A wrong PIN was given to the token before, so one from a file or variable is not tried.", "Log in once with 'notation-pkcs11 login'; the right PIN sets the token's counter back."},
		{TokenPINLocked, "The token has locked the PIN after too many wrong ones.", "Have the PIN unlocked with the security officer's PIN or the PUK, by the tool of the token's maker."},
		{TokenPINUnset, "The token has no PIN yet, or the PIN has expired and must be changed.", "Set the PIN with the tool of the token's maker."},
		{TokenPINLock, "The file that keeps several programs from trying a wrong PIN at the same time cannot be used.", "Set $NOTATION_CACHE to a directory that you may write."},

		{TokenKeyMissing, "The token has no private key that matches the key id.", "Correct the key id; 'notation-pkcs11 list' shows the keys."},
		{TokenKeyAmbiguous, "Several keys of the token match the key id.", "Add id=... or object=... to the key id."},
		{TokenKeyForbidden, "The token does not let the key make the signature.", "Use a key that is made for signing (CKA_SIGN), on a token that can do RSA-PSS or ECDSA."},
		{TokenKeyAlgorithm, "The key is of a kind or size that signatures must not use, or its public half cannot be found.", "Use RSA of 2048, 3072 or 4096 bits, or EC P-256, P-384 or P-521, and store its public key or certificate on the token."},

		{TokenCertificateMissing, "There is no certificate for the key.", "Write the certificate to the token, or name a file with --plugin-config certs=/path."},
		{TokenCertificateChain, "The key's certificate has no complete chain, or one that verifiers would refuse.", "Add the issuers up to the root to the token or to the file, or have the certificate corrected."},
		{TokenCertificateFile, "The file with certificates cannot be read.", "Give a file with certificates in PEM."},

		{TokenInterrupted, "Signing or logging in was interrupted.", "Run it again."},
	}
}
