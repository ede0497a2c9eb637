// Package config knows the configuration directory: where it is, which files
// it holds, and how they are read and changed.
//
// [Locate] finds the directories once, from an environment handed in, and
// returns them as a value, [Dirs]; nothing here is global, so that tests and
// programs may have several side by side. Methods of Dirs that read never
// write: not a directory, not a lock. A missing file reads as an empty one,
// but for the trust policy, without which nothing is trusted.
//
// What reads is strict, because a misspelt member of a security setting must
// not pass for its absence. The one exception is signingkeys.json, which other
// programs of the field edit too: members that are not known here are kept
// when it is changed.
//
// What writes goes through internal/atomicfile: atomic, under a lock where an
// old content counts, secrets 0600 and directories 0700 under any umask.
//
// The files, in {CONFIG}:
//
//	config.json                      [Settings]
//	signingkeys.json                 [SigningKeys]
//	localkeys/NAME.key, .crt         test keys and their certificates
//	certificate/NAME.crt             the test certificate once more
//	truststore/x509/TYPE/STORE/      trust stores, read by package trust
//	trustpolicy.oci.json             the trust policy; older name trustpolicy.json
package config
