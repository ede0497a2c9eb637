package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/notaryv2/notation/bench/internal/process"
)

// Round trips that have to wait for one another whoever does the task, by what
// each needs of the one before.
const (
	// To verify by digest: the listing of signatures, then a signature, unless
	// it is kept from before.
	verifyTrips      = 2
	verifyAgainTrips = 1
	// To sign: the artifact's manifest, whose size is signed; the envelope; the
	// manifest that names it, which a registry takes only once it has that.
	signTrips = 3
	// Without the referrers API the index that names the manifest comes last.
	tagTrips = 1
	// handshakeTrips opens a connection.
	handshakeTrips = 1
)

// A limit is what nobody can be faster than, measured beside the contenders.
type limit struct {
	time time.Duration
	says string
}

// limit measures what bounds a row from below: a process has to start, and then
// comes the work. What can be done at the same time counts as far as it takes
// longest.
func (w *world) limit(ctx context.Context, r row) (limit, error) {
	hello, err := process.Run(ctx, w.runner, process.Command{Line: []string{w.hello}, Dir: w.dir})
	if err != nil {
		return limit{}, err
	}
	work, err := w.workLimit(r)
	if err != nil {
		return limit{}, err
	}
	l := limit{hello.Wall + work.time, "start " + brief(hello.Wall)}
	if work.says != "" {
		l.says += "; " + work.says
	}
	return l, nil
}

// workLimit is the limit without the start.
func (w *world) workLimit(r row) (limit, error) {
	switch r.kind {
	case verifying:
		ops, err := w.authority.verifyOperations()
		trips := verifyTrips
		if r.again {
			trips = verifyAgainTrips
		}
		return w.exchange(r, trips, ops), err
	case signing:
		ops, err := w.authority.signOperation()
		trips := signTrips
		if !w.registry.Kind.ReferrersAPI() {
			trips += tagTrips
		}
		return w.exchange(r, trips, ops), err
	case signingFile, verifyingFile:
		return w.fileLimit()
	default:
		return limit{}, nil
	}
}

// exchange is the limit of a task that talks to a registry. All artifacts share
// the round trips, and every processor works at the operations.
func (w *world) exchange(r row, trips int, ops time.Duration) limit {
	waits := time.Duration(trips+handshakeTrips) * r.rtt
	says := "public-key operations " + brief(ops)
	n := r.artifacts(w.config)
	if n > 1 {
		says = fmt.Sprintf("%d times public-key operations %s on %d processors", n, brief(ops), runtime.GOMAXPROCS(0))
	}
	return limit{
		time: max(waits+ops, ops*time.Duration(n)/time.Duration(runtime.GOMAXPROCS(0))),
		says: fmt.Sprintf("a connection and round trips in a row, %d: %v; %s", trips, waits, says),
	}
}

// fileLimit reads the file, and hashes it, each in one pass of its own.
func (w *world) fileLimit() (limit, error) {
	read, err := pass(w.file, io.Discard)
	if err != nil {
		return limit{}, err
	}
	hash, err := pass(w.file, sha256.New())
	if err != nil {
		return limit{}, err
	}
	hash = max(hash-read, 0)
	return limit{time: max(read, hash), says: fmt.Sprintf("sequential read %s, SHA-256 %s", brief(read), brief(hash))}, nil
}

// pass times one pass over a file.
func pass(path string, to io.Writer) (time.Duration, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	begin := time.Now()
	// Without the methods by which the file itself would copy.
	_, err = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{f}, make([]byte, copyBuffer))
	return time.Since(begin), err
}
