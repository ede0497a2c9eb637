package notation

// Bounds that tests outside the package compare with.
const (
	HedgeDelay  = hedgeDelay
	LargeBudget = largeBudget
)
