package notation

import "github.com/notaryv2/notation/reason"

// sentinel is an error that is a constant, so that no program can change it.
type sentinel string

func (s sentinel) Error() string { return string(s) }

// What to do next, by [errors.Is] on the error of Verify. Exactly one of them
// is in each such error.
const (
	// ErrRejected is a definite no: everything was looked at and nothing meets
	// the trust policy, or there is no usable policy for the artifact.
	ErrRejected = sentinel("rejected by trust policy")
	// ErrUnsigned is a definite no as well: the listing was complete and holds
	// no signature.
	ErrUnsigned = sentinel("artifact is not signed")
	// ErrUndecided is neither yes nor no: something that would have been needed
	// could not be read. Trying again may help.
	ErrUndecided = sentinel("could not decide")
	// ErrSkipped says that the policy's level is skip: nothing was looked at,
	// and nothing is known about the artifact.
	ErrSkipped = sentinel("verification skipped by trust policy")
)

// VerdictError is the error of [Verifier.Verify] and [Verifier.VerifyEnvelope].
// It wraps the sentinel that belongs to the verdict's outcome and, with its
// reason code and hint, the finding that mattered most.
type VerdictError struct {
	Verdict *Verdict
	Cause   *reason.Error
}

// Error returns one sentence, safe to print: the artifact, the decision and its
// cause.
func (e *VerdictError) Error() string {
	if e.Verdict == nil || e.Cause == nil { // of no operation of this package
		return e.sentinel().Error()
	}
	return printable(e.Verdict.Reference + ": " + e.sentinel().Error() + ": " + e.Cause.Error())
}

// Unwrap returns the sentinel and the cause.
func (e *VerdictError) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.sentinel()}
	}
	return []error{e.sentinel(), e.Cause}
}

func (e *VerdictError) sentinel() sentinel {
	if e.Verdict == nil {
		return ErrRejected
	}
	switch e.Verdict.Outcome {
	case Unsigned:
		return ErrUnsigned
	case Undecided:
		return ErrUndecided
	case Skipped:
		return ErrSkipped
	default:
		return ErrRejected
	}
}
