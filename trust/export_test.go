package trust

// What the tests of package trust_test need to know.
const (
	MaxPolicyBytes          = maxPolicyBytes
	MaxStatements           = maxStatements
	MaxScopes               = maxScopes
	MaxScopeBytes           = maxScopeBytes
	MaxStoreRefs            = maxStoreRefs
	MaxIdentities           = maxIdentities
	MaxIdentityBytes        = maxIdentityBytes
	MaxNameBytes            = maxNameBytes
	MaxProblems             = maxProblems
	MaxIssues               = maxIssues
	MaxStoreEntries         = maxStoreEntries
	MaxCertificateFileBytes = maxCertificateFileBytes
	MaxCertificatesPerFile  = maxCertificatesPerFile
	MaxCertificatesPerStore = maxCertificatesPerStore
	MaxCertificateBytes     = maxCertificateBytes
)

var (
	Distance = distance
	Show     = show
	Dotted   = func(p string) string { return pointer(p).String() }
)
