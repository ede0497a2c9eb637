package reason

// Trust policies: the file.
const (
	PolicyTooLarge        Code = "policy.too-large"
	PolicySyntax          Code = "policy.syntax"
	PolicyVersion         Code = "policy.version"
	PolicyEmpty           Code = "policy.empty"
	PolicyName            Code = "policy.name"
	PolicyLevel           Code = "policy.level"
	PolicyOverride        Code = "policy.override"
	PolicyVerifyTimestamp Code = "policy.verify-timestamp"
	PolicyIndexCovers     Code = "policy.index-covers"
	PolicyScope           Code = "policy.scope"
	PolicyScopeTwice      Code = "policy.scope-twice"
	PolicyScopeAlias      Code = "policy.scope-alias"
	PolicyStore           Code = "policy.store"
	PolicyIdentity        Code = "policy.identity"
	PolicyOverlap         Code = "policy.identity-overlap"
	PolicySkip            Code = "policy.skip"
	PolicyGlobal          Code = "policy.global"
)

// Trust policies: which statement applies.
const (
	PolicyNoStatement    Code = "policy.no-statement"
	PolicyDecidesNothing Code = "policy.decides-nothing"
)

// Trust policies: what lint finds.
const (
	PolicySkips             Code = "policy.skips"
	PolicyLogsOnly          Code = "policy.logs-only"
	PolicyIndexCoversMany   Code = "policy.index-covers-manifests"
	PolicyNewerVersion      Code = "policy.newer-version"
	PolicyRevocationOff     Code = "policy.revocation-off"
	PolicyAnyIdentity       Code = "policy.any-identity"
	PolicyAnyScope          Code = "policy.any-scope"
	PolicyIdentityUnmatched Code = "policy.identity-unmatched"
	PolicyNoCAStore         Code = "policy.no-ca-store"
	PolicyNoTimestamp       Code = "policy.no-timestamp"
	PolicyTimestampUnused   Code = "policy.timestamp-unused"
	PolicyTimestampLate     Code = "policy.timestamp-late"
	PolicyNoGlobal          Code = "policy.no-global"
)

// Trust stores.
const (
	StoreName        Code = "store.name"
	StoreNotFound    Code = "store.not-found"
	StoreEmpty       Code = "store.empty"
	StoreUnreadable  Code = "store.unreadable"
	StoreNotRegular  Code = "store.not-regular"
	StoreTooLarge    Code = "store.too-large"
	StoreCertificate Code = "store.certificate"
	StorePrivateKey  Code = "store.private-key"
	StoreAnchor      Code = "store.anchor"
	StoreIgnored     Code = "store.ignored"
	StoreWritable    Code = "store.writable"
	StoreExpired     Code = "store.expired"
	StoreExpiresSoon Code = "store.expires-soon"
	StoreNotYetValid Code = "store.not-yet-valid"
	StoreNoCA        Code = "store.no-ca"
)

// trustEntries documents the codes of package trust.
func trustEntries() []Entry { return append(policyEntries(), storeEntries()...) }

