package reason

// Codes of the packages internal/certchain and internal/dn: what is wrong with
// a certificate, a chain or a distinguished name, whoever trusts it.
const (
	// Encoding and bounds.

	CertParse    Code = "cert.parse"
	CertTooLarge Code = "cert.too-large"
	CertTooMany  Code = "cert.too-many"
	CertProfile  Code = "cert.profile"

	// Every certificate.

	CertVersion                  Code = "cert.version"
	CertSerial                   Code = "cert.serial"
	CertDuplicateExtension       Code = "cert.duplicate-extension"
	CertUnknownCriticalExtension Code = "cert.unknown-critical-extension"
	CertNameConstraints          Code = "cert.name-constraints"
	CertKeyType                  Code = "cert.key-type"
	CertKeySize                  Code = "cert.key-size"
	CertKeyParameters            Code = "cert.key-parameters"
	CertSignatureHash            Code = "cert.signature-hash"
	CertSignatureAlgorithm       Code = "cert.signature-algorithm"

	// The chain.

	CertChainIncomplete Code = "cert.chain-incomplete"
	CertChainOrder      Code = "cert.chain-order"
	CertChainLoop       Code = "cert.chain-loop"
	CertSignature       Code = "cert.signature"

	// Certificate authorities.

	CertCABasicConstraints Code = "cert.ca-basic-constraints"
	CertCAKeyUsage         Code = "cert.ca-key-usage"
	CertPathLength         Code = "cert.path-length"

	// The leaf.

	CertLeafCA               Code = "cert.leaf-ca"
	CertLeafKeyUsage         Code = "cert.leaf-key-usage"
	CertLeafExtendedKeyUsage Code = "cert.leaf-extended-key-usage"

	// Validity.

	CertNotYetValid Code = "cert.not-yet-valid"
	CertExpired     Code = "cert.expired"

	// Distinguished names.

	CertNameSyntax   Code = "cert.name-syntax"
	CertNameEncoding Code = "cert.name-encoding"
	CertNameTooLarge Code = "cert.name-too-large"
	CertNameString   Code = "cert.name-string"
)

func certEntries() []Entry {
	return []Entry{
		{CertParse, "A certificate is not one well-formed X.509 certificate in DER.",
			"Get the certificate again from its authority; if it came as PEM, check that it is whole."},
		{CertTooLarge, "A certificate is over the size limit.",
			"Use a certificate of at most 64 KiB."},
		{CertTooMany, "A chain has more certificates than the limit.",
			"Use a chain of at most 10 certificates."},
		{CertProfile, "The program asked for certificate rules that do not exist.",
			"Report it to the authors of the program."},

		{CertVersion, "A certificate is not of version 3, so it cannot say what it may be used for.",
			"Ask the certificate authority for a version 3 certificate."},
		{CertSerial, "A serial number is not positive or is longer than 20 octets.",
			"Ask the certificate authority for a certificate with a conforming serial number."},
		{CertDuplicateExtension, "A certificate has the same extension twice.",
			"Ask the certificate authority for a certificate that has each extension once."},
		{CertUnknownCriticalExtension, "A certificate has a critical extension that is not evaluated here.",
			"Use a certificate without this extension, or one in which it is not critical."},
		{CertNameConstraints, "A certificate authority is limited to certain names, of a kind that is not evaluated here and that a certificate below it has.",
			"Use a chain without name constraints, or one whose constraints concern only kinds of names that the certificates below do not have."},
		{CertKeyType, "A key is neither RSA nor on one of the curves P-256, P-384 and P-521.",
			"Use an RSA key of 2048, 3072 or 4096 bits or a key on P-256, P-384 or P-521."},
		{CertKeySize, "An RSA key is too short or too long.",
			"Use an RSA key of 2048, 3072 or 4096 bits."},
		{CertKeyParameters, "An RSA key has an even modulus or an exponent that is even or below 65537.",
			"Make a new RSA key with the exponent 65537."},
		{CertSignatureHash, "A certificate is signed over a weak hash, such as SHA-1 or MD5.",
			"Ask the certificate authority for a chain that is signed with SHA-256 or better throughout."},
		{CertSignatureAlgorithm, "A certificate is signed by an algorithm other than RSA or ECDSA with SHA-2.",
			"Use a chain that is signed with RSA or ECDSA throughout."},

		{CertChainIncomplete, "A chain does not go all the way from the leaf to a self-signed root.",
			"Put the leaf first, then each issuer in turn, and the root last."},
		{CertChainOrder, "A certificate in a chain is not followed by its issuer.",
			"Put the leaf first, then each issuer in turn and nothing else, and the root last."},
		{CertChainLoop, "A certificate or certificate authority is in a chain more than once.",
			"Take the repeated certificate out of the chain."},
		{CertSignature, "The signature on a certificate is not by the key of the next one.",
			"Find the issuer whose key signed the certificate: another of the same name may exist."},

		{CertCABasicConstraints, "A certificate that issued another does not say, in a critical extension, that it is a certificate authority.",
			"Ask the certificate authority for a chain with critical basicConstraints and cA true above the leaf."},
		{CertCAKeyUsage, "A certificate that issued another does not say, in a critical extension, that its key may sign certificates.",
			"Ask the certificate authority for a chain with critical keyUsage and keyCertSign above the leaf."},
		{CertPathLength, "There are more certificate authorities below one than its path length allows.",
			"Have the leaf issued by an authority that is high enough in the hierarchy."},

		{CertLeafCA, "The leaf is a certificate authority.",
			"Sign with a certificate issued for signing, not with the authority's own."},
		{CertLeafKeyUsage, "The leaf's keyUsage is missing, not critical, lacks digitalSignature or allows something else.",
			"Ask for a certificate with critical keyUsage and digitalSignature only."},
		{CertLeafExtendedKeyUsage, "The leaf's extendedKeyUsage does not fit its use.",
			"Ask for a certificate for code signing, or for time stamping if it is a time-stamping authority's."},

		{CertNotYetValid, "The time in question lies before the validity of a certificate.",
			"Check the clock, or wait until the certificate is valid."},
		{CertExpired, "The time in question lies after the validity of a certificate.",
			"Renew the certificate and sign again; a time stamp keeps a signature valid beyond the certificate's end."},

		{CertNameSyntax, "A distinguished name is not written in the form of RFC 4514.",
			"Write it like C=US, ST=WA, O=Example, and escape special characters with a backslash."},
		{CertNameEncoding, "A distinguished name in a certificate is not well-formed DER.",
			"Get the certificate again from its authority."},
		{CertNameTooLarge, "A distinguished name is over the limit of bytes or attributes.",
			"Use a name with fewer or shorter attributes."},
		{CertNameString, "A certificate cannot be read because a name in it has a string with characters that its type does not allow, such as @ or _ in a PrintableString, or a value of a type that is not read in names.",
			"Ask the certificate authority for a certificate with UTF8String values in its names."},
	}
}
