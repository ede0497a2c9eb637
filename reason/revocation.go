package reason

func revocationEntries() []Entry { return nil }
