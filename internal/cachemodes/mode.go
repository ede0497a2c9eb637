package cachemodes

import "os"

// Mode is a state of the caches.
type Mode string

// States of the caches.
const (
	AsWritten Mode = ""     // whatever the tests have by themselves
	Off       Mode = "off"  // nothing is kept and nothing that was kept is used
	Cold      Mode = "cold" // each verification begins with empty caches
	Warm      Mode = "warm" // the caches have seen what is verified, and more
)

// Variable is the environment variable that names the mode of a process. It is for
// tests; the product does not know it.
const Variable = "NOTATION_TEST_CACHE"

// Current returns the mode of this process.
func Current() Mode { return Mode(os.Getenv(Variable)) }
