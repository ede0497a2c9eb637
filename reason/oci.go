package reason

// Codes of the packages oci and oci/layout: references, descriptors, signature
// manifests and image layouts. What only a registry can do wrong is "registry.*".
const (
	// References.

	OCIReference           Code = "oci.reference"
	OCIReferenceIncomplete Code = "oci.reference-incomplete"
	OCIRepositoryName      Code = "oci.repository-name"
	OCITagMismatch         Code = "oci.tag-mismatch"

	// Content.

	OCINotFound        Code = "oci.not-found"
	OCIDescriptor      Code = "oci.descriptor"
	OCIDigestAlgorithm Code = "oci.digest-algorithm"
	OCIDigestMismatch  Code = "oci.digest-mismatch"
	OCISizeMismatch    Code = "oci.size-mismatch"
	OCITooLarge        Code = "oci.too-large"
	OCIRead            Code = "oci.read"

	// Manifests.

	OCIManifest        Code = "oci.manifest"
	OCIManifestType    Code = "oci.manifest-type"
	OCINotSignature    Code = "oci.not-signature"
	OCIConfig          Code = "oci.config"
	OCILayers          Code = "oci.layers"
	OCISubjectMismatch Code = "oci.subject-mismatch"
	OCIEnvelopeType    Code = "oci.envelope-type"
	OCIInlineData      Code = "oci.inline-data"
	OCIThumbprints     Code = "oci.thumbprints"
	OCIAttachment      Code = "oci.attachment"
	OCINotListed       Code = "oci.not-listed"
	OCIInUse           Code = "oci.in-use"
	OCIIndex           Code = "oci.index"
	OCIIndexLimit      Code = "oci.index-limit"

	// Image layouts.

	OCILayout        Code = "oci.layout"
	OCILayoutVersion Code = "oci.layout-version"
	OCILayoutIndex   Code = "oci.layout-index"
	OCILayoutEntry   Code = "oci.layout-entry"
	OCILayoutFile    Code = "oci.layout-file"
	OCILayoutTar     Code = "oci.layout-tar"
	OCILayoutWrite   Code = "oci.layout-write"
	OCILayoutLock    Code = "oci.layout-lock"
)

func ociEntries() []Entry {
	return append(append(ociReferenceEntries(), ociManifestEntries()...), ociLayoutEntries()...)
}

func ociReferenceEntries() []Entry {
	return []Entry{
		{OCIReference, "The reference does not follow the grammar host[:port]/repository[:tag][@digest], or PATH:tag or PATH@digest for an image layout.", "Correct the reference as the hint says."},
		{OCIReferenceIncomplete, "The reference names a repository or layout, but neither a tag nor a digest in it.", "Add :tag or, better, @digest."},
		{OCIRepositoryName, "The text is not a fully qualified repository without tag, digest or wildcard.", "Write registry/repository, as in docker.io/library/alpine."},
		{OCITagMismatch, "The reference holds a tag and a digest, and the tag names something else.", "Find out why the tag has moved; drop the tag to go by the digest alone."},
		{OCINotFound, "The registry or layout has no such manifest or blob.", "Check the spelling of the repository, the tag and the digest."},
		{OCIDescriptor, "A descriptor lacks its media type, or its digest or size is not valid.", "Have the artifact pushed again by a tool that follows the OCI image specification."},
		{OCIDigestAlgorithm, "The digest's algorithm is not sha256, sha384 or sha512.", "Use a digest of one of these algorithms."},
		{OCIDigestMismatch, "The content is not what its digest says.", "Fetch or copy the artifact again; if it happens again, distrust the source."},
		{OCISizeMismatch, "The content is shorter or longer than its descriptor says.", "Fetch or copy the artifact again; if it happens again, distrust the source."},
		{OCITooLarge, "Something is larger than this program is ready to read.", "Check that the reference names what was meant."},
		{OCIRead, "The content could not be read to its end.", "Check who may read it, and the disk, then try again."},
	}
}

func ociManifestEntries() []Entry {
	return []Entry{
		{OCIManifest, "The manifest is not strict JSON of the expected shape.", "Have the artifact signed again; remove the broken manifest."},
		{OCIManifestType, "The manifest's media type is none that can hold a signature.", "Check that the digest names a signature manifest."},
		{OCINotSignature, "The manifest's artifact type says that it is no signature.", "None is needed: it is another referrer of the artifact."},
		{OCIConfig, "The config of the signature manifest contradicts its artifact type.", "Have the artifact signed again; remove the broken manifest."},
		{OCILayers, "The signature manifest does not hold exactly one layer.", "Have the artifact signed again; remove the broken manifest."},
		{OCISubjectMismatch, "The manifest claims another subject than the artifact in question, or none.", "Have the artifact signed again; a signature cannot be moved to another artifact."},
		{OCIEnvelopeType, "The layer's media type is not that of a JWS or COSE signature envelope.", "Have the artifact signed again by a tool that writes JWS or COSE."},
		{OCIInlineData, "The data inside a descriptor is not what its size and digest say.", "Distrust this manifest and who pushed it; have the artifact signed again."},
		{OCIThumbprints, "The annotation of certificate thumbprints is not a short JSON array of SHA-256 values in lower-case hex.", "None is needed: the annotation is a hint, and is ignored."},
		{OCIAttachment, "The signature cannot be packed into a manifest as asked.", "Check the annotations and the size of the envelope."},
		{OCINotListed, "What was just written is not among the referrers of its subject.", "Try again; another program may have overwritten the list at the same time."},
		{OCIIndex, "An index has the content of an image as well, or gives one manifest two sizes or media types.", "Distrust it, and have it pushed again by a tool that follows the OCI image specification."},
		{OCIIndexLimit, "An index has more manifests, or indexes in indexes, than this program is ready to follow.", "Check that the reference names what was meant; name its parts one by one."},
		{OCIInUse, "The manifest is part of an index, which would be broken without it.", "Delete the index first, or leave the manifest."},
	}
}

func ociLayoutEntries() []Entry {
	return []Entry{
		{OCILayout, "The path is no OCI image layout directory or tarball.", "Name a directory that holds oci-layout and index.json, or a .tar of one."},
		{OCILayoutVersion, "The image layout's version is not 1.0.x.", "Write the layout again with a tool that follows the OCI image specification."},
		{OCILayoutIndex, "An index of the image layout is malformed, nested too deeply or ambiguous.", "Repair the index, or copy the artifact into a new layout."},
		{OCILayoutEntry, "The image layout names a manifest that is missing, broken or nested too deeply, and may be a signature.", "Copy the artifact into a new layout with its signatures, or remove the entry from the index."},
		{OCILayoutFile, "A file of the image layout is a symbolic link, a directory or a special file.", "Copy the artifact into a new layout; do not use this one if you do not trust who made it."},
		{OCILayoutTar, "The tarball holds an entry that an image layout must not hold.", "Write the tarball again from the layout directory, with plain files only."},
		{OCILayoutWrite, "The image layout could not be written; it is as it was before.", "Check permissions and free space, then try again."},
		{OCILayoutLock, "The image layout is locked by another program.", "Wait until the other program has ended, then try again."},
	}
}
