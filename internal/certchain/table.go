package certchain

import (
	"slices"

	"github.com/notaryv2/notation/reason"
)

// specCertificates is the section of the Notary Project's signature
// specification on which the rules of both profiles rest.
const specCertificates = "Notary Project signature specification, certificate requirements"

// table returns the rules of a profile, or nil.
func table(p Profile) []Rule {
	switch p {
	case CodeSigning:
		return codeSigningRules
	case TimeStamping:
		return timeStampingRules
	default:
		return nil
	}
}

// The rules of each profile. Those for the whole chain come first and the
// signatures, which cost most, come last.
var (
	codeSigningRules  = slices.Concat(boundRules, certificateRules, chainRules, issuerRules, leafRules, codeSigningLeafRules, signatureRules)
	timeStampingRules = slices.Concat(boundRules, certificateRules, chainRules, issuerRules, leafRules, timeStampingLeafRules, signatureRules)
)

// noProfile stands for the rules of a profile that does not exist, so that
// the zero Profile fails.
var noProfile = Rule{
	ID: "profile", Code: reason.CertProfile, Source: "this package",
	Explain: "A chain is judged for a purpose: code signing or time stamping.",
	Remedy:  "Report it to the authors of the program.",
}

var boundRules = []Rule{
	{
		ID: "chain-present", Code: reason.CertChainIncomplete,
		Source:  specCertificates,
		Explain: "A signature comes with its certificates, the leaf at least.",
		Remedy:  "Give the certificate chain: the leaf first, then each issuer, and the root last.",
		applies: wholeChain, check: chainPresent,
	},
	{
		ID: "chain-length", Code: reason.CertTooMany,
		Source:  "bound of this program",
		Explain: "A chain has at most 10 certificates, so that a hostile one costs little.",
		Remedy:  "Use a chain of at most 10 certificates.",
		applies: wholeChain, check: chainLength,
	},
	{
		ID: "certificate-size", Code: reason.CertTooLarge,
		Source:  "bound of this program",
		Explain: "A certificate has at most 64 KiB and 100 extensions, so that a hostile one costs little.",
		Remedy:  "Use smaller certificates.",
		applies: wholeChain, check: certificateSize,
	},
}

var certificateRules = []Rule{
	{
		ID: "version", Code: reason.CertVersion,
		Source:  "RFC 5280 section 4.1.2.1",
		Explain: "Certificates are of version 3: older ones cannot say what they may be used for.",
		Remedy:  "Ask the certificate authority for a version 3 certificate.",
		applies: everyone, check: version,
	},
	{
		ID: "serial", Code: reason.CertSerial,
		Source:  "RFC 5280 section 4.1.2.2",
		Explain: "A serial number is positive and at most 20 octets long: revocation is told by it.",
		Remedy:  "Ask the certificate authority for a certificate with a conforming serial number.",
		applies: everyone, check: serial,
	},
	{
		ID: "extension-duplicate", Code: reason.CertDuplicateExtension,
		Source:  "RFC 5280 section 4.2",
		Explain: "An extension is there once: of two, one reader takes the first and another the last.",
		Remedy:  "Ask the certificate authority for a certificate that has each extension once.",
		applies: everyone, check: extensionDuplicate,
	},
	{
		ID: "extension-critical", Code: reason.CertUnknownCriticalExtension,
		Source:  "RFC 5280 section 4.2",
		Explain: "A critical extension must be evaluated, or else the certificate is refused.",
		Remedy:  "Use a certificate without this extension, or with it not critical.",
		applies: everyone, check: extensionCritical,
	},
	{
		ID: "key-type", Code: reason.CertKeyType,
		Source:  specCertificates,
		Explain: "A key is RSA or lies on the curve P-256, P-384 or P-521.",
		Remedy:  "Use an RSA key of 2048, 3072 or 4096 bits, or a key on P-256, P-384 or P-521.",
		applies: everyone, check: keyType,
	},
	{
		ID: "key-size", Code: reason.CertKeySize,
		Source:  specCertificates + "; NIST SP 800-131A section 3",
		Explain: "An RSA key has 2048 bits or more: shorter ones can be broken. Above 8192 they cost too much to verify.",
		Remedy:  "Use an RSA key of 2048, 3072 or 4096 bits.",
		applies: everyone, check: keySize,
	},
	{
		ID: "key-parameters", Code: reason.CertKeyParameters,
		Source:  "FIPS 186-5 appendix A.1.1",
		Explain: "An RSA key has an odd modulus and an odd exponent of 65537 or more: anything else is weak or no key.",
		Remedy:  "Make a new RSA key with the exponent 65537.",
		applies: everyone, check: keyParameters,
	},
	{
		ID: "signature-hash", Code: reason.CertSignatureHash,
		Source:  specCertificates,
		Explain: "A certificate is not signed over SHA-1 or MD5: a second one with the same signature can be made.",
		Remedy:  "Ask the certificate authority for a chain that is signed with SHA-256 or better, root included.",
		applies: everyone, check: signatureHash,
	},
	{
		ID: "signature-algorithm", Code: reason.CertSignatureAlgorithm,
		Source:  specCertificates,
		Explain: "A certificate is signed by RSA, with either padding, or ECDSA, over SHA-256, SHA-384 or SHA-512.",
		Remedy:  "Use a chain that is signed with RSA or ECDSA throughout.",
		applies: everyone, check: signatureAlgorithm,
	},
}

