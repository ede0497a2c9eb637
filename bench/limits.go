package main

import "time"

// Bounds of a measurement.
const (
	// maxRounds bounds the rounds of a row, however they are asked for.
	maxRounds = 101
	// minRounds is how many rounds there are even if the time is up: a median
	// needs some.
	minRounds = 3
	// maxReferences bounds the artifacts of a row about many.
	maxReferences = 100_000
	// maxSignatures bounds the signatures of an artifact that has many: their
	// index must stay below the 4 MiB that registries take.
	maxSignatures = 5000
	// maxFileSize bounds, in bytes, the file that is signed and verified.
	maxFileSize = 16 << 30
	// maxRTT bounds the round-trip time.
	maxRTT = 10 * time.Second
	// maxTable bounds, in bytes, a table of contenders.
	maxTable = 1 << 20

	// commandTimeout ends one command that hangs, and buildTimeout one build.
	commandTimeout = 30 * time.Minute
	buildTimeout   = 10 * time.Minute
	// maxOutput is how much, in bytes, is kept of what a command prints.
	maxOutput = 2 << 10

	// parallelPushes is how many artifacts are pushed and signed at once while a
	// registry is filled, and parallelFills how many commands do so.
	parallelPushes = 16
	parallelFills  = 4
)

// operationTime is for how long an operation that takes microseconds is repeated
// to know what it takes.
const operationTime = 20 * time.Millisecond

// copyBuffer is the size in bytes of the pieces in which a file is read.
const copyBuffer = 1 << 20
