//go:build !unix

package cli_test

// specialFiles are a matter of Unix.
func specialFiles() map[string]func(path string) error { return nil }
