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

	// maxAnswer bounds, in bytes, what is read of a registry's answer to a push.
	maxAnswer = 2 << 10

	// parallelPushes is how many artifacts are pushed at once while a registry is
	// filled, parallelSigns how many are signed, nearly all of which wait for their
	// listing to be settled, and parallelFills how many commands sign.
	parallelPushes = 16
	parallelSigns  = 64
	parallelFills  = 4
	// perRepository is how many artifacts lie in one repository. Some registries
	// look at all manifests of a repository for each listing.
	perRepository = 100
)

// operationTime is for how long an operation that takes microseconds is repeated
// to know what it takes.
const operationTime = 20 * time.Millisecond

// copyBuffer is the size in bytes of the pieces in which a file is read.
const copyBuffer = 1 << 20