var chainRules = []Rule{
	{
		ID: "chain-order", Code: reason.CertChainOrder,
		Source:  "RFC 5280 section 6.1, condition (a)",
		Explain: "Each certificate is followed by its issuer, and only the last one is self-signed.",
		Remedy:  "Put the leaf first, then each issuer in turn and nothing else, and the root last.",
		applies: everyone, check: chainOrder,
	},
	{
		ID: "chain-complete", Code: reason.CertChainIncomplete,
		Source:  specCertificates,
		Explain: "The issuer of each certificate is in the chain, up to a self-signed root.",
		Remedy:  "Add the missing issuer, and take out certificates that have nothing to do with the leaf.",
		applies: everyone, check: chainComplete,
	},
	{
		ID: "chain-loop", Code: reason.CertChainLoop,
		Source:  "RFC 4158 section 2.4.1",
		Explain: "No name and key is in a chain twice: the chain would go round in a circle.",
		Remedy:  "Take the repeated certificate out of the chain.",
		applies: everyone, check: chainLoop,
	},
}

var issuerRules = []Rule{
	{
		ID: "ca-basic-constraints-present", Code: reason.CertCABasicConstraints,
		Source:  "RFC 5280 section 4.2.1.9",
		Explain: "An issuer says that it is a certificate authority, in basicConstraints.",
		Remedy:  "Ask the certificate authority for issuing certificates with critical basicConstraints.",
		applies: issuersOnly, check: caBasicConstraintsPresent,
	},
	{
		ID: "ca-basic-constraints-critical", Code: reason.CertCABasicConstraints,
		Source:  "RFC 5280 section 4.2.1.9",
		Explain: "An issuer's basicConstraints is critical.",
		Remedy:  "Ask the certificate authority for issuing certificates with critical basicConstraints.",
		applies: issuersOnly, check: caBasicConstraintsCritical,
	},
	{
		ID: "ca-basic-constraints-ca", Code: reason.CertCABasicConstraints,
		Source:  "RFC 5280 section 4.2.1.9",
		Explain: "An issuer's basicConstraints has cA true: otherwise its key must not verify certificates.",
		Remedy:  "Get the leaf from a certificate authority: the certificate above it is none.",
		applies: issuersOnly, check: caBasicConstraintsCA,
	},
	{
		ID: "ca-path-length", Code: reason.CertPathLength,
		Source:  "RFC 5280 section 4.2.1.9",
		Explain: "Below an issuer there are no more authorities than its pathLenConstraint allows.",
		Remedy:  "Have the leaf issued by an authority that is high enough in the hierarchy.",
		applies: issuersOnly, check: caPathLength,
	},
	{
		ID: "ca-key-usage-present", Code: reason.CertCAKeyUsage,
		Source:  "RFC 5280 section 4.2.1.3",
		Explain: "An issuer says what its key is for, in keyUsage.",
		Remedy:  "Ask the certificate authority for issuing certificates with critical keyUsage and keyCertSign.",
		applies: issuersOnly, check: caKeyUsagePresent,
	},
	{
		ID: "ca-key-usage-critical", Code: reason.CertCAKeyUsage,
		Source:  specCertificates,
		Explain: "An issuer's keyUsage is critical.",
		Remedy:  "Ask the certificate authority for issuing certificates with critical keyUsage and keyCertSign.",
		applies: issuersOnly, check: caKeyUsageCritical,
	},
	{
		ID: "ca-key-usage-cert-sign", Code: reason.CertCAKeyUsage,
		Source:  "RFC 5280 section 4.2.1.3",
		Explain: "An issuer's keyUsage has keyCertSign: otherwise its key must not verify certificates.",
		Remedy:  "Ask the certificate authority for issuing certificates with critical keyUsage and keyCertSign.",
		applies: issuersOnly, check: caKeyUsageCertSign,
	},
	{
		ID: "ca-name-constraints", Code: reason.CertNameConstraints,
		Source:  "RFC 5280 section 4.2.1.10",
		Explain: "Name constraints are not evaluated, so they may concern only kinds of names that no certificate below has.",
		Remedy:  "Use a chain without name constraints on subjects, or on the alternative names that the leaf has.",
		applies: issuersOnly, check: caNameConstraints,
	},
}

