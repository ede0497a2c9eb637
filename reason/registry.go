package reason

// Codes of the package oci/remote: what only a registry, or the way to it, can
// do wrong. Faults of references and content are "oci.*".
const (
	// The way to the registry.

	RegistryUnreachable Code = "registry.unreachable"
	RegistryTimeout     Code = "registry.timeout"
	RegistryInterrupted Code = "registry.interrupted"
	RegistryUnavailable Code = "registry.unavailable"
	RegistryTLS         Code = "registry.tls"
	RegistryPlainHTTP   Code = "registry.plain-http"
	RegistryRedirect    Code = "registry.redirect"
	RegistryResponse    Code = "registry.response"

	// Who is asking.

	RegistryUnauthorized Code = "registry.unauthorized"
	RegistryDenied       Code = "registry.denied"
	RegistryRealm        Code = "registry.realm"
	RegistryCredentials  Code = "registry.credentials"

	// Removing.

	RegistryDeleteRefused Code = "registry.delete-refused"
	RegistryStillListed   Code = "registry.still-listed"

	// Referrers.

	RegistryListing           Code = "registry.listing"
	RegistryListingEntry      Code = "registry.listing-entry"
	RegistryNoListing         Code = "registry.no-listing"
	RegistryReferrersTag      Code = "registry.referrers-tag"
	RegistryIndexFull         Code = "registry.index-full"
	RegistryLostUpdate        Code = "registry.lost-update"
	RegistryPushRefused       Code = "registry.push-refused"
	RegistryNotFoundAfterPush Code = "registry.signature-not-found-after-push"

	// Repositories.

	RegistryNoCatalog Code = "registry.no-catalog"
)

func registryEntries() []Entry {
	return []Entry{
		{RegistryUnreachable, "No connection to the registry came about, or it broke off.", "Check the registry's name, the network and the proxy settings."},
		{RegistryTimeout, "The registry did not answer in the time that it was given, or stalled.", "Try again; allow more time with --timeout."},
		{RegistryInterrupted, "The request was given up before the registry had answered, for example with Ctrl-C.", "Run it again."},
		{RegistryUnavailable, "The registry or its token service has too many requests or a fault of its own, also after several tries.", "Try again later."},
		{RegistryTLS, "No trusted TLS connection to the registry came about.", "Give the registry's root certificate with --ca-file, or a client certificate with --tls-cert-file and --tls-key-file."},
		{RegistryPlainHTTP, "The registry speaks plain HTTP where TLS was expected.", "If its network is trusted, allow plain HTTP with --insecure-registry."},
		{RegistryRedirect, "The registry redirects to where a request must not go.", "Name the registry by its own address, or ask its operator."},
		{RegistryResponse, "The registry answered something that the protocol does not allow.", "Check that the host is an OCI registry; look at the requests with --debug."},
		{RegistryUnauthorized, "The registry asks for a login, or refuses the one it got.", "Log in with notation login."},
		{RegistryDenied, "The registry does not allow this to the login that was used, or to anybody without one.", "Log in as somebody who may do it."},
		{RegistryRealm, "The registry names a token service to which credentials must not be sent.", "Have the registry name a token service over HTTPS."},
		{RegistryCredentials, "A login could not be looked up, kept or removed.", "Check Docker's config.json and the credential helper that is named there or in notation's config.json."},
		{RegistryDeleteRefused, "The registry does not let anybody remove manifests, or not this one.", "Have its operator allow deletion, or remove the manifest with the registry's own tools."},
		{RegistryStillListed, "The registry has deleted a manifest and still lists it.", "List again in a minute; if it persists, ask the registry's operator."},
		{RegistryListing, "A list of referrers, repositories or tags is malformed, does not end or leads astray, so that it may be incomplete.", "Try again; if it persists, ask the registry's operator."},
		{RegistryListingEntry, "An entry of a list of referrers, repositories or tags cannot be used; if it may be what was asked for, the list is incomplete.", "Have what the entry names pushed again, or the entry removed."},
		{RegistryNoListing, "The request for referrers was answered with a page that is no list; if no other place has a list, nothing is known.", "Check for a proxy or a captive portal; have the registry answer 404 for paths that it does not know."},
		{RegistryReferrersTag, "The tag under which referrers are listed holds something else, which is not overwritten.", "Remove or move that tag, or use a registry with the referrers API."},
		{RegistryIndexFull, "The index under the referrers tag would become longer than registries take.", "Remove signatures that are no longer needed, or use a registry with the referrers API."},
		{RegistryLostUpdate, "Others overwrote the referrers tag each time that it was written.", "Try again when fewer others write to this artifact."},
		{RegistryPushRefused, "The registry does not accept what was to be pushed.", "Check that the registry accepts OCI artifacts in this repository."},
		{RegistryNotFoundAfterPush, "The signature was pushed, but a verifier would not find it.", "Sign again; try --force-referrers-tag."},
		{RegistryNoCatalog, "The registry does not list its repositories, or not for this login.", "Give the repositories in a list."},
	}
}
