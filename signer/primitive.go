package signer

import (
	"context"
	"errors"
	"fmt"

	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/reason"
)

// primitive signs message and returns the signature in the form that envelopes
// hold. A crypto.Signer knows no context and may wait for a device or a person,
// and a RemoteKey may not heed its own; when ctx ends either is left behind, and
// its late answer is dropped. A key that panics has failed.
func (s *local) primitive(ctx context.Context, message []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, interrupted(err)
	}
	type answer struct {
		signature []byte
		err       error
	}
	answers := make(chan answer, 1)
	go func() {
		a := answer{err: errors.New("it ended without an answer")}
		defer func() { answers <- a }()
		defer func() { // whoever called Sign could not recover from a panic of this goroutine
			if r := recover(); r != nil {
				a = answer{err: fmt.Errorf("it panicked: %q", fmt.Sprint(r))}
			}
		}()
		a.signature, a.err = envelope.SignPrimitive(s.key(ctx), s.alg, message)
	}()
	select {
	case a := <-answers:
		if a.err != nil && ctx.Err() != nil { // a key that heeds its context says so in words of its own
			return nil, interrupted(fmt.Errorf("%w: %w", ctx.Err(), a.err))
		}
		return a.signature, s.failed(a.err)
	case <-ctx.Done():
		return nil, interrupted(ctx.Err())
	}
}

// failed tells a key that did not sign from one that returned something else
// than a signature.
func (s *local) failed(err error) error {
	switch reason.Of(err) {
	case reason.EnvelopeSignature, reason.EnvelopeAlgorithm:
		return reason.Wrap(reason.SignerInvalidSignature, err, "the key does not make signatures of the algorithm %s", s.alg).
			WithHint("Do not use this key store; report the fault to its maker.")
	}
	if err != nil {
		return reason.Wrap(reason.SignerFailed, err, "the key cannot sign")
	}
	return nil
}

func interrupted(err error) error {
	return reason.Wrap(reason.SignerInterrupted, err, "signing was interrupted before the key answered").
		WithHint("Allow more time, or check whether the key waits for a confirmation.")
}