func policyEntries() []Entry {
	return []Entry{
		{PolicyTooLarge, "The policy file, or a list in it, is larger than the bounds allow.", "Remove what is not used, or split the statement."},
		{PolicySyntax, "The policy is not strict JSON of the expected form: a member is unknown, in another case or given twice, or a value has the wrong type.", "Correct the line that the message names; specs/trust-policy.md describes the file."},
		{PolicyVersion, "The policy has no version or one that this release does not know.", "Write version 1.0 or 1.1, or use a newer release."},
		{PolicyEmpty, "The policy has no statement.", "Add a statement; without any, nothing is trusted."},
		{PolicyName, "A statement's name is missing, taken by another statement, too long or not printable.", "Give each statement a name of its own."},
		{PolicyLevel, "The verification level is missing or unknown.", "Choose strict, permissive, audit or skip."},
		{PolicyOverride, "An override names a check that cannot be overridden, or an action that the check does not allow.", "Override authenticity, authenticTimestamp and expiry by enforce or log, and revocation by enforce, log or skip."},
		{PolicyIndexCovers, "The value of indexCovers is unknown, or it stands in a policy of version 1.0 or for files.", "Write itself or manifests, in a policy for artifacts of version 1.1."},
		{PolicyVerifyTimestamp, "The value of verifyTimestamp is unknown.", "Write always or afterCertExpiry."},
		{PolicyScope, "A scope is missing, is no fully qualified repository, or is * beside others.", "Write registry/repository without tag or digest, or * alone."},
		{PolicyScopeTwice, "A scope stands in more than one place, so that two statements could apply.", "Keep it in one statement."},
		{PolicyScopeAlias, "A repository is spelled otherwise than in the statement that names it, for example with a default port.", "Use one spelling in references and in the policy."},
		{PolicyStore, "The trust stores of a statement are missing, malformed, named twice or only of type tsa.", "Name at least one store as ca:NAME or signingAuthority:NAME."},
		{PolicyIdentity, "A trusted identity is missing, is no distinguished name with C, ST and O, or is * beside others; or the subject of a certificate cannot be compared with it.", "Copy the subject of the signing certificate after x509.subject:, or write * alone."},
		{PolicyOverlap, "Of two trusted identities of a statement, one covers the other.", "Keep one of them, or add an attribute in which they differ."},
		{PolicySkip, "A statement of level skip is customised, global or holds for *.", "Keep only its name, its level and the repositories that it is meant for."},
		{PolicyGlobal, "More than one blob statement is global.", "Keep globalPolicy in one statement."},
		{PolicyNoStatement, "No statement of the trust policy applies to the artifact or blob, or there is no policy of that kind.", "Add the repository to a statement, or name a blob statement that is there; policy explain shows why each one does not apply."},
		{PolicyDecidesNothing, "No statement of the trust policy applies, or one that says skip, so that good signatures cannot be told from others.", "Give the trust policy a statement for the repository that says whom to trust."},
		{PolicySkips, "A statement verifies nothing.", "Choose strict once signatures are in place."},
		{PolicyIndexCoversMany, "The signature of an index covers every manifest that it lists.", "Write itself if each image is to have a signature of its own."},
		{PolicyNewerVersion, "The policy has version 1.1 and makes no use of it.", "Write version 1.0, which more programs read."},
		{PolicyLogsOnly, "The failure of a check is logged and does not reject.", "Choose level strict, or remove the override, unless it is meant so."},
		{PolicyRevocationOff, "Certificates are not checked for revocation.", "Write log instead of skip."},
		{PolicyAnyIdentity, "Anyone to whom a trusted authority has issued a certificate may sign.", "Name the subjects that may sign."},
		{PolicyAnyScope, "The same wide set of signers may sign for every repository.", "Name the repositories, or the identities, or both."},
		{PolicyIdentityUnmatched, "No certificate that the trust stores can lead to has the subject of this identity.", "Copy the subject of the signing certificate."},
		{PolicyNoCAStore, "No trust store is of type ca, so that ordinary signatures are rejected.", "Add a store of type ca."},
		{PolicyNoTimestamp, "No trust store is of type tsa, so that signatures end with their certificates.", "Add a store of type tsa if signatures are time-stamped."},
		{PolicyTimestampUnused, "A tsa store or verifyTimestamp has no effect.", "Remove it, or add the store that it needs."},
		{PolicyTimestampLate, "Time stamps are verified only after a certificate has expired.", "Write always to find a bad time stamp at once."},
		{PolicyNoGlobal, "No blob statement is global.", "Set globalPolicy in the statement that is to hold by default."},
	}
}

func storeEntries() []Entry {
	return []Entry{
		{StoreName, "The name or type of a trust store is not allowed.", "Use ca, signingAuthority or tsa, and a name of letters, digits and the characters _ . - that does not end in a dot."},
		{StoreNotFound, "There is no such trust store.", "Add a certificate to it with cert add, or correct the name in the policy."},
		{StoreEmpty, "The trust store holds no certificate.", "Add a certificate to it with cert add."},
		{StoreUnreadable, "A file or directory of a trust store cannot be read.", "Check that it is there and that you may read it."},
		{StoreNotRegular, "A certificate file or a trust store is a link, a pipe or another special file.", "Put the file or directory itself in its place; on Kubernetes mount each file by itself with subPath, or copy the files."},
		{StoreTooLarge, "A certificate, a file or a trust store is larger than the bounds allow.", "Check that it is the right file; trust fewer roots."},
		{StoreCertificate, "A file holds no certificate in PEM or DER, or one that is damaged.", "Get the certificate again, or convert it to PEM."},
		{StorePrivateKey, "A file that should hold certificates holds a private key.", "Move the key away, give the certificate alone, and replace the key if others may have read it."},
		{StoreAnchor, "A certificate cannot be a trust anchor, because it is not self-signed, is signed with a weak algorithm or, in a tsa store, is no CA certificate.", "Add the root certificate instead."},
		{StoreIgnored, "An entry among the trust stores is ignored.", "Remove it, or give it a name that ends in .pem, .crt or .cer."},
		{StoreWritable, "A trust store or a file in it can be written by others than its owner.", "Take the permission away with chmod go-w."},
		{StoreExpired, "A trust anchor has expired.", "Add the new root; keep the old one only for signatures with a time stamp."},
		{StoreExpiresSoon, "A trust anchor expires within 90 days.", "Add the new root before that day."},
		{StoreNotYetValid, "A trust anchor is not valid yet.", "Check the clock, or wait."},
		{StoreNoCA, "A trust anchor is no CA certificate and vouches for one key only.", "Nothing need be done if that is meant."},
	}
}
