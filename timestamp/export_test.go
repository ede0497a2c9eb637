package timestamp

// ParseResponse is parseResponse, for the fuzz test.
func ParseResponse(body []byte) ([]byte, error) { return parseResponse(body) }
