package reason

// Codes of fetching the files of an artifact.
const (
	PullManifest Code = "pull.manifest"
	PullNoFiles  Code = "pull.no-files"
	PullFileName Code = "pull.file-name"
)

func pullEntries() []Entry {
	return []Entry{
		{PullManifest, "The list of files in an artifact's manifest is malformed, or too long.", "Have the artifact pushed again."},
		{PullNoFiles, "The artifact holds no files with names.", "Name an artifact that files were attached as; see 'notation discover'."},
		{PullFileName, "A file of the artifact has a name that is not safe to write, or two have the same.", "Distrust the artifact, or ask whoever made it to give its files plain names."},
	}
}
