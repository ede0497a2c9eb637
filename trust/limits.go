package trust

import "time"

// Bounds on what is read from outside. Real policies and stores stay far below
// them; whatever is above is refused with an error that says so.
const (
	// maxPolicyBytes bounds a policy file.
	maxPolicyBytes = 1 << 20
	// maxStatements bounds the statements of a policy.
	maxStatements = 10_000
	// maxScopes bounds the scopes of one statement.
	maxScopes = 10_000
	// maxScopeBytes bounds one scope: a host of 255 and a repository of 255.
	maxScopeBytes = 512
	// maxStoreRefs bounds the trust stores of one statement.
	maxStoreRefs = 100
	// maxIdentities bounds the identities of one statement; each is compared
	// with each of the others.
	maxIdentities = 100
	// maxIdentityBytes bounds one trusted identity.
	maxIdentityBytes = 4096
	// maxNameBytes bounds the name of a statement or of a trust store. It is
	// what file systems allow for one path element.
	maxNameBytes = 255
	// maxProblems bounds the errors reported for one policy or one store.
	maxProblems = 20
	// maxIssues bounds the result of Lint.
	maxIssues = 200
	// maxNearMisses bounds the scopes or names offered as "did you mean".
	maxNearMisses = 3

	// maxStoreEntries bounds the entries of one directory of a trust store.
	maxStoreEntries = 10_000
	// maxCertificateFileBytes bounds one certificate file.
	maxCertificateFileBytes = 1 << 20
	// maxCertificatesPerFile bounds the certificates of one file. The bundles
	// of public authorities hold about 150.
	maxCertificatesPerFile = 500
	// maxCertificatesPerStore bounds the certificates of one trust store.
	maxCertificatesPerStore = 2000
	// maxCertificateBytes bounds the DER form of one certificate.
	maxCertificateBytes = 64 << 10
	// maxShownBytes bounds the part of a foreign string that an error shows.
	maxShownBytes = 120

	// expirySoon is how long before its end Lint mentions a trust anchor.
	expirySoon = 90 * 24 * time.Hour
)
