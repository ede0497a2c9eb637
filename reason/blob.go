package reason

// Codes of reading files that are signed or verified.
const (
	BlobChanged Code = "blob.changed"
)

func blobEntries() []Entry {
	return []Entry{
		{BlobChanged, "A file was changed or replaced while it was read.", "Wait until nothing writes to the file, then try again."},
	}
}
