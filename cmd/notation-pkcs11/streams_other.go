//go:build !unix

package main

import (
	"io"
	"os"
)

// protocolStreams returns the streams as they are: a library's own cannot be
// pointed elsewhere here.
func protocolStreams(bool) (stdout, stderr io.Writer) { return os.Stdout, os.Stderr }
