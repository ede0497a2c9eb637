package reason

func pluginEntries() []Entry { return nil }
