package reason

// What lint commands and doctor end with.
const (
	UsageCertUnusable Code = "usage.certificate-unusable"
	UsageKeyUnusable  Code = "usage.key-unusable"
	UsageProblems     Code = "usage.problems"
)

// What lint commands and doctor find that no other area has a code for.
const (
	DoctorUndecided          Code = "doctor.undecided"
	DoctorMode               Code = "doctor.mode"
	DoctorIncompleteChain    Code = "doctor.incomplete-chain"
	DoctorExpiresSoon        Code = "doctor.expires-soon"
	DoctorNoRevocationSource Code = "doctor.no-revocation-source"
	DoctorLongValidity       Code = "doctor.long-validity"
	DoctorIncompleteSubject  Code = "doctor.incomplete-subject"
	DoctorAlgorithmUnknown   Code = "doctor.algorithm-unknown"
	DoctorUnusedStore        Code = "doctor.unused-store"
	DoctorClock              Code = "doctor.clock"
	DoctorClockUnchecked     Code = "doctor.clock-unchecked"
	DoctorDirectory          Code = "doctor.directory"
	DoctorTimestampURL       Code = "doctor.timestamp-url"
	DoctorTimestampRoots     Code = "doctor.timestamp-roots"
	DoctorProxy              Code = "doctor.proxy"
	DoctorPlainHTTP          Code = "doctor.plain-http"
	DoctorAnonymous          Code = "doctor.anonymous"
	DoctorReferrers          Code = "doctor.referrers"
	DoctorMany               Code = "doctor.many"
)

func doctorEntries() []Entry {
	return []Entry{
		{UsageCertUnusable, "A file of certificates can be used for nothing, or not for the purpose asked about.", "Correct the faults that 'notation cert lint' shows."},
		{UsageKeyUnusable, "A key cannot sign as it is.", "Correct what 'notation key lint' shows as problem."},
		{UsageProblems, "The configuration has problems.", "Correct what 'notation doctor' shows as problem."},

		{DoctorUndecided, "No problem was found in the configuration, but not everything could be looked at, the registry above all.", "See what is shown as problem, and run the command again."},
		{DoctorMode, "A file or directory can be read or changed by users who should not.", "Take the permission away with chmod."},
		{DoctorIncompleteChain, "A file holds a signing certificate without its issuers.", "Add the issuers, root last, before a key is listed with the file."},
		{DoctorExpiresSoon, "A certificate expires within 30 days.", "Have it renewed."},
		{DoctorNoRevocationSource, "A certificate names nobody who could say that it is revoked.", "Ask the authority for a certificate with an OCSP responder or a revocation list."},
		{DoctorLongValidity, "A certificate is valid for an unusually long time.", "Use a shorter validity and time stamps."},
		{DoctorIncompleteSubject, "The subject of a certificate lacks C, ST or O, so that no trusted identity but * can match it.", "Ask for a certificate whose subject has all three."},
		{DoctorAlgorithmUnknown, "A plugin makes whole envelopes and does not tell the algorithm of its key.", "Nothing need be done; signing shows it."},
		{DoctorUnusedStore, "No trust policy names a trust store.", "Name it in trustStores, or delete it."},
		{DoctorClock, "The clock of this machine is probably wrong.", "Set it; validity and expiry are judged by it."},
		{DoctorClockUnchecked, "The clock of this machine could not be compared with another.", "Give 'notation doctor' a reference to an artifact in a registry."},
		{DoctorDirectory, "A directory is not known, is no directory, or cannot be used.", "Check its path and its permissions."},
		{DoctorTimestampURL, "An address in timestampUrls is no address of a time-stamping authority.", "Write an http or https URL with a host."},
		{DoctorTimestampRoots, "Time stamps are configured without root certificates that can be used, or the reverse.", "Set both timestampUrls and timestampRootCerts."},
		{DoctorProxy, "The environment names a proxy, perhaps in a way that cannot be used.", "Nothing need be done if it is meant."},
		{DoctorPlainHTTP, "The registry is spoken to in plain HTTP.", "Use HTTPS, but for a registry on this machine."},
		{DoctorAnonymous, "No login was found, or the registry does not ask for one.", "Log in with 'notation login' if the registry asks for it."},
		{DoctorReferrers, "The registry has no referrers API, or the artifact no referrer.", "Nothing need be done: the referrers tag serves instead."},
		{DoctorMany, "There is more than is looked at one by one.", "Remove what is not needed, or look at the rest with the lint commands."},
	}
}
