package atomicfile

import (
	"io/fs"
	"time"
)

// Modes of what the project writes, set under any umask.
const (
	ModeSecret fs.FileMode = 0o600 // private keys and what names them
	ModePublic fs.FileMode = 0o644 // certificates and policies
	ModeDir    fs.FileMode = 0o700
)

const (
	// maxUpdate bounds, in bytes, the file that Update reads.
	maxUpdate = 4 << 20
	// lockWait bounds how long Update waits for another program's lock.
	lockWait = 30 * time.Second
	// lockRetry is the time between two tries to take the lock.
	lockRetry = 5 * time.Millisecond

	// readTries is how often a file is looked at that is replaced each time.
	readTries = 100
	// tempTries bounds the names tried for a temporary file.
	tempTries = 100
	// tempRandom is the number of random characters in such a name.
	tempRandom = 8
	tempSuffix = ".tmp"
)
