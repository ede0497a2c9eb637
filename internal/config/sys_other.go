//go:build !unix

package config

// hasModes says that a file's permission bits tell nothing here: access lists
// decide.
const hasModes = false
