//go:build !unix

package revocation

func device(string) uint64 { return 0 }
