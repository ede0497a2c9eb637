package cli

import (
	"context"
	"errors"
	"sync"

	"github.com/notaryv2/notation"
	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/promote"
	"github.com/notaryv2/notation/reason"
	"github.com/opencontainers/go-digest"
)

// requirements are what --require-artifact-type demands.
type requirements struct {
	copying *copying
	list    []promote.Requirement

	mu        sync.Mutex // held while one thing is decided about, and guards all below
	undecided error      // the first of what could not be decided
	skipped   error      // a policy that says skip
}

// requirements returns what has to be attached to the source, decided by who
// decides about the source itself. What was looked at gets into the document.
func (c *copying) requirements(source oci.Source) *requirements {
	r := &requirements{copying: c}
	for _, t := range c.options.required {
		r.list = append(r.list, promote.Requirement{ArtifactType: t, Verify: func(ctx context.Context, _ oci.Repository, d digest.Digest) error {
			return r.verify(ctx, source, t, d)
		}})
	}
	return r
}

// verify decides about something that is attached.
func (r *requirements) verify(ctx context.Context, source oci.Source, artifactType string, d digest.Digest) error {
	c := r.copying
	r.mu.Lock()
	defer r.mu.Unlock()
	side := copySideJSON{Name: c.src.name(d), Verification: notReached}
	err := c.verify(ctx, &side, c.src, source, d, true)
	c.doc.Required = append(c.doc.Required, copyRequiredJSON{ArtifactType: artifactType, copySideJSON: side})
	switch {
	case err == nil && side.Verification != verificationPassed:
		// Nobody has looked at it.
		err = reason.Errorf(reason.UsageFlag, "statement %q of the trust policy says skip, so nothing that is attached is known to be trusted", side.Verdict.Verdict.Statement).
			WithHint("leave --require-artifact-type out, or have the policy verify")
		r.skipped = err
	case exitCode(err) == exitUndecided && r.undecided == nil:
		r.undecided = err
	}
	return err
}

// explain turns the refusal into what it means for the exit code: that something
// is missing is a no, unless that could not be found out.
func (r *requirements) explain(err error) error {
	text := "nothing was copied: " + err.Error()
	switch {
	case r.skipped != nil:
		return reworded{text: "nothing was copied: " + r.skipped.Error(), err: r.skipped}
	case r.undecided != nil:
		return reworded{text: text, hint: reason.Hint(r.undecided), err: &missingRequired{notation.ErrUndecided, err}}
	}
	return reworded{text: text, err: &missingRequired{notation.ErrRejected, err}}
}

// missingRequired is an error of promote with its part in the exit code settled.
type missingRequired struct {
	outcome error
	err     error
}

func (d *missingRequired) Error() string { return d.err.Error() }

// Unwrap leaves out what is below the error's own code: errors about several
// things, with several outcomes.
func (d *missingRequired) Unwrap() []error {
	all := []error{d.outcome}
	if e, ok := errors.AsType[*reason.Error](d.err); ok {
		own := *e
		own.Err = nil
		all = append(all, &own)
	}
	return all
}