var leafRules = []Rule{
	{
		ID: "leaf-not-ca", Code: reason.CertLeafCA,
		Source:  specCertificates,
		Explain: "The leaf is no certificate authority: its basicConstraints, if there, has cA false.",
		Remedy:  "Sign with a certificate issued for signing, not with the authority's own.",
		applies: leafOnly, check: leafNotCA,
	},
	{
		ID: "leaf-key-usage-present", Code: reason.CertLeafKeyUsage,
		Source:  specCertificates,
		Explain: "The leaf says what its key is for, in keyUsage.",
		Remedy:  "Ask for a certificate with critical keyUsage and digitalSignature only.",
		applies: leafOnly, check: leafKeyUsagePresent,
	},
	{
		ID: "leaf-key-usage-digital-signature", Code: reason.CertLeafKeyUsage,
		Source:  "RFC 5280 section 4.2.1.3",
		Explain: "The leaf's keyUsage has digitalSignature.",
		Remedy:  "Ask for a certificate with critical keyUsage and digitalSignature only.",
		applies: leafOnly, check: leafKeyUsageDigitalSignature,
	},
	{
		ID: "leaf-key-usage-forbidden", Code: reason.CertLeafKeyUsage,
		Source:  specCertificates,
		Explain: "The leaf's key is not also for encryption, key agreement, or signing certificates or revocation lists.",
		Remedy:  "Ask for a certificate with critical keyUsage and digitalSignature only.",
		applies: leafOnly, check: leafKeyUsageForbidden,
	},
}

var codeSigningLeafRules = []Rule{
	{
		ID: "leaf-key-usage-critical", Code: reason.CertLeafKeyUsage,
		Source:  specCertificates,
		Explain: "The leaf's keyUsage is critical.",
		Remedy:  "Ask for a certificate with critical keyUsage and digitalSignature only.",
		applies: leafOnly, check: leafKeyUsageCritical,
	},
	{
		ID: "leaf-extended-key-usage", Code: reason.CertLeafExtendedKeyUsage,
		Source:  specCertificates,
		Explain: "The leaf's extendedKeyUsage, if there, does not allow any use, nor TLS, e-mail or time stamping.",
		Remedy:  "Ask for a certificate for code signing alone.",
		applies: leafOnly, check: codeSigningExtendedKeyUsage,
	},
}

var timeStampingLeafRules = []Rule{
	{
		ID: "tsa-extended-key-usage-present", Code: reason.CertLeafExtendedKeyUsage,
		Source:  "RFC 3161 section 2.3",
		Explain: "A time-stamping certificate has extendedKeyUsage.",
		Remedy:  "Use a time-stamping authority that conforms to RFC 3161.",
		applies: leafOnly, check: timeStampingPresent,
	},
	{
		ID: "tsa-extended-key-usage-critical", Code: reason.CertLeafExtendedKeyUsage,
		Source:  "RFC 3161 section 2.3",
		Explain: "A time-stamping certificate's extendedKeyUsage is critical.",
		Remedy:  "Use a time-stamping authority that conforms to RFC 3161.",
		applies: leafOnly, check: timeStampingCritical,
	},
	{
		ID: "tsa-extended-key-usage-alone", Code: reason.CertLeafExtendedKeyUsage,
		Source:  "RFC 3161 section 2.3",
		Explain: "A time-stamping certificate's extendedKeyUsage holds timeStamping and nothing else.",
		Remedy:  "Use a time-stamping authority that conforms to RFC 3161.",
		applies: leafOnly, check: timeStampingAlone,
	},
}

var signatureRules = []Rule{
	{
		ID: "signature", Code: reason.CertSignature,
		Source:  "RFC 5280 section 6.1.3 (a)(1)",
		Explain: "Each certificate is signed by the key of the next one, and the last by its own.",
		Remedy:  "Find the issuer whose key signed the certificate: another of the same name may exist.",
		applies: everyone, check: signature,
	},
}
