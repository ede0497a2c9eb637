package reason

// Codes of the package prune.
const (
	PruneOptions Code = "prune.options"
)

func pruneEntries() []Entry {
	return []Entry{
		{PruneOptions, "Nothing says which signatures are to be removed, or from what.", "Ask for expired or untrusted ones, or say how many to keep of each signer."},
	}
}
