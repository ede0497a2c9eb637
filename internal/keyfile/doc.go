// Package keyfile reads and writes what a signer keeps in files before it can
// sign: private keys under a pass phrase, PKCS#12 files, requests for
// certificates, and chains that somebody handed over in pieces.
//
// [Decrypt] turns an encrypted key in PEM into a clear one, which package signer
// reads; [Encode] writes one. Both speak PBES2 (RFC 8018, section 6.2) and
// nothing older. [OpenPKCS12] reads a PKCS#12 file (RFC 7292). [Complete] finds
// the chain of a key among certificates in any order. [Request] writes a PKCS#10
// request (RFC 2986).
//
// A key file may come from a stranger, as a test of a pipeline on its pull
// requests has it, and it says itself how long a key is to be derived. What it
// asks for is looked at before it is done, and refused beyond the bounds of
// limits.go.
//
// Errors have the codes signer.*. No error holds a pass phrase or a part of a
// key.
package keyfile
