package config

// Bounds, in bytes, on files that are read.
const (
	maxSettingsBytes    = 1 << 20
	maxSigningKeysBytes = 4 << 20
	maxPolicyBytes      = 1 << 20

	// MaxCertificateFileBytes bounds a file of certificates, in a trust store
	// or on its way into one.
	MaxCertificateFileBytes = 1 << 20
	// MaxKeyFileBytes bounds a file with a private key.
	MaxKeyFileBytes = 1 << 20

	// maxKeys bounds the entries of signingkeys.json.
	maxKeys = 10_000
	// addTries bounds how often a store is read again because another program
	// has added a file of the same name.
	addTries = 100
	// maxNameBytes bounds the name of a key. With a suffix it stays within the
	// 255 bytes that file systems allow.
	maxNameBytes = 200
)
