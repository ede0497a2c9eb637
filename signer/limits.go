package signer

// Bounds on what is read, in bytes. A PEM key of RSA 4096 has 3 KiB, and the
// chain of ten certificates of 64 KiB each that the certificate rules allow has
// less than 1 MiB in PEM.
const (
	maxKeyPEM   = 64 << 10
	maxChainPEM = 1 << 20
)

// chainMemory is how much memory in bytes what is known about the certificates
// of one signer may take.
const chainMemory = 1 << 20
