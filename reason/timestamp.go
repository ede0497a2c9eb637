package reason

func timestampEntries() []Entry { return nil }
