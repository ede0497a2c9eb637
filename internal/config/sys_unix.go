//go:build unix

package config

// hasModes says that a file's permission bits decide who may read and write
// it.
const hasModes = true
