package layout

import "time"

// Bounds on what a layout may hold. Sizes are in bytes. Manifests and
// envelopes have the bounds of package oci.
const (
	maxVersionSize   = 4 << 10   // of the file oci-layout
	maxIndexSize     = 16 << 20  // of index.json
	maxIndexDepth    = 4         // of indexes below index.json
	maxIndexes       = 1_000     // indexes read for one listing
	maxManifests     = 20_000    // manifests read for one listing
	maxListingSize   = 1 << 30   // of the manifests read for one listing
	maxWarnings      = 100       // of one listing
	maxTarEntries    = 200_000   // entries of a tarball
	maxTarSize       = 256 << 30 // of a tarball
	maxTarNameLength = 4096      // bytes of an entry's name
	tarBlock         = 512       // POSIX.1-2024, pax, "ustar Interchange Format"

	lockWait  = time.Minute          // for another program to release the lock
	lockRetry = 5 * time.Millisecond // between two tries to take it

	tempTries = 100     // names tried for a temporary file
	openTries = 100     // tries to open a file that others replace
	maxSwept  = 100_000 // entries of a directory looked at for what a crash has left

	blobTries   = 4                      // tries to read a blob from its source
	blobBackOff = 250 * time.Millisecond // before the second; doubles
	copyBuffer  = 256 << 10              // in which a blob is received
	partAge     = time.Hour              // after which a blob that nobody writes any more is nobody's
)
