package reason

// Codes of the package promote: reading a whole graph of artifacts, and moving
// it between repositories.
const (
	// The graph at the source.

	PromoteTooMany    Code = "promote.too-many"
	PromoteTooDeep    Code = "promote.too-deep"
	PromoteTooLarge   Code = "promote.too-large"
	PromoteCycle      Code = "promote.cycle"
	PromoteManifest   Code = "promote.manifest"
	PromoteConflict   Code = "promote.conflict"
	PromotePlatform   Code = "promote.platform"
	PromoteUnreadable Code = "promote.unreadable"
	PromoteStranger   Code = "promote.stranger"

	// Copying.

	PromoteSourceRejected      Code = "promote.source-rejected"
	PromoteIncomplete          Code = "promote.incomplete"
	PromoteDestinationRejected Code = "promote.destination-rejected"
	PromoteTag                 Code = "promote.tag"
	PromoteRequired            Code = "promote.required"
	PromoteFinish              Code = "promote.finish"
)

func promoteEntries() []Entry {
	return []Entry{
		{PromoteTooMany, "The artifact has more manifests, referrers or blobs than this program is ready to follow.", "Remove referrers that are no longer needed, narrow the copy by artifact type, or distrust the source."},
		{PromoteTooDeep, "Referrers of referrers, or indexes in indexes, go deeper than this program is ready to follow.", "Distrust the source, or copy the parts one by one."},
		{PromoteTooLarge, "The manifests, or all content together, are larger than this program is ready to copy.", "Check that the reference names what was meant."},
		{PromoteCycle, "The manifests refer to each other in a circle, which cannot be with honest digests.", "Distrust the source."},
		{PromoteManifest, "A manifest is not of the shape that its media type demands, so it cannot be said what belongs to it.", "Have the artifact pushed again by a tool that follows the OCI image specification."},
		{PromoteConflict, "Two manifests give the same blob different sizes.", "Distrust the source, and have the artifact pushed again."},
		{PromotePlatform, "The artifact has no manifest, or more than one, for the platform asked for.", "Name a platform that the index lists, with its variant."},
		{PromoteUnreadable, "A manifest of the artifact, or a list of referrers, could not be read.", "Try again; if it persists, ask who runs the source."},
		{PromoteStranger, "A manifest that was listed as a referrer refers to something else or is gone, and was left out.", "None is needed: it does not belong to the artifact."},
		{PromoteSourceRejected, "The verification at the source said no, or could not decide, so nothing was copied.", "See why with notation verify; an artifact that should pass has to be signed first."},
		{PromoteIncomplete, "Copying stopped half-way; what has arrived is there by its digest, and no tag names it.", "Run it again: what is there is not sent again."},
		{PromoteDestinationRejected, "All has arrived, but the verification at the destination said no, or could not decide, so no tag was moved.", "Check the trust policy of the destination, and that the signatures it asks for were copied."},
		{PromoteTag, "All has arrived, but the tag could not be moved.", "Run it again."},
		{PromoteRequired, "Nothing of a kind that was demanded is attached to the artifact and passes verification, so nothing was copied.", "Have it attached and signed at the source by somebody whom the trust policy trusts."},
		{PromoteFinish, "All has arrived, but what was to be added to it there, such as a signature, was not, so no tag was moved.", "See the cause, and run it again: what is there is not sent again."},
	}
}
