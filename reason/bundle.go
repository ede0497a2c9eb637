package reason

// Codes of bundles, which carry artifacts into other networks.
const (
	BundleExists   Code = "bundle.exists"
	BundleTwice    Code = "bundle.twice"
	BundleNone     Code = "bundle.none"
	BundleManifest Code = "bundle.manifest"
	BundleContents Code = "bundle.contents"
	BundleEvidence Code = "bundle.evidence"
	BundleNoTrust  Code = "bundle.no-trust"
	BundleTrust    Code = "bundle.trust"
	BundleLacking  Code = "bundle.lacking"
)

func bundleEntries() []Entry {
	return []Entry{
		{BundleExists, "Where a bundle, or what is taken out of one, was to be written, something is already.", "Name another path, or remove what is there."},
		{BundleTwice, "An artifact was to be put into a bundle twice.", "Name it once."},
		{BundleNone, "The image layout is no bundle: nothing in it says what it holds.", "Make bundles with notation bundle export; notation copy reads any layout."},
		{BundleManifest, "A manifest by which a bundle describes itself is not of its type, or malformed.", "Have the bundle made anew."},
		{BundleContents, "The list of what is in a bundle is malformed, of another version, or names what is not there.", "Have the bundle made anew."},
		{BundleEvidence, "An answer about revocation in an image layout could not be read, and was left out.", "None is needed if the verification passes without it; otherwise have newer answers carried along."},
		{BundleNoTrust, "The bundle holds no trust policy.", "Have the policy brought along in another way, or the bundle made with --with-trust."},
		{BundleTrust, "The trust policy and stores in a bundle, or that were to be put into one, cannot be used.", "Check them with notation policy lint where they come from, and have the bundle made anew."},
		{BundleLacking, "What was collected for a bundle would not suffice to verify an artifact where nobody can be asked.", "See the reason; an authority whose answers hold for too short a time, or cannot be had, has to be asked for better ones."},
	}
}
